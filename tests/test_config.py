"""The settings: the example file, the environment, and every complaint at once."""

import os
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config import Settings, example, load, parse, why_not_send, write_config
from mailer.config.shape import keys_at, sections
from mailer.core.tokens import LONGEST_BOUNCE
from mailer.errors import ConfigError, InputError

ROOT = Path(__file__).parent.parent
SITE = """
[site]
name = "News"
url = "https://news.example.org"
from_address = "digest@news.example.org"
"""
KEY, NEWER_KEY = "k" * 32, "n" * 48


def settings(text: str = SITE, **environ: str) -> Settings:
    return parse(text, Path("/srv/mailer/config.toml"), environ)


def complaints(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        settings(text, **environ)
    assert refusal.value.exit_code == 2
    return list(refusal.value.complaints)


def only_complaint(text: str, **environ: str) -> str:
    (single,) = complaints(text, **environ)
    return single.removeprefix("/srv/mailer/config.toml: ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(SITE, encoding="utf-8")
    return tmp_path


# --- the example file


def test_the_example_file_is_the_one_the_program_writes():
    written = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    assert written == example(), "run: .venv/bin/python -m mailer.config > config.example.toml"


def test_the_example_loads_without_a_complaint_and_shows_the_defaults():
    shown, plain = settings(example()), settings()
    for name in sections().keys() - {"site", "cadence"}:
        assert getattr(shown, name) == getattr(plain, name), name
    assert shown.cadences() == plain.cadences()
    assert why_not_send(shown) == why_not_send(settings(SITE + 'postal_address = "1 Street"'))


def test_every_key_stands_in_the_example_under_a_comment():
    lines = example().splitlines()
    for section in sections().keys() - {"topics", "relay"}:
        table = ("cadence", "daily") if section == "cadence" else (section,)
        start = lines.index(f"[{'.'.join(table)}]")
        for key, field in keys_at(table).items():
            assert field.description, f"[{section}] {key} has no description, which is its comment"
            at = next(n for n in range(start, len(lines)) if lines[n].lstrip("#").startswith(f"{key} = "))
            assert lines[at - 1].startswith("# "), f"[{section}] {key} has no comment"
            assert not any(line.startswith("[") for line in lines[start + 1 : at]), f"[{section}] {key} is missing"


def test_the_example_fits_a_screen():
    assert max(map(len, example().splitlines())) <= 100


@pytest.mark.parametrize(("section", "keys"), [("bounce", ["address", "verp"])])
def test_a_key_whose_effect_comes_later_says_so(section, keys):
    later = [key for key, field in keys_at((section,)).items() if "later release" in (field.description or "")]
    assert later == keys


# --- what a short file means


def test_a_short_file_has_defaults_for_the_rest():
    got = settings()
    site = got.site_value()
    assert (site.name, site.from_name, site.from_address) == ("News", "News", "digest@news.example.org")
    assert (site.public_url, site.list_id) == ("https://news.example.org", "digest.news.example.org")
    assert (got.smtp.host, got.smtp.port, got.smtp.security) == ("localhost", 587, "starttls")
    assert (got.signing_keys(), got.relay_password("default")) == ((), "")
    assert [str(cadence.rule) for cadence in got.cadences().values()] == ["daily 07:00", "monday 07:00", "day 1 07:00"]


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        settings().site.name = "Other"


@pytest.mark.parametrize(
    ("url", "public_url", "links"),
    [
        ("https://news.example.org/blog/", "", "https://news.example.org"),
        ("HTTPS://News.Example.org:8443/a", "", "https://news.example.org:8443"),
        ("http://news.example.org:8080/a", "", "https://news.example.org"),
        ("http://127.0.0.1:8000/", "", "http://127.0.0.1:8000"),
        ("http://localhost", "", "http://localhost"),
        ("https://news.example.org", "https://mail.example.org/digest/", "https://mail.example.org/digest"),
        ("https://news.example.org", "http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_links_are_https_save_on_this_machine(url, public_url, links):
    text = f'[site]\nname = "N"\nurl = "{url}"\nfrom_address = "a@b.example.org"\n[web]\npublic_url = "{public_url}"'
    assert settings(text).site_value().public_url == links


def test_a_partly_written_cadence_keeps_its_other_defaults():
    got = settings(SITE + '[cadence.weekly]\nmax_articles = 5\n[cadence.Pair]\nwhen = "mon,thu 8:00"').cadences()
    assert list(got) == ["daily", "weekly", "monthly", "Pair"]
    assert (str(got["weekly"].rule), got["weekly"].max_articles) == ("monday 07:00", 5)
    assert got["weekly"].max_late == timedelta(days=3)
    assert (str(got["Pair"].rule), got["Pair"].name) == ("mon,thu 08:00", "Pair")


def test_a_cadence_may_have_a_subject_of_its_own_and_a_wrong_one_is_one_clear_complaint():
    good = '[cadence.weekly]\nsubject = "{{ lead.title }} and {{ rest }} more"'
    assert settings(SITE + good).cadences()["weekly"].subject == "{{ lead.title }} and {{ rest }} more"
    assert settings(SITE).cadences()["weekly"].subject == ""
    with pytest.raises(ConfigError) as refused:
        settings(SITE + '[cadence.weekly]\nsubject = "{{ leed.title }}"')
    (complaint,) = refused.value.complaints
    assert complaint.endswith(
        "config.toml: [cadence.weekly] subject: knows nothing called 'leed.title'; "
        "there are: lead.title, rest, total, site, cadence, label, period."
    )


def test_cadences_go_by_the_sites_time_zone():
    got = settings(SITE + 'timezone = "Asia/Tokyo"\n[cadence.daily]\ntimezone = "Europe/Berlin"').cadences()
    assert {name: cadence.zone.key for name, cadence in got.items()} == {
        "daily": "Europe/Berlin",
        "weekly": "Asia/Tokyo",
        "monthly": "Asia/Tokyo",
    }


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("", "sqlite:////srv/mailer/mailer.db"),
        ('[store]\nurl = "sqlite:///data/m.db"', "sqlite:////srv/mailer/data/m.db"),
        ('[store]\nurl = "sqlite:////var/m.db"', "sqlite:////var/m.db"),
        ('[store]\nurl = "postgresql://u:p@h/mailer"', "postgresql://u:p@h/mailer"),
    ],
)
def test_a_relative_database_lies_beside_the_file(written, url):
    assert settings(SITE + written).store.url == url


def test_relative_paths_count_from_the_files_folder_wherever_they_were_given(folder, monkeypatch):
    monkeypatch.chdir("/")
    secret = folder / "relay-password"
    secret.write_text("sesame\n", encoding="utf-8")
    secret.chmod(0o600)
    got = load(
        folder / "config.toml", {"MAILER_SMTP__PASSWORD_FILE": "relay-password", "MAILER_THEME__TEMPLATES": "mine"}
    )
    assert got.relay_password("default") == "sesame"
    assert got.theme.templates == folder / "mine"


# --- where the file is


def test_the_file_is_the_option_else_the_variable_else_config_toml(folder, monkeypatch):
    other = folder / "other.toml"
    other.write_text(SITE.replace("News", "Other"), encoding="utf-8")
    monkeypatch.chdir(folder)
    assert load(None, {}).site.name == "News"
    assert load(None, {"MAILER_CONFIG": "other.toml"}).site.name == "Other"
    assert load(folder / "config.toml", {"MAILER_CONFIG": "other.toml"}).site.name == "News"


def test_a_missing_file_is_named_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file\. `mailer init` makes one"):
        load(tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[site\n", "line 1, column 6"),
        (b'[site]\nname = "a\n', "line 2, column 10"),
        (b"[site]\nname =", "line 2, column 7"),
        (b"[site]\nname = '", "line 2, column 9"),
        (b"[site]\n[site]\n", "line 2, column 6"),
        (b'[site]\nname = "\xff"\n', "line 2: not UTF-8"),
        (b"a = " + b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_file_that_is_not_toml_is_refused_with_line_and_column(tmp_path, content, said):
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        load(file, {})
    (single,) = refusal.value.complaints
    assert single.startswith(str(file))
    assert said in single


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path, {})


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path):
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SITE.replace("\n", "\r\n").encode())
    assert load(file, {}).site.name == "News"


def test_a_return_address_leaves_room_for_its_token():
    longest = f"{'b' * 23}@{'.'.join(['d' * 60] * 3)}.{'e' * 2}.org"
    got = settings(SITE + f'[bounce]\naddress = "{longest}"\nverp = true').bounce
    assert len(got.address.partition("@")[0]) == 64 - len("+") - LONGEST_BOUNCE
    assert len(got.address) == 213
    # Without tokens it may be as long as any other.
    assert settings(SITE + f'[bounce]\naddress = "{"b" * 64}@example.org"').bounce.verp is False


# --- the environment


def test_the_environment_has_the_last_word():
    got = settings(
        SITE + '[smtp]\nport = 25\nhost = "relay"\n[cadence.Pair]\nwhen = "mon,thu 08:00"',
        MAILER_SMTP__PORT="2525",
        MAILER_CADENCE__WEEKLY__WHEN="friday 09:00",
        MAILER_CADENCE__PAIR__MAX_ARTICLES="3",
        MAILER_CADENCE__TWICE_A_WEEK__WHEN="tue,sat 09:00",
        MAILER_TOPICS__LUNG_HEALTH="Lung health",
        MAILER_DELIVERY__LEASE="90",
        MAILER_BOUNCE__VERP="false",
        MAILER_WEB__TRUSTED_PROXIES="10.0.0.1, fd00::/8",
        MAILER_WEB__EMBED_ORIGINS='["https://a.example.org"]',
        mailer_site__name="Lower",
        MAILER_CONFIG="/not/a/setting.toml",
        MAILER_DSN="smtp://another.program's.variable",
    )
    assert (got.smtp.host, got.smtp.port, got.site.name) == ("relay", 2525, "Lower")
    assert str(got.cadences()["weekly"].rule) == "friday 09:00"
    assert got.cadences()["Pair"].max_articles == 3
    assert str(got.cadences()["twice-a-week"].rule) == "tue,sat 09:00"
    assert got.topics == {"lung-health": "Lung health"}
    assert got.delivery.lease == timedelta(seconds=90)
    assert got.web.trusted_proxies == ("10.0.0.1/32", "fd00::/8")
    assert got.web.embed_origins == ("https://a.example.org",)


def test_only_the_environment_that_is_handed_over_counts(monkeypatch):
    monkeypatch.setenv("MAILER_SMTP__HOST", "from-the-process")
    assert settings().smtp.host == "localhost"


def test_every_value_of_the_example_can_come_from_the_environment():
    values = tomllib.loads(example())
    variables = {}
    for section, table in values.items():
        for key, value in table.items():
            inner = value if isinstance(value, dict) else {"": value}
            for name, each in inner.items():
                path = [section, key, *([name] if name else [])]
                shown = ",".join(each) if isinstance(each, list) else str(each).lower() if each is False else str(each)
                variables["MAILER_" + "__".join(path).upper().replace("-", "_")] = shown
    assert settings("", **variables) == settings(example())


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("MAILER_SMTP__PORT", "x", 'MAILER_SMTP__PORT = "x" must be a whole number from 1 to 65535.'),
        ("MAILER_SMTP__PASWORD", "hush", "MAILER_SMTP__PASWORD is not a setting; did you mean password? Allowed: conn"),
        ("MAILER_SMPT__HOST", "x", "MAILER_SMPT__HOST is not a setting: there is no section smpt; did you mean smtp?"),
        ("MAILER_SMTP_HOST", "x", "MAILER_SMTP_HOST is not a setting; did you mean MAILER_SMTP__HOST, with two under"),
        ("MAILER_SMTP", "x", "MAILER_SMTP must be a section with keys of its own, not a single value."),
        ("MAILER_SMTP__HOST__NAME", "x", "MAILER_SMTP__HOST__NAME must be text."),
        ("MAILER_SMTP__PASSWORD_FILE", "/no/such", "MAILER_SMTP__PASSWORD_FILE '/no/such' can't be read: No such file"),
        ("MAILER_CADENCE__WEEKLY", "x", "MAILER_CADENCE__WEEKLY must be a section with keys of its own, not a single"),
        ("MAILER_CADENCE__WEEKLY__WHN", "x", "MAILER_CADENCE__WEEKLY__WHN is not a setting; did you mean when?"),
        ("MAILER_CADENCE__WEEKLY__WHEN", "x", "MAILER_CADENCE__WEEKLY__WHEN: 'x' is not a rule for when; allowed: 'd"),
        ("MAILER_WEB__EMBED_ORIGINS", "[x", 'MAILER_WEB__EMBED_ORIGINS = "[x" must be a list like'),
        ("MAILER_SECURITY__SECRET_KEYS", "hush", "MAILER_SECURITY__SECRET_KEYS must be keys of at least 32 characters"),
    ],
)
def test_a_wrong_variable_is_named_as_the_variable(variable, value, complaint):
    single = only_complaint(SITE, **{variable: value})
    assert single.startswith(complaint)
    assert "hush" not in single


def test_what_kubernetes_sets_by_itself_is_no_misspelt_setting():
    assert settings(SITE, MAILER_WEB_PORT="tcp://10.0.0.1:80", MAILER_WEB_PORT_80_TCP_ADDR="10.0.0.1").web.port == 8000


# --- complaints


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    told = complaints(
        """
        [smtp]
        port = "many"
        pasword = "hush"
        security = "ssl"
        [site]
        url = "news"
        naem = "News"
        [smpt]
        host = "x"
        [cadence.fortnightly]
        max_articles = 0
        [cadence.weekly]
        wen = "monday 08:00"
        [security]
        secret_keys = ["hush"]
        """,
        MAILER_WEB__PORT="-1",
    )
    assert [told.removeprefix("/srv/mailer/config.toml: ").split(";")[0] for told in told] == [
        "[smpt] is not a section",
        '[smtp] port = "many" must be a whole number from 1 to 65535.',
        "[smtp] pasword is not a setting",
        '[smtp] security = "ssl" must be "starttls", "tls" or "none".',
        (
            "[site] url = \"news\" must be a web address like 'https://news.example.org': http or https, plain ASCII, "
            "without a user, a query or a fragment."
        ),
        "[site] naem is not a setting",
        "[site] name is missing: the site's name, as readers know it.",
        "[site] from_address is missing: the address that mails come from.",
        "[cadence.fortnightly] max_articles = 0 must be a whole number from 1 to 100.",
        "[cadence.fortnightly] when is missing: when it comes due, by its local clock.",
        "[cadence.weekly] wen is not a setting",
        "[security] secret_keys must be keys of at least 32 characters each",
        'MAILER_WEB__PORT = "-1" must be a whole number from 0 to 65535.',
    ]
    assert not any("hush" in each for each in told)


def test_an_empty_file_is_told_what_is_required():
    assert [told.split(": ")[1].split(" is missing")[0] for told in complaints("")] == [
        "[site] name",
        "[site] url",
        "[site] from_address",
    ]


@pytest.mark.parametrize(
    ("table", "line", "complaint"),
    [
        ("site", 'tagline = "a\\nb"', 'tagline = "a\\nb" must be one line of text'),
        ("site", 'postal_address = "a\\u0000b"', "postal_address = "),
        ("site", 'from_name = "\\u2028"', "must be one line of text"),
        ("site", 'timezone = "Europe/Berln"', "timezone: 'Europe/Berln' is not a time zone; did you mean 'Europe/Berl"),
        ("site", 'language = "english!"', "must be a language tag like 'en'"),
        ("site", 'reply_to = "nobody"', "reply_to = \"nobody\" must be an address like 'news@example.org': "),
        ("site", 'reply_to = "a@b.org>, <c@d.org"', "must be an address"),
        ("site", f'reply_to = "{"a" * 65}@example.org"', "must be an address"),
        ("site", 'list_id = "<a b>"', "must be words joined by dots"),
        ("store", 'url = "mysql://u:hush@h/x"', "[store] url must be like 'sqlite:///mailer.db' or 'postgresql://user"),
        ("store", 'url = "sqlite://"', "url must be like"),
        ("store", 'url = "sqlite:///:memory:"', "url must be like"),
        ("store", "url = 5", "[store] url must be text."),
        ("smtp", "port = 0", "port = 0 must be a whole number from 1 to 65535."),
        ("smtp", "password = 5", "[smtp] password must be text."),
        ("smtp", 'username = "u"\nhost = "relay"\nsecurity = "none"', "would send the password in clear"),
        ("smtp", 'password_file = "/no/such/file"', "password_file '/no/such/file' can't be read: No such file"),
        ("delivery", 'in_doubt = "drop"', 'in_doubt = "drop" must be "retry" or "hold".'),
        ("delivery", 'lease = "long"', "lease: 'long' is not a length of time; allowed: '90s'"),
        ("delivery", "lease = 1979-05-27", "is not a length of time"),
        ("selection", "related = 21", "related = 21 must be a whole number from 0 to 20."),
        ("feeds", 'allow_private = "perhaps"', 'allow_private = "perhaps" must be true or false.'),
        ("topics", 'Lung = "Lung"', "[topics] Lung must be an id of lower-case letters, digits and dashes"),
        ("topics", 'lung = ""', "[topics] lung"),
        (
            "topics",
            'a = "Strasse"\nb = "STRAßE"',
            "[topics] has a and b, and one label could mean either, because",
        ),
        ("topics", 'heart = "Lungs"\nlungs = "Heart"', "[topics] has heart and lungs, and one label"),
        ("topics", "lung = 5", "[topics] lung must be a valid string."),
        ("theme", 'accent = "red"', 'accent = "red" is not as it must be: colour of links, as #RRGGBB.'),
        ("web", 'public_url = "http://example.org"', "must be https; http is allowed for this machine only"),
        ("web", 'public_url = "https://u:p@example.org"', "must be a web address"),
        ("web", 'public_url = "https://example.org:99999"', "must be a web address"),
        ("web", 'public_url = "https://exa\\nmple.org"', "must be a web address"),
        ("web", 'embed_origins = ["https://example.org/page"]', "must be scheme and host only"),
        ("web", 'trusted_proxies = ["proxy"]', 'trusted_proxies = "proxy" must hold addresses or networks'),
        ("web", "trusted_proxies = 5", "trusted_proxies = 5 must be a list of texts in quotes."),
        ("bounce", "verp = true", "[bounce] verp = true needs an address."),
        (
            "bounce",
            f'address = "{"b" * 24}@example.org"\nverp = true',
            "[bounce] verp = true needs an address with at most 23 characters before the @, so that a token fits",
        ),
        (
            "bounce",
            f'address = "b@{".".join(["d" * 60] * 3)}.{"e" * 25}.org"\nverp = true',
            "[bounce] verp = true needs an address of at most 213 characters.",
        ),
        ("security", 'secret_keys = ["hush"]', "secret_keys must be keys of at least 32 characters each"),
        ("security", "secret_keys = [5]", "secret_keys must be a list of texts in quotes."),
        ("security", 'secret_keys_file = "/no/such"', "'/no/such' can't be read"),
        ("cadence.weekly", 'when = "weekly"', "[cadence.weekly] when: 'weekly' is not a rule for when; allowed: 'da"),
        ("cadence.weekly", 'catch_up = "all"', 'catch_up = "all" must be "latest", "each" or "skip".'),
        ("cadence.weekly", 'timezone = "X"', "[cadence.weekly] timezone: 'X' is not a time zone"),
        ('cadence."every week"', 'when = "monday 08:00"', "[cadence.every week] must have a name of letters, digits"),
        (f"cadence.{'x' * 33}", 'when = "monday 08:00"', "must have a name of letters, digits and dashes, at most 32"),
        ("cadence", "weekly = 5", "[cadence.weekly] must be a section with keys of its own, not a single value."),
        ("site2", "", "[site2] is not a section; did you mean site? Allowed: bounce, cadence"),
        ('"a\\nb"', "", '["a\\nb"] is not a section'),
    ],
)
def test_each_mistake_has_its_sentence(table, line, complaint):
    text = f"{SITE}{line}" if table == "site" else f"{SITE}[{table}]\n{line}"
    single = only_complaint(text)
    assert complaint in single
    assert "hush" not in single
    assert "\n" not in single
    assert single.endswith((".", "?"))
    assert not single.endswith("..")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            'from_address = "a@b.org"',
            "from_address stands before the first section; did you mean from_address under [s",
        ),
        ("nonsense = 5", "nonsense stands before the first section; every key belongs to a section."),
        ('_env_file = "x"', "_env_file stands before the first section"),
        ('smtp = "hush"', "[smtp] must be a section with keys of its own, not a single value."),
    ],
)
def test_a_key_outside_any_section_is_told_where_it_belongs(line, complaint):
    assert only_complaint(line + SITE).startswith(complaint)


