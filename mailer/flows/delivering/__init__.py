"""Draining the outbox: claim, permit, send, settle, over as many connections as are configured.

supply ── claims ──→ crew ── permit ──→ relay ── answer ──→ verdict ── with the next permit ──→ ledger
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import datetime

from mailer.core.delivery import DeliveryOptions, DeliveryState
from mailer.core.personal import Stationery
from mailer.errors import Refused, SenderBusy
from mailer.flows.delivering.crew import Crew
from mailer.flows.delivering.line import Carrier, Line, Opener
from mailer.flows.delivering.permits import Permits
from mailer.flows.delivering.report import Report, Unreached
from mailer.flows.delivering.supply import Run, Supply
from mailer.store import recovery, watermarks
from mailer.store.database import Database
from mailer.templating import Press

__all__ = ["Carrier", "Opener", "Report", "Run", "Unreached", "drain", "the_one_sender"]

LOOK = 0.2
"""Seconds between two looks at a lock that somebody else holds, or at the clock while waiting."""
KNOCK = 30.0
"""Seconds between two tries of a relay that is down, while waiting."""


@asynccontextmanager
async def the_one_sender(
    database: Database, note: str, tell: Callable[[str], None], stop: asyncio.Event, *, patient: bool = True
) -> AsyncIterator[None]:
    """Hold the sender's lock; wait for it where somebody else sends, saying once who that is.

    Raises Refused where `stop` is set while waiting, SenderBusy at once where we are not to wait (not `patient`).
    """
    told = False
    while not database.sender_lock.take(note):
        if not patient:
            raise SenderBusy(f"{database.sender_lock.holder()} is sending.")
        if not told:
            tell(f"Waiting: {database.sender_lock.holder()} is sending.")
            told = True
        await _sleep(stop, LOOK)
        if stop.is_set():
            raise Refused("Stopped while waiting for the other sender. Nothing was sent by this one.")
    try:
        yield
    finally:
        database.sender_lock.release()


async def drain(
    database: Database,
    relay: Opener,
    *,
    run: Run,
    stationery: Stationery,
    press: Press | None = None,
    options: DeliveryOptions,
    connections: int,
    clock: Callable[[], datetime],
    chance: Callable[[], float],
    fingerprint: Callable[[str], str],
    stop: asyncio.Event,
    report: Report,
    turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> None:
    """Send what is due and end. `report` is filled as it goes.

    `clock`: the time, ticking. `chance`: 0 to 1. `fingerprint`: an address's keyed hash, kept of a dead one.
    `press`: renders the mails of a theme that asks who reads. `stop`: set it, and every connection ends after its
    message. `turn`: holds the sender's lock while there is work (`the_one_sender`); while the run only waits for a
    retry, others may send. Raises StoreError where permits or results can't be committed: nothing is sent any more by
    then.
    """
    left = run.limit
    while True:
        async with turn():
            epoch, doubts = await database.write(recovery.begin_epoch, options.in_doubt_after)
            for doubt in doubts:
                words = "an earlier run ended before the relay's answer"
                report.miss(doubt.delivery, Unreached(doubt.address, DeliveryState.IN_DOUBT, words, doubt.next_at))
            supply = Supply(
                database, replace(run, limit=left), epoch=epoch, hold=options.in_doubt == "hold", clock=clock
            )
            crew = Crew(
                database=database,
                epoch=epoch,
                line=Line(relay, clock),
                supply=supply,
                permits=Permits(database, epoch, clock),
                stationery=stationery,
                press=press or Press(),
                options=options,
                clock=clock,
                chance=chance,
                fingerprint=fingerprint,
                stop=stop,
                report=report,
            )
            await crew.work(connections)
            report.finished += await database.write(watermarks.fold, clock())
        left = supply.left
        report.down, report.down_since, report.stopped = crew.line.down, crew.line.down_since, stop.is_set()
        if not run.wait or not await _something_waits(crew):
            return


async def _something_waits(crew: Crew) -> bool:
    """Wait until something is due again. False: all is settled, or we are asked to stop."""
    if crew.line.down:
        await _sleep(crew.stop, KNOCK)
        return not crew.stop.is_set()
    while not crew.stop.is_set() and (due := await crew.supply.next_due()) is not None:
        if due <= crew.clock():
            return True
        await _sleep(crew.stop, min(1.0, (due - crew.clock()).total_seconds()))
    return False


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake when asked to stop."""
    try:
        await asyncio.wait_for(stop.wait(), max(seconds, 0.01))
    except TimeoutError:
        return
