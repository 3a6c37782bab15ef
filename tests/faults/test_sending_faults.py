"""Sending to a relay that misbehaves, over real connections. Each test ends with the sum and the count of copies."""

import asyncio
import email
import email.policy
from collections import Counter

import pytest
from sqlalchemy import select

from mailer.core.delivery import DeliveryOptions
from mailer.flows import delivering
from mailer.flows.delivering import Run, the_one_sender
from mailer.store import editions as edition_store
from mailer.store.database import Database
from mailer.store.tables import deliveries, subscribers, suppressions
from tests.faults.badrelay import (
    BadRelay,
    Rule,
    accept_then_drop,
    delay,
    drop,
    every,
    normal,
    raw,
    recipient,
    say,
    then,
)
from tests.faults.certificate import make_certificate
from tests.faults.runs import due, ends, enlarge, many, quick, way_to
from tests.stories import KEY, MONDAY, Clock, address, row_of, send, standing, sums_hold

__all__ = ["quick"]  # a fixture

BOB = recipient(address("bob"))


# --- process


async def test_two_senders_at_once_send_one_copy_each(database, database_url, clock, monkeypatch):
    monkeypatch.setattr(delivering, "LOOK", 0.005)
    await due(database, *many(100))
    told: list[str] = []
    async with BadRelay([Rule("DOT", delay(0.002))]) as bad:

        async def sender(own: Database, note: str):
            async with the_one_sender(own, note, told.append, asyncio.Event()):
                return await send(own, way_to(bad), clock, connections=5)

        with Database(database_url) as other:
            first, second = await asyncio.gather(sender(database, "the first"), sender(other, "the second"))
        assert (first.sent, second.sent) == (100, 0)
        assert [words.partition(" (")[0] for words in told] == ["Waiting: the first"]
        await ends(database, bad, {"accepted": 100}, {1: 100})


async def _stop_after(bad: BadRelay, copies: int, stop: asyncio.Event) -> None:
    """In the middle of the work, however slow the machine is."""
    while bad.copies.total() < copies:  # noqa: ASYNC110  # the relay only counts, it tells nobody
        await asyncio.sleep(0.001)
    stop.set()


async def test_a_stop_leaves_nothing_in_doubt(database, clock):
    await due(database, *many(200))
    stop = asyncio.Event()
    async with BadRelay([Rule("DOT", then(delay(0.005)))]) as bad:
        stopping = asyncio.create_task(_stop_after(bad, 20, stop))
        report = await send(database, way_to(bad), clock, connections=8, stop=stop)
        await stopping
        assert report.stopped
        sent = bad.copies.total()
        assert 0 < sent < 200
        await ends(database, bad, {"accepted": sent, "pending": 200 - sent}, {1: sent})
        await send(database, way_to(bad), clock, connections=8)
        await ends(database, bad, {"accepted": 200}, {1: 200})


# --- connect


async def test_a_relay_that_refuses_connections_fails_nobody(database, clock):
    await due(database, *many(20))
    async with BadRelay() as bad:
        port = bad.port
    report = await send(database, way_to(bad, port=port), clock)
    assert report.down == f"cannot connect to 127.0.0.1 port {port}: Connection refused"
    assert (report.down_since, report.missed, report.outcomes) == (MONDAY, 0, Counter())
    await ends(database, bad, {"pending": 20}, {})
    async with BadRelay() as good:
        await send(database, way_to(good), clock)
        await ends(database, good, {"accepted": 20}, {1: 20})


async def test_a_relay_that_is_refused_midway_loses_nobody(database, clock):
    await due(database, *many(40))
    async with BadRelay([Rule("MAIL", say("421 4.3.2 going down"), after=15)]) as bad:
        report = await send(database, way_to(bad), clock, connections=4)
        assert report.down == "421 4.3.2 going down"
        assert report.missed == 0
        await ends(database, bad, {"accepted": 15, "pending": 25}, {1: 15})


@pytest.mark.parametrize("reply", ["554 5.7.1 no mail from you", "421 4.7.0 too busy"])
async def test_a_greeting_that_refuses_us_fails_nobody(database, clock, reply):
    await due(database, *many(5))
    async with BadRelay([Rule("GREETING", say(reply))]) as bad:
        report = await send(database, way_to(bad), clock)
        assert report.down == reply
        await ends(database, bad, {"pending": 5}, {})


