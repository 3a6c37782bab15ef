"""The promise to each reader: an article comes at most once, and every article of their windows comes.

A small world of readers who join, change pace, pause and come back, of articles with all kinds of dates, of relays
that refuse, defer and fall silent, and of senders that die, runs on the real store. At the end each reader's mail is
counted against what they were due, by a model that knows nothing of watermarks.
"""

import asyncio
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, select, update

from mailer.core.article import Article
from mailer.core.digest import Digest
from mailer.core.message import BODY_SLOTS, Mail, slot_mark
from mailer.core.selection import concerns
from mailer.flows.planning import Composer
from mailer.store import articles as article_store
from mailer.store import outbox, recovery
from mailer.store.database import Database
from mailer.store.editions import Edition
from mailer.store.tables import deliveries, editions, subscribers, variants
from mailer.templating import Rendered
from tests.flows.scripted import ACCEPTED, DOUBT, FULL, GREYLISTED, LATER, LOST, REFUSED, ScriptedRelay, message_id
from tests.stories import (
    SITE,
    TOPICS,
    Clock,
    address,
    cadence,
    change,
    draft,
    join,
    make_edition,
    send,
    sums_hold,
)

START = datetime(2026, 10, 26, 7, 30, tzinfo=UTC)  # a Monday; two firsts of a month are near
# At different hours, because two first editions that go back to the same instant are not told apart: who missed the
# one and changed to the other may get older articles than they were due, though never fewer.
CADENCES = {
    "daily": cadence("daily", when="daily 07:00", max_articles=2),
    "weekly": cadence("weekly", when="monday 06:00", max_articles=4),
    "monthly": cadence("monthly", when="day 1 05:00", max_articles=6),
}
PACES = tuple(CADENCES)
INTERESTS = ((), ("lungs",), ("heart", "food"))
LABELS = ((), ("Lung health",), ("heart",), ("food", "lungs"), ("gardening",))


class PlainTemplates:
    """Mails without a look: the real templates take ten times as long as everything else here."""

    languages = frozenset({"en"})

    def render_digest(self, digest: Digest, *, mark: str) -> Rendered:
        words = " ".join(slot_mark(mark, slot) for slot in BODY_SLOTS)
        return Rendered(digest.articles[0].draft.title, "", f"<p>{words}</p>", words)


PLAIN = Composer(SITE, TOPICS, PlainTemplates())


@dataclass(frozen=True)
class Beginning:
    """Where a reader's articles begin: above `lo`; up to `dated`, only those not older than `since`."""

    lo: int
    since: datetime | None
    dated: int

    def holds(self, item: Article) -> bool:
        if item.seq <= self.lo:
            return False
        old = self.since and item.draft.published and item.draft.published < self.since
        return not (old and item.seq <= self.dated)


