"""What `mailer send` does, and how it tells of it. Imported by the command when it runs."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from mailer.cli.editions import edition_document, states_in_words
from mailer.cli.holds import found_in_words, held_in_words
from mailer.cli.output import complain, counted, say, show_json, tell, when
from mailer.cli.pauses import counts_in_words, why_paused
from mailer.cli.progress import watched
from mailer.cli.relays import report_document, rests_in_words, troubles_in_words
from mailer.core.cadence import Cadence
from mailer.core.delivery import DeliveryState, EditionState
from mailer.core.selection import Arrangement
from mailer.core.subscription import clean_address
from mailer.errors import Misuse, OutOfFiles, RelayDown, SigningFailed, StoreError
from mailer.flows import planning, releasing
from mailer.flows.delivering import Report, Run
from mailer.flows.planning import Planned, Prospect
from mailer.store import due as ready
from mailer.store import editions, notices, stats
from mailer.store.database import Database
from mailer.store.editions import Edition
from mailer.store.writer import is_out_of_files
from mailer.wiring import Parts, run_loop

NAMED = 20
"""How many who were not reached are named on the terminal; `editions show` has the rest."""

FILES = 24
"""Files that a run opens at least: the database, its locks, a connection, the event loop, which aborts for want."""

NO_STATES: Mapping[str, int] = {state.value: 0 for state in DeliveryState}

T = TypeVar("T")
Standings = list[tuple[Edition, dict[str, int]]]
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_HALTED = frozenset({EditionState.PAUSED, EditionState.CANCELLED})


def rehearse(made: Parts, cadence: str | None, *, as_json: bool) -> None:
    """Say what would be sent to how many."""
    chosen = _chosen(made, cadence)

    async def look(database: Database) -> list[tuple[Prospect, Mapping[str, int]]]:
        composer = made.composer().without_related()
        found = []
        for one in chosen:
            prospect = await planning.look_ahead(database, one, now=made.clock(), composer=composer)
            states = await database.read(stats.states, prospect.made.id) if prospect.made else NO_STATES
            found.append((prospect, states))
        return found

    found = _run(made, look)
    if as_json:
        documents = [_prospect_document(prospect, states) for prospect, states in found]
        show_json(documents[0] if cadence else {"editions": documents})
        return
    for prospect, _ in found:
        say(_prospect_in_words(prospect, made.settings.site.timezone))


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

    queued, waits = _run_stoppable(made, report, work)
    if as_json:
        show_json({"cadence": cadence, "to": clean, "sent": bool(report.sent), **_report_document(report)})
    elif queued is None:
        say("There is nothing new: no test copy was sent.")
    elif report.down or report.stopped or waits:
        say(f"The test copy to {clean} waits; the next run sends it.")
    elif queued not in report.unreached:
        say(f"Sent a test copy to {clean}.")
    return _concluded(report, made.settings.site.timezone, quiet=as_json, waiting=int(waits))


def send_due(made: Parts, cadence: str | None, *, limit: int | None, wait: bool, as_json: bool) -> int:
    """Plan and send one cadence, or whatever is due. Returns the exit code."""
    chosen = _chosen(made, cadence)
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

    outcome = _run_stoppable(made, report, work)
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
        details = {"next_due": next_due, "waiting": waiting, "held": sorted(held), **_report_document(report)}
        if cadence:
            blank = {"id": None, "cadence": cadence, "period": planned[0].period, "state": "empty", "planned": 0}
            show_json((documents[0] if documents else {**blank, **NO_STATES}) | details)
        else:
            show_json({"editions": documents} | details)
    else:
        # What is held is told apart, with what to do.
        told = [one for one in planned if one.edition is None or one.edition.id not in held]
        stands = [one for one in shown if one[0].id not in held]
        lines = list(_planned_in_words(told, stands, report, zone))
        say(*lines or [f"Nothing {'else ' if insisted else ''}is due. The next edition is due {when(next_due, zone)}."])
        if waiting and not report.missed:
            counts = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in waiting.items())
            later = outcome.looked_at is not None and outcome.looked_at > made.clock()
            say(f"Still waiting: {counts}{f'; looked at again {when(outcome.looked_at, zone)}' if later else ''}.")
        if waiting.get(DeliveryState.IN_DOUBT_HELD):
            say("Held in doubt: may have arrived, and is not sent again by itself. Names: `mailer editions show ID`.")
        say(*held_in_words(edition for edition in outcome.held if edition not in insisted))
    _complain_of_held(outcome.held_mails, insisted)
    _complain_of_halted(outcome.halted, report)
    code = _concluded(report, zone, quiet=as_json, waiting=waiting.get(DeliveryState.PENDING, 0))
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

    edition, states, released = _run_stoppable(made, report, work)
    if as_json:
        show_json(edition_document(edition, states) | {"released": released, **_report_document(report)})
    else:
        already = edition.state == "done" and not report.outcomes
        state = "nothing left to send" if already else str(edition.state)
        say(f"{edition.cadence} {edition.period}: {state}. {states_in_words(edition.planned, states)}.")
    halted = [(edition, states)] if edition.state in _HALTED else []
    _complain_of_halted(halted, report)
    pending = 0 if halted else states[DeliveryState.PENDING]
    return _concluded(report, made.settings.site.timezone, quiet=as_json, waiting=pending) or int(bool(halted))


def _complain_of_held(mails: int, insisted: Sequence[Edition]) -> None:
    """What waits for a person's word, on standard error, so that cron mails it to them."""
    if mails:
        said = counted(mails, "confirmation mail")
        complain(f"{said} HELD, since the form may be abused. `mailer status` says why and what to do.")
    for edition in insisted:
        complain("\n".join(held_in_words([edition])))


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
        if run.limit or report.down or report.rests or report.stopped or not await database.read(ready.pending, asked):
            return


