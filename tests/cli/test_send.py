"""`mailer send`: who gets what, once, and how it ends."""

import re
import tomllib

import pytest

from mailer.core.tokens import open_bounce
from tests.cli.site import MONDAY, NEXT_MONDAY, Relay, Site
from tests.faults.badrelay import Rule, accept, drop, recipient, say, then

SEND = ("send", "--cadence", "weekly", "--now", MONDAY)
DUE = ("send", "--now", MONDAY)


@pytest.fixture
def ready(site) -> Site:
    """One article and three weekly readers."""
    site.publish("one")
    site.join("ann", "bob", "cid")
    return site


def test_everyone_gets_the_digest_and_a_second_run_sends_nothing(ready, relay):
    first, second = ready.did(*SEND), ready.did(*SEND)

    assert relay.copies == {"ann@example.com": 1, "bob@example.com": 1, "cid@example.com": 1}
    assert first.out.startswith("weekly 2026-W48: done. 3 planned: 3 accepted.")
    assert second.out.startswith("weekly 2026-W48: already sent.")
    for ended in (first, second):
        assert "The next one is due 2026-11-30 07:00." in ended.out
    assert ready.did("verify").out.count("ok ") == len(ready.did("verify").out.splitlines())


def test_send_tells_programs_how_it_went(ready, relay):
    shown = ready.json(*SEND)

    told = {"cadence": "weekly", "period": "2026-W48", "state": "done", "planned": 3, "accepted": 3, "failed": 0}
    assert shown | told | {"sent": 3, "next_due": "2026-11-30T07:00:00Z", "not_reached": [], "waiting": {}} == shown
    assert shown["planned"] == _sum(shown)


def _sum(document: dict[str, int]) -> int:
    states = "pending claimed sending deferred in_doubt in_doubt_held accepted failed skipped expired render_failed"
    return sum(document[state] for state in states.split())


def test_a_bare_send_sends_whatever_is_due_and_then_says_that_nothing_is(ready, relay):
    ready.publish({"id": "two", "published": "2026-11-23T05:00Z"})
    ready.join("dan", cadence="daily")

    first, second = ready.did(*DUE), ready.did(*DUE)

    assert sum(relay.copies.values()) == 4
    assert "daily 2026-11-23: done" in first.out
    assert "weekly 2026-W48: done" in first.out
    assert second.out == "Nothing is due. The next edition is due 2026-11-24 07:00.\n"
    assert ready.json(*DUE)["next_due"] == "2026-11-24T07:00:00Z"


def test_a_bare_send_on_an_empty_site_says_that_nothing_is_due(site, relay):
    assert site.did(*DUE).out == "Nothing is due. The next edition is due 2026-11-24 07:00.\n"


def test_a_cadence_without_readers_or_news_says_so(site, relay):
    site.publish("one")
    assert "no active reader" in site.did(*SEND).out
    assert site.json(*SEND)["planned"] == _sum(site.json(*SEND)) == 0
    site.join("ann")
    site.did(*SEND)

    ended = site.did("send", "--cadence", "weekly", "--now", NEXT_MONDAY)

    assert ended.out == ("weekly 2026-W49: nothing new, so nothing is sent. The next one is due 2026-12-07 07:00.\n")
    assert relay.copies == {"ann@example.com": 1}


def test_too_few_articles_wait_for_the_next_edition(site, relay):
    site.configure("[cadence.weekly]\nmin_articles = 2")
    site.publish("one")
    site.join("ann")

    held = site.did(*SEND)
    site.publish({"id": "two", "published": "2026-11-25"})
    site.did("send", "--cadence", "weekly", "--now", NEXT_MONDAY)

    assert "min_articles" in held.out
    body = relay.mail_to("ann@example.com").as_string()
    assert "About one" in body
    assert "About two" in body


def test_a_rehearsal_writes_and_sends_nothing(ready, relay):
    ready.join("dan", cadence="daily")
    before = ready.dump()

    shown = ready.json(*SEND, "--dry-run")
    said = ready.did(*SEND, "--dry-run").out
    both = ready.json(*DUE, "--dry-run")["editions"]

    assert ready.dump() == before
    assert relay.copies == {}
    assert shown | {"cadence": "weekly", "period": "2026-W48", "planned": 3, "dry_run": True} == shown
    assert shown["planned"] == _sum(shown)
    assert "would go to 3 readers" in said
    assert "About one" in said
    assert [(one["cadence"], one["planned"]) for one in both] == [("daily", 0), ("weekly", 3), ("monthly", 0)]


