"""`mailer editions`: what was sent, to how many, and who did not get it."""

from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.output import JSON, counted, say, show_json, show_table, when
from mailer.cli.session import LARGEST, parts, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mailer.store.editions import Edition

app = typer.Typer(no_args_is_help=True, help="The editions that were made.", rich_markup_mode=None)


@app.command("list")
def list_editions(
    context: typer.Context,
    limit: int = typer.Option(50, "--limit", min=1, max=LARGEST, help="How many, the newest first."),
    as_json: bool = JSON,
) -> None:
    """Show the editions, the newest first."""
    from mailer.store import editions, stats

    def read(connection: "Connection") -> "list[tuple[Edition, dict[str, int]]]":
        return [(one, stats.states(connection, one.id)) for one in editions.latest(connection, limit)]

    made = parts(context)
    found = run(made, lambda database: database.read(read))
    if as_json:
        show_json([edition_document(edition, states) for edition, states in found])
        return
    zone = made.settings.site.timezone
    show_table(
        ("Id", "Cadence", "Period", "State", "Planned", "Accepted", "Others", "Planned at"),
        [
            (
                edition.id,
                edition.cadence,
                edition.period,
                edition.state,
                edition.planned,
                states["accepted"],
                edition.planned - states["accepted"],
                when(edition.planned_at, zone),
            )
            for edition, states in found
        ],
        empty="No editions yet. Send one: mailer send --cadence weekly",
    )


@app.command()
def show(
    context: typer.Context,
    edition: int = typer.Argument(metavar="ID", max=LARGEST),
    limit: int = typer.Option(50, "--limit", min=1, max=LARGEST, help="How many readers who did not get it are named."),
    as_json: bool = JSON,
) -> None:
    """Show one edition: its states, its variants, and who did not get it."""
    from mailer.errors import NotFound
    from mailer.store import editions, stats

    def read(connection: "Connection") -> "tuple[Any, ...]":
        found = editions.by_id(connection, edition)
        if found is None:
            raise NotFound(f"There is no edition {edition}. `mailer editions list` shows them.")
        return (
            found,
            stats.states(connection, edition),
            editions.variants_of(connection, edition),
            stats.readers_by_variant(connection, edition),
            stats.missed(connection, edition, limit),
        )

    made = parts(context)
    found, states, variants, readers, missed = run(made, lambda database: database.read(read))
    document = edition_document(found, states) | {
        "due_at": found.due_at,
        "planned_at": found.planned_at,
        "done_at": found.done_at,
        "variants": [
            {
                "readers": readers.get(variant.id, 0),
                "subject": variant.subject,
                "articles": variant.articles,
                "more": variant.more,
            }
            for variant in variants
        ],
        "not_reached": [
            {
                "address": one.address,
                "state": one.state,
                "reason": one.reason,
                "said": one.said,
                "next_at": one.next_at,
            }
            for one in missed
        ],
    }
    if as_json:
        show_json(document)
        return
    zone = made.settings.site.timezone
    say(f"{found.cadence} {found.period}: {found.state}", f"Planned {when(found.planned_at, zone)}", "")
    say(states_in_words(found.planned, states), "")
    for variant in document["variants"]:
        more = f" and {variant['more']} more" if variant["more"] else ""
        held = counted(len(variant["articles"]), "article")
        say(f"{counted(variant['readers'], 'reader')}: {variant['subject']} ({held}{more})")
    if missed:
        say("")
        show_table(
            ("Not reached", "State", "Why", "Looked at again"),
            [(one.address, one.state, one.said or one.reason, when(one.next_at, zone)) for one in missed],
            empty="",
        )


def edition_document(edition: "Edition", states: "Mapping[str, int]") -> dict[str, Any]:
    """What programs are told of an edition: a count for each state of a delivery beside what it is."""
    return {
        "id": edition.id,
        "cadence": edition.cadence,
        "period": edition.period,
        "state": edition.state,
        "planned": edition.planned,
        **states,
    }


def states_in_words(planned: int, states: "Mapping[str, int]") -> str:
    """'120 planned: 117 accepted, 2 deferred, 1 failed'."""
    counts = [f"{count:,} {state.replace('_', ' ')}" for state, count in states.items() if count]
    return f"{planned:,} planned: {', '.join(counts) or 'nobody'}"
