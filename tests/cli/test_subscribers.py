"""`mailer subscribers add|set|import|list|show|remove|export`."""

import csv
import io
import stat

import pytest

from tests.cli.site import MONDAY, Site

AGREED = ("--confirmed", "--consent", "asked at the desk")


@pytest.fixture
def site(site) -> Site:
    site.configure('[topics]\noncology = "Oncology"\nlung-health = "Lung health"')
    return site


def add(site: Site, address: str, *options: str, cadence: str = "weekly") -> None:
    site.did("subscribers", "add", address, "--cadence", cadence, *AGREED, *options)


def test_a_reader_is_added_with_all_that_was_said(site):
    add(site, "Ada@Example.com", "--topic", "Lung health", "--topic", "oncology", "--timezone", "Europe/Berlin")

    shown = site.json("subscribers", "show", "ada@example.com")

    assert shown["email"] == "ada@example.com"
    assert shown["state"] == "active"
    assert shown["cadence"] == "weekly"
    assert shown["topics"] == ["lung-health", "oncology"]
    assert shown["timezone"] == "Europe/Berlin"
    assert [event["statement"] for event in shown["consent"]] == ["asked at the desk"]
    assert "asked at the desk" in site.did("subscribers", "show", "ada@example.com").out


@pytest.mark.parametrize("consent", [("--confirmed",), ("--confirmed", "--consent", " ")])
def test_nobody_counts_as_having_agreed_without_a_proof(site, consent):
    site.write("r.csv", "email,cadence\nada@example.com,weekly\n")

    for command in (("add", "ada@example.com", "--cadence", "weekly"), ("import", "r.csv")):
        ended = site.run("subscribers", *command, *consent)
        assert ended.code == 1
        assert len(ended.err.splitlines()) == 1
        assert "--confirmed" in ended.err
    assert site.json("subscribers", "list") == []


@pytest.mark.parametrize("consent", [(), ("--consent", "asked at the desk")])
def test_whoever_has_not_agreed_yet_is_asked_by_mail(site, relay, consent):
    site.write("r.csv", "email,cadence\nada@example.com,weekly\nbob@example.com,daily\n")

    said = site.did("subscribers", "add", "ada@example.com", "--cadence", "weekly", *consent).out
    assert said == "ada@example.com is asked to confirm: pending, weekly, topics: all.\n"
    imported = site.did("subscribers", "import", "r.csv", *consent).out
    assert imported.startswith("1 asked to confirm, 1 there already, 0 refused.\n")
    assert {one["state"] for one in site.json("subscribers", "list")} == {"pending"}
    assert len(relay.accepted) == 0

    site.did("send")
    site.did("send")
    assert sorted(one.recipient for one in relay.accepted) == ["ada@example.com", "bob@example.com"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("ada@example.com", "--cadence", "hourly"), "daily, weekly, monthly"),
        (("ada@example.com", "--cadence", "weekly", "--topic", "cars"), "oncology, lung-health"),
        (("ada@example.com", "--cadence", "weekly", "--timezone", "Mars/Base"), "Europe/Berlin"),
        (("ada", "--cadence", "weekly"), "@-sign"),
        (("", "--cadence", "weekly"), "@-sign"),
        (("ada@example.com\r\nBcc: bob@example.com", "--cadence", "weekly"), "invalid"),
        (("a" * 65 + "@example.com", "--cadence", "weekly"), "too long"),
        (("ada@example.com>", "--cadence", "weekly"), "invalid"),
        (("ada@localhost", "--cadence", "weekly"), "localhost"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_what_is_allowed(site, options, said):
    ended = site.run("subscribers", "add", *options, *AGREED)

    assert ended.code == 1
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
    assert site.json("subscribers", "list") == []


def test_a_reader_who_is_there_is_not_added_again(site):
    add(site, "ada@example.com")

    ended = site.run("subscribers", "add", "ADA@example.com", "--cadence", "daily", *AGREED)

    assert ended.code == 1
    assert "subscribers set" in ended.err
    assert site.json("subscribers", "show", "ada@example.com")["cadence"] == "weekly"


def test_a_reader_is_changed_in_each_respect(site):
    add(site, "ada@example.com", "--topic", "oncology")

    site.did("subscribers", "set", "ada@example.com", "--cadence", "daily", "--timezone", "Asia/Tokyo")
    changed = site.json("subscribers", "set", "ada@example.com", "--topic", "lung-health")
    assert (changed["cadence"], changed["timezone"], changed["topics"]) == ("daily", "Asia/Tokyo", ["lung-health"])
    assert site.json("subscribers", "set", "ada@example.com", "--topic", "all")["topics"] == []

    paused = site.json("subscribers", "set", "ada@example.com", "--pause-until", "2999-01-01")
    assert (paused["state"], paused["paused_until"]) == ("paused", "2998-12-31T15:00:00Z")
    assert site.json("subscribers", "set", "ada@example.com", "--resume")["state"] == "active"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--pause-until", "soon"),
        ("--pause-until", "2001-01-01"),
        ("--pause-until", "9999-12-31T23:59-10:00"),
        ("--cadence", "hourly"),
        ("--topic", "cars"),
        ("--timezone", "Mars"),
        ("--resume",),
    ],
)
def test_a_change_that_makes_no_sense_is_one_sentence(site, options):
    add(site, "ada@example.com")
    before = site.json("subscribers", "show", "ada@example.com")

    ended = site.run("subscribers", "set", "ada@example.com", *options)

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert site.json("subscribers", "show", "ada@example.com") == before