@pytest.mark.parametrize("missing", ["name", "url", "from_address"])
def test_what_is_required_is_asked_for(missing):
    text = "\n".join(line for line in SITE.splitlines() if not line.startswith(missing))
    assert only_complaint(text).startswith(f"[site] {missing} is missing: ")


# --- secrets


def test_secrets_show_in_no_repr_and_no_dump():
    got = settings(
        SITE + f'[security]\nsecret_keys = ["hush-{KEY}"]\n[store]\nurl = "postgresql://u:hush@h/x"',
        MAILER_SMTP__PASSWORD="hush",
    )
    assert "hush" not in repr(got)
    assert "hush" not in str(got)
    assert "hush" not in repr(got.model_dump(exclude={"store"}))
    assert (got.relay_password("default"), got.signing_keys()) == ("hush", (f"hush-{KEY}",))


def test_a_list_holds_many_keys_and_the_last_one_signs():
    got = settings(SITE + f'[security]\nsecret_keys = ["{KEY}", "{NEWER_KEY}"]')
    assert got.signing_keys() == (KEY, NEWER_KEY)
    assert settings(MAILER_SECURITY__SECRET_KEYS=f"{KEY},{NEWER_KEY}").signing_keys() == (KEY, NEWER_KEY)


def test_a_key_file_has_one_key_a_line(folder):
    file = folder / "keys"
    file.write_text(f"# made in 2026\n{KEY}\r\n\n  {NEWER_KEY}  \n", encoding="utf-8")
    file.chmod(0o600)
    got = load(folder / "config.toml", {"MAILER_SECURITY__SECRET_KEYS_FILE": "keys"})
    assert got.signing_keys() == (KEY, NEWER_KEY)


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        (f"{KEY}\n", 0o644, "can be read by everybody on this machine; run: chmod 600"),
        (f"{KEY}\n#\nhush\n", 0o600, "line 3: each key must have at least 32 characters"),
        ("# none\n", 0o600, "holds no key; write one a line"),
        ("", 0o600, "must be a small file of UTF-8 text with the secret in it"),
        ("k" * 70_000, 0o600, "must be a small file"),
    ],
)
def test_a_wrong_key_file_is_refused(folder, content, mode, complaint):
    file = folder / "keys"
    file.write_text(content, encoding="utf-8")
    file.chmod(mode)
    with pytest.raises(ConfigError) as refusal:
        load(folder / "config.toml", {"MAILER_SECURITY__SECRET_KEYS_FILE": "keys"})
    (single,) = refusal.value.complaints
    assert single.startswith("MAILER_SECURITY__SECRET_KEYS_FILE")
    assert complaint in single
    assert "hush" not in single


