"""`mailer status` and `mailer signups`: how things stand, what needs you, and what to do."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.output import JSON, counted, say, show_json, when
from mailer.cli.session import parts, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.cli.relays import Quota
    from mailer.store.editions import Edition
    from mailer.store.signups import Standing
    from mailer.store.underway import Underway
    from mailer.wiring import Parts

app = typer.Typer(no_args_is_help=True, help="Confirmation mails that are held.", rich_markup_mode=None)

EVERY = 2.0
"""Seconds between two looks of `--watch`."""


def register(program: typer.Typer) -> None:
    """Put the commands on the program."""
    program.command("status")(status)
    program.add_typer(app, name="signups")


def status(
    context: typer.Context,
    watch: bool = typer.Option(False, "--watch", help="Show it again every 2 seconds, or SECONDS, until Ctrl-C."),
    seconds: float | None = typer.Argument(None, metavar="[SECONDS]", min=0.1, help="With --watch: how often."),
    as_json: bool = JSON,
) -> None:
    """Show how things stand.

    What needs you first, then what is being sent and how fast, readers, mail that waits, and how the form is used.
    """
    from mailer.errors import Misuse

    if watch and as_json:
        raise Misuse("--watch shows one look after another, --json is one document: take one of them.")
    if seconds is not None and not watch:
        raise Misuse("How often is said with --watch: mailer status --watch 5")
    made = parts(context)
    if watch:
        from mailer.cli import watching

        # The database is opened for each look, so that nothing is held while nobody looks.
        watching.watch(lambda: list(_in_words(made, _look(made))), seconds or EVERY)
        return
    found = _look(made)
    if as_json:
        show_json(_document(found))
    else:
        say(*_in_words(made, found))


@dataclass(frozen=True, slots=True)
class _Look:
    """How things stand at `now`. `waiting`: unfinished deliveries by state. `held`: editions. `quotas`: of relays.

    `minute`: the last full one, since 1970; `rate`: what each relay accepted in it.
    """

    now: datetime
    signups: "Standing"
    readers: "Mapping[str, int]"
    waiting: "Mapping[str, int]"
    held: "Sequence[Edition]"
    underway: "Underway"
    minute: int
    rate: "Mapping[str, int]"
    quotas: "Sequence[Quota]"


def _look(made: "Parts") -> _Look:
    import asyncio

    from mailer.cli.relays import quotas
    from mailer.core.quota import minute_of
    from mailer.flows import holding
    from mailer.store import editions, stats, subscribers, underway, usage

    now = made.clock()
    signups, readers, waiting, held, sending, used = run(
        made,
        lambda database: asyncio.gather(
            holding.standing(database, now=now),
            database.read(subscribers.by_state),
            database.read(stats.unfinished),
            database.read(editions.held),
            database.read(underway.look),
            database.read(usage.last_day, now),
        ),
    )
    minute = minute_of(now) - 1
    rate, quota = usage.accepted_in(used, minute), quotas(made.settings.relays(), used, now)
    return _Look(now, signups, readers, waiting, held, sending, minute, rate, quota)


def _document(found: _Look) -> dict[str, Any]:
    from mailer.cli.underway import underway_document

    signups = found.signups
    return {
        "readers": found.readers,
        "unfinished": found.waiting,
        "held_editions": [edition.id for edition in found.held],
        "paused_editions": [one.edition.id for one in found.underway.progress if one.edition.state == "paused"],
        **underway_document(found.underway),
        "rate": {"minute": datetime.fromtimestamp(found.minute * 60, UTC), "accepted": dict(found.rate)},
        "quotas": found.quotas,
        "signups": {
            "held_since": signups.held_since,
            "held": signups.held,
            "waiting": signups.waiting,
            "last_24_hours": signups.day,
            "networks_last_hour": dict(signups.networks),
            "domains_last_hour": dict(signups.domains),
        },
    }


def _in_words(made: "Parts", found: _Look) -> "Iterator[str]":
    from mailer.cli.holds import held_in_words
    from mailer.cli.relays import quota_in_words
    from mailer.cli.underway import paused_in_status, underway_in_words

    zone, signups = made.settings.site.timezone, found.signups
    yield from _held_in_words(made, signups)
    yield from held_in_words(found.held)
    yield from paused_in_status(found.underway)
    yield from underway_in_words(found.underway, found.waiting, found.rate, found.now, zone)
    yield from (quota_in_words(quota, zone) for quota in found.quotas)
    said = ", ".join(f"{count:,} {state}" for state, count in found.readers.items())
    yield f"Readers: {said or 'none yet'}."
    rows = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in found.waiting.items())
    yield f"Mail that waits: {rows or 'none'}."
    if signups.waiting:
        pace = made.settings.signup.operator_per_hour
        yield f"Confirmation mails that wait for their turn: {signups.waiting:,}, {pace:,} an hour."
    forms = ", ".join(f"{count:,} {outcome}" for outcome, count in signups.day.items())
    yield f"Sign-up forms in the last 24 hours: {forms or 'none'}."


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
