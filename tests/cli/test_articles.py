"""`mailer articles import|list|show|hide|pin`."""

import json

import pytest

from tests.cli.site import MONDAY, NEXT_MONDAY

WHOLE = {
    "id": "one",
    "url": "https://site.example/one",
    "title": "One",
    "summary": "In a few words.",
    "content": "<p>In many words.</p>",
    "published": "2026-11-20T10:00:00+01:00",
    "author": "Mia",
    "image": "https://site.example/one.png",
    "topics": ["Oncology", "care"],
    "language": "de",
}
FILES = {
    "list.json": json.dumps([WHOLE, {"id": "two", "title": "Two"}, {"id": "bad"}, 5]),
    "lines.jsonl": json.dumps(WHOLE) + '\n{"id": "two", "title": "Two"}\n\nno json\n{"id": "bad"}\n',
    "table.csv": (
        "id;url;title;summary;published;author;topics;language\r\n"
        "one;https://site.example/one;One;In a few words.;2026-11-20T10:00:00+01:00;Mia;Oncology, care;de\r\n"
        "two;;Two;;;;;\r\nbad;;;;;;;\r\nworse;;Worse;;yesterday;;;\r\n"
    ),
    "feed.json": json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "F",
            "items": [
                {
                    "id": "one",
                    "url": "https://site.example/one",
                    "title": "One",
                    "summary": "In a few words.",
                    "date_published": "2026-11-20T10:00:00+01:00",
                    "authors": [{"name": "Mia"}],
                    "tags": ["Oncology", "care"],
                    "language": "de",
                },
                {"id": "two", "title": "Two"},
                {"id": "bad"},
                7,
            ],
        }
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_articles_goes_in_and_its_bad_rows_are_listed_with_their_place(site, name):
    ended = site.run("articles", "import", site.write(name, FILES[name]))

    assert ended.code == 1
    assert "2 new, 0 changed, 2 refused." in ended.out
    assert len(ended.err.splitlines()) == 2
    assert all(name in line for line in ended.err.splitlines())
    one = next(article for article in site.json("articles", "list") if article["guid"] == "one")
    assert one["title"] == "One"
    assert one["url"] == "https://site.example/one"
    assert one["summary"] == "In a few words."
    assert one["published"] == "2026-11-20T09:00:00Z"
    assert one["author"] == "Mia"
    assert one["topics"] == ["Oncology", "care"]
    assert one["language"] == "de"


def test_markdown_with_front_matter_is_an_article(site):
    text = (
        "---\ntitle: One\nurl: https://site.example/one\npublished: 2026-11-20\ntopics: [care]\n---\n# One\n\nWords.\n"
    )

    site.did("articles", "import", site.write("one.md", text))

    (one,) = site.json("articles", "list")
    assert one["title"] == "One"
    assert one["topics"] == ["care"]
    assert "Words." in one["summary"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.json", b""),
        ("open.json", b"{"),
        ("null.json", b"null"),
        ("text.json", b'"text"'),
        ("object.json", b'{"a": 1}'),
        ("deep.json", b"[" * 100_000),
        ("binary.json", b"\xf5\x00\x01" * 50),
        ("binary.csv", b"\x00\xff\xfe\x01" * 50),
        ("empty.csv", b""),
        ("other.txt", b"Hello."),
        ("feed.xml", b'<rss version="2.0"><channel></channel></rss>'),
        ("open.md", b"---\ntitle: [\n---\nx"),
        ("folder.json", None),
        ("missing.json", None),
    ],
)
def test_a_file_that_is_none_is_one_sentence_and_nothing_goes_in(site, name, content):
    if content is not None:
        site.write(name, content)
    elif name.startswith("folder"):
        (site.folder / name).mkdir()

    ended = site.run("articles", "import", name)

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1, ended.err
    assert name in ended.err
    assert site.json("articles", "list") == []
    assert "error" in site.json("articles", "import", name, code=1)


