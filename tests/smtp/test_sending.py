"""A mail over an open connection, to a relay that behaves, refuses, breaks off or raves."""

import asyncio
import time

import pytest

from mailer.core.delivery import Answer, Reply, Stage
from mailer.core.message import Mail
from mailer.smtp import RelayOptions
from mailer.smtp.connection import MAX_AGE
from mailer.smtp.wire import Wire
from tests.faults.badrelay import (
    BadRelay,
    Rule,
    accept,
    accept_then_drop,
    delay,
    drop,
    endless,
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
from tests.smtp.connected import SOON, connected, mail

ACCEPTED = Answer(Stage.DOT, Reply(250, "2.0.0", "accepted"))
BOB = recipient("bob@example.org")
BEFORE_THE_DOT = ("MAIL", "RCPT", "DATA")
LARGE = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 250_000  # more than any socket holds


def commands(bad: BadRelay) -> list[str]:
    return [line.text.split()[0].decode() for line in bad.lines]


async def next_one_works(connection, bad: BadRelay) -> None:
    assert connection.alive
    before = bad.copies["next@example.org"]
    assert await connection.send(mail("next")) == ACCEPTED
    assert bad.copies["next@example.org"] == before + 1


async def is_dead(connection, bad: BadRelay) -> None:
    """Dead, and nothing more is written to it."""
    assert not connection.alive
    messages = bad.messages
    answer = await connection.send(mail("next"))
    assert (answer.stage, answer.reply) == (Stage.MAIL, None)
    assert answer.trouble
    assert bad.messages == messages


async def dies(connection) -> None:
    """Waits until it is noticed that the connection can't be used any more."""
    for _ in range(1_000):
        if not connection.alive:
            return
        await asyncio.sleep(0.005)


# What should be


async def test_many_mails_go_over_one_connection():
    async with BadRelay(keep=True) as bad, connected(bad) as connection:
        for number in range(30):
            assert await connection.send(mail(f"r{number}")) == ACCEPTED
        assert connection.sent == 30
    assert set(bad.copies.values()) == {1}
    assert [taken.message_id for taken in bad.accepted] == [f"<r{number}@news.example.org>" for number in range(30)]
    assert bad.accepted[0].data == mail("r0").data
    assert commands(bad) == ["EHLO", *["MAIL", "RCPT", "DATA"] * 30, "QUIT"]


async def test_a_connection_is_stale_by_count_or_by_age():
    async with BadRelay() as bad, connected(bad) as connection:
        now = time.monotonic()
        assert not connection.stale(now)
        assert connection.stale(now + MAX_AGE)
        for _ in range(RelayOptions().messages_per_connection):
            assert not connection.stale(now)
            await connection.send(mail())
        assert connection.stale(now)


@pytest.mark.parametrize(
    ("offers", "limit"),
    [(("SIZE 1000",), "; the relay takes 1,000"), (("SIZE",), ""), (("SIZE 0",), ""), (("SIZE lots",), ""), ((), "")],
)
async def test_a_message_that_is_too_big_is_told_with_its_size_and_the_limit(offers, limit):
    rule = Rule("DOT", say("552 5.3.4 too big"))
    async with BadRelay([rule], offers=offers) as bad, connected(bad) as connection:
        answer = await connection.send(mail(data=b"x" * 1998 + b"\r\n"))
    assert answer == Answer(Stage.DOT, Reply(552, "5.3.4", f"too big (it has 2,000 bytes{limit})"))


async def test_only_offered_extensions_are_used():
    data = "Subject: ä\r\n\r\nä\r\n".encode()
    async with BadRelay() as bad, connected(bad) as connection:
        await connection.send(mail(data=data))
        assert bad.lines[1].text == b"MAIL FROM:<news@example.org> SIZE=%d BODY=8BITMIME" % len(data)
    async with BadRelay(offers=()) as bad, connected(bad) as connection:
        await connection.send(mail(data=data))
        assert bad.lines[1].text == b"MAIL FROM:<news@example.org>"


async def test_a_relay_without_smtputf8_costs_that_one_reader_only():
    async with BadRelay(offers=["8BITMIME"]) as bad, connected(bad) as connection:
        answer = await connection.send(mail("jörg"))
        assert answer.stage is Stage.RCPT
        assert answer.reply
        assert (answer.reply.code, answer.reply.enhanced) == (553, "5.6.7")
        assert bad.messages == 0
        await next_one_works(connection, bad)


async def test_an_address_beyond_ascii_goes_where_it_may():
    async with BadRelay() as bad, connected(bad) as connection:
        assert await connection.send(mail("jörg")) == ACCEPTED
    assert bad.copies["jörg@example.org"] == 1


async def test_an_address_that_says_more_reaches_no_wire():
    async with BadRelay() as bad, connected(bad) as connection:
        for address in (
            "a b@example.org",
            "ann@example.org>\r\nRCPT TO:<eve@example.org",
            "x@example.org> NOTIFY=NEVER",
        ):
            answer = await connection.send(Mail("news@example.org", address, b"x"))
            assert answer.stage is Stage.RCPT
            assert answer.reply
            assert answer.reply.code == 553
        assert commands(bad) == ["EHLO"]
        await next_one_works(connection, bad)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("data", "arrives"),
    [
        (b"a\r\n.\r\n..\r\n.b\r\n", b"a\r\n.\r\n..\r\n.b\r\n"),
        (b".\r\na\r\n", b".\r\na\r\n"),
        (b"a\n.\nMAIL FROM:<eve@example.org>\nb", b"a\r\n.\r\nMAIL FROM:<eve@example.org>\r\nb\r\n"),
        (b"a\r.\rb\r", b"a\r\n.\r\nb\r\n"),
        (b"a\r\n.\rb\n.\r\nc", b"a\r\n.\r\nb\r\n.\r\nc\r\n"),
        (b"a\r\0\n\0.\0\r\nb\0c\r\n", b"a\r\n.\r\nbc\r\n"),
        (bytes(byte for byte in range(1, 256) if byte not in b"\r\n"), None),
        (b"", b""),
    ],
)
async def test_whatever_a_mail_holds_it_arrives_as_one_mail(data, arrives, lenient):
    async with BadRelay(keep=True, lenient=lenient) as bad, connected(bad) as connection:
        assert await connection.send(mail(data=b"Subject: x\r\n\r\n" + data)) == ACCEPTED
    [taken] = bad.accepted
    assert taken.data == b"Subject: x\r\n\r\n" + (data + b"\r\n" if arrives is None else arrives)
    assert commands(bad) == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_a_large_mail_waits_for_a_slow_reader_and_arrives_whole():
    rule = Rule("BODY", then(_stop_reading, wait(0.05), _read_again))
    async with BadRelay([rule], keep=True) as bad, connected(bad) as connection:
        assert await connection.send(mail(data=LARGE)) == ACCEPTED
    assert bad.accepted[0].data == LARGE


