"""A small world of readers, articles, relays and senders on the real store, and all that happens in it.

Whatever is planned is compared with what each reader is owed (`promises`), and whatever came is counted.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Row, bindparam, delete, select, update

from mailer.core.consent import Circumstances
from mailer.core.message import Mail
from mailer.core.personal import message_id as identity
from mailer.core.subscription import State
from mailer.flows import controlling, editing, releasing, subscribing
from mailer.store import articles as article_store
from mailer.store import editions as edition_store
from mailer.store import outbox, pickup, recovery
from mailer.store.database import Database
from mailer.store.editions import Edition
from mailer.store.tables import articles, deliveries, editions, subscribers, suppressions, variants
from tests.flows.plain import PLAIN
from tests.flows.promises import Piece, Promises, Reader
from tests.flows.scripted import (
    ACCEPTED,
    DOUBT,
    FULL,
    GREYLISTED,
    LATER,
    LOST,
    REFUSED,
    UNKNOWN,
    ScriptedRelay,
    message_id,
)
from tests.stories import SITE, Clock, address, cadence, change, draft, join, make_edition, name_of, send, sums_hold

START = datetime(2026, 10, 26, 7, 30, tzinfo=UTC)  # a Monday; two firsts of a month are near
# At the same hour, so that the first editions of two may go back to the same instant.
CADENCES = {
    "daily": cadence("daily", when="daily 07:00", max_articles=2),
    "twice": cadence("twice", when="mon,thu 07:00", max_articles=3, min_articles=3),
    "weekly": cadence("weekly", when="monday 07:00", max_articles=4),
    "monthly": cadence("monthly", when="day 1 07:00", max_articles=6),
}
PACES = tuple(CADENCES)
INTERESTS = ((), ("lungs",), ("food", "heart"))
LABELS = {
    (): frozenset(),
    ("Lung health",): frozenset({"lungs"}),
    ("heart",): frozenset({"heart"}),
    ("food", "LUNGS"): frozenset({"food", "lungs"}),
    ("gardening",): frozenset(),
}
DOMAIN = SITE.from_address.partition("@")[2]
_RECENT = 30  # an editor and a source change one of the last so many articles


@dataclass
class World:
    """Everything that can happen. `chance` decides what is not said. `trouble`: how often a relay doesn't just accept.

    `down`: readers whose provider takes nothing until then.
    `cancelled`: editions of which something may still be on the wire, and their cadences.
    """

    database: Database
    chance: random.Random
    trouble: float = 0.3
    clock: Clock = field(default_factory=lambda: Clock(START))
    promises: Promises = field(default_factory=Promises)
    down: dict[str, datetime] = field(default_factory=dict)
    copies: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    cancelled: dict[int, str] = field(default_factory=dict)
    max_age: timedelta = timedelta(days=2)

    # Articles

    async def publish(self, count: int = 1) -> None:
        for _ in range(count):
            seq, known = self.promises.newest + 1, self.chance.random() < 0.1
            published, labels = self._date(), self.chance.choice(list(LABELS))
            made = draft(f"a{seq}", published=published, topics=labels)
            assert await self.database.write(article_store.take_in, "feed:1", [(made, known)]) == (1, 0)
            self.promises.take_in(Piece(seq, published, LABELS[labels], known))
            if self.chance.random() < 0.1:
                await self._hide(seq, hidden=True)

    async def storm(self, count: int) -> None:
        """A feed changes the ids of its articles: they look new, and nobody has said whether they are."""
        for _ in range(count):
            await self.publish()
            piece = self.promises.pieces[self.promises.newest]
            await self.database.write(
                lambda c, seq=piece.seq: c.execute(update(articles).where(articles.c.seq == seq).values(storm=True))
            )
            piece.storm = True

    async def judge(self) -> None:
        """The operator lets a held edition go, or refuses it."""
        held = await self._held()
        if held and self.chance.random() < 0.4:
            await self._release(self.chance.choice(held))
        elif held:
            edition, anew = self.chance.choice(held), self.chance.random() < 0.5
            await self._note_states()
            await releasing.skip(self.database, edition.id, now=self.clock.now, anew=anew)
            self.promises.refused(edition.id, edition.hi, anew=anew)

    async def control(self) -> None:
        """The operator pauses an edition that is being sent, lets it go on, or cancels it."""
        found = await self.database.read(edition_store.unfinished)
        running = [edition for edition in found if edition.state == "running"]
        paused = [edition for edition in found if edition.state == "paused"]
        if paused and self.chance.random() < 0.5:
            await self._go_on(self.chance.choice(paused))
        elif (running or paused) and self.chance.random() < 0.3:
            edition = self.chance.choice(running + paused)
            await self._note_states()
            await controlling.cancel(self.database, edition.id, now=self.clock.now)
            self.cancelled[edition.id] = edition.cadence
            await self._note_cancelled()
        elif running:
            await controlling.pause(self.database, self.chance.choice(running).id)

    async def edit(self) -> None:
        """The source changes an article: its title, its topics, its date."""
        if piece := self._recent():
            published = self._date() if self.chance.random() < 0.3 else piece.published
            labels = self.chance.choice(list(LABELS))
            title = f"Edited {self.chance.random()}"
            made = draft(f"a{piece.seq}", published=published, topics=labels, title=title)
            assert await self.database.write(article_store.take_in, "feed:1", [(made, False)]) == (0, 1)
            piece.published, piece.topics = published, LABELS[labels]

    async def hide(self) -> None:
        if piece := self._recent():
            await self._hide(piece.seq, hidden=True)

    async def unhide(self) -> None:
        if hidden := [piece for piece in list(self.promises.pieces.values())[-_RECENT:] if piece.hidden]:
            await self._hide(self.chance.choice(hidden).seq, hidden=False)

    async def pin(self) -> None:
        if piece := self._recent():
            await self._pin(piece, self.chance.sample(PACES, self.chance.randint(1, len(PACES))))

    async def unpin(self) -> None:
        if pinned := [piece for piece in self.promises.pieces.values() if piece.pins]:
            await self._pin(self.chance.choice(pinned), ())

    # Readers

    async def join(self, pace: str) -> None:
        name, topics = f"r{len(self.promises.readers)}", self.chance.choice(INTERESTS)
        self.promises.readers[name] = Reader(name, frozenset(topics))
        await join(self.database, name, pace=pace, topics=topics)

    async def change_pace(self, pace: str) -> None:
        """Mostly of a reader to whom something is on its way, or who was due something and had nothing yet."""
        readers = self.promises.readers.values()
        trouble = [
            [name for name, until in self.down.items() if until > self.clock.now],
            [reader.name for reader in readers if reader.parcels],
            [reader.name for reader in readers if reader.beginning and not reader.had],
            [],
        ]
        await self._change(State.ACTIVE, self.chance.choice(trouble), cadence=pace)

    async def change_topics(self) -> None:
        topics = self.chance.choice(INTERESTS)
        if name := await self._change(State.ACTIVE, topics=topics):
            self.promises.readers[name].interests = frozenset(topics)

    async def pause(self, days: int) -> None:
        await self._change(State.ACTIVE, pause_until=self.clock.now + timedelta(days=days))

    async def resume(self) -> None:
        await self._change(State.PAUSED, resume=True)

    async def fail(self, days: int) -> None:
        """A reader's mailbox is full, or its provider greylists, for days; then it is well again."""
        if name := await self._one(State.ACTIVE):
            self.down[name] = self.clock.now + timedelta(days=days)

    async def leave(self) -> None:
        if name := await self._one(self.chance.choice([State.ACTIVE, State.PAUSED])):
            await subscribing.leave(self.database, address(name), now=self.clock.now, about=Circumstances("cli"))

    async def rejoin(self) -> None:
        """As a new confirmation will: no flow does this yet. They go on where they were."""
        if name := await self._one(self.chance.choice([State.UNSUBSCRIBED, State.BOUNCED])):
            await self.database.write(
                lambda c: c.execute(delete(suppressions).where(suppressions.c.email == address(name))).rowcount
            )
            await change(self.database, name, state="active", generation=subscribers.c.generation + 1)

    # Runs

    async def plan(self, pace: str) -> None:
        """Plan what is due, and compare it with what each reader is owed."""
        rhythm = CADENCES[pace]
        await self._note_states()
        names = await self.database.read(_due, pace, self.clock.now)
        shares = self.promises.shares(rhythm, rhythm.latest_due(self.clock.now), names)
        planned = await make_edition(self.database, rhythm, self.clock.now, by=PLAIN, max_age=self.max_age)
        if not planned.fresh or planned.edition is None:
            assert planned.edition is not None or not names
            return
        rows = await self.database.read(_contents, planned.edition.id)
        self.promises.planned(
            rhythm,
            shares,
            planned.edition.id,
            rows,
            due=planned.due,
            tried=self.clock.now + self.max_age,
            held=planned.edition.state == "held",
        )
        await self._note_states()

    async def send(self) -> None:
        relay = ScriptedRelay(self._answer)
        await send(self.database, relay, self.clock, connections=1)  # or a seed would not play the same again
        self.copies.update(message_id(mail) for mail in relay.taken)
        await self._note_cancelled()

    async def die(self) -> None:
        """A sender that claims, gets permits, and is gone before any result is written."""
        epoch, _ = await self.database.write(recovery.begin_epoch, timedelta(minutes=30))
        claims, _ = await self.database.write(pickup.claim, epoch, 4, self.clock.now)
        await self.database.write(outbox.exchange, epoch, [], claims[:2], self.clock.now)

    async def day(self) -> None:
        """Up to 07:30 on the next day; what is due is planned, and mostly sent."""
        self.clock.now = self.clock.now.replace(hour=7, minute=30) + timedelta(days=1)
        if self.chance.random() < 0.1:
            return  # nobody was there
        for pace in self.chance.sample(PACES, len(PACES)):
            await self.plan(pace)
            if self.chance.random() < 0.1:
                await self.publish()
        for _ in range(self.chance.choice([0, 1, 1, 2])):
            if self.chance.random() < self.trouble / 2:
                await self.die()
            await self.send()
            self.clock.move(minutes=self.chance.choice([1, 7, 40, 200]))

    async def outage(self, days: int) -> None:
        """No run for days."""
        self.clock.move(days=days)

    # What must be so

    async def finish(self) -> None:
        """All trouble ends: everybody is back, and everything that is still due goes out."""
        self.trouble = 0
        self.down.clear()
        await self.database.write(
            lambda c: (
                c.execute(
                    update(subscribers).where(subscribers.c.state == "paused").values(state="active", paused_until=None)
                ).rowcount
            )
        )
        for _ in range(3):
            self.clock.now = (self.clock.now + timedelta(days=31)).replace(hour=7, minute=30)
            for pace in PACES:
                await self.plan(pace)
            for edition in await self._held():
                await self._release(edition)
            for edition in await self.database.read(edition_store.unfinished):
                if edition.state == "paused":
                    await self._go_on(edition)
            for _ in range(3):
                await self.send()
                self.clock.move(minutes=45)
        await self._note_states()
        states = await sums_hold(self.database)
        assert not {"pending", "claimed", "sending", "deferred", "in_doubt"} & set(states)
        self.happened.update(states)

    async def check(self) -> None:
        """Nobody is owed anything any more, but for what is too little to send; and copies are few."""
        for pace, rhythm in CADENCES.items():
            names = await self.database.read(_due, pace, self.clock.now)
            for name, share in self.promises.shares(rhythm, rhythm.latest_due(self.clock.now), names).items():
                waiting = [piece.seq for piece in share.offered]
                assert len(waiting) < rhythm.min_articles, f"{name} never got {waiting}"
        rows = await self.database.read(lambda c: c.execute(select(deliveries.c.reason, deliveries.c.doubts)).all())
        doubts = [row for row in rows if row.doubts]
        assert max(self.copies.values(), default=0) <= 2
        assert sum(count > 1 for count in self.copies.values()) <= len(doubts)
        read: Counter[tuple[int, int]] = Counter()
        for row in await self.database.read(_mailed):
            if self.copies[f"<{identity(row.id, row.nonce, DOMAIN)}>"]:
                read.update((row.subscriber_id, seq) for seq in row.articles)
        assert max(read.values(), default=0) <= 1, "what the relay took has an article twice, in two digests"
        self.happened["superseded"] = sum(row.reason == "superseded" for row in rows)
        self.happened["doubted and too old"] = sum(row.reason == "too_old" for row in doubts)
        self.happened["two copies"] = sum(count > 1 for count in self.copies.values())

    # How

    async def _held(self) -> Sequence[Edition]:
        """Editions that still wait for a word. A later one may stand for all of them meanwhile."""
        found = await self.database.read(edition_store.held)
        assert {edition.id for edition in found} <= set(self.promises.held)
        return found

    async def _release(self, edition: Edition) -> None:
        await self._note_states()
        await releasing.release(
            self.database,
            edition.id,
            now=self.clock.now,
            max_age=self.max_age,
            next_due=lambda name: CADENCES[name].next_due(self.clock.now),
        )
        self.promises.released(edition.id, edition.hi)

    async def _go_on(self, edition: Edition) -> None:
        await controlling.resume(
            self.database,
            edition.id,
            now=self.clock.now,
            max_age=self.max_age,
            next_due=lambda name: CADENCES[name].next_due(self.clock.now),
        )

    async def _note_cancelled(self) -> None:
        """One that is over, what was on the wire included, and that nobody had is as if it had never been."""
        for edition_id, pace in list(self.cancelled.items()):
            edition = await self.database.read(edition_store.by_id, edition_id)
            assert edition is not None
            if edition.done_at is not None:
                del self.cancelled[edition_id]
                await self._note_states()
                self.happened["cancelled"] += 1
                if edition.hi == edition.lo:
                    self.promises.unsent(edition_id, pace)

    def _date(self) -> datetime | None:
        days = self.chance.choice([-400, -40, -8, -3, -0.5, 0, 0, 0, 5, 400])
        return None if self.chance.random() < 0.1 else self.clock.now + timedelta(days=days)

    def _recent(self) -> Piece | None:
        pieces = list(self.promises.pieces.values())[-_RECENT:]
        return self.chance.choice(pieces) if pieces else None

    async def _hide(self, seq: int, *, hidden: bool) -> None:
        await editing.hide(self.database, seq, hidden=hidden)
        self.promises.pieces[seq].hidden = hidden

    async def _pin(self, piece: Piece, paces: Sequence[str]) -> None:
        await editing.pin(self.database, piece.seq, paces)
        piece.pins = set(paces)

    async def _one(self, state: State, among: Sequence[str] = ()) -> str | None:
        """A reader in this state, one of these if there is one."""
        asked = select(subscribers.c.email).where(subscribers.c.state == state.value).order_by(subscribers.c.id)
        found = [name_of(email) for email in await self.database.read(lambda c: c.execute(asked).scalars().all())]
        found = [name for name in found if name in among] or found
        return self.chance.choice(found) if found else None

    async def _change(self, state: State, among: Sequence[str] = (), **wish) -> str | None:
        """Of a reader in this state, one of these if there is one. None where there is none at all."""
        if name := await self._one(state, among):
            await subscribing.change(self.database, address(name), now=self.clock.now, **wish)
        return name

    def _answer(self, mail: Mail):
        if self.down.get(name_of(mail.recipient), START) > self.clock.now:
            return self.chance.choice([FULL, LATER, LATER, GREYLISTED, DOUBT])
        if self.chance.random() >= self.trouble:
            return ACCEPTED
        first = not self.copies[message_id(mail)]
        if self.chance.random() < 0.02:
            return UNKNOWN
        return self.chance.choice([FULL, REFUSED, LATER, GREYLISTED, LOST, DOUBT, (DOUBT, first)])

    async def _note_states(self) -> None:
        """Of every delivery that the promises still look at."""
        wanted = {parcel.edition for reader in self.promises.readers.values() for parcel in reader.parcels}
        self.promises.note(
            (name_of(email), *standing) for email, *standing in await self.database.read(_states, wanted)
        )


