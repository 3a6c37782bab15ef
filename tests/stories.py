"""What tests tell their stories with: a clock moved by hand, articles that come out, readers who join, editions."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select, update

from mailer.core.article import Draft
from mailer.core.cadence import Cadence, CadenceOptions
from mailer.core.delivery import DeliveryOptions, DeliveryState
from mailer.core.digest import Site
from mailer.core.personal import Stationery
from mailer.core.subscription import Newcomer
from mailer.core.tokens import fingerprint
from mailer.flows.delivering import Groups, Opener, Report, Run, Way, drain
from mailer.flows.planning import Planned, plan
from mailer.flows.planning.composing import Composer
from mailer.store import articles as article_store
from mailer.store import subscribers as subscriber_store
from mailer.store.database import Database
from mailer.store.tables import articles, deliveries, editions, metadata, subscribers, variants
from mailer.templating import Templates, ThemeOptions

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""A Monday, one hour after the digests that are due on it."""
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
KEY = "the key in use, long enough for anybody"
TOPICS = {"lungs": "Lung health", "heart": "Heart", "food": "Nutrition"}
SITE = Site(
    name="Mia's Feed",
    url="https://site.example",
    from_name="Mia's Feed",
    from_address="digest@site.example",
    public_url="https://mail.site.example",
    list_id="digest.site.example",
    postal_address="12 Harbour Street\nDublin",
)
_RULES = {"daily": "daily 07:00", "weekly": "monday 07:00", "monthly": "day 1 07:00"}


class Clock:
    """The time, which stands still until a test moves it."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **amount: float) -> None:
        """By `minutes=5`, `days=1`, …"""
        self.now += timedelta(**amount)


def cadence(name: str = "weekly", **options: Any) -> Cadence:
    """daily, weekly or monthly at 07:00 UTC, or any other with its own `when`."""
    return Cadence.of(name, CadenceOptions(**({"when": _RULES.get(name, "")} | options)), "UTC")


@cache
def _templates() -> Templates:
    return Templates(ThemeOptions())


def composer() -> Composer:
    return Composer(SITE, TOPICS, _templates())


def address(name: str) -> str:
    """A name without an @ is at example.com."""
    return name if "@" in name else f"{name}@example.com"


def name_of(email: str) -> str:
    return email.removesuffix("@example.com")


def draft(
    guid: str, *, published: datetime | None = MONDAY - DAY, topics: Sequence[str] = (), title: str = ""
) -> Draft:
    return Draft(
        guid=guid,
        title=title or f"About {guid}",
        link=f"https://site.example/{guid}",
        summary=f"A few words on {guid}.",
        published=published,
        topics=tuple(topics),
    )


async def publish(database: Database, *guids: str, known: bool = False, **details: Any) -> list[int]:
    """Articles are taken in, in this order. Returns their seqs."""
    await database.write(article_store.take_in, "feed:1", [(draft(guid, **details), known) for guid in guids])
    rows = await database.read(lambda c: c.execute(select(articles.c.guid, articles.c.seq)).all())
    seqs = {row.guid: row.seq for row in rows}
    return [seqs[guid] for guid in guids]


async def join(
    database: Database, *names: str, pace: str = "weekly", topics: Iterable[str] = (), language: str = ""
) -> None:
    """Readers come in."""
    newcomers = [Newcomer(address(name), pace, topics=tuple(sorted(topics)), language=language) for name in names]
    arrivals = await database.write(
        subscriber_store.add,
        newcomers,
        now=MONDAY - 30 * DAY,
        event="imported",
        route="cli",
        statement="asked for it",
        fingerprints=lambda _email: [],
    )
    assert all(arrival.added for arrival in arrivals), arrivals


async def change(database: Database, name: str, **columns: Any) -> None:
    """Write a reader's row, as the commands and pages do."""
    if "topics" in columns:
        topics = tuple(sorted(columns.pop("topics")))
        columns["interest_set_id"] = await database.write(subscriber_store.interest_set, topics)
    changed = await database.write(
        lambda c: c.execute(update(subscribers).where(subscribers.c.email == address(name)).values(**columns)).rowcount
    )
    assert changed == 1, name