def test_keys_in_two_places_are_refused(folder):
    file = folder / "keys"
    file.write_text(KEY, encoding="utf-8")
    file.chmod(0o600)
    text = SITE + f'[security]\nsecret_keys = ["{KEY}"]\nsecret_keys_file = "{file}"'
    assert "has both secret_keys and secret_keys_file" in only_complaint(text)


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        ("sesame", 0o644, "can be read by everybody on this machine; run: chmod 600"),
        ("sesame\nopen\n", 0o600, "must hold the password alone, on one line"),
        ("\n", 0o600, "must be a small file of UTF-8 text with the secret in it"),
    ],
)
def test_a_wrong_password_file_is_refused_together_with_all_else(folder, content, mode, complaint):
    file = folder / "password"
    file.write_text(content, encoding="utf-8")
    file.chmod(mode)
    told = complaints(SITE + f'[smtp]\nport = 0\npassword_file = "{file}"')
    assert len(told) == 2
    assert any(complaint in each for each in told)
    assert not any("sesame" in each for each in told)


def test_a_secret_file_that_went_away_later_is_a_complaint_too(folder):
    file = folder / "secret"
    file.write_text(KEY, encoding="utf-8")
    file.chmod(0o600)
    got = settings(SITE + f'[smtp]\npassword_file = "{file}"\n[security]\nsecret_keys_file = "{file}"')
    assert (got.relay_password("default"), got.signing_keys()) == (KEY, (KEY,))
    file.unlink()
    for read in (lambda: got.relay_password("default"), got.signing_keys):
        with pytest.raises(ConfigError, match="can't be read"):
            read()


