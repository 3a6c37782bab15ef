"""`mailer deliveries`: mails by name, and what you say of one that may have arrived or not."""

from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.output import JSON, say, show_json, show_table, when
from mailer.cli.session import LARGEST, NOW, parts, run

if TYPE_CHECKING:
    from mailer.core.delivery import DeliveryState
    from mailer.flows.controlling import Word
    from mailer.store.doubts import Doubted

app = typer.Typer(
    no_args_is_help=True, help="Mails to single readers, and those that may have arrived or not.", rich_markup_mode=None
)


@app.command("list")
def list_deliveries(
    context: typer.Context,
    state: str | None = typer.Option(
        None, "--state", help="in_doubt, in_doubt_held, deferred, failed, … Default: these first three."
    ),
    edition: int | None = typer.Option(None, "--edition", metavar="ID", max=LARGEST, help="Of this edition alone."),
    limit: int = typer.Option(50, "--limit", min=1, max=LARGEST, help="How many, the oldest first."),
    as_json: bool = JSON,
) -> None:
    """Show mails that are in doubt, or wait for another try; with --state, those of any state."""
    from mailer.store import doubts

    states = doubts.LISTED if state is None else (_state(state),)
    made = parts(context)
    found = run(made, lambda database: database.read(doubts.listed, states, edition, limit))
    if as_json:
        show_json([_document(one) for one in found])
        return
    zone = made.settings.site.timezone
    show_table(
        ("Id", "To", "Mail", "State", "Since", "Tried again", "Said"),
        [
            (
                one.id,
                one.address,
                one.name,
                one.state.replace("_", " "),
                when(one.since, zone),
                when(one.next_at, zone),
                one.said or one.reason.replace("_", " "),
            )
            for one in found
        ],
        empty="Nothing is in doubt, and nothing waits for another try." if state is None else f"No mail is {state}.",
    )
    if any(one.state in doubts.IN_DOUBT for one in found):
        say("", "Did it arrive? mailer deliveries resolve ID accepted; if not: again; never again: leave.")


@app.command()
def resolve(
    context: typer.Context,
    delivery: int = typer.Argument(metavar="ID", max=LARGEST),
    word: str = typer.Argument(metavar="accepted|again|leave"),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Say what became of a mail in doubt.

    accepted: it arrived. again: send a further copy. leave: never send it by itself.
    """
    from mailer.flows import controlling

    wish = _word(word)
    made = parts(context, now)
    before, after = run(
        made,
        lambda database: controlling.resolve(
            database, delivery, wish, now=made.clock(), max_age=made.settings.delivery.max_age
        ),
    )
    if as_json:
        show_json(_document(after) | {"was": before.state})
        return
    to = f"{after.name} to {after.address}"
    if wish == "accepted":
        say(f"{to} counts as arrived.")
    elif wish == "leave":
        say(f"{to} stays in doubt, and is not sent by itself.")
    elif after.edition_state == "paused":
        say(f"{to} is sent again once its edition goes on: mailer editions resume {after.edition}")
    else:
        command = "mailer send" if after.edition is None else f"mailer editions send {after.edition}"
        say(f"{to} is sent again with the next run. Now: {command}")


def _word(word: str) -> "Word":
    """Raises Misuse."""
    from mailer.errors import Misuse

    if word in {"accepted", "again", "leave"}:
        return word  # type: ignore[return-value]  # looked at in the line above
    raise Misuse(f"'{word}' says nothing of a doubt. Say accepted, again or leave.")


def _state(state: str) -> "DeliveryState":
    """Raises Misuse with the states there are."""
    from mailer.core.delivery import DeliveryState
    from mailer.errors import Misuse

    try:
        return DeliveryState(state.replace(" ", "_"))
    except ValueError:
        raise Misuse(f"There is no state '{state}'. There are: {', '.join(DeliveryState)}.") from None


def _document(one: "Doubted") -> dict[str, Any]:
    return {
        "id": one.id,
        "address": one.address,
        "edition": one.edition,
        "name": one.name,
        "state": one.state,
        "reason": one.reason or None,
        "since": one.since,
        "next_at": one.next_at,
        "said": one.said or None,
    }