@pytest.mark.parametrize(
    "command",
    [("set", "no@example.com", "--cadence", "daily"), ("show", "no@example.com"), ("remove", "no@example.com")],
)
def test_a_reader_who_is_not_there_is_named(site, command):
    ended = site.run("subscribers", *command)

    assert ended.code == 1
    assert ended.err == "mailer: no@example.com is not among the subscribers.\n"


def test_a_paused_reader_gets_nothing_and_then_all_they_missed(site, relay):
    site.join("ada", "ben")
    site.publish("none")
    site.did("send", "--cadence", "weekly", "--now", MONDAY)
    site.did("subscribers", "set", "ada@example.com", "--pause-until", "2026-12-04")
    site.publish("one")
    site.did("send", "--cadence", "weekly", "--now", "2026-11-30T08:00Z")
    assert relay.copies == {"ada@example.com": 1, "ben@example.com": 2}
    site.publish("two")

    site.did("send", "--cadence", "weekly", "--now", "2026-12-07T08:00Z")

    assert relay.copies == {"ada@example.com": 2, "ben@example.com": 3}
    body = relay.mail_to("ada@example.com").as_string()
    assert "About one" in body
    assert "About two" in body
    assert "About none" not in body


CSV = "email{0}cadence{0}timezone{0}topics{0}name{0}language"
ROWS = [
    ("Ada@example.com  ", "weekly", "Europe/Paris", "oncology", "Ada", "en"),
    ("bob@example.com", "daily", "", '"Lung health, oncology"', "", ""),
]


def _readers(site: Site) -> dict[str, tuple[str, str, list[str]]]:
    return {one["email"]: (one["cadence"], one["timezone"], one["topics"]) for one in site.json("subscribers", "list")}


@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_file_of_any_make_goes_in(site, between, end, encoding):
    lines = [CSV.format(between), *(between.join(row) for row in ROWS)]
    site.write("r.csv", (end.join(lines) + end).encode(encoding))

    ended = site.did("subscribers", "import", "r.csv", *AGREED)

    assert ended.out == "2 added, 0 there already, 0 refused.\n"
    assert _readers(site) == {
        "ada@example.com": ("weekly", "Europe/Paris", ["oncology"]),
        "bob@example.com": ("daily", "", ["lung-health", "oncology"]),
    }


def test_columns_may_stand_in_any_order_and_spelling(site):
    site.write("r.csv", "NAME, Cadence ,EMAIL\nAda,Weekly,ada@example.com\n")

    site.did("subscribers", "import", "r.csv", *AGREED)

    assert site.json("subscribers", "show", "ada@example.com")["name"] == "Ada"


