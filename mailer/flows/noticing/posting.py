"""Mails about subscriptions that are wanted: composed one after another, and put into the outbox.

What a form or a page causes is written down with it; composing takes milliseconds, and must not tell by its time
whether there was anything to compose.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.core.cadence import Cadence, zone_named
from mailer.core.confirmation import Confirmation
from mailer.core.consent import ConsentEvent
from mailer.core.facts import events_of, facts_of
from mailer.core.frame import Site
from mailer.core.notice import Already, Changed, Confirm, Copy, Erase, Goodbye, Move, Moved, Notice, Welcome
from mailer.core.signup import SignupOptions
from mailer.core.subscription import LISTENING, State, Subscriber, mail_language, mask
from mailer.core.tokens import Purpose, Wish, key_id, seal_wish
from mailer.errors import MailerError, Refused, TemplateError
from mailer.flows.noticing import compile_notice
from mailer.store import confirmations, consent, notices, published, stats, subscribers
from mailer.store.database import Database
from mailer.store.notices import Posted, Wanted
from mailer.templating import Templates

AT_ONCE = 50
"""Wanted mails looked at together."""
_STATES: Mapping[str, frozenset[State]] = {
    "confirm": frozenset({State.PENDING, State.UNSUBSCRIBED, State.BOUNCED}),
    "goodbye": frozenset({State.UNSUBSCRIBED}),
}
"""Where a reader must be for a mail of a kind; of the others, on the list."""


@dataclass(frozen=True, slots=True)
class Supplies:
    """What every such mail is made with. `keys`: the last signs. `draw`: 32 unforeseeable hexadecimal digits.

    `cadences`: those that are offered. `topics`: id to name. `timezone`: the site's. `max_age`: of a mail.
    """

    site: Site
    timezone: str
    cadences: Mapping[str, Cadence]
    topics: Mapping[str, str]
    templates: Templates
    keys: Sequence[str]
    draw: Callable[[], str]
    options: SignupOptions
    max_age: timedelta


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a wanted mail when it is composed. `latest`: the path of the latest digest's page, or ''."""

    wanted: Wanted
    reader: Subscriber
    wish: Confirmation | None
    latest: str
    record: Sequence[ConsentEvent]
    digests: int


async def post(database: Database, supplies: Supplies, *, now: datetime) -> int:
    """Compose what is wanted now and put it into the outbox. Returns how many.

    Raises StoreError, and TemplateError or Refused for the first one that can't be composed, after the others.
    """
    posted, broken = 0, dict[int, MailerError]()
    per_hour = supplies.options.operator_per_hour
    while True:
        limit = AT_ONCE + len(broken)
        found = await database.read(notices.waiting, now=now, throttled_per_hour=per_hour, limit=limit)
        fresh = [wanted for wanted in found if wanted.id not in broken]
        for wanted in fresh:
            try:
                posted += await _post_one(database, supplies, wanted, now)
            except (TemplateError, Refused) as error:  # it waits; those behind it don't
                broken[wanted.id] = error
        if not fresh:
            break
    if broken:
        raise next(iter(broken.values()))
    return posted


async def _post_one(database: Database, supplies: Supplies, wanted: Wanted, now: datetime) -> bool:
    facts = await database.read(_facts, wanted, supplies)
    if isinstance(facts, str):
        await database.write(notices.drop, wanted.id, facts)
        return False
    return await database.write(notices.post, _composed(facts, supplies, now), now)


def _facts(connection: Connection, wanted: Wanted, supplies: Supplies) -> _Facts | str:
    """What the mail is made of, or why it is wanted no more."""
    reader = subscribers.of_id(connection, wanted.subscriber)
    if reader is None:
        return "erased"
    if reader.generation != wanted.generation or reader.state not in _STATES.get(wanted.kind, LISTENING):
        return "not_wanted"
    wish = confirmations.find(connection, wanted.confirmation) if wanted.confirmation else None
    if wish is not None and wish.confirmed_at is not None:
        return "confirmed"
    spoken = mail_language(reader.language, supplies.site.language, supplies.templates.languages)
    latest = published.latest_public(connection, reader.cadence, spoken) if wanted.kind == "welcome" else ""
    whole = wanted.kind == "copy"
    record = consent.record_of(connection, reader.id) if whole else []
    digests = sum(row.state == "accepted" for row in stats.history(connection, reader.id)) if whole else 0
    return _Facts(wanted, reader, wish, latest or "", record, digests)


