"""Importing 1,000,000 plain ASCII addresses beside the bare executemany of the same rows in sqlite3.

Ours is the whole of `importing.import_subscribers`: reading the CSV file, every check, looking up who is known or
suppressed, transactions that let other writers in between, the consent record. Bare is one transaction over rows that
lie ready in memory. Both fill the same empty tables with the same indexes, WAL and synchronous=FULL, in turn.
"""

import argparse
import asyncio
import random
import resource
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from table import show

from mailer.core.tokens import fingerprint
from mailer.flows.importing import ImportReport, import_subscribers
from mailer.store.database import Database
from mailer.store.instant import to_number
from mailer.store.upgrade import upgrade

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
STATEMENT = "ticked the box on the form of 2026"
SUBSCRIBERS = (
    "INSERT INTO subscribers (email, name, state, cadence, timezone, language, interest_set_id, generation, joined_at) "
    "VALUES (?, '', 'active', 'weekly', '', '', 1, 1, ?)"
)
CONSENT = (
    "INSERT INTO consent (subscriber_id, at, event, route, statement, detail) "
    "VALUES (?, ?, 'imported', 'import', ?, 'weekly')"
)


def addresses(rows: int) -> list[str]:
    """In no order, as lists are."""
    found = [f"reader{number}@mail{number % 97}.example.com" for number in range(rows)]
    random.Random(2026).shuffle(found)
    return found


async def ours(path: Path, source: Path, rows: int) -> float:
    """Seconds of one import into an empty database."""
    upgrade(f"sqlite:///{path}")
    with Database(f"sqlite:///{path}") as database:
        start = perf_counter()
        report = await import_subscribers(
            database,
            source,
            now=NOW,
            cadences=("daily", "weekly", "monthly"),
            topics={},
            statement=STATEMENT,
            fingerprints=lambda email: [fingerprint(email, "k" * 40)],
            progress=_silent,
        )
        seconds = perf_counter() - start
    if report.added != rows or report.refused_count:
        raise SystemExit(f"{report.added} of {rows} were added")
    return seconds


def bare(path: Path, emails: Sequence[str]) -> float:
    """Seconds of two executemany and one commit, into an empty database."""
    upgrade(f"sqlite:///{path}")
    joined = to_number(NOW)
    people = [(email, joined) for email in emails]
    consents = [(number, joined, STATEMENT) for number in range(1, len(emails) + 1)]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -65536")
    start = perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(SUBSCRIBERS, people)
    connection.executemany(CONSENT, consents)
    connection.execute("COMMIT")
    seconds = perf_counter() - start
    connection.close()
    return seconds


def _silent(_report: ImportReport) -> None:
    return


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as folder:
        emails = addresses(wanted.rows)
        source = Path(folder) / "readers.csv"
        source.write_text("email,cadence\n" + "".join(f"{email},weekly\n" for email in emails), encoding="ascii")
        pairs = []
        for number in range(wanted.rounds):
            mine, beside = Path(folder) / f"ours{number}.db", Path(folder) / f"bare{number}.db"
            pairs.append((asyncio.run(ours(mine, source, wanted.rows)), bare(beside, emails)))
            for made in (mine, beside):
                made.unlink()
        show(
            f"importing {wanted.rows:,} addresses beside the bare executemany",
            [a for a, _ in pairs],
            [b for _, b in pairs],
            reach="<= 5",
        )
    print(f"  memory  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most, both together")


if __name__ == "__main__":
    main()
