"""Several relays from the command line: their shares, one that is down, one that rests, and what is said of it."""

import json
import re

import pytest

from tests.cli.site import MONDAY, Relay
from tests.faults.badrelay import Rule, delay, domain, say

READERS = [f"r{number}" for number in range(12)]
LATER = "2099-01-01T00:00:00Z"
POLICY = "550 5.7.1 refused by policy"


def table(name: str, port: int, *lines: str) -> str:
    return "\n".join([f"[relay.{name}]", 'host = "127.0.0.1"', f"port = {port}", 'security = "none"', *lines, ""])


@pytest.fixture
def two(site):
    """A site that leaves by two relays alone, and knows how to be told of them."""
    text = (site.folder / "config.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[smtp]")
    kept = rest.partition("\n[")
    (site.folder / "config.toml").write_text(head + kept[1] + kept[2], encoding="utf-8")
    del site.environ["MAILER_SMTP__PORT"]
    return site


def ready(site, *tables: str, readers=READERS) -> None:
    site.configure("\n".join(tables))
    site.publish("one", "two")
    site.join(*readers)


def test_two_relays_share_a_digest_by_weight(two):
    with Relay() as a, Relay() as b:
        ready(two, table("a", a.port, "weight = 3"), table("b", b.port))
        two.did("send", "--cadence", "weekly", "--now", MONDAY)
        assert (len(a.accepted), len(b.accepted)) == (9, 3)
        assert max((a.copies + b.copies).values()) == 1
    two.did("verify")


def test_a_relay_for_another_domain_s_mail_is_not_used(two):
    with Relay() as a, Relay() as b:
        ready(two, table("a", a.port, 'from_domains = ["other.example"]'), table("b", b.port))
        two.did("send", "--now", MONDAY)
        assert (len(a.accepted), len(b.accepted)) == (0, 12)


def test_a_relay_that_is_down_beside_one_that_works_is_said_and_costs_nobody(two):
    with Relay() as a:
        ready(two, table("a", a.port), table("b", 1))
        ended = two.run("send", "--now", MONDAY)
        assert ended.code == 0
        assert "Relay b is down: cannot connect to 127.0.0.1 port 1: Connection refused. Others are used." in ended.err
        assert set(a.copies.values()) == {1}
        assert len(a.copies) == 12
    assert two.json("send", "--now", MONDAY)["relays_down"] == {}


def test_both_down_is_down(two):
    ready(two, table("a", 1), table("b", 1))
    ended = two.run("send", "--now", MONDAY)
    assert ended.code == 3
    assert "The relay is down" in ended.err


def test_a_relay_that_was_down_is_named_by_status_until_it_takes_mail(two):
    ready(two, table("a", 1), table("b", 1))
    two.run("send", "--now", MONDAY)
    said = two.did("status").out
    for name in "ab":
        assert f"Relay {name}: cannot connect to 127.0.0.1 port 1: Connection refused" in said
    with Relay() as a, Relay() as b:
        two.environ |= {"MAILER_RELAY__A__PORT": str(a.port), "MAILER_RELAY__B__PORT": str(b.port)}
        two.did("send", "--now", MONDAY)
        assert (len(a.accepted) > 1, len(b.accepted) > 1) == (True, True)
        assert "cannot connect" not in two.did("status").out


@pytest.mark.parametrize("connections", [1, 40])
def test_also_where_it_was_at_full_speed_before(two, connections):
    with Relay() as a:
        ready(two, table("a", a.port, f"connections = {connections}"), readers=READERS)
        two.did("send", "--now", MONDAY, "--limit", "5")
    two.run("send", "--now", MONDAY, MAILER_RELAY__A__PORT="1")
    assert "Relay a: cannot connect to 127.0.0.1 port 1" in two.did("status").out


def test_what_is_to_mend_is_named_with_the_relay_s_own_table(two):
    with Relay() as a, Relay() as b:
        safe = table("b", b.port).replace('"none"', '"starttls"')
        ready(two, table("a", a.port), safe)
        assert "set security in [relay.b] to" in two.run("send", "--now", MONDAY).err


def test_a_refused_login_names_the_relay_s_own_table(two):
    with Relay() as a, Relay(Rule("AUTH", say("535 5.7.8 wrong")), secret=("mia", "right")) as b:
        ready(two, table("a", a.port), table("b", b.port, 'username = "mia"', 'password = "secret"'))
        said = two.run("send", "--now", MONDAY).err
        assert "Relay b is down: 535 5.7.8 wrong; check [relay.b] username and password. Others are used." in said


def test_a_relay_that_lets_nobody_in_any_more_is_told_where_all_are_served(two):
    rules = (Rule("AUTH", say("535 5.7.8 wrong"), after=1), Rule("DOT", delay(0.05)))
    with Relay(*rules, secret=("mia", "secret")) as a:
        ready(two, table("a", a.port, 'username = "mia"', 'password = "secret"'))
        ended = two.did("send", "--now", MONDAY)
        assert len(a.accepted) == 12
        told = "Relay a lets no new connection in: 535 5.7.8 wrong; check [relay.a] username and password.\n"
        assert told in ended.err