async def _stop_reading(scene):
    scene.session.stop_reading()


async def _read_again(scene):
    scene.session._transport.resume_reading()


@pytest.mark.parametrize("reply", ["250 2.0.0 accepted", "250", "250-2.0.0 acc\n250 2.0.0 epted", "252 2.0.0 x"])
async def test_any_2yz_after_the_dot_is_accepted(reply):
    async with BadRelay([Rule("DOT", say(reply), times=1)]) as bad, connected(bad) as connection:
        answer = await connection.send(mail())
        assert (answer.stage, answer.reply and answer.reply.code // 100) == (Stage.DOT, 2)
        await next_one_works(connection, bad)


async def test_replies_with_bare_line_feeds_and_without_text_are_replies():
    rules = [
        Rule("MAIL", then(_meant, raw(b"250\r\n"))),
        Rule("RCPT", then(_meant, raw(b"251 2.1.5 will forward\n"))),
        Rule("DATA", then(_meant, raw(b"354\n"))),
        Rule("DOT", then(accept(), raw(b"250\n"))),
    ]
    async with BadRelay(rules) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == Answer(Stage.DOT, Reply(250))
        assert await connection.send(mail()) == Answer(Stage.DOT, Reply(250))


async def _meant(scene):
    scene.session.behave(scene.stage, scene.line)


@pytest.mark.parametrize("size", [1, 10])
async def test_replies_may_come_in_pieces(size):
    rules = [Rule(stage, paced(normal(), size=size)) for stage in (*BEFORE_THE_DOT, "DOT")]
    async with BadRelay(rules) as bad, connected(bad) as connection:
        await next_one_works(connection, bad)
        await next_one_works(connection, bad)


async def test_a_slow_reply_is_waited_for():
    async with BadRelay([Rule("DOT", delay(SOON))]) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == ACCEPTED


async def test_the_dot_has_a_patience_of_its_own():
    rules = [Rule("DOT", delay(3 * SOON), when=nth(1)), Rule("RCPT", delay(3 * SOON), when=nth(2))]
    async with BadRelay(rules) as bad, connected(bad, patience=SOON) as connection:
        assert await connection.send(mail()) == ACCEPTED
        assert (await connection.send(mail())).stage is Stage.RCPT
        await is_dead(connection, bad)


# Refusals


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("550 5.1.1 user unknown", Reply(550, "5.1.1", "user unknown")),
        ("451-4.7.1 greylisted,\n451 4.7.1 come back", Reply(451, "4.7.1", "greylisted, come back")),
    ],
)
async def test_a_refusal_is_that_mails_own_and_the_next_goes_after_rset(stage, text, reply):
    async with BadRelay([Rule(stage, say(text), when=nth(1))]) as bad, connected(bad) as connection:
        assert await connection.send(mail("bob")) == Answer(Stage[stage], reply)
        assert commands(bad)[-1] == "RSET"
        await next_one_works(connection, bad)
        assert bad.copies["bob@example.org"] == 0


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_421_is_the_answer_and_the_end_of_the_connection(stage):
    async with BadRelay([Rule(stage, say("421 4.3.2 closing"), when=nth(1))]) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == Answer(Stage[stage], Reply(421, "4.3.2", "closing"))
        assert "RSET" not in commands(bad)
        await is_dead(connection, bad)


