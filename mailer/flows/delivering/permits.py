"""Permits and results of all connections, gathered into one commit after another."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.core.delivery import Claimed
from mailer.store import outbox
from mailer.store.database import Database
from mailer.store.outbox import Result
from mailer.store.writer import ticks

STALE = 1.0
"""Seconds after which an unused permit is given back (delivery.md, 'permit unused for 1 s')."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one delivery, on disk since `granted_at`: stamped by the writer thread, not when we heard of it."""

    granted_at: float

    @property
    def stale(self) -> bool:
        return ticks() - self.granted_at > STALE


@dataclass(slots=True, eq=False)
class _Wish:
    result: Result | None
    wanted: int | None
    answer: asyncio.Future[Permit | None]


class Permits:
    """What the connections hand in while one commit runs goes into the next: the busier, the larger the groups.

    K, the permits outstanding, is one per connection.
    """

    def __init__(self, database: Database, epoch: int, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._epoch = epoch
        self._clock = clock
        self._wishes: list[_Wish] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, delivery: Claimed, result: Result | None) -> Permit | None:
        """A permit for `delivery`, committed together with the connection's last result; None where it is refused."""
        return await self._hand_in(result, delivery.id)

    async def settle(self, result: Result) -> None:
        """A result alone, where no next message waits for it."""
        await self._hand_in(result, None)

    async def _hand_in(self, result: Result | None, wanted: int | None) -> Permit | None:
        answer: asyncio.Future[Permit | None] = asyncio.get_running_loop().create_future()
        self._wishes.append(_Wish(result, wanted, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._commit_all())
        return await answer

    async def _commit_all(self) -> None:
        while self._wishes:
            wishes, self._wishes = self._wishes, []
            results = [wish.result for wish in wishes if wish.result is not None]
            wanted = [wish.wanted for wish in wishes if wish.wanted is not None]
            try:
                granted, stamp = await self._database.write_stamped(
                    outbox.exchange, self._epoch, results, wanted, self._clock()
                )
            except Exception as error:  # noqa: BLE001  # no permit was committed: every connection must know
                _refuse_all(wishes, error)
            else:
                _answer_all(wishes, granted, Permit(stamp))


def _answer_all(wishes: Sequence[_Wish], granted: frozenset[int], permit: Permit) -> None:
    for wish in wishes:
        if not wish.answer.done():
            wish.answer.set_result(permit if wish.wanted in granted else None)


def _refuse_all(wishes: Sequence[_Wish], error: Exception) -> None:
    for wish in wishes:
        if not wish.answer.done():
            wish.answer.set_exception(error)
