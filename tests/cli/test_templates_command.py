"""`mailer templates`, and what other commands say of a theme."""

import re
from email import message_from_bytes, policy

import pytest

from tests.cli.site import MONDAY, Relay, Site

GREETING = '{% extends "ours/email/digest/body.html" %}{% block tagline %}<p>Dear {{ reader.name }}</p>{% endblock %}'


@pytest.fixture
def themed(site) -> Site:
    """A site with an article, a reader, and a folder for templates."""
    site.configure('[theme]\ntemplates = "look"')
    site.publish("one")
    site.join("ann")
    (site.folder / "look/email/digest").mkdir(parents=True)
    return site


def write(site: Site, name: str, text: str) -> None:
    path = site.folder / "look" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def html_of(data: bytes) -> str:
    return message_from_bytes(data, policy=policy.default).get_body(("html",)).get_content()


SEND = ("send", "--cadence", "weekly", "--now", MONDAY)
PREVIEW = ("preview", "--cadence", "weekly", "--now", MONDAY)


def test_list_says_of_each_template_whose_it_is_and_what_in_it_is_each_readers_own(themed):
    write(themed, "email/digest/body.html", GREETING)
    shown = themed.did("templates", "list").out
    assert re.search(r"email/digest/body\.html +\S*/look/email/digest/body\.html +reader\n", shown)
    assert re.search(r"email/digest/body\.txt +ours +leave, manage, since\n", shown)
    assert re.search(r"email/goodbye/body\.html +ours\n", shown)
    assert "rendered for each reader" in shown
    told = themed.json("templates", "list")
    own = next(one for one in told["templates"] if one["whose"] == "yours")
    assert (own["name"], own["replaces"], own["personal"]) == ("email/digest/body.html", True, ["reader"])
    assert (told["per_reader"], told["warnings"]) == (True, [])


def test_eject_copies_into_the_folder_that_the_settings_name(themed):
    ended = themed.did("templates", "eject", "digest")
    assert ended.out.count("Wrote ") == 3
    assert "[theme]" not in ended.out
    assert (themed.folder / "look/email/digest/subject.txt").read_text() == "{{ page.subject }}\n"


def test_eject_without_a_folder_makes_one_beside_the_settings_and_says_the_line_to_write(site):
    ended = site.did("templates", "eject", "email/digest/body.html")
    assert ended.out.endswith('They are used as soon as config.toml has this:\n\n[theme]\ntemplates = "templates"\n')
    site.configure('[theme]\ntemplates = "templates"')
    told = site.json("templates", "list")
    assert [one["path"] for one in told["templates"] if one["whose"] == "yours"] == [
        str(site.folder / "templates/email/digest/body.html")
    ]


def test_eject_leaves_what_is_there_and_says_so(themed):
    write(themed, "email/digest/subject.txt", "Mine")
    ended = themed.run("templates", "eject", "digest")
    assert ended.code == 1
    assert "subject.txt is there already and stays; --force replaces it." in ended.err
    assert ended.out.count("Wrote ") == 2
    themed.did("templates", "eject", "digest", "--force")
    assert (themed.folder / "look/email/digest/subject.txt").read_text() == "{{ page.subject }}\n"


def test_eject_of_a_name_that_is_not_there_names_the_nearest(themed):
    ended = themed.run("templates", "eject", "digest/bodi.html")
    assert ended.code == 1
    assert "There is no template 'digest/bodi.html'; the nearest is digest/body.html." in ended.err


def test_an_ejected_theme_that_is_broken_can_be_ejected_anew(themed):
    write(themed, "email/digest/body.html", "{% if %}")
    themed.did("templates", "eject", "digest/body.html", "--force")
    themed.did("templates", "check")


