"""Planning an edition: which one is due, what each reader gets, and writing it down once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.core.article import Article
from mailer.core.cadence import Cadence
from mailer.core.selection import Arrangement, Group, arrange, own_window
from mailer.core.tokens import key_id
from mailer.errors import StoreError
from mailer.flows.planning.composing import Composer, Issue, compose
from mailer.store import articles, editions, plans
from mailer.store.database import Database
from mailer.store.editions import Edition

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a run would find: the edition that is due, made already or not, and who would get what.

    `made`: the edition, where it exists. `arrangement`: what it would hold, where it doesn't.
    """

    cadence: Cadence
    due: datetime
    period: str
    next_due: datetime
    made: Edition | None
    arrangement: Arrangement | None

    @property
    def issue_dates(self) -> tuple[str, str]:
        return self.cadence.name, self.period


@dataclass(frozen=True, slots=True)
class Planned:
    """How planning ended. `edition` is None where the cadence has no readers. `fresh`: made by this very call."""

    edition: Edition | None
    fresh: bool
    due: datetime
    period: str
    next_due: datetime
    held_back: bool = False


@dataclass(frozen=True, slots=True)
class _Survey:
    made: Edition | None
    previous_hi: int | None
    newest: int
    groups: Sequence[Group]
    articles: Sequence[Article]


async def look_ahead(
    database: Database, cadence: Cadence, *, now: datetime, composer: Composer, reader: str | None = None
) -> Prospect:
    """What `plan` would do now. Writes nothing. `reader`: as if this address were the only one."""
    due = cadence.latest_due(now)
    period = cadence.period_of(due)
    found = await database.read(_survey, cadence, period, now, reader)
    arrangement = None
    if found.made is None or reader is not None:
        arrangement = _arranged(found, cadence, due, composer)
    return Prospect(cadence, due, period, cadence.next_due(now), found.made, arrangement)


async def plan(
    database: Database,
    cadence: Cadence,
    *,
    now: datetime,
    composer: Composer,
    keys: Sequence[str],
    draw: Callable[[], str],
    max_age: timedelta,
) -> Planned:
    """Make the edition that is due, unless it is made already. Raises TemplateError, StoreError.

    `keys`: the last signs. `draw`: 32 hexadecimal digits that nobody could foresee.
    """
    for _ in range(_TRIES):
        prospect = await look_ahead(database, cadence, now=now, composer=composer)
        arrangement = prospect.arrangement
        outcome = (prospect.due, prospect.period, prospect.next_due)
        if prospect.made is not None or arrangement is None:
            return Planned(prospect.made, False, *outcome)
        if not arrangement.shares:
            return Planned(None, False, *outcome)
        intent = _intent(prospect, arrangement, now, composer, keys, draw(), max_age)
        try:
            made = await database.write(plans.write, intent)
        except plans.AudienceChanged:
            continue  # somebody subscribed between the look and the write
        if made is not None:
            held_back = not arrangement.batches and any(share.held_back for share in arrangement.shares)
            return Planned(made, True, *outcome, held_back=held_back)
    raise StoreError(f"The {cadence.name} readers changed {_TRIES} times while planning. Run this again.")


def issue_of(prospect: Prospect, now: datetime, nonce: str) -> Issue:
    """The edition a mail of this prospect belongs to."""
    return Issue(prospect.cadence.name, prospect.period, prospect.cadence.covers(prospect.due), now, nonce)


def _survey(connection: Connection, cadence: Cadence, period: str, now: datetime, reader: str | None) -> _Survey:
    """All that planning needs to know, in one snapshot."""
    made = editions.find(connection, cadence.name, period)
    before = editions.previous(connection, cadence.name)
    if reader is None:
        groups = plans.groups(connection, cadence.name, now) if made is None else []
    else:
        one = plans.group_of(connection, reader, now)
        groups = [one] if one else []
    newest = articles.newest(connection)
    starts = [group.lo for group in groups if group.lo is not None]
    own = (before.hi or 0) if before else 0
    found = articles.between(connection, min([own, *starts]), newest) if groups else []
    return _Survey(made, before.hi if before else None, newest, groups, found)


def _arranged(found: _Survey, cadence: Cadence, due: datetime, composer: Composer) -> Arrangement:
    return arrange(
        found.groups,
        found.articles,
        previous_hi=found.previous_hi,
        own=own_window(found.previous_hi, found.newest, cadence.previous_due(due)),
        topics=composer.topics,
        cadence=cadence.name,
        cap=cadence.max_articles,
        minimum=cadence.min_articles,
        speak=composer.speak,
    )


def _intent(
    prospect: Prospect,
    arrangement: Arrangement,
    now: datetime,
    composer: Composer,
    keys: Sequence[str],
    nonce: str,
    max_age: timedelta,
) -> plans.Plan:
    """Everything that is frozen with the edition."""
    issue = issue_of(prospect, now, nonce)
    composed = [compose(composer, batch, issue, number=number) for number, batch in enumerate(arrangement.batches)]
    return plans.Plan(
        cadence=prospect.cadence.name,
        period=prospect.period,
        due_at=prospect.due,
        planned_at=now,
        expires_at=min(now + max_age, prospect.next_due),
        retry_until=now + max_age,
        lo=arrangement.lo,
        hi=arrangement.hi,
        nonce=nonce,
        key_id=key_id(keys[-1]),
        variants=tuple(item.variant() for item in composed),
        shares=arrangement.shares,
    )