def test_a_password_that_is_given_makes_the_file_needless():
    got = settings(SITE + '[smtp]\npassword_file = "/no/such/file"', MAILER_SMTP__PASSWORD="sesame")
    assert got.relay_password("default") == "sesame"


# --- what keeps mail from leaving


# --- relays

TWO = """
[relay.main]
host = "a.example.net"
weight = 3
[relay.spare]
host = "b.example.net"
failover = true
"""


def test_smtp_is_the_only_relay_and_its_name_is_default():
    assert list(settings().relays().items()) == [("default", settings().smtp)]
    assert list(settings(SITE + '[smtp]\nhost = "relay"').relays()) == ["default"]
    assert list(settings(SITE + "[relay]").relays()) == ["default"]


def test_relays_stand_in_the_order_of_the_file_and_smtp_before_them_where_it_is_written():
    assert list(settings(SITE + TWO).relays()) == ["main", "spare"]
    assert list(settings(SITE + "[smtp]" + TWO).relays()) == ["main", "spare"]
    assert list(settings(SITE + TWO + "[smtp]\nport = 25").relays()) == ["default", "main", "spare"]
    assert list(settings(SITE + TWO, MAILER_SMTP__PORT="25").relays()) == ["default", "main", "spare"]
    assert list(settings(SITE + '[relay.default]\nhost = "relay"').relays()) == ["default"]