def test_a_rehearsal_of_an_edition_that_is_made_says_so(ready, relay):
    ready.did(*SEND)
    before = ready.dump()

    assert "made already" in ready.did(*SEND, "--dry-run").out
    assert ready.json(*SEND, "--dry-run")["accepted"] == 3
    assert ready.dump() == before


def test_a_test_copy_counts_nowhere_and_the_edition_still_reaches_everyone(ready, relay):
    copies = [ready.did(*SEND, "--to", address).out for address in ("editor@example.com", "ann@example.com")]

    assert copies == ["Sent a test copy to editor@example.com.\n", "Sent a test copy to ann@example.com.\n"]
    assert ready.json("editions", "list") == []
    ready.did(*SEND)
    assert relay.copies == {"editor@example.com": 1, "ann@example.com": 2, "bob@example.com": 1, "cid@example.com": 1}
    assert ready.json("editions", "show", "1")["planned"] == 3
    ready.did(*SEND, "--to", "editor@example.com")
    assert ready.json("editions", "show", "1")["planned"] == 3
    ready.did("verify")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "editor@example.com"), "--cadence"),
        (("--cadence", "weekly", "--to", "nobody"), "@-sign"),
        (("--cadence", "weekly", "--to", ""), "@-sign"),
        (("--cadence", ""), "empty"),
        (("--cadence", "hourly"), "daily, weekly, monthly"),
        (("--now", ""), "no time"),
        (("--now", "nonsense"), "no time"),
        (("--now", "2026-13-01"), "no time"),
        (("--now", "0001-01-01"), "year"),
        (("--now", "9999-12-31T23:59"), "year"),
        (("--limit", "0"), "--limit"),
        (("--limit", "-1"), "--limit"),
        (("--limit", "x"), "--limit"),
        (("--nope",), "--nope"),
    ],
)
def test_a_wrong_option_sends_nothing_to_anybody(ready, relay, options, said):
    if "--now" not in options:
        options = ("--now", MONDAY, *options)

    ended = ready.run("send", *options)

    assert ended.code == 2, "exit code 1 would say that somebody was not reached"
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert relay.copies == {}
    assert ready.ask("SELECT count(*) FROM deliveries") == [(0,)]
    assert "error" in ready.json("send", *options, code=ended.code)


def test_a_limited_run_leaves_the_rest_for_the_next(ready, relay):
    first = ready.did(*SEND, "--limit", "1")

    assert sum(relay.copies.values()) == 1
    assert "2 pending" in first.out
    assert ready.json(*SEND, "--limit", "1")["state"] == "running"
    last = ready.did(*DUE, "--limit", "99999999999999999999999")
    assert "weekly 2026-W48: done" in last.out
    assert set(relay.copies.values()) == {1}
    assert len(relay.copies) == 3


def test_a_bare_run_that_leaves_a_rest_shows_the_edition(ready, relay):
    ready.did(*SEND, "--limit", "1")

    ended = ready.did(*DUE, "--limit", "1")

    assert "weekly 2026-W48: running. 3 planned: 1 pending, 2 accepted." in ended.out


def test_a_reader_of_two_paces_gets_no_article_twice(site, relay):
    site.publish("one")
    site.join("ann", "bob")
    site.did(*SEND)
    site.did("subscribers", "set", "ann@example.com", "--cadence", "daily")
    site.publish({"id": "two", "published": "2026-11-23T12:00Z"})

    site.did("send", "--now", "2026-11-24T08:00Z")
    site.did("send", "--now", NEXT_MONDAY)

    assert relay.copies == {"ann@example.com": 2, "bob@example.com": 2}
    assert "About one" not in relay.mail_to("ann@example.com").as_string()
    site.did("verify")


