"""One connection's work: take a delivery, get its permit, send it, hand its result to the next permit."""

from dataclasses import dataclass, replace
from time import monotonic

from mailer.core.delivery import Blame, Claimed, DeliveryState, Stage, Verdict
from mailer.core.judging import judge
from mailer.core.message import Mail
from mailer.errors import InputError, Refused, TemplateError
from mailer.flows.delivering.crew import Crew
from mailer.flows.delivering.line import Carrier, Line
from mailer.flows.delivering.permits import Refusal
from mailer.store.outbox import Result

_UNUSED = Verdict(DeliveryState.PENDING, "unused")


async def work_on(crew: Crew, line: Line) -> None:
    """Be one connection of this line until there is nothing more for it."""
    worker = _Worker(crew, line)
    try:
        await worker.run()
    finally:
        await worker.leave()


@dataclass(slots=True, eq=False)
class _Worker:
    """One connection, and the result it has not handed over yet."""

    crew: Crew
    line: Line
    carrier: Carrier | None = None
    result: Result | None = None

    async def run(self) -> None:
        while (item := await self._next()) is not None:
            try:
                mail = self.crew.plain(item) or await self.crew.write(item)
                if self.crew.signer is not None:
                    mail = replace(mail, data=await self.crew.signer.sign(mail.data))
            except (InputError, TemplateError, Refused, KeyError, ValueError) as error:
                await self.crew.fail_render(self.line, item, error)
                self.crew.settled(item)
                continue
            connected = False
            try:
                connected = await self._connect()
            finally:
                if not connected:
                    self.crew.put_back(self.line, item)
            if not connected:
                return
            await self._permitted(item, mail)
            if item.doubts:
                await self._settle()
                self.crew.settled(item)

    async def _permitted(self, item: Claimed, mail: Mail) -> None:
        """Send it, if its permit is granted. The last result is committed with the permit."""
        result, self.result = self.result, None
        permit = await self.crew.permits.ask(self.line.name, item, result)
        if isinstance(permit, Refusal):
            self._refused(item, permit)
        elif permit.stale:
            # The machine slept between permit and use: the reader may have left meanwhile. It counts for quotas.
            self.crew.traffic.ended(self.line, item)
            self.crew.tell_news()
            self.crew.supply.again()
            self.result = Result(item, _UNUSED, None)
        else:
            await self._send(item, mail)

    def _refused(self, item: Claimed, permit: Refusal) -> None:
        self.crew.traffic.unused(self.line, item)
        self.crew.tell_news()
        if permit.state is DeliveryState.PENDING:
            self.crew.supply.again()
        else:
            self.crew.ended(item, permit.state)

    async def leave(self) -> None:
        """End cleanly: the last result is written down, the relay hears QUIT."""
        try:
            await self._settle()
        finally:
            if self.carrier is not None:
                await self.line.close(self.carrier)

    async def _next(self) -> Claimed | None:
        item = self.crew.take(self.line)
        if not isinstance(item, Claimed):
            await self._settle()  # no permit for it to ride on
            item = await self.crew.next(self.line)
        return item

    async def _settle(self) -> None:
        result, self.result = self.result, None
        if result is not None:
            await self.crew.permits.settle(self.line.name, result)

    async def _connect(self) -> bool:
        """A usable connection, a new one where the last is dead or has served long enough."""
        if self.carrier is not None and self.carrier.alive and not self.carrier.stale(monotonic()):
            return True
        await self._settle()
        if self.carrier is not None:
            carrier, self.carrier = self.carrier, None
            await self.line.close(carrier)
        self.carrier = await self.line.open()
        if self.carrier is None:
            self.crew.traffic.lost(self.line)
        return self.carrier is not None

    async def _send(self, item: Claimed, mail: Mail) -> None:
        carrier = self.carrier
        if carrier is None:
            raise RuntimeError("no permit is asked for without a connection")
        fresh = carrier.sent == 0
        begun = self.crew.clock()
        answer = await carrier.send(mail)
        verdict = judge(answer, fresh=fresh)
        self.result = self.crew.judged(self.line, item, verdict, answer, begun)
        if verdict.state is DeliveryState.ACCEPTED:
            self.line.works()
            return
        await self.crew.look_at(item, verdict, answer)
        if verdict.blame is Blame.RELAY and answer.stage is Stage.MAIL:
            self.line.trouble(answer)
            await self._settle()
            await self.line.calm()
        elif answer.reply is not None:
            self.line.works()
