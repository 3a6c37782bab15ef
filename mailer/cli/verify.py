"""`mailer verify`: do the promises hold in the ledger?"""

import typer

from mailer.cli.output import JSON, complain, say, show_json
from mailer.cli.session import parts, run


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("verify")(verify)


def verify(context: typer.Context, as_json: bool = JSON) -> None:
    """Check the ledger against the promises.

    Exit code 1 where one is broken; unfinished deliveries break none.
    """
    from mailer.flows import checking
    from mailer.store import stats

    made = parts(context)
    checks = run(made, checking.verify)
    waiting = run(made, lambda database: database.read(stats.unfinished))
    if as_json:
        show_json(
            {
                "ok": all(check.holds for check in checks),
                "checks": [{"name": check.name, "holds": check.holds, "found": check.found} for check in checks],
                "unfinished": waiting,
            }
        )
    else:
        for check in checks:
            say(f"{'ok    ' if check.holds else 'BROKEN'}  {check.name}")
            for finding in check.found:
                complain(f"{finding}. {check.meaning}")
        if waiting:
            say("Unfinished: " + ", ".join(f"{count} {state}" for state, count in waiting.items()) + ".")
    if not all(check.holds for check in checks):
        raise typer.Exit(1)
