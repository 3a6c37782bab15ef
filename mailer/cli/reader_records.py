"""`mailer subscribers consent|allow|erase`: what is kept of a reader, that it goes, that they may come back."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from mailer.cli.output import JSON, counted, say, show_json, tell
from mailer.cli.session import parts, run
from mailer.errors import InputError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.core.consent import ConsentEvent
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
    app.command()(consent)
    app.command()(allow)
    app.command()(erase)


def consent(context: typer.Context, address: str = ADDRESS, as_json: bool = JSON) -> None:
    """Show how and when a reader consented, and every change since: the proof, if you are asked for one."""
    from mailer.store import consent as records
    from mailer.store import subscribers

    made = parts(context)
    email = _clean(address)
    reader = run(made, lambda database: database.read(subscribers.find, email))
    if reader is None:
        raise NotFound(f"{email} is not among the subscribers, so there is no consent record.")
    record = run(made, lambda database: database.read(records.record_of, reader.id))
    if as_json:
        show_json({"email": email, "state": reader.state, "consent": [asdict(event) for event in record]})
        return
    say(f"Consent record of {email}, {reader.state} now. The oldest comes first; times are UTC.")
    told: set[str] = set()
    for event in record:
        say("", *_event_in_words(event, told))


def _event_in_words(event: "ConsentEvent", told: set[str]) -> "Iterator[str]":
    """A line, and one for each circumstance that is known. `told`: versions whose words stand above."""
    yield f"{event.at:%Y-%m-%d %H:%M:%S}  {event.event}, by {event.route}"
    wording = f"version {event.text_version}" if event.text_version else ""
    if event.text and event.text_version not in told:
        told.add(event.text_version)
        wording += f": {' '.join(event.text.split())}"
    for label, value in (
        ("detail", event.detail),
        ("statement", event.statement),
        ("page", event.source),
        ("words read", wording),
        ("language", event.language),
        ("IP", event.ip),
        ("browser", event.agent),
        ("mail", event.message_id),
    ):
        if value:
            yield f"  {label:<10}  {value}"


def allow(
    context: typer.Context,
    address: str = ADDRESS,
    consent: str = typer.Option(
        ..., "--consent", metavar="TEXT", help='Why: "wrote on 3 May 2026 that it was a slip".'
    ),
    as_json: bool = JSON,
) -> None:
    """Lift what keeps an address from being mailed, so that the person can sign up again themselves.

    A reader who bounced or complained is unsubscribed afterwards. Nobody is subscribed, and no mail is sent.
    """
    from mailer.flows import subscribing

    if not consent.strip() or not consent.isprintable():
        raise InputError("--consent: write why, in one line; it is kept as the proof.")
    made = parts(context)
    email = _clean(address)
    allowed = run(
        made,
        lambda database: subscribing.allow(
            database, email, now=made.clock(), statement=consent.strip(), fingerprints=made.fingerprints
        ),
    )
    if as_json:
        state = allowed.reader.state if allowed.reader else None
        show_json({"email": email, "lifted": allowed.lifted, "state": state})
        return
    say(f"{email} may sign up again; lifted: {', '.join(allowed.lifted)}. Nobody was subscribed, and no mail is sent.")
    if allowed.reader is None:
        say("There is no reader of that address, so there is no record to keep your words in; keep them yourself.")


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
