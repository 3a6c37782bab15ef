"""What the connections of one run share: whose turn it is, the mails they write, and what is made of answers."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Protocol

from mailer.core.delivery import Answer, Claimed, DeliveryOptions, DeliveryState, Verdict, backoff
from mailer.core.judging import ends_in, pauses
from mailer.core.live import Live, unpack
from mailer.core.message import Compiled, Mail
from mailer.core.personal import Stationery
from mailer.core.subscription import Subscriber
from mailer.errors import StoreError
from mailer.flows.delivering.line import Line
from mailer.flows.delivering.permits import Permits
from mailer.flows.delivering.report import Report, Unreached
from mailer.flows.delivering.supply import Supply
from mailer.flows.delivering.traffic import PAUSE, Pause, Traffic
from mailer.store import controls, editions, outbox, pickup, subscribers
from mailer.store.database import Database
from mailer.store.outbox import Result
from mailer.templating import Press

KEPT = 16
"""Compiled variants held in memory. Claims come in order of variants, so few are needed."""

LOW = 120
"""Fewer deliveries at hand than this, and the next batch is claimed meanwhile."""

_MISSED = frozenset({DeliveryState.FAILED, DeliveryState.DEFERRED, DeliveryState.IN_DOUBT, DeliveryState.IN_DOUBT_HELD})


class Signer(Protocol):
    """Signs a whole message (DKIM)."""

    async def sign(self, data: bytes) -> bytes: ...


@dataclass(slots=True, eq=False)
class Crew:
    """What the connections of one run share. `signer`: None where the relay signs, or nobody does."""

    database: Database
    epoch: int
    traffic: Traffic
    supply: Supply
    permits: Permits
    stationery: Stationery
    press: Press
    options: DeliveryOptions
    clock: Callable[[], datetime]
    chance: Callable[[], float]
    fingerprint: Callable[[str], str]
    stop: asyncio.Event
    report: Report
    work_on: Callable[["Crew", Line], Awaitable[None]]
    signer: Signer | None = None
    _contents: dict[int, Compiled | Live] = field(default_factory=dict)
    _ready: dict[int, bool] = field(default_factory=dict)
    _known: dict[int, Subscriber] = field(default_factory=dict)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    _rendering: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)
    _idle: Counter[str] = field(default_factory=Counter)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _refused: dict[tuple[int, str], set[int]] = field(default_factory=dict)
    _ahead: asyncio.Task[None] | None = None
    _error: BaseException | None = None

    async def work(self) -> None:
        """Send until nothing is due, no relay takes anything, or we are asked to stop. Raises StoreError, OutOfFiles.

        A connection that meets an error lets the others finish their message: to break one off after its dot would
        put it in doubt.
        """
        while self.may_go_on and await self._find():
            for line in self.lines:
                self.staff(line)
            while self._tasks:
                await asyncio.wait(self._tasks)
            self.supply.put_all_back(self.traffic.unpark())
        if not isinstance(self._error, StoreError):
            await self._write_postponed()
            await self.supply.give_back()
        if self._error is not None:
            raise self._error

    @property
    def lines(self) -> list[Line]:
        return list(self.traffic.lines.values())

    @property
    def may_go_on(self) -> bool:
        return not (self._error or self.stop.is_set()) and any(self._takes(line) for line in self.lines)

    def _takes(self, line: Line) -> bool:
        """Whether mail may go by this line now or soon."""
        return not line.down and (line.rest is None or not line.rests(self.clock()))

    def staff(self, line: Line) -> None:
        """As many connections as it bears, or as are wanted."""
        most = line.pace.limit or line.way.connections
        if line.staff >= most or (line.locked_out and line.staff):
            return
        if line.pace.gap or line.pace.breaker.open_until:
            most = 1
        wanted = min(most, line.staff + self.supply.at_hand)
        while self.may_go_on and self._takes(line) and line.staff < wanted and not self._idle[line.name]:
            line.staff += 1
            task = asyncio.create_task(self._connection(line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connection(self, line: Line) -> None:
        try:
            await self.work_on(self, line)
        except Exception as error:  # noqa: BLE001  # the others end their message, then it is raised
            self._error = self._error or error
        finally:
            line.staff -= 1
            line.leaving = max(0, line.leaving - 1)
            self.tell_news()

    def take(self, line: Line) -> Claimed | Pause | None:
        """The next delivery for this line, from what is at hand. None: nothing is, or this connection is to end."""
        if self._error or line.down or self.stop.is_set() or line.surplus:
            return None
        if not self.supply.at_hand:
            return None
        if self.supply.only_doubts and any(one.under_way for one in self.lines):
            return PAUSE
        if pause := self.traffic.held(line):
            return pause
        if wait := line.token():
            return Pause(wait)
        item = self.traffic.take(line, self.supply.take)
        if item is not None and item.doubts:
            self.supply.send_alone(item)
        if self._waiting and item is not None:
            self.tell_news()  # it may be another line's turn
        if self.supply.at_hand < LOW and self._ahead is None and not self.supply.ended:
            self._ahead = asyncio.create_task(self._fetch_ahead())
            self._tasks.add(self._ahead)
        return item

    async def _fetch_ahead(self) -> None:
        """The next batch, while this one is sent."""
        try:
            async with self._fetching:
                if self.may_go_on and self.supply.at_hand < LOW:
                    await self.fetch()
        except Exception as error:  # noqa: BLE001  # as in a connection
            self._error = self._error or error
        finally:
            if self._ahead is not None:
                self._tasks.discard(self._ahead)
            self._ahead = None
            self.tell_news()

    async def next(self, line: Line) -> Claimed | None:
        """The next delivery for this line, after waiting where it must; None where its connection is to end."""
        while True:
            found = self.take(line)
            if isinstance(found, Claimed):
                return found
            if isinstance(found, Pause):
                if not self._takes(line):
                    return None
                await self._news(line, found.seconds)
                continue
            if line.down or not self.may_go_on or self._leaves(line):
                return None
            if not self.supply.at_hand and not await self._fetch_more() and not self.traffic.parked:
                return None
            if not self.supply.at_hand:
                if not any(one.under_way for one in self.lines):
                    return None  # what is parked is looked at again when all have ended
                await self._news(line, None)

    def _leaves(self, line: Line) -> bool:
        """Whether a connection of it is to end since there are too many; it is no longer counted then."""
        if not line.surplus:
            return False
        line.leaving += 1
        return True

    async def _fetch_more(self) -> bool:
        async with self._fetching:
            return self.may_go_on and await self._find()

    async def _find(self) -> bool:
        """Whether something can be taken, at once or of what a look at the ledger brings."""
        while not self.supply.at_hand:
            if not await self.fetch():
                return bool(self.supply.at_hand)  # where only doubted ones are left, now they may go
        return True

    async def _news(self, line: Line, seconds: float | None) -> None:
        """Wait until something happened, or for so long."""
        for other in self.lines:
            if other is not line:
                self.staff(other)  # it may be its turn, after a rest
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(news)
        self._idle[line.name] += 1
        try:
            await asyncio.wait([news], timeout=seconds if seconds is not None else 1.0)
        finally:
            self._idle[line.name] -= 1
            if news in self._waiting:
                self._waiting.remove(news)

    def tell_news(self) -> None:
        """Whoever waits looks again."""
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            if not news.done():
                news.set_result(None)

    async def fetch(self) -> bool:
        """Claim the next batch and load its variants. False: nothing is due."""
        await self._write_postponed()
        batch, lapsed = await self.supply.fetch()
        for item in lapsed:
            self.report.outcomes[item.state] += 1
            self.report.miss(item.delivery, Unreached(item.address, item.state, _why(item.state, item.digest), None))
        wanted = {item.variant for item in batch}
        for variant in sorted(wanted):
            await self._load(variant)
        spare = [known for known in self._contents if known not in wanted]
        for variant in spare[: max(0, len(spare) - KEPT)]:
            del self._contents[variant], self._ready[variant]
        await self._meet(batch)
        await self.traffic.meet(item.address for item in batch)
        self.supply.stock(batch)
        return bool(batch)

    async def _write_postponed(self) -> None:
        """Those whose provider takes nothing for a while: no attempt of theirs is counted."""
        found, self.traffic.postponed = self.traffic.postponed, []
        if not found:
            return
        await self.database.write(pickup.postpone, self.epoch, [(one.item.id, one.until) for one in found])
        for one in found:
            self.supply.again()
            self.report.outcomes[DeliveryState.DEFERRED] += 1
            self.report.miss(one.item.id, Unreached(one.item.address, DeliveryState.DEFERRED, one.why, one.until))

    async def ready(self, item: Claimed) -> None:
        """Its variant, and its reader at hand. What was put back may have had to make room meanwhile."""
        await self._load(item.variant)
        await self._meet([item])

    def plain(self, item: Claimed) -> Mail | None:
        """Its message, where that is only to fill in. Raises InputError where its address can't stand in a header."""
        content = self._contents.get(item.variant)
        return self._filled_in(item, content) if isinstance(content, Compiled) else None

    def _filled_in(self, item: Claimed, content: Compiled) -> Mail:
        return self.stationery.write(item, content, ready=self._ready[item.variant])

    async def write(self, item: Claimed) -> Mail:
        """Its message, whatever it takes."""
        if item.variant not in self._contents or item.subscriber not in self._known:
            await self.ready(item)
        content = self._contents[item.variant]
        if isinstance(content, Compiled):
            return self._filled_in(item, content)
        async with self._rendering:
            await asyncio.sleep(0)  # a permit gets old while others render: whoever has one goes first
            started = monotonic()
            try:
                return self.press.write(self.stationery, item, content, self._known.pop(item.subscriber, None))
            finally:
                self.report.note_rendering(monotonic() - started)

    async def _load(self, variant: int) -> None:
        if variant not in self._contents:
            content = unpack(await self.database.read(editions.content_of, variant))
            self._ready[variant] = isinstance(content, Compiled) and content.ready
            self._contents[variant] = content

    async def _meet(self, batch: Sequence[Claimed]) -> None:
        """Who reads live mails. Those of compiled ones are never asked for."""
        wanted = [item.subscriber for item in batch if isinstance(self._contents.get(item.variant), Live)]
        unknown = [reader for reader in wanted if reader and reader not in self._known]
        if unknown:
            self._known |= await self.database.read(subscribers.by_id, unknown)

    async def fail_render(self, line: Line, item: Claimed, error: Exception) -> None:
        """Its message can't be built: that one reader's, and nobody else's trouble."""
        self.traffic.unused(line, item)
        words = str(error) or type(error).__name__
        await self.database.write(outbox.fail_render, self.epoch, item.id, words, self.clock())
        state = DeliveryState.IN_DOUBT_HELD if item.doubts else DeliveryState.RENDER_FAILED
        self.report.outcomes[state] += 1
        self.report.miss(item.id, Unreached(item.address, state, words, None))

    def ended(self, item: Claimed, state: DeliveryState) -> None:
        """Its permit was refused for good: its reader is gone, or it became too old since it was claimed."""
        self.report.outcomes[state] += 1
        if state in {DeliveryState.EXPIRED, DeliveryState.IN_DOUBT_HELD}:
            why = _why(state, item.edition is not None)
            self.report.miss(item.id, Unreached(item.address, state, why, None))
        else:
            self.report.reached(item.id)

    def settled(self, item: Claimed) -> None:
        """A doubted one's permit is used or refused, and that is on disk: the next such one may go."""
        if item.doubts:
            self.supply.settled(item)
            self.tell_news()

    def put_back(self, line: Line, item: Claimed) -> None:
        """Taken and not used: the next connection takes it."""
        self.traffic.unused(line, item)
        self.supply.put_back(item)
        self.tell_news()

    def judged(self, line: Line, item: Claimed, verdict: Verdict, answer: Answer, begun: datetime) -> Result:
        """The verdict with its dates, noted in the report and learned from."""
        waited = self.traffic.heard(line, item, verdict, begun, answer)
        if waited:
            self.supply.put_all_back(waited)
        if verdict.state is DeliveryState.ACCEPTED:
            self.report.outcomes[verdict.state] += 1
            if self.report.unreached or self.report.unnamed:
                self.report.reached(item.id)
            result = Result(item, verdict, answer)
        else:
            result = self._missed(item, verdict, answer)
        if self._waiting:
            self.tell_news()
        self.staff(line)
        return result

    def _missed(self, item: Claimed, verdict: Verdict, answer: Answer) -> Result:
        next_at: datetime | None = None
        if verdict.state is DeliveryState.DEFERRED:
            counted = item.attempts + verdict.costs
            next_at = self.clock() + backoff(verdict, attempts=counted, waits=item.waits + 1, chance=self.chance())
        elif verdict.state is DeliveryState.IN_DOUBT:
            next_at = self.clock() + self.options.in_doubt_after
        state = ends_in(verdict, doubts=item.doubts)
        self.report.outcomes[state] += 1
        if state in _MISSED:
            self.report.miss(item.id, Unreached(item.address, state, str(answer), next_at))
        else:
            self.supply.again()
        dead = self.fingerprint(item.address) if verdict.hard_bounce else ""
        return Result(item, verdict, answer, next_at, dead)

    async def look_at(self, item: Claimed, verdict: Verdict, answer: Answer) -> None:
        """Whether the same has now befallen so many of an edition that somebody must look at it first."""
        most = pauses(verdict.reason)
        if most is None or item.edition is None:
            return
        readers = self._refused.setdefault((item.edition, verdict.reason), set())
        if item.id in readers:
            return  # one reader's mail, tried again
        readers.add(item.id)
        if len(readers) == most and await self.database.write(controls.pause, item.edition, verdict.reason):
            self.report.paused[item.edition] = (verdict.reason, str(answer))


def _why(state: DeliveryState, digest: bool) -> str:
    """Why nothing tries it again. `digest`: it is of an edition."""
    if state is DeliveryState.IN_DOUBT_HELD:
        return "may have arrived or not, and is not sent again by itself"
    return "too old; its articles come with the next digest" if digest else "too old; it is not sent any more"
