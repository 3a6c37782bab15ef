"""Editions that are held: nothing of them is on the wire, and a person says whether they go out."""

from datetime import datetime

from sqlalchemy import Connection, delete, select, text, update

from mailer.core.delivery import NOT_ON_THE_WIRE, EditionState
from mailer.store import article_names, drafts, watermarks
from mailer.store import articles as article_store
from mailer.store.editions import Edition
from mailer.store.tables import deliveries, editions, variants

_WAITING = sorted(NOT_ON_THE_WIRE)


def release(connection: Connection, edition: Edition, *, now: datetime, expires_at: datetime) -> bool:
    """Let a held edition run: what came in its storm is news. False where it is not held any more.

    `expires_at`: how long its deliveries are tried from now on.
    """
    taken = connection.execute(
        update(editions)
        .where(editions.c.id == edition.id, editions.c.state == EditionState.HELD)
        .values(state=EditionState.RUNNING)
    ).rowcount
    if taken != 1:
        return False
    connection.execute(
        update(deliveries)
        .where(deliveries.c.edition_id == edition.id, deliveries.c.state.in_(_WAITING))
        .values(expires_at=expires_at)
    )
    article_names.judge(connection, news=True, until=edition.hi)
    held = connection.execute(select(variants.c.articles).where(variants.c.edition_id == edition.id)).scalars()
    article_store.unpin_given(connection, {seq for seqs in held for seq in seqs}, edition.cadence)
    if edition.draft_at is not None:
        drafts.drop(connection, edition.cadence, changed_at=edition.draft_at)
    # Where a later edition stands for all of it, there is nothing left to send.
    watermarks.fold(connection, now)
    return True


def skip(connection: Connection, edition: Edition, now: datetime) -> bool:
    """Refuse a held edition: what came in its storm is old, the rest comes in the next edition.

    Its watermark goes back to where it began. False where it is not held any more.
    """
    taken = connection.execute(
        update(editions)
        .where(editions.c.id == edition.id, editions.c.state == EditionState.HELD)
        .values(state=EditionState.CANCELLED, done_at=now, hi=edition.lo)
    ).rowcount
    if taken != 1:
        return False
    watermarks.keep_starts(connection, edition.id)
    connection.execute(
        update(deliveries)
        .where(deliveries.c.edition_id == edition.id, deliveries.c.state.in_(_WAITING))
        .values(state="skipped", reason="edition_skipped", settled_at=now)
    )
    article_names.judge(connection, news=False, until=edition.hi)
    return True


def undo(connection: Connection, edition: Edition) -> bool:
    """Forget a held edition as if it had never been planned, so that it can be made anew.

    What came in its storm is old. False where it is not held any more, or something of it was sent.
    """
    permitted = connection.execute(
        text("SELECT 1 FROM deliveries WHERE edition_id = :edition AND permit_at IS NOT NULL LIMIT 1"),
        {"edition": edition.id},
    ).first()
    mine = select(editions.c.id).where(editions.c.id == edition.id, editions.c.state == EditionState.HELD)
    if permitted is not None or connection.execute(mine).first() is None:
        return False
    watermarks.keep_starts(connection, edition.id)
    for table in (deliveries, variants):
        connection.execute(delete(table).where(table.c.edition_id == edition.id))
    connection.execute(delete(editions).where(editions.c.id == edition.id))
    article_names.judge(connection, news=False, until=edition.hi)
    return True
