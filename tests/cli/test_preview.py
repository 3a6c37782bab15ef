"""`mailer preview`, `mailer editions` and `mailer verify`."""

from email import message_from_bytes, policy

import pytest

from tests.cli.site import MONDAY, Site

PREVIEW = ("preview", "--cadence", "weekly", "--now", MONDAY)
SEND = ("send", "--cadence", "weekly", "--now", MONDAY)


@pytest.fixture
def ready(site) -> Site:
    site.publish("one", "two")
    site.join("ann", "bob")
    return site


def _texts(data: bytes) -> tuple[str, str, str]:
    message = message_from_bytes(data, policy=policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    return message["Subject"], *(part.get_content().replace("\r\n", "\n") for part in (html, text))


def test_a_preview_is_three_files_and_nothing_else_is_written(ready):
    before = ready.dump()

    shown = ready.json(*PREVIEW, "--out", "look")

    assert shown["files"] == ["look/digest.eml", "look/digest.html", "look/digest.txt"]
    assert {file.name for file in (ready.folder / "look").iterdir()} == {"digest.html", "digest.txt", "digest.eml"}
    data = (ready.folder / "look/digest.eml").read_bytes()
    assert _texts(data) == (
        shown["subject"],
        (ready.folder / "look/digest.html").read_bytes().decode(),
        (ready.folder / "look/digest.txt").read_bytes().decode(),
    )
    assert shown["bytes"] == len(data)
    assert ready.dump() == before


def test_a_preview_of_a_planned_edition_has_the_very_bytes_that_go_out(ready, relay):
    ready.did(*SEND, "--limit", "1")

    for name in ("ann", "bob"):
        shown = ready.json(*PREVIEW, "--as", f"{name}@example.com", "--out", name)
        assert shown["frozen"] is True
    ready.did(*SEND)

    for name in ("ann", "bob"):
        assert (ready.folder / name / "digest.eml").read_bytes() == relay.bytes_to(f"{name}@example.com")


def test_a_preview_before_planning_has_what_will_go_out(ready, relay):
    ready.did(*PREVIEW, "--as", "ann@example.com")
    ready.did(*SEND)

    looked, sent = (ready.folder / "preview/digest.eml").read_bytes(), relay.bytes_to("ann@example.com")

    assert _texts(looked) == _texts(sent)
    names = [[name for name, _ in message_from_bytes(data).items()] for data in (looked, sent)]
    assert names[0] == names[1]


def test_a_preview_needs_no_readers(site):
    site.publish("one")

    assert "Subject: About one" in site.did(*PREVIEW).out


def test_a_preview_of_nothing_new_says_so(site):
    assert "nothing new" in site.did(*PREVIEW).out
    assert site.json(*PREVIEW) == {"cadence": "weekly", "files": []}
    assert not (site.folder / "preview").exists()


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (("--as", "zoe@example.com"), "not a subscriber", 1),
        (("--as", "zoe"), "@-sign", 2),
        (("--as", ""), "@-sign", 2),
        (("--out", "config.toml"), "config.toml", 1),
        (("--out", "config.toml/x"), "config.toml", 1),
        (("--cadence", "hourly"), "daily, weekly, monthly", 2),
        (("--now", "nonsense"), "no time", 2),
    ],
)
def test_a_preview_that_cannot_be_made_is_one_sentence(ready, options, said, code):
    ended = ready.run(*PREVIEW, *options)

    assert ended.code == code
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_editions_list_and_show_have_a_count_for_each_state(ready, relay):
    ready.did(*SEND)
    ready.did("send", "--cadence", "weekly", "--now", "2026-11-30T08:00Z")

    newest, first = ready.json("editions", "list")

    assert (newest["period"], newest["state"], newest["planned"]) == ("2026-W49", "empty", 0)
    assert (first["cadence"], first["period"], first["state"]) == ("weekly", "2026-W48", "done")
    assert (first["planned"], first["accepted"], first["pending"], first["in_doubt_held"]) == (2, 2, 0, 0)
    shown = ready.json("editions", "show", str(first["id"]))
    assert {key: shown[key] for key in first} == first
    page = "https://site.example/editions/weekly/2026-W48/0"
    told = {"readers": 2, "subject": "About two", "articles": [2, 1], "more": 0, "url": page}
    assert shown["variants"] == [told]
    assert "2 readers: About two (2 articles)" in ready.did("editions", "show", "1").out
    assert "2026-W48" in ready.did("editions", "list").out


@pytest.mark.parametrize("number", ["7", "0", "99999999999999999999999", "x"])
def test_an_edition_that_is_not_there_is_named(site, number):
    ended = site.run("editions", "show", number)

    assert ended.code in (1, 2)
    assert "Traceback" not in ended.err


def test_empty_lists_say_what_to_do(site):
    for command in (("editions", "list"), ("articles", "list"), ("feeds", "list"), ("subscribers", "list")):
        assert "mailer " in site.did(*command).out
        assert site.json(*command) == []


