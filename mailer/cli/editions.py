"""`mailer editions`: what was sent, to how many, and who did not get it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.drafts import change_draft, show_draft
from mailer.cli.output import JSON, counted, say, show_json, show_table, when
from mailer.cli.session import LARGEST, NOW, parts, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from mailer.store.editions import Edition, Variant
    from mailer.store.stats import Missed

app = typer.Typer(
    no_args_is_help=True, help="The editions that were made, and the one that is coming.", rich_markup_mode=None
)

ID = typer.Argument(metavar="ID", max=LARGEST)


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
    edition: int = ID,
    limit: int = typer.Option(50, "--limit", min=1, max=LARGEST, help="How many readers who did not get it are named."),
    as_json: bool = JSON,
) -> None:
    """Show one edition: its states, its variants, and who did not get it."""
    made = parts(context)
    detail = run(made, lambda database: database.read(_read, edition, limit))
    if as_json:
        show_json(_document(detail, made.settings.site_value().public_url))
    else:
        _tell(detail, made.settings.site.timezone, made.settings.site_value().public_url)


@dataclass(frozen=True, slots=True)
class _Detail:
    """What is known of one edition. `readers`: by variant. `said`: the relay's last refusal of a mail of it."""

    edition: "Edition"
    states: "Mapping[str, int]"
    variants: "Sequence[Variant]"
    readers: "Mapping[int, int]"
    missed: "Sequence[Missed]"
    said: str


def _read(connection: "Connection", edition: int, limit: int) -> _Detail:
    """Raises NotFound."""
    from mailer.errors import NotFound
    from mailer.store import editions, stats, underway

    found = editions.by_id(connection, edition)
    if found is None:
        raise NotFound(f"There is no edition {edition}. `mailer editions list` shows them.")
    return _Detail(
        found,
        stats.states(connection, edition),
        editions.variants_of(connection, edition),
        stats.readers_by_variant(connection, edition),
        stats.missed(connection, edition, limit),
        underway.last_refusal(connection, edition) if found.state == "paused" and found.reason else "",
    )


def _address(detail: _Detail, variant: "Variant", public_url: str) -> str | None:
    """Of the variant's page; None where the edition isn't out."""
    from mailer.core.edition_page import PUBLIC, edition_path

    found = detail.edition
    if found.state not in PUBLIC:
        return None
    return public_url + edition_path(found.cadence, found.period, variant.number)


def _document(detail: _Detail, public_url: str) -> dict[str, Any]:
    found = detail.edition
    return edition_document(found, detail.states) | {
        "due_at": found.due_at,
        "planned_at": found.planned_at,
        "done_at": found.done_at,
        "intro": found.intro,
        "findings": found.findings,
        "variants": [
            {
                "readers": detail.readers.get(variant.id, 0),
                "subject": variant.subject,
                "url": _address(detail, variant, public_url),
                "articles": variant.articles,
                "more": variant.more,
            }
            for variant in detail.variants
        ],
        "not_reached": [
            {
                "address": one.address,
                "state": one.state,
                "reason": one.reason,
                "said": one.said,
                "next_at": one.next_at,
            }
            for one in detail.missed
        ],
    }


def _tell(detail: _Detail, zone: str, public_url: str) -> None:
    from mailer.cli.holds import held_in_words
    from mailer.cli.pauses import paused_in_words

    found = detail.edition
    say(f"{found.cadence} {found.period}: {found.state}", f"Planned {when(found.planned_at, zone)}", "")
    if found.state == "held":
        say(*held_in_words([found]), "")
    if found.state == "paused":
        say(*paused_in_words(found, detail.states, detail.said), "")
    if found.findings:
        say("Lint found:", *(f"  {finding}" for finding in found.findings), "")
    say(states_in_words(found.planned, detail.states), "")
    for variant in detail.variants:
        more = f" and {variant.more} more" if variant.more else ""
        held = counted(len(variant.articles), "article")
        say(f"{counted(detail.readers.get(variant.id, 0), 'reader')}: {variant.subject} ({held}{more})")
        if address := _address(detail, variant, public_url):
            say(f"  {address}")
    if detail.missed:
        say("")
        show_table(
            ("Not reached", "State", "Why", "Looked at again"),
            [(one.address, one.state, one.said or one.reason, when(one.next_at, zone)) for one in detail.missed],
            empty="",
        )


@app.command()
def send(context: typer.Context, edition: int = ID, now: str | None = NOW, as_json: bool = JSON) -> None:
    """Let a held edition go and send it; one that isn't held is sent on.

    Where it was held because a feed changed the ids of its articles, those count as news from now on.
    """
    from mailer.cli.sending import send_edition

    made = parts(context, now)
    made.refuse_to_send()
    raise typer.Exit(send_edition(made, edition, as_json=as_json))


@app.command()
def skip(
    context: typer.Context,
    edition: int = ID,
    anew: bool = typer.Option(False, "--anew", help="Forget that it was made: the next `mailer send` makes it again."),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Refuse a held edition. Its articles come with the next one.

    Where it was held because a feed changed the ids of its articles, those count as old and are never mailed.
    """
    from mailer.flows import releasing

    made = parts(context, now)
    found = run(made, lambda database: releasing.skip(database, edition, now=made.clock(), anew=anew))
    if as_json:
        show_json({"id": found.id, "cadence": found.cadence, "period": found.period, "skipped": True, "anew": anew})
        return
    old = " What its feed only renamed counts as old." if found.reason == "guid_storm" else ""
    name = f"{found.cadence} {found.period}"
    if anew:
        say(f"Forgot {name}.{old} Make it again: mailer send --cadence {found.cadence}")
    else:
        rest = "Its other articles" if old else "Its articles"
        say(f"Skipped {name}: nobody gets it.{old} {rest} come with the next edition.")


@app.command()
def draft(
    context: typer.Context,
    cadence: str = typer.Option(..., "--cadence", help="daily, weekly, monthly, or one of your own."),
    intro: str | None = typer.Option(None, "--intro", metavar="MARKDOWN", help="Words before the first article."),
    intro_file: Path | None = typer.Option(
        None, "--intro-file", metavar="FILE", help="The same from a file, - for input."
    ),
    order: str | None = typer.Option(
        None, "--order", metavar="ID,ID", help="The articles to come first, in this order."
    ),
    clear: bool = typer.Option(False, "--clear", help="Forget what was kept."),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Keep an intro and an order of articles for the coming edition; without options, show what it would hold.

    What is kept is used once, by the next edition of this cadence that is made.
    """
    made = parts(context, now)
    made.cadence(cadence)
    change_draft(made, cadence, intro=intro, intro_file=intro_file, order=order, clear=clear)
    show_draft(made, cadence, as_json=as_json)


def edition_document(edition: "Edition", states: "Mapping[str, int]") -> dict[str, Any]:
    """What programs are told of an edition: a count for each state of a delivery beside what it is."""
    return {
        "id": edition.id,
        "cadence": edition.cadence,
        "period": edition.period,
        "state": edition.state,
        "reason": edition.reason or None,
        "planned": edition.planned,
        **states,
    }


def states_in_words(planned: int, states: "Mapping[str, int]") -> str:
    """'120 planned: 117 accepted, 2 deferred, 1 failed'."""
    counts = [f"{count:,} {state.replace('_', ' ')}" for state, count in states.items() if count]
    return f"{planned:,} planned: {', '.join(counts) or 'nobody'}"
