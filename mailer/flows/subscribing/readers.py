"""Whom a flow is about, and why somebody who has gone stays gone."""

from sqlalchemy import Connection

from mailer.core.subscription import State, Subscriber
from mailer.errors import NotFound, Refused
from mailer.store import consent, subscribers, suppressions

_SAID = {
    State.UNSUBSCRIBED: "unsubscribed",
    State.BOUNCED: "could not be delivered to any more",
    State.COMPLAINED: "complained of our mail as spam",
}


def known(connection: Connection, who: str | int) -> Subscriber:
    """The reader of an address or an id. Raises NotFound."""
    found = subscribers.find(connection, who) if isinstance(who, str) else subscribers.of_id(connection, who)
    if found is None:
        raise NotFound(f"{who} is not among the subscribers.")
    return found


def gone(connection: Connection, reader: Subscriber) -> Refused:
    """Why nothing is changed for somebody who has gone."""
    barred = suppressions.reason_of(connection, reader.email, lambda _: ())[0]
    if barred not in {"", State.BOUNCED}:
        return Refused(
            f"{reader.email} is suppressed ({barred}): nothing revives it, until `mailer subscribers allow` lifts that."
        )
    since = [one.at for one in consent.record_of(connection, reader.id) if one.event == reader.state]
    on = f" on {since[-1]:%Y-%m-%d}" if since else ""
    rest = "" if reader.state is State.COMPLAINED else "; they can sign up again themselves"
    return Refused(f"{reader.email} {_SAID[reader.state]}{on}: nothing revives it{rest}.")
