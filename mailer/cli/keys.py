"""`mailer keys`: the keys that sign the links in mails. A key itself is never shown."""

import os

import typer

from mailer.cli.output import JSON, counted, say, show_json, show_table
from mailer.cli.session import parts, settings_path

app = typer.Typer(no_args_is_help=True, help="The keys that sign the links in mails.", rich_markup_mode=None)


@app.command("list")
def list_(context: typer.Context, as_json: bool = JSON) -> None:
    """Show the names of the keys, the oldest first. The last one signs; links of all of them open."""
    from mailer.core.tokens import key_id

    names = [key_id(key) for key in parts(context).settings.signing_keys()]
    uses = [("signs" if number == len(names) else "verifies") for number in range(1, len(names) + 1)]
    if as_json:
        show_json([{"id": name, "signs": use == "signs"} for name, use in zip(names, uses, strict=True)])
        return
    show_table(("Key", "Use"), zip(names, uses, strict=True), empty="No keys yet. `mailer keys rotate` makes one.")


@app.command()
def rotate(context: typer.Context, as_json: bool = JSON) -> None:
    """Put a fresh key behind the others: it signs from now on. Links that are out there go on working.

    It goes where the keys are: [security] secret_keys_file, or secret_keys in the settings file.
    """
    import secrets

    from mailer.config.rotating import add_key
    from mailer.core.tokens import key_id

    settings, file = add_key(settings_path(context), os.environ, secrets.token_urlsafe(32))
    names = [key_id(key) for key in settings.signing_keys()]
    if as_json:
        show_json({"id": names[-1], "keys": names, "file": str(file)})
        return
    say(f"Key {names[-1]} in {file} signs from now on.")
    if older := len(names) - 1:
        say(f"{counted(older, 'older key')} stay{'s' if older == 1 else ''}, so links in mails that went out open.")
    say("The next `mailer send` signs with it; restart `mailer serve` where it runs. Back the file up again.")
