"""What is kept of an article, and the rules that clean it on its way in."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from itertools import chain
from urllib.parse import quote, urljoin, urlsplit

from mailer.core.article_html import plain, plain_if_marked_up, read_html
from mailer.core.canonical import canonical_link
from mailer.core.language import detect_language, reading_minutes
from mailer.core.text import clean_text, first_sentences

__all__ = [
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

TITLE_LIMIT = 500
SUMMARY_LIMIT = 600
_MADE_TITLE_LIMIT = 80  # of an article without one
_NAME_LIMIT = 200
_LABEL_LIMIT = 100
_MOST_TOPICS = 20
_ALT_LIMIT = 300
_LINK_LIMIT = 2_000
_GUID_LIMIT = 500
_RAW_LIMIT = 20_000  # what of a one-line field is looked at; ten thousand characters of title are a mistake, not news

_LEAD_WIDTH = 536  # look.md §3: narrower pictures are not shown
_SMALLEST = 50  # pixels: below are counters, spacers and icons
_LARGEST = 20_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an article. Width and height are pixels, 0 where the source doesn't say."""

    url: str
    alt: str = ""
    width: int = 0
    height: int = 0
    media_type: str = ""


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


def clean(entry: Entry) -> Draft:
    """The entry as it may be kept. `title` is '' where the entry says nothing that could be one; never raises."""
    link = absolute(entry.link, entry.base)
    text, images = read_html(entry.content)
    teaser, teaser_images = (text, images) if entry.summary == entry.content else read_html(entry.summary)
    summary = _summary(teaser or text)
    title = one_line(entry.title, TITLE_LIMIT)
    if not title:
        title = first_sentences(summary, _MADE_TITLE_LIMIT)
        summary = "" if title == summary else summary  # or it would be read twice
    inside = (
        Picture(image.src, image.alt, pixels(image.width), pixels(image.height)) for image in images + teaser_images
    )
    pictures = (*entry.pictures, *(picture for picture in inside if picture.width and picture.height))
    # A teaser that had to be cut is the article itself; a short one says nothing about how long that is.
    whole = text or (teaser if len(teaser) > SUMMARY_LIMIT else "")
    language = language_tag(entry.language) or detect_language(f"{title} {text or teaser}")
    return Draft(
        guid=_guid(entry, link, title),
        title=title,
        link=link,
        summary=summary,
        author=_author(entry.author),
        picture=_choose(pictures, link or entry.base),
        topics=_topics(entry.topics),
        published=_utc(entry.published),
        language=language,
        minutes=reading_minutes(whole, language),
    )


def absolute(address: str, base: str = "") -> str:
    """An http or https URL, resolved against `base` and fit to be printed; '' where it is no such address."""
    bare = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", "", address).strip()
    if not bare:
        return ""
    try:
        parts = urlsplit(urljoin(base, bare))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            return ""
    except ValueError:
        return ""
    if re.search(r"[\s<>\"'\\^`{|}]", parts.netloc):
        return ""
    # A link ends at the first space where a mail program finds it by itself; parameters stay as they are.
    path, query, fragment = (quote(part, safe="!#$%&'()*+,/:;=?@[]~") for part in parts[2:])
    url = parts._replace(path=path, query=query, fragment=fragment).geturl()
    return url if len(url) <= _LINK_LIMIT else ""


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


def pixels(written: str) -> int:
    """'640' and '640px' are 640; everything else is unknown: 0."""
    found = re.fullmatch(r"\s*(\d{1,5})(?:\.0+)?\s*(?:px)?\s*", written, re.IGNORECASE | re.ASCII)
    size = int(found[1]) if found else 0
    return size if size <= _LARGEST else 0


_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def one_line(text: str, limit: int) -> str:
    """A title, name or label as plain text of at most `limit` characters: tags out, entities undone, cleaned.

    Undone twice where the source clearly escaped twice.
    """
    once = plain_if_marked_up(text[:_RAW_LIMIT])
    # A whole entity that is still there after one undoing: the source has escaped twice.
    left = any(html.unescape(found[0]) != found[0] for found in _ENTITY.finditer(once))
    return clean_text(plain_if_marked_up(once) if left else once, limit)


# What WordPress and its plugins write under each excerpt.
_FOOTER = re.compile(
    r"\s*(?:The post .{1,300} (?:first appeared|appeared first) on .{1,200}\.?|Continue reading.{0,300})$"
)
_CUT_OFF = re.compile(r"\s*(?:\[\s*(?:…|\.\.\.)\s*\])\s*$")


def _summary(text: str) -> str:
    # More than is kept, so that a sentence's end is seen; not all, because cleaning looks at each character.
    shown = clean_text(text[: 2 * SUMMARY_LIMIT], 2 * SUMMARY_LIMIT)
    if len(text) <= 2 * SUMMARY_LIMIT:
        shown = _CUT_OFF.sub("…", _FOOTER.sub("", shown) or shown)
    return first_sentences(shown, SUMMARY_LIMIT)


def _guid(entry: Entry, link: str, title: str) -> str:
    own = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "", entry.guid).strip() or link
    if own and len(own) <= _GUID_LIMIT:
        return own
    published = entry.published.isoformat() if entry.published else ""
    return "sha256:" + sha256((own or f"{title}\n{published}").encode()).hexdigest()


_ADDRESS = re.compile(r"[<(]?(?:mailto:)?[^\s<>()@]{1,64}@[^\s<>()@]{1,255}[>)]?")


def _author(text: str) -> str:
    """The name alone: RSS's own form is 'ada@site.example (Ada)', and an address is nobody's byline."""
    name = _ADDRESS.sub(" ", one_line(text, _NAME_LIMIT)).strip(" ,;")
    whole = re.fullmatch(r"\(([^()]*)\)", name)
    return " ".join((whole[1] if whole else name).split())


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


def _choose(pictures: Iterable[Picture], base: str) -> Picture | None:
    """The first that is known to fill a lead's width, else the first. What is said twice of one address is joined."""
    found: dict[str, Picture] = {}
    for picture in pictures:
        url = absolute(picture.url, base)
        if not url or _is_tiny(picture):
            continue
        alt = one_line(picture.alt, _ALT_LIMIT)
        seen = found.setdefault(url, Picture(url, media_type=_media_type(picture, url)))
        sized = seen if seen.width and seen.height else replace(seen, width=picture.width, height=picture.height)
        found[url] = replace(sized, alt=seen.alt or alt)
    return min(found.values(), key=lambda picture: picture.width < _LEAD_WIDTH or not picture.height, default=None)


def _is_tiny(picture: Picture) -> bool:
    return 0 < picture.width < _SMALLEST or 0 < picture.height < _SMALLEST


_KINDS = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "svg": "image/svg+xml",
}


def _media_type(picture: Picture, url: str) -> str:
    said = picture.media_type.partition(";")[0].strip().lower()
    if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,80}", said):
        return said
    return _KINDS.get(urlsplit(url).path.rpartition(".")[2].lower(), "")


def _utc(published: datetime | None) -> datetime | None:
    """In UTC. The epoch and what is before it, like year 1, are how programs write 'no date'."""
    if published is None or published.year <= 1970:  # noqa: PLR2004 the epoch
        return None
    return published.astimezone(UTC)
