"""`mailer lint`: a gate with an exit code."""

import re
from pathlib import Path

import pytest

from mailer.core.lint import RULES
from tests.cli.site import MONDAY, Publisher, Site, mailer
from tests.mail.broken import BROKEN, html
from tests.mail.letters import HTML, TEXT, letter

WEEKLY = ("lint", "--cadence", "weekly", "--now", MONDAY)
PAGE = Path(__file__).parents[2] / "docs" / "lint.md"


def linking_to(web: Publisher) -> bytes:
    here = web.url("")
    return letter(html=HTML.replace("https://site.example", here), text=TEXT.replace("https://site.example", here))


def test_a_clean_file_needs_no_settings(tmp_path):
    (tmp_path / "a.eml").write_bytes(letter())

    ended = mailer("lint", "a.eml", folder=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [f"a.eml ({len(letter()):,} bytes)", "", "Nothing to mend."]


def test_errors_come_first_in_lines_of_eighty_columns_and_end_with_code_one(tmp_path):
    data = html("font-size:16px", "font-size:13px;color:#999999").replace(b"Auto-Submitted: auto-generated\r\n", b"")
    (tmp_path / "a.eml").write_bytes(data)

    ended = mailer("lint", "a.eml", folder=tmp_path)

    assert ended.code == 1
    assert max(map(len, ended.out.splitlines())) <= 80
    heads = [line for line in ended.out.splitlines() if re.match(r"Errors|Warnings|[a-z-]+ · ", line)]
    assert heads == [
        "Errors",
        "contrast · HTML line 22",
        "Warnings",
        "auto-submitted · header",
        "text-size · HTML line 22",
    ]
    assert ended.out.splitlines()[-1] == "1 error, 2 warnings. Each rule: docs/lint.md"


def test_warnings_pass_unless_they_are_not_to(tmp_path):
    (tmp_path / "a.eml").write_bytes(BROKEN["link-text", "warning"]["a link named here"])

    assert mailer("lint", "a.eml", folder=tmp_path).code == 0
    assert mailer("lint", "a.eml", "--strict", folder=tmp_path).code == 1
    shown = mailer("lint", "a.eml", "--json", folder=tmp_path).json
    assert (shown["errors"], shown["warnings"]) == (0, 1)
    (finding,) = shown["findings"]
    assert (finding["rule"], finding["level"], finding["where"]) == ("link-text", "warning", "HTML line 25")
    assert finding["mails"] == ["a.eml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name a file or --cadence"),
        (("a.eml", "--cadence", "weekly"), "Name a file or --cadence"),
        (("gone.eml",), "there is no such file"),
        (("folder",), "is not a file"),
        (("large.eml",), "more than 20 MB"),
        (("--cadence", "weekly"), "mailer init"),
    ],
)
def test_what_can_not_be_looked_at_is_one_sentence_and_code_two(tmp_path, words, said):
    (tmp_path / "a.eml").write_bytes(letter())
    (tmp_path / "folder").mkdir()
    with (tmp_path / "large.eml").open("wb") as file:
        file.truncate(20_000_001)

    ended = mailer("lint", *words, folder=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_file_of_anything_is_a_mail_with_errors(tmp_path):
    for name, data in (("empty", b""), ("png", b"\x89PNG\r\n\x1a\n\x00\x00"), ("text", b"Hello.\n")):
        (tmp_path / name).write_bytes(data)

        ended = mailer("lint", name, folder=tmp_path)

        assert ended.code == 1
        assert ended.out.replace("\n", "").isprintable()


def test_the_edition_that_is_due_is_looked_at_as_it_would_go_out(site: Site):
    site.publish("one", "two", "three")
    before = site.dump()

    shown = site.json(*WEEKLY)

    assert (shown["errors"], [mail["name"] for mail in shown["mails"]]) == (0, ["weekly 2026-W48: About three"])
    assert site.dump() == before


def test_every_variant_is_looked_at_and_a_finding_says_in_how_many_it_is(site: Site):
    site.configure('[topics]\nnews = "News"\nart = "Art"')
    site.publish({"id": "one", "topics": ["news"]}, {"id": "two", "topics": ["art"], "url": "http://site.example/two"})
    site.join("ann", topics="news")
    site.join("bob", topics="art")
    site.join("eve")

    shown = site.json(*WEEKLY)

    assert len(shown["mails"]) == 3
    (insecure,) = [finding for finding in shown["findings"] if finding["rule"] == "link-target"]
    assert len(insecure["mails"]) == 2
    assert "link-target · " in (text := site.did(*WEEKLY).out)
    assert "(in 2 of 3 mails)" in text
    assert "weekly 2026-W48, variant 1 (en, 1 reader): About" in text


def test_an_edition_that_is_made_is_looked_at_as_it_goes_out(site: Site, relay):
    site.publish("one")
    site.join("ann")
    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    (mail,) = site.json(*WEEKLY)["mails"]

    assert mail["name"] == "weekly 2026-W48: About one"


def test_an_error_in_what_is_due_is_found(site: Site):
    folder = site.folder / "theme/email/digest"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("Dear *|FNAME|*: {{ page.subject }}")
    site.configure('[theme]\ntemplates = "theme"')
    site.publish("one")

    ended = site.run(*WEEKLY)

    assert ended.code == 1
    assert "placeholder · header Subject" in ended.out


def test_nothing_due_is_nothing_to_mend(site: Site):
    assert "nothing new" in site.did(*WEEKLY).out
    shown = site.json(*WEEKLY)
    assert (shown["findings"], shown["errors"], shown["mails"]) == ([], 0, [])


def test_a_cadence_that_is_not_there_is_misuse(site: Site):
    assert site.run("lint", "--cadence", "hourly").code == 2


def test_online_asks_each_address_once_and_never_for_a_readers_own(site: Site):
    with Publisher() as web:
        web.pages |= {"/lungs": (200, b"x"), "/": (403, b"")}
        site.write("a.eml", linking_to(web))

        ended = site.run("lint", "a.eml", "--online", MAILER_FEEDS__ALLOW_PRIVATE="true")

        asked = sorted(path for path, _ in web.asked)
    assert ended.code == 1
    assert asked == ["/", "/gut", "/lungs", "/lungs.png"]
    assert "4 addresses were asked for; 1 not, as only their reader may." in ended.out
    assert "/gut answers 404: it is not there; mend the link." in " ".join(ended.out.split())
    assert "/lungs.png answers 404" in " ".join(ended.out.split())
    assert "answers 403; look whether" in " ".join(ended.out.split())


def test_online_does_not_go_into_private_networks(tmp_path):
    with Publisher() as web:
        (tmp_path / "a.eml").write_bytes(linking_to(web))

        ended = mailer("lint", "a.eml", "--online", folder=tmp_path)

        assert web.asked == []
    assert ended.code == 1
    assert "not a public address" in " ".join(ended.out.split())


def test_without_online_nothing_is_asked(site: Site):
    with Publisher() as web:
        site.write("a.eml", linking_to(web))
        site.run("lint", "a.eml", MAILER_FEEDS__ALLOW_PRIVATE="true")
        assert web.asked == []


def test_the_page_on_lint_has_every_rule_with_its_levels():
    rows = re.findall(
        r"^\| `([a-z-]+)` \| ([a-z, ]+) \| (.+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )

    assert {name: tuple(levels.split(", ")) for name, levels, *_ in rows} == dict(RULES)
    assert len(rows) == len(RULES)