def _states(connection, wanted) -> Sequence[Row]:
    return connection.execute(
        select(
            subscribers.c.email,
            deliveries.c.edition_id,
            deliveries.c.state,
            deliveries.c.reason,
            deliveries.c.doubts,
            deliveries.c.settled_at,
        )
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.edition_id.in_(bindparam("wanted", expanding=True))),
        {"wanted": sorted(wanted)},
    ).all()


def _mailed(connection) -> Sequence[Row]:
    """Every delivery of a digest, with what its Message-ID is made from and what it shows."""
    return connection.execute(
        select(deliveries.c.id, deliveries.c.subscriber_id, editions.c.nonce, variants.c.articles)
        .join_from(deliveries, editions, editions.c.id == deliveries.c.edition_id)
        .join(variants, variants.c.id == deliveries.c.variant_id)
    ).all()


def _due(connection, pace: str, now: datetime) -> list[str]:
    """Readers of a cadence who are mailed now."""
    rows = connection.execute(
        select(subscribers.c.email, subscribers.c.state, subscribers.c.paused_until).where(
            subscribers.c.cadence == pace, subscribers.c.state.in_(["active", "paused"])
        )
    ).all()
    return [
        name_of(row.email)
        for row in rows
        if row.state == "active" or (row.paused_until is not None and row.paused_until <= now)
    ]


def _contents(connection, edition_id: int) -> dict[str, tuple[list[int], int]]:
    """By reader what an edition shows, and how many more it counts."""
    rows = connection.execute(
        select(subscribers.c.email, variants.c.articles, variants.c.more)
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .join(variants, variants.c.id == deliveries.c.variant_id)
        .where(deliveries.c.edition_id == edition_id)
    ).all()
    return {name_of(row.email): (list(row.articles), row.more) for row in rows}
