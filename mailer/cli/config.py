"""`mailer config`: are the settings right, and what could be set."""

import os

import typer

from mailer.cli.output import JSON, complain, say, show_json, tell
from mailer.cli.session import parts, settings_path

app = typer.Typer(no_args_is_help=True, help="Check the settings.", rich_markup_mode=None)


@app.command()
def check(context: typer.Context, as_json: bool = JSON) -> None:
    """List every wrong or unknown key, with what is allowed, and what keeps mails from being sent."""
    from mailer.config import why_not_send
    from mailer.errors import ConfigError, TemplateError

    complaints: list[str] = []
    warnings: tuple[str, ...] = ()
    try:
        made = parts(context)
        complaints = why_not_send(made.settings)
        warnings = made.composer().templates.warnings
    except ConfigError as error:
        complaints = list(error.complaints)
    except TemplateError as error:
        complaints = [*complaints, *str(error).split("\n")]
    if as_json:
        show_json({"ok": not complaints, "complaints": complaints, "warnings": warnings})
    else:
        for complaint in complaints:
            complain(complaint)
        tell(*warnings)
        if not complaints:
            say(f"{settings_path(context) or os.environ.get('MAILER_CONFIG') or 'config.toml'}: all right.")
    if complaints:
        raise typer.Exit(2)


@app.command()
def example() -> None:
    """Print an example with every key there is, its default and what it does."""
    from mailer.config import example as text

    typer.echo(text(), nl=False)
