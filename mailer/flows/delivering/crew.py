"""The connections of a run: take a delivery, get its permit, send it, hand its result to the next permit."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from mailer.core.delivery import (
    Answer,
    Blame,
    Claimed,
    DeliveryOptions,
    DeliveryState,
    Stage,
    Verdict,
    backoff,
    judge,
)
from mailer.core.live import Live, unpack
from mailer.core.message import Compiled, Mail
from mailer.core.personal import Stationery
from mailer.core.subscription import Subscriber
from mailer.errors import InputError, MailerError, Refused, TemplateError
from mailer.flows.delivering.line import Carrier, Line
from mailer.flows.delivering.permits import Permits
from mailer.flows.delivering.report import Report, Unreached
from mailer.flows.delivering.supply import Supply
from mailer.store import editions, outbox, subscribers
from mailer.store.database import Database
from mailer.store.outbox import Lapsed, Result
from mailer.templating import Press

KEPT = 16
"""Compiled variants held in memory. Claims come in order of variants, so few are needed."""

_MISSED = frozenset({DeliveryState.FAILED, DeliveryState.DEFERRED, DeliveryState.IN_DOUBT})
_UNUSED = Verdict(DeliveryState.PENDING, "unused")


@dataclass(slots=True, eq=False)
class Crew:
    """What the connections of one run share."""

    database: Database
    epoch: int
    line: Line
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
    _contents: dict[int, Compiled | Live] = field(default_factory=dict)
    _known: dict[int, Subscriber] = field(default_factory=dict)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    _rendering: asyncio.Lock = field(default_factory=asyncio.Lock)
    _error: MailerError | None = None

    async def work(self, connections: int) -> None:
        """Send until nothing is due, the relay is down, or we are asked to stop. Raises StoreError.

        A connection that meets an error lets the others finish their message: to break one off after its dot would
        put it in doubt.
        """
        while self.may_go_on and (self.supply.at_hand or await self.fetch()):
            ended = await asyncio.gather(*(self._connection() for _ in range(connections)), return_exceptions=True)
            for error in filter(None, ended):
                raise error
        if self._error is not None:
            raise self._error
        await self.supply.give_back()

    @property
    def may_go_on(self) -> bool:
        return not (self._error or self.line.down or self.stop.is_set())

    async def next(self) -> Claimed | None:
        """The next delivery, from a new batch where the last is used up; None where there is none now."""
        async with self._fetching:
            if self.may_go_on and not self.supply.at_hand:
                await self.fetch()
            return self.take()

    def take(self) -> Claimed | None:
        """The next delivery at hand, unless the run is to end."""
        return self.supply.take() if self.may_go_on else None

    async def fetch(self) -> bool:
        """Claim the next batch and load its variants. False: nothing is due."""
        batch, lapsed = await self.supply.fetch()
        for item in lapsed:
            self.report.outcomes[item.state] += 1
            self.report.miss(item.delivery, Unreached(item.address, item.state, _why(item), None))
        wanted = {item.variant for item in batch}
        for variant in sorted(wanted):
            await self._load(variant)
        spare = [known for known in self._contents if known not in wanted]
        for variant in spare[: max(0, len(spare) - KEPT)]:
            del self._contents[variant]
        await self._meet(batch)
        self.supply.stock(batch)
        return bool(batch)

    async def ready(self, item: Claimed) -> Compiled | Live:
        """Its variant, and its reader at hand. What was put back may have had to make room meanwhile."""
        content = await self._load(item.variant)
        await self._meet([item])
        return content

    async def write(self, item: Claimed, content: Compiled | Live) -> Mail:
        """Its message, from what `ready` found."""
        if isinstance(content, Compiled):
            return self.stationery.write(item, content, ready=True)
        async with self._rendering:
            await asyncio.sleep(0)  # a permit gets old while others render: whoever has one goes first
            started = monotonic()
            try:
                return self.press.write(self.stationery, item, content, self._known.pop(item.subscriber, None))
            finally:
                self.report.note_rendering(monotonic() - started)

    async def _load(self, variant: int) -> Compiled | Live:
        if variant not in self._contents:
            self._contents[variant] = unpack(await self.database.read(editions.content_of, variant))
        return self._contents[variant]

    async def _meet(self, batch: Sequence[Claimed]) -> None:
        """Who reads live mails. Those of compiled ones are never asked for."""
        wanted = [item.subscriber for item in batch if isinstance(self._contents.get(item.variant), Live)]
        unknown = [reader for reader in wanted if reader and reader not in self._known]
        if unknown:
            self._known |= await self.database.read(subscribers.by_id, unknown)

    async def fail_render(self, item: Claimed, error: Exception) -> None:
        """Its message can't be built: that one reader's, and nobody else's trouble."""
        words = str(error) or type(error).__name__
        await self.database.write(outbox.fail_render, self.epoch, item.id, words, self.clock())
        self.report.outcomes[DeliveryState.RENDER_FAILED] += 1
        self.report.miss(item.id, Unreached(item.address, DeliveryState.RENDER_FAILED, words, None))

    def judged(self, item: Claimed, verdict: Verdict, answer: Answer) -> Result:
        """The verdict with its dates, noted in the report."""
        next_at: datetime | None = None
        if verdict.state is DeliveryState.DEFERRED:
            counted = item.attempts + verdict.costs
            next_at = self.clock() + backoff(verdict, attempts=counted, waits=item.waits + 1, chance=self.chance())
        elif verdict.state is DeliveryState.IN_DOUBT:
            next_at = self.clock() + self.options.in_doubt_after
        self.report.outcomes[verdict.state] += 1
        if verdict.state in _MISSED:
            self.report.miss(item.id, Unreached(item.address, verdict.state, str(answer), next_at))
        elif verdict.state is DeliveryState.ACCEPTED:
            self.report.unreached.pop(item.id, None)
        else:
            self.supply.again()
        dead = self.fingerprint(item.address) if verdict.hard_bounce else ""
        return Result(item, verdict, answer, next_at, dead)

    async def _connection(self) -> None:
        worker = _Worker(self)
        try:
            await worker.run()
        except MailerError as error:
            self._error = self._error or error
        finally:
            await worker.leave()