BAD = (
    Rule("RCPT", say("550 5.1.1 user \x1b[31munknown"), when=recipient("bob@example.com")),
    Rule("RCPT", say("451 4.3.0 try later"), when=recipient("cid@example.com"), times=1),
    Rule("DOT", then(accept(), drop()), when=recipient("dan@example.com"), times=1),
)


def test_whoever_is_not_reached_is_named_with_the_reason_and_when_they_are_tried_again(ready):
    ready.join("dan")
    with Relay(*BAD) as relay:
        ready.use(relay.port)

        ended = ready.run(*SEND)

        assert ended.code == 1
        assert "4 planned: 1 deferred, 1 in doubt, 1 accepted, 1 failed." in ended.out
        lines = ended.err.splitlines()
        assert lines[0] == "mailer: 3 not reached in this run:"
        named = {line.split()[1].rstrip(":"): line for line in lines[1:]}
        assert "failed" in named["bob@example.com"]
        assert "550 5.1.1 user" in named["bob@example.com"]
        assert "\x1b" not in ended.err
        assert "451 4.3.0 try later" in named["cid@example.com"]
        assert "looked at again 2026-11-23 08:0" in named["cid@example.com"]
        assert "in doubt" in named["dan@example.com"]
        assert "looked at again 2026-11-23 08:30" in named["dan@example.com"]

        again = ready.did(*SEND)
        assert "Still waiting: 1 deferred, 1 in doubt; looked at again 2026-11-23 08:0" in again.out
        assert relay.copies == {"ann@example.com": 1, "dan@example.com": 1}

        ready.did("send", "--now", "2026-11-23T08:10Z")
        assert relay.copies == {"ann@example.com": 1, "dan@example.com": 1, "cid@example.com": 1}
        last = ready.did("send", "--now", "2026-11-23T08:45Z")
        assert "weekly 2026-W48: done. 4 planned: 3 accepted, 1 failed." in last.out
        assert relay.copies["dan@example.com"] == 2

    missed = ready.json("editions", "show", "1")["not_reached"]
    assert [(one["address"], one["state"]) for one in missed] == [("bob@example.com", "failed")]
    assert "550 5.1.1 user" in missed[0]["said"]
    assert "bob@example.com" in ready.did("editions", "show", "1").out
    assert ready.json("subscribers", "show", "bob@example.com")["state"] == "bounced"
    ready.did("verify")


def test_programs_are_told_who_was_not_reached(ready):
    with Relay(*BAD) as relay:
        ready.use(relay.port)

        shown = ready.json(*SEND, code=1)

    assert {(one["address"], one["state"]) for one in shown["not_reached"]} == {
        ("bob@example.com", "failed"),
        ("cid@example.com", "deferred"),
    }
    assert shown["planned"] == _sum(shown) == 3


def test_waiting_stays_until_all_is_settled(ready):
    ready.configure('[delivery]\nin_doubt_after = "1s"')
    ready.join("dan")
    with Relay(BAD[0], BAD[2]) as relay:
        ready.use(relay.port)

        ended = ready.run(*SEND, "--wait")

        assert ended.code == 1
        assert "weekly 2026-W48: done. 4 planned: 3 accepted, 1 failed." in ended.out
        assert relay.copies["dan@example.com"] == 2


def test_a_relay_that_is_down_fails_nobody(ready):
    ended = ready.run(*SEND)

    assert ended.code == 3
    assert "3 pending" in ended.out
    assert "The relay is down (since 2026-11-23 08:0" in ended.err
    assert "Connection refused" in ended.err
    shown = ready.json(*SEND, code=3)
    assert (shown["pending"], shown["failed"], shown["not_reached"]) == (3, 0, [])
    assert "refused" in shown["relay_down"]
    ready.did("verify")

    with Relay() as relay:
        ready.use(relay.port)
        ready.did(*SEND)
        assert len(relay.copies) == 3


def test_a_test_copy_that_finds_no_relay_waits_for_the_next_run(ready):
    ended = ready.run(*SEND, "--to", "editor@example.com")

    assert ended.code == 3
    assert "waits" in ended.out
    with Relay() as relay:
        ready.use(relay.port)
        ready.did(*DUE)
        assert relay.copies["editor@example.com"] == 1


