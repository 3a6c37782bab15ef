"""An edition that is held: nothing leaves, the operator hears why, and says whether it goes out."""

import re

import pytest

from tests.cli.site import MONDAY, NEXT_MONDAY, Relay, Site

SEND = ("send", "--cadence", "weekly", "--now", MONDAY)
AGAIN = ("send", "--cadence", "weekly", "--now", NEXT_MONDAY)


@pytest.fixture
def held(site, relay) -> Site:
    """Two weekly readers, one article that is news, two that came in a storm, and the edition that waits for it."""
    site.publish("news", "old-1", "old-2")
    site.ask("UPDATE articles SET storm = 1 WHERE guid LIKE 'old-%'")
    site.join("ann", "bob")
    ended = site.run(*SEND)
    assert ended.code == 1, ended.all
    return site


def titles(relay: Relay, address: str) -> set[str]:
    """Which articles the last mail to this address holds."""
    text = relay.mail_to(address).get_body(("plain",)).get_content()
    return set(re.findall(r"^\d+\. About (\S+)", text, re.MULTILINE))  # not those under related reading


def test_an_edition_with_articles_of_a_storm_is_held_and_says_what_to_do(held, relay):
    ended = held.run(*SEND)

    assert ended.code == 1
    assert relay.accepted == []
    assert "weekly 2026-W48 is held: a feed changed the ids of all its articles" in ended.err
    for command in ("editions show 1", "editions send 1", "editions skip 1", "editions skip 1 --anew"):
        assert f"mailer {command}" in ended.err
    assert held.json(*SEND, code=1)["held"] == [1]
    assert held.did("verify")


def test_a_bare_send_says_so_and_fails_only_when_the_edition_is_new(site, relay):
    site.publish("old-1")
    site.ask("UPDATE articles SET storm = 1")
    site.join("ann")

    first, second = site.run("send", "--now", MONDAY), site.run("send", "--now", MONDAY)

    assert (first.code, second.code) == (1, 0)
    assert "mailer editions send 1" in first.err
    assert "mailer editions send 1" in second.out
    assert relay.accepted == []


def test_a_held_edition_that_is_released_goes_out_once_to_everyone(held, relay):
    ended = held.did("editions", "send", "1", "--now", MONDAY)

    assert ended.out.startswith("weekly 2026-W48: done. 2 planned: 2 accepted.")
    assert relay.copies == {"ann@example.com": 1, "bob@example.com": 1}
    assert titles(relay, "ann@example.com") == {"news", "old-1", "old-2"}
    assert held.ask("SELECT count(*) FROM articles WHERE storm OR known") == [(0,)]
    assert held.did("editions", "send", "1", "--now", MONDAY).out.startswith("weekly 2026-W48: nothing left to send.")
    assert held.run(*SEND).out.startswith("weekly 2026-W48: already sent.")
    assert sum(relay.copies.values()) == 2
    held.did("verify")


def test_a_held_edition_that_is_refused_goes_to_nobody_and_its_news_come_next_time(held, relay):
    ended = held.did("editions", "skip", "1", "--now", MONDAY)
    assert "nobody gets it" in ended.out
    assert held.did(*SEND).out.startswith("weekly 2026-W48: cancelled.")
    held.publish({"id": "late", "published": "2026-11-26T05:00Z"}, now="2026-11-26T12:00Z")
    held.join("new")

    held.did(*AGAIN)

    assert relay.copies == {"ann@example.com": 1, "bob@example.com": 1, "new@example.com": 1}
    for name in ("ann", "bob", "new"):
        assert titles(relay, f"{name}@example.com") == {"news", "late"}
    assert held.ask("SELECT guid FROM articles WHERE known ORDER BY guid") == [("old-1",), ("old-2",)]
    held.did("verify")


def test_a_refused_edition_can_be_made_anew_without_what_was_old(held, relay):
    held.did("editions", "skip", "1", "--anew", "--now", MONDAY)
    assert relay.accepted == []

    assert held.did(*SEND).out.startswith("weekly 2026-W48: done. 2 planned: 2 accepted.")

    assert titles(relay, "ann@example.com") == {"news"}
    held.did("verify")


