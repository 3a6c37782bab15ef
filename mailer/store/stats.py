"""Counting, and the questions that `mailer verify` asks. Reads only."""
# ruff: noqa: S608, ISC004
# Only constants of this program are put into SQL; a question may take several lines.

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, func, select, text

from mailer.core.delivery import UNFINISHED, Claimed, DeliveryState
from mailer.store import given
from mailer.store.pickup import ERASED
from mailer.store.tables import deliveries, editions, subscribers, variants

# Word for word the conditions of the small indexes: SQLite compares the text.
_WAITING = ("state = 'pending'", "state IN ('claimed', 'sending')", "state IN ('deferred', 'in_doubt')")
_HELD = "state = 'in_doubt_held'"


OPERATOR = "operator"
"""The stage of an attempt that was none: a person's word."""
SAID = (
    "(SELECT trim(CASE WHEN a.code THEN a.code ELSE '' END || ' ' || a.enhanced || ' ' || a.text) "
    f"FROM attempts a WHERE a.delivery_id = d.id AND a.stage <> '{OPERATOR}' ORDER BY a.id DESC LIMIT 1)"
)
"""What the relay said last of a delivery d, as a column."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A reader who has not got an edition, and why: what the relay said last, where it said something."""

    address: str
    state: str
    reason: str
    said: str
    next_at: datetime | None


def states(connection: Connection, edition_id: int | None) -> dict[str, int]:
    """How many deliveries of an edition (None: transactional mail) are in each state; every state is named."""
    where = deliveries.c.edition_id.is_(None) if edition_id is None else deliveries.c.edition_id == edition_id
    # GROUP BY would sort them all first, in memory: 45 MB for a million.
    counts = [func.count().filter(deliveries.c.state == state.value) for state in DeliveryState]
    row = connection.execute(select(*counts).where(where)).one()
    return {state.value: count for state, count in zip(DeliveryState, row, strict=True)}


def unfinished(connection: Connection) -> dict[str, int]:
    """How many deliveries wait or are held, over all editions, by state; only states that occur."""
    found: dict[str, int] = {}
    for waiting in (*_WAITING, _HELD):
        rows = connection.execute(text(f"SELECT state, count(*) FROM deliveries WHERE {waiting} GROUP BY state"))
        found.update((row[0], row[1]) for row in rows)
    return found


def looked_at(connection: Connection, sources: Sequence[int | None] | None = None) -> datetime | None:
    """When the first delivery that waits for a retry, or is in doubt, is looked at again; None where none waits.

    `sources`: of these editions alone, None among them for transactional mail.
    """
    asked = select(func.min(deliveries.c.next_at)).where(text(f"deliveries.{_WAITING[2]}"))
    if sources is not None:
        asked = asked.where(func.coalesce(deliveries.c.edition_id, 0).in_([one or 0 for one in sources]))
    moment: datetime | None = connection.execute(asked).scalar()
    return moment


def to_do(connection: Connection, edition_id: int | None) -> int:
    """How many deliveries a run may have before it: of one edition and transactional ones, or of all."""
    total = 0
    for waiting in _WAITING:
        # The plus keeps SQLite from the edition's own index, which holds every settled row.
        where = "" if edition_id is None else "AND (+edition_id = :edition OR +edition_id IS NULL)"
        total += connection.execute(
            text(f"SELECT count(*) FROM deliveries WHERE {waiting} {where}"),
            {} if edition_id is None else {"edition": edition_id},
        ).scalar_one()
    return total


def missed(connection: Connection, edition_id: int, limit: int) -> list[Missed]:
    """Readers of an edition who have not got it, with the last words of the relay."""
    rows = connection.execute(
        text(
            f"SELECT coalesce(d.address, s.email, '{ERASED}') AS address, d.state, d.reason, d.next_at, "
            f"{SAID} AS said "
            "FROM deliveries d LEFT JOIN subscribers s ON s.id = d.subscriber_id "
            "WHERE d.edition_id = :edition AND d.state NOT IN ('accepted', 'pending', 'claimed', 'sending') "
            "ORDER BY d.id LIMIT :limit"
        ).columns(next_at=deliveries.c.next_at.type),
        {"edition": edition_id, "limit": limit},
    )
    return [Missed(row.address, row.state, row.reason, row.said or "", row.next_at) for row in rows]


def readers_by_variant(connection: Connection, edition_id: int) -> dict[int, int]:
    """How many readers each variant of an edition has."""
    rows = connection.execute(
        select(deliveries.c.variant_id, func.count())
        .where(deliveries.c.edition_id == edition_id)
        .group_by(deliveries.c.variant_id)
    )
    return {row[0]: row[1] for row in rows}


def history(connection: Connection, subscriber_id: int) -> list[Row[int, str, str, str, str, str, datetime | None]]:
    """What a reader was sent, oldest first: (edition id, cadence, period, subject, state, reason, settled_at)."""
    # Through the editions, because the ledger's index leads with them.
    return list(
        connection.execute(
            select(
                editions.c.id,
                editions.c.cadence,
                editions.c.period,
                variants.c.subject,
                deliveries.c.state,
                deliveries.c.reason,
                deliveries.c.settled_at,
            )
            .select_from(
                editions.join(
                    deliveries,
                    (deliveries.c.edition_id == editions.c.id) & (deliveries.c.subscriber_id == subscriber_id),
                ).join(variants, variants.c.id == deliveries.c.variant_id)
            )
            .order_by(editions.c.id)
        )
    )