def test_a_relay_has_the_keys_of_smtp_and_their_defaults():
    main, spare = settings(SITE + TWO).relays().values()
    assert (main.host, main.port, main.weight, main.failover) == ("a.example.net", 587, 3, False)
    assert (spare.weight, spare.failover, spare.connections, spare.messages_per_connection) == (1, True, 10, 100)
    assert (spare.rate_per_second, spare.rate_per_hour, spare.rate_per_day, spare.from_domains) == (0, 0, 0, ())


def test_a_relay_can_come_from_the_environment():
    got = settings(
        SITE + '[relay.my-relay]\nhost = "a"',
        MAILER_RELAY__MY_RELAY__HOST="b",
        MAILER_RELAY__MY_RELAY__FROM_DOMAINS="news.example.org, example.org",
        MAILER_RELAY__OTHER__RATE_PER_SECOND="0.5",
    ).relays()
    assert (got["my-relay"].host, got["my-relay"].from_domains) == ("b", ("news.example.org", "example.org"))
    assert got["other"].rate_per_second == 0.5


def test_from_domains_are_compared_as_the_address_is_kept():
    got = settings(SITE + '[relay.a]\nfrom_domains = ["News.Example.ORG.", "Bücher.example"]').relays()["a"]
    assert got.from_domains == ("news.example.org", "xn--bcher-kva.example")
    assert got.may_take("digest@news.example.org")
    assert got.may_take("x@NEWS.example.org")
    assert not got.may_take("x@www.news.example.org")
    assert not got.may_take("x@example.org")


