"""`mailer dkim`: the key by which a domain vouches for the mails. A private key itself is never shown."""

import os
from collections.abc import Callable
from pathlib import Path

import typer

from mailer.cli.output import JSON, say, show_json
from mailer.cli.session import parts, settings_path

app = typer.Typer(no_args_is_help=True, help="The key that signs the mails (DKIM).", rich_markup_mode=None)


@app.callback()
def _dkim() -> None:
    """The key that signs the mails (DKIM)."""


@app.command()
def generate(
    context: typer.Context,
    domain: str | None = typer.Option(
        None, "--domain", help="The domain that vouches. Default: [dkim] domain, else that of [site] from_address."
    ),
    selector: str | None = typer.Option(
        None, "--selector", help="The key's name in the DNS, new for each key. Default: 'mailer' and the month."
    ),
    ed25519: bool = typer.Option(False, "--ed25519", help="An Ed25519 key, to stand beside the RSA key."),
    as_json: bool = JSON,
) -> None:
    """Make a key, write it to a file beside the settings, and say what to write into the DNS and the settings.

    Nothing is signed with it until the settings name it. A file that is there is never written over.
    """
    from mailer.signing.keys import fresh_key, record_strings, write_key

    domain, selector = _names(context, domain, selector, ed25519=ed25519)
    config = settings_path(context) or Path(os.environ.get("MAILER_CONFIG") or "config.toml")
    file = config.parent / f"dkim-{selector}.pem"
    pem = fresh_key(ed25519=ed25519)
    write_key(file, pem)
    name, strings = f"{selector}._domainkey.{domain}", record_strings(pem)
    prefix = "ed25519_" if ed25519 else ""
    settings = {"domain": domain, f"{prefix}selector": selector, f"{prefix}key_file": file.name}
    if as_json:
        record = {"name": name, "type": "TXT", "value": "".join(strings), "strings": strings}
        show_json({"file": str(file), "record": record, "settings": settings})
        return
    say(f"The key is in {file}; nobody else may read it.", "")
    say("1. Put this record into the DNS. Some providers want the strings joined, without quotes.", "")
    say(f"{name}. IN TXT (", *(f'    "{string}"' for string in strings), ")", "")
    if ed25519:
        del settings["domain"]  # it stands there, with the RSA key
        say("2. When the DNS has it everywhere (after an hour or so), add to [dkim], below the RSA key's lines:", "")
    else:
        say("2. When the DNS has it everywhere (after an hour or so), write into the settings:", "", "[dkim]")
    say(*(f'{key} = "{value}"' for key, value in settings.items()), "")
    say("3. Send yourself a copy, and look for 'dkim=pass' in its header where it arrives:", "")
    say("mailer send --to you@example.com --cadence weekly")


def _names(context: typer.Context, domain: str | None, selector: str | None, *, ed25519: bool) -> tuple[str, str]:
    """The domain and the selector, as they may stand in the settings. The settings are read where one isn't given."""
    from mailer.signing.options import checked_domain, checked_selector

    if domain is None or selector is None:
        made = parts(context)
        site = made.settings.site.from_address.rpartition("@")[2]
        domain = made.settings.dkim.domain or site if domain is None else domain
        month = f"mailer{made.clock():%Y%m}"
        selector = (month + "e" if ed25519 else month) if selector is None else selector
    return _checked("--domain", checked_domain, domain), _checked("--selector", checked_selector, selector)


def _checked(option: str, check: Callable[[str], str], value: str) -> str:
    from mailer.errors import Misuse

    try:
        return check(value)
    except ValueError as wrong:
        raise Misuse(f"{option} {value!r} {wrong}.") from None
