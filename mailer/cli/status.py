"""`mailer status` and `mailer signups`: how things stand, what needs you, and what to do."""

from typing import TYPE_CHECKING

import typer

from mailer.cli.output import JSON, counted, say, show_json, when
from mailer.cli.session import parts, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.store.signups import Standing
    from mailer.wiring import Parts

app = typer.Typer(no_args_is_help=True, help="Confirmation mails that are held.", rich_markup_mode=None)


def register(program: typer.Typer) -> None:
    """Put the commands on the program."""
    program.command("status")(status)
    program.add_typer(app, name="signups")


def status(context: typer.Context, as_json: bool = JSON) -> None:
    """Show how things stand: what needs you first, then readers, mail that waits, and how the form is used."""
    import asyncio

    from mailer.cli.holds import held_in_words
    from mailer.flows import holding
    from mailer.store import editions, stats, subscribers

    made = parts(context)
    found, readers, waiting, held = run(
        made,
        lambda database: asyncio.gather(
            holding.standing(database, now=made.clock()),
            database.read(subscribers.by_state),
            database.read(stats.unfinished),
            database.read(editions.held),
        ),
    )
    if as_json:
        show_json(
            {
                "readers": readers,
                "unfinished": waiting,
                "held_editions": [edition.id for edition in held],
                "signups": {
                    "held_since": found.held_since,
                    "held": found.held,
                    "waiting": found.waiting,
                    "last_24_hours": found.day,
                    "networks_last_hour": dict(found.networks),
                    "domains_last_hour": dict(found.domains),
                },
            }
        )
        return
    say(*_held_in_words(made, found), *held_in_words(held))
    said = ", ".join(f"{count:,} {state}" for state, count in readers.items())
    say(f"Readers: {said or 'none yet'}.")
    rows = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in waiting.items())
    say(f"Mail that waits: {rows or 'none'}.")
    if found.waiting:
        pace = made.settings.signup.operator_per_hour
        say(f"Confirmation mails that wait for their turn: {found.waiting:,}, {pace:,} an hour.")
    forms = ", ".join(f"{count:,} {outcome}" for outcome, count in found.day.items())
    say(f"Sign-up forms in the last 24 hours: {forms or 'none'}.")


@app.command()
def release(context: typer.Context, as_json: bool = JSON) -> None:
    """Send the confirmation mails that are held, at most 100 an hour ([signup] operator_per_hour), and hold no more."""
    from mailer.flows import holding

    made = parts(context)
    count = run(made, lambda database: holding.release(database, now=made.clock()))
    _ended(count, "released", "leaves" if count == 1 else "leave", as_json=as_json)


@app.command()
def discard(context: typer.Context, as_json: bool = JSON) -> None:
    """Never send the confirmation mails that are held, and hold no more. Who is real can sign up again."""
    from mailer.flows import holding

    made = parts(context)
    count = run(made, lambda database: holding.discard(database, now=made.clock()))
    _ended(count, "discarded", "is never sent" if count == 1 else "are never sent", as_json=as_json)


def _ended(count: int, key: str, what: str, *, as_json: bool) -> None:
    if as_json:
        show_json({key: count})
    elif not count:
        say("Nothing was held.")
    else:
        say(f"{counted(count, 'confirmation mail')} {what}. New sign-ups are confirmed at once again.")


def _held_in_words(made: "Parts", found: "Standing") -> "Iterator[str]":
    if found.held_since is None:
        return
    options = made.settings.signup
    minutes = options.burst_within.total_seconds() / 60
    since = when(found.held_since, made.settings.site.timezone)
    yield (
        f"HELD since {since}: {counted(found.held, 'confirmation mail')}. More than {options.burst:,} were asked for "
        f"within {minutes:g} minutes ([signup] burst), so the form may be abused to flood somebody's mailbox."
    )
    for what, most in (("came from", found.networks), ("went to", found.domains)):
        if most:
            told = ", ".join(f"{name or 'unknown'} ({count:,})" for name, count in most)
            yield f"  Most of the last hour's forms {what} {told}."
    yield "  If they are real: mailer signups release. If not: mailer signups discard."
