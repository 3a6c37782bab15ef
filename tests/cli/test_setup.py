"""`mailer init`, `mailer config check` and `mailer upgrade`."""

import shlex
import stat
import tomllib

import pytest

from tests.cli.site import INIT, MONDAY, Relay, Site, mailer, rss


def test_init_writes_settings_that_only_their_owner_reads_and_a_database(tmp_path):
    ended = mailer(*INIT, folder=tmp_path)

    assert ended.code == 0
    assert stat.S_IMODE((tmp_path / "config.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "mailer.db").stat().st_mode) == 0o600
    assert mailer("config", "check", folder=tmp_path).code == 0
    assert mailer("subscribers", "list", folder=tmp_path).code == 0


def test_init_asks_on_a_terminal_for_what_was_not_given(tmp_path):
    typed = "Mia's Feed\nhttps://site.example\n12 Harbour Street, Dublin\nsmtp.site.example\n"

    ended = mailer("init", "--from-address", "digest@site.example", folder=tmp_path, answers=typed)

    assert ended.code == 0, ended.all
    written = tomllib.loads((tmp_path / "config.toml").read_text())
    assert written["site"]["name"] == "Mia's Feed"
    assert written["site"]["postal_address"] == "12 Harbour Street, Dublin"
    assert written["smtp"] | {"host": "smtp.site.example", "port": 587, "security": "starttls"} == written["smtp"]


def test_init_without_a_terminal_lists_all_that_is_missing_and_writes_nothing(tmp_path):
    ended = mailer("init", folder=tmp_path)

    assert ended.code == 2
    assert [key for key in ("name", "url", "from_address") if f"[site] {key} is missing" in ended.err]
    assert ended.err.count("is missing") == 3
    assert list(tmp_path.iterdir()) == []


def test_init_lists_every_wrong_answer_and_writes_nothing(tmp_path):
    wrong = ("--url=javascript:x", "--from-address=nobody", "--smtp-port=99999", "--timezone=Mars/Base")

    ended = mailer(*INIT, *wrong, folder=tmp_path)

    assert ended.code == 2
    for key in ("[site] url", "[site] from_address", "[site] timezone", "[smtp] port"):
        assert key in ended.err
    assert list(tmp_path.iterdir()) == []


def test_init_that_is_broken_off_writes_nothing(tmp_path):
    ended = mailer("init", folder=tmp_path, answers="Mia's Feed\n")

    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_init_leaves_settings_alone_that_are_there(site):
    before = (site.folder / "config.toml").read_bytes()

    ended = site.run(*INIT)

    assert ended.code == 1
    assert "is there already" in ended.err
    assert (site.folder / "config.toml").read_bytes() == before


def test_two_sites_have_different_keys(site, tmp_path):
    mailer(*INIT, folder=tmp_path)

    keys = [
        tomllib.loads((folder / "config.toml").read_text())["security"]["secret_keys"]
        for folder in (site.folder, tmp_path)
    ]

    assert len({*keys[0], *keys[1]}) == 2
    assert all(len(key) >= 32 for pair in keys for key in pair)


def test_init_by_force_keeps_the_old_keys_so_that_links_live_on(site):
    before = tomllib.loads((site.folder / "config.toml").read_text())["security"]["secret_keys"]

    site.did(*INIT, "--force")

    after = tomllib.loads((site.folder / "config.toml").read_text())["security"]["secret_keys"]
    assert after[:-1] == before
    assert after[-1] not in before


def test_init_by_force_refuses_settings_whose_keys_it_cannot_read(site):
    (site.folder / "config.toml").write_text("[site")

    ended = site.run(*INIT, "--force")

    assert ended.code == 1
    assert "keys" in ended.err
    assert (site.folder / "config.toml").read_text() == "[site"


def test_init_names_a_folder_that_is_missing(tmp_path):
    ended = mailer("--config", "sub/config.toml", *INIT, folder=tmp_path)

    assert ended.code == 1
    assert "sub does not exist" in ended.err


@pytest.mark.parametrize("config", ["config.toml", "other.toml"])
def test_the_next_commands_that_init_names_work_when_typed(tmp_path, config):
    named = ("--config", config) if config != "config.toml" else ()
    said = mailer(*named, *INIT, folder=tmp_path).out
    commands = [shlex.split(line)[1:] for line in said.splitlines() if line.startswith("  mailer ")]
    assert len(commands) == 3
    feed, *rest = commands
    # The site is not on the web here, so its feed comes from a file.
    (tmp_path / "feed.xml").write_bytes(rss(("one", "Fri, 20 Nov 2026 10:00:00 GMT")))
    assert feed[-1] == "https://site.example/feed.xml"

    for command in ([*feed[:-1], "feed.xml"], *rest):
        ended = mailer(*command, folder=tmp_path)
        assert ended.code == 0, ended.all


def test_config_check_is_content_with_what_init_wrote(site):
    assert site.did("config", "check").out == "config.toml: all right.\n"
    assert site.json("config", "check") == {"ok": True, "complaints": [], "warnings": []}


def test_config_check_lists_all_mistakes_at_once_with_what_is_allowed(site):
    site.configure(
        '[nope]\nx = 1\n[theme]\naccent = "blue"\n'
        '[cadence.weekly]\nwhen = "someday"\nmax_articles = 0\nmax_artikels = 5'
    )

    ended = site.run("config", "check", MAILER_SMTP__PORT="many", MAILER_SITE__NAM="x")

    assert ended.code == 2
    complaints = ended.err.splitlines()
    for place, allowed in (
        ("[nope]", "Allowed: bounce, cadence"),
        ("[cadence.weekly] when", "'daily 07:30'"),
        ("[cadence.weekly] max_articles", "from 1 to 100"),
        ("[cadence.weekly] max_artikels", "did you mean max_articles"),
        ("[theme] accent", "#RRGGBB"),
        ("MAILER_SMTP__PORT", "from 1 to 65535"),
        ("MAILER_SITE__NAM", "did you mean name"),
    ):
        assert [line for line in complaints if place in line and allowed in line], place
    assert site.json("config", "check", code=2)["ok"] is False


def test_a_value_from_the_environment_has_the_last_word(site):
    with Relay() as relay:
        site.use(relay.port)
        site.publish("one")
        site.join("ann")
        site.did("send", "--cadence", "weekly", "--now", MONDAY, MAILER_SITE__NAME="The Other Name")

        assert "The Other Name" in relay.mail_to("ann@example.com")["From"]


@pytest.mark.parametrize(
    "command", [("config", "check"), ("upgrade",), ("send",), ("subscribers", "list"), ("feeds", "list"), ("verify",)]
)
def test_a_settings_file_that_is_missing_is_an_error(tmp_path, command):
    for named in ((), ("--config", "nope.toml")):
        ended = mailer(*named, *command, folder=tmp_path)
        assert ended.code == 2
        assert "there is no such file" in ended.err
        assert "mailer init" in ended.err


def test_a_settings_file_that_is_a_folder_is_an_error(site):
    (site.folder / "folder.toml").mkdir()

    ended = site.run("--config", "folder.toml", "send")

    assert ended.code == 2
    assert ended.err == "mailer: folder.toml can't be read: Is a directory.\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "[site] name is missing"),
        (b"[site\n", "not TOML"),
        (b"[site]\nname = \xff\n", "line 2: not UTF-8"),
        (b"\x00\x01", "not TOML"),
    ],
)
def test_a_settings_file_that_is_broken_is_an_error_with_the_place(site, content, said):
    (site.folder / "config.toml").write_bytes(content)

    ended = site.run("send")

    assert ended.code == 2
    assert said in ended.err