@pytest.mark.parametrize("action", [say("500 5.5.1 what"), say("421 4.3.2 closing"), drop(), hang(), raw(b"\xff\r\n")])
async def test_a_reset_that_is_not_confirmed_ends_the_connection_but_not_the_answer(action):
    rules = [Rule("RCPT", say("550 5.1.1 user unknown"), when=BOB), Rule("RSET", action)]
    async with BadRelay(rules) as bad, connected(bad, patience=SOON) as connection:
        assert await connection.send(mail("bob")) == Answer(Stage.RCPT, Reply(550, "5.1.1", "user unknown"))
        await is_dead(connection, bad)


# Breaking off


@pytest.mark.parametrize("stage", BEFORE_THE_DOT)
@pytest.mark.parametrize(
    "action",
    [
        drop(),
        drop(reset=True),
        hang(),
        raw(b"hello\r\n"),
        raw(bytes(range(256)) + b"\r\n"),
        raw(b"250-one\r\n550 two\r\n"),
        raw(b"250 half"),
        then(raw(b"250 half"), drop()),
        paced(raw(b"250 one byte at a time and far too slow\r\n"), pause=SOON / 8),
        endless(),
        endless(b"x" * 10_000),
    ],
)
async def test_what_is_no_answer_before_the_dot_leaves_the_mail_unsent(stage, action):
    async with BadRelay([Rule(stage, action)]) as bad, connected(bad, patience=SOON) as connection:
        answer = await connection.send(mail())
        assert (answer.stage, answer.reply) == (Stage[stage], None)
        assert answer.trouble
        await is_dead(connection, bad)
    assert bad.copies.total() == 0


