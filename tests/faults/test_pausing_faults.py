"""Refusals that are everybody's: the edition pauses for somebody to look. Each ends with the sum and the copies."""

import re

import pytest

from mailer.store import editions as edition_store
from tests.faults.badrelay import BadRelay, Rule, say
from tests.faults.runs import due, ends, many, quick, way_to
from tests.stories import send

__all__ = ["quick"]  # a fixture


@pytest.mark.parametrize("stage", ["DATA", "DOT"])
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
