"""Permits and results of all connections, gathered into one commit after another."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from mailer.core.delivery import Claimed, DeliveryState
from mailer.core.quota import minute_of
from mailer.errors import StoreError
from mailer.store import outbox, paces, usage
from mailer.store.database import Database
from mailer.store.outbox import Result
from mailer.store.usage import Used
from mailer.store.writer import ticks

STALE = 1.0
"""Seconds after which an unused permit is given back (delivery.md, 'permit unused for 1 s')."""


CROWD = 4
"""So many connections that hand in at once are a crowd."""
MOMENT = 0.002
"""Seconds that a commit waits at most for the rest of a crowd."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one delivery, on disk since `granted_at`: stamped by the writer thread, not when we heard of it."""

    granted_at: float

    @property
    def stale(self) -> bool:
        return ticks() - self.granted_at > STALE


@dataclass(frozen=True, slots=True)
class Refusal:
    """No leave. `state`: where the delivery is now; pending: its edition doesn't run any more."""

    state: DeliveryState


@dataclass(slots=True, eq=False)
class _Wish:
    relay: str
    result: Result | None
    wanted: Claimed | None
    answer: asyncio.Future[Permit | Refusal]


@dataclass(slots=True)
class _Share:
    """What one relay's connections hand in."""

    results: list[Result] = field(default_factory=list)
    wanted: list[Claimed] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What a commit granted, and where those stand that it refused."""

    granted: set[int] = field(default_factory=set)
    refused: dict[int, DeliveryState] = field(default_factory=dict)


def commit(
    connection: Connection, epoch: int, shares: Mapping[str, _Share], changed: paces.Changed, now: datetime
) -> Outcome:
    """One group: results written down, permits granted or refused, all of it counted."""
    done = Outcome()
    used = []
    for relay, share in shares.items():
        granted = outbox.exchange(connection, epoch, share.results, share.wanted, now, relay)
        accepted = sum(one.verdict.state is DeliveryState.ACCEPTED for one in share.results)
        if granted or accepted:
            used.append(Used(relay, minute_of(now), len(granted), accepted))
        if len(granted) < len(share.wanted):
            done.refused |= outbox.stand(connection, [one.id for one in share.wanted if one.id not in granted])
        done.granted |= granted
    usage.add(connection, used)
    if changed:
        paces.save(connection, changed)
    return done


class Permits:
    """What the connections hand in while one commit runs goes into the next: the busier, the larger the groups.

    K, the permits outstanding, is one per connection. Results that can't be committed are kept in the results' file;
    once the database has failed so, nothing is committed any more: to wait for it again would only take as long again.
    """

    def __init__(
        self,
        database: Database,
        epoch: int,
        clock: Callable[[], datetime],
        changed: Callable[[], paces.Changed],
        connections: Callable[[], int],
    ) -> None:
        """`changed`: what is to be written down of paces, asked once for each commit. `connections`: that work now."""
        self._database = database
        self._epoch = epoch
        self._clock = clock
        self._changed = changed
        self._connections = connections
        self._crowded: asyncio.Future[None] | None = None
        self._enough = 0
        self._wishes: list[_Wish] = []
        self._task: asyncio.Task[None] | None = None
        self._failed: StoreError | None = None

    async def ask(self, relay: str, delivery: Claimed, result: Result | None) -> Permit | Refusal:
        """A permit for `delivery`, committed together with the connection's last result."""
        return await self._hand_in(relay, result, delivery)

    async def settle(self, relay: str, result: Result) -> None:
        """A result alone, where no next message waits for it."""
        await self._hand_in(relay, result, None)

    def _hand_in(self, relay: str, result: Result | None, wanted: Claimed | None) -> asyncio.Future[Permit | Refusal]:
        answer: asyncio.Future[Permit | Refusal] = asyncio.get_running_loop().create_future()
        self._wishes.append(_Wish(relay, result, wanted, answer))
        if self._crowded is not None and len(self._wishes) >= self._enough and not self._crowded.done():
            self._crowded.set_result(None)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._commit_all())
        return answer

    async def _commit_all(self) -> None:
        while self._wishes:
            await self._gather()
            wishes, self._wishes = self._wishes, []
            shares: dict[str, _Share] = {}
            for wish in wishes:
                share = shares.get(wish.relay) or shares.setdefault(wish.relay, _Share())
                if wish.result is not None:
                    share.results.append(wish.result)
                if wish.wanted is not None:
                    share.wanted.append(wish.wanted)
            now = self._clock()
            try:
                done, stamp = await self._commit(shares, now)
            except Exception as error:  # noqa: BLE001  # no permit was committed: every connection must know
                for share in shares.values():
                    self._database.results.keep(self._epoch, share.results, now)
                _refuse_all(wishes, error)
            else:
                _answer_all(wishes, done, Permit(stamp))

    async def _commit(self, shares: Mapping[str, _Share], now: datetime) -> tuple[Outcome, float]:
        """Returns when it was on disk, too. Raises StoreError, and ever after."""
        if self._failed is not None:
            raise self._failed
        try:
            group = (self._epoch, shares, self._changed(), now)
            done = self._database.write_at_once(commit, *group)
            return done or await self._database.write_stamped(commit, *group)
        except StoreError as error:
            self._failed = error
            raise

    async def _gather(self) -> None:
        """Let in what is on its way already: a commit costs the same for one as for many.

        Where connections come one by one nobody waits; where they crowd, a moment brings more of them.
        """
        await asyncio.sleep(0)
        enough = self._connections() // 4
        if CROWD <= len(self._wishes) < enough:
            self._enough, self._crowded = enough, asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait([self._crowded], timeout=MOMENT)
            finally:
                self._crowded = None


def _answer_all(wishes: Sequence[_Wish], done: Outcome, permit: Permit) -> None:
    for wish in wishes:
        if wish.answer.done():
            continue
        if wish.wanted is None or wish.wanted.id in done.granted:
            wish.answer.set_result(permit)
        else:
            wish.answer.set_result(Refusal(done.refused.get(wish.wanted.id, DeliveryState.SKIPPED)))


def _refuse_all(wishes: Sequence[_Wish], error: Exception) -> None:
    for wish in wishes:
        if not wish.answer.done():
            wish.answer.set_exception(error)
