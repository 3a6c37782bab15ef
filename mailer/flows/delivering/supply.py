"""What a run sends next: claims taken in batches, in order of variants, and given back where they were not needed."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from sqlalchemy import Connection

from mailer.core.delivery import Claimed
from mailer.store import pickup, recovery, stats
from mailer.store.database import Database
from mailer.store.pickup import Lapsed

BATCH = 400
"""Deliveries claimed at once."""
RIPE = 1.0
"""Seconds for which what has become due since need not be looked for, as long as there is other work."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is asked to do.

    `edition`: this one, what is unfinished of earlier ones of its cadence, and transactional mail; else all that is
    due.

    `transactional`: only mail without an edition. `limit`: at most so many deliveries. `wait`: until all is settled.
    """

    edition: int | None = None
    transactional: bool = False
    limit: int | None = None
    wait: bool = False

    def sources(self, connection: Connection) -> Sequence[int | None] | None:
        """The editions to claim from, None among them for transactional mail; None for all."""
        if self.transactional:
            return [None]
        return None if self.edition is None else pickup.running(connection, self.edition)


class Supply:
    """The claims of one run, shared by its connections.

    What was in doubt once is sent again after all others, one by one: no second such one has a permit meanwhile. So a
    message that crashes the sender is known by its second crash, and nobody else is held who was on the wire beside it.
    """

    def __init__(self, database: Database, run: Run, *, epoch: int, hold: bool, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._sources = run.sources
        self._left = run.limit
        self._epoch = epoch
        self._hold = hold
        self._clock = clock
        self._ready: deque[Claimed] = deque()
        self._doubted: deque[Claimed] = deque()
        self._alone: int | None = None
        self._ripe_until = 0.0
        self._ended = False

    def take(self) -> Claimed | None:
        """The next delivery at hand."""
        if self._ready:
            return self._ready.popleft()
        return self._doubted.popleft() if self._doubt_may_go else None

    def send_alone(self, item: Claimed) -> None:
        """This doubted one is about to ask for its permit: the others wait until it is `settled`."""
        self._alone = item.id

    def settled(self, item: Claimed) -> None:
        """It has no permit, or its result is on disk."""
        if self._alone == item.id:
            self._alone = None

    def put_back(self, item: Claimed) -> None:
        """Claimed and not used: the next connection takes it."""
        self.put_all_back([item])

    def put_all_back(self, items: Sequence[Claimed]) -> None:
        """The same for several, in their order."""
        for item in reversed(items):
            self.settled(item)
            (self._doubted if item.doubts else self._ready).appendleft(item)

    def again(self, count: int = 1) -> None:
        """Deliveries that were taken were not offered to a relay: they don't count against the limit."""
        if self._left is not None:
            self._left += count

    @property
    def at_hand(self) -> int:
        """How many can be taken now."""
        return len(self._ready) + self._doubt_may_go

    @property
    def only_doubts(self) -> bool:
        """Whether what can be taken now was in doubt before: it goes when nothing else is on its way."""
        return not self._ready and self._doubt_may_go

    @property
    def _doubt_may_go(self) -> bool:
        return self._ended and self._alone is None and bool(self._doubted)

    @property
    def left(self) -> int | None:
        """How many deliveries the run may still take; None: any number."""
        return self._left

    async def fetch(self) -> tuple[Sequence[Claimed], Sequence[Lapsed]]:
        """Claim the next batch, retries and doubts that have become due included. Empty: nothing is due now.

        Returns (claimed, what nothing will try again).
        """
        limit = BATCH if self._left is None else min(BATCH, self._left)
        if limit <= 0:
            return [], []
        return await self._database.write(self._claim, limit, self._clock())

    @property
    def ended(self) -> bool:
        """Whether the last look found nothing, so that none is worth while before something happens."""
        return self._ended

    def stock(self, batch: Sequence[Claimed]) -> None:
        """Offer a fetched batch."""
        self._ended = not batch
        for item in batch:
            (self._doubted if item.doubts else self._ready).append(item)
        if self._left is not None:
            self._left -= len(batch)

    async def give_back(self) -> None:
        """What was claimed and not sent: somebody else may take it."""
        ids = [item.id for item in (*self._doubted, *self._ready)]
        if ids:
            self._doubted.clear()
            self._ready.clear()
            self.again(len(ids))
            await self._database.write(pickup.give_back, self._epoch, ids)

    async def next_due(self, *, free: datetime | None = None) -> datetime | None:
        """When something that waits is looked at again; None where nothing waits, or the limit is reached.

        `free`: before that no relay takes anything, but then what is pending, too.
        """
        if self._left is not None and self._left <= 0:
            return None
        found = await self._database.read(lambda connection: stats.looked_at(connection, self._sources(connection)))
        if free is None:
            return found
        pending = await self._database.read(lambda connection: pickup.pending(connection, self._sources(connection)))
        return free if pending else None if found is None else max(found, free)

    def _claim(self, connection: Connection, limit: int, now: datetime) -> tuple[list[Claimed], list[Lapsed]]:
        sources = self._sources(connection)
        claimed: list[Claimed] = []
        lapsed: list[Lapsed] = []
        if monotonic() < self._ripe_until:
            claimed, lapsed = pickup.claim(connection, self._epoch, limit, now, sources)
        if not claimed:
            self._ripe_until = monotonic() + RIPE
            lapsed += recovery.ripen(connection, now, hold=self._hold, sources=sources)
            claimed, too_old = pickup.claim(connection, self._epoch, limit, now, sources)
            lapsed += too_old
        return claimed, lapsed
