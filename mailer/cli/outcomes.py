"""How a send ended: in words, as a document, and as an exit code. Imported by the command when it runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mailer.cli.editions import states_in_words
from mailer.cli.holds import held_in_words
from mailer.cli.output import complain, counted, say, tell, when
from mailer.cli.pauses import counts_in_words, why_paused
from mailer.cli.relays import report_document, rests_in_words, troubles_in_words
from mailer.core.delivery import DeliveryState, EditionState
from mailer.errors import RelayDown
from mailer.flows.delivering import Report
from mailer.flows.planning import Planned
from mailer.store.editions import Edition

NAMED = 20
"""How many who were not reached are named on the terminal; `editions show` has the rest."""

NO_STATES: Mapping[str, int] = {state.value: 0 for state in DeliveryState}

HALTED = frozenset({EditionState.PAUSED, EditionState.CANCELLED})
Standings = list[tuple[Edition, dict[str, int]]]


def planned_in_words(
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


def concluded(report: Report, zone: str, *, quiet: bool, waiting: int = 0) -> int:
    """Name who was not reached and why, and give the exit code. Raises RelayDown.

    `waiting`: how many could be sent if a relay took them. That a quota is used up is no fault of the run.
    """
    if report.rendered and not quiet:
        each = report.rendering * 1000 / report.rendered
        mails = counted(report.rendered, "mail")
        tell(f"The theme asks who reads (`reader`), so {mails} had to be rendered for one reader: {each:.1f} ms each.")
    _name_the_missed(report, zone)
    troubled = not all(rest.quota for rest in report.rests.values()) or bool(report.troubles or report.locked_out)
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


def outcome_document(report: Report) -> dict[str, Any]:
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


def complain_of_held(mails: int, insisted: Sequence[Edition]) -> None:
    """What waits for a person's word, on standard error, so that cron mails it to them."""
    if mails:
        said = counted(mails, "confirmation mail")
        complain(f"{said} HELD, since the form may be abused. `mailer status` says why and what to do.")
    for edition in insisted:
        complain("\n".join(held_in_words([edition])))


def complain_of_halted(halted: Standings, report: Report) -> None:
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