async def make_edition(
    database: Database,
    pace: Cadence | str = "weekly",
    now: datetime = MONDAY,
    *,
    by: Composer | None = None,
    keys: Sequence[str] = (KEY,),
    max_age: timedelta = 2 * DAY,
) -> Planned:
    """Plan what is due."""
    return await plan(
        database,
        cadence(pace) if isinstance(pace, str) else pace,
        now=now,
        composer=by or composer(),
        keys=keys,
        draw=lambda: secrets.token_hex(16),
        max_age=max_age,
    )


async def send(
    database: Database,
    relay: Opener | Mapping[str, Way],
    clock: Callable[[], datetime],
    *,
    run: Run | None = None,
    connections: int = 3,
    keys: Sequence[str] = (KEY,),
    stop: asyncio.Event | None = None,
    report: Report | None = None,
    turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    groups: Groups | None = None,
    bounce: str = "",
    verp: bool = False,
    **options: Any,
) -> Report:
    """Drain what is due. `relay`: one, or several by name. `bounce`, `verp`: of [bounce]. `options`: of [delivery]."""
    report = report or Report()
    await drain(
        database,
        relay if isinstance(relay, Mapping) else {"default": Way(relay, connections)},
        run=run or Run(),
        stationery=Stationery(
            sender=SITE.from_address,
            keys=keys,
            zone=ZoneInfo("UTC"),
            today=clock().date(),
            bounce=bounce,
            verp=verp,
        ),
        options=DeliveryOptions(**options),
        clock=clock,
        chance=lambda: 0.5,
        fingerprint=lambda email: fingerprint(email, keys[-1]),
        stop=stop or asyncio.Event(),
        report=report,
        turn=turn,
        groups=groups,
    )
    return report


async def contents(database: Database, edition_id: int) -> dict[str, list[str]]:
    """What an edition holds for whom: the guids of each reader's articles, in their order."""
    rows = await database.read(
        lambda c: c.execute(
            select(subscribers.c.email, variants.c.articles)
            .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
            .join(variants, variants.c.id == deliveries.c.variant_id)
            .where(deliveries.c.edition_id == edition_id)
        ).all()
    )
    guids = dict(await database.read(lambda c: [tuple(r) for r in c.execute(select(articles.c.seq, articles.c.guid))]))
    return {name_of(row.email): [guids[seq] for seq in row.articles] for row in rows}


async def standing(database: Database, edition_id: int | None = None) -> dict[str, str]:
    """Each reader's delivery as 'state' or 'state: reason', of one edition or of the newest that has them."""
    asked = (
        select(subscribers.c.email, deliveries.c.state, deliveries.c.reason)
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .order_by(deliveries.c.id)
    )
    if edition_id is not None:
        asked = asked.where(deliveries.c.edition_id == edition_id)
    rows = await database.read(lambda c: c.execute(asked).all())
    return {name_of(row.email): f"{row.state}: {row.reason}" if row.reason else row.state for row in rows}


async def row_of(database: Database, name: str, edition_id: int | None = None) -> Any:
    """A reader's newest row in the ledger, or that of one edition."""
    asked = (
        select(deliveries)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(subscribers.c.email == address(name))
        .order_by(deliveries.c.id.desc())
    )
    if edition_id is not None:
        asked = asked.where(deliveries.c.edition_id == edition_id)
    return await database.read(lambda c: c.execute(asked).first())


async def sums_hold(database: Database) -> Counter[str]:
    """planned = the sum over all states, for each edition. Returns how many deliveries stand in each state."""
    planned = dict(
        await database.read(lambda c: [tuple(row) for row in c.execute(select(editions.c.id, editions.c.planned))])
    )
    rows = await database.read(
        lambda c: c.execute(
            select(deliveries.c.edition_id, deliveries.c.state, func.count()).group_by(
                deliveries.c.edition_id, deliveries.c.state
            )
        ).all()
    )
    found: Counter[int] = Counter()
    states: Counter[str] = Counter()
    for edition, state, count in rows:
        states[DeliveryState(state).value] += count
        if edition is not None:
            found[edition] += count
    assert found == Counter(planned)
    return states


async def dumped(database: Database) -> dict[str, list[str]]:
    """Every row of every table, as the database has it."""

    def dump(connection: Connection) -> dict[str, list[str]]:
        return {
            name: sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {name}")))
            for name in [*sorted(metadata.tables), "sqlite_sequence"]
        }

    return await database.read(dump)
