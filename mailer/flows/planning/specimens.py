"""Every variant of an edition as one of its readers gets it: for previews, for the gate, and to see what they cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from sqlalchemy import Connection

from mailer.core.article import Article
from mailer.core.delivery import Claimed
from mailer.core.live import Live, unpack
from mailer.core.message import Compiled, Mail
from mailer.core.personal import Stationery
from mailer.core.selection import Batch
from mailer.core.subscription import Subscriber
from mailer.core.tokens import key_id
from mailer.flows.planning.composing import PRESS, Composed, Composer, Issue, compose
from mailer.flows.planning.prospect import Prospect
from mailer.store import articles, editions, stats
from mailer.store.editions import Edition

SAMPLE = "reader@example.com"
"""Stands in the To header where no reader is named."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """One variant of an edition as a reader of it gets it. `mail`: its bytes for a sample reader.

    `live`: each reader's copy is rendered for them, which takes `seconds`. `told`: the texts it is made of.
    """

    readers: int
    language: str
    subject: str
    articles: int
    more: int
    mail: Mail
    live: bool = False
    seconds: float = 0.0
    told: tuple[str, ...] = ()


def texts_of(intro: str, *told: Article) -> tuple[str, ...]:
    """What an edition tells in the words of others."""
    return (intro, *(text for one in told for text in (one.draft.title, one.draft.summary, *one.draft.topics)))


@dataclass(frozen=True, slots=True)
class Proof:
    """One variant as it was composed, and the mail that a sample reader gets of it. `told`: the texts it is made of."""

    batch: Batch
    composed: Composed
    mail: Mail
    told: tuple[str, ...]


def proofs(
    prospect: Prospect, *, now: datetime, composer: Composer, stationery: Stationery, keys: Sequence[str], nonce: str
) -> Iterator[Proof]:
    """Every variant that planning makes, composed one after the other: 500 at once would be a lot of HTML.

    Raises TemplateError.
    """
    issue = Issue.of(prospect.cadence, prospect.due, now, nonce, prospect.intro)
    sample = sample_claim(None, nonce, keys, now)
    for number, batch in enumerate(prospect.arrangement.batches if prospect.arrangement else ()):
        composed = compose(composer, batch, issue, number=number)
        mail = PRESS.write(stationery, sample, composed.content)
        yield Proof(batch, composed, mail, texts_of(prospect.intro, *batch.pick.articles, *batch.related))


def specimens(
    prospect: Prospect, *, now: datetime, composer: Composer, stationery: Stationery, keys: Sequence[str], nonce: str
) -> Iterator[Specimen]:
    """Every variant that planning would make, one after the other, so that each one's cost shows.

    Raises TemplateError.
    """
    sample = sample_claim(None, nonce, keys, now)
    for proof in proofs(prospect, now=now, composer=composer, stationery=stationery, keys=keys, nonce=nonce):
        composed = proof.composed
        yield Specimen(
            readers=proof.batch.readers,
            language=proof.batch.language,
            subject=composed.rendered.subject,
            articles=len(composed.batch.pick.articles),
            more=composed.batch.pick.more,
            mail=proof.mail,
            live=isinstance(composed.content, Live),
            seconds=_seconds(composed.content, stationery, sample),
            told=proof.told,
        )


def frozen_specimens(connection: Connection, edition: Edition, stationery: Stationery) -> Iterator[Specimen]:
    """Every variant of an edition that is made, as it goes out."""
    readers = stats.readers_by_variant(connection, edition.id)
    for variant in editions.variants_of(connection, edition.id):
        content = unpack(variant.content)
        sample = specimen_claim(None, edition.nonce, edition.key_id, edition.planned_at, variant.id)
        yield Specimen(
            readers=readers.get(variant.id, 0),
            language=variant.language,
            subject=variant.subject,
            articles=len(variant.articles),
            more=variant.more,
            mail=PRESS.write(stationery, sample, content),
            live=isinstance(content, Live),
            seconds=_seconds(content, stationery, sample),
            told=texts_of(edition.intro, *articles.by_seq(connection, (*variant.articles, *variant.related))),
        )


def _seconds(content: Compiled | Live, stationery: Stationery, sample: Claimed) -> float:
    """What a copy of a live mail takes, the first of which was written before; a compiled one takes next to nothing."""
    if not isinstance(content, Live):
        return 0.0
    started = perf_counter()
    PRESS.write(stationery, sample, content)
    return perf_counter() - started


def sample_claim(known: Subscriber | None, nonce: str, keys: Sequence[str], now: datetime) -> Claimed:
    """A delivery to this reader, or to nobody in particular, of an edition that isn't planned."""
    return specimen_claim(known, nonce, key_id(keys[-1]), now, 0)


def specimen_claim(known: Subscriber | None, nonce: str, key: str, now: datetime, variant: int) -> Claimed:
    """The same under the nonce and key of a certain edition."""
    return Claimed(
        id=0,
        edition=None,
        variant=variant,
        subscriber=known.id if known else 0,
        generation=known.generation if known else 0,
        address=known.email if known else SAMPLE,
        joined_at=known.joined_at if known else None,
        attempts=0,
        waits=0,
        expires_at=now,
        nonce=nonce,
        key_id=key,
    )