def test_refused_rows_are_listed_with_line_and_reason_and_the_rest_goes_in(site):
    rows = ["email;cadence;timezone;topics", "ada@example.com;weekly;;", "nonsense;weekly;;", "cy@example.com;hourly;;"]
    rows += [
        "di@example.com;daily;Mars;",
        "ed@example.com;daily;;cars",
        "",
        "ada@example.com;daily;;",
        "fi@example.com",
    ]
    site.write("r.csv", "\n".join(rows))

    ended = site.run("subscribers", "import", "r.csv", *AGREED)

    assert ended.code == 1
    assert ended.out == "1 added, 0 there already, 6 refused.\n"
    for line, reason in ((3, "@-sign"), (4, "hourly"), (5, "Mars"), (6, "cars"), (8, "line 2"), (9, "cadence")):
        assert [said for said in ended.err.splitlines() if f"line {line}:" in said and reason in said], line
    again = site.json("subscribers", "import", "r.csv", *AGREED, code=1)
    assert (again["added"], again["already"], again["refused"]) == (0, 2, 5)
    assert [one["line"] for one in again["refusals"]] == [3, 4, 5, 6, 9]


def test_more_refused_rows_than_fit_the_terminal_are_counted(site):
    site.write("r.csv", "email,cadence\n" + "nonsense,weekly\n" * 30)

    ended = site.run("subscribers", "import", "r.csv", *AGREED)

    assert "and 10 more" in ended.err
    assert len(site.json("subscribers", "import", "r.csv", *AGREED, code=1)["refusals"]) == 30