def test_readers_who_had_something_before_miss_nothing_by_a_refused_edition(site, relay):
    site.publish("one")
    site.join("ann")
    site.did(*SEND)
    site.publish({"id": "news", "published": "2026-11-26T05:00Z"}, {"id": "old-1", "published": "2026-10-01T05:00Z"})
    site.ask("UPDATE articles SET storm = 1 WHERE guid = 'old-1'")
    assert site.run(*AGAIN).code == 1
    site.did("editions", "skip", "2", "--now", NEXT_MONDAY)

    site.did("send", "--cadence", "weekly", "--now", "2026-12-07T08:00Z")

    assert titles(relay, "ann@example.com") == {"news"}
    assert relay.copies == {"ann@example.com": 2}
    site.did("verify")


def test_a_later_edition_stands_for_one_that_is_still_held(held, relay):
    held.publish({"id": "late", "published": "2026-11-26T05:00Z"}, now="2026-11-26T12:00Z")
    ended = held.run(*AGAIN)
    assert ended.code == 1
    assert "mailer editions send 2" in ended.err

    held.did("editions", "send", "2", "--now", NEXT_MONDAY)

    assert titles(relay, "ann@example.com") == {"news", "old-1", "old-2", "late"}
    assert held.did("editions", "send", "1", "--now", NEXT_MONDAY).out.startswith("weekly 2026-W48: nothing left")
    assert relay.copies == {"ann@example.com": 1, "bob@example.com": 1}
    held.did("verify")


def test_a_release_gives_time_enough_to_send(held, relay):
    """Its own deadline passed while it was held; the next edition isn't made yet."""
    held.did("editions", "send", "1", "--now", "2026-11-28T08:00Z")

    assert relay.copies == {"ann@example.com": 1, "bob@example.com": 1}


def test_a_reader_who_leaves_while_it_is_held_gets_nothing(held, relay):
    held.did("subscribers", "remove", "ann@example.com")

    held.did("editions", "send", "1", "--now", MONDAY)

    assert relay.copies == {"bob@example.com": 1}


def test_pins_and_the_draft_are_spent_by_sending_and_not_by_holding(site, relay):
    site.publish("news", "old-1")
    site.ask("UPDATE articles SET storm = 1 WHERE guid = 'old-1'")
    site.join("ann")
    site.did("articles", "pin", "1")
    site.did("editions", "draft", "--cadence", "weekly", "--intro", "Good morning", "--now", MONDAY)
    assert site.run(*SEND).code == 1
    assert site.json("articles", "show", "1")["pinned"] == ["daily", "weekly", "monthly"]
    assert site.json("editions", "draft", "--cadence", "weekly", "--now", MONDAY)["intro"] == "Good morning"

    site.did("editions", "send", "1", "--now", MONDAY)

    assert site.json("articles", "show", "1")["pinned"] == ["daily", "monthly"]
    assert site.json("editions", "draft", "--cadence", "weekly", "--now", MONDAY)["intro"] == ""


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("editions", "send", "7"), "There is no edition 7."),
        (("editions", "skip", "7"), "There is no edition 7."),
        (("editions", "skip", "1"), "is done, not held"),
        (("editions", "skip", "1", "--anew"), "is done, not held"),
    ],
)
def test_what_cannot_be_released_or_refused_is_said(site, relay, command, sentence):
    site.publish("one")
    site.join("ann")
    site.did(*SEND)

    ended = site.run(*command)

    assert ended.code == 1
    assert sentence in ended.err
    assert relay.copies == {"ann@example.com": 1}


def test_an_empty_edition_cannot_be_sent(site, relay):
    site.publish("one")
    site.join("ann")
    site.did(*SEND)
    site.did(*AGAIN)

    ended = site.run("editions", "send", "2")

    assert ended.code == 1
    assert "is empty: it holds nothing that could be sent." in ended.err