async def _halted(database: Database, asked: Iterable[int]) -> Standings:
    """Those of the editions asked for that somebody, or trouble with the relay, has paused or cancelled by now."""
    found: Standings = []
    for edition_id in asked:
        edition = await database.read(editions.by_id, edition_id)
        if edition is not None and edition.state in _HALTED:
            found.append((edition, await database.read(stats.states, edition_id)))
    return found


def _complain_of_halted(halted: Standings, report: Report) -> None:
    """What was asked for and is not sent on, on standard error. What made this run pause it is quoted."""
    for edition, states in halted:
        name, counts = f"{edition.cadence} {edition.period}", counts_in_words(edition.planned, states)
        if edition.state == EditionState.CANCELLED:
            complain(f"{name} was cancelled meanwhile: {counts}. Its articles come with the next edition.")
        elif edition.reason:
            _, said = report.paused.get(edition.id, ("", ""))
            quoted = f" It was said: {said.rstrip('.')}." if said else ""
            go_on = f"Then: mailer editions resume {edition.id}"
            complain(f"{name} is paused: {why_paused(edition)}.{quoted} {counts}. {go_on}")
        else:
            complain(f"{name} is paused by hand: {counts}. Go on: mailer editions resume {edition.id}")


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


def _chosen(made: Parts, cadence: str | None) -> list[Cadence]:
    return [made.cadence(cadence)] if cadence else list(made.cadences().values())


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


def _planned_in_words(
    planned: Sequence[Planned], shown: Sequence[tuple[Edition, dict[str, int]]], report: Report, zone: str
) -> Iterable[str]:
    """A line or two for each edition."""
    stands = {edition.id: (edition, states) for edition, states in shown}
    for one in planned:
        due = f"The next one is due {when(one.next_due, zone)}."
        edition = one.edition
        if edition is None:
            if len(planned) == 1:
                yield f"Nobody to send {one.period} to: this cadence has no active reader. {due}"
            continue
        name = f"{edition.cadence} {edition.period}"
        if edition.state == "empty":
            if len(planned) > 1 and not one.fresh:
                continue
            if not one.fresh:
                yield f"{name}: made already, and empty; what came since is in the next one. {due}"
                continue
            why = "held back: fewer articles than min_articles" if one.held_back else "nothing new"
            yield f"{name}: {why}, so nothing is sent. {due}"
        elif edition.id in stands:
            edition, states = stands[edition.id]
            done = not one.fresh and not report.outcomes
            already = "already sent" if edition.state == "done" and states["accepted"] else edition.state
            yield f"{name}: {already if done else edition.state}. {states_in_words(edition.planned, states)}. {due}"
    for edition, states in shown:
        if edition.id not in {one.edition.id for one in planned if one.edition is not None}:
            yield f"{edition.cadence} {edition.period}: {edition.state}. {states_in_words(edition.planned, states)}."


def _concluded(report: Report, zone: str, *, quiet: bool, waiting: int = 0) -> int:
    """Name who was not reached and why, and give the exit code. Raises RelayDown.

    `waiting`: how many could be sent if a relay took them. That a quota is used up is no fault of the run.
    """
    if report.rendered and not quiet:
        each = report.rendering * 1000 / report.rendered
        mails = counted(report.rendered, "mail")
        tell(f"The theme asks who reads (`reader`), so {mails} had to be rendered for one reader: {each:.1f} ms each.")
    _name_the_missed(report, zone)
    troubled = not all(rest.quota for rest in report.rests.values()) or bool(report.troubles)
    for line in (*troubles_in_words(report), *rests_in_words(report, waiting, zone)):
        if troubled:
            complain(line)
        elif not quiet:
            say(line)
    if report.stopped:
        complain("Stopped as asked. Run the same command again to go on.")
    if report.down:
        since = f" (since {when(report.down_since, zone)})" if report.down_since else ""
        sentence = f"The relay is down{since}: {report.down}. Nobody counts as failed for it; run this again later."
        if quiet:
            complain(sentence)
            return RelayDown.exit_code
        raise RelayDown(sentence)
    return int(bool(report.missed or report.stopped or (waiting and troubled)))