@pytest.mark.parametrize(("stage", "text"), [("MAIL", "354 go ahead"), ("RCPT", "354 go ahead"), ("DATA", "250 ok")])
async def test_a_reply_out_of_step_is_no_answer(stage, text):
    async with BadRelay([Rule(stage, raw(text.encode() + b"\r\n"))]) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == Answer(Stage[stage], None, f"the relay answered out of step: {text}")
        await is_dead(connection, bad)


@pytest.mark.parametrize("reset", [False, True])
async def test_a_relay_that_hangs_up_in_the_body_has_not_got_the_mail(reset):
    rule = Rule("BODY", drop(reset=reset), after_bytes=100_000)
    async with BadRelay([rule]) as bad, connected(bad) as connection:
        answer = await connection.send(mail(data=LARGE))
        assert (answer.stage, answer.reply) == (Stage.BODY, None)
        await is_dead(connection, bad)
    assert bad.copies.total() == 0


async def test_a_relay_that_stops_reading_in_the_body_has_not_got_the_mail():
    async with BadRelay([Rule("BODY", hang())]) as bad, connected(bad, patience=SOON) as connection:
        answer = await connection.send(mail(data=LARGE))
        assert answer == Answer(Stage.BODY, None, f"the relay took no data for {SOON:g} seconds")
        await is_dead(connection, bad)


@pytest.mark.parametrize("size", [1_000_000, len(LARGE)])
async def test_a_relay_that_answers_in_the_body_has_not_got_the_mail(size):
    rule = Rule("BODY", raw(b"552 5.3.4 too big\r\n"), after_bytes=1_000)
    async with BadRelay([rule]) as bad, connected(bad) as connection:
        answer = await connection.send(mail(data=LARGE[:size]))
        assert answer == Answer(Stage.BODY, None, "the relay spoke without being asked: 552 5.3.4 too big")
        await is_dead(connection, bad)


async def test_a_connection_lost_unnoticed_before_the_dot_is_no_doubt(monkeypatch):
    written = Wire.write_all

    async def write_all_and_lose(wire, data, patience):
        whole = await written(wire, data, patience)
        wire._transport.abort()
        return whole

    monkeypatch.setattr(Wire, "write_all", write_all_and_lose)
    async with BadRelay() as bad, connected(bad) as connection:
        assert await connection.send(mail()) == Answer(Stage.BODY, None, "the connection was lost")
        await is_dead(connection, bad)
    assert bad.copies.total() == 0


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize(
    "action",
    [
        drop(),
        drop(reset=True),
        hang(),
        raw(b"hello\r\n"),
        raw(bytes(range(256)) + b"\r\n"),
        raw(b"250-one\r\n550 two\r\n"),
        raw(b"354 out of step\r\n"),
        then(raw(b"250 half"), drop()),
        paced(raw(b"250 one byte at a time and far too slow\r\n"), pause=SOON / 8),
        endless(),
        endless(b"x" * 10_000),
    ],
)
async def test_what_is_no_answer_after_the_dot_is_doubt(action, taken):
    rule = Rule("DOT", then(accept(), action) if taken else action)
    async with BadRelay([rule]) as bad, connected(bad, after_dot=SOON) as connection:
        answer = await connection.send(mail())
        assert (answer.stage, answer.reply) == (Stage.DOT, None)
        assert answer.trouble
        await is_dead(connection, bad)
    assert bad.copies.total() == taken


async def test_accepted_then_dropped_is_doubt():
    async with BadRelay([Rule("DOT", accept_then_drop())]) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == Answer(Stage.DOT, None, "the relay closed the connection")
    assert bad.copies["ann@example.org"] == 1


