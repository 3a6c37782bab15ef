"""Refusals that are everybody's: the edition pauses for somebody to look. Each ends with the sum and the copies."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from mailer.store import controls
from mailer.store import editions as edition_store
from mailer.store.tables import deliveries
from tests.faults.badrelay import BadRelay, Rule, say
from tests.faults.runs import due, ends, many, quick, way_to
from tests.stories import send

__all__ = ["quick"]  # a fixture


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "DOT"])
async def test_a_message_that_is_too_big_for_the_relay_pauses_its_edition_after_five(database, clock, stage):
    edition = await due(database, *many(12))
    reply = "552 5.3.4 message too big for this system"
    async with BadRelay([Rule(stage, say(reply))]) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        (said,) = {re.sub(r"has [\d,]+ bytes", "has N bytes", who.said) for who in report.unreached.values()}
        assert said == f"{reply} (it has N bytes; the relay takes 52,428,800)"
        assert report.paused[edition][0] == "too_big"
        assert bad.messages == 5
        await ends(database, bad, {"failed": 5, "pending": 7}, {})
        paused = await database.read(edition_store.by_id, edition)
        assert paused.state == "paused"
        await send(database, way_to(bad), clock)
        assert bad.messages == 5
        await ends(database, bad, {"failed": 5, "pending": 7}, {})


async def test_fewer_than_five_that_are_too_big_pause_nothing(database, clock):
    edition = await due(database, *many(12))
    async with BadRelay([Rule("DOT", say("552 5.3.4 message too big"), times=4)]) as bad:
        await send(database, way_to(bad), clock, connections=1)
        await ends(database, bad, {"failed": 4, "accepted": 8}, {1: 8})
    assert (await database.read(edition_store.by_id, edition)).state == "done"


@pytest.mark.parametrize(
    ("stage", "reply", "reason", "most", "attempts"),
    [
        ("DOT", "451 4.6.0 content not checked", "message_deferred", 5, 1),
        ("DOT", "451 local error in processing", "message_deferred", 5, 1),
        ("RCPT", "535 5.7.8 authentication required", "authentication", 3, 0),
        ("DATA", "535 5.7.8 authentication required", "authentication", 3, 0),
        ("DOT", "535 5.7.8 authentication required", "authentication", 3, 0),
    ],
)
async def test_what_puts_one_mail_after_another_off_pauses_the_edition_and_nobody_is_lost(
    database, clock, stage, reply, reason, most, attempts
):
    edition = await due(database, *many(12))
    ill = True
    async with BadRelay([Rule(stage, say(reply), when=lambda _scene: ill)]) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert report.paused == {edition: (reason, reply)}
        assert bad.messages == most
        await ends(database, bad, {"deferred": most, "pending": 12 - most}, {})
        tried = select(deliveries.c.attempts).where(deliveries.c.state == "deferred")
        assert set(await database.read(lambda c: c.execute(tried).scalars())) == {attempts}
        clock.move(minutes=6)
        await send(database, way_to(bad), clock)
        assert bad.messages == most

        ill = False
        assert await database.write(controls.resume, edition, clock() + timedelta(hours=1))
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 12}, {1: 12})
    assert (await database.read(edition_store.by_id, edition)).state == "done"


@pytest.mark.parametrize(
    "reply", ["452 4.2.2 mailbox full", "452 mailbox full", "451 4.3.0 queue", "451 4.7.1 greylist"]
)
async def test_what_a_reader_or_the_relay_is_to_blame_for_after_the_dot_pauses_nothing(database, clock, reply):
    edition = await due(database, *many(12))
    async with BadRelay([Rule("DOT", say(reply), times=8)]) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert report.paused == {}
        await ends(database, bad, {"deferred": 8, "accepted": 4}, {1: 4})
        clock.move(minutes=16)
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 12}, {1: 12})
    assert (await database.read(edition_store.by_id, edition)).state == "done"


@pytest.mark.parametrize("reply", ["552 5.2.2 mailbox full", "552 mailbox full", "552 Requested mailbox exceeds quota"])
async def test_full_mailboxes_are_not_mistaken_for_a_mail_that_is_too_big(database, clock, reply):
    edition = await due(database, *many(12))
    async with BadRelay([Rule("RCPT", say(reply), times=6)]) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert {who.said for who in report.unreached.values()} == {reply}
        assert (report.paused, report.rests) == ({}, {})
        await ends(database, bad, {"failed": 6, "accepted": 6}, {1: 6})
    assert (await database.read(edition_store.by_id, edition)).state == "done"