@pytest.mark.parametrize(
    "command",
    [SEND, ("send", "--now", MONDAY), (*SEND, "--dry-run"), (*SEND, "--to", "me@example.com"), PREVIEW,
     (*PREVIEW, "--variants"), (*PREVIEW, "--mail", "welcome"), ("lint", "--cadence", "weekly", "--now", MONDAY),
     ("config", "check"), ("templates", "check"), ("templates", "list")],
    ids=lambda words: " ".join(words[:1] + tuple(w for w in words if w.startswith("--") and w != "--now")),
)  # fmt: skip
def test_with_a_broken_template_nothing_is_planned_or_sent_and_the_sentence_has_file_and_line(themed, relay, command):
    write(themed, "email/goodbye/body.txt", "one\n{{ page.labl }}")  # which none of these commands needs
    before = themed.dump()
    ended = themed.run(*command)
    assert ended.code in (1, 2)
    sentence = "look/email/goodbye/body.txt, line 2: 'Note' has no attribute 'labl'; the nearest is 'label'."
    assert sentence in ended.err
    assert themed.dump() == before
    assert relay.copies == {}


def test_check_lists_every_complaint_for_programs_too(themed):
    write(themed, "email/digest/body.html", "{% if %}")
    write(themed, "email/digest/subject.txt", "{{ }}")
    told = themed.json("templates", "check", code=1)
    assert len(told["complaints"]) == 2
    assert len(themed.json("config", "check", code=2)["complaints"]) == 2


def test_a_misspelt_file_is_told_of(themed):
    write(themed, "email/digest/bodi.html", "x")
    for command in (("config", "check"), ("templates", "check"), ("templates", "list"), PREVIEW):
        assert "bodi.html replaces nothing; did you mean email/digest/body.html?" in themed.did(*command).err


def test_a_live_theme_is_sent_to_each_by_name_and_says_what_it_cost(themed, relay):
    write(themed, "email/digest/body.html", GREETING)
    themed.write("names.csv", "email;name;cadence\nzoe@example.com;Zoe;weekly")
    themed.did("subscribers", "import", "names.csv", "--confirmed", "--consent", "asked")
    ended = themed.did(*SEND)
    assert "<p>Dear Zoe</p>" in html_of(relay.bytes_to("zoe@example.com"))
    assert "<p>Dear </p>" in html_of(relay.bytes_to("ann@example.com"))
    assert re.search(r"so 2 mails had to be rendered for one reader: [\d.]+ ms each\.", ended.err)
    assert themed.did("verify").out.count("ok ") == len(themed.did("verify").out.splitlines())


def test_a_preview_and_a_test_copy_of_a_live_theme_are_for_a_sample_reader_and_as_for_the_real_one(themed, relay):
    write(themed, "email/digest/body.html", GREETING)
    shown = themed.did(*PREVIEW)
    assert "<p>Dear Ada Lovelace</p>" in (themed.folder / "preview/digest.html").read_text()
    assert re.search(r"asks who reads \(`reader`\): [\d.]+ ms each, [\d,]+ times a mail that is the same", shown.out)
    assert themed.json(*PREVIEW)["per_reader_ms"] > 0
    themed.did(*PREVIEW, "--as", "ann@example.com")
    assert "<p>Dear </p>" in (themed.folder / "preview/digest.html").read_text()
    themed.did(*SEND, "--to", "me@example.com")
    assert "<p>Dear Ada Lovelace</p>" in html_of(relay.bytes_to("me@example.com"))
    assert relay.mail_to("me@example.com")["Subject"] == "[Test] About one"
    variants = themed.did(*PREVIEW, "--variants")
    assert "Each copy is rendered, as the theme asks who reads: " in variants.out
    [one] = themed.json(*PREVIEW, "--variants")["variants"]
    assert one["per_reader_ms"] > 0


def test_a_theme_edited_between_planning_and_sending_changes_nothing(themed):
    write(themed, "email/digest/body.html", GREETING)
    assert themed.run(*SEND).code == 3  # planned; there is no relay yet
    write(themed, "email/digest/body.html", "<html><head></head><body>Edited</body></html>")
    with Relay() as relay:
        themed.use(relay.port)
        themed.did(*SEND)
        assert "<p>Dear </p>" in html_of(relay.bytes_to("ann@example.com"))
    themed.did(*PREVIEW)
    assert "<p>Dear" in (themed.folder / "preview/digest.html").read_text()
