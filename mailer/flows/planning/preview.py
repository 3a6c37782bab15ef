"""Showing an edition before it goes out: as a mail in a file, or as a test copy in somebody's inbox."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from sqlalchemy import Connection

from mailer.core.cadence import Cadence
from mailer.core.delivery import Claimed, EditionState
from mailer.core.live import Live, unpack
from mailer.core.message import Compiled, Mail
from mailer.core.personal import Stationery
from mailer.core.selection import Batch, Pick, Window
from mailer.core.subscription import Subscriber
from mailer.errors import InputError, NotFound
from mailer.flows.planning.composing import PRESS, Composer, Issue, compose
from mailer.flows.planning.prospect import EVERYONE, Prospect, look_ahead
from mailer.flows.planning.specimens import sample_claim, specimen_claim, texts_of
from mailer.store import articles, editions, outbox, stats, subscribers
from mailer.store.database import Database
from mailer.store.editions import Edition, Variant

TEST_AGE = timedelta(minutes=15)
"""How long a test copy may wait for a relay that is down: later nobody wants it any more."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds for one reader's copy: `rendered` for them, and `filled_in`, were the mail the same for all."""

    rendered: float
    filled_in: float


@dataclass(frozen=True, slots=True)
class Preview:
    """A mail as it would go out. `frozen`: the edition is planned already and these are its bytes.

    `cost`: of a reader's copy, where the theme asks who reads; then `subject` is a sample reader's. `warning`: what to
    know of its size, or ''. `told`: the texts that one which isn't frozen is made of. `state`: of
    the edition of one that is.
    """

    mail: Mail
    subject: str
    articles: int
    more: int
    period: str
    frozen: bool
    cost: Cost | None = None
    warning: str = ""
    told: tuple[str, ...] = ()
    state: EditionState | None = None


async def preview(
    database: Database,
    cadence: Cadence,
    *,
    now: datetime,
    composer: Composer,
    stationery: Stationery,
    keys: Sequence[str],
    nonce: str,
    reader: str | None = None,
) -> Preview | None:
    """What one reader gets, or would get: `reader`, else a reader of the largest variant. None: nothing is due.

    Writes nothing. Raises NotFound for an unknown reader, TemplateError.
    """
    known = await database.read(subscribers.find, reader) if reader is not None else None
    if reader is not None and known is None:
        raise NotFound(f"{reader} is not a subscriber.")
    prospect = await look_ahead(database, cadence, now=now, composer=composer, reader=reader)
    if prospect.made is not None:
        found = await database.read(_frozen, prospect.made, reader)
        if found is not None:
            variant, claimed = found
            content = unpack(variant.content)
            mail = PRESS.write(stationery, claimed, content, known)
            return Preview(
                mail,
                variant.subject,
                len(variant.articles),
                variant.more,
                prospect.period,
                frozen=True,
                cost=_cost(stationery, claimed, content, known),
                state=prospect.made.state,
            )
    batch = await _batch(database, prospect, composer, now, reader)
    if batch is None:
        return None
    composed = compose(composer, batch, Issue.of(prospect.cadence, prospect.due, now, nonce, prospect.intro))
    claim = sample_claim(known, nonce, keys, now)
    mail = PRESS.write(stationery, claim, composed.content, known)
    pick = composed.batch.pick
    return Preview(
        mail,
        composed.rendered.subject,
        len(pick.articles),
        pick.more,
        prospect.period,
        frozen=False,
        cost=_cost(stationery, claim, composed.content, known),
        warning=composed.warning,
        told=texts_of(prospect.intro, *batch.pick.articles, *batch.related),
    )


async def queue_test_copy(
    database: Database,
    cadence: Cadence,
    address: str,
    *,
    now: datetime,
    composer: Composer,
    draw: Callable[[], str],
    max_age: timedelta,
) -> int | None:
    """Queue a copy of the edition that is due for one address; it counts nowhere. None: nothing is due.

    Returns the delivery's id. `draw`: 32 hexadecimal digits that nobody could foresee.
    """
    prospect = await look_ahead(database, cadence, now=now, composer=composer)
    batch = await _batch(database, prospect, composer, now, None)
    if batch is None:
        return None
    nonce = draw()
    composed = compose(composer, batch, Issue.of(prospect.cadence, prospect.due, now, nonce, prospect.intro), test=True)

    def write(connection: Connection) -> int:
        variant = editions.add_variant(connection, composed.variant(), None)
        return outbox.queue_test(connection, variant, address, f"test-{nonce}", now + min(max_age, TEST_AGE))

    return await database.write(write)


async def _batch(
    database: Database, prospect: Prospect, composer: Composer, now: datetime, reader: str | None
) -> Batch | None:
    """What to show: of a planned edition its largest variant, else what planning would make.

    `reader`: whom the prospect is of, where it is of one alone.
    """
    if prospect.made is not None and reader is None:
        found = await database.read(_frozen, prospect.made, None)
        return None if found is None else await _thawed(database, found[0])
    arrangement = prospect.arrangement
    if reader is None and not (arrangement and arrangement.shares):
        again = await look_ahead(database, prospect.cadence, now=now, composer=composer, instead=EVERYONE)
        arrangement = again.arrangement
    if arrangement is None or not arrangement.batches:
        return None
    return max(arrangement.batches, key=lambda batch: batch.readers)


async def _thawed(database: Database, variant: Variant) -> Batch:
    """A frozen variant's articles as they are now, to be rendered anew."""
    found = await database.read(articles.by_seq, variant.articles)
    related = await database.read(articles.by_seq, variant.related)
    if not found:
        raise InputError("The articles of this edition are no longer in the database.")
    pick = Pick(tuple(found), variant.more, over=variant.over)
    return Batch(pick, Window(0, 0), variant.language, 0, tuple(related))


def _frozen(connection: Connection, edition: Edition, reader: str | None) -> tuple[Variant, Claimed] | None:
    """A planned edition's variant and the delivery that shows it: the reader's own, else a sample one."""
    kept = {variant.id: variant for variant in editions.variants_of(connection, edition.id)}
    if reader is not None:
        claimed = stats.delivery_of(connection, edition.id, reader)
        return None if claimed is None else (kept[claimed.variant], claimed)
    if not kept:
        return None
    readers = stats.readers_by_variant(connection, edition.id)
    variant = max(kept.values(), key=lambda item: readers.get(item.id, 0))
    return variant, specimen_claim(None, edition.nonce, edition.key_id, edition.planned_at, variant.id)


def _cost(stationery: Stationery, item: Claimed, content: Compiled | Live, known: Subscriber | None) -> Cost | None:
    """Measured on the spot, for this theme on this machine. None where all readers get the same."""
    if not isinstance(content, Live):
        return None
    same = PRESS.compile(content, stationery.reader(item, known, content))
    return Cost(
        _quickest(lambda: PRESS.write(stationery, item, content, known)),
        _quickest(lambda: stationery.write(item, same)),
    )


def _quickest(work: Callable[[], object], rounds: int = 5) -> float:
    found = []
    for _ in range(rounds):
        started = perf_counter()
        work()
        found.append(perf_counter() - started)
    return min(found)
