"""`mailer editions draft`: an intro and an order, kept for the coming edition and used once."""

import pytest

from tests.cli.site import MONDAY, NEXT_MONDAY, Relay, Site

DRAFT = ("editions", "draft", "--cadence", "weekly", "--now", MONDAY)
SEND = ("send", "--cadence", "weekly", "--now", MONDAY)


@pytest.fixture
def ready(site) -> Site:
    site.publish(
        {"id": "one", "published": "2026-11-19T10:00Z"},
        {"id": "two", "published": "2026-11-20T10:00Z"},
        {"id": "three", "published": "2026-11-21T10:00Z"},
    )
    site.join("ann")
    return site


def in_order(relay: Relay) -> list[str]:
    text = relay.mail_to("ann@example.com").get_body(("plain",)).get_content()
    return [line.split("About ")[1] for line in text.splitlines() if ". About " in line]


def test_the_coming_edition_is_shown_as_it_stands(ready):
    shown = ready.did(*DRAFT).out

    assert "The coming weekly edition, 2026-W48, is due 2026-11-23 07:00." in shown
    assert "No intro." in shown
    assert shown.index("[3] About three") < shown.index("[2] About two") < shown.index("[1] About one")


def test_an_order_leads_the_edition_before_what_is_pinned_and_the_rest_follows(ready, relay):
    ready.did("articles", "pin", "3")
    shown = ready.did(*DRAFT, "--order", "1,2").out
    assert shown.index("[1] About one *") < shown.index("[2] About two *") < shown.index("[3] About three\n")

    ready.did(*SEND)

    assert in_order(relay) == ["one", "two", "three"]


def test_an_intro_from_a_file_is_in_the_mail_and_only_in_that_one(ready, relay):
    ready.write("intro.md", "Good morning.\r\n\r\nThree stories on cells.\n")
    ready.did(*DRAFT, "--intro-file", "intro.md")

    ready.did(*SEND)

    assert ready.ask("SELECT intro FROM editions") == [("Good morning.\n\nThree stories on cells.",)]
    assert "The coming weekly edition, 2026-W49" in ready.did(*DRAFT).out
    ready.publish({"id": "four", "published": "2026-11-26T10:00Z"}, now="2026-11-26T12:00Z")
    ready.did("send", "--cadence", "weekly", "--now", NEXT_MONDAY)
    assert ready.ask("SELECT intro FROM editions ORDER BY id") == [
        ("Good morning.\n\nThree stories on cells.",),
        ("",),
    ]


def test_what_is_kept_waits_for_an_edition_that_holds_something(site, relay):
    site.join("ann")
    site.did(*DRAFT, "--intro", "Hello")

    assert "nothing new" in site.did(*SEND).out

    assert site.json("editions", "draft", "--cadence", "weekly", "--now", NEXT_MONDAY)["intro"] == "Hello"


def test_one_part_of_a_draft_is_changed_without_the_other_and_all_is_forgotten_at_once(ready):
    ready.did(*DRAFT, "--intro", "Hello", "--order", "2")
    ready.did(*DRAFT, "--order", "1,3")
    assert ready.json(*DRAFT) | {"intro": "Hello", "order": [1, 3]} == ready.json(*DRAFT)

    ready.did(*DRAFT, "--order", "")
    assert ready.json(*DRAFT)["order"] == []
    assert ready.json(*DRAFT)["intro"] == "Hello"

    ready.did(*DRAFT, "--clear")
    assert ready.json(*DRAFT)["intro"] == ""


def test_an_article_in_the_order_that_is_not_in_the_edition_is_named(ready, relay):
    ready.did("articles", "hide", "2")

    assert "Not in it as it stands now: 2 (hidden)." in ready.did(*DRAFT, "--order", "2,1").out
    ready.did(*SEND)
    assert in_order(relay) == ["one", "three"]


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--order", "1,x"), 2, "'x' is no article's id"),
        (("--order", "1,9"), 1, "There is no article 9."),
        (("--order", "1,1"), 1, "names article 1 twice"),
        (("--intro", "a", "--intro-file", "b"), 2, "two ways to say the same"),
        (("--clear", "--intro", "a"), 2, "goes with no other option"),
        (("--intro", "x" * 4_001), 1, "4,001 characters"),
        (("--intro-file", "nothing.md"), 1, "nothing.md can't be read: No such file or directory."),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(ready, options, code, sentence):
    ready.did(*DRAFT, "--intro", "before", "--order", "3")

    ended = ready.run(*DRAFT, *options)

    assert ended.code == code
    assert sentence in ended.err
    assert ready.json(*DRAFT) | {"intro": "before", "order": [3]} == ready.json(*DRAFT)


def test_an_unknown_cadence_is_refused_with_those_there_are(ready):
    ended = ready.run("editions", "draft", "--cadence", "hourly")

    assert ended.code == 2
    assert "There is no cadence 'hourly'. There are: daily, weekly, monthly." in ended.err