def _name_the_missed(report: Report, zone: str) -> None:
    if report.missed:
        complain(f"{report.missed:,} not reached in this run:")
        # First those whom nothing will try again.
        for who in sorted(report.unreached.values(), key=lambda who: who.next_at is not None)[:NAMED]:
            again = f"; looked at again {when(who.next_at, zone)}" if who.next_at else ""
            complain(f"  {who.address}: {who.state.replace('_', ' ')}, {who.said}{again}")
        if report.missed > NAMED:
            complain(f"  and {report.missed - NAMED:,} more: mailer editions show ID")


def _prospect_in_words(prospect: Prospect, zone: str) -> str:
    name = f"{prospect.cadence.name} {prospect.period}"
    due = f"The next one is due {when(prospect.next_due, zone)}."
    if prospect.made is not None:
        return f"{name}: made already ({prospect.made.state}, {counted(prospect.made.planned, 'reader')}). {due}"
    arrangement = prospect.arrangement
    if arrangement is None or not arrangement.batches:
        return f"{name}: {_why_nothing(arrangement)}, so nothing would be sent. {due}"
    lines = [f"{name}: would go to {counted(arrangement.readers, 'reader')}. Due since {when(prospect.due, zone)}."]
    for batch in arrangement.batches:
        lines.append(f"  {counted(batch.readers, 'reader')}, {counted(batch.pick.total, 'article')}:")
        lines += [f"    {article.draft.title}" for article in batch.pick.articles[:5]]
        if batch.pick.total > 5:  # noqa: PLR2004  # enough to know it by
            lines.append(f"    and {batch.pick.total - 5} more")
    return "\n".join(lines)


def _why_nothing(arrangement: Arrangement | None) -> str:
    if arrangement is None or not arrangement.shares:
        return "no active reader"
    if any(share.held_back for share in arrangement.shares):
        return "fewer new articles than min_articles"
    return "nothing new"


def _prospect_document(prospect: Prospect, states: Mapping[str, int]) -> dict[str, Any]:
    arrangement = prospect.arrangement
    planned = prospect.made.planned if prospect.made else (arrangement.readers if arrangement else 0)
    batches = arrangement.batches if arrangement else ()
    return {
        "cadence": prospect.cadence.name,
        "period": prospect.period,
        "state": prospect.made.state if prospect.made else ("planning" if batches else "empty"),
        "planned": planned,
        **(states if prospect.made else {**NO_STATES, DeliveryState.PENDING.value: planned}),
        "due_at": prospect.due,
        "next_due": prospect.next_due,
        "dry_run": True,
        "variants": [
            {
                "readers": batch.readers,
                "articles": [article.seq for article in batch.pick.articles],
                "more": batch.pick.more,
            }
            for batch in batches
        ],
    }


def _report_document(report: Report) -> dict[str, Any]:
    return {
        "sent": report.sent,
        "rendered_per_reader": report.rendered,
        "rendering_ms": round(report.rendering * 1000, 1),
        "not_reached": [
            {"address": who.address, "state": who.state, "said": who.said, "next_at": who.next_at}
            for who in report.unreached.values()
        ],
        "stopped": report.stopped,
        **report_document(report),
    }


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


def _run(made: Parts, work: Callable[[Database], Awaitable[T]]) -> T:
    async def go() -> T:
        return await work(database)

    with made.open_database() as database:
        return asyncio.run(go())


def _run_stoppable(made: Parts, report: Report, work: Callable[[Database, asyncio.Event], Awaitable[T]]) -> T:
    """Run with a stop event: the first SIGTERM or Ctrl-C ends cleanly, the second at once.

    What `work` can't go on from is told together with how far `report` says that it came.
    """

    async def go() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def asked() -> None:
            stop.set()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, at_once)
            tell("Stopping after the messages that are on their way; once more to stop at once.")

        def at_once(number: int, _frame: object) -> None:
            most = sum(relay.connections for relay in made.settings.relays().values())
            tell(
                f"Stopped at once: up to {counted(most, 'message')} on the way may be in doubt. "
                "The next run names them, and sends the rest."
            )
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

        for number in _SIGNALS:
            loop.add_signal_handler(number, asked)
        return await work(database, stop)

    if is_out_of_files(FILES):
        raise OutOfFiles
    with made.open_database() as database:
        gc.freeze()  # what is there by now stays to the end
        try:
            return run_loop(go())
        except (StoreError, OutOfFiles, SigningFailed) as error:
            if not report.tried:
                raise
            raise type(error)(f"{error}\n{report.sent:,} sent in this run; the rest waits.") from error
