"""What we hold about a reader, in words for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.core.subscription import State, Subscriber
from mailer.core.text import shorten
from mailer.core.words import Words

_LONGEST = 60  # characters of a detail and of a browser's name


def facts_of(
    reader: Subscriber, topics: Mapping[str, str], words: Words, digests: int = 0
) -> tuple[tuple[str, str], ...]:
    """(label, value) of what their row says. `topics`: id to name. `digests`: that went out to them.

    What isn't set is left out.
    """
    _ = words.catalogue.gettext
    names = tuple(topics.get(topic, topic) for topic in reader.topics)
    hour = "" if reader.hour is None else f"{reader.hour}:00"
    until = words.long_date(reader.paused_until) if reader.paused_until else ""
    rows = (
        (_("Email address"), reader.email),
        (_("Name"), reader.name),
        (_("How often"), words.label(reader.cadence)),
        (_("Topics"), words.listed(names) if names else _("All")),
        (_("Time zone"), reader.timezone or _("The site's")),
        (_("Hour"), hour),
        (_("Language"), reader.language or _("The site's")),
        (_("State"), _state(reader.state, words)),
        (_("Paused until"), until),
        (_("Subscribed since"), words.long_date(reader.joined_at)),
        (_("Digests that went out to you"), words.number(digests)),
    )
    return tuple((label, value) for label, value in rows if value)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a consent record. `at`: in the reader's time zone. `ip`, `agent`: who pressed, as far as is kept."""

    at: datetime
    event: str
    detail: str = ""
    ip: str = ""
    agent: str = ""


def events_of(record: Sequence[Event], words: Words) -> tuple[tuple[str, str], ...]:
    """(when, what) of a consent record, oldest first, with all that is kept of each."""
    return tuple(
        (f"{words.long_date(one.at)}, {words.clock(one.at)}", " · ".join(filter(None, _told(one, words))))
        for one in record
    )


def _told(one: Event, words: Words) -> tuple[str, ...]:
    return (_event(one.event, words), shorten(one.detail, _LONGEST), one.ip, shorten(one.agent, _LONGEST))


def _state(state: State, words: Words) -> str:
    _ = words.catalogue.gettext
    return {
        State.ACTIVE: _("Subscribed"),
        State.PAUSED: _("Paused"),
        State.PENDING: _("Not confirmed yet"),
        State.UNSUBSCRIBED: _("Unsubscribed"),
    }.get(state, state.value)


def _event(event: str, words: Words) -> str:
    _ = words.catalogue.gettext
    return {
        "added": _("Taken in by the site"),
        "imported": _("Taken in by the site"),
        "invited": _("Invited by the site"),
        "asked": _("Asked for a subscription"),
        "confirmed": _("Confirmed the subscription"),
        "cadence": _("Changed how often"),
        "topics": _("Changed the topics"),
        "timezone": _("Changed the time zone"),
        "hour": _("Changed the hour"),
        "language": _("Changed the language"),
        "paused": _("Paused"),
        "resumed": _("Ended the pause"),
        "unsubscribed": _("Unsubscribed"),
        "reason": _("Said why"),
        "asked to move": _("Asked for mail at another address"),
        "address": _("Changed the address"),
        "asked for copy": _("Asked what we hold"),
        "asked for erase": _("Asked to be erased"),
    }.get(event, event)
