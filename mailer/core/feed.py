"""What a feed says, whatever its format, and which of its articles count as news."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailer.core.article import Draft, clean, language_tag, one_line
from mailer.core.feed_identity import part
from mailer.core.feed_json import read_json_feed
from mailer.core.feed_source import Source, decode
from mailer.core.feed_xml import read_xml
from mailer.errors import FeedError

_NAME_LIMIT = 200
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """One feed, cleaned. `drafts`: in the feed's order, no guid twice. `home`: the site's URL or ''.

    `ttl_minutes`: how long the feed asks to be left alone. `problems`: a sentence each on what was mended or left out.
    """

    title: str
    home: str
    language: str
    drafts: tuple[Draft, ...]
    ttl_minutes: int | None = None
    problems: tuple[str, ...] = ()


def read_feed(body: bytes, *, url: str, content_type: str = "") -> FeedDocument:
    """RSS, RDF, Atom or JSON Feed. `url`: where it came from (or a file's path); relative addresses start there.

    Raises FeedError, one sentence naming `url`, where nothing can be made of it or it is not safe to read.
    """
    text, trouble = decode(body, content_type)
    text = text.replace("\x00", "").removeprefix("\ufeff")
    start = text.lstrip()[:1]
    if not start:
        raise FeedError(f"{url} is empty.")
    source = read_json_feed(text, url) if start in "{[" else read_xml(text, url)
    drafts, left_out = _drafts(source)
    problems = [trouble, *source.problems, *left_out] if trouble else [*source.problems, *left_out]
    return FeedDocument(
        title=one_line(source.title, _NAME_LIMIT),
        home=source.home,
        language=language_tag(source.language),
        drafts=drafts,
        ttl_minutes=source.ttl_minutes,
        problems=_not_endless(problems),
    )


def take_in(document: FeedDocument, *, first: bool, now: datetime, back: timedelta) -> tuple[tuple[Draft, bool], ...]:
    """(draft, known) in the order in which they are to be numbered, the oldest first; what has no date leads.

    On the first fetch what is older than `back` before `now`, or undated, is the back catalogue: known, never mailed
    (semantics.md, Backdated and late articles). Later everything is news, whatever its date.
    """
    # Feeds have the newest on top: of two with the same date the lower one is the older.
    from_below = document.drafts[::-1]
    return tuple(
        (draft, first and (draft.published is None or draft.published < now - back))
        for draft in sorted(from_below, key=lambda draft: draft.published or _BEFORE_ALL)
    )


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def _drafts(source: Source) -> tuple[tuple[Draft, ...], list[str]]:
    named: dict[str, list[tuple[int, Draft]]] = {}
    problems: list[tuple[int, str]] = []
    for number, entry in enumerate(source.entries, 1):
        draft = clean(entry)
        if draft.title:
            named.setdefault(draft.guid, []).append((number, draft))
        else:
            problems.append((number, f"article {number} has neither a title nor a text; it is left out."))
    found: dict[int, Draft] = {}
    for namesakes in named.values():
        kept = [namesakes[0][1]] if len(namesakes) == 1 else part([draft for _, draft in namesakes])
        if sum(draft is not None for draft in kept) > 1:
            problems.append(_parted(namesakes))
        for (number, draft), one in zip(namesakes, kept, strict=True):
            if one is None:
                problems.append(_left_out(number, draft, *namesakes[0]))
            else:
                found[number] = one
    return tuple(found[number] for number in sorted(found)), [sentence for _, sentence in sorted(problems)]


def _left_out(number: int, draft: Draft, earlier: int, other: Draft) -> tuple[int, str]:
    return number, (
        f"article {number} ({draft.title[:60]!r}) has the same id as article {earlier} ({other.title[:60]!r}); "
        "it is left out."
    )


def _parted(namesakes: list[tuple[int, Draft]]) -> tuple[int, str]:
    first, guid = namesakes[0][0], namesakes[0][1].guid
    return first, (
        f"{len(namesakes)} articles have the same id ({guid[:60]!r}), first article {first}; "
        "they are told apart by their links or titles."
    )


def _not_endless(problems: list[str]) -> tuple[str, ...]:
    if len(problems) <= _MOST_PROBLEMS:
        return tuple(problems)
    return (*problems[:_MOST_PROBLEMS], f"And {len(problems) - _MOST_PROBLEMS} more of this kind.")
