"""How sending goes at this moment: editions that are not done, what relays take, where mail waits. Reads only."""
# Only constants of this program are put into SQL.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from mailer.store import editions, paces, stats
from mailer.store.editions import Edition

DOMAINS = 5
"""How many domains are named: those with most mail that waits or failed."""

# Word for word the conditions of the small indexes: SQLite compares the text. Failed ones are in none, so they are
# looked for only in editions that have some and are not done. The plus keeps SQLite from the edition's own index.
_LATER = "d.state IN ('deferred', 'in_doubt')"
_HELD = "d.state = 'in_doubt_held'"
_FAILED = "d.edition_id = :edition AND d.state = 'failed'"
_DOMAIN = "lower(substr(address, instr(address, '@') + 1))"
_BY_DOMAIN = (
    "SELECT {domain} AS domain, count(*) AS mails FROM (SELECT coalesce(d.address, s.email) AS address "
    "FROM deliveries d LEFT JOIN subscribers s ON s.id = d.subscriber_id WHERE {where}) "
    "WHERE address IS NOT NULL GROUP BY domain"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """An edition that is not done. `states`: how many deliveries are in each. `next_at`: when the first is tried again.

    `said`: the relay's last refusal, of a paused one.
    """

    edition: Edition
    states: Mapping[str, int]
    next_at: datetime | None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Underway:
    """All of it in one snapshot. `slowed`: what isn't sent to at full speed, as the rules of pacing keep it.

    `domains`: those with most mail that waits for another try or for a word, or failed, and how much.
    """

    progress: Sequence[Progress]
    domains: Mapping[str, int]
    slowed: Mapping[paces.Key, Mapping[str, Any]]


def look(connection: Connection) -> Underway:
    """How sending goes."""
    progress = [_progress(connection, edition) for edition in editions.unfinished(connection)]
    return Underway(progress, _domains(connection, progress), paces.load(connection))


def _progress(connection: Connection, edition: Edition) -> Progress:
    said = last_refusal(connection, edition.id) if edition.state == "paused" and edition.reason else ""
    next_at = stats.looked_at(connection, [edition.id])
    return Progress(edition, stats.states(connection, edition.id), next_at, said)


def last_refusal(connection: Connection, edition_id: int) -> str:
    """What the relay said last when it refused a mail of this edition for good, or ''."""
    row = connection.execute(
        text(
            "SELECT trim(a.code || ' ' || a.enhanced || ' ' || a.text) FROM attempts a "
            "JOIN deliveries d ON d.id = a.delivery_id WHERE d.edition_id = :edition AND a.code >= 500 "
            "ORDER BY a.id DESC LIMIT 1"
        ),
        {"edition": edition_id},
    ).first()
    return "" if row is None else str(row[0])


def _domains(connection: Connection, progress: Sequence[Progress]) -> dict[str, int]:
    asked: list[tuple[str, dict[str, int]]] = [(_LATER, {}), (_HELD, {})]
    asked += [(_FAILED, {"edition": one.edition.id}) for one in progress if one.states["failed"]]
    found: dict[str, int] = {}
    for where, numbers in asked:
        for row in connection.execute(text(_BY_DOMAIN.format(domain=_DOMAIN, where=where)), numbers):
            found[row.domain] = found.get(row.domain, 0) + row.mails
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0]))[:DOMAINS])