async def test_a_relay_that_drops_starttls_hears_no_password_and_no_mail(database, clock):
    await due(database, *many(5))
    async with BadRelay(secret=("mia", "secret")) as bad:
        way = way_to(bad, security="starttls", username="mia", password="secret")
        report = await send(database, way, clock)
        assert "offers no STARTTLS" in report.down
        assert {taken.text.split()[0] for taken in bad.lines} <= {b"EHLO", b"QUIT"}
        await ends(database, bad, {"pending": 5}, {})


async def test_a_bad_certificate_hears_no_password_and_no_mail(database, clock, tmp_path):
    await due(database, *many(5))
    certificate = make_certificate(tmp_path)
    async with BadRelay(certificate=certificate.server, tls="starttls", secret=("mia", "secret")) as bad:
        way = way_to(bad, security="starttls", username="mia", password="secret")
        report = await send(database, way, clock)
        assert "certificate" in report.down
        assert all(taken.text.split()[0] in {b"EHLO", b"STARTTLS"} for taken in bad.lines)
        assert bad.connections == 1
        await ends(database, bad, {"pending": 5}, {})


async def test_a_wrong_password_is_tried_once(database, clock):
    await due(database, *many(5))
    async with BadRelay(secret=("mia", "secret")) as bad:
        report = await send(database, way_to(bad, username="mia", password="something-else"), clock, connections=5)
        assert report.down == "535 5.7.8 wrong name or password; check [smtp] username and password"
        assert sum(taken.text.startswith(b"AUTH") for taken in bad.lines) == 1
        await ends(database, bad, {"pending": 5}, {})


async def test_a_relay_that_takes_three_connections_is_served_over_three(database, clock):
    await due(database, *many(60))
    async with BadRelay([Rule("DOT", delay(0.002))], max_connections=3) as bad:
        report = await send(database, way_to(bad), clock, connections=10)
        assert (report.down, report.missed) == ("", 0)
        await ends(database, bad, {"accepted": 60}, {1: 60})


async def test_a_relay_that_closes_after_every_message_is_served(database, clock):
    await due(database, *many(30))
    async with BadRelay([Rule("DOT", then(normal(), drop()))]) as bad:
        report = await send(database, way_to(bad), clock, connections=4)
        assert (report.down, report.missed) == ("", 0)
        assert bad.connections >= 30
        await ends(database, bad, {"accepted": 30}, {1: 30})


# --- transaction


async def test_550_5_1_1_fails_once_and_the_address_is_mailed_no_more(database, clock):
    await due(database, "ann", "bob", "cem")
    async with BadRelay([Rule("RCPT", say("550 5.1.1 <bob@example.com>: user unknown"), when=BOB)]) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert [who.said for who in report.unreached.values()] == ["550 5.1.1 <bob@example.com>: user unknown"]
        clock.move(days=1)
        await send(database, way_to(bad), clock)
        assert bad.messages == 3
        await ends(database, bad, {"accepted": 2, "failed": 1}, {1: 2})
    rows = await database.read(lambda c: c.execute(select(suppressions.c.email)).scalars().all())
    assert rows == [address("bob")]
    states = await database.read(lambda c: c.execute(select(subscribers.c.state)).scalars().all())
    assert sorted(states) == ["active", "active", "bounced"]


@pytest.mark.parametrize(
    ("reply", "state", "minutes"),
    [
        ("451 4.2.0 try again later", "deferred: deferred", 5),
        ("451 4.7.1 greylisted, come back", "deferred: greylisted", 5),
        ("452-4.2.2 mailbox\n452 4.2.2 is full", "deferred: deferred", 5),
        ("554 5.7.1 relay access denied", "deferred: policy", 5),
    ],
)
async def test_a_deferred_reader_gets_one_copy_later(database, clock, reply, state, minutes):
    await due(database, "ann", "bob", "cem")
    async with BadRelay([Rule("RCPT", say(reply), when=BOB, times=1)]) as bad:
        await send(database, way_to(bad), clock, connections=1)
        assert (await standing(database))["bob"] == state
        clock.move(minutes=minutes - 1)
        await send(database, way_to(bad), clock)
        assert bad.messages == 3
        clock.move(minutes=1)
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 3}, {1: 3})
    assert await database.read(lambda c: c.execute(select(suppressions)).all()) == []


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "BODY"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_dropped_before_the_dot_means_one_copy(database, clock, stage, reset):
    await due(database, *many(10))
    async with BadRelay([Rule(stage, drop(reset=reset), times=3, after=2)]) as bad:
        await send(database, way_to(bad), clock, connections=2)
        # A body that the socket took whole is followed by its dot before the drop is heard of: then it is a doubt.
        states = await sums_hold(database)
        assert (states["accepted"], states["deferred"] + states["in_doubt"]) == (7, 3)
        assert stage == "BODY" or not states["in_doubt"]
        clock.move(minutes=31)
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 10}, {1: 10})


