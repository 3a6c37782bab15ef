"""The room from which mail leaves while the pages are served: what readers ask for at once, what else is due by and by.

It holds the sender's lock only while there is something to send, so `mailer send` works beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic

import structlog

from mailer.errors import MailerError, SenderBusy
from mailer.flows.delivering import Report, Run
from mailer.store import due
from mailer.store.database import Database
from mailer.telemetry import masked
from mailer.wiring import Parts

LOOK = 1.0
"""Seconds between two looks for mail that readers wait for, where nothing wakes us."""
TIDY = 3600.0
"""Seconds between two rounds of housekeeping."""
LOOK_ROUND = 30.0
"""Seconds between two looks for anything else: retries, and editions that nobody has sent to the end."""
PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds to leave alone what doesn't work: at first, and after doubling."""
NAMED = 20
"""How many who were not reached are named in the log for each run; `mailer editions show` has the rest."""

log = structlog.get_logger(__name__)


class Trouble:
    """What doesn't work, said once until it is over. `pause`: how many seconds to leave it alone, 0 while all is well.

    `over`: what is said then.
    """

    def __init__(self, over: str) -> None:
        self.pause = 0.0
        self._over = over
        self._said = ""

    def met(self, sentence: str, until: datetime | None = None) -> None:
        self.pause = min(max(PAUSE, self.pause * 2), LONGEST_PAUSE)
        if sentence != self._said:
            log.warning(sentence, **({"until": until} if until else {"again_in": f"{self.pause:.0f}s"}))
        self._said = sentence

    def ended(self) -> None:
        if self._said:
            log.info(self._over)
        self.pause, self._said = 0.0, ""


class Postroom:
    """Composes what is wanted and sends what is due, until it is closed."""

    def __init__(self, parts: Parts, database: Database) -> None:
        self._parts = parts
        self._database = database
        self._stop = asyncio.Event()
        self._wanted = asyncio.Event()  # a mail is wanted
        self._posted = asyncio.Event()  # a mail is in the outbox
        self._looked_round = float("-inf")
        self._rested = asyncio.Event()  # nobody sets it before the end
        self._none_brought_back = False
        self._housekeeping = Trouble("The house is kept again.")
        self._composing = Trouble("Mails are composed again.")
        self._sending = Trouble("Mail leaves again.")
        self._resting = Trouble("Relays take mail again.")
        self._rest_until: datetime | None = None
        self._beside = Trouble("All relays work again.")

    def wake(self) -> None:
        """A mail is wanted: look at once."""
        self._wanted.set()

    def close(self) -> None:
        """End after the messages that are on their way. Nothing is lost: the next one goes on."""
        for event in (self._stop, self._wanted, self._posted, self._rested):
            event.set()

    async def run(self) -> None:
        """Work until closed. Composing goes on while a long run sends."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again(self._keep_house, self._rested, TIDY, self._housekeeping))
            tasks.create_task(self._again(self._compose, self._wanted, LOOK, self._composing))
            tasks.create_task(self._again(self._send, self._posted, LOOK, self._sending))

    async def _again(
        self, work: Callable[[], Awaitable[None]], woken: asyncio.Event, every: float, trouble: Trouble
    ) -> None:
        """Do it when woken, and every so many seconds; after trouble only when its pause is over."""
        while not self._stop.is_set():
            woken.clear()
            try:
                await work()
            except MailerError as error:
                trouble.met(str(error))
            except Exception:
                # Whatever it is, readers who come later must get their mail.
                log.exception("Something unforeseen happened in the post room.")
                trouble.met("The post room goes on after a pause.")
            await _within(trouble.pause or every, self._stop if trouble.pause else woken)

    async def _keep_house(self) -> None:
        await self._parts.keep_erased(self._database)
        self._none_brought_back = True
        self._wanted.set()
        self._posted.set()
        await self._parts.tidy(self._database)
        self._housekeeping.ended()

    async def _compose(self) -> None:
        if not self._none_brought_back:
            return
        if await self._parts.post(self._database):
            self._posted.set()
        self._composing.ended()

    async def _send(self) -> None:
        # A restored backup has mail for readers who were erased since: none leaves before they are again.
        run = await self._what_is_due() if self._none_brought_back and not self._rests() else None
        if run is None:
            return
        report = Report()
        try:
            await self._parts.drain(
                self._database,
                run,
                report=report,
                stop=self._stop,
                note="mailer serve",
                tell=log.info,
                patient=False,
            )
        except SenderBusy:  # it sends what readers wait for, too
            return
        finally:
            _tell(report)
        self._heed(report)

    def _rests(self) -> bool:
        return self._rest_until is not None and self._parts.clock() < self._rest_until

    def _heed(self, report: Report) -> None:
        """Leave alone what takes nothing, and say so once."""
        self._rest_until = None if report.troubles else report.free_at
        if report.down or (report.troubles and report.free_at):
            self._looked_round = float("-inf")
            said = report.down or "; ".join(report.troubles.values())
            self._sending.met(f"The relay is down: {said}")
            return
        self._sending.ended()
        if report.rests:
            said = "; ".join(f"Relay {name} takes nothing for a while: {one.why}" for name, one in report.rests.items())
            self._resting.met(said, min(one.until for one in report.rests.values()))
        else:
            self._resting.ended()
        if report.troubles:
            said = "; ".join(f"Relay {name} is down, others are used: {why}" for name, why in report.troubles.items())
            self._beside.met(said)
        else:
            self._beside.ended()

    async def _what_is_due(self) -> Run | None:
        now = self._parts.clock()
        if monotonic() - self._looked_round >= LOOK_ROUND:
            self._looked_round = monotonic()
            if await self._database.read(due.anything, now):
                return Run()
        return Run(transactional=True) if await self._database.read(due.transactional, now) else None


def _tell(report: Report) -> None:
    if report.sent:
        log.info("sent", mails=report.sent)
    for who in list(report.unreached.values())[:NAMED]:
        log.warning("not reached", address=masked(who.address), state=str(who.state), said=who.said, next=who.next_at)
    if report.missed > NAMED:
        log.warning("not reached, and not named here", mails=report.missed - NAMED)
    for edition, (reason, said) in report.paused.items():
        log.warning("An edition is paused; `mailer status` says what to do.", edition=edition, reason=reason, said=said)
    for edition in report.finished:
        log.info("An edition is done.", edition=edition)


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but not for longer than this."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
