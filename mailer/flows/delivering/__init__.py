"""Draining the outbox: claim, permit, send, settle, over as many connections as are configured.

supply ── claims ──→ crew ── permit ──→ relay ── answer ──→ verdict ── with the next permit ──→ ledger
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from mailer.core.delivery import DeliveryOptions, DeliveryState
from mailer.core.personal import Stationery
from mailer.errors import Refused, SenderBusy
from mailer.flows.delivering.crew import Crew, Signer
from mailer.flows.delivering.line import Carrier, Line, Opener, Way
from mailer.flows.delivering.permits import Permits
from mailer.flows.delivering.report import Report, Rest, Unreached
from mailer.flows.delivering.supply import Run, Supply
from mailer.flows.delivering.traffic import Groups, Traffic
from mailer.flows.delivering.worker import work_on
from mailer.store import paces, recovery, usage, watermarks
from mailer.store.database import Database
from mailer.templating import Press

__all__ = [
    "Carrier",
    "Groups",
    "Opener",
    "Report",
    "Rest",
    "Run",
    "Signer",
    "Unreached",
    "Way",
    "drain",
    "the_one_sender",
]

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
    ways: Mapping[str, Way],
    *,
    run: Run,
    stationery: Stationery,
    press: Press | None = None,
    options: DeliveryOptions,
    clock: Callable[[], datetime],
    chance: Callable[[], float],
    fingerprint: Callable[[str], str],
    stop: asyncio.Event,
    report: Report,
    turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    groups: Groups | None = None,
    signer: Signer | None = None,
) -> None:
    """Send what is due and end. `report` is filled as it goes.

    `ways`: the relays, by name. `clock`: the time, ticking. `chance`: 0 to 1. `fingerprint`: an address's keyed hash,
    kept of a dead one. `press`: renders the mails of a theme that asks who reads. `stop`: set it, and every connection
    ends after its message. `turn`: holds the sender's lock while there is work (`the_one_sender`); while the run only
    waits for a retry, others may send. `groups`: which domains slow together; None: each by itself. Raises StoreError
    where permits or results can't be committed: nothing is sent any more by then.
    """
    left = run.limit
    while True:
        async with turn():
            epoch = await _begin(database, options, report, fingerprint)
            supply = Supply(
                database, replace(run, limit=left), epoch=epoch, hold=options.in_doubt == "hold", clock=clock
            )
            lines = {name: Line(name, way, clock) for name, way in ways.items()}
            traffic = Traffic(lines, clock, groups)
            await traffic.remember(database)
            crew = Crew(
                database=database,
                epoch=epoch,
                traffic=traffic,
                supply=supply,
                permits=Permits(database, epoch, clock, traffic.to_save, traffic.staff),
                stationery=stationery,
                press=press or Press(),
                options=options,
                clock=clock,
                chance=chance,
                fingerprint=fingerprint,
                stop=stop,
                report=report,
                work_on=work_on,
                signer=signer,
            )
            await crew.work()
            report.finished += await database.write(_finish, traffic.to_save(), clock())
        left = supply.left
        _note_lines(report, lines, clock())
        report.stopped = stop.is_set()
        if not run.wait or not await _something_waits(crew, report):
            return


async def _begin(
    database: Database, options: DeliveryOptions, report: Report, fingerprint: Callable[[str], str]
) -> int:
    """Become the one sender: what a dead one left is settled, pending or in doubt. Returns the epoch."""
    database.results.prepare()
    known = database.results.read()
    epoch, doubts = await database.write(recovery.begin_epoch, options.in_doubt_after, known, fingerprint)
    database.results.clear()
    for doubt in doubts:
        words = "an earlier run ended before the relay's answer"
        report.miss(doubt.delivery, Unreached(doubt.address, DeliveryState.IN_DOUBT, words, doubt.next_at))
    return epoch


def _finish(connection: Connection, changed: paces.Changed, now: datetime) -> list[int]:
    paces.save(connection, changed)
    usage.forget(connection, now)
    return watermarks.fold(connection, now)


def _note_lines(report: Report, lines: Mapping[str, Line], now: datetime) -> None:
    """Which relays are down or rest. One that rests will work again by itself, so it is not down."""
    down = [line for line in lines.values() if line.down]
    rests = {line.name: line.rest for line in lines.values() if not line.down}
    report.rests = {name: rest for name, rest in rests.items() if rest is not None and rest.until > now}
    none_left = len(down) + len(report.rests) == len(lines)
    report.free_at = min((rest.until for rest in report.rests.values()), default=None) if none_left else None
    report.troubles = {line.name: line.down for line in down}
    report.locked_out = {line.name: line.locked_out for line in lines.values() if line.locked_out and not line.down}
    all_down = len(down) == len(lines)
    report.down = "; ".join(dict.fromkeys(line.down for line in down)) if all_down else ""
    report.down_since = min((line.down_since for line in down if line.down_since), default=None) if all_down else None


async def _something_waits(crew: Crew, report: Report) -> bool:
    """Wait until something is due again. False: all is settled, or we are asked to stop."""
    free = report.free_at
    if report.down or (free and report.troubles and await crew.supply.next_due(free=free)):
        await _sleep(crew.stop, KNOCK)
        return not crew.stop.is_set()
    while not crew.stop.is_set() and (due := await crew.supply.next_due(free=free)) is not None:
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
