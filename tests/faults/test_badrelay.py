"""The bad relay itself, judged by another's client."""

import asyncio
import random
import smtplib
import time
from contextlib import suppress

import pytest

from tests.faults.badrelay import (
    PIPELINED,
    SCRIPTS,
    BadRelay,
    BadRelayProcess,
    Rule,
    StrayBytes,
    accept_then_drop,
    at_random,
    domain,
    every,
    go_ahead,
    goodbye,
    normal,
    recipient,
    say,
    then,
)
from tests.faults.certificate import make_certificate


def send(port: int, *names: str, body: bytes = b"hello") -> list[int]:
    """Sends each a mail over one connection; the codes that ended them."""
    codes = []
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        for name in names:
            try:
                client.sendmail(
                    "news@example.org",
                    [f"{name}@example.org"],
                    b"Message-ID:\r\n <%s@x>\r\n\r\n" % name.encode() + body,
                )
                codes.append(250)
            except smtplib.SMTPRecipientsRefused as refused:
                codes.extend(code for code, _ in refused.recipients.values())
    return codes


async def test_every_mail_it_takes_is_counted():
    async with BadRelay(keep=True) as bad:
        assert await asyncio.to_thread(send, bad.port, "ann", "bob", "ann", body=b".\r\n..\r\n.a\r\n") == [250] * 3
    assert bad.copies == {"ann@example.org": 2, "bob@example.org": 1}
    assert [taken.message_id for taken in bad.accepted] == ["<ann@x>", "<bob@x>", "<ann@x>"]
    assert bad.accepted[0].data == b"Message-ID:\r\n <ann@x>\r\n\r\n.\r\n..\r\n.a\r\n"


async def test_rules_act_where_they_should_and_as_often_as_they_should():
    rules = [
        Rule("RCPT", say("550 5.1.1 unknown"), when=recipient("bob@example.org"), times=1),
        Rule("RCPT", say("451 4.7.1 later"), when=recipient("eve@example.org"), after=1),
        Rule("RCPT", say("450 4.2.1 not there"), when=domain("example.net")),
    ]
    async with BadRelay(rules) as bad:
        codes = await asyncio.to_thread(send, bad.port, "ann", "bob", "bob", "eve", "eve", "eve")
    assert codes == [250, 550, 250, 250, 451, 451]


async def test_every_so_manieth_mail_can_be_meant():
    async with BadRelay([Rule("RCPT", say("451 4.3.0 later"), when=every(3))]) as bad:
        assert await asyncio.to_thread(send, bad.port, *"abcdef") == [250, 250, 451, 250, 250, 451]


async def test_an_acceptance_is_logged_before_the_sender_hears_of_it(tmp_path):
    log = tmp_path / "log"
    async with BadRelay([Rule("DOT", accept_then_drop())], log=log) as bad:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            await asyncio.to_thread(send, bad.port, "ann")
    assert bad.copies["ann@example.org"] == 1
    assert b'"ann@example.org"' in log.read_bytes()


async def test_a_mistake_in_an_action_fails_the_test():
    async def mistaken(_scene):
        raise ZeroDivisionError

    bad = BadRelay([Rule("GREETING", then(mistaken, say("220 never said")))])
    with pytest.raises(ZeroDivisionError):
        await _connected_once(bad)


async def _connected_once(bad: BadRelay) -> None:
    async with bad:
        _, writer = await asyncio.open_connection("127.0.0.1", bad.port)
        for _ in range(1_000):
            if bad.mistakes:
                break
            await asyncio.sleep(0.005)
        writer.close()


async def test_it_speaks_tls_and_asks_for_a_password(tmp_path):
    certificate = make_certificate(tmp_path)

    def dialogue(port: int) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.starttls(context=certificate.client)
            assert client.mail("news@example.org")[0] == 530
            client.login("ann", "open sesame")
            return client.mail("news@example.org")[0]

    async with BadRelay(certificate=certificate.server, tls="starttls", secret=("ann", "open sesame")) as bad:
        assert await asyncio.to_thread(dialogue, bad.port) == 250


# Commands that come together


