"""`mailer send`: plan what is due and send it."""

import typer

from mailer.cli.output import JSON
from mailer.cli.session import NOW, parts


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("send")(send)


def send(
    context: typer.Context,
    cadence: str | None = typer.Option(None, "--cadence", help="daily, weekly, monthly, or one of your own."),
    now: str | None = NOW,
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would go to how many; write and send nothing."),
    to: str | None = typer.Option(None, "--to", metavar="ADDRESS", help="Send one test copy there; it counts nowhere."),
    limit: int | None = typer.Option(None, "--limit", min=1, help="Send to at most so many readers in this run."),
    wait: bool = typer.Option(False, "--wait", help="Stay until retries and doubts are settled."),
    as_json: bool = JSON,
) -> None:
    """Send the edition that is due to everyone due it.

    It is made unless it is made already, so that running this twice sends nothing twice.

    Without --cadence: whatever is due, of every cadence, retries included. That is the line for cron.

    Exit codes: 0 done, or nothing was due; 1 somebody was not reached in this run, or it could not be done; 2 wrong
    settings or options; 3 the relay is down.
    """
    from mailer.cli.rehearsing import rehearse
    from mailer.cli.sending import send_due, send_test_copy
    from mailer.errors import Misuse

    made = parts(context, now)
    # A script's empty variable must not turn one cadence into all, nor a test copy into the edition.
    if cadence == "":
        raise Misuse("--cadence is empty. Name one, or leave the option out to send whatever is due.")
    if to is not None and cadence is None:
        raise Misuse("--to needs --cadence: which digest shall the test copy be of?")
    if dry_run:
        rehearse(made, cadence, as_json=as_json)
        return
    made.refuse_to_send()
    if to is not None and cadence is not None:
        raise typer.Exit(send_test_copy(made, cadence, to, as_json=as_json))
    raise typer.Exit(send_due(made, cadence, limit=limit, wait=wait, as_json=as_json))