def test_each_relay_has_its_own_password(folder):
    (folder / "secret").write_text("sesame\n", encoding="utf-8")
    (folder / "secret").chmod(0o600)
    text = SITE + '[relay.a]\npassword = "hush"\n[relay.b]\npassword_file = "secret"\n[relay.c]'
    got = parse(text, folder / "config.toml", {})
    assert [got.relay_password(name) for name in got.relays()] == ["hush", "sesame", ""]
    assert "hush" not in repr(got)
    (folder / "secret").unlink()
    with pytest.raises(ConfigError, match=r"\[relay\.b\] password_file '.*secret' can't be read: No such file"):
        got.relay_password("b")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[smtp]\nport = 25\n[relay.default]\nhost = "x"', "[relay.default] is the name of [smtp], which is written, "),
        ("[relay.Main]\nport = 25", "[relay.Main] must have a name of lower-case letters, digits and dashes, at most"),
        (f"[relay.{'x' * 33}]\nport = 25", "must have a name of lower-case letters, digits and dashes, at most 32"),
        ("[relay]\nmain = 5", "[relay.main] must be a section with keys of its own, not a single value."),
        ("[relay.a]\nhots = 5", "[relay.a] hots is not a setting; did you mean host?"),
        ("[relay.a]\nport = 0", "[relay.a] port = 0 must be a whole number from 1 to 65535."),
        ("[relay.a]\nweight = 1001", "[relay.a] weight = 1001 must be a whole number from 0 to 1000."),
        ("[smtp]\nweight = -1", "[smtp] weight = -1 must be a whole number from 0 to 1000."),
        (
            "[relay.a]\nmessages_per_connection = 0",
            "_connection = 0 must be a whole number from 1 to 10000.",
        ),
        ("[relay.a]\nrate_per_second = -1", "[relay.a] rate_per_second = -1 must be a number, 0 or more."),
        ("[relay.a]\nrate_per_second = inf", "[relay.a] rate_per_second = Infinity must be a number, 0 or more."),
        ("[relay.a]\nrate_per_hour = 0.5", "[relay.a] rate_per_hour = 0.5 must be a whole number, 0 or more."),
        ("[relay.a]\nrate_per_day = -5", "[relay.a] rate_per_day = -5 must be a whole number, 0 or more."),
        ('[relay.a]\nfailover = "maybe"', '[relay.a] failover = "maybe" must be true or false.'),
        ('[relay.a]\nfrom_domains = "a b"', "from_domains = \"a b\" must hold domains like 'news.example.org'."),
        ('[relay.a]\nfrom_domains = ["ann@example.org"]', "from_domains must hold domains like 'news.example.org'."),
        ("[relay.a]\nfrom_domains = [5]", "[relay.a] from_domains = 5 must be a list of texts in quotes."),
        (
            '[relay.a]\nusername = "u"\nhost = "relay"\nsecurity = "none"',
            '[relay.a] security = "none" would send the password in clear; use "starttls" or "tls".',
        ),
        ('[relay.a]\npassword_file = "/no/such"', "[relay.a] password_file '/no/such' can't be read: No such file"),
        ("[relay.a]\npassword = 5", "[relay.a] password must be text."),
        (
            '[smtp]\nfrom_domains = ["example.org"]',
            "[smtp] from_domains: no relay may take mail from digest@news.example.org; write its domain there, or ",
        ),
        (
            '[relay.a]\nfrom_domains = ["example.org"]',
            "[relay.a] from_domains: no relay may take mail from digest@news.example.org; write its domain there, ",
        ),
        (
            '[smtp]\nfrom_domains = ["a.example"]\n[relay.a]\nfrom_domains = ["example.org"]',
            "[relay] no relay may take mail from digest@news.example.org; write its domain into from_domains of one.",
        ),
        (
            "[smtp]\nfailover = true",
            "[smtp] no relay takes mail from digest@news.example.org while all is well: each has failover = true or w",
        ),
        ("[relay.a]\nweight = 0", "[relay.a] no relay takes mail from digest@news.example.org while all is well: "),
        ("[relay.a]\nweight = 0\n[relay.b]\nfailover = true", "[relay] no relay takes mail from digest@news.example"),
        (
            '[relay.a]\nfrom_domains = ["a.example"]\n[relay.b]\nfailover = true',
            "[relay] no relay takes mail from digest@news.example.org while all is well",
        ),
        ("[pacing]\nmx = 5", "[pacing] mx = 5 must be true or false."),
    ],
    ids=str,
)
def test_each_mistake_about_relays_has_its_sentence(text, complaint):
    assert complaint in only_complaint(SITE + text)


