"""What goes wrong between MAIL and the reply to the dot, in whole runs. Each ends with the sum and the count of copies.

All hold whether or not MAIL, RCPT and DATA go in one write; seconds stand for the minutes of the real time limits.
"""

import tracemalloc

import pytest
from sqlalchemy import select

from mailer.store.tables import deliveries, suppressions
from tests.faults.badrelay import (
    OFFERS,
    PIPELINED,
    BadRelay,
    BadRelayProcess,
    Rule,
    accept,
    accept_then_drop,
    delay,
    drop,
    every,
    go_ahead,
    goodbye,
    hang,
    normal,
    nth,
    paced,
    raw,
    recipient,
    say,
    then,
    wait,
)
from tests.faults.runs import due, ends, enlarge, many, quick, rewrite, way_to
from tests.stories import address, row_of, send, standing, sums_hold

__all__ = ["quick"]  # a fixture

BOB = recipient(address("bob"))
NAMES = ("ann", "bob", "cem")
SOON = 0.5  # seconds: for runs in which a time runs out
pytestmark = pytest.mark.parametrize("offers", [OFFERS, PIPELINED], ids=["one by one", "pipelined"])


async def all_served(database, relay: BadRelay, count: int = 3) -> None:
    await ends(database, relay, {"accepted": count}, {1: count})


# --- 421


@pytest.mark.parametrize("farewell", [say, goodbye], ids=["stays", "hangs up"])
@pytest.mark.parametrize(
    ("stage", "bob"),
    [
        ("MAIL", "accepted"),  # it blames nobody, so he is offered again at once
        ("RCPT", "deferred: relay_busy"),
        ("DATA", "deferred: relay_busy"),
        ("DOT", "deferred: relay_busy"),
    ],
)
async def test_421_at_any_step_puts_one_reader_off_and_serves_all(database, clock, offers, farewell, stage, bob):
    await due(database, *NAMES)
    rule = Rule(stage, farewell("421 4.3.2 closing"), when=nth(2))
    async with BadRelay([rule], offers=offers) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert await standing(database) == {"ann": "accepted", "bob": bob, "cem": "accepted"}
        assert (report.down, bad.connections >= 2) == ("", True)
        clock.move(minutes=6)
        await send(database, way_to(bad), clock, connections=1)
        await all_served(database, bad)
    assert (await row_of(database, "bob")).attempts == 0


# --- refusals that are one reader's


