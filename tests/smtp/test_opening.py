import asyncio
import socket

import pytest

from mailer.core.delivery import Answer, Reply, Stage
from mailer.smtp import Connection, Relay, RelayOptions
from tests.faults.badrelay import BadRelay, Rule, drop, endless, hang, normal, paced, raw, say, then
from tests.faults.certificate import make_certificate
from tests.smtp.connected import SOON, connected, mail, relay_to

SECRET = ("ann", "open sesame")


async def refusal(bad: BadRelay, **options) -> Answer:
    answer = await relay_to(bad, **options).open()
    assert isinstance(answer, Answer), "we were let in"
    return answer


def heard_in_clear(bad: BadRelay) -> list[bytes]:
    return [line.text.split()[0] for line in bad.lines if not line.tls]


def a_closed_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


async def test_a_relay_that_is_not_there_is_an_answer():
    relay = Relay(RelayOptions(host="127.0.0.1", port=a_closed_port(), security="none"))
    answer = await relay.open()
    assert isinstance(answer, Answer)
    assert (answer.stage, answer.reply) == (Stage.CONNECT, None)
    assert "Connection refused" in answer.trouble


async def test_every_address_of_the_name_refusing_is_said_once():
    port = a_closed_port()
    answer = await Relay(RelayOptions(host="localhost", port=port, security="none")).open()
    assert isinstance(answer, Answer)
    assert answer.trouble == f"cannot connect to localhost port {port}: Connection refused"


@pytest.mark.parametrize("host", ["relay.invalid", "a" * 70 + ".example.org"])
async def test_a_name_that_leads_nowhere_is_an_answer(host):
    answer = await Relay(RelayOptions(host=host, port=25, security="none")).open()
    assert isinstance(answer, Answer)
    assert answer.stage is Stage.CONNECT
    assert host in answer.trouble


@pytest.mark.parametrize(
    ("rule", "stage", "reply"),
    [
        (Rule("GREETING", say("554 5.7.1 not you")), Stage.GREETING, Reply(554, "5.7.1", "not you")),
        (Rule("GREETING", say("421-4.3.2 too\n421 4.3.2 busy")), Stage.GREETING, Reply(421, "4.3.2", "too busy")),
        (Rule("GREETING", raw(b"SSH-2.0-OpenSSH\r\n")), Stage.GREETING, None),
        (Rule("GREETING", drop()), Stage.GREETING, None),
        (Rule("GREETING", drop(reset=True)), Stage.GREETING, None),
        (Rule("GREETING", hang()), Stage.GREETING, None),
        (Rule("GREETING", endless(b"x" * 10_000)), Stage.GREETING, None),
        (Rule("EHLO", say("502 5.5.1 what")), Stage.EHLO, Reply(502, "5.5.1", "what")),
        (Rule("EHLO", say("421 4.3.2 busy")), Stage.EHLO, Reply(421, "4.3.2", "busy")),
        (Rule("EHLO", raw(b"\x00\xff\xfe\r\n")), Stage.EHLO, None),
        (Rule("EHLO", drop()), Stage.EHLO, None),
        (Rule("EHLO", hang()), Stage.EHLO, None),
        (Rule("EHLO", endless()), Stage.EHLO, None),
        (Rule("EHLO", then(normal(), raw(b"250 and more\r\n"))), Stage.EHLO, None),
    ],
)
async def test_a_relay_that_does_not_let_us_in_is_an_answer_with_its_stage(rule, stage, reply):
    async with BadRelay([rule]) as bad:
        answer = await refusal(bad, patience=SOON)
    assert (answer.stage, answer.reply) == (stage, reply)
    assert bool(answer.trouble) is (reply is None)


