"""The mails that are not digests: confirm, welcome, changed, goodbye. What each is told, and what it shows of that.

Each goes to one reader, once. Nothing that a visitor typed stands in them: a form must not be a way to make us say
something to a stranger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mailer.core import sentences
from mailer.core.frame import Frame, Site, frame_of
from mailer.core.message import Headers
from mailer.core.text import clean_text, first_sentences
from mailer.core.words import ENGLISH, Words

PREHEADER = 110


@dataclass(frozen=True, slots=True)
class Confirm:
    """Somebody asked for a subscription. `asked`: the local day they did. URLs are absolute and theirs alone.

    `never_url`: where this address can forbid us to write again. `days`: how long `confirm_url` works.
    """

    site: Site
    cadence: str
    asked: date
    confirm_url: str
    never_url: str
    days: int = 7
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Welcome:
    """A reader has confirmed. `first`: when their first digest is due, in the time zone they shall read it in."""

    site: Site
    cadence: str
    first: datetime
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Changed:
    """A reader chose anew. `next`: when their next digest is due, as in Welcome.

    `topics`: the names of those they get now; () is all, None says nothing of them. `paused_until`: the local day on
    which digests come again, or None.
    """

    site: Site
    cadence: str
    next: datetime
    topics: tuple[str, ...] | None = None
    paused_until: date | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Goodbye:
    """A reader has left. `subscribe_url`: where they can come back."""

    site: Site
    cadence: str
    subscribe_url: str
    language: str = "en"


Notice = Confirm | Welcome | Changed | Goodbye


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Frame):
    """A notice as it is shown. What a kind of notice doesn't have is '' or 0.

    `kind`: 'confirm', 'welcome', 'changed' or 'goodbye', the folder of its templates. `sentences`: what it says, a
    paragraph each; `places` has what goes into theirs, a tuple where it is a list. `url`: of its button; `days`: how
    long that works.
    """

    kind: str
    sentences: tuple[str, ...]
    places: Mapping[str, str | tuple[str, ...]]
    url: str = ""
    never_url: str = ""
    days: int = 0


def lay_out_notice(notice: Notice, words: Words = ENGLISH) -> Note:
    """What the templates show of a notice, said in `words`."""
    frame = frame_of(notice.site, notice.cadence, words)
    places: dict[str, str | tuple[str, ...]] = {"site": frame["site_name"], "cadence": frame["cadence"]}
    urls: dict[str, Any] = {}
    match notice:
        case Confirm():
            kind, said = "confirm", [sentences.asked(words, notice.cadence)]
            places["date"] = words.long_date(notice.asked)
            urls = {"url": notice.confirm_url, "never_url": notice.never_url, "days": notice.days}
        case Welcome():
            kind, said = "welcome", [sentences.first_digest(words, notice.cadence), sentences.at_any_time(words)]
            places |= _when(notice.first, words)
        case Changed():
            kind, said = "changed", [sentences.now_get(words, notice.cadence), sentences.next_digest(words)]
            places |= _when(notice.next, words)
            if notice.paused_until:
                said[1] = sentences.paused(words)
                places["date"] = words.long_date(notice.paused_until)
            if notice.topics is not None:
                names = tuple(clean_text(name, 40) for name in notice.topics)
                said.append(sentences.topics(words) if names else sentences.all_topics(words))
                places["topics"] = names
        case Goodbye():
            kind, said = "goodbye", [sentences.no_more(words)]
            urls = {"url": notice.subscribe_url}
    in_words = {key: words.listed(value) if isinstance(value, tuple) else value for key, value in places.items()}
    preheader = first_sentences(" ".join(sentence % in_words for sentence in said), PREHEADER)
    return Note(**frame, **urls, kind=kind, sentences=tuple(said), places=places, preheader=preheader)


def _when(due: datetime, words: Words) -> dict[str, str]:
    return {"date": words.day(due), "time": words.clock(due)}


def headers_of_notice(notice: Notice) -> Headers:
    """The header fields of a notice.

    RFC 8058 is for list mail: who hasn't confirmed, or has left, is on no list that a button could take them off.
    """
    site = notice.site
    kind = type(notice).__name__.lower()
    return Headers(
        from_name=site.from_name,
        from_address=site.from_address,
        list_name=site.name,
        list_id=site.list_id,
        public_url=site.public_url,
        feedback=("notice", notice.cadence, kind),
        reply_to=site.reply_to,
        language=notice.language,
        to_a_list=isinstance(notice, Welcome | Changed),
    )
