"""What `mailer send` does. Imported by the command when it runs."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.cli.editions import edition_document, states_in_words
from mailer.cli.holds import found_in_words, held_in_words
from mailer.cli.outcomes import (
    HALTED,
    NO_STATES,
    Standings,
    complain_of_halted,
    complain_of_held,
    concluded,
    outcome_document,
    planned_in_words,
)
from mailer.cli.output import counted, say, show_json, tell, when
from mailer.cli.progress import watched
from mailer.cli.stopping import run_stoppable
from mailer.core.delivery import DeliveryState, EditionState
from mailer.core.subscription import clean_address
from mailer.errors import Misuse
from mailer.flows import planning, releasing
from mailer.flows.delivering import Report, Run
from mailer.flows.planning import Planned
from mailer.store import due as ready
from mailer.store import editions, notices, pickup, stats
from mailer.store.database import Database
from mailer.store.editions import Edition
from mailer.wiring import Parts


def send_test_copy(made: Parts, cadence: str, address: str, *, as_json: bool) -> int:
    """Send one copy to one address. Returns the exit code."""
    try:
        clean = clean_address(address)
    except ValueError as error:
        raise Misuse(f"--to {address}: {error}") from None
    chosen = made.cadence(cadence)
    report = Report()

    async def work(database: Database, stop: asyncio.Event) -> tuple[int | None, bool]:
        await _beforehand(made, database)
        queued = await planning.queue_test_copy(
            database,
            chosen,
            clean,
            now=made.clock(),
            composer=made.composer(),
            draw=made.draw,
            max_age=made.settings.delivery.max_age,
        )
        if queued is not None:
            run = Run(transactional=True)
            await made.drain(database, run, report=report, stop=stop, note="mailer send --to", tell=tell)
        waits = report.free_at is not None and await database.read(ready.transactional, made.clock())
        return queued, waits

    queued, waits = run_stoppable(made, report, work)
    if as_json:
        show_json({"cadence": cadence, "to": clean, "sent": bool(report.sent), **outcome_document(report)})
    elif queued is None:
        say("There is nothing new: no test copy was sent.")
    elif report.down or report.stopped or waits:
        say(f"The test copy to {clean} waits; the next run sends it.")
    elif queued not in report.unreached:
        say(f"Sent a test copy to {clean}.")
    return concluded(report, made.settings.site.timezone, quiet=as_json, waiting=int(waits))


def send_due(made: Parts, cadence: str | None, *, limit: int | None, wait: bool, as_json: bool) -> int:
    """Plan and send one cadence, or whatever is due. Returns the exit code."""
    chosen = made.chosen(cadence)
    note = f"mailer send --cadence {cadence}" if cadence else "mailer send"

    report = Report()

    async def work(database: Database, stop: asyncio.Event) -> _Outcome:
        await _beforehand(made, database, tidy=not cadence)
        planned = [await made.plan(database, one) for one in chosen]
        edition = planned[0].edition if cadence else None
        halted: Standings = []
        if edition is not None or not cadence:
            run = Run(edition=edition.id if edition else None, limit=limit, wait=wait)
            asked = await _asked(database, edition)
            async with watched(database, run, report):
                await _drain_all(made, database, run, asked, report=report, stop=stop, note=note)
            halted = await _halted(database, asked)
        shown = await _stands(database, planned, report, only=bool(cadence))
        waiting, looked_at = await database.read(stats.unfinished), await database.read(stats.looked_at)
        held = await database.read(editions.held)
        return _Outcome(planned, shown, waiting, looked_at, held, await database.read(notices.held), halted)

    outcome = run_stoppable(made, report, work)
    planned, shown, waiting = outcome.planned, outcome.shown, outcome.waiting
    held = {edition.id for edition in outcome.held}
    for one in planned:
        if one.fresh and one.edition is not None:
            tell(*found_in_words(one.edition))
    fresh = {one.edition.id for one in planned if one.edition is not None and (one.fresh or cadence)}
    insisted = [edition for edition, _ in shown if edition.state == EditionState.HELD and edition.id in fresh]
    zone = made.settings.site.timezone
    next_due = min(one.next_due for one in planned)
    if as_json:
        documents = [edition_document(edition, states) for edition, states in shown]
        details = {"next_due": next_due, "waiting": waiting, "held": sorted(held), **outcome_document(report)}
        if cadence:
            blank = {"id": None, "cadence": cadence, "period": planned[0].period, "state": "empty", "planned": 0}
            show_json((documents[0] if documents else {**blank, **NO_STATES}) | details)
        else:
            show_json({"editions": documents} | details)
    else:
        # What is held is told apart, with what to do.
        told = [one for one in planned if one.edition is None or one.edition.id not in held]
        stands = [one for one in shown if one[0].id not in held]
        lines = list(planned_in_words(told, stands, report, zone))
        say(*lines or [f"Nothing {'else ' if insisted else ''}is due. The next edition is due {when(next_due, zone)}."])
        if waiting and not report.missed:
            counts = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in waiting.items())
            later = outcome.looked_at is not None and outcome.looked_at > made.clock()
            say(f"Still waiting: {counts}{f'; looked at again {when(outcome.looked_at, zone)}' if later else ''}.")
        if waiting.get(DeliveryState.IN_DOUBT_HELD):
            say("Held in doubt: may have arrived, and is not sent again by itself. Names: `mailer editions show ID`.")
        say(*held_in_words(edition for edition in outcome.held if edition not in insisted))
    complain_of_held(outcome.held_mails, insisted)
    complain_of_halted(outcome.halted, report)
    code = concluded(report, zone, quiet=as_json, waiting=waiting.get(DeliveryState.PENDING, 0))
    return code or int(bool(insisted or outcome.halted))


def send_edition(made: Parts, edition_id: int, *, as_json: bool) -> int:
    """Let an edition go if it is held, and send what is left of it. Returns the exit code."""
    report = Report()

    async def work(database: Database, stop: asyncio.Event) -> tuple[Edition, dict[str, int], bool]:
        await _beforehand(made, database)
        edition, released = await releasing.release(
            database, edition_id, now=made.clock(), max_age=made.settings.delivery.max_age, next_due=made.next_due
        )
        run = Run(edition=edition_id)
        async with watched(database, run, report):
            note = f"mailer editions send {edition_id}"
            await made.drain(database, run, report=report, stop=stop, note=note, tell=tell)
        stands = await database.read(editions.by_id, edition_id)
        return stands or edition, await database.read(stats.states, edition_id), released

    edition, states, released = run_stoppable(made, report, work)
    if as_json:
        show_json(edition_document(edition, states) | {"released": released, **outcome_document(report)})
    else:
        already = edition.state == "done" and not report.outcomes
        state = "nothing left to send" if already else str(edition.state)
        say(f"{edition.cadence} {edition.period}: {state}. {states_in_words(edition.planned, states)}.")
    halted = [(edition, states)] if edition.state in HALTED else []
    complain_of_halted(halted, report)
    pending = 0 if halted else states[DeliveryState.PENDING]
    return concluded(report, made.settings.site.timezone, quiet=as_json, waiting=pending) or int(bool(halted))


async def _asked(database: Database, wanted: Edition | None) -> list[int]:
    """The editions that a run is to send: those that run, of the cadence of `wanted` where it is one; and that one."""
    found = await database.read(editions.unfinished)
    running = [one for one in found if one.state == EditionState.RUNNING]
    if wanted is None:
        return [one.id for one in running]
    paused = [wanted.id] if wanted.state == EditionState.PAUSED else []
    return paused + [one.id for one in running if one.cadence == wanted.cadence]


async def _drain_all(
    made: Parts,
    database: Database,
    run: Run,
    asked: Sequence[int],
    *,
    report: Report,
    stop: asyncio.Event,
    note: str,
) -> None:
    """Drain; and again where an edition was paused and resumed meanwhile, so that for a moment nothing was to do.

    Where that leads nowhere, what is left has to wait.
    """
    tried = -1
    while report.tried > tried:
        tried = report.tried
        await made.drain(database, run, report=report, stop=stop, note=note, tell=tell)
        if run.limit or report.down or report.rests or report.stopped or not await database.read(pickup.pending, asked):
            return


async def _halted(database: Database, asked: Iterable[int]) -> Standings:
    """Those of the editions asked for that somebody, or trouble with the relay, has paused or cancelled by now."""
    found: Standings = []
    for edition_id in asked:
        edition = await database.read(editions.by_id, edition_id)
        if edition is not None and edition.state in HALTED:
            found.append((edition, await database.read(stats.states, edition_id)))
    return found


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a run ended: what was planned, the editions it was about as they stand now, and what waits anywhere.

    `looked_at`: when the first that waits is looked at again. `held`: editions that wait for a person's word.
    `halted`: those asked for that were paused, or were cancelled meanwhile.
    """

    planned: list[Planned]
    shown: Standings
    waiting: dict[str, int]
    looked_at: datetime | None
    held: list[Edition]
    held_mails: int
    halted: Standings


async def _stands(
    database: Database, planned: Sequence[Planned], report: Report, *, only: bool
) -> list[tuple[Edition, dict[str, int]]]:
    """The editions this run was about, as they stand now."""
    made = [(one.edition, one.fresh) for one in planned if one.edition is not None]
    ids = {edition.id for edition, fresh in made if only or fresh or edition.state == "running"}
    found = []
    # First what was asked for; then what was finished beside it.
    for edition_id in [*sorted(ids), *sorted(set(report.finished) - ids)]:
        edition = await database.read(editions.by_id, edition_id)
        if edition is not None:
            found.append((edition, await database.read(stats.states, edition_id)))
    return found[:1] if only and not ids else found


async def _beforehand(made: Parts, database: Database, *, tidy: bool = False) -> None:
    """Before anything is planned or sent: a restored backup brings nobody back, and what readers wait for is composed.

    `tidy`: what has had its time goes.
    """
    if count := await made.keep_erased(database):
        who = counted(count, "reader who was erased", "readers who were erased")
        tell(f"The database is a restored one: {who} had come back, and {'is' if count == 1 else 'are'} erased again.")
    await made.post(database)
    if tidy:
        await made.tidy(database)