def test_verify_is_content_with_unfinished_deliveries(ready, relay):
    ready.did(*SEND, "--limit", "1")

    ended = ready.did("verify")

    assert "Unfinished: 1 pending." in ended.out
    shown = ready.json("verify")
    assert shown["ok"] is True
    assert shown["unfinished"] == {"pending": 1}


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM deliveries WHERE id = 1",
        "UPDATE editions SET planned = 5",
        "UPDATE deliveries SET state = 'pending' WHERE id = 1",
        "UPDATE deliveries SET doubts = 3 WHERE id = 1",
        "UPDATE deliveries SET permit_at = NULL WHERE id = 1",
        "UPDATE subscribers SET given = 99 WHERE id = 1",
        "UPDATE subscribers SET given = 0 WHERE id = 1",
    ],
)
def test_verify_finds_what_breaks_a_promise(ready, relay, harm):
    ready.did(*SEND)
    ready.ask(harm)

    ended = ready.run("verify")

    assert ended.code == 1
    assert "BROKEN" in ended.out
    assert ended.err.startswith("mailer: ")
    shown = ready.json("verify", code=1)
    assert shown["ok"] is False
    assert [check for check in shown["checks"] if not check["holds"] and check["found"]]


def test_the_variants_of_an_edition_are_counted_with_their_readers_and_cost(site, relay):
    site.configure('[topics]\nheart = "Heart"\nlungs = "Lungs"')
    site.publish({"id": "h", "topics": ["heart"]}, {"id": "l", "topics": ["lungs"]}, "both")
    site.join("ann", "bob", topics="heart")
    site.join("cid", topics="lungs")
    site.join("dan")
    site.join("eve", topics="heart,lungs")  # the same articles as dan

    before = site.json("preview", "--cadence", "weekly", "--variants", "--now", MONDAY)
    assert sorted((one["readers"], one["articles"]) for one in before["variants"]) == [(1, 2), (2, 2), (2, 3)]
    assert before["readers"] == 5
    assert before["milliseconds"] > 0
    assert all(one["bytes"] > 1000 for one in before["variants"])
    assert "3 variants for 5 readers." in site.did("preview", "--cadence", "weekly", "--variants", "--now", MONDAY).out

    site.did("send", "--cadence", "weekly", "--now", MONDAY)
    after = site.json("preview", "--cadence", "weekly", "--variants", "--now", MONDAY)
    assert (before["frozen"], after["frozen"]) == (False, True)
    assert sorted((one["readers"], one["subject"]) for one in after["variants"]) == sorted(
        (one["readers"], one["subject"]) for one in before["variants"]
    )


def test_variants_of_nothing_are_none(site):
    assert site.json("preview", "--cadence", "weekly", "--variants", "--now", MONDAY)["variants"] == []
    assert "nothing new" in site.did("preview", "--cadence", "weekly", "--variants", "--now", MONDAY).out
    assert site.run("preview", "--cadence", "weekly", "--variants", "--as", "a@b.example").code == 2


@pytest.mark.parametrize(
    "name", ["confirm", "welcome", "already", "changed", "goodbye", "move", "moved", "copy", "erase"]
)
def test_the_other_mails_can_be_looked_at_in_any_language(site, name):
    for language, word in (("en", "Mia"), ("de", "Mia"), ("ar", "Mia")):
        made = site.json("preview", "--cadence", "weekly", "--mail", name, "--language", language)
        assert word in made["subject"]
        assert [file.rpartition(".")[2] for file in made["files"]] == ["eml", "html", "txt"]
        html = (site.folder / made["files"][1]).read_text(encoding="utf-8")
        assert f'lang="{language}"' in html
        assert ('dir="rtl"' in html) == (language == "ar")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--mail", "hello"),
            "There is no mail 'hello'; there are: digest, confirm, welcome, already, changed, goodbye, move, moved,",
        ),
        (("--mail", "welcome", "--language", "tlh"), "Mails are not written in 'tlh'"),
        (("--mail", "welcome", "--as", "ann@example.com"), "are about the digest"),
        (("--language", "de"), "a digest is in its readers' languages"),
    ],
)
def test_what_cannot_be_previewed_is_said(site, options, sentence):
    ended = site.run("preview", "--cadence", "weekly", *options)

    assert ended.code == 2
    assert sentence in ended.err


def test_a_digest_that_would_be_cut_is_shortened_and_says_so(site, relay):
    """A hundred articles with addresses so long that mail programs would hide the way to unsubscribe."""
    site.configure("[cadence.weekly]\nmax_articles = 100")
    long = "https://site.example/" + "a" * 900
    site.publish(*({"id": f"n{number}", "url": f"{long}/{number}"} for number in range(100)))
    site.join("ann")

    shown = site.json("preview", "--cadence", "weekly", "--now", MONDAY)
    assert "left to 'and more on the site'" in shown["warning"]
    assert shown["articles"] + shown["more"] == 100
    assert shown["more"] > 0

    sent = site.did("send", "--cadence", "weekly", "--now", MONDAY)
    assert "warning size" in sent.err
    message = relay.mail_to("ann@example.com")
    html, text = (message.get_body((kind,)).get_content() for kind in ("html", "plain"))
    assert len(html.encode()) <= 95_000
    assert html.count("About n") >= shown["articles"]
    assert f"{shown['articles']}. About" in text
    assert f"{shown['articles'] + 1}. About" not in text
    site.did("verify")