async def test_a_slow_relay_is_waited_for():
    rules = [Rule("GREETING", paced(normal())), Rule("EHLO", paced(normal(), size=10))]
    async with BadRelay(rules) as bad, connected(bad) as connection:
        assert connection.alive
        assert (await connection.send(mail())).reply


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_goes_through_tls(certificate, tls):
    security = "tls" if tls == "implicit" else "starttls"
    async with (
        BadRelay(certificate=certificate.server, tls=tls, secret=SECRET) as bad,
        connected(
            bad, security=security, tls_context=certificate.client, username=SECRET[0], password=SECRET[1]
        ) as connection,
    ):
        for _ in range(3):
            answer = await connection.send(mail())
            assert answer == Answer(Stage.DOT, Reply(250, "2.0.0", "accepted"))
    assert bad.copies["ann@example.org"] == 3
    assert heard_in_clear(bad) == ([] if tls == "implicit" else [b"EHLO", b"STARTTLS"])
    assert bad.lines[-1].text == b"QUIT"


async def test_a_large_mail_goes_through_tls_whole(certificate):
    data = b"Subject: large\r\n\r\n" + b"x" * 76 * 40_000 + b"\r\n"
    async with (
        BadRelay(certificate=certificate.server, tls="starttls", keep=True) as bad,
        connected(bad, security="starttls", tls_context=certificate.client) as connection,
    ):
        assert (await connection.send(mail(data=data))).stage is Stage.DOT
    assert bad.accepted[0].data == data


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_nobody_vouches_for_gets_no_credentials_and_no_mail(certificate, security):
    tls = "implicit" if security == "tls" else "starttls"
    async with BadRelay(certificate=certificate.server, tls=tls, secret=SECRET) as bad:
        answer = await refusal(bad, security=security, username=SECRET[0], password=SECRET[1])
    assert (answer.stage, answer.reply) == (Stage.TLS, None)
    assert "certificate" in answer.trouble
    assert "self-signed" in answer.trouble
    assert set(heard_in_clear(bad)) <= {b"EHLO", b"STARTTLS"}
    assert not [line for line in bad.lines if line.tls]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_for_another_host_gets_nothing_either(tmp_path, security):
    other = make_certificate(tmp_path, host="relay.example.org")
    async with BadRelay(certificate=other.server, tls="implicit" if security == "tls" else "starttls") as bad:
        answer = await refusal(bad, security=security, tls_context=other.client)
    assert (answer.stage, answer.reply) == (Stage.TLS, None)
    assert "not valid for" in answer.trouble


async def test_a_relay_without_starttls_hears_no_credentials_and_no_mail():
    async with BadRelay(secret=SECRET) as bad:
        answer = await refusal(bad, security="starttls", username=SECRET[0], password=SECRET[1])
    assert (answer.stage, answer.reply) == (Stage.TLS, None)
    assert "STARTTLS" in answer.trouble
    assert heard_in_clear(bad) == [b"EHLO"]


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        (say("454 4.7.0 no TLS today"), Reply(454, "4.7.0", "no TLS today")),
        (raw(b"220 go\r\nnot TLS at all\r\n"), None),
        (then(raw(b"220 go\r\n"), drop()), None),
        (then(raw(b"220 go\r\n"), drop(reset=True)), None),
        (then(raw(b"220 go\r\n"), hang()), None),
    ],
)
async def test_starttls_that_goes_wrong_is_an_answer(certificate, action, reply):
    async with BadRelay([Rule("STARTTLS", action)], certificate=certificate.server, tls="starttls") as bad:
        answer = await refusal(bad, security="starttls", tls_context=certificate.client, patience=SOON)
    assert (answer.stage, answer.reply) == (Stage.TLS, reply)
    assert heard_in_clear(bad)[:2] == [b"EHLO", b"STARTTLS"]
    assert not {b"AUTH", b"MAIL"} & set(heard_in_clear(bad))


async def test_a_plain_relay_where_tls_is_expected_is_an_answer():
    async with BadRelay() as bad:
        answer = await refusal(bad, security="tls", patience=SOON)
    assert answer.stage in {Stage.TLS, Stage.CONNECT}
    assert answer.reply is None


async def test_no_password_is_sent_in_clear_to_another_machine():
    options = RelayOptions(host="192.0.2.1", security="none", username="ann", password="open sesame")
    answer = await Relay(options).open()
    assert isinstance(answer, Answer)
    assert (answer.stage, answer.reply) == (Stage.AUTH, None)
    assert answer.trouble.startswith("refusing to send the password in clear to 192.0.2.1")