def test_a_wrong_variable_of_a_relay_is_named_as_the_variable():
    said = only_complaint(SITE, MAILER_RELAY__MY_RELAY__PORT="many")
    assert said == 'MAILER_RELAY__MY_RELAY__PORT = "many" must be a whole number from 1 to 65535.'
    said = only_complaint(SITE, MAILER_RELAY__A__PASSWORD_FILE="/no/such")
    assert said == "MAILER_RELAY__A__PASSWORD_FILE '/no/such' can't be read: No such file or directory."


def test_the_sample_of_a_relay_in_the_example_is_right():
    lines = example().splitlines()
    start = lines.index("#[relay.backup]")
    sample = [line[1:] for line in lines[start : lines.index("", start)] if not line.startswith("#password_file")]
    got = settings(SITE + '[smtp]\nhost = "relay"\n' + "\n".join(sample)).relays()
    assert (list(got), got["backup"].failover) == (["default", "backup"], True)


def test_without_a_postal_address_or_a_key_nothing_may_be_sent():
    address, key = why_not_send(settings())
    assert "postal_address" in address
    assert "CAN-SPAM" in address
    assert "mailer init" in key
    whole = SITE + f'postal_address = "1 Street"\n[security]\nsecret_keys = ["{KEY}"]'
    assert why_not_send(settings(whole)) == []


# --- the file that `mailer init` writes


def test_the_file_that_init_writes_holds_the_answers_under_comments():
    text = write_config(
        {
            "site": {"name": 'A "B" \\ C', "url": "https://a.example.org", "from_address": "a@example.org"},
            "smtp": {"port": 25, "security": "none"},
            "cadence.weekly": {"when": "friday 09:00"},
        },
        secret_keys=[KEY],
    )
    got = settings(text)
    assert (got.site.name, got.smtp.port, got.signing_keys()) == ('A "B" \\ C', 25, (KEY,))
    assert str(got.cadences()["weekly"].rule) == "friday 09:00"
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# ")


@given(st.text())
def test_any_answer_is_written_so_that_toml_reads_it_back(answer):
    try:
        text = write_config({"site": {"tagline": answer}}, secret_keys=[KEY])
    except InputError:
        assert not answer.isprintable()  # lone surrogates: not text that a file can hold
        return
    # Through a file: line ends must survive it.
    assert tomllib.loads(text.encode().decode())["site"]["tagline"] == answer


def test_an_answer_that_is_no_text_is_refused():
    with pytest.raises(InputError, match="not UTF-8"):
        write_config({"site": {"name": os.fsdecode(b"\xff")}}, secret_keys=[])
