"""What of a notice its reader sees: the sentences, what goes into them, and where its links lead."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mailer.core import sentences
from mailer.core.frame import Frame, frame_of
from mailer.core.notice import Already, Changed, Confirm, Copy, Erase, Goodbye, Move, Moved, Notice, Pairs, Welcome
from mailer.core.text import clean_text, first_sentences
from mailer.core.words import ENGLISH, Words

PREHEADER = 110
EVENTS = 50  # shown of a record that may be of any length: mail programs cut at some 100 KB
_TOPIC, _LABEL = 40, 60
_VALUE = 2000  # more than forms and pages let in: a reader gets what is held of them whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Frame):
    """A notice as it is shown. What a kind of notice doesn't have is '', () or 0.

    `kind`: 'confirm', 'welcome', 'already' ..., the folder of its templates. `sentences`: what it says, a paragraph
    each; `places` has what goes into theirs, a tuple where it is a list. `url`: of its button or link; `days`: how
    long that works. `facts`: label and value of each thing we hold about its reader; `events`: the latest 50,
    of each when and what, then label and value of what else is kept of it; `earlier`: how many more there are.
    """

    kind: str
    sentences: tuple[str, ...]
    places: Mapping[str, str | tuple[str, ...]]
    url: str = ""
    never_url: str = ""
    days: int = 0
    facts: Pairs = ()
    events: tuple[Pairs, ...] = ()
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class _Matter:
    """What a notice has of its own: sentences, what goes into them, and fields of its Note."""

    said: tuple[str, ...]
    places: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)


def lay_out_notice(notice: Notice, words: Words = ENGLISH) -> Note:
    """What the templates show of a notice, said in `words`."""
    frame = frame_of(notice.site, notice.cadence, words)
    matter = _matter(notice, words)
    places = {"site": frame["site_name"], "cadence": frame["cadence"], **matter.places}
    in_words = {key: words.listed(value) if isinstance(value, tuple) else value for key, value in places.items()}
    return Note(
        **frame,
        **matter.shown,
        kind=type(notice).__name__.lower(),
        sentences=matter.said,
        places=places,
        preheader=first_sentences(" ".join(sentence % in_words for sentence in matter.said), PREHEADER),
    )


def _matter(notice: Notice, words: Words) -> _Matter:
    match notice:
        case Confirm():
            said, asked = sentences.asked(words, notice.cadence), words.long_date(notice.asked)
            shown = {"url": notice.confirm_url, "never_url": notice.never_url, "days": notice.days}
            return _Matter((said,), {"date": asked}, shown)
        case Welcome():
            first = sentences.first_digest(words, notice.cadence), sentences.at_any_time(words)
            return _Matter(first, _when(notice.first, words), {"url": notice.latest_url})
        case Already():
            already = sentences.subscribed(words, notice.cadence), sentences.nothing_changed(words)
            return _Matter(already, {"date": words.long_date(notice.asked)})
        case Changed():
            return _of_a_change(notice, words)
        case Goodbye():
            return _Matter((sentences.no_more(words),), shown={"url": notice.subscribe_url})
        case _:
            return _of_their_data(notice, words)


def _of_a_change(notice: Changed, words: Words) -> _Matter:
    said = [sentences.now_get(words, notice.cadence), sentences.next_digest(words)]
    places: dict[str, str | tuple[str, ...]] = {**_when(notice.next, words)}
    if notice.paused_until:
        said = [sentences.paused(words), said[0]]
        places["date"] = words.long_date(notice.paused_until)
    if notice.topics is not None:
        names = tuple(clean_text(name, _TOPIC) for name in notice.topics)
        said.append(sentences.topics(words) if names else sentences.all_topics(words))
        places["topics"] = names
    return _Matter(tuple(said), places)


def _of_their_data(notice: Move | Moved | Copy | Erase, words: Words) -> _Matter:
    match notice:
        case Move():
            shown = {"url": notice.confirm_url, "never_url": notice.never_url, "days": notice.days}
            return _Matter((sentences.asked_to_move(words, notice.cadence),), shown=shown)
        case Moved():
            return _Matter((sentences.moved(words, notice.cadence),), {"address": clean_text(notice.new_address)})
        case Copy():
            return _Matter((sentences.asked_for_a_copy(words),), shown=_held(notice))
        case Erase():
            said = sentences.asked_to_erase(words), sentences.for_good(words), sentences.what_stays(words)
            return _Matter(said, shown={"url": notice.erase_url, "days": notice.days})


def _held(notice: Copy) -> dict[str, Any]:
    """What we hold about a reader, in lines that a mail can show."""
    return {
        "facts": tuple(map(_line, notice.facts)),
        "events": tuple(tuple(map(_line, event)) for event in notice.events[-EVENTS:]),
        "earlier": max(0, len(notice.events) - EVENTS),
    }


def _line(pair: tuple[str, str]) -> tuple[str, str]:
    return clean_text(pair[0], _LABEL), clean_text(pair[1], _VALUE)


def _when(due: datetime, words: Words) -> dict[str, str]:
    return {"date": words.day(due), "time": words.clock(due)}