@pytest.mark.parametrize("stage", ["RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "dead"),
    [
        ("501 5.1.3 bad address syntax", True),
        ("501 5.5.4 bad parameters", False),
        ("552 5.2.2 mailbox full", False),
        ("553 5.1.3 no such form of address", True),
        ("553 sorry, not this mailbox name", False),
    ],
)
async def test_a_5yz_for_one_reader_is_theirs_alone(database, clock, offers, stage, reply, dead):
    await due(database, *NAMES)
    async with BadRelay([Rule(stage, say(reply), when=BOB)], offers=offers) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        state = (await standing(database))["bob"]
        assert state.startswith("failed: ")
        assert (state == "failed: no_such_address") is dead
        assert [who.said for who in report.unreached.values()] == [reply]
        clock.move(days=1)
        await send(database, way_to(bad), clock)
        assert bad.messages == 3, "it was tried again"
        await ends(database, bad, {"accepted": 2, "failed": 1}, {1: 2})
    suppressed = await database.read(lambda c: c.execute(select(suppressions.c.email)).scalars().all())
    assert suppressed == ([address("bob")] if dead else [])


async def test_354_after_a_refused_recipient_costs_nobody_a_copy(database, clock, offers):
    """A relay may ask for the message all the same (RFC 2920 §3.1): nobody gets the next one's, or an empty one."""
    await due(database, *many(12))
    gone = [address(f"r{number}") for number in (0, 4, 5, 11)]
    rules = [
        Rule("RCPT", say("550 5.1.1 user unknown"), when=lambda scene: scene.recipient in gone),
        Rule("DATA", go_ahead(), when=lambda scene: scene.recipient in gone),
        Rule("DOT", say("250 2.0.0 taken, for nobody"), when=lambda scene: scene.recipient in gone, times=2),
    ]
    async with BadRelay(rules, offers=offers, keep=True) as bad:
        await send(database, way_to(bad), clock, connections=2)
        await ends(database, bad, {"accepted": 8, "failed": 4}, {1: 8})
        for taken in bad.accepted:
            assert f"\r\nTo: {taken.recipient}\r\n".encode() in taken.data


async def test_a_relay_without_smtputf8_costs_the_reader_it_can_not_reach_and_nobody_else(database, clock, offers):
    await due(database, "ann", "jörg", "cem")
    without = [offer for offer in offers if offer != "SMTPUTF8"]
    async with BadRelay(offers=without) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert await standing(database) == {"ann": "accepted", "jörg": "failed: refused", "cem": "accepted"}
        assert "SMTPUTF8" in next(iter(report.unreached.values())).said
        assert bad.messages == 2
        await ends(database, bad, {"accepted": 2, "failed": 1}, {1: 2})
    assert await database.read(lambda c: c.execute(select(suppressions)).all()) == []


async def test_a_relay_with_smtputf8_gets_the_address_as_it_is(database, clock, offers):
    await due(database, "ann", "jörg", "cem")
    async with BadRelay(offers=offers) as bad:
        await send(database, way_to(bad), clock)
        await all_served(database, bad)
        assert bad.copies["jörg@example.com"] == 1


# --- time


async def test_a_reply_to_the_dot_shortly_before_its_time_is_up_counts(database, clock, offers):
    """RFC 5321 §4.5.3.2.6: it has a time limit of its own, longer than that of any command."""
    await due(database, *NAMES)
    async with BadRelay([Rule("DOT", delay(2 * SOON), when=BOB)], offers=offers) as bad:
        await send(database, way_to(bad, patience=SOON, reply_timeout=20.0), clock, connections=1)
        await all_served(database, bad)


async def test_a_reply_to_the_dot_after_its_time_is_a_doubt_and_never_the_next_readers(database, clock, offers):
    await due(database, *NAMES)
    rules = [
        Rule("DOT", then(accept(), wait(2 * SOON), raw(b"250 2.0.0 accepted, for bob\r\n")), when=BOB, times=1),
        # When the late 250 comes, the next one's message is on its way, and it is refused.
        Rule("RCPT", delay(2 * SOON), when=recipient(address("cem"))),
        Rule("DOT", say("554 5.6.0 malformed"), when=recipient(address("cem"))),
    ]
    async with BadRelay(rules, offers=offers) as bad:
        await send(database, way_to(bad, reply_timeout=SOON), clock, connections=1)
        assert await standing(database) == {
            "ann": "accepted",
            "bob": "in_doubt: in_doubt",
            "cem": "failed: message_refused",
        }
        clock.move(minutes=31)
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 2, "failed": 1}, {1: 1, 2: 1})


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_a_relay_that_falls_silent_with_the_connection_open_delays_one_reader(database, clock, offers, stage):
    await due(database, *NAMES)
    async with BadRelay([Rule(stage, hang(), when=nth(2))], offers=offers) as bad:
        await send(database, way_to(bad, patience=SOON, reply_timeout=SOON), clock, connections=1)
        assert (await standing(database))["bob"] == {
            "MAIL": "accepted",  # on a used connection that is the relay's own way of ending it
            "DOT": "in_doubt: in_doubt",
        }.get(stage, "deferred: connection_lost")
        clock.move(minutes=31)
        await send(database, way_to(bad), clock)
        await all_served(database, bad)


@pytest.mark.parametrize("large", [False, True])
async def test_a_relay_that_stops_reading_in_the_body_delays_one_reader(database, clock, offers, large):
    """A small body and its dot are with the kernel by then, and nobody knows: only the large one is no doubt."""
    await due(database, *NAMES)
    if large:
        await enlarge(database, 12_000_000)
    async with BadRelay([Rule("BODY", hang(), when=BOB, times=1)], offers=offers) as bad:
        await send(database, way_to(bad, patience=SOON, reply_timeout=SOON), clock, connections=1)
        assert (await standing(database))["bob"] == ("deferred: connection_lost" if large else "in_doubt: in_doubt")
        clock.move(minutes=31)
        await send(database, way_to(bad), clock)
        await all_served(database, bad)