@pytest.mark.parametrize("reset", [False, True])
async def test_a_large_message_broken_off_midway_is_no_doubt(database, clock, reset):
    await due(database, "ann", "bob", "cem")
    await enlarge(database, 8_000_000)
    async with BadRelay([Rule("BODY", drop(reset=reset), after_bytes=1_000_000, when=BOB, times=1)]) as bad:
        await send(database, way_to(bad), clock, connections=1)
        assert await standing(database) == {"ann": "accepted", "bob": "deferred: connection_lost", "cem": "accepted"}
        clock.move(minutes=6)
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 3}, {1: 3})


async def test_a_connection_dropped_at_mail_blames_nobody_for_long(database, clock):
    await due(database, *many(10))
    async with BadRelay([Rule("MAIL", drop(), times=2, after=3)]) as bad:
        await send(database, way_to(bad), clock, connections=1)
        clock.move(minutes=6)
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 10}, {1: 10})


@pytest.mark.parametrize(
    ("action", "copies"), [(accept_then_drop(), {1: 2, 2: 1}), (drop(), {1: 3})], ids=["taken", "not taken"]
)
async def test_a_drop_after_the_dot_is_doubt_and_at_most_two_equal_copies(database, clock, action, copies):
    await due(database, "ann", "bob", "cem")
    async with BadRelay([Rule("DOT", action, when=BOB, times=1)], keep=True) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert (await standing(database))["bob"] == "in_doubt: in_doubt"
        assert [who.address for who in report.unreached.values()] == [address("bob")]
        clock.move(minutes=29)
        await send(database, way_to(bad), clock)
        assert bad.messages == 3
        clock.move(minutes=1)
        await send(database, way_to(bad), clock, keys=(KEY, "the next key, which signs from now on"))
        await ends(database, bad, {"accepted": 3}, copies)
        theirs = [taken for taken in bad.accepted if taken.recipient == address("bob")]
        assert len({taken.data for taken in theirs}) == 1
        assert len({taken.message_id for taken in theirs}) == 1


async def test_a_relay_that_always_drops_after_the_dot_gets_two_copies_and_no_more(database, clock):
    edition = await due(database, *many(5))
    async with BadRelay([Rule("DOT", accept_then_drop())]) as bad:
        for _ in range(5):
            await send(database, way_to(bad), clock, connections=2)
            clock.move(minutes=31)
        await ends(database, bad, {"in_doubt_held": 5}, {2: 5})
    assert (await database.read(edition_store.by_id, edition)).state == "done"


async def test_doubts_that_are_held_get_one_copy(database, clock):
    await due(database, *many(5))
    async with BadRelay([Rule("DOT", accept_then_drop(), times=2)]) as bad:
        for _ in range(3):
            await send(database, way_to(bad), clock, connections=2, in_doubt="hold")
            clock.move(minutes=31)
        await ends(database, bad, {"accepted": 3, "in_doubt_held": 2}, {1: 5})


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (raw(b"garbage\r\n"), "in_doubt: in_doubt"),
        (raw(b"\xff\xfe\x00\r\n"), "in_doubt: in_doubt"),
        (raw(b"x" * 100_000), "in_doubt: in_doubt"),
        (say("354 go ahead"), "in_doubt: in_doubt"),
        (say("451 4.3.0 queue file write error"), "deferred: relay_busy"),
        (say("451 4.6.0 not now"), "deferred: message_deferred"),
        (say("554 5.6.0 malformed"), "failed: message_refused"),
        (say("552 5.3.4 too big"), "failed: too_big"),
        (say("251 elsewhere"), "accepted"),
        (raw(b"250\r\n"), "accepted"),
    ],
)
async def test_what_is_said_after_the_dot_decides(database, clock, action, state):
    await due(database, "ann", "bob", "cem")
    async with BadRelay([Rule("DOT", action, when=BOB)]) as bad:
        await send(database, way_to(bad), clock, connections=1)
        assert await standing(database) == {"ann": "accepted", "bob": state, "cem": "accepted"}
        await sums_hold(database)
        assert bad.copies[address("ann")] == bad.copies[address("cem")] == 1


