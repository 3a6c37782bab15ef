"""What keeps a run from the relay, or from coming back to it midway. Each ends with the sum and the count of copies."""

from collections import Counter

import pytest
from sqlalchemy import select

from mailer.store.tables import deliveries
from tests.faults.badrelay import BadRelay, Rule, delay, drop, goodbye, hang, normal, nth, say, then
from tests.faults.certificate import make_certificate
from tests.faults.runs import due, ends, many, quick, way_to
from tests.stories import MONDAY, send

__all__ = ["quick"]  # a fixture

OLD, NEW = ("mia", "the old secret"), ("mia", "the new secret")
SOON = 0.3  # seconds: for runs in which a time runs out


async def nobody_is_blamed(database) -> None:
    rows = await database.read(lambda c: c.execute(select(deliveries.c.attempts, deliveries.c.doubts)).all())
    assert {tuple(row) for row in rows} == {(0, 0)}


def logins(bad: BadRelay) -> int:
    return sum(line.text.startswith(b"AUTH") for line in bad.lines)


async def test_a_name_that_leads_nowhere_is_said_and_fails_nobody(database, clock):
    await due(database, *many(5))
    async with BadRelay() as bad:
        report = await send(database, way_to(bad, host="nowhere.invalid"), clock)
        assert report.down.startswith("cannot connect to nowhere.invalid port ")
        assert (report.down_since, report.missed, report.outcomes) == (MONDAY, 0, Counter())
        await nobody_is_blamed(database)
        await ends(database, bad, {"pending": 5}, {})
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 5}, {1: 5})


@pytest.mark.parametrize("stage", ["GREETING", "EHLO"])
async def test_a_relay_that_takes_the_connection_and_says_nothing_fails_nobody(database, clock, stage):
    await due(database, *many(5))
    async with BadRelay([Rule(stage, hang())]) as bad:
        report = await send(database, way_to(bad, patience=SOON), clock)
        assert (bool(report.down), report.missed) == (True, 0)
        assert bad.messages == 0
        await nobody_is_blamed(database)
        await ends(database, bad, {"pending": 5}, {})


@pytest.mark.parametrize(("stage", "action"), [("GREETING", hang()), ("EHLO", hang()), ("EHLO", drop())])
async def test_a_relay_that_is_there_at_the_second_try_serves_all_in_one_run(database, clock, stage, action):
    await due(database, *many(5))
    async with BadRelay([Rule(stage, action, times=1)]) as bad:
        report = await send(database, way_to(bad, patience=SOON), clock)
        assert (report.down, report.missed) == ("", 0)
        await ends(database, bad, {"accepted": 5}, {1: 5})


@pytest.mark.parametrize("reply", ["421 4.3.2 too busy", "554 5.3.2 not today"])
async def test_a_greeting_that_refuses_once_delays_nobody_beyond_the_run(database, clock, reply):
    await due(database, *many(5))
    async with BadRelay([Rule("GREETING", goodbye(reply), times=1)]) as bad:
        report = await send(database, way_to(bad), clock)
        assert (report.down, report.missed) == ("", 0)
        await ends(database, bad, {"accepted": 5}, {1: 5})


@pytest.mark.parametrize(
    "injected",
    [
        b"250-badrelay\r\n250 AUTH PLAIN LOGIN\r\n",
        b"250 badrelay\r\n235 2.7.0 welcome\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 accepted\r\n",
        b"220 and more\r\n",
    ],
)
async def test_bytes_after_the_220_to_starttls_are_never_answers(database, clock, tmp_path, injected):
    """They came in clear, from anybody (CVE-2011-0411 and its like): what is asked inside TLS is answered inside it."""
    await due(database, *many(3))
    certificate = make_certificate(tmp_path)

    async def inject(scene) -> None:
        scene.write(scene.session.behave("STARTTLS", scene.line) + injected)
        await scene.session.secure()

    rules = [Rule("STARTTLS", inject), Rule("MAIL", say("454 4.3.0 no mail here"))]
    async with BadRelay(rules, certificate=certificate.server, tls="starttls", secret=OLD) as bad:
        way = way_to(
            bad, security="starttls", tls_context=certificate.client, username=OLD[0], password=OLD[1], patience=SOON
        )
        report = await send(database, way, clock, connections=1)
        assert report.sent == 0
        assert report.down
        in_clear = {line.text.split()[0] for line in bad.lines if not line.tls}
        assert in_clear <= {b"EHLO", b"STARTTLS"}
        await nobody_is_blamed(database)
        await ends(database, bad, {"pending": 3}, {})


async def test_a_secret_that_changes_midway_loses_nobody_and_the_new_one_resumes(database, clock):
    await due(database, *many(12))

    async def change_the_secret(_scene) -> None:
        bad.secret = NEW

    rule = Rule("DOT", then(normal(), change_the_secret, drop()), when=nth(4))
    async with BadRelay([rule], secret=OLD) as bad:
        old, new = (way_to(bad, username=name, password=secret) for name, secret in (OLD, NEW))
        report = await send(database, old, clock, connections=1)
        assert report.down.startswith("535 5.7.8 wrong name or password")
        assert report.missed == 0
        assert logins(bad) == 2, "accounts are locked for trying again"
        await nobody_is_blamed(database)
        await ends(database, bad, {"accepted": 4, "pending": 8}, {1: 4})
        await send(database, old, clock, connections=1)
        assert logins(bad) == 3
        await ends(database, bad, {"accepted": 4, "pending": 8}, {1: 4})
        await send(database, new, clock, connections=3)
        await ends(database, bad, {"accepted": 12}, {1: 12})


