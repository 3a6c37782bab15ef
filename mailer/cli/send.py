"""`mailer send`: plan what is due and send it."""

import typer

from mailer.cli.output import JSON
from mailer.cli.session import NOW, parts


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("send")(send)


def send(
    context: typer.Context,
    cadence: str = typer.Option("", "--cadence", help="daily, weekly, monthly, or one of your own."),
    now: str = NOW,
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would go to how many; write and send nothing."),
    to: str = typer.Option("", "--to", metavar="ADDRESS", help="Send one test copy there; it counts nowhere."),
    limit: int = typer.Option(0, "--limit", min=0, help="Send to at most so many readers in this run; 0: to all."),
    wait: bool = typer.Option(False, "--wait", help="Stay until retries and doubts are settled."),
    as_json: bool = JSON,
) -> None:
    """Make the edition that is due, unless it is made already, and send it to everyone who has not got it.

    Without --cadence: whatever is due, of every cadence, retries included. That is the line for cron.

    Exit codes: 0 done; 1 somebody was not reached in this run; 2 wrong settings or options; 3 the relay is down.
    """
    from mailer.cli.sending import rehearse, send_due, send_test_copy
    from mailer.errors import InputError

    made = parts(context, now)
    made.refuse_to_send()
    if to and not cadence:
        raise InputError("--to needs --cadence: which digest shall the test copy be of?")
    if dry_run:
        rehearse(made, cadence, as_json=as_json)
    elif to:
        raise typer.Exit(send_test_copy(made, cadence, to, as_json=as_json))
    else:
        raise typer.Exit(send_due(made, cadence, limit=limit or None, wait=wait, as_json=as_json))