# --- the gate


def spoil(site: Site) -> None:
    """A theme whose subject has a mark that nothing fills in."""
    folder = site.folder / "theme/email/digest"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("{{ page.subject }}{% if 'odd' in page.subject %} *|FNAME|*{% endif %}")
    site.configure('[theme]\ntemplates = "theme"')


ODD = {"id": "odd"}


def test_an_error_that_lint_finds_is_said_and_the_edition_goes_out(site, relay):
    spoil(site)
    site.publish(ODD)
    site.join("ann")

    ended = site.did(*SEND)

    assert relay.copies == {"ann@example.com": 1}
    assert "weekly 2026-W48: lint found error placeholder" in ended.err
    shown = site.json("editions", "show", "1")
    assert any(finding.startswith("error placeholder") for finding in shown["findings"])
    assert "Lint found:" in site.did("editions", "show", "1").out


def test_where_lint_holds_an_edition_with_an_error_waits_for_a_word(site, relay):
    site.configure('[delivery]\nlint = "hold"')
    spoil(site)
    site.publish(ODD)
    site.join("ann")

    ended = site.run(*SEND)

    assert ended.code == 1
    assert relay.accepted == []
    assert "weekly 2026-W48 is held: lint found an error in it." in ended.err
    assert site.json("editions", "show", "1")["reason"] == "lint"

    # What was wrong is mended, and the edition made anew.
    (site.folder / "theme/email/digest/subject.txt").write_text("{{ page.subject }}")
    site.did("editions", "skip", "1", "--anew", "--now", MONDAY)
    site.did(*SEND)
    assert relay.copies == {"ann@example.com": 1}
    site.did("verify")


def test_where_lint_holds_an_edition_without_errors_goes_out(site, relay):
    site.configure('[delivery]\nlint = "hold"')
    site.publish("one")
    site.join("ann")

    assert site.did(*SEND).err == ""

    assert relay.copies == {"ann@example.com": 1}


def test_every_variant_is_looked_at_before_the_first_permit(site, relay):
    site.configure('[delivery]\nlint = "hold"\n[topics]\nheart = "Heart"\nlungs = "Lungs"')
    spoil(site)
    site.publish({"id": "fine", "topics": ["heart"]}, ODD | {"topics": ["lungs"]})
    site.join("ann", topics="heart")
    site.join("bob", topics="lungs")

    ended = site.run(*SEND)

    assert ended.code == 1
    assert relay.accepted == []
    assert any("(in 1 of 2 mails)" in finding for finding in site.json("editions", "show", "1")["findings"])


def test_a_pause_of_judgement_is_not_overridden_by_sending_again(site, relay):
    site.configure('[delivery]\nlint = "hold"')
    spoil(site)
    site.publish(ODD)
    site.join("ann")
    site.run(*SEND)

    assert site.run(*SEND).code == 1
    assert site.run("send", "--now", MONDAY).code == 0
    assert relay.accepted == []

    site.did("editions", "send", "1", "--now", MONDAY)
    assert relay.copies == {"ann@example.com": 1}


def test_an_article_about_placeholders_is_no_error(site, relay):
    site.configure('[delivery]\nlint = "hold"')
    site.publish({"id": "tips", "title": "How to write {{ name }} and *|FNAME|* in a letter"})
    site.join("ann")

    assert site.did("lint", "--cadence", "weekly", "--now", MONDAY).out.count("placeholder") == 0
    site.did(*SEND)

    assert relay.copies == {"ann@example.com": 1}


def test_show_says_where_an_edition_is_read_on_the_web_once_it_is_out(held, relay):
    url = "https://site.example/editions/weekly/2026-W48/0"
    assert held.json("editions", "show", "1")["variants"][0]["url"] is None
    assert "/editions/" not in held.did("editions", "show", "1").out

    held.did("editions", "send", "1", "--now", MONDAY)

    assert held.json("editions", "show", "1")["variants"][0]["url"] == url
    assert f"\n  {url}\n" in held.did("editions", "show", "1").out