async def test_a_secret_that_changes_midway_over_several_connections_loses_nobody(database, clock):
    await due(database, *many(30))

    async def change_the_secret(_scene) -> None:
        bad.secret = NEW

    rule = Rule("DOT", then(normal(), change_the_secret, drop()), after=4)
    async with BadRelay([rule], secret=OLD) as bad:
        old, new = (way_to(bad, username=name, password=secret) for name, secret in (OLD, NEW))
        report = await send(database, old, clock, connections=4)
        assert report.down.startswith("535 ")
        taken = bad.copies.total()
        assert taken < 30
        await ends(database, bad, {"accepted": taken, "pending": 30 - taken}, {1: taken})
        await send(database, new, clock, connections=4)
        await ends(database, bad, {"accepted": 30}, {1: 30})


@pytest.mark.parametrize("connections", [5, 20])
async def test_a_login_refused_while_others_work_is_not_tried_over_and_over(database, clock, connections):
    await due(database, *many(400))

    async def change_the_secret(_scene) -> None:
        bad.secret = NEW

    rules = [Rule("DOT", then(change_the_secret, normal()), after=59, times=1), Rule("DOT", delay(0.002))]
    async with BadRelay(rules, secret=OLD) as bad:
        old = way_to(bad, username=OLD[0], password=OLD[1], messages_per_connection=25)
        report = await send(database, old, clock, connections=connections)
        welcome = len({one.connection for one in bad.accepted})
        assert logins(bad) - welcome <= connections, "those that were on their way to it, at most"
        assert report.down == "535 5.7.8 wrong name or password; check [smtp] username and password"
        taken = bad.copies.total()
        await ends(database, bad, {"accepted": taken, "pending": 400 - taken}, {1: taken})


async def test_a_login_refused_while_others_work_is_told_when_all_are_served(database, clock):
    await due(database, *many(40))
    reply = "535 5.7.8 wrong name or password"
    async with BadRelay([Rule("AUTH", say(reply), after=2), Rule("DOT", delay(0.02))], secret=OLD) as bad:
        report = await send(database, way_to(bad, username=OLD[0], password=OLD[1]), clock, connections=4)
        assert (report.down, report.troubles, report.missed) == ("", {}, 0)
        assert report.locked_out == {"default": f"{reply}; check [smtp] username and password"}
        assert logins(bad) <= 4
        await ends(database, bad, {"accepted": 40}, {1: 40})


@pytest.mark.parametrize("action", [drop(), hang()])
async def test_a_connection_that_breaks_off_in_the_login_is_tried_again(database, clock, action):
    await due(database, *many(5))
    async with BadRelay([Rule("AUTH", action, times=2)], secret=OLD) as bad:
        way = way_to(bad, username=OLD[0], password=OLD[1], patience=SOON)
        report = await send(database, way, clock)
        assert (report.down, report.missed) == ("", 0)
        await ends(database, bad, {"accepted": 5}, {1: 5})


async def test_a_relay_that_breaks_off_each_login_is_down_and_no_password_is_blamed(database, clock):
    await due(database, *many(5))
    async with BadRelay([Rule("AUTH", drop())], secret=OLD) as bad:
        report = await send(database, way_to(bad, username=OLD[0], password=OLD[1]), clock)
        assert report.down.endswith("closed the connection (auth)")
        assert logins(bad) == 3
        await ends(database, bad, {"pending": 5}, {})


async def test_what_the_settings_rule_out_is_tried_once(database, clock):
    await due(database, *many(5))
    async with BadRelay() as bad:
        report = await send(database, way_to(bad, security="starttls"), clock)
        assert "offers no STARTTLS" in report.down
        assert bad.connections == 1
        await ends(database, bad, {"pending": 5}, {})


async def test_a_login_that_fails_for_a_while_is_tried_again_after_a_pause(database, clock):
    await due(database, *many(6))
    async with BadRelay([Rule("AUTH", say("454 4.7.0 temporary failure"), times=2)], secret=OLD) as bad:
        report = await send(database, way_to(bad, username=OLD[0], password=OLD[1]), clock, connections=4)
        assert (report.down, report.missed) == ("", 0)
        await nobody_is_blamed(database)
        await ends(database, bad, {"accepted": 6}, {1: 6})


async def test_a_login_that_fails_for_long_is_left_alone_and_nobody_is_lost(database, clock):
    await due(database, *many(6))
    async with BadRelay([Rule("AUTH", say("454 4.7.0 temporary failure"), times=3)], secret=OLD) as bad:
        way = way_to(bad, username=OLD[0], password=OLD[1])
        report = await send(database, way, clock, connections=4)
        assert report.down == "454 4.7.0 temporary failure"
        assert logins(bad) == 3
        await nobody_is_blamed(database)
        await ends(database, bad, {"pending": 6}, {})
        clock.move(minutes=5)
        await send(database, way, clock, connections=4)
        await ends(database, bad, {"accepted": 6}, {1: 6})
