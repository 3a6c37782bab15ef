"""Subscribers, their consent and their interests."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, text, update

from mailer.core.confirmation import Confirmation
from mailer.core.consent import Circumstances
from mailer.core.subscription import Newcomer, State, Subscriber
from mailer.store.consent import record
from mailer.store.instant import to_number
from mailer.store.parts import in_parts
from mailer.store.suppressions import Fingerprints, suppressed
from mailer.store.tables import interest_sets, subscribers


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one newcomer: `added`, or why not: the state they are in already, or `suppressed`.

    `id`: of the reader; 0 where there is none.
    """

    email: str
    outcome: str
    id: int = 0

    @property
    def added(self) -> bool:
        return self.outcome == "added"


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of many. `ids`: of those who were added, in their order, rising. `others`: the rest, by address."""

    ids: Sequence[int]
    others: Mapping[str, Arrival]


def add(
    connection: Connection,
    newcomers: Sequence[Newcomer],
    *,
    now: datetime,
    event: str,
    route: str,
    statement: str,
    fingerprints: Fingerprints,
    pending: bool = False,
) -> list[Arrival]:
    """`take_in` for a few: one arrival each, in order."""
    taken = take_in(
        connection,
        newcomers,
        now=now,
        event=event,
        route=route,
        statement=statement,
        fingerprints=fingerprints,
        pending=pending,
    )
    ids = iter(taken.ids)
    return [taken.others.get(item.email) or Arrival(item.email, "added", next(ids)) for item in newcomers]


def take_in(
    connection: Connection,
    newcomers: Sequence[Newcomer],
    *,
    now: datetime,
    event: str,
    route: str,
    statement: str,
    fingerprints: Fingerprints,
    pending: bool = False,
) -> Intake:
    """Take readers in, with their consent. Nobody who is known, gone or suppressed is changed.

    `newcomers`: addresses are unique. `fingerprints`: an address's keyed hashes, one for every key in use. `pending`:
    they have to confirm by mail first; what they shall confirm is written down, and that the mails are wanted.
    """
    emails = [item.email for item in newcomers]
    barred = suppressed(connection, emails, fingerprints)
    wanted = [item for item in newcomers if item.email not in barred] if barred else newcomers
    last: int = connection.execute(select(func.coalesce(func.max(subscribers.c.id), 0))).scalar_one()
    _insert(connection, wanted, to_number(now), State.PENDING if pending else State.ACTIVE)
    first, added = connection.execute(
        select(func.coalesce(func.min(subscribers.c.id), 0), func.count()).where(subscribers.c.id > last)
    ).one()
    if added:
        values = {"last": last, "at": to_number(now), "event": event, "route": route, "statement": statement}
        connection.execute(_CONSENT, values)
        if pending:
            connection.execute(_CONFIRMATIONS, values)
            connection.execute(_CONFIRM_NOTICES, values)
    if added == len(newcomers):
        # The writer is alone, so they were numbered one after another.
        return Intake(range(first, first + added), {})
    known = {one.email: one for one in _standing(connection, emails)}
    others = {email: Arrival(email, "suppressed") for email in barred}
    others |= {one.email: one for one in known.values() if one.id <= last}
    return Intake([known[email].id for email in emails if email not in others], others)


def _insert(connection: Connection, newcomers: Sequence[Newcomer], joined: int, state: State) -> None:
    """Whose address is known already is passed over."""
    if not newcomers:
        return
    sets = {topics: interest_set(connection, topics) for topics in {item.topics for item in newcomers}}
    connection.exec_driver_sql(
        _INSERT,
        [
            (item.email, item.name, state.value, item.cadence, item.timezone, item.language, sets[item.topics], joined)
            for item in newcomers
        ],
    )


# Tuples handed to the driver as they are: by way of `insert()` and dicts a row takes three times as long.
_INSERT = (
    "INSERT INTO subscribers (email, name, state, cadence, timezone, language, interest_set_id, generation, joined_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (email) DO NOTHING"
)
_CONSENT = text(
    "INSERT INTO consent (subscriber_id, at, event, route, statement, detail) "
    "SELECT id, :at, :event, :route, :statement, cadence FROM subscribers WHERE id > :last ORDER BY id"
)


_CONFIRMATIONS = text(
    "INSERT INTO confirmations "
    "(kind, subscriber_id, generation, asked_at, cadence, interest_set_id, timezone, language, address) "
    "SELECT 'join', id, generation, :at, cadence, interest_set_id, timezone, language, email FROM subscribers "
    "WHERE id > :last ORDER BY id"
)
_CONFIRM_NOTICES = text(
    "INSERT INTO notices (kind, subscriber_id, generation, confirmation_id, wanted_at, throttled, held, told, dropped, "
    "nonce, key_id) SELECT 'confirm', subscriber_id, generation, id, :at, 2, 0, '{}', '', '', '' FROM confirmations "
    "WHERE subscriber_id > :last ORDER BY id"
)


def interest_set(connection: Connection, topics: Sequence[str]) -> int:
    """The id of a set of topic ids (sorted), made where it is new. No topics: all."""
    stored = json.dumps(list(topics), ensure_ascii=False)
    found = connection.execute(select(interest_sets.c.id).where(interest_sets.c.topics == stored)).scalar()
    if found is not None:
        return int(found)
    made = connection.execute(insert(interest_sets).values(topics=stored)).inserted_primary_key
    return int(made[0])  # type: ignore[index]  # a single insert always has one


def find(connection: Connection, email: str) -> Subscriber | None:
    """The reader of a clean address."""
    row = connection.execute(_readers().where(subscribers.c.email == email)).first()
    return None if row is None else _subscriber(row)


def of_id(connection: Connection, subscriber_id: int) -> Subscriber | None:
    """The reader of an id."""
    row = connection.execute(_readers().where(subscribers.c.id == subscriber_id)).first()
    return None if row is None else _subscriber(row)


def by_id(connection: Connection, ids: Sequence[int]) -> dict[int, Subscriber]:
    """The readers of these ids, those that are there."""
    asked = (_readers().where(subscribers.c.id.in_(part)) for part in in_parts(sorted(set(ids))))
    return {row.id: _subscriber(row) for question in asked for row in connection.execute(question)}


def languages(connection: Connection) -> frozenset[str]:
    """What readers want their mails in: tags, without '' for the site's."""
    rows = connection.execute(select(subscribers.c.language).distinct()).scalars()
    return frozenset(rows) - {""}


