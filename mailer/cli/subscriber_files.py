"""`mailer subscribers import|export`: readers from a CSV file, and into one."""

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mailer.cli.messages import tell_unspoken
from mailer.cli.output import JSON, complain, counted, say, show_json, tell
from mailer.cli.session import parts, run
from mailer.cli.subscribers import CONFIRMED, CONSENT, consent_in_words, known_state, refuse_to_ask
from mailer.errors import InputError

if TYPE_CHECKING:
    from mailer.flows.importing import ImportReport
    from mailer.store.database import Database
    from mailer.wiring import Parts

NAMED = 20
"""Refused rows named on the terminal; --json has more."""


def register(app: typer.Typer) -> None:
    """Put the commands on `mailer subscribers`."""
    app.command("import")(import_)
    app.command()(export)


def import_(
    context: typer.Context,
    file: Path = typer.Argument(metavar="FILE.csv", help="Columns email, cadence, timezone, topics, name, language."),
    cadence: str = typer.Option("", "--cadence", help="For rows without one."),
    confirmed: bool = CONFIRMED,
    consent: str = CONSENT,
    as_json: bool = JSON,
) -> None:
    """Add the readers of a CSV file. Refused rows are listed, the rest goes in; then exit code 1.

    With --confirmed: they have agreed already, and no mail is sent. Else each is asked by mail to confirm, at most 100
    an hour ([signup] operator_per_hour). Nobody who has unsubscribed, bounced, complained or is suppressed comes back.
    """
    from mailer.flows import importing
    from mailer.store import subscribers

    statement = consent_in_words(confirmed, consent)
    made = parts(context)
    refuse_to_ask(made, confirmed)
    last = [0]

    def progress(report: "ImportReport") -> None:
        if report.added - last[0] >= 100_000:  # noqa: PLR2004  # a line every second or so
            last[0] = report.added
            tell(f"{report.added:,} added, {100 * report.done // max(report.size, 1)} % of the file read")

    async def take_in(database: "Database") -> "ImportReport":
        await made.keep_erased(database)  # a restored backup must not make them look new
        return await importing.import_subscribers(
            database,
            file,
            now=made.clock(),
            cadences=made.cadences(),
            topics=made.settings.topics,
            default_cadence=cadence,
            statement=statement,
            fingerprints=made.fingerprints,
            progress=progress,
            pending=not confirmed,
        )

    report = run(made, take_in)
    tell_unspoken(made, run(made, lambda database: database.read(subscribers.languages)))
    if as_json:
        _show(report)
    else:
        _say(made, file, report, confirmed=confirmed)
    if report.refused_count:
        raise typer.Exit(1)


def _show(report: "ImportReport") -> None:
    refused = [{"line": one.line, "email": one.text, "reason": one.reason} for one in report.refused]
    show_json({"added": report.added, "already": report.already, "refused": report.refused_count, "refusals": refused})


def _say(made: "Parts", file: Path, report: "ImportReport", *, confirmed: bool) -> None:
    done = "added" if confirmed else "asked to confirm"
    say(f"{report.added:,} {done}, {report.already:,} there already, {report.refused_count:,} refused.")
    if report.added and not confirmed:
        pace = made.settings.signup.operator_per_hour
        say(f"Their mails leave at {pace:,} an hour, while `mailer serve` runs or `mailer send` is called.")
    for one in report.refused[:NAMED]:
        complain(f"{file}, line {one.line}: {one.text}: {one.reason}")
    if report.refused_count > NAMED:
        complain(f"and {report.refused_count - NAMED:,} more; --json names them")


def export(
    context: typer.Context,
    file: str = typer.Argument(metavar="FILE.csv", help="Where to; - for standard output."),
    state: str = typer.Option("", "--state", help="Only these: active, paused, unsubscribed, bounced, …"),
    cadence: str = typer.Option("", "--cadence", help="Only these."),
    as_json: bool = JSON,
) -> None:
    """Write the readers into a CSV file, readable by you alone and safe in spreadsheets."""
    from mailer.flows import importing

    if file == "-" and as_json:
        raise InputError("--json and - both want standard output; name a file.")
    if file != "-" and Path(file).is_dir():
        raise InputError(f"{file or repr(file)} is a folder; name a file in it.")
    made = parts(context)
    wanted = known_state(state)
    if file == "-" and isinstance(sys.stdout, TextIOWrapper):
        # Like a file: UTF-8, whatever the terminal speaks.
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")
    target = sys.stdout if file == "-" else Path(file)
    count = run(
        made, lambda database: importing.export_subscribers(database, target, state=wanted, cadence=cadence or None)
    )
    if as_json:
        show_json({"file": file, "readers": count})
    elif file != "-":
        say(f"Wrote {counted(count, 'reader')} to {file}.")