async def test_silence_after_the_dot_is_doubt_when_the_time_is_up(database, clock):
    await due(database, "ann", "bob")
    async with BadRelay([Rule("DOT", delay(1), when=BOB, times=1)]) as bad:
        await send(database, way_to(bad, reply_timeout=0.2), clock, connections=1)
        assert await standing(database) == {"ann": "accepted", "bob": "in_doubt: in_doubt"}
        clock.move(minutes=30)
        await send(database, way_to(bad), clock)
        assert (await sums_hold(database)) == {"accepted": 2}
        assert max(bad.copies.values()) <= 2


async def test_mail_that_is_always_refused_is_the_relays_trouble(database, clock):
    await due(database, *many(30))
    async with BadRelay([Rule("MAIL", say("550 5.7.1 sender refused"))]) as bad:
        report = await send(database, way_to(bad), clock, connections=5)
        assert report.down == "550 5.7.1 sender refused"
        assert (report.missed, bad.messages <= 15) == (0, True)
        await ends(database, bad, {"pending": 30}, {})
    rows = await database.read(lambda c: c.execute(select(deliveries.c.attempts)).scalars().all())
    assert set(rows) == {0}


async def test_trouble_of_every_kind_leaves_nobody_unsettled_or_with_a_third_copy(database, clock):
    await due(database, *many(100))
    rules = [
        Rule("DOT", accept_then_drop(), when=every(17)),
        Rule("BODY", drop(), when=every(13)),
        Rule("RCPT", say("451 4.3.0 try later"), when=every(10)),
        Rule("MAIL", say("421 4.3.2 closing"), when=every(23)),
    ]
    async with BadRelay(rules) as bad:
        for _ in range(12):
            await send(database, way_to(bad), clock, connections=6)
            clock.move(minutes=45)
        states = await sums_hold(database)
        assert states["accepted"] + states["in_doubt_held"] == 100
        # Two doubts may both have been lost on the way: then the reader has nothing, and is held for a human to see.
        reached = {name for name, state in (await standing(database)).items() if state.startswith("accepted")}
        assert {address(name) for name in reached} <= set(bad.copies)
        assert states["in_doubt_held"] < 10
        assert max(bad.copies.values()) <= 2


# --- waiting


async def test_waiting_with_seconds_settles_everybody(database, monkeypatch):
    """Half a minute passes at each look at the clock, so that nothing here waits for long."""

    async def no_time(_stop: asyncio.Event, _seconds: float) -> None:
        await asyncio.sleep(0.001)

    monkeypatch.setattr(delivering, "_sleep", no_time)
    await due(database, "ann", "bob", "cem")

    class Running(Clock):
        def __call__(self):
            self.move(seconds=30)
            return self.now

    rules = [
        Rule("RCPT", say("451 4.7.1 greylisted"), when=recipient(address("ann")), times=2),
        Rule("DOT", accept_then_drop(), when=BOB, times=1),
    ]
    async with BadRelay(rules) as bad:
        run = send(database, way_to(bad), Running(), run=Run(wait=True), in_doubt_after="1s")
        report = await asyncio.wait_for(run, 60)
        assert report.missed == 0
        await ends(database, bad, {"accepted": 3}, {1: 2, 2: 1})


async def test_a_limit_over_real_connections(database, clock):
    await due(database, *many(20))
    async with BadRelay() as bad:
        for total in (7, 14, 20, 20):
            await send(database, way_to(bad), clock, run=Run(limit=7), connections=3)
            assert bad.copies.total() == total
        await ends(database, bad, {"accepted": 20}, {1: 20})


# --- what arrives


async def test_what_arrives_is_a_whole_message_for_its_reader(database, clock):
    await due(database, "ann", "bob")
    async with BadRelay(keep=True) as bad:
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 2}, {1: 2})
        for taken in bad.accepted:
            message = email.message_from_bytes(taken.data, policy=email.policy.default)
            assert message["To"] == taken.recipient
            assert message["Subject"] == "About b"
            assert not message.defects
            row = await row_of(database, taken.recipient.partition("@")[0])
            assert taken.message_id.startswith(f"<{row.id}.")
            assert max(len(part) for part in taken.data.split(b"\r\n")) <= 998


def test_the_settings_of_these_tests_are_those_of_the_program():
    options = DeliveryOptions()
    assert (options.in_doubt_after.total_seconds(), options.in_doubt) == (1800, "retry")
