"""What we hold about a reader, in words for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, tzinfo

from mailer.core.consent import ConsentEvent
from mailer.core.leaving_page import reasons_of
from mailer.core.notice import Pairs
from mailer.core.subscription import State, Subscriber
from mailer.core.words import Words, language_name

_KNOWN = frozenset(map(str, State))


def facts_of(reader: Subscriber, topics: Mapping[str, str], words: Words, zone: tzinfo, *, digests: int = 0) -> Pairs:
    """(label, value) of what their row says. `topics`: id to name. `zone`: where they are. `digests`: they were sent.

    What isn't set is left out.
    """
    _ = words.catalogue.gettext
    names = tuple(topics.get(topic, topic) for topic in reader.topics)
    hour = "" if reader.hour is None else words.clock(time(reader.hour))
    until = words.long_date(reader.paused_until.astimezone(zone)) if reader.paused_until else ""
    rows = (
        (_("Email address"), reader.email),
        (_("Name"), reader.name),
        (_("How often"), words.label(reader.cadence)),
        (_("Topics"), words.listed(names) if names else _("All")),
        (_("Time zone"), reader.timezone or _("The site's")),
        (_("Hour"), hour),
        (_("Language"), language_name(reader.language) if reader.language else _("The site's")),
        (_("State"), _state(reader.state, words)),
        (_("Paused until"), until),
        (_("Subscribed since"), words.long_date(reader.joined_at.astimezone(zone))),
        (_("Digests that went out to you"), words.number(digests)),
    )
    return tuple((label, value) for label, value in rows if value)


def events_of(
    record: Sequence[ConsentEvent], topics: Mapping[str, str], words: Words, zone: tzinfo
) -> tuple[Pairs, ...]:
    """A consent record, oldest first: of each event (when, what), then (label, value) of what else is kept of it.

    `topics`: id to name. `zone`: where the reader is.
    """
    return tuple(_told(replace(one, at=one.at.astimezone(zone)), topics, words) for one in record)


def _told(one: ConsentEvent, topics: Mapping[str, str], words: Words) -> Pairs:
    _ = words.catalogue.gettext
    when = f"{words.long_date(one.at)}, {words.clock(one.at)}"
    what = " · ".join(filter(None, (_event(one.event, words), _detail(one, topics, words))))
    rows = (
        (_("By way of"), _route(one.route, words)),
        (_("The site's note"), one.statement),
        (_("Page"), one.source),
        (_("Language"), language_name(one.language) if one.language else ""),
        (_("Version of what you read"), one.text_version),
        (_("IP address"), one.ip),
        (_("Browser"), one.agent),
        (_("Message-ID of the mail"), one.message_id),
    )
    return (when, what), *((label, value) for label, value in rows if value)


def _detail(one: ConsentEvent, topics: Mapping[str, str], words: Words) -> str:
    """What the flows wrote of an event, in words; what they never write, as it is."""
    _ = words.catalogue.gettext
    site, detail = _("The site's"), one.detail
    match one.event:
        case "asked" | "confirmed" | "cadence":
            return _change(detail, words.label, words)
        case "topics":
            return _change(detail, lambda listed: _topics(listed, topics, words), words)
        case "timezone":
            return _change(detail, lambda zone: site if zone == "site" else zone, words)
        case "language":
            return _change(detail, lambda tag: site if tag == "site" else language_name(tag), words)
        case "hour":
            return _change(detail, lambda hour: _hour(hour, words), words)
        case "paused":
            return _until(detail, one.at, words)
        case "unsubscribed":
            return _change(detail, lambda state: _standing(state, words), words)
        case "allowed":
            lifted, _semicolon, ended = detail.partition("; ")
            stood = words.listed(tuple(_standing(reason, words) for reason in lifted.split(", ")))
            return "; ".join(filter(None, (stood, _change(ended, lambda state: _standing(state, words), words))))
        case "reason":
            reason, _colon, text = detail.partition(": ")
            sentences = {option.value: option.label for option in reasons_of(words)}
            return ": ".join(filter(None, (sentences.get(reason, reason), text)))
        case _:
            return detail


def _change(detail: str, said: Callable[[str], str], words: Words) -> str:
    """'Weekly → Daily' of 'weekly -> daily', in the direction that the language is read in."""
    # The marks of direction keep names in Latin letters on their sides of the arrow.
    arrow = " \u200f←\u200f " if words.direction == "rtl" else " → "
    return arrow.join(said(part) for part in detail.split(" -> ") if part)


def _topics(listed: str, topics: Mapping[str, str], words: Words) -> str:
    if listed == "all":
        return words.catalogue.gettext("All")
    return words.listed(tuple(topics.get(topic, topic) for topic in listed.split(", ")))


def _hour(hour: str, words: Words) -> str:
    number = hour.partition(":")[0]
    return words.clock(time(int(number))) if number.isdecimal() else words.catalogue.gettext("As it comes")


def _until(detail: str, at: datetime, words: Words) -> str:
    """'until 24 December 2026', where the reader is, of 'until 2026-12-23 23:00 UTC'."""
    moment = detail.removeprefix("until ").removesuffix(" UTC")
    try:
        day = datetime.fromisoformat(moment).replace(tzinfo=UTC).astimezone(at.tzinfo)
    except ValueError:
        return detail
    return words.catalogue.gettext("until %(date)s") % {"date": words.long_date(day)}


def _route(route: str, words: Words) -> str:
    _ = words.catalogue.gettext
    form, site = _("A sign-up form"), _("The site itself")
    return {
        "page": form,
        "frame": f"{form} (iframe)",
        "script": f"{form} (JavaScript)",
        "html": f"{form} (HTML)",
        "api": f"{form} (API)",
        "link": _("A link in a mail"),
        "one-click": _("The button of a mail program"),
        "cli": site,
        "import": site,
    }.get(route, route)


def _standing(name: str, words: Words) -> str:
    """A state, or a reason why an address is not written to."""
    _ = words.catalogue.gettext
    if name in _KNOWN:
        return _state(State(name), words)
    return {"asked_never": _("Asked us never to write"), "erased": _("Erased")}.get(name, name)


def _state(state: State, words: Words) -> str:
    _ = words.catalogue.gettext
    return {
        State.ACTIVE: _("Subscribed"),
        State.PAUSED: _("Paused"),
        State.PENDING: _("Not confirmed yet"),
        State.UNSUBSCRIBED: _("Unsubscribed"),
        State.BOUNCED: _("Mail came back"),
        State.COMPLAINED: _("Reported as spam"),
    }[state]


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
        "asked_never": _("Asked us never to write"),
        "allowed": _("Allowed again by the site"),
        "asked to move": _("Asked for mail at another address"),
        "address": _("Changed the address"),
        "asked for copy": _("Asked what we hold"),
        "asked for erase": _("Asked to be erased"),
    }.get(event, event)
