"""What is kept of an article, and the rules that clean it on its way in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from itertools import chain

from mailer.core.article_html import Image, plain
from mailer.core.article_text import SUMMARY_LIMIT, TITLE_LIMIT, author_of, one_line, running_text, summary_of
from mailer.core.canonical import canonical_link
from mailer.core.language import detect_language, reading_minutes
from mailer.core.picture import Picture, absolute, choose, in_srcset, pixels
from mailer.core.text import first_sentences

__all__ = [
    "SUMMARY_LIMIT",
    "TITLE_LIMIT",
    "Article",
    "Draft",
    "Entry",
    "Picture",
    "absolute",
    "all_topics",
    "canonical_link",
    "clean",
    "instant",
    "language_tag",
    "one_line",
    "pixels",
    "plain",
]

_MADE_TITLE_LIMIT = 80  # of an article without one
_LABEL_LIMIT = 100
_MOST_TOPICS = 20
_ALT_LIMIT = 300
_GUID_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """One article as a source tells it, cleaned, before it is taken in (it has no `seq` yet).

    `guid`: the source's own stable id. `summary`: plain text. `topics`: labels as the source writes them.
    `published`: aware, UTC, or None where the source gives no date. `language`: BCP 47 tag or ''.
    `minutes`: reading time, 0 where unknown.
    """

    guid: str
    title: str
    link: str
    summary: str = ""
    author: str = ""
    picture: Picture | None = None
    topics: tuple[str, ...] = ()
    published: datetime | None = None
    language: str = ""
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Article:
    """An article that was taken in. `seq` numbers articles in the order of taking in and is their id.

    `origin`: 'feed:3' or 'import'. `known`: part of a feed's back catalogue, never mailed.
    `pins`: the cadences for whose next edition it is still pinned to the top. `storm`: it came when its feed changed
    all ids, and nobody has said yet whether it is news.
    """

    seq: int
    origin: str
    draft: Draft
    hidden: bool = False
    known: bool = False
    pins: tuple[str, ...] = ()
    storm: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One article as its source writes it, before cleaning. Every text may be HTML, padded, or escaped twice.

    `base`: the absolute URL that relative addresses start from, or ''. `pictures`: the best first, addresses and
    alternatives raw; those inside `summary` and `content` are found by `clean`. `published`: aware or None.
    `recorded`: it is sound or film, and how long that takes can't be told from its text.
    """

    guid: str = ""
    title: str = ""
    link: str = ""
    base: str = ""
    summary: str = ""
    content: str = ""
    author: str = ""
    pictures: tuple[Picture, ...] = ()
    topics: tuple[str, ...] = ()
    published: datetime | None = None
    language: str = ""
    recorded: bool = False


def clean(entry: Entry) -> Draft:
    """The entry as it may be kept. `title` is '' where the entry says nothing that could be one; never raises."""
    link = absolute(entry.link, entry.base)
    text, images = running_text(entry.content)
    teaser, teaser_images = (text, images) if entry.summary == entry.content else running_text(entry.summary)
    title = one_line(entry.title, TITLE_LIMIT)
    summary = summary_of(teaser, title) or summary_of(text, title)
    if not title:
        title = first_sentences(summary, _MADE_TITLE_LIMIT)
        summary = summary.removeprefix(title).lstrip()  # or it would be read twice
    # A teaser that had to be cut is the article itself; a short one says nothing about how long that is.
    whole = text or (teaser if len(teaser) > SUMMARY_LIMIT else "")
    language = language_tag(entry.language) or detect_language(f"{title} {text or teaser}")
    return Draft(
        guid=_guid(entry, link, title),
        title=title,
        link=link,
        summary=summary,
        author=author_of(entry.author),
        picture=_picture(entry.pictures, images + teaser_images, entry.base or link),
        topics=_topics(entry.topics),
        published=_utc(entry.published),
        language=language,
        minutes=0 if entry.recorded else reading_minutes(whole, language),
    )


def _picture(told: Iterable[Picture], images: Iterable[Image], base: str) -> Picture | None:
    """What the source names as the article's picture comes before what is in its text."""
    inside = (
        in_srcset(Picture(image.src, image.alt, pixels(image.width), pixels(image.height)), image.srcset)
        for image in images
    )
    found = choose((*told, *inside), base)
    return found and replace(found, alt=one_line(found.alt, _ALT_LIMIT))


def instant(written: str) -> datetime:
    """A date of ISO 8601 or RFC 2822 as an aware one in UTC; one without a zone counts as UTC. Raises ValueError."""
    bare = written.strip()
    try:
        found = datetime.fromisoformat(bare)
    except ValueError:
        found = _mail_date(bare)
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{bare} is beyond the calendar") from None


def _mail_date(written: str) -> datetime:
    try:
        return parsedate_to_datetime(written)
    except (TypeError, IndexError, OverflowError):  # what the library's parser stumbles over
        raise ValueError(f"{written} is not a date") from None


def _guid(entry: Entry, link: str, title: str) -> str:
    own = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "", entry.guid).strip() or link
    if own and len(own) <= _GUID_LIMIT:
        return own
    published = entry.published.isoformat() if entry.published else ""
    return "sha256:" + sha256((own or f"{title}\n{published}").encode()).hexdigest()


def all_topics(*told: Iterable[str]) -> tuple[str, ...]:
    """The labels of several sources in one list, each as it was first spelled."""
    found: dict[str, str] = {}
    for label in chain(*told):
        found.setdefault(label.casefold(), label)
    return tuple(found.values())


def _topics(labels: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for label in labels:
        shown = one_line(label, _LABEL_LIMIT)
        if shown:
            found.setdefault(shown.casefold(), shown)
        if len(found) == _MOST_TOPICS:
            break
    return tuple(found.values())


_LANGUAGE = re.compile(r"([a-z]{2,3})((?:-[a-z0-9]{2,8}){0,4})", re.IGNORECASE | re.ASCII)
_NO_LANGUAGE = {"und", "mul", "mis", "zxx"}  # ISO 639-3: undetermined, several, uncoded, none


def language_tag(tag: str) -> str:
    """The tag in RFC 5646 §2.1.1's letters ('pt-BR', 'zh-Hant'), '' where it is none."""
    found = _LANGUAGE.fullmatch(re.split(r"[.@,;]", tag.strip(), maxsplit=1)[0].replace("_", "-"))
    if not found or found[1].lower() in _NO_LANGUAGE:
        return ""
    # Two letters are a region, four a script.
    spelled = {2: str.upper, 4: str.title}
    rest = [spelled.get(len(part), str.lower)(part) for part in found[2].split("-")[1:]]
    return "-".join([found[1].lower(), *rest])


def _utc(published: datetime | None) -> datetime | None:
    """In UTC. The epoch and what is before it, like year 1, are how programs write 'no date'."""
    if published is None or published.year <= 1970:  # noqa: PLR2004 the epoch
        return None
    return published.astimezone(UTC)