@pytest.mark.parametrize("raving", [raw(b"250-" + b"x" * 10_000_000), endless(), endless(b"\0" * 1_000_000)])
async def test_a_relay_that_raves_costs_no_memory(raving):
    async with BadRelay([Rule("DOT", raving)]) as bad, connected(bad) as connection:
        assert (await connection.send(mail())).reply is None
        assert len(connection._wire._parser._unread) < 1_000_000
        assert len(connection._wire._replies) == 0


# Speaking out of turn


@pytest.mark.parametrize(
    "extra",
    [
        b"250 2.0.0 for another\r\n",
        b"550 5.1.1 for another\r\n",
        b"421 4.4.2 idle too long\r\n",
        b"2",
        b"\r\n",
        b"\x00",
    ],
)
@pytest.mark.parametrize("pause", [0.0, 0.02])
async def test_a_line_between_mails_is_never_credited_and_ends_the_connection(extra, pause):
    rule = Rule("DOT", then(normal(), wait(pause), raw(extra)))
    async with BadRelay([rule]) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == ACCEPTED
        await dies(connection)
        await is_dead(connection, bad)


async def test_a_line_that_lies_unread_in_the_socket_is_seen_before_the_next_mail():
    async with BadRelay() as bad, connected(bad) as connection:
        assert await connection.send(mail()) == ACCEPTED
        [session] = bad.open
        session.write(b"250 2.0.0 for another\r\n")
        assert connection.alive, "nobody could know yet"
        answer = await connection.send(mail("next"))
        assert (answer.stage, answer.reply) == (Stage.MAIL, None)
        assert not connection.alive
        assert bad.messages == 1


async def test_a_late_reply_is_never_credited_to_the_next_mail():
    rule = Rule("DOT", delay(2 * SOON))
    async with BadRelay([rule]) as bad, connected(bad, after_dot=SOON) as connection:
        assert (await connection.send(mail())).reply is None
        await asyncio.sleep(2 * SOON)
        await is_dead(connection, bad)
    assert bad.copies["next@example.org"] == 0


@pytest.mark.parametrize("reset", [False, True])
async def test_a_relay_that_hangs_up_between_mails_is_noticed_before_the_next(reset):
    async with BadRelay([Rule("DOT", then(normal(), drop(reset=reset)))]) as bad, connected(bad) as connection:
        answer = await connection.send(mail())
        assert answer in (ACCEPTED, Answer(Stage.DOT, None, answer.trouble))
        if not reset:
            assert answer == ACCEPTED
        await dies(connection)
        await is_dead(connection, bad)


async def test_more_replies_than_commands_end_the_connection_before_they_mislead():
    rule = Rule("RCPT", then(normal(), raw(b"354 go ahead\r\n")))
    async with BadRelay([rule]) as bad, connected(bad) as connection:
        answer = await connection.send(mail())
        assert answer.stage in {Stage.RCPT, Stage.DATA}
        assert not connection.alive
    assert bad.copies.total() == 0


# Being broken off ourselves


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "BODY", "DOT"])
async def test_a_send_that_is_cancelled_leaves_a_dead_connection(stage):
    reached = asyncio.Event()

    async def notice(_scene):
        reached.set()

    async with BadRelay([Rule(stage, then(notice, hang()))]) as bad, connected(bad) as connection:
        sending = asyncio.create_task(connection.send(mail(data=LARGE if stage == "BODY" else b"x\r\n")))
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await is_dead(connection, bad)


async def test_two_mails_at_once_over_one_connection_are_a_mistake_of_ours():
    async with BadRelay([Rule("RCPT", delay(0.05))]) as bad, connected(bad) as connection:
        first = asyncio.create_task(connection.send(mail()))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError):
            await connection.send(mail("bob"))
        assert await first == ACCEPTED


@pytest.mark.parametrize("action", [drop(), drop(reset=True), raw(b"\xff\xff\r\n"), say("500 what")])
async def test_closing_never_fails(action):
    async with BadRelay([Rule("QUIT", action)]) as bad, connected(bad) as connection:
        await connection.close()
        assert not connection.alive
        await connection.close()
