"""Looking ahead: which edition is due, and what each reader would get. Writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.core.article import Article
from mailer.core.cadence import Cadence
from mailer.core.selection import Arrangement, Group, arrange, first_since, own_window
from mailer.flows.planning.composing import Composer
from mailer.flows.planning.relating import relate
from mailer.store import articles, drafts, editions, plans
from mailer.store.database import Database
from mailer.store.drafts import EditionDraft
from mailer.store.editions import Edition

EVERYONE = Group(None, None, newcomers=True, interest_set=1, topics=(), language="", readers=0)
"""A reader of the future, for a site that has none yet."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a run would find: the edition that is due, made already or not, and who would get what.

    `made`: the edition, where it exists. `arrangement`: what it would hold, where it doesn't. `draft`: what the editor
    keeps for the next one.
    """

    cadence: Cadence
    due: datetime
    period: str
    next_due: datetime
    made: Edition | None
    arrangement: Arrangement | None
    draft: EditionDraft | None = None

    @property
    def intro(self) -> str:
        """The editor's words: those it was made with, else those that are kept for it."""
        if self.made is not None:
            return self.made.intro
        return self.draft.intro if self.draft else ""


@dataclass(frozen=True, slots=True)
class _Survey:
    made: Edition | None
    previous_hi: int | None
    first_due: datetime | None
    sinces: Mapping[datetime, str]
    dated: Mapping[datetime, int]
    newest: int
    groups: Sequence[Group]
    articles: Sequence[Article]
    draft: EditionDraft | None


async def look_ahead(
    database: Database,
    cadence: Cadence,
    *,
    now: datetime,
    composer: Composer,
    reader: str | None = None,
    instead: Group | None = None,
) -> Prospect:
    """What `plan` would do now. Writes nothing.

    `reader`: as if this address were the only one. `instead`: as if these were all the readers.
    """
    due = cadence.latest_due(now)
    period = cadence.period_of(due)
    found = await database.read(_survey, cadence, period, now, reader, instead)
    arrangement = None
    if found.made is None or reader is not None:
        arrangement = await relate(database, _arranged(found, cadence, due, composer), composer.related)
    return Prospect(cadence, due, period, cadence.next_due(now), found.made, arrangement, found.draft)


async def coming(database: Database, cadence: Cadence, *, now: datetime, composer: Composer) -> Prospect:
    """The edition that an editor can still change: the one that is due, else, where that is made, the next.

    With the articles there are now, none of them related; as if for one reader to come, where the cadence has none.
    """
    composer = composer.without_related()
    prospect = await look_ahead(database, cadence, now=now, composer=composer)
    if prospect.made is not None:
        now = prospect.next_due
        prospect = await look_ahead(database, cadence, now=now, composer=composer)
    if prospect.arrangement is None or not prospect.arrangement.shares:
        prospect = await look_ahead(database, cadence, now=now, composer=composer, instead=EVERYONE)
    return prospect


def _survey(
    connection: Connection, cadence: Cadence, period: str, now: datetime, reader: str | None, instead: Group | None
) -> _Survey:
    """All that planning needs to know, in one snapshot."""
    made = editions.find(connection, cadence.name, period)
    before = editions.previous(connection, cadence.name)
    if instead is not None:
        groups = [instead]
    elif reader is not None:
        one = plans.group_of(connection, reader, now)
        groups = [one] if one else []
    else:
        groups = plans.groups(connection, cadence.name, now) if made is None else []
    newest = articles.newest(connection)
    starts = [group.lo for group in groups if group.lo is not None]
    own = (before.hi or 0) if before else 0
    found = articles.between(connection, min([own, *starts]), newest) if groups else []
    first_due, dated = editions.first_due(connection, cadence.name), editions.first_watermarks(connection)
    sinces, draft = editions.first_sinces(connection), drafts.find(connection, cadence.name)
    return _Survey(made, before.hi if before else None, first_due, sinces, dated, newest, groups, found, draft)


def _arranged(found: _Survey, cadence: Cadence, due: datetime, composer: Composer) -> Arrangement:
    # What a first edition held back stays for the next, so that one reaches back as far as it did.
    first_due = min(due, found.first_due or due)
    return arrange(
        found.groups,
        found.articles,
        previous_hi=found.previous_hi,
        dated=found.dated,
        own=own_window(
            found.previous_hi,
            found.newest,
            first_since(cadence.name, cadence.previous_due(first_due), found.sinces),
        ),
        topics=composer.topics,
        cadence=cadence.name,
        cap=cadence.max_articles,
        minimum=cadence.min_articles,
        speak=composer.speak,
        top=found.draft.articles if found.draft else (),
    )
