"""`mailer subscribers erase`: what is kept of a reader, and that it goes."""

import sys
from typing import TYPE_CHECKING

import typer

from mailer.cli.output import JSON, counted, say, show_json, tell
from mailer.cli.session import parts, run
from mailer.errors import InputError, NotFound

if TYPE_CHECKING:
    from mailer.flows.erasing import Erased

ADDRESS = typer.Argument(metavar="ADDRESS")
_GOES = (
    "What goes: the address, the name, what they chose, their consent record, what they asked for on the pages, the "
    "mails that were made for them alone, and what the relay said of them."
)
_STAYS = (
    "What stays: that a digest went out and how it ended, without a name; and a keyed hash of the address, so that no "
    "import and no restored backup brings them back."
)


def register(app: typer.Typer) -> None:
    """Put the commands on `mailer subscribers`."""
    app.command()(erase)


def erase(
    context: typer.Context,
    address: str = ADDRESS,
    yes: bool = typer.Option(False, "--yes", help="Don't ask."),
    as_json: bool = JSON,
) -> None:
    """Erase a reader and all that is known of them. This can't be undone. No mail is sent.

    Only a keyed hash of the address stays, so that no import and no restored backup brings them back.
    """
    from mailer.flows import erasing

    made = parts(context)
    email = _clean(address)
    if not yes:
        _ask(email)
    erased = run(
        made, lambda database: erasing.erase(database, email, now=made.clock(), fingerprints=made.fingerprints)
    )
    if not erased.existed and not erased.traces:
        raise NotFound(f"{email} is not among the subscribers, and nothing else is kept of it.")
    if as_json:
        show_json({"existed": erased.existed, "deliveries": erased.deliveries, "traces": erased.traces})
        return
    say(_in_words(email, erased))


def _ask(email: str) -> None:
    if not sys.stdin.isatty():
        raise InputError(f"Erasing {email} can't be undone; say --yes where there is no terminal to ask on.")
    tell(_GOES, _STAYS)
    typer.confirm(f"Erase {email}? This can't be undone.", abort=True, err=True)


def _in_words(email: str, erased: "Erased") -> str:
    if not erased.existed:
        return f"{email} was no subscriber; what else was kept of it is erased."
    rows = counted(erased.deliveries, "delivery stays", "deliveries stay")
    left = f" {rows} without a name." if erased.deliveries else ""
    return f"{email} is erased.{left} Backups made before still have them."


def _clean(address: str) -> str:
    from mailer.core.subscription import clean_address

    try:
        return clean_address(address)
    except ValueError as error:
        shown = address if address.isprintable() and address else repr(address)
        raise InputError(f"{shown}: {str(error).removesuffix('.')}.") from None
