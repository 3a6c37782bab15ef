"""Wishes: written down, found, settled once; suppressions: by address and by hash, the weightiest first."""

import pytest
from sqlalchemy import select

from mailer.core.subscription import Newcomer
from mailer.core.tokens import fingerprint
from mailer.store import confirmations, erasure, notices, suppressions
from mailer.store.erased_list import ErasedList
from mailer.store.tables import suppressions as suppressed
from tests.store.mailing import posted, waiting
from tests.stories import DAY, KEY, MONDAY, join

OLD_KEY = "the key before the one in use, also long enough"
ANN = "ann@example.com"


def marks(email):
    return [fingerprint(email, key) for key in (OLD_KEY, KEY)]


async def lifted(database, email):
    """How many suppressions of an address were taken away."""
    nowhere = ErasedList(None)
    return len(
        await database.write(erasure.lift, email, now=MONDAY, fingerprints=marks, erased_list=nowhere),
    )


@pytest.fixture
async def ann(database):
    await join(database, "ann")
    return 1


async def test_a_wish_is_found_with_all_that_was_chosen(database, ann):
    wanted = Newcomer(ANN, "daily", timezone="Europe/Berlin", language="de", topics=("heart", "lungs"))
    made = await database.write(confirmations.ask, "join", ann, 4, now=MONDAY, wanted=wanted)
    found = await database.read(confirmations.find, made)
    assert (found.id, found.kind, found.subscriber, found.generation, found.asked_at) == (made, "join", ann, 4, MONDAY)
    assert (found.cadence, found.timezone, found.language) == ("daily", "Europe/Berlin", "de")
    assert (found.topics, found.address, found.confirmed_at) == (("heart", "lungs"), "", None)


async def test_a_move_has_an_address_and_an_erasure_nothing(database, ann):
    moved = await database.write(confirmations.ask, "move", ann, 1, now=MONDAY, address="new@example.org")
    erased = await database.write(confirmations.ask, "erase", ann, 1, now=MONDAY)
    assert (await database.read(confirmations.find, moved)).address == "new@example.org"
    found = await database.read(confirmations.find, erased)
    assert (found.kind, found.address, found.topics, found.cadence) == ("erase", "", (), "")
    assert await database.read(confirmations.find, erased + 1) is None
    assert await database.read(confirmations.find, 2**63 - 1) is None


async def test_a_wish_is_settled_once(database, ann):
    made = await database.write(confirmations.ask, "erase", ann, 1, now=MONDAY)
    assert await database.write(confirmations.settle, made, MONDAY) is True
    assert await database.write(confirmations.settle, made, MONDAY + DAY) is False
    assert (await database.read(confirmations.find, made)).confirmed_at == MONDAY
    assert await database.write(confirmations.settle, made + 1, MONDAY) is False


async def test_a_number_that_was_used_is_not_used_again(database, ann):
    first = await database.write(confirmations.ask, "erase", ann, 1, now=MONDAY)
    await database.write(lambda c: c.exec_driver_sql("DELETE FROM confirmations").rowcount)
    assert await database.write(confirmations.ask, "erase", ann, 1, now=MONDAY) > first


async def test_the_message_id_is_that_of_the_last_mail_that_asked(database, ann):
    made = await database.write(confirmations.ask, "erase", ann, 1, now=MONDAY)
    assert await database.read(confirmations.message_id, made, "site.example") == ""
    for nonce in ("ab" * 16, "0123456789abcdef" * 2):
        await database.write(notices.want, "erase", ann, 1, now=MONDAY, confirmation=made)
        (one,) = await waiting(database)
        await database.write(notices.post, posted(one, nonce=nonce), MONDAY)
    assert await database.read(confirmations.message_id, made, "site.example") == "<2.0123456789abcdef@site.example>"


async def suppress(database, email, reason="bounced", key=KEY, mark_of=ANN, at=MONDAY):
    values = {"email": email, "fingerprint": fingerprint(mark_of, key), "reason": reason, "at": at}
    await database.write(lambda c: c.execute(suppressed.insert().values(**values)).rowcount)


async def all_of(database):
    rows = await database.read(lambda c: c.execute(select(suppressed).order_by(suppressed.c.id)).all())
    return [(row.email, row.reason) for row in rows]


@pytest.mark.parametrize(
    ("email", "key", "found"),
    [
        (ANN, KEY, True),
        (None, KEY, True),
        (None, OLD_KEY, True),
        (ANN, "a key that was taken away meanwhile", True),
        (None, "a key that was taken away meanwhile", False),
    ],
)
async def test_an_address_is_found_by_itself_or_by_its_hash_under_any_key(database, email, key, found):
    await suppress(database, email, key=key)
    assert await database.read(suppressions.reason_of, ANN, marks) == (("bounced", MONDAY) if found else ("", None))
    assert await database.read(suppressions.reason_of, "bob@example.com", marks) == ("", None)
    assert await lifted(database, ANN) == int(found)
    assert await database.read(suppressions.reason_of, ANN, marks) == ("", None)


@pytest.mark.parametrize("light", ["bounced", "erased"])
@pytest.mark.parametrize("heavy", ["asked_never", "complained"])
async def test_of_several_reasons_the_one_that_keeps_them_out_counts(database, light, heavy):
    await suppress(database, ANN, light, key=OLD_KEY)
    await suppress(database, None, heavy, key=KEY)
    assert (await database.read(suppressions.reason_of, ANN, marks))[0] == heavy
    assert await lifted(database, ANN) == 2


async def test_a_bounce_weighs_more_than_an_erasure(database):
    """An erased reader may come back at once, but not to a mailbox that has just bounced."""
    await suppress(database, None, "erased", key=OLD_KEY)
    await suppress(database, ANN, "bounced", key=KEY)
    assert (await database.read(suppressions.reason_of, ANN, marks))[0] == "bounced"


async def test_a_weightier_reason_takes_the_place_of_one_that_is_there(database):
    await suppress(database, ANN, "bounced", at=MONDAY - DAY)
    await database.write(suppressions.add, ANN, marks, reason="asked_never", now=MONDAY)
    assert await all_of(database) == [(ANN, "asked_never")]
    assert await database.read(suppressions.reason_of, ANN, marks) == ("asked_never", MONDAY)
    await database.write(suppressions.add, "bob@example.com", marks, reason="asked_never", now=MONDAY)
    assert await all_of(database) == [(ANN, "asked_never"), ("bob@example.com", "asked_never")]