def test_a_used_up_quota_is_no_failure_and_says_until_when(two):
    with Relay() as a:
        ready(two, table("a", a.port, "rate_per_day = 5"))
        ended = two.did("send", "--now", MONDAY)
        sentence = "Relay a takes nothing before 2026-11-24 08:01: its quota for the day is used up; 7 wait.\n"
        assert sentence in ended.out
        told = two.json("send", "--now", MONDAY)
        assert told["relays_resting"]["a"]["quota"] is True
        assert told["waiting"] == {"pending": 7}
        two.did("send", "--now", "2026-11-24T08:02Z")
        assert len(a.accepted) == 10


def test_a_relay_that_refuses_too_many_rests_and_the_run_fails(two):
    readers = [f"ann@host{number}.example" for number in range(12)]
    with Relay(Rule("RCPT", say(POLICY))) as a:
        ready(two, table("a", a.port, "connections = 1"), readers=readers)
        ended = two.run("send", "--now", MONDAY)
        assert ended.code == 1
        assert f"Relay a takes nothing before 2026-11-23 08:05: it refuses mail: {POLICY}; 7 wait.\n" in ended.err
        assert f"Relay a: {POLICY}, tried with one message" in two.did("status").out
        assert two.run("send", "--json", "--now", MONDAY).code == 1


def test_who_waits_for_a_slowed_provider_is_named_with_the_reason(two):
    throttling = "454 4.7.0 Throttling"
    with Relay(Rule("RCPT", say(throttling), when=domain("slow.example"))) as a:
        ready(two, table("a", a.port, "connections = 1"), readers=["ann", "bob@slow.example", "cem@slow.example"])
        ended = two.run("send", "--now", MONDAY)
        assert ended.code == 1
        named = "cem@slow.example: deferred, the provider asks for less mail: 454 4.7.0 Throttling; looked at again"
        assert f"{named} 2026-11-23 08:02" in ended.err
        assert "Provider slow.example behind relay a: 454 4.7.0 Throttling, " in two.did("status").out


def test_an_edition_that_the_run_paused_says_why_what_was_said_and_how_to_go_on(two):
    with Relay(Rule("DOT", say("552 5.3.4 message too big"))) as a:
        ready(two, table("a", a.port, "connections = 1"))
        ended = two.run("send", "--now", MONDAY)
        assert ended.code == 1
        assert "weekly 2026-W48 is paused: its mails are larger than is accepted." in ended.err
        said = r"It was said: 552 5\.3\.4 message too big \(it has [\d,]+ bytes; the relay takes 52,428,800\)\. "
        assert re.search(said, ended.err)
        assert "Then: mailer editions resume 1" in ended.err
        assert two.json("editions", "show", "1")["skipped"] == 0


def test_status_says_how_much_of_a_quota_is_used_and_until_when_a_relay_rests(two):
    ready(two, table("a", 1, "rate_per_hour = 9", "rate_per_day = 400"), table("b", 1, "rate_per_day = 5"))
    two.ask("INSERT INTO relay_usage VALUES ('a', unixepoch() / 60 - 2, 4, 4), ('a', unixepoch() / 60 - 90, 8, 8)")
    two.ask("INSERT INTO relay_usage VALUES ('b', unixepoch() / 60 - 2, 5, 5)")
    for provider, state in (
        ("", {"breaker": {"open_until": LATER}, "why": POLICY, "limit": 2}),
        ("slow.example", {"not_before": LATER, "gap": "PT1M", "pause": "PT2M", "limit": 1, "why": "454 Throttling"}),
        ("half.example", {"slow_until": LATER, "limit": 4, "why": "451 4.7.0 busy"}),
    ):
        two.ask("INSERT INTO paces VALUES ('a', ?, ?)", provider, json.dumps(state))
    said = two.did("status").out
    assert "Quota of relay a: 4 of 9 in 60 minutes, 12 of 400 in 24 hours.\n" in said
    assert "Quota of relay b: 5 of 5 in 24 hours; takes nothing before " in said
    assert f"Relay a: {POLICY}, tried with one message 2099-01-01 00:00, at most 2 at once.\n" in said
    slow = "454 Throttling, tried again 2099-01-01 00:00, one message every 60 s.\n"
    assert f"Provider slow.example behind relay a: {slow}" in said
    half = "451 4.7.0 busy, at most 4 at once until 2099-01-01 00:00.\n"
    assert f"Provider half.example behind relay a: {half}" in said
    told = two.json("status")
    assert [one["full_until"] is None for one in told["quotas"]] == [True, False]
    assert told["slowed"][0]["rests_until"] == LATER
