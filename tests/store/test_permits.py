"""Which mail still goes out when its turn has come: by its purpose, by where its reader is, by what is suppressed."""

import pytest
from sqlalchemy import update

from mailer.core.subscription import State
from mailer.core.tokens import fingerprint
from mailer.store import notices, outbox, pickup, recovery, suppressions
from mailer.store.tables import subscribers
from tests.store.mailing import HOUR, posted, waiting
from tests.stories import KEY, MONDAY, change, join, make_edition, publish, standing

KINDS = ("confirm", "welcome", "already", "changed", "goodbye", "move", "moved", "copy", "erase")
PASSES = {
    "confirm": {State.PENDING, State.UNSUBSCRIBED, State.BOUNCED},
    "goodbye": {State.UNSUBSCRIBED},
    "digest": {State.ACTIVE},
}
"""Where a reader must be; of the other kinds, on the list."""
ELSEWHERE = {"move": "new@example.org", "moved": "old@example.org"}


def marks(email):
    return [fingerprint(email, KEY)]


async def queue(database, kind):
    await join(database, "ann")
    if kind == "digest":
        await publish(database, "one")
        await make_edition(database)
        return
    await database.write(notices.want, kind, 1, 1, now=MONDAY)
    (one,) = await waiting(database)
    await database.write(notices.post, posted(one, address=ELSEWHERE.get(kind)), MONDAY)


async def decided(database, meanwhile=None):
    """What becomes of the mail: it is claimed, something happens, a permit is asked for."""
    epoch, _ = await database.write(recovery.begin_epoch, HOUR)
    (claimed,), _ = await database.write(pickup.claim, epoch, 9, MONDAY)
    if meanwhile is not None:
        await meanwhile()
    granted = await database.write(outbox.exchange, epoch, [], [claimed], MONDAY)
    said = (await standing(database))["ann"]
    assert (claimed.id in granted) == (said == "sending")
    return said


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("kind", [*KINDS, "digest"])
async def test_a_mail_passes_where_its_reader_is_where_it_leaves_from(database, kind, state):
    await queue(database, kind)
    passes = state in PASSES.get(kind, {State.ACTIVE, State.PAUSED})

    said = await decided(database, lambda: change(database, "ann", state=state.value))

    if kind == "digest":
        assert said == ("sending" if passes else f"skipped: {state}")
    else:
        assert said == ("sending" if passes else "skipped: not_wanted")


@pytest.mark.parametrize("kind", [*KINDS, "digest"])
async def test_no_mail_passes_once_the_consent_it_belongs_to_has_ended(database, kind):
    await queue(database, kind)
    state = min(PASSES.get(kind, {State.ACTIVE}))

    said = await decided(database, lambda: change(database, "ann", state=state.value, generation=2))

    assert said.startswith("skipped: ")


@pytest.mark.parametrize("reason", ["bounced", "erased", "asked_never", "complained"])
@pytest.mark.parametrize("kind", [*KINDS, "digest"])
async def test_no_mail_passes_to_a_suppressed_address_but_one_that_asks(database, kind, reason):
    """After a bounce and an erasure they may come back themselves: the form has looked at how long ago it was."""
    await queue(database, kind)
    await change(database, "ann", state=min(PASSES.get(kind, {State.ACTIVE})).value)
    to = ELSEWHERE.get(kind, "ann@example.com")

    async def suppress():
        await database.write(suppressions.add, to, marks, reason=reason, now=MONDAY)

    passes = kind == "confirm" and reason in {"bounced", "erased"}
    said = await decided(database, suppress)
    assert (said == "sending") == passes
    assert passes or said.startswith("skipped: ")


@pytest.mark.parametrize("kind", ["move", "moved"])
async def test_a_mail_to_another_address_goes_by_what_is_known_of_that_one(database, kind):
    await queue(database, kind)
    await database.write(suppressions.add, "ann@example.com", marks, reason="bounced", now=MONDAY)
    assert await decided(database) == "sending"


@pytest.mark.parametrize("kind", KINDS)
async def test_no_mail_passes_to_somebody_who_was_erased_meanwhile(database, kind):
    await queue(database, kind)
    epoch, _ = await database.write(recovery.begin_epoch, HOUR)
    (claimed,), _ = await database.write(pickup.claim, epoch, 9, MONDAY)
    # As far as this is about: nobody by that number.
    await database.write(
        lambda c: c.execute(update(subscribers).values(id=99)).rowcount,
    )
    assert await database.write(outbox.exchange, epoch, [], [claimed], MONDAY) == frozenset()