async def told(bad: BadRelay, *writes: bytes, pause: float = 0.0) -> bytes:
    """What it answers to these writes and a QUIT, its greeting left away."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bad.port)
    await reader.readline()
    for data in (*writes, b"QUIT\r\n"):
        writer.write(data)
        await asyncio.sleep(pause)
    with suppress(ConnectionError):
        answered = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answered


GROUP = b"MAIL FROM:<news@example.org>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
TAKEN = b"250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n354 go ahead\r\n250 2.0.0 accepted\r\n221 2.0.0 bye\r\n"


@pytest.mark.parametrize("grouped", [False, True])
async def test_what_comes_in_one_write_is_answered_command_by_command(grouped):
    async with BadRelay(offers=PIPELINED, keep=True, grouped=grouped) as bad:
        assert b"250-PIPELINING\r\n" in await told(bad, b"EHLO x\r\n")
        assert await told(bad, GROUP, b"hello\r\n.\r\n") == TAKEN
    assert bad.copies == {"ann@example.org": 1}
    assert [piece.data.startswith(GROUP) for piece in bad.pieces].count(True) == 1


async def test_a_group_is_answered_in_one_write_where_that_is_wanted():
    async with BadRelay(grouped=True) as bad:
        reader, writer = await asyncio.open_connection("127.0.0.1", bad.port)
        await reader.readline()
        writer.write(GROUP)
        assert (await reader.read(10_000)).count(b"\r\n") == 3
        writer.close()


async def test_a_group_with_refusals_is_answered_whole():
    refused = say("550 5.1.1 unknown")
    async with BadRelay([Rule("RCPT", refused)], grouped=True) as bad:
        codes = [line[:3] for line in (await told(bad, GROUP, b"RSET\r\n")).splitlines()]
    assert codes == [b"250", b"550", b"503", b"250", b"221"]


async def test_354_for_nobody_takes_a_lone_dot_and_counts_nothing():
    rules = [Rule("RCPT", say("550 5.1.1 unknown")), Rule("DATA", go_ahead(), when=recipient("ann@example.org"))]
    async with BadRelay(rules) as bad:
        codes = [line[:3] for line in (await told(bad, GROUP, b".\r\nRSET\r\n")).splitlines()]
    assert codes == [b"250", b"550", b"354", b"554", b"250", b"221"]
    assert not bad.copies


@pytest.mark.parametrize("stray", [b"Subject: x\r\n\r\nhello\r\n.\r\n", b".\r\n"])
async def test_a_body_that_nobody_asked_for_fails_the_test(stray):
    async def run() -> None:
        async with BadRelay([Rule("DATA", say("451 4.3.0 later"))]) as bad:
            await told(bad, GROUP, stray)

    with pytest.raises(StrayBytes):
        await run()


async def test_a_goodbye_is_heard_before_the_end():
    async with BadRelay([Rule("MAIL", goodbye("421 4.3.2 closing"))], grouped=True) as bad:
        assert await told(bad, GROUP) == b"421 4.3.2 closing\r\n"


async def test_pieces_that_chance_makes_are_the_same_reply():
    chance = random.Random(5)
    rules = [Rule(stage, at_random(normal(), chance)) for stage in ("MAIL", "RCPT", "DATA", "DOT")]
    async with BadRelay(rules) as bad:
        assert await told(bad, GROUP, b".\r\n", pause=0.01) == TAKEN


def test_as_a_process_it_keeps_its_count_through_the_death_of_both_sides(tmp_path):
    log = tmp_path / "log"
    with BadRelayProcess(log) as bad:
        assert send(bad.port, "ann", "bob") == [250, 250]
        port = bad.port
    with BadRelayProcess(log, "refuse-every-10th", port=port) as bad:
        assert send(bad.port, *["ann"] * 10) == [250] * 9 + [550]
        assert bad.copies == {"ann@example.org": 10, "bob@example.org": 1}
        assert all(taken.time <= time.time() for taken in bad.read_log())


def test_a_half_written_line_of_the_log_is_not_read(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b'{"recipient": "a@b", "message_id": "", "time": 1, "connection": 1}\n{"recip')
    assert [taken.recipient for taken in BadRelayProcess(log).read_log()] == ["a@b"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_named_script_is_a_rule(name):
    assert isinstance(SCRIPTS[name](), Rule)
