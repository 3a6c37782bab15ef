"""`mailer editions pause|resume|cancel` and `mailer deliveries`: what the operator says, and what is answered."""

import json

import pytest

from tests.cli.site import MONDAY, NEXT_MONDAY, Relay, Site
from tests.faults.badrelay import Rule, accept_then_drop, recipient, say

SEND = ("send", "--cadence", "weekly", "--now", MONDAY)
HOUR_LATER = "2026-11-23T09:00Z"
LATER = "2026-11-23T11:00Z"


@pytest.fixture
def sent(site, relay) -> Site:
    """Three weekly readers, of whom one has theirs."""
    site.publish("one")
    site.join("ann", "bob", "cid")
    site.did(*SEND, "--limit", "1")
    assert relay.copies == {"ann@example.com": 1}
    return site


def test_a_paused_edition_is_not_sent_until_it_goes_on(sent, relay):
    assert sent.did("editions", "pause", "1").out == (
        "Paused weekly 2026-W48: 1 of 3 accepted, 2 wait. Go on: mailer editions resume 1\n"
    )
    sent.did("send", "--now", MONDAY)
    assert relay.copies == {"ann@example.com": 1}

    assert sent.did("editions", "resume", "1", "--now", MONDAY).out == (
        "Resumed weekly 2026-W48: 1 of 3 accepted, 2 wait. Send it now: mailer editions send 1\n"
    )
    sent.did("editions", "send", "1", "--now", MONDAY)

    assert set(relay.copies.values()) == {1}
    assert len(relay.copies) == 3
    sent.did("verify")


def test_who_asks_for_a_paused_edition_hears_how_it_goes_on(sent, relay):
    sent.did("editions", "pause", "1")

    ended = sent.run(*SEND)

    assert ended.code == 1
    assert ended.err == (
        "mailer: weekly 2026-W48 is paused by hand: 1 of 3 accepted, 2 wait. Go on: mailer editions resume 1\n"
    )
    assert ended.out.startswith("weekly 2026-W48: paused. 3 planned: 2 pending, 1 accepted.")
    program = sent.run(*SEND, "--json")
    assert (program.code, program.json["state"]) == (1, "paused")
    asked = sent.run("editions", "send", "1", "--now", MONDAY)
    assert (asked.code, relay.copies.total()) == (1, 1)
    assert "is paused. Let it go on first: mailer editions resume 1" in asked.err


def test_a_bare_send_passes_by_what_was_paused_before_it(sent):
    sent.did("editions", "pause", "1")
    assert sent.did("send", "--now", MONDAY).err == ""


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("", "weekly 2026-W48 is PAUSED by hand."),
        ("authentication", "Check SPF, DKIM and DMARC of your domain, and the relay's user and password."),
        ("message_refused", "is PAUSED: one mail after another was refused as a whole."),
        ("message_deferred", "is PAUSED: one mail after another was put off as a whole."),
        ("too_big", "is PAUSED: its mails are larger than is accepted."),
    ],
)
def test_status_says_why_an_edition_is_paused_and_what_to_do(sent, reason, said):
    sent.ask("UPDATE editions SET state = 'paused', reason = ?", reason)
    sent.ask(
        "INSERT INTO attempts (delivery_id, at, stage, code, enhanced, text, outcome) "
        "VALUES (2, 0, 'mail', 552, '5.3.4', 'Message size 48213 exceeds limit 10240', 'message_refused')"
    )

    for told in (sent.did("status").out, sent.did("editions", "show", "1").out):
        assert said in told
        assert "1 of 3 accepted, 2 wait" in told
        assert "go on   mailer editions resume 1" in told
        assert ("said    552 5.3.4 Message size 48213 exceeds limit 10240" in told) == bool(reason)
    assert sent.json("status")["paused_editions"] == [1]
    if reason:
        assert "Then: mailer editions resume 1" in sent.run(*SEND).err