async def test_a_relay_that_speaks_one_byte_at_a_time_is_waited_for(database, clock, offers):
    await due(database, "ann", "bob")
    rules = [Rule(stage, paced(normal(), pause=0.001)) for stage in ("EHLO", "MAIL", "RCPT", "DATA", "DOT")]
    async with BadRelay(rules, offers=offers) as bad:
        await send(database, way_to(bad), clock, connections=1)
        await all_served(database, bad, 2)


@pytest.mark.parametrize(("stage", "state"), [("RCPT", "deferred: connection_lost"), ("DOT", "in_doubt: in_doubt")])
async def test_a_byte_now_and_then_does_not_hold_a_message_beyond_its_time(database, clock, offers, stage, state):
    await due(database, *NAMES)
    drip = paced(raw(b"250 2.0.0 " + b"z" * 1_000), pause=SOON / 5)
    async with BadRelay([Rule(stage, drip, when=BOB, times=1)], offers=offers) as bad:
        await send(database, way_to(bad, patience=SOON, reply_timeout=SOON), clock, connections=1)
        assert (await standing(database))["bob"] == state
        clock.move(minutes=31)
        await send(database, way_to(bad), clock)
        await all_served(database, bad)


# --- what is no reply, and what hardly is one

RAVING = {
    "text": raw(b"hello\r\n"),
    "binary": raw(bytes(range(256)) * 10 + b"\r\n"),
    "another protocol": raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "two codes": raw(b"250-one\r\n550 two\r\n"),
    "out of step": raw(b"354 go ahead\r\n"),
    "half a line": then(raw(b"250 2.0."), drop()),
}


@pytest.mark.parametrize("raving", RAVING)
@pytest.mark.parametrize(("stage", "state"), [("RCPT", "deferred: connection_lost"), ("DOT", "in_doubt: in_doubt")])
async def test_what_is_no_reply_is_one_readers_delay(database, clock, offers, stage, state, raving):
    await due(database, *NAMES)
    async with BadRelay([Rule(stage, RAVING[raving], when=BOB, times=1)], offers=offers) as bad:
        await send(database, way_to(bad), clock, connections=1)
        assert await standing(database) == {"ann": "accepted", "bob": state, "cem": "accepted"}
        clock.move(minutes=31)
        await send(database, way_to(bad), clock)
        await all_served(database, bad)


async def test_bare_line_feeds_no_text_and_251_are_good_replies(database, clock, offers):
    def means(reply: bytes):
        async def act(scene) -> None:
            scene.session.behave(scene.stage, scene.line)
            scene.write(reply)

        return act

    await due(database, *NAMES)
    rules = [
        Rule("MAIL", means(b"250\n")),
        Rule("RCPT", means(b"251 2.1.5 not here; will forward\n")),
        Rule("DATA", means(b"354\r\n")),
        Rule("DOT", means(b"250\n")),
    ]
    async with BadRelay(rules, offers=offers) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert (report.missed, bad.connections) == (0, 1)
        await all_served(database, bad)


# --- out of turn


@pytest.mark.parametrize(
    "line", [b"250 2.0.0 accepted\r\n", b"550 5.1.1 user unknown\r\n", b"421 4.4.2 idle\r\n", b"2", b"\xff\r\n"]
)
async def test_a_line_between_two_messages_is_nobodys_answer(database, clock, offers, line):
    await due(database, *many(8))
    rule = Rule("DOT", then(normal(), raw(line)), when=every(2))
    async with BadRelay([rule], offers=offers) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert (report.down, report.missed) == ("", 0)
        await all_served(database, bad, 8)


async def test_a_relay_that_hangs_up_after_every_message_serves_all(database, clock, offers):
    await due(database, *many(8))
    async with BadRelay([Rule("DOT", then(normal(), drop()))], offers=offers) as bad:
        report = await send(database, way_to(bad), clock, connections=2)
        assert (report.down, report.missed) == ("", 0)
        await all_served(database, bad, 8)


