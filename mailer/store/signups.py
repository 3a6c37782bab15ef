"""Forms that were sent in, counted, and whether confirmations are being held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from mailer.core.signup import ALREADY_EVERY, MAILED, Counts, Outcome, SignupOptions
from mailer.store import notices
from mailer.store.instant import to_moment, to_number
from mailer.store.tables import meta, signup_attempts

_HELD, _FREED = "confirmations_held_since", "confirmations_freed_at"
_HOUR, _DAY, _MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)


def counts(
    connection: Connection, marks: Sequence[str], network: str, domain: str, *, now: datetime, options: SignupOptions
) -> Counts:
    """What there was before. `marks`: the address's keyed hashes. `network`: '' where it isn't known."""
    table = signup_attempts
    to_it, told = table.c.address.in_(marks), [outcome.value for outcome in MAILED]

    def count(span: timedelta, outcomes: Sequence[str], *where: ColumnElement[bool]) -> int:
        asked = select(func.count()).where(*where, table.c.at > now - span, table.c.outcome.in_(outcomes))
        return int(connection.execute(asked).scalar_one())

    mails = [
        row[0]
        for row in connection.execute(
            select(table.c.at).where(to_it, table.c.at > now - _MONTH, table.c.outcome.in_(told))
        )
    ]
    from_there = (
        []
        if not network
        else [
            row[0]
            for row in connection.execute(
                select(table.c.at)
                .where(table.c.network == network, table.c.at > now - _DAY)
                .order_by(table.c.at.desc())
                .limit(max(options.network_per_day, options.network_per_hour))
            )
        ]
    )
    return Counts(
        address_pause=sum(at > now - options.address_pause for at in mails),
        address_day=sum(at > now - _DAY for at in mails),
        address_month=len(mails),
        network_hour=sum(at > now - _HOUR for at in from_there),
        network_day=len(from_there),
        domain_hour=count(_HOUR, told, table.c.domain == domain),
        burst=count(options.burst_within, told, table.c.at > _freed_at(connection)),
        holding=held_since(connection) is not None,
        told_already=bool(count(ALREADY_EVERY, [Outcome.ALREADY.value], to_it)),
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How the form is used. `held_since`: confirmations are held since then, or None; `held`: so many.

    `waiting`: confirmations of operators' lists that wait for their turn. `day`: forms of the last 24 hours by what
    came of them. `networks`, `domains`: where most of the last hour came from and went to, with how many.
    """

    held_since: datetime | None
    held: int
    waiting: int
    day: Mapping[str, int]
    networks: Sequence[tuple[str, int]]
    domains: Sequence[tuple[str, int]]


def standing(connection: Connection, now: datetime) -> Standing:
    """How the form is used now."""
    table = signup_attempts
    by_outcome = select(table.c.outcome, func.count()).where(table.c.at > now - _DAY).group_by(table.c.outcome)

    def most(column: ColumnElement[str]) -> list[tuple[str, int]]:
        count = func.count()
        asked = select(column, count).where(table.c.at > now - _HOUR).group_by(column).order_by(count.desc(), column)
        return [(row[0], row[1]) for row in connection.execute(asked.limit(3))]

    return Standing(
        held_since=held_since(connection),
        held=notices.held(connection),
        waiting=notices.waiting_count(connection),
        day={row[0]: row[1] for row in connection.execute(by_outcome)},
        networks=most(table.c.network),
        domains=most(table.c.domain),
    )


def note(connection: Connection, mark: str, network: str, domain: str, outcome: Outcome, now: datetime) -> None:
    """Count a form. `mark`: the address's keyed hash under the newest key."""
    values = {"at": now, "address": mark, "network": network, "domain": domain, "outcome": outcome.value}
    connection.execute(insert(signup_attempts).values(**values))


def held_since(connection: Connection) -> datetime | None:
    """Since when confirmations are held; None where they aren't."""
    row = connection.execute(select(meta.c.value).where(meta.c.key == _HELD)).first()
    return to_moment(row[0]) if row else None


def answered(connection: Connection, marks: Sequence[str]) -> None:
    """The owner of an address has confirmed: its mails were wanted, and count against nobody any more."""
    told = [outcome.value for outcome in MAILED]
    connection.execute(
        update(signup_attempts)
        .where(signup_attempts.c.address.in_(marks), signup_attempts.c.outcome.in_(told))
        .values(outcome="confirmed")
    )


def hold(connection: Connection, now: datetime) -> None:
    """Hold confirmations from now on."""
    if held_since(connection) is None:
        connection.execute(insert(meta).values(key=_HELD, value=to_number(now)))


def let_go(connection: Connection, now: datetime) -> bool:
    """Hold no more, and count a burst anew from now on. False: nothing was held."""
    if not connection.execute(delete(meta).where(meta.c.key == _HELD)).rowcount:
        return False
    connection.execute(delete(meta).where(meta.c.key == _FREED))
    connection.execute(insert(meta).values(key=_FREED, value=to_number(now)))
    return True


def _freed_at(connection: Connection) -> datetime:
    row = connection.execute(select(meta.c.value).where(meta.c.key == _FREED)).first()
    return to_moment(row[0] if row else 0)