def test_the_settings_file_may_be_named_by_the_environment(site, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    ended = mailer("subscribers", "list", folder=elsewhere, environ={"MAILER_CONFIG": str(site.folder / "config.toml")})

    assert ended.code == 0


def test_upgrade_makes_a_missing_database_and_does_nothing_the_second_time(site):
    site.database.unlink()
    missing = site.run("subscribers", "list")

    first, second = site.did("upgrade"), site.did("upgrade")

    assert missing.code == 1
    assert "mailer upgrade" in missing.err
    assert "Made the database" in first.out
    assert "already" in second.out
    assert site.json("upgrade")["version"]
    site.did("subscribers", "list")


def test_a_database_of_a_newer_program_is_refused_with_what_to_do(site):
    site.ask("UPDATE alembic_version SET version_num = '9999'")
    before = site.dump()

    for command in (("send",), ("subscribers", "list"), ("upgrade",), ("verify",)):
        ended = site.run(*command)
        assert ended.code == 1
        assert "newer mailer" in ended.err
    assert site.dump() == before


def test_a_database_of_an_older_program_is_refused_with_what_to_do(site):
    site.ask("UPDATE alembic_version SET version_num = '0000'")

    ended = site.run("send")

    assert ended.code == 1
    assert "Run `mailer upgrade`" in ended.err


def test_a_database_that_was_half_made_is_refused(site):
    site.ask("DROP TABLE deliveries")

    ended = site.run("send")

    assert ended.code == 1
    assert "deliveries" in ended.err


@pytest.mark.parametrize("content", [b"", b"not a database, by any means" * 100])
def test_a_database_that_is_none_is_refused(site, content):
    site.database.write_bytes(content)

    ended = site.run("subscribers", "list")

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1


def test_a_folder_where_the_database_should_be_is_refused(site):
    site.database.unlink()
    site.database.mkdir()

    for command in (("upgrade",), ("subscribers", "list"), ("send",)):
        ended = site.run(*command)
        assert ended.code == 1
        assert len(ended.err.splitlines()) == 1


def test_sending_without_a_postal_address_is_refused_and_looking_is_not(site, relay):
    text = (site.folder / "config.toml").read_text()
    (site.folder / "config.toml").write_text(text.replace("postal_address =", "#postal_address ="))
    site.publish("one")
    site.join("ann")

    ended = site.run("send", "--cadence", "weekly", "--now", MONDAY)

    assert ended.code == 1
    assert "postal_address" in ended.err
    assert relay.copies == {}
    assert site.ask("SELECT count(*) FROM deliveries") == [(0,)]
    assert "postal_address" in site.run("config", "check").err
    site.did("send", "--cadence", "weekly", "--now", MONDAY, "--dry-run")


def test_a_broken_template_stops_the_sending_with_file_and_line(site: Site, relay):
    site.configure('[theme]\ntemplates = "mine"')
    broken = site.folder / "mine" / "email" / "digest" / "body.html"
    broken.parent.mkdir(parents=True)
    broken.write_text("<p>\n{% if %}\n")
    site.publish("one")
    site.join("ann")

    ended = site.run("send", "--cadence", "weekly", "--now", MONDAY)

    assert ended.code == 1
    assert f"{broken}, line 2" in ended.err
    assert site.ask("SELECT count(*) FROM editions") == [(0,)]
