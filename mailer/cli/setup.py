"""`mailer init` and `mailer upgrade`: from nothing to a site that can send."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from mailer.cli.output import JSON, say, show_json
from mailer.cli.session import parts, settings_path
from mailer.errors import ConfigError, InputError


def register(app: typer.Typer) -> None:
    """Put the commands on the program."""
    app.command("init")(init)
    app.command("upgrade")(upgrade)


def init(
    context: typer.Context,
    name: str = typer.Option("", help="The site's name, as readers know it."),
    url: str = typer.Option("", help="The site's address, https://…"),
    from_address: str = typer.Option("", help="The address that mails come from."),
    postal_address: str = typer.Option("", help="The postal address in every mail's footer; the law asks for one."),
    public_url: str = typer.Option("", help="Where readers reach mailer's pages, https://… Default: the site's."),
    timezone: str = typer.Option("", help="The site's time zone, such as Europe/Berlin. Default: UTC."),
    smtp_host: str = typer.Option("", help="The SMTP relay's name."),
    smtp_port: int = typer.Option(0, show_default=False, help="Its port; else 587 for starttls, 465 for tls, 25."),
    smtp_security: str = typer.Option("", help="starttls, tls or none. Default: starttls."),
    smtp_username: str = typer.Option("", help="The name to log in with; empty: no login."),
    force: bool = typer.Option(False, "--force", help="Replace a settings file that is there; its keys are kept."),
    as_json: bool = JSON,
) -> None:
    """Write config.toml with fresh keys, and make the database.

    Asks for what is not given, if there is a terminal. The relay's password is better in the environment
    (MAILER_SMTP__PASSWORD) or in a file of its own ([smtp] password_file) than in an option.
    """
    import secrets

    from mailer.config import parse, write_config
    from mailer.store.upgrade import upgrade as make_database

    path = settings_path(context) or Path(os.environ.get("MAILER_CONFIG") or "config.toml")
    keys = _keys_kept(path, force=force)
    site = {
        "name": _answer("The site's name", name),
        "url": _with_scheme(_answer("Its address (https://…)", url)),
        "from_address": _answer("The address that mails come from", from_address),
        "postal_address": _answer("The postal address for the footer (the law asks for one)", postal_address),
        "timezone": timezone,
    }
    usual = {"starttls": 587, "tls": 465, "none": 25}
    host = _answer("The SMTP relay's name", smtp_host, default="localhost")
    security = smtp_security or "starttls"
    port = smtp_port or usual.get(security, 587)
    smtp = {"host": host, "security": security, "username": smtp_username}
    answers: dict[str, dict[str, str | int]] = {
        "site": {key: value for key, value in site.items() if value},
        "smtp": {key: value for key, value in smtp.items() if value} | {"port": port},
    }
    if public_url:
        answers["web"] = {"public_url": public_url}
    text = write_config(answers, secret_keys=[*keys, secrets.token_urlsafe(32)])
    settings = parse(text, path.absolute(), os.environ)
    make_database(settings.store.url)
    _write_private(path, text)
    option = f" --config {path}" if path != Path("config.toml") else ""
    following = (
        f"mailer{option} feeds add {settings.site.url}/feed.xml",
        f'mailer{option} subscribers add you@example.com --cadence weekly --confirmed --consent "my own address"',
        f"mailer{option} preview --cadence weekly",
    )
    if as_json:
        show_json({"config": str(path), "store": settings.store.url, "next": following})
        return
    fresh = "the old keys and a fresh one" if keys else "a fresh key"
    say(f"Wrote {path} (readable by you alone, with {fresh}) and made the database.")
    pages = settings.site_value().public_url
    say(f"Readers' links lead to {pages}, where `mailer serve` has to be reached; [web] public_url changes it.")
    say(f"Relay: {host} port {port}, {security}, {smtp_username or 'no login'}; [smtp] changes it.", "Next:")
    say(*(f"  {command}" for command in following))


def _keys_kept(path: Path, *, force: bool) -> Sequence[str]:
    """The keys of the settings that are replaced: links in mails that went out live on. Raises InputError."""
    from mailer.config import load

    if path.exists() and not force:
        raise InputError(f"{path} is there already. Change it by hand, or say --force to replace it.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"The folder {path.absolute().parent} does not exist. Make it first.")
    if not path.exists():
        return ()
    try:
        return load(path, {}).signing_keys()
    except ConfigError as error:
        raise InputError(
            f"{path} can't be replaced as it is: its keys are needed for links in mails that went out, and it is not "
            f"right ({error.complaints[0].removesuffix('.')}). Mend it, or move it away."
        ) from None


def upgrade(context: typer.Context, as_json: bool = JSON) -> None:
    """Make the database, or bring its tables up to this program's."""
    made = parts(context)
    from mailer.store.upgrade import upgrade as bring_up

    before, now = bring_up(made.settings.store.url)
    if as_json:
        show_json({"before": before or None, "version": now})
    elif before == now:
        say(f"The database is of version {now} already.")
    else:
        say(f"The database is of version {now} now." if before else f"Made the database, version {now}.")


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads: it holds keys. All of it or nothing."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        beside.replace(path)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}.") from None


def _with_scheme(address: str) -> str:
    """'site.example' as people type it is 'https://site.example'."""
    return address if "://" in address or not address else f"https://{address}"


def _answer(question: str, given: str, default: str = "") -> str:
    """What was given as an option, else what the terminal answers, else the default."""
    if given or not sys.stdin.isatty():
        return given or default
    return str(typer.prompt(question, default=default or None, show_default=bool(default)))