def delivery_of(connection: Connection, edition_id: int, email: str) -> Claimed | None:
    """A reader's delivery of an edition, as sending it would see it."""
    row = connection.execute(
        select(
            deliveries.c.id,
            deliveries.c.edition_id,
            deliveries.c.variant_id,
            subscribers.c.id,
            deliveries.c.generation,
            subscribers.c.email,
            subscribers.c.joined_at,
            deliveries.c.attempts,
            deliveries.c.waits,
            deliveries.c.expires_at,
            editions.c.nonce,
            editions.c.key_id,
        )
        .select_from(
            deliveries.join(subscribers, subscribers.c.id == deliveries.c.subscriber_id).join(
                editions, editions.c.id == deliveries.c.edition_id
            )
        )
        .where(deliveries.c.edition_id == edition_id, subscribers.c.email == email)
    ).first()
    return None if row is None else Claimed(*row)  # type: ignore[call-arg]  # twelve columns, twelve fields


def _listed(states_in: frozenset[DeliveryState]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states_in))


CHECKS: dict[str, tuple[str, str]] = {
    "every planned reader is in the ledger, in a known state": (
        "SELECT 'edition ' || e.id || ' planned ' || e.planned || ', the ledger has ' || count(d.id) "
        "FROM editions e LEFT JOIN deliveries d ON d.edition_id = e.id "
        f"AND d.state IN ({_listed(frozenset(DeliveryState))}) GROUP BY e.id HAVING count(d.id) <> e.planned",
        "The sum over all states is not what was planned.",
    ),
    "an edition that is done has nothing left to do": (
        "SELECT 'edition ' || e.id || ': delivery ' || min(d.id) || ' is ' || d.state FROM editions e "
        "JOIN deliveries d ON d.edition_id = e.id "
        f"WHERE e.done_at IS NOT NULL AND d.state IN ({_listed(UNFINISHED)}) GROUP BY e.id",
        "It will not be sent by itself.",
    ),
    "no reader can have had more than two copies": (
        "SELECT 'delivery ' || id || ': ' || doubts || ' doubts, ' || state FROM deliveries "
        "WHERE doubts > 2 OR (doubts > 1 AND state IN ('accepted', 'pending', 'claimed', 'sending', 'deferred'))",
        "A third copy may have gone out.",
    ),
    "every reader has what a finished edition gave them behind them": (
        "SELECT 'reader ' || s.id || ' had edition ' || e.id || ' but stands at ' || coalesce(s.given, 0) "
        "FROM editions e JOIN deliveries d ON d.edition_id = e.id JOIN subscribers s ON s.id = d.subscriber_id "
        "WHERE e.done_at IS NOT NULL AND d.state = 'accepted' AND coalesce(s.given, -1) < e.hi",
        "Its articles would come again.",
    ),
    "nobody stands ahead of the newest article": (
        "SELECT 'reader ' || id || ' stands at ' || given FROM subscribers "
        "WHERE given > (SELECT coalesce(max(seq), 0) FROM articles)",
        "Articles to come would be left out.",
    ),
    "a delivery that was sent had a permit": (
        "SELECT 'delivery ' || id || ' is ' || state FROM deliveries WHERE permit_at IS NULL "
        "AND state IN ('accepted', 'sending', 'in_doubt', 'in_doubt_held')",
        "Something was sent outside the ledger.",
    ),
}
"""What must never be found: name → (question, what it would mean)."""


def broken(connection: Connection, question: str, limit: int = 5) -> list[str]:
    """The first few answers to a question that should have none."""
    return list(connection.execute(text(f"SELECT * FROM ({question}) LIMIT :limit"), {"limit": limit}).scalars())


def repeats(connection: Connection) -> Iterator[str]:
    """Readers who were given an article twice, in words.

    Looks at pairs of variants that share an article, which are few, and then for readers who got both.
    """
    pairs = connection.execute(
        text(
            "SELECT DISTINCT a.edition_id, a.id, b.edition_id, b.id, x.value "
            "FROM variants a, json_each(a.articles) x, json_each(b.articles) y, variants b "
            "WHERE a.edition_id < b.edition_id AND x.value = y.value"
        )
    ).all()
    for first, one, second, two, seq in pairs:
        row = connection.execute(
            text(
                "SELECT d.subscriber_id FROM deliveries d JOIN deliveries o "
                "ON o.edition_id = :second AND o.subscriber_id = d.subscriber_id "
                "WHERE d.edition_id = :first AND d.variant_id = :one AND o.variant_id = :two "
                f"AND {given.counts('d')} AND {given.counts('o')} LIMIT 1"
            ),
            {"first": first, "second": second, "one": one, "two": two},
        ).first()
        if row is not None:
            yield f"reader {row[0]} got article {seq} in editions {first} and {second}"


def damage(connection: Connection) -> list[str]:
    """What SQLite itself finds wrong with the file."""
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(5)") if row[0] != "ok"]
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(5)
    return found + [f"table {row[0]}, row {row[1]}: what it refers to in {row[2]} is missing" for row in orphans]