def test_a_cancelled_edition_ends_and_its_articles_come_with_the_next_one(sent, relay):
    assert sent.did("editions", "cancel", "1", "--now", MONDAY).out == (
        "Cancelled weekly 2026-W48: 1 of 3 accepted, 2 not reached. "
        "Nobody else gets it; its articles come to them with the next edition.\n"
    )
    assert sent.did(*SEND).out.startswith("weekly 2026-W48: cancelled.")
    sent.publish({"id": "two", "published": "2026-11-26T05:00Z"}, now="2026-11-26T12:00Z")

    sent.did("send", "--cadence", "weekly", "--now", NEXT_MONDAY)

    text = relay.mail_to("bob@example.com").get_body(("plain",)).get_content()
    assert "About one" in text
    assert "About two" in text
    assert "About one" not in relay.mail_to("ann@example.com").get_body(("plain",)).get_content()
    assert relay.copies == {"ann@example.com": 2, "bob@example.com": 1, "cid@example.com": 1}
    sent.did("verify")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("editions", "pause", "9"), "There is no edition 9."),
        (("editions", "pause", "1"), "weekly 2026-W48 is done, so it can't be paused."),
        (("editions", "resume", "1"), "weekly 2026-W48 is done, so it can't be resumed."),
        (("editions", "cancel", "1"), "weekly 2026-W48 is done, so it can't be cancelled."),
        (("deliveries", "resolve", "1", "again"), "is accepted, not in doubt."),
        (("deliveries", "resolve", "9", "again"), "There is no delivery 9."),
    ],
)
def test_what_cannot_be_done_is_said(sent, command, sentence):
    sent.did("editions", "send", "1", "--now", MONDAY)

    ended = sent.run(*command)

    assert ended.code == 1
    assert sentence in ended.err


def test_a_held_edition_is_neither_paused_nor_cancelled_but_skipped(sent):
    sent.ask("UPDATE editions SET state = 'held', reason = 'lint'")
    for command in ("pause", "resume", "cancel"):
        assert (
            "Send it: mailer editions send 1. Refuse it: mailer editions skip 1"
            in sent.run("editions", command, "1").err
        )


# --- doubts


@pytest.fixture
def doubtful(site) -> Site:
    """Ann's mail arrived twice and nobody said so: held in doubt. Bob's was refused for now."""
    rules = [
        Rule("DOT", accept_then_drop(), when=recipient("ann@example.com"), times=2),
        Rule("RCPT", say("451 4.2.1 mailbox busy"), when=recipient("bob@mail.example"), times=1),
    ]
    with Relay(*rules) as relay:
        site.use(relay.port)
        site.publish("one")
        site.join("ann", "bob@mail.example", "cid")
        for now in (MONDAY, HOUR_LATER, LATER):
            site.run("send", "--cadence", "weekly", "--now", now)
        yield site
        assert relay.copies["ann@example.com"] <= 3


def test_a_mail_in_doubt_is_listed_with_what_can_be_said_of_it(doubtful):
    said = doubtful.did("deliveries", "list").out
    assert "1  ann@example.com, weekly 2026-W48\n   in doubt held since 2026-11-23 09:00: " in said
    assert said.endswith("\nWhat became of one in doubt: mailer deliveries resolve ID accepted|again|leave\n")
    (found,) = doubtful.json("deliveries", "list", "--state", "in_doubt_held", "--edition", "1")
    assert (found["id"], found["address"], found["state"]) == (1, "ann@example.com", "in_doubt_held")
    assert found["said"]
    assert doubtful.did("deliveries", "list", "--state", "failed").out == "No mail is failed.\n"
    assert len(doubtful.json("deliveries", "list", "--state", "accepted", "--limit", "1")) == 1
    status = doubtful.did("status").out
    assert "Held in doubt: 1 mail that may have arrived, and is not sent again by itself." in status
    assert "mailer deliveries list --state in_doubt_held" in status


