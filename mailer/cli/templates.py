"""`mailer templates`: what the mails are made of, ours or your own."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mailer.cli.output import JSON, complain, counted, say, show_json, show_table, tell
from mailer.cli.session import parts, settings_path

if TYPE_CHECKING:
    from mailer.templating.overrides import Ejected

app = typer.Typer(no_args_is_help=True, help="Make a theme: templates of your own.", rich_markup_mode=None)

FOLDER = "templates"
"""Beside the settings' file: where templates go as long as [theme] templates names no folder."""
LIVE = (
    "The digest asks who reads it (`reader`), so it is rendered for each reader. `mailer preview` says what it costs."
)


@app.command("list")
def list_templates(context: typer.Context, as_json: bool = JSON) -> None:
    """Show every template: ours or yours, and what in it is each reader's own.

    leave, manage and since are filled in when a mail is sent, which costs nothing. `reader` makes the mail be rendered
    for each reader.
    """
    templates = parts(context).composer().templates
    entries = templates.inventory()
    if as_json:
        rows = [
            {
                "name": entry.name,
                "whose": "yours" if entry.own else "ours",
                "path": entry.path,
                "replaces": entry.own and entry.known,
                "personal": entry.personal,
            }
            for entry in entries
        ]
        show_json({"templates": rows, "per_reader": templates.live, "warnings": templates.warnings})
        return
    show_table(
        ("Template", "Whose", "Each reader's own"),
        [(one.name, one.path if one.own else "ours", ", ".join(one.personal)) for one in entries],
        empty="",
    )
    if templates.live:
        say("", LIVE)
    tell(*templates.warnings)


@app.command()
def eject(
    context: typer.Context,
    name: str = typer.Argument(..., metavar="NAME", help="email/digest/body.html, a whole mail like digest, or all."),
    force: bool = typer.Option(False, "--force", help="Replace files that are there."),
    as_json: bool = JSON,
) -> None:
    """Copy templates of ours into your folder, to be changed there.

    The folder is the one that [theme] templates names, else `templates` beside config.toml. What is there already
    stays as it is.
    """
    from mailer.templating.overrides import chosen
    from mailer.templating.overrides import eject as copy

    folder = parts(context).settings.theme.templates
    line = "" if folder else f'templates = "{FOLDER}"'
    if folder is None:
        file = settings_path(context) or Path(os.environ.get("MAILER_CONFIG") or "config.toml")
        folder = file.absolute().parent / FOLDER
    done = copy(chosen(name), folder, force=force)
    if as_json:
        files = [{"name": one.name, "path": str(one.path), "written": one.written} for one in done]
        show_json({"folder": str(folder), "files": files, "config": f"[theme]\n{line}" if line else None})
    else:
        _tell_of(done)
        if line:
            say("", "They are used as soon as config.toml has this:", "", "[theme]", line)
    if not all(one.written for one in done):
        raise typer.Exit(1)


@app.command()
def check(context: typer.Context, as_json: bool = JSON) -> None:
    """Compile every template of yours and render each mail with samples. Exit code 1: one of them is wrong."""
    from mailer.errors import TemplateError

    made = parts(context)
    wrong: list[str] = []
    warnings: tuple[str, ...] = ()
    own, live = 0, False
    try:
        templates = made.composer().templates
        warnings, live = templates.warnings, templates.live
        own = sum(entry.own for entry in templates.inventory())
    except TemplateError as error:
        wrong = str(error).split("\n")
    if as_json:
        show_json({"ok": not wrong, "complaints": wrong, "warnings": warnings, "per_reader": live})
    else:
        for sentence in wrong:
            complain(sentence)
        tell(*warnings)
        if not wrong:
            say(f"{counted(own, 'template')} of yours: all right." if own else "No templates of yours; ours are used.")
            say(*([LIVE] if live else []))
    if wrong:
        raise typer.Exit(1)


def _tell_of(done: "list[Ejected]") -> None:
    for one in done:
        if one.written:
            say(f"Wrote {one.path}")
        else:
            complain(f"{one.path} is there already and stays; --force replaces it.")