def test_a_test_copy_that_is_refused_is_named(ready):
    with Relay(Rule("RCPT", say("550 5.1.1 unknown"), when=recipient("bob@example.com"))) as relay:
        ready.use(relay.port)

        ended = ready.run(*SEND, "--to", "bob@example.com")

        assert ended.code == 1
        assert "bob@example.com: failed, 550 5.1.1 unknown" in ended.err
        assert "Sent" not in ended.out


def test_a_relay_that_offers_no_tls_is_given_no_password(ready, relay):
    secured = {"MAILER_SMTP__SECURITY": "starttls", "MAILER_SMTP__USERNAME": "me", "MAILER_SMTP__PASSWORD": "secret"}

    ended = ready.run(*SEND, **secured)

    assert ended.code == 3
    assert "STARTTLS" in ended.err
    assert {line.text.upper().split()[0] for line in relay.lines} <= {b"EHLO", b"QUIT"}
    assert relay.copies == {}


def test_a_full_digest_says_how_many_more_there_are(site, relay):
    site.configure("[cadence.weekly]\nmax_articles = 3")
    site.publish(*[f"a{number}" for number in range(8)])
    site.join("ann")

    site.did(*SEND)

    assert "5 more" in relay.mail_to("ann@example.com").as_string()
    assert (
        site.json("editions", "show", "1")["variants"][0] | {"more": 5}
        == site.json("editions", "show", "1")["variants"][0]
    )


def test_readers_of_different_topics_get_different_articles(site, relay):
    site.configure('[topics]\ncare = "Care"\nlung = "Lung"')
    site.publish({"id": "c", "topics": ["Care"]}, {"id": "l", "topics": ["lung"]}, {"id": "none", "topics": ["other"]})
    site.join("all")
    site.join("care", topics="care")
    site.join("lung", topics="lung")

    site.did(*SEND)

    got = {
        name: {
            guid for guid in ("c", "l", "none") if f"About {guid}" in relay.mail_to(f"{name}@example.com").as_string()
        }
        for name in ("all", "care", "lung")
    }
    assert got == {"all": {"c", "l", "none"}, "care": {"c", "none"}, "lung": {"l", "none"}}


def test_readers_whose_topic_was_taken_off_the_list_get_its_articles_and_no_other_topics(site, relay):
    site.configure('[topics]\ncare = "Care"\nlung = "Lung"')
    site.join("ann", topics="lung")
    config = site.folder / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace('lung = "Lung"\n', ""), encoding="utf-8")
    site.publish({"id": "l", "topics": ["Lung"]}, {"id": "c", "topics": ["Care"]}, {"id": "none"})

    site.did(*SEND)

    text = relay.mail_to("ann@example.com").get_body(("plain",)).get_content()
    assert "About l" in text
    assert "About none" in text
    assert "About c" not in text
    assert site.json("subscribers", "show", "ann@example.com")["topics"] == ["lung"]
    assert site.did("subscribers", "set", "ann@example.com", "--topic", "care").code == 0


def test_a_topic_is_meant_by_its_id_or_name_in_any_case_and_script(site, relay):
    site.configure('[topics]\nstreets = "Straße"\ncare = "Care"')
    site.join("ann", topics="STRASSE")
    site.publish({"id": "s", "topics": ["strasse"]}, {"id": "c", "topics": ["CARE"]})

    site.did(*SEND)

    text = relay.mail_to("ann@example.com").get_body(("plain",)).get_content()
    assert "About s" in text
    assert "About c" not in text


def test_the_settings_say_where_bounces_come_back_to(ready, relay):
    ready.configure('[bounce]\naddress = "bounces@back.example"\nverp = true')
    ready.did("send", "--now", MONDAY)
    senders = [line.text.split()[1].decode() for line in relay.lines if line.text.startswith(b"MAIL")]
    assert senders
    assert all(re.fullmatch(r"FROM:<bounces\+[0-9a-f]{25,40}@back\.example>", sender) for sender in senders)
    assert len(set(senders)) == len(senders)
    (key,) = tomllib.loads((ready.folder / "config.toml").read_text())["security"]["secret_keys"]
    found = {open_bounce(sender.partition("+")[2].partition("@")[0], [key]) for sender in senders}
    assert found == {row[0] for row in ready.ask("SELECT id FROM deliveries")}