def test_importing_a_file_again_changes_nothing_and_changed_articles_are_brought_up_to_date(site):
    site.write("a.json", [WHOLE])
    site.did("articles", "import", "a.json")

    assert site.json("articles", "import", "a.json") == {"new": 0, "changed": 0, "refused": []}
    site.write("a.json", [WHOLE | {"title": "One, corrected"}])
    assert site.json("articles", "import", "a.json") == {"new": 0, "changed": 1, "refused": []}
    assert [one["title"] for one in site.json("articles", "list")] == ["One, corrected"]


def test_archived_articles_are_kept_and_never_mailed(site, relay):
    site.did("articles", "import", site.write("a.json", [WHOLE]), "--archive")
    site.join("ann")

    ended = site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert site.json("articles", "show", "1")["known"] is True
    assert "nothing new" in ended.out
    assert relay.copies == {}


def test_imported_articles_are_mailed_however_old_they_are_once_the_cadence_runs(site, relay):
    site.join("ann")
    site.publish("first")
    site.did("send", "--cadence", "weekly", "--now", MONDAY)
    site.publish({"id": "ancient", "published": "1999-01-01"}, now="2026-11-25T12:00Z")

    site.did("send", "--cadence", "weekly", "--now", NEXT_MONDAY)

    assert relay.mail_to("ann@example.com")["Subject"] == "About ancient"


def test_list_shows_the_last_taken_in_first(site):
    site.publish("one", "two", "three")

    assert [one["guid"] for one in site.json("articles", "list", "--limit", "2")] == ["three", "two"]
    lines = site.did("articles", "list").out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["three", "two", "one"]
    assert not any(line.endswith(" ") for line in lines)


def test_show_has_all_that_was_taken_in(site):
    site.did("articles", "import", site.write("a.json", [WHOLE]))

    shown = site.json("articles", "show", "1")

    assert shown["id"] == 1
    assert shown["title"] == "One"
    assert shown["image"]["url"] == "https://site.example/one.png"
    assert "Oncology, care" in site.did("articles", "show", "1").out


def test_a_hidden_article_is_in_no_edition(site, relay):
    site.publish("one", "two")
    site.join("ann")
    site.did("articles", "hide", "2")

    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert "About two" not in relay.mail_to("ann@example.com").as_string()
    assert site.json("articles", "show", "2")["hidden"] is True


def test_hiding_can_be_taken_back_before_the_edition(site, relay):
    site.publish("one")
    site.join("ann")
    site.did("articles", "hide", "1")
    assert site.json("articles", "hide", "1", "--off") == {"id": 1, "hidden": False}

    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert relay.copies == {"ann@example.com": 1}


def test_a_pinned_article_leads_the_next_edition_of_each_cadence_once(site, relay):
    site.publish("one", "two")
    site.join("ann")
    site.did("articles", "pin", "1")

    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert relay.mail_to("ann@example.com")["Subject"] == "About one"
    assert site.json("articles", "show", "1")["pinned"] == ["daily", "monthly"]


def test_a_pin_can_be_taken_off(site, relay):
    site.publish("one", "two")
    site.join("ann")
    site.did("articles", "pin", "1")
    site.did("articles", "pin", "1", "--off")

    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert relay.mail_to("ann@example.com")["Subject"] == "About two"


@pytest.mark.parametrize("command", ["show", "hide", "pin"])
@pytest.mark.parametrize("number", ["7", "0", "99999999999999999999999", "x", "1.5"])
def test_an_article_that_is_not_there_is_named(site, command, number):
    ended = site.run("articles", command, number)

    assert ended.code in (1, 2)
    assert number in ended.err or "ID" in ended.err
    assert "Traceback" not in ended.err


def test_a_title_cannot_play_with_the_terminal(site):
    site.publish({"id": "one", "title": "A\x1b[2J\x07B [/x] [red]C"})

    for ended in (site.did("articles", "list"), site.did("articles", "show", "1")):
        assert "\x1b" not in ended.out
        assert "[/x] [red]C" in ended.out


def test_a_pin_on_a_hidden_article_says_that_it_changes_nothing(site):
    site.publish("one")
    site.did("articles", "hide", "1")

    assert "But it is hidden" in site.did("articles", "pin", "1").out
    assert "leads the next edition" in site.did("articles", "unhide", "1").out + site.did("articles", "pin", "1").out
