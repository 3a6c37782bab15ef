"""What the operator says to a run that is under way: an edition paused, resumed, cancelled; a doubt resolved."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from mailer.core.delivery import EditionState
from mailer.errors import NotFound, Refused
from mailer.store import controls, doubts, editions, stats, watermarks
from mailer.store.database import Database
from mailer.store.doubts import Doubted
from mailer.store.editions import Edition

Word = Literal["accepted", "again", "leave"]


@dataclass(frozen=True, slots=True)
class Stands:
    """An edition after it was told something, and how many of its deliveries are in each state."""

    edition: Edition
    states: dict[str, int]


async def pause(database: Database, edition_id: int) -> Stands:
    """Nothing of it gets a permit any more, whichever process sends; what is on the wire arrives.

    Raises NotFound, Refused where it isn't running.
    """
    if not await database.write(controls.pause, edition_id):
        raise await _refusal(database, edition_id, "paused")
    return await _stands(database, edition_id)


async def resume(
    database: Database,
    edition_id: int,
    *,
    now: datetime,
    max_age: timedelta,
    next_due: Callable[[str], datetime | None],
) -> Stands:
    """Let a paused edition go on.

    Nobody loses it because it was paused: nothing of it expires meanwhile, and what is unfinished is tried for
    `max_age` from now, at most until its cadence is due again, when the next edition stands for it. A deadline that
    is later stays. `next_due`: of a cadence by its name, None where there is none of that name any more.
    Raises NotFound, Refused where it isn't paused.
    """

    def write(connection: Connection) -> bool:
        edition = editions.by_id(connection, edition_id)
        if edition is None:
            return False
        until = min(filter(None, (now + max_age, next_due(edition.cadence))))
        resumed = controls.resume(connection, edition_id, until)
        if resumed:
            # Where all of it has settled meanwhile, nothing is left to send.
            watermarks.fold(connection, now, edition=edition_id)
        return resumed

    if not await database.write(write):
        raise await _refusal(database, edition_id, "resumed")
    return await _stands(database, edition_id)


async def cancel(database: Database, edition_id: int, *, now: datetime) -> Stands:
    """Nobody else gets it, ever. Those who didn't get it have its articles in their next edition.

    Its state is written first and at once; its deliveries are skipped in parts, so that a page or a sender of other
    mail gets its turn. What is on the wire settles by itself, and whoever sends finishes the edition then. Broken off
    in the middle, the next sender skips the rest. Raises NotFound, Refused where it is neither running nor paused.
    """
    if not await database.write(controls.cancel, edition_id):
        raise await _refusal(database, edition_id, "cancelled")
    while await database.write(controls.end_cancelled, now, limit=controls.PART):
        pass
    await database.write(watermarks.fold, now, edition=edition_id)
    return await _stands(database, edition_id)


async def resolve(
    database: Database, delivery_id: int, word: Word, *, now: datetime, max_age: timedelta
) -> tuple[Doubted, Doubted]:
    """Say what became of a delivery in doubt. Returns it as it was and as it is.

    'accepted': it arrived; its articles count as given. 'again': a further copy may go out; it is tried for `max_age`
    from now, and an edition that was done runs again. Its articles go on counting as given, as those of a doubt that is
    tried again by itself do (decision 0002). 'leave': it stays in doubt and is never sent by itself.
    Raises NotFound, Refused where there is no doubt to resolve, or it can't be sent again.
    """

    def write(connection: Connection) -> tuple[Doubted, Doubted]:
        before = doubts.by_id(connection, delivery_id)
        if before is None:
            raise NotFound(f"There is no delivery {delivery_id}. `mailer deliveries list` shows those in doubt.")
        if word == "again":
            _refuse_again(connection, before)
        if not _carry_out(connection, before, word, now, now + max_age):
            raise Refused(f"Delivery {delivery_id} to {before.address} is {_words(before.state)}, not in doubt.")
        if before.edition is not None:
            # Where it was done, the doubt counted as given and its reader's row says so already.
            watermarks.fold(connection, now, edition=before.edition)
        return before, doubts.by_id(connection, delivery_id) or before

    return await database.write(write)


def _carry_out(connection: Connection, doubt: Doubted, word: Word, now: datetime, expires_at: datetime) -> bool:
    if word == "accepted":
        return doubts.accept(connection, doubt.id, now)
    if word == "leave":
        return doubts.leave(connection, doubt.id, now)
    return doubts.again(connection, doubt.id, doubt.edition, now, expires_at)


def _refuse_again(connection: Connection, doubt: Doubted) -> None:
    """Raises Refused where a further copy must not go out."""
    if doubt.edition_state == EditionState.CANCELLED:
        raise Refused(f"{doubt.name} was cancelled: nothing of it is sent any more.")
    if reason := doubts.why_not_again(connection, doubt.id):
        raise Refused(f"Delivery {doubt.id} to {doubt.address} can't be sent again: {reason}.")


def _words(state: str) -> str:
    return state.replace("_", " ")


async def _stands(database: Database, edition_id: int) -> Stands:
    def read(connection: Connection) -> Stands:
        found = editions.by_id(connection, edition_id)
        if found is None:
            raise NotFound(_NO_EDITION.format(edition_id))
        return Stands(found, stats.states(connection, edition_id))

    return await database.read(read)


_NO_EDITION = "There is no edition {}. `mailer editions list` shows them."
_INSTEAD = {
    EditionState.PAUSED: "Go on: mailer editions resume {0}. End it: mailer editions cancel {0}",
    EditionState.HELD: "Send it: mailer editions send {0}. Refuse it: mailer editions skip {0}",
    EditionState.RUNNING: "Stop it: mailer editions pause {0}",
    EditionState.DONE: "All of it has settled: mailer editions show {0}",
    EditionState.CANCELLED: "Nothing of it is sent any more: mailer editions show {0}",
}


async def _refusal(database: Database, edition_id: int, wish: str) -> Refused | NotFound:
    """Why it could not be paused, resumed or cancelled, and what can be done."""
    found = await database.read(editions.by_id, edition_id)
    if found is None:
        return NotFound(_NO_EDITION.format(edition_id))
    name = f"{found.cadence} {found.period}"
    instead = _INSTEAD.get(found.state, "Nothing of it is sent").format(edition_id)
    if found.state == wish:
        return Refused(f"{name} is {wish} already. {instead}")
    return Refused(f"{name} is {found.state}, so it can't be {wish}. {instead}")
