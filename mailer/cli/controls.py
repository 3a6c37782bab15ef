"""`mailer editions pause`, `resume`, `cancel`: an edition told to wait, to go on, or to end while it is being sent."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from mailer.cli.editions import ID, edition_document
from mailer.cli.output import JSON, say, show_json
from mailer.cli.pauses import counts_in_words
from mailer.cli.session import NOW, parts, run

if TYPE_CHECKING:
    from mailer.flows.controlling import Stands
    from mailer.store.database import Database
    from mailer.wiring import Parts


def register(editions: typer.Typer) -> None:
    """Put the commands beside those on editions."""
    for command in (pause, resume, cancel):
        editions.command(command.__name__)(command)


def pause(context: typer.Context, edition: int = ID, as_json: bool = JSON) -> None:
    """Stop sending an edition, at once and whichever process sends it. What is on the wire arrives.

    Nothing of it expires while it is paused.
    """
    from mailer.flows import controlling

    stands = _told(parts(context), lambda database: controlling.pause(database, edition), as_json=as_json)
    if stands is not None:
        say(f"Paused {_in_words(stands)}. Go on: mailer editions resume {edition}")


def resume(context: typer.Context, edition: int = ID, now: str | None = NOW, as_json: bool = JSON) -> None:
    """Go on with a paused edition. A `mailer serve` or `mailer send` sends what is left.

    It is tried for [delivery] max_age from now, or until the next edition is due.
    """
    from mailer.flows import controlling

    made = parts(context, now)

    async def work(database: "Database") -> "Stands":
        return await controlling.resume(
            database,
            edition,
            now=made.clock(),
            max_age=made.settings.delivery.max_age,
            next_due=made.next_due,
        )

    stands = _told(made, work, as_json=as_json)
    if stands is None:
        return
    if stands.edition.state == "done":
        say(f"Nothing was left to send of {_in_words(stands)}. It is done.")
    else:
        say(f"Resumed {_in_words(stands)}. Send it now: mailer editions send {edition}")


def cancel(context: typer.Context, edition: int = ID, now: str | None = NOW, as_json: bool = JSON) -> None:
    """End an edition that is being sent or paused: nobody else gets it, for good. What is on the wire arrives.

    Those who didn't get it have its articles in their next edition.
    """
    from mailer.flows import controlling

    made = parts(context, now)
    stands = _told(made, lambda database: controlling.cancel(database, edition, now=made.clock()), as_json=as_json)
    if stands is not None:
        say(f"Cancelled {_in_words(stands)}. Nobody else gets it; its articles come to them with the next edition.")


def _told(made: "Parts", work: "Callable[[Database], Awaitable[Stands]]", *, as_json: bool) -> "Stands | None":
    """Carry it out. None where a program was answered already."""
    stands = run(made, work)
    if as_json:
        show_json(edition_document(stands.edition, stands.states))
        return None
    return stands


def _in_words(stands: "Stands") -> str:
    found = stands.edition
    return f"{found.cadence} {found.period}: {counts_in_words(found.planned, stands.states)}"