@pytest.mark.parametrize(
    ("word", "sentence", "state"),
    [
        ("accepted", "weekly 2026-W48 to ann@example.com counts as arrived.", "accepted"),
        ("leave", "stays in doubt, and is not sent by itself.", "in_doubt_held"),
        ("again", "is sent again with the next run. Now: mailer editions send 1", "pending"),
    ],
)
def test_a_doubt_is_resolved_by_a_word(doubtful, word, sentence, state):
    assert sentence in doubtful.did("deliveries", "resolve", "1", word, "--now", LATER).out
    assert doubtful.ask("SELECT state FROM deliveries WHERE id = 1") == [(state,)]
    doubtful.did("verify")
    if word == "again":
        doubtful.did("editions", "send", "1", "--now", LATER)
        assert doubtful.ask("SELECT state FROM deliveries WHERE id = 1") == [("accepted",)]
        doubtful.did("verify")


def test_words_and_states_that_there_are_not_are_said(doubtful):
    ended = doubtful.run("deliveries", "resolve", "1", "perhaps")
    assert (ended.code, ended.err) == (2, "mailer: 'perhaps' says nothing of a doubt. Say accepted, again or leave.\n")
    ended = doubtful.run("deliveries", "list", "--state", "lost")
    assert ended.code == 2
    assert "There is no state 'lost'. There are: pending, claimed," in ended.err


# --- how sending goes


def test_status_says_how_sending_goes(sent):
    sent.ask("UPDATE deliveries SET state = 'deferred', next_at = 4070908800000 WHERE id = 2")
    for relay, accepted in (("default", 4000), ("backup", 120)):
        for ago in (0, 1):  # a minute may begin before we look
            sent.ask("INSERT INTO relay_usage VALUES (?, unixepoch() / 60 - ?, 1, ?)", relay, ago, accepted)
    for provider, state in (
        ("", {"why": "throttled", "not_before": "2099-01-01T00:00:00Z"}),
        ("mail.example", {"level": 3, "not_before": None}),
    ):
        sent.ask("INSERT INTO paces VALUES ('default', ?, ?)", provider, json.dumps(state))

    said = sent.did("status").out

    assert "weekly 2026-W48, running: 1 of 3 accepted, 2 wait. Looked at again 2099-01-01 00:00.\n" in said
    assert "Rate: 4,120 accepted in the last full minute (backup 120, default 4,000)." in said
    assert "Relay default: throttled, tried again 2099-01-01 00:00.\n" in said
    assert "Provider mail.example behind relay default: slowed.\n" in said
    assert "Where mail waits or failed: example.com 1.\n" in said
    told = sent.json("status")
    assert told["rate"]["accepted"] == {"backup": 120, "default": 4000}
    assert told["domains"] == {"example.com": 1}
    assert [(one["relay"], one["provider"], one["why"]) for one in told["slowed"]] == [
        ("default", None, "throttled"),
        ("default", "mail.example", None),
    ]
    (edition,) = told["editions"]
    assert (edition["accepted"], edition["deferred"], edition["pending"]) == (1, 1, 1)


def test_a_pace_that_another_release_keeps_otherwise_is_no_trouble(sent):
    sent.ask("""INSERT INTO paces VALUES ('default', '', '{"not_before": 7, "why": ["odd"]}')""")
    assert "Relay default: ['odd'].\n" in sent.did("status").out


def test_watching_is_for_people(site):
    assert site.run("status", "--watch", "--json").code == 2
    assert "How often is said with --watch" in site.run("status", "5").err


def test_watching_shows_block_after_block_until_it_is_stopped(site, monkeypatch):
    from mailer.cli import watching

    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching, "sleep", sleep)

    ended = site.did("status", "--watch", "0.5")

    assert ended.out.count("Readers: none yet.\n") == 3
    assert min(pauses) >= 0.5
