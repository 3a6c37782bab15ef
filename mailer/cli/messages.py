"""`mailer messages`: the words of the mails, in every language."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mailer.cli.output import JSON, complain, counted, say, show_json, tell
from mailer.cli.session import parts, settings_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.wiring import Parts

app = typer.Typer(no_args_is_help=True, help="Look after the languages of the mails.", rich_markup_mode=None)


@app.callback()
def messages() -> None:
    """Keep `check` a command of its own where it is the only one."""


@app.command()
def check(
    context: typer.Context,
    language: list[str] = typer.Option([], "--language", metavar="TAG", help="Only this one; may be repeated."),
    as_json: bool = JSON,
) -> None:
    """List sentences that a language lacks, fuzzy and obsolete ones, and places like %(date)s that don't fit.

    Sentences of your own templates are looked for, too, in locale/<language>/LC_MESSAGES/mailer.po of the folder
    [theme] templates names. What is missing is said in English. Without settings, the words that come with mailer.
    """
    from mailer.errors import Misuse
    from mailer.templating import Templates, ThemeOptions

    named = settings_path(context) or os.environ.get("MAILER_CONFIG") or Path("config.toml").exists()
    templates = Templates(parts(context).settings.theme if named else ThemeOptions())
    known = sorted(templates.languages - {"en"})
    for tag in language:
        if tag not in known:
            raise Misuse(f"--language {tag}: there is no catalogue for it; there are: {', '.join(known)}.")
    found = {tag: templates.untranslated(tag) for tag in language or known}
    whole = not any(complaints for _, complaints in found.values())
    if as_json:
        languages = {tag: {"sentences": count, "complaints": wrong} for tag, (count, wrong) in found.items()}
        show_json({"ok": whole, "languages": languages})
    else:
        for tag, (count, wrong) in found.items():
            for sentence in wrong:
                complain(sentence)
            say(f"{tag}: {counted(count, 'sentence')}, {counted(len(wrong), 'complaint') if wrong else 'all right'}.")
    if not whole:
        raise typer.Exit(1)


def tell_unspoken(made: "Parts", tags: "Iterable[str]") -> None:
    """Warn of languages that readers want and mails are not written in. It needs no theme that is in order."""
    wanted = sorted(filter(None, tags))
    if not wanted:
        return
    from mailer.core.subscription import mail_language
    from mailer.templating import catalogues

    own = made.settings.theme.templates
    offered = catalogues.tags((catalogues.OURS,) if own is None else (own / "locale", catalogues.OURS))
    for tag in wanted:
        spoken = mail_language(tag, made.settings.site.language, offered)
        if spoken.partition("-")[0].lower() != tag.partition("-")[0].lower():
            tell(f"Mails are not written in '{tag}': whoever asked for that gets them in '{spoken}'.")