@dataclass
class World:
    """Everything that can happen. `chance` decides what is not said."""

    database: Database
    chance: random.Random
    clock: Clock = field(default_factory=lambda: Clock(START))
    readers: list[str] = field(default_factory=list)
    interests: dict[str, Sequence[str]] = field(default_factory=dict)
    beginnings: dict[str, Beginning] = field(default_factory=dict)
    published: int = 0
    seen: set[str] = field(default_factory=set)
    trouble: float = 0.3

    # What happens

    async def publish(self, count: int) -> None:
        for _ in range(count):
            self.published += 1
            days = self.chance.choice([-400, -40, -8, -3, -0.5, 0, 0, 0, 5, 400])
            published = None if self.chance.random() < 0.1 else self.clock.now + timedelta(days=days)
            made = draft(f"a{self.published}", published=published, topics=self.chance.choice(LABELS))
            known = self.chance.random() < 0.1
            await self.database.write(article_store.take_in, "feed:1", [(made, known)])
            if self.chance.random() < 0.1:
                await self.database.write(article_store.hide, self.published)

    async def join(self, pace: str) -> None:
        name = f"r{len(self.readers)}"
        self.interests[name] = self.chance.choice(INTERESTS)
        self.readers.append(name)
        await join(self.database, name, pace=pace, topics=self.interests[name])

    async def change_pace(self, pace: str) -> None:
        if self.readers:
            await change(self.database, self.chance.choice(self.readers), cadence=pace)

    async def pause(self, days: int) -> None:
        if self.readers:
            until = self.clock.now + timedelta(days=days)
            await change(self.database, self.chance.choice(self.readers), state="paused", paused_until=until)

    async def plan(self, pace: str) -> None:
        planned = await make_edition(self.database, CADENCES[pace], self.clock.now, by=PLAIN)
        if planned.fresh and planned.edition is not None:
            await self._note_beginnings(planned.edition, CADENCES[pace].previous_due(planned.due))

    async def send(self) -> None:
        await send(self.database, ScriptedRelay(self._answer), self.clock)

    async def die(self) -> None:
        """A sender that claims, gets permits, and is gone before any result is written."""
        epoch, _ = await self.database.write(recovery.begin_epoch, timedelta(minutes=30))
        claims, _ = await self.database.write(outbox.claim, epoch, 4, self.clock.now)
        await self.database.write(outbox.exchange, epoch, [], [item.id for item in claims[:2]], self.clock.now)

    async def day(self) -> None:
        """Up to 07:30 on the next day; what is due is planned, and mostly sent."""
        self.clock.now = self.clock.now.replace(hour=7, minute=30) + timedelta(days=1)
        if self.chance.random() < 0.15:
            return  # nobody was there
        for pace in self.chance.sample(PACES, 3):
            await self.plan(pace)
        for _ in range(self.chance.choice([0, 1, 1, 2])):
            if self.chance.random() < self.trouble / 2:
                await self.die()
            await self.send()
            self.clock.move(minutes=self.chance.choice([1, 7, 40, 200]))

    # What must be so

    async def finish(self) -> None:
        """All trouble ends: everybody is back, and everything that is still due goes out."""
        self.trouble = 0
        await self.database.write(
            lambda c: c.execute(update(subscribers).values(state="active", paused_until=None)).rowcount
        )
        for _ in range(3):
            self.clock.now = (self.clock.now + timedelta(days=31)).replace(hour=7, minute=30)
            for pace in PACES:
                await self.plan(pace)
            for _ in range(3):
                await self.send()
                self.clock.move(minutes=45)
        states = await sums_hold(self.database)
        assert not {"pending", "claimed", "sending", "deferred", "in_doubt"} & set(states)

    async def check(self) -> None:
        """Each reader's mail against what they were due."""
        every = await self.database.read(article_store.latest, 10_000)
        rows = await self.database.read(_received)
        for name in self.readers:
            theirs = [row for row in rows if row.email == address(name)]
            given = [row for row in theirs if row.state in {"accepted", "in_doubt_held"}]
            # A second copy that was refused, after an edition that counted the first one as given.
            doubted = [row for row in theirs if row.doubts and row not in given and row.reason != "superseded"]
            perhaps = sum(len(row.articles) + row.more for row in doubted)
            shown = [seq for row in given for seq in row.articles]
            assert len(shown) == len(set(shown)), f"{name} has an article twice: {sorted(shown)}"
            last = max((row.hi for row in given), default=0)
            due = {
                item.seq
                for item in every
                if name in self.beginnings
                and self.beginnings[name].holds(item)
                and item.seq <= last
                and not (item.hidden or item.known)
                and concerns(item, self.interests[name], TOPICS)
            }
            assert set(shown) <= due, f"{name} has what was not theirs: {sorted(set(shown) - due)}"
            came = len(shown) + sum(row.more for row in given)
            assert len(due) - perhaps <= came <= len(due), f"{name} had {came} of {sorted(due)}, shown {sorted(shown)}"

    def _answer(self, mail: Mail):
        first = message_id(mail) not in self.seen
        self.seen.add(message_id(mail))
        if self.chance.random() >= self.trouble:
            return ACCEPTED
        return self.chance.choice([FULL, REFUSED, LATER, GREYLISTED, LOST, DOUBT, (DOUBT, first)])

    async def _note_beginnings(self, edition: Edition, since: datetime) -> None:
        """A reader's articles begin where the first edition that they are in does."""
        names = await self.database.read(
            lambda c: (
                c.execute(
                    select(subscribers.c.email)
                    .join(deliveries, deliveries.c.subscriber_id == subscribers.c.id)
                    .where(deliveries.c.edition_id == edition.id)
                )
                .scalars()
                .all()
            )
        )
        first = Beginning(0, since, edition.hi or 0) if edition.lo is None else Beginning(edition.lo, None, 0)
        for email in names:
            self.beginnings.setdefault(email.partition("@")[0], first)


def _received(connection) -> Sequence[Row]:
    return connection.execute(
        select(
            subscribers.c.email, deliveries.c.state, deliveries.c.reason, deliveries.c.doubts, variants.c.articles,
            variants.c.more, editions.c.hi,
        )
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .join(variants, variants.c.id == deliveries.c.variant_id)
        .join(editions, editions.c.id == deliveries.c.edition_id)
        .order_by(deliveries.c.id)
    ).all()  # fmt: skip


# MAILER_TEST_SEEDS=5,6,7 plays other worlds.
SEEDS = [int(seed) for seed in os.environ.get("MAILER_TEST_SEEDS", "1,558").split(",")]


@pytest.mark.parametrize("seed", SEEDS)
async def test_eight_weeks_of_everything_leave_no_gap_and_no_repeat(database, seed):
    print(f"MAILER_TEST_SEEDS={seed}")  # noqa: T201  # shown where it fails
    chance = random.Random(seed)
    world = World(database, chance)
    await world.publish(5)
    for _ in range(56):
        await world.publish(chance.choice([0, 1, 1, 2, 4]))
        for happening, likely in ((world.join, 0.2), (world.change_pace, 0.25)):
            if chance.random() < likely:
                await happening(chance.choice(PACES))
        if chance.random() < 0.15:
            await world.pause(chance.choice([1, 5, 20]))
        await world.day()
    await world.finish()
    await world.check()


STEPS = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 5)),
    st.tuples(st.just("join"), st.sampled_from(PACES)),
    st.tuples(st.just("change_pace"), st.sampled_from(PACES)),
    st.tuples(st.just("pause"), st.integers(1, 10)),
    st.tuples(st.just("plan"), st.sampled_from(PACES)),
    st.tuples(st.just("send")),
    st.tuples(st.just("die")),
    st.tuples(st.just("day")),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=5, max_size=30), seed=st.integers(0, 2**16))
def test_no_sequence_of_events_leaves_a_gap_or_a_repeat(migrated, steps, seed):
    async def play() -> None:
        with TemporaryDirectory() as folder:
            path = Path(shutil.copy(migrated, folder))
            with Database(f"sqlite:///{path}") as database:
                world = World(database, random.Random(seed), trouble=0.5)
                await world.publish(2)
                await world.join("daily")
                for name, *arguments in steps:
                    await getattr(world, name)(*arguments)
                await world.finish()
                await world.check()

    asyncio.run(play())