def _composed(facts: _Facts, supplies: Supplies, now: datetime) -> Posted:
    wanted = facts.wanted
    nonce = supplies.draw()
    notice = _notice(facts, supplies, now)
    subject, compiled = compile_notice(supplies.templates, notice, now=now, nonce=nonce)
    address = wanted.told.get("address") if wanted.kind == "moved" else None
    if wanted.kind == "move" and facts.wish is not None:
        address = facts.wish.address
    return Posted(
        wanted=wanted,
        language=notice.language,
        subject=subject,
        content=compiled.pack(),
        address=address,
        nonce=nonce,
        key_id=key_id(supplies.keys[-1]),
        expires_at=now + supplies.max_age,
    )


def _notice(facts: _Facts, supplies: Supplies, now: datetime) -> Notice:
    wanted, reader, wish, site = facts.wanted, facts.reader, facts.wish, supplies.site
    chosen = wish.language if wish is not None and wish.kind == "join" else reader.language
    language = mail_language(chosen, site.language, supplies.templates.languages)
    zone = zone_named(reader.timezone or supplies.timezone)
    pace, days = reader.cadence, supplies.options.link_days
    asked = wanted.wanted_at.astimezone(zone).date()
    match wanted.kind:
        case "confirm":
            pace = wish.cadence if wish is not None else pace
            link = _link(supplies, "confirm", Purpose.CONFIRM, wish, now)
            never_url = _link(supplies, "never", Purpose.NEVER, wish, now)
            return Confirm(site, pace, asked, link, never_url, days, language)
        case "welcome":
            latest = f"{site.public_url}{facts.latest}" if facts.latest else ""
            return Welcome(site, pace, _next(supplies, pace, now).astimezone(zone), language, latest)
        case "already":
            return Already(site, pace, asked, language)
        case "changed":
            topics = tuple(supplies.topics.get(topic, topic) for topic in reader.topics)
            until = reader.paused_until.astimezone(zone).date() if reader.paused_until else None
            due = _next(supplies, pace, now).astimezone(zone)
            return Changed(site, pace, due, topics if wanted.told.get("topics") else None, until, language)
        case "goodbye":
            return Goodbye(site, pace, f"{site.public_url}/subscribe", language)
        case "move":
            never_url = _link(supplies, "never", Purpose.NEVER, wish, now)
            return Move(site, pace, _link(supplies, "address", Purpose.MOVE, wish, now), days, language, never_url)
        case "moved":
            return Moved(site, pace, mask(reader.email), language)
        case "copy":
            words = supplies.templates.words(language)
            told = facts_of(reader, supplies.topics, words, zone, digests=facts.digests)
            return Copy(site, pace, told, events_of(facts.record, supplies.topics, words, zone), language)
        case "erase":
            return Erase(site, pace, _link(supplies, "erase", Purpose.ERASE, wish, now), days, language)
        case _:
            raise ValueError(f"there is no mail {wanted.kind!r}")


def _link(supplies: Supplies, page: str, purpose: Purpose, wish: Confirmation | None, now: datetime) -> str:
    """Where the mail's button leads. Its time runs from now, when it is mailed, not from when it was asked for."""
    if wish is None:
        raise ValueError(f"a mail with a link to /{page}/ has something to confirm")
    token = seal_wish(Wish(wish.id, wish.generation, int(now.timestamp())), purpose, supplies.keys[-1])
    return f"{supplies.site.public_url}/{page}/{token}"


def _next(supplies: Supplies, cadence: str, now: datetime) -> datetime:
    """When the next digest is due. A cadence that is offered no more has none; any other one says when, then."""
    known = supplies.cadences.get(cadence) or next(iter(supplies.cadences.values()))
    return known.next_due(now)