async def test_signing_in_on_this_machine_needs_no_tls():
    async with BadRelay(secret=SECRET) as bad, connected(bad, username=SECRET[0], password=SECRET[1]) as connection:
        assert (await connection.send(mail())).reply
    assert bad.copies.total() == 1


async def test_a_wrong_password_is_tried_once():
    async with BadRelay(secret=SECRET) as bad:
        answer = await refusal(bad, username="ann", password="guess")
    assert answer == Answer(Stage.AUTH, Reply(535, "5.7.8", "wrong name or password"))
    assert heard_in_clear(bad).count(b"AUTH") == 1


async def test_a_method_the_relay_only_claims_to_know_gives_way_to_the_next():
    rule = Rule("AUTH", say("504 5.5.4 not that one"), when=lambda scene: b"PLAIN" in scene.line)
    async with BadRelay([rule], secret=SECRET) as bad, connected(bad, username=SECRET[0], password=SECRET[1]):
        assert heard_in_clear(bad).count(b"AUTH") == 2


@pytest.mark.parametrize("action", [drop(), hang(), raw(b"\x00\r\n"), endless()])
async def test_signing_in_that_breaks_off_is_an_answer(action):
    async with BadRelay([Rule("AUTH", action)], secret=SECRET) as bad:
        answer = await refusal(bad, username=SECRET[0], password=SECRET[1], patience=SOON)
    assert (answer.stage, answer.reply) == (Stage.AUTH, None)


async def test_a_relay_that_offers_no_known_way_to_sign_in_hears_no_password():
    async with BadRelay(offers=["AUTH GSSAPI"]) as bad:
        answer = await refusal(bad, username=SECRET[0], password=SECRET[1])
    assert (answer.stage, answer.reply) == (Stage.AUTH, None)
    assert heard_in_clear(bad) == [b"EHLO"]


async def test_a_relay_that_quotes_the_password_does_not_get_it_into_the_answer():
    async def echo(scene):
        scene.write(b"535 5.7.8 bad: " + scene.line + b" (open sesame)\r\n")

    async with BadRelay([Rule("AUTH", echo)], secret=SECRET) as bad:
        answer = await refusal(bad, username=SECRET[0], password=SECRET[1])
    assert str(answer) == "535 5.7.8 bad: AUTH PLAIN *** (***)"


async def test_a_password_that_cannot_be_sent_is_an_answer_that_does_not_quote_it():
    async with BadRelay(secret=SECRET) as bad:
        answer = await refusal(bad, username="ann", password="secret\udcff")
    assert (answer.stage, answer.reply) == (Stage.AUTH, None)
    assert "secret" not in answer.trouble
    assert "udcff" not in answer.trouble


async def test_without_a_name_of_its_own_this_machine_says_its_address(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    async with BadRelay() as bad, connected(bad):
        assert bad.lines[0].text == b"EHLO [127.0.0.1]"
    monkeypatch.setattr("socket.gethostname", lambda: "box.example.org")
    async with BadRelay() as bad, connected(bad):
        assert bad.lines[0].text == b"EHLO box.example.org"


async def test_more_connections_than_the_relay_wants_is_an_answer():
    async with BadRelay(max_connections=1) as bad, connected(bad):
        assert (await refusal(bad)).reply == Reply(421, "4.7.0", "too many connections")


async def test_opening_can_be_broken_off():
    reached = asyncio.Event()

    async def notice(_scene):
        reached.set()

    async with BadRelay([Rule("EHLO", then(notice, hang()))]) as bad:
        opening = asyncio.create_task(relay_to(bad).open())
        await reached.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_many_connections_can_be_open():
    async with BadRelay() as bad:
        relay = relay_to(bad)
        opened = await asyncio.gather(*(relay.open() for _ in range(20)))
        assert len(bad.open) == 20
        for connection in opened:
            assert isinstance(connection, Connection)
            await connection.close()