@dataclass(slots=True, eq=False)
class _Worker:
    """One connection, and the result it has not handed over yet."""

    crew: Crew
    carrier: Carrier | None = None
    result: Result | None = None

    async def run(self) -> None:
        while (item := await self._next()) is not None:
            content = await self.crew.ready(item)
            try:
                mail = await self.crew.write(item, content)
            except (InputError, TemplateError, Refused, KeyError, ValueError) as error:
                await self.crew.fail_render(item, error)
                continue
            if not await self._connect():
                self.crew.supply.put_back(item)
                return
            result, self.result = self.result, None
            permit = await self.crew.permits.ask(item, result)
            if permit is None:
                self.crew.report.outcomes[DeliveryState.SKIPPED] += 1
            elif permit.stale:
                # The machine slept between permit and use: the reader may have left meanwhile.
                self.crew.supply.again()
                self.result = Result(item, _UNUSED, None)
            else:
                await self._send(item, mail)

    async def leave(self) -> None:
        """End cleanly: the last result is written down, the relay hears QUIT."""
        try:
            await self._settle()
        finally:
            if self.carrier is not None:
                await self.crew.line.close(self.carrier)

    async def _next(self) -> Claimed | None:
        item = self.crew.take()
        if item is None:
            await self._settle()  # no permit for it to ride on
            item = await self.crew.next()
        return item

    async def _settle(self) -> None:
        result, self.result = self.result, None
        if result is not None:
            await self.crew.permits.settle(result)

    async def _connect(self) -> bool:
        """A usable connection, a new one where the last is dead or has served long enough."""
        if self.carrier is not None and self.carrier.alive and not self.carrier.stale(monotonic()):
            return True
        await self._settle()
        if self.carrier is not None:
            carrier, self.carrier = self.carrier, None
            await self.crew.line.close(carrier)
        self.carrier = await self.crew.line.open()
        return self.carrier is not None

    async def _send(self, item: Claimed, mail: Mail) -> None:
        carrier = self.carrier
        if carrier is None:
            raise RuntimeError("no permit is asked for without a connection")
        fresh = carrier.sent == 0
        answer = await carrier.send(mail)
        verdict = judge(answer, fresh=fresh)
        self.result = self.crew.judged(item, verdict, answer)
        if verdict.blame is Blame.RELAY and answer.stage is Stage.MAIL:
            self.crew.line.trouble(answer)
            await self._settle()
            await self.crew.line.rest()
        elif answer.reply is not None:
            self.crew.line.works()


def _why(item: Lapsed) -> str:
    """Why nothing tries it again."""
    if item.state is DeliveryState.IN_DOUBT_HELD:
        return "may have arrived or not, and is not sent again by itself"
    return "too old; its articles come with the next digest" if item.digest else "too old; it is not sent any more"
