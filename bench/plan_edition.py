"""Planning 1,000,000 deliveries beside the bare `INSERT … SELECT` of the same rows in sqlite3.

Both run on the same database, with the same pragmas and indexes, in turn; each edition is planned for all readers.
"Planning" is the whole of `planning.plan`: looking, rendering, compiling, the transaction and its fsync.
"""

import argparse
import asyncio
import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from table import show

from mailer.core.article import Draft
from mailer.core.cadence import Cadence, CadenceOptions
from mailer.core.digest import Site
from mailer.flows.planning import Composer, plan
from mailer.store import articles
from mailer.store.database import Database
from mailer.store.upgrade import upgrade
from mailer.templating import Templates, ThemeOptions

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SITE = Site(
    name="Mia's Feed",
    url="https://site.example",
    from_name="Mia's Feed",
    from_address="digest@site.example",
    public_url="https://site.example",
    list_id="digest.site.example",
    postal_address="1 Street",
)
BARE = (
    "INSERT INTO deliveries (edition_id, subscriber_id, variant_id, purpose, generation, state, reason, epoch, "
    "attempts, waits, doubts, expires_at) SELECT ?, id, 1, 'digest', generation, 'pending', '', 0, 0, 0, 0, 0 "
    "FROM subscribers WHERE cadence = 'weekly' AND state = 'active'"
)


def fill(path: Path, readers: int) -> None:
    """A site of so many weekly readers."""
    upgrade(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO subscribers (email, name, state, cadence, timezone, language, interest_set_id, generation, "
            "joined_at) VALUES (?, '', 'active', 'weekly', '', '', 1, 1, 0)",
            ((f"reader{number}@example.com",) for number in range(readers)),
        )
    connection.close()


async def ours(path: Path, week: int) -> float:
    """Seconds to plan that week's edition."""
    now = NOW + timedelta(weeks=week)
    cadence = Cadence.of("weekly", CadenceOptions(when="monday 07:00"), "UTC")
    composer = Composer(SITE, {}, Templates(ThemeOptions()))
    with Database(f"sqlite:///{path}") as database:
        drafts = [
            (Draft(f"{week}.{number}", f"Article {number}", "https://site.example/a", published=now), False)
            for number in range(10)
        ]
        await database.write(articles.take_in, "feed:1", drafts)
        start = perf_counter()
        planned = await plan(
            database,
            cadence,
            now=now,
            composer=composer,
            keys=("k" * 40,),
            draw=lambda: f"{week:032x}",
            max_age=timedelta(hours=48),
        )
        seconds = perf_counter() - start
    if planned.edition is None or not planned.edition.planned:
        raise SystemExit("nothing was planned")
    return seconds


def bare(path: Path, week: int) -> float:
    """Seconds for the same rows by one statement, committed."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -65536")
    start = perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(BARE, (10_000 + week,))
    connection.execute("COMMIT")
    seconds = perf_counter() - start
    connection.close()
    return seconds


def finish(path: Path) -> None:
    """Between two rounds, not timed: everything is settled, as after a run, and the two start from the same size."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DELETE FROM deliveries WHERE edition_id >= 10000")
    connection.execute("DELETE FROM deliveries")
    connection.execute(
        "UPDATE editions SET state = 'done', done_at = 0, planned = 0 WHERE id = (SELECT max(id) FROM editions)"
    )
    connection.execute(
        "UPDATE subscribers SET given = (SELECT hi FROM editions WHERE id = (SELECT max(id) FROM editions))"
    )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as folder:
        path = Path(folder) / "mailer.db"
        fill(path, wanted.rows)
        pairs = []
        for week in range(wanted.rounds):
            mine = asyncio.run(ours(path, week))
            finish(path)
            pairs.append((mine, bare(path, week)))
            finish(path)
        show(
            f"planning {wanted.rows:,} deliveries beside the bare INSERT … SELECT",
            [a for a, _ in pairs],
            [b for _, b in pairs],
            reach="<= 2",
        )


if __name__ == "__main__":
    main()