# --- what is in the message


@pytest.mark.parametrize("lenient", [False, True])
async def test_dots_nul_and_lone_line_ends_arrive_as_one_message(database, clock, offers, lenient):
    await due(database, *NAMES)
    odd = b".\r\n..\r\n.leaving\r\na\0b\r\nc\rd\ne\r\n.\r\rf\n.\nMAIL FROM:<eve@example.org>\r\n.\r\n"
    arrives = b".\r\n..\r\n.leaving\r\nab\r\nc\r\nd\r\ne\r\n.\r\n\r\nf\r\n.\r\nMAIL FROM:<eve@example.org>\r\n.\r\n"
    await rewrite(database, lambda end: end.removesuffix(b"\r\n") + b"\r\n" + odd)
    async with BadRelay(offers=offers, keep=True, lenient=lenient) as bad:
        await send(database, way_to(bad), clock, connections=1)
        await all_served(database, bad)
        assert bad.messages == 3
        for taken in bad.accepted:
            assert taken.data.endswith(b"\r\n" + arrives)


# --- memory


@pytest.mark.parametrize(
    ("script", "bob"),
    [
        ("endless-rcpt-2nd", "deferred: connection_lost"),
        ("endless-line-rcpt-2nd", "deferred: connection_lost"),
        ("endless-dot-2nd", "in_doubt: in_doubt"),
        ("huge-dot-2nd", "in_doubt: in_doubt"),
        ("binary-dot-2nd", "in_doubt: in_doubt"),
    ],
)
async def test_a_relay_that_raves_without_end_costs_no_memory(database, clock, offers, script, bob, tmp_path):
    """It is a process of its own, so that what it holds itself isn't counted."""
    del offers
    await due(database, *NAMES)
    with BadRelayProcess(tmp_path / "log", script) as bad:
        tracemalloc.start()
        try:
            await send(database, way_to(bad), clock, connections=1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 5_000_000  # ten million bytes and more were said
        assert await standing(database) == {"ann": "accepted", "bob": bob, "cem": "accepted"}
        clock.move(minutes=31)
        await send(database, way_to(bad), clock)
        taken = {1: 3} if bob.startswith("deferred") else {1: 2, 2: 1}
        await ends(database, bad, {"accepted": 3}, taken)


# --- all at once


async def test_a_relay_that_does_all_of_this_ends_with_everybody_served_or_named(database, clock, offers):
    await due(database, *many(120))
    rules = [
        Rule("DATA", go_ahead(), when=every(11)),
        Rule("RCPT", say("550 5.1.1 user unknown"), when=every(11)),
        Rule("RCPT", say("450 4.2.1 not now"), when=every(13)),
        Rule("RCPT", goodbye("421 4.3.2 closing"), when=every(17)),
        Rule("MAIL", drop(), when=every(19)),
        Rule("DATA", raw(b"hello\r\n"), when=every(23)),
        Rule("DOT", accept_then_drop(), when=every(29)),
        Rule("DOT", then(normal(), raw(b"250 2.0.0 more\r\n")), when=every(7)),
    ]
    async with BadRelay(rules, offers=offers, grouped=True, keep=True) as bad:
        for _ in range(12):
            await send(database, way_to(bad), clock, connections=4)
            clock.move(minutes=45)
        states = await sums_hold(database)
        assert states["accepted"] + states["failed"] + states["in_doubt_held"] == 120
        assert 0 < states["failed"] < 60
        assert max(bad.copies.values()) <= 2
        named = await standing(database)
        assert set(named.values()) <= {"accepted", "failed: no_such_address", "in_doubt_held: in_doubt"}
        assert all(bad.copies[address(name)] for name, state in named.items() if state == "accepted")
    doubts = await database.read(lambda c: c.execute(select(deliveries.c.doubts)).scalars().all())
    assert sum(count > 1 for count in bad.copies.values()) <= sum(map(bool, doubts))