def test_rows_without_a_cadence_get_the_one_that_is_given(site):
    site.write("r.csv", "email\nada@example.com\n")

    assert site.run("subscribers", "import", "r.csv", *AGREED).code == 1
    site.did("subscribers", "import", "r.csv", *AGREED, "--cadence", "monthly")

    assert _readers(site)["ada@example.com"][0] == "monthly"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\x00\xff\x01\xfe" * 99, "text"),
        (b"ada@example.com,weekly\n", "column"),
        (b"email,cadence,shoe\nada@example.com,weekly,9\n", "shoe"),
        (b"email,email\nada@example.com,weekly\n", "twice"),
        (b"cadence\nweekly\n", "email"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_list_of_readers_is_one_sentence(site, content, said):
    if content is not None:
        site.write("r.csv", content)

    ended = site.run("subscribers", "import", "r.csv", *AGREED)

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert "r.csv" in ended.err
    assert said in ended.err


def test_nothing_revives_who_has_left_bounced_complained_or_is_suppressed(site):
    site.join("left", "bounced", "complained", "stays")
    site.did("subscribers", "remove", "left@example.com")
    for name in ("bounced", "complained"):
        site.ask("UPDATE subscribers SET state = ? WHERE email = ?", name, f"{name}@example.com")
    site.write(
        "r.csv", "email,cadence\n" + "".join(f"{n}@example.com,daily\n" for n in ("left", "bounced", "complained"))
    )

    ended = site.run("subscribers", "import", "r.csv", *AGREED)

    assert ended.out == "0 added, 0 there already, 3 refused.\n"
    for line, state in ((2, "unsubscribed"), (3, "bounced"), (4, "complained")):
        assert f"line {line}: " in ended.err
        assert state in ended.err
    for name in ("left", "bounced", "complained"):
        for command in (
            ("add", f"{name}@example.com", "--cadence", "daily", *AGREED),
            ("set", f"{name}@example.com", "--resume"),
        ):
            refused = site.run("subscribers", *command)
            assert refused.code == 1
            assert "nothing revives it" in refused.err
    states = {one["email"]: one["state"] for one in site.json("subscribers", "list")}
    assert set(states.values()) == {"unsubscribed", "bounced", "complained", "active"}


def test_whoever_is_removed_gets_nothing_any_more(site, relay):
    site.publish("one")
    site.join("ann", "bob")

    first, second = (site.did("subscribers", "remove", "ann@example.com").out for _ in range(2))
    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert first == "ann@example.com is unsubscribed.\n"
    assert "already" in second
    assert relay.copies == {"bob@example.com": 1}
    assert site.json("subscribers", "remove", "ann@example.com")["state"] == "unsubscribed"


def test_whoever_is_removed_between_planning_and_sending_gets_nothing(site, relay):
    site.publish("one")
    site.join("ann", "bob")
    site.did("send", "--cadence", "weekly", "--now", MONDAY, "--limit", "1")
    (left,) = {"ann@example.com", "bob@example.com"} - set(relay.copies)

    site.did("subscribers", "remove", left)
    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert left not in relay.copies
    assert site.json("editions", "show", "1")["skipped"] == 1


def test_list_can_be_narrowed(site):
    site.join("ann", "bob")
    site.join("dan", cadence="daily")
    site.did("subscribers", "remove", "bob@example.com")

    listed = {
        option: [one["email"].partition("@")[0] for one in site.json("subscribers", "list", *option)]
        for option in ((), ("--state", "active"), ("--cadence", "daily"), ("--limit", "1"), ("--cadence", "none"))
    }

    assert list(listed.values()) == [["ann", "bob", "dan"], ["ann", "dan"], ["dan"], ["ann"], []]
    assert "more than these 1" in site.did("subscribers", "list", "--limit", "1").err
    assert "No such readers" in site.did("subscribers", "list", "--cadence", "none").out
    assert "active" in site.run("subscribers", "list", "--state", "weird").err


def test_an_export_is_safe_in_spreadsheets_and_goes_back_in(site, tmp_path):
    names = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", 'Ada, "the" first', "Zoë"]
    rows = "".join(
        f'r{n}@example.com;weekly;oncology;"{name.replace(chr(34), chr(34) * 2)}"\n' for n, name in enumerate(names)
    )
    site.write("r.csv", "email;cadence;topics;name\n" + rows)
    site.did("subscribers", "import", "r.csv", *AGREED)

    site.did("subscribers", "export", "out.csv")

    out = site.folder / "out.csv"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    written = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert [row["email"] for row in written] == [f"r{n}@example.com" for n in range(len(names))]
    assert not [cell for row in written for cell in row.values() if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert site.did("subscribers", "export", "-").out.encode() == out.read_bytes()
    site.ask("DELETE FROM consent")
    site.ask("DELETE FROM subscribers")
    site.did("subscribers", "import", "out.csv", *AGREED)
    assert [one["name"] for one in site.json("subscribers", "list")] == names


def test_an_export_that_cannot_be_written_is_one_sentence(site):
    site.join("ann")

    for target in (".", "nowhere/out.csv", ""):
        ended = site.run("subscribers", "export", target)
        assert ended.code == 1
        assert len(ended.err.splitlines()) == 1
    assert site.run("subscribers", "export", "-", "--json").code == 1
    assert site.json("subscribers", "export", "out.csv") == {"file": "out.csv", "readers": 1}


def test_a_row_cannot_play_with_the_terminal(site):
    site.write("r.csv", "email,cadence\n\x1b[2Jnonsense,weekly\n")

    ended = site.run("subscribers", "import", "r.csv", *AGREED)

    assert "line 2" in ended.err
    assert "\x1b" not in ended.err


def test_a_reader_of_an_address_beyond_ascii_gets_their_digest(site, relay):
    add(site, "jörg@exämple.com")
    site.publish("one")

    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert sum(relay.copies.values()) == 1
    assert site.json("subscribers", "show", "jörg@exämple.com")["deliveries"][0]["state"] == "accepted"


def test_a_reader_gets_mails_in_the_language_that_was_set(site, relay):
    site.publish("one")
    site.did("subscribers", "add", "ann@example.com", "--cadence", "weekly", "--language", "de", *AGREED)
    site.join("bob")
    site.did("subscribers", "set", "bob@example.com", "--language", "es")
    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert relay.mail_to("ann@example.com")["Content-Language"] == "de"
    assert relay.mail_to("bob@example.com")["Content-Language"] == "es"
    site.did("subscribers", "set", "bob@example.com", "--language", "site")
    assert site.json("subscribers", "show", "bob@example.com")["language"] == ""
    ended = site.run("subscribers", "set", "bob@example.com", "--language", "!")
    assert ended.code != 0
    assert "--language" in ended.err


def test_a_language_that_no_mail_is_written_in_is_said(site):
    file = site.write(
        "readers.csv", "email,cadence,language\nann@example.com,weekly,fr\nbob@example.com,weekly,de-AT\n"
    )

    imported = site.did("subscribers", "import", file, *AGREED)
    added = site.did("subscribers", "add", "cid@example.com", "--cadence", "weekly", "--language", "pl", *AGREED)
    changed = site.did("subscribers", "set", "cid@example.com", "--language", "it")

    assert imported.err == "Mails are not written in 'fr': whoever asked for that gets them in 'en'.\n"
    assert "'pl'" in added.err
    assert "'it'" in changed.err
