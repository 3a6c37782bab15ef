"""What a run sends next: claims taken in batches, in order of variants, and given back where they were not needed."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.core.delivery import Claimed
from mailer.store import outbox, recovery, stats
from mailer.store.database import Database
from mailer.store.outbox import Lapsed

BATCH = 200
"""Deliveries claimed at once."""


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
        return None if self.edition is None else outbox.running(connection, self.edition)


class Supply:
    """The claims of one run, shared by its connections."""

    def __init__(self, database: Database, run: Run, *, epoch: int, hold: bool, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._sources = run.sources
        self._left = run.limit
        self._epoch = epoch
        self._hold = hold
        self._clock = clock
        self._ready: deque[Claimed] = deque()

    def take(self) -> Claimed | None:
        """The next delivery at hand."""
        return self._ready.popleft() if self._ready else None

    def put_back(self, item: Claimed) -> None:
        """Claimed and not used: the next connection takes it."""
        self._ready.appendleft(item)

    def put_all_back(self, items: Sequence[Claimed]) -> None:
        """The same for several, in their order."""
        self._ready.extendleft(reversed(items))

    def again(self) -> None:
        """A delivery that was taken went back to pending: it doesn't count against the limit."""
        if self._left is not None:
            self._left += 1

    @property
    def at_hand(self) -> int:
        """How many are at hand."""
        return len(self._ready)

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

    def stock(self, batch: Sequence[Claimed]) -> None:
        """Offer a fetched batch."""
        self._ready.extend(batch)
        if self._left is not None:
            self._left -= len(batch)

    async def give_back(self) -> None:
        """What was claimed and not sent: somebody else may take it."""
        if self._ready:
            ids = [item.id for item in self._ready]
            self._ready.clear()
            await self._database.write(outbox.give_back, self._epoch, ids)

    async def next_due(self, *, free: datetime | None = None) -> datetime | None:
        """When something that waits is looked at again; None where nothing waits, or the limit is reached.

        `free`: before that no relay takes anything, but then what is pending, too.
        """
        if self._left is not None and self._left <= 0:
            return None
        found = await self._database.read(lambda connection: stats.looked_at(connection, self._sources(connection)))
        if free is None:
            return found
        pending = await self._database.read(lambda connection: outbox.pending(connection, self._sources(connection)))
        return free if pending else None if found is None else max(found, free)

    def _claim(self, connection: Connection, limit: int, now: datetime) -> tuple[list[Claimed], list[Lapsed]]:
        sources = self._sources(connection)
        ripened = recovery.ripen(connection, now, hold=self._hold, sources=sources)
        claimed, too_old = outbox.claim(connection, self._epoch, limit, now, sources)
        return claimed, ripened + too_old
