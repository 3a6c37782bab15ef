"""`mailer subscribers`: who reads, and how often."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.messages import tell_unspoken
from mailer.cli.output import JSON, say, show_json, show_table, tell, when
from mailer.cli.session import LARGEST, parts, run
from mailer.errors import InputError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.core.subscription import Subscriber
    from mailer.store.database import Database
    from mailer.wiring import Parts

app = typer.Typer(no_args_is_help=True, help="The readers.", rich_markup_mode=None)

ADDRESS = typer.Argument(metavar="ADDRESS")
CONSENT = typer.Option("", "--consent", metavar="TEXT", help='How they consented: "asked at the desk, 3 May 2026".')
CONFIRMED = typer.Option(False, "--confirmed", help="They have agreed already, and are not asked; needs --consent.")
TOPIC = typer.Option(None, "--topic", metavar="T", help="A topic, by id or name; may be given several times.")


@app.command()
def add(
    context: typer.Context,
    address: str = ADDRESS,
    cadence: str = typer.Option(..., "--cadence", help="daily, weekly, monthly, or one of your own."),
    topic: list[str] = TOPIC,
    timezone: str = typer.Option("", "--timezone", metavar="Z", help="Their time zone; default: the site's."),
    language: str = typer.Option(
        "", "--language", metavar="TAG", help="Of their mails: de, es, …; default: the site's."
    ),
    confirmed: bool = CONFIRMED,
    consent: str = CONSENT,
    as_json: bool = JSON,
) -> None:
    """Add one reader: with --confirmed, who has agreed to it, without a mail; else they are asked by mail to confirm.

    The mail leaves with the next `mailer send`, or at once where `mailer serve` runs; at most 100 an hour
    ([signup] operator_per_hour).
    """
    from mailer.core.subscription import (
        Newcomer,
        clean_address,
        clean_cadence,
        clean_language,
        clean_timezone,
        clean_topics,
    )
    from mailer.flows import subscribing

    statement = consent_in_words(confirmed, consent)
    made = parts(context)
    refuse_to_ask(made, confirmed)
    newcomer = Newcomer(
        email=_checked(clean_address, address, address),
        cadence=_checked(lambda text: clean_cadence(text, made.cadences()), cadence, "--cadence"),
        timezone=_checked(clean_timezone, timezone, "--timezone"),
        language=_checked(clean_language, language, "--language"),
        topics=_topics(made, topic, clean_topics),
    )

    async def take_in(database: "Database") -> "Subscriber":
        await made.keep_erased(database)  # a restored backup must not make them look new
        return await subscribing.add(
            database,
            newcomer,
            now=made.clock(),
            statement=statement,
            fingerprints=made.fingerprints,
            pending=not confirmed,
        )

    reader = run(made, take_in)
    if as_json:
        show_json(_document(reader))
    elif confirmed:
        say(f"Added {reader.email}: {_in_words(made, reader)}.")
    else:
        say(f"{reader.email} is asked to confirm: {_in_words(made, reader)}.")
    tell_unspoken(made, [reader.language])


@app.command("set")
def set_(
    context: typer.Context,
    address: str = ADDRESS,
    cadence: str = typer.Option("", "--cadence", help="How often from now on."),
    topic: list[str] = typer.Option(None, "--topic", metavar="T", help="These topics from now on; 'all' for all."),
    timezone: str = typer.Option("", "--timezone", metavar="Z", help="Their time zone."),
    language: str = typer.Option(
        "", "--language", metavar="TAG", help="Of their mails: de, es, …; 'site' for the site's."
    ),
    pause_until: str = typer.Option("", "--pause-until", metavar="DATE", help="No digests before this day."),
    resume: bool = typer.Option(False, "--resume", help="End a pause now."),
    as_json: bool = JSON,
) -> None:
    """Change how often, what, or when a reader gets digests. No mail is sent."""
    from mailer.core.subscription import clean_address, clean_cadence, clean_language, clean_timezone, clean_topics
    from mailer.flows import subscribing

    made = parts(context)
    email = _checked(clean_address, address, address)
    wanted = None if not topic else () if topic in (["all"], [""]) else _topics(made, topic, clean_topics)
    new_cadence = _checked(lambda text: clean_cadence(text, made.cadences()), cadence, "--cadence") if cadence else None
    new_zone = _checked(clean_timezone, timezone, "--timezone") if timezone else None
    spoken = None if not language else "" if language == "site" else _checked(clean_language, language, "--language")
    until = _day(pause_until, new_zone or _zone_of(made, email)) if pause_until else None
    reader = run(
        made,
        lambda database: subscribing.change(
            database,
            email,
            now=made.clock(),
            cadence=new_cadence,
            topics=wanted,
            timezone=new_zone,
            language=spoken,
            pause_until=until,
            resume=resume,
        ),
    )
    tell_unspoken(made, [spoken or ""])
    if as_json:
        show_json(_document(reader))
    else:
        say(f"{reader.email}: {_in_words(made, reader)}.")


@app.command("list")
def list_(
    context: typer.Context,
    state: str = typer.Option("", "--state", help="Only these: active, paused, unsubscribed, bounced, …"),
    cadence: str = typer.Option("", "--cadence", help="Only these."),
    limit: int = typer.Option(1000, "--limit", min=1, max=LARGEST - 1, help="How many at most."),
    as_json: bool = JSON,
) -> None:
    """Show the readers, in order of joining."""
    from mailer.store import subscribers

    made = parts(context)
    wanted = known_state(state)
    found = run(
        made,
        lambda database: database.read(subscribers.page, state=wanted, cadence=cadence or None, limit=limit + 1),
    )
    if len(found) > limit:
        found.pop()
        tell(f"There are more than these {limit:,}; --limit shows more, `mailer subscribers export` all.")
    if as_json:
        show_json([_document(reader) for reader in found])
        return
    zone = made.settings.site.timezone
    show_table(
        ("Address", "State", "Cadence", "Topics", "Time zone", "Joined"),
        [
            (
                reader.email,
                reader.state,
                reader.cadence,
                ", ".join(reader.topics) or "all",
                reader.timezone,
                when(reader.joined_at, zone),
            )
            for reader in found
        ],
        empty="No such readers."
        if state or cadence
        else "No readers yet. Add one: mailer subscribers add ADDRESS --cadence weekly --confirmed --consent TEXT",
    )


@app.command()
def show(context: typer.Context, address: str = ADDRESS, as_json: bool = JSON) -> None:
    """Show one reader, how they consented, and what they were sent."""
    from mailer.core.subscription import clean_address
    from mailer.store import consent, stats, subscribers

    made = parts(context)
    email = _checked(clean_address, address, address)
    reader = run(made, lambda database: database.read(subscribers.find, email))
    if reader is None:
        raise NotFound(f"{email} is not among the subscribers.")
    record = run(made, lambda database: database.read(consent.record_of, reader.id))
    sent = run(made, lambda database: database.read(stats.history, reader.id))
    if as_json:
        events = [
            {"at": one.at, "event": one.event, "route": one.route, "statement": one.statement, "detail": one.detail}
            for one in record
        ]
        deliveries = [
            {
                "edition": edition,
                "cadence": cadence,
                "period": period,
                "subject": subject,
                "state": state,
                "reason": reason,
                "at": settled,
            }
            for edition, cadence, period, subject, state, reason, settled in sent
        ]
        show_json(_document(reader) | {"consent": events, "deliveries": deliveries})
        return
    zone = made.settings.site.timezone
    say(f"{reader.email}: {_in_words(made, reader)}")
    for one in record:
        say(f"  {when(one.at, zone)}  {one.event} by {one.route}{_tail(one.detail)}{_tail(one.statement)}")
    if sent:
        say("")
    for _, cadence, period, subject, state, reason, settled in sent:
        say(f"  {when(settled, zone):<16}  {cadence} {period}  {state}{_tail(reason)}  {subject}")


@app.command()
def remove(context: typer.Context, address: str = ADDRESS, as_json: bool = JSON) -> None:
    """Unsubscribe a reader. They get nothing more, and no import brings them back. No mail is sent."""
    from mailer.core.consent import Circumstances
    from mailer.core.subscription import clean_address
    from mailer.flows import subscribing

    made = parts(context)
    email = _checked(clean_address, address, address)
    gone = run(made, lambda database: subscribing.leave(database, email, now=made.clock(), about=Circumstances("cli")))
    if as_json:
        show_json(_document(gone.subscriber))
    elif gone.already:
        say(f"{email} was {gone.subscriber.state} already.")
    else:
        say(f"{email} is unsubscribed.")


def consent_in_words(confirmed: bool, consent: str) -> str:
    """How they consented, in one line. Whoever has to confirm first needs none: the mail asks them."""
    if confirmed and not consent.strip():
        raise InputError('--confirmed needs --consent "how and when they agreed"; it is kept as the proof.')
    if not consent.isprintable() and consent:
        raise InputError(f"--consent {consent!r}: write it in one line of UTF-8 text.")
    return consent.strip()


def refuse_to_ask(made: "Parts", confirmed: bool) -> None:
    """Whoever has to confirm is sent a mail with a signed link: raises Refused where none may leave."""
    if not confirmed:
        made.refuse_to_send()


def known_state(text: str) -> str | None:
    """The state that is asked for, None for all. A cadence, unlike it, may be one that the settings have no longer."""
    from mailer.core.subscription import State

    if text and text not in set(State):
        raise InputError(f"--state {text!r}: there are {', '.join(State)}.")
    return text or None


def _checked(check: "Callable[[str], str]", text: str, what: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        shown = what if what.isprintable() and what else repr(what)
        raise InputError(f"{shown}: {str(error).removesuffix('.')}.") from None


def _topics(made: "Parts", wanted: "list[str] | None", check: "Callable[..., tuple[str, ...]]") -> tuple[str, ...]:
    try:
        return check(wanted or [], made.settings.topics)
    except ValueError as error:
        raise InputError(f"--topic: {str(error).removesuffix('.')}.") from None


def _zone_of(made: "Parts", email: str) -> str:
    """The zone that a reader's days begin in."""
    from mailer.store import subscribers

    reader = run(made, lambda database: database.read(subscribers.find, email))
    return (reader.timezone if reader else "") or made.settings.site.timezone


def _day(text: str, timezone: str) -> datetime:
    """The beginning of a day in a time zone, or the moment itself where one is given."""
    from mailer.core.cadence import zone_named

    try:
        found = datetime.fromisoformat(text.strip())
        return (found.replace(tzinfo=zone_named(timezone)) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"--pause-until {text!r} is no date. Write it like 2026-12-24.") from None


def _in_words(made: "Parts", reader: "Subscriber") -> str:
    parts_ = [str(reader.state), reader.cadence, f"topics: {', '.join(reader.topics) or 'all'}"]
    if reader.timezone:
        parts_.append(reader.timezone)
    if reader.paused_until:
        parts_.append(f"until {when(reader.paused_until, reader.timezone or made.settings.site.timezone)}")
    return ", ".join(parts_)


def _tail(text: str) -> str:
    return f": {text}" if text else ""


def _document(reader: "Subscriber") -> dict[str, Any]:
    return {
        "email": reader.email,
        "state": reader.state,
        "cadence": reader.cadence,
        "topics": list(reader.topics),
        "timezone": reader.timezone,
        "hour": reader.hour,
        "name": reader.name,
        "language": reader.language,
        "joined_at": reader.joined_at,
        "paused_until": reader.paused_until,
    }