def by_state(connection: Connection) -> dict[str, int]:
    """How many readers are in each state, those that anybody is in."""
    rows = connection.execute(select(subscribers.c.state, func.count()).group_by(subscribers.c.state)).all()
    found = {row[0]: row[1] for row in rows}
    return {state.value: found[state] for state in State if state in found}


def page(
    connection: Connection, *, state: str | None = None, cadence: str | None = None, after: int = 0, limit: int = 1000
) -> list[Subscriber]:
    """Readers in order of joining, `limit` at a time: pass the last one's id as `after`."""
    asked = _readers().where(subscribers.c.id > after).order_by(subscribers.c.id).limit(limit)
    if state is not None:
        asked = asked.where(subscribers.c.state == state)
    if cadence is not None:
        asked = asked.where(subscribers.c.cadence == cadence)
    return [_subscriber(row) for row in connection.execute(asked)]


def change(
    connection: Connection,
    subscriber_id: int,
    *,
    now: datetime,
    about: Circumstances,
    event: str,
    detail: str,
    statement: str = "",
    **values: Any,
) -> None:
    """Write columns of one reader, and what happened into their consent record. `statement`: an operator's word."""
    if values:
        connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(**values))
    record(connection, subscriber_id, now=now, about=about, event=event, detail=detail, statement=statement)


def begin(
    connection: Connection, subscriber_id: int, chosen: Confirmation, now: datetime, given: int | None = None
) -> None:
    """The subscription holds, with what was chosen. `given`: up to where articles count as had, None for none."""
    values = {
        "state": State.ACTIVE.value,
        "cadence": chosen.cadence,
        "interest_set_id": interest_set(connection, chosen.topics),
        "timezone": chosen.timezone,
        "language": chosen.language,
        "joined_at": now,
        "given": given,
        "start": None,
        "start_since": None,
        "paused_until": None,
    }
    connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(**values))


def move(connection: Connection, subscriber_id: int, email: str) -> None:
    """Another address, which nobody has."""
    connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(email=email))


def add_pending(connection: Connection, newcomer: Newcomer, now: datetime) -> Subscriber:
    """Keep an address that has to confirm first. It is not known yet."""
    _insert(connection, [newcomer], to_number(now), State.PENDING)
    found = find(connection, newcomer.email)
    if found is None:
        raise RuntimeError("the row was just written")
    return found


def _readers() -> Select[Any]:
    return select(subscribers, interest_sets.c.topics).join(
        interest_sets, interest_sets.c.id == subscribers.c.interest_set_id
    )


def _standing(connection: Connection, emails: Sequence[str]) -> Iterator[Arrival]:
    """Those of these addresses that are known."""
    for part in in_parts(emails):
        asked = select(subscribers.c.email, subscribers.c.state, subscribers.c.id).where(subscribers.c.email.in_(part))
        yield from (Arrival(*row) for row in connection.execute(asked))


def _subscriber(row: Row[Any]) -> Subscriber:
    return Subscriber(
        id=row.id,
        email=row.email,
        state=State(row.state),
        cadence=row.cadence,
        joined_at=row.joined_at,
        name=row.name,
        timezone=row.timezone,
        language=row.language,
        topics=tuple(json.loads(row.topics)),
        generation=row.generation,
        hour=row.hour,
        given=row.given,
        paused_until=row.paused_until,
    )
