"""`mailer dkim generate`, and the settings that it leads to."""

import stat
from pathlib import Path

import pytest

from mailer.config import load
from mailer.core.dkim import open_key, public_record
from mailer.errors import ConfigError
from mailer.wiring import Clock, Parts
from tests.cli.site import Relay
from tests.receivers import keys

RSA, ED25519 = (key.pem.decode() for key in keys())


def settings_in(site):
    return load(site.folder / "config.toml", {})


def table(**values: str) -> str:
    return "[dkim]\n" + "".join(f'{key} = "{value}"\n' for key, value in values.items())


def complaint(site, text: str) -> str:
    """The one complaint about these settings."""
    site.configure(text)
    with pytest.raises(ConfigError) as refusal:
        settings_in(site)
    (only,) = refusal.value.complaints
    return only


def key_in(site, name: str, content: str, mode: int = 0o600) -> str:
    site.write(name, content)
    (site.folder / name).chmod(mode)
    return name


def test_what_it_says_is_what_works(site):
    made = site.json("dkim", "generate")
    other = site.json("dkim", "generate", "--ed25519")

    site.configure(table(**(made["settings"] | other["settings"])))

    assert site.did("config", "check").out.endswith("all right.\n")
    rsa, ed25519 = settings_in(site).dkim_keys()
    assert (rsa.domain, rsa.selector) == ("site.example", made["settings"]["selector"])
    for key, said in ((rsa, made), (ed25519, other)):
        assert said["record"]["name"] == f"{key.selector}._domainkey.site.example"
        assert said["record"]["value"] == "".join(said["record"]["strings"]) == public_record(open_key(key.pem))
        assert max(map(len, said["record"]["strings"])) <= 255
        file = site.folder / said["file"]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_bytes() == key.pem


def test_people_are_told_the_record_and_the_settings_and_never_the_key(site):
    ended = site.did("dkim", "generate", "--selector", "Blue", "--domain", "Bücher.example")
    assert "blue._domainkey.xn--bcher-kva.example. IN TXT (\n" in ended.out
    assert '    "v=DKIM1; k=rsa; p=' in ended.out
    assert 'selector = "blue"\nkey_file = "dkim-blue.pem"\n' in ended.out
    assert "PRIVATE" not in ended.all
    assert (site.folder / "dkim-blue.pem").read_text().splitlines()[1] not in ended.all


def test_a_second_key_is_to_be_added_to_the_first_one_s_settings(site):
    first = site.did("dkim", "generate", "--selector", "one", "--domain", "site.example").out
    second = site.did("dkim", "generate", "--ed25519", "--selector", "two", "--domain", "site.example").out
    lines = [line for out in (first, second) for line in out.splitlines() if line == "[dkim]" or " = " in line]
    site.configure("\n".join([*lines, ""]))
    assert len(settings_in(site).dkim_keys()) == 2


def test_the_copy_that_it_tells_to_send_is_one_that_can_be_asked_for(site):
    told = site.did("dkim", "generate").out.splitlines()[-1]
    site.publish("one")
    site.join("ann")
    with Relay() as relay:
        site.use(relay.port)
        site.did(*told.split()[1:])
        assert [one.recipient for one in relay.accepted] == ["you@example.com"]


def test_a_key_is_never_written_over(site):
    site.did("dkim", "generate", "--selector", "blue")
    before = (site.folder / "dkim-blue.pem").read_bytes()
    ended = site.run("dkim", "generate", "--selector", "blue", "--ed25519")
    assert ended.code == 1
    assert "is there already" in ended.err
    assert (site.folder / "dkim-blue.pem").read_bytes() == before


def test_settings_that_are_not_right_yet_are_not_asked_where_both_names_are_given(site):
    site.configure(table(domain="site.example", selector="blue", key_file="dkim-blue.pem"))
    assert "No such file" in site.run("dkim", "generate").err
    site.did("dkim", "generate", "--domain", "site.example", "--selector", "blue")
    assert len(settings_in(site).dkim_keys()) == 1


@pytest.mark.parametrize(
    "words", [("--domain", "no domain"), ("--domain", "host"), ("--selector", "a b"), ("--selector", "")]
)
def test_a_name_that_the_dns_can_not_have_is_refused(site, words):
    ended = site.run("dkim", "generate", *words)
    assert ended.code == 2
    assert "must be a" in ended.err
    assert not list(site.folder.glob("*.pem"))


def test_a_folder_that_takes_no_file_is_said(site):
    (site.folder / "config.toml").unlink()
    ended = site.run("--config", "nowhere/config.toml", "dkim", "generate", "--domain", "a.example", "--selector", "b")
    assert ended.code == 1
    assert "can't be written: No such file or directory." in ended.err


# --- the settings


def test_it_is_off_unless_it_is_switched_on(site):
    assert settings_in(site).dkim_keys() == ()
    assert Parts(settings_in(site), Clock()).signer() is None


async def test_switched_on_it_gives_a_signer(site):
    key_in(site, "rsa.pem", RSA)
    site.configure(table(domain="site.example", selector="m1", key_file="rsa.pem"))
    signer = Parts(settings_in(site), Clock()).signer()
    assert signer is not None
    async with signer:
        got = await signer.sign(b"From: digest@site.example\r\n\r\nHello.\r\n")
    assert got.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=site.example; s=m1;\r\n")


@pytest.mark.parametrize(
    ("file", "content", "mode", "words"),
    [
        ("nope.pem", None, 0, "nope.pem' can't be read: No such file or directory"),
        ("open.pem", RSA, 0o644, "can be read by everybody on this machine; run: chmod 600"),
        ("text.pem", "sesame", 0o600, "holds no private key in PEM form"),
        ("other.pem", ED25519, 0o600, "holds an Ed25519 key, which stands beside an RSA key"),
    ],
)
def test_a_file_that_does_not_do_is_a_complaint(site, file, content, mode, words):
    if content is not None:
        key_in(site, file, content, mode)
    said = complaint(site, table(domain="site.example", selector="m1", key_file=file))
    assert said.startswith(f"{site.folder}/config.toml: [dkim] key_file '{site.folder}/{file}' ")
    assert words in said
    assert "sesame" not in said


def test_the_keys_of_two_kinds_are_not_mistaken_for_each_other(site):
    key_in(site, "rsa.pem", RSA)
    both = {"ed25519_selector": "m1e", "ed25519_key_file": "rsa.pem"}
    said = complaint(site, table(domain="site.example", selector="m1", key_file="rsa.pem", **both))
    assert "ed25519_key_file" in said
    assert "holds an RSA key" in said


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"domain": "other.example"}, "can't vouch for mail from digest@site.example"),
        ({"domain": "news.site.example"}, "can't vouch for mail from digest@site.example"),
        ({"domain": "e.example"}, "can't vouch for mail from digest@site.example"),
        ({"domain": "no domain"}, 'domain = "no domain" must be a domain'),
        ({"selector": "a b"}, 'selector = "a b" must be a name'),
        ({"selector": ""}, "needs selector and key_file"),
        ({"key_file": ""}, "needs selector and key_file"),
        ({"ed25519_selector": "m2"}, "go together"),
        ({"ed25519_selector": "m1", "ed25519_key_file": "ed.pem"}, "must differ"),
    ],
)
def test_a_table_that_does_not_add_up_is_a_complaint(site, values, words):
    key_in(site, "rsa.pem", RSA)
    key_in(site, "ed.pem", ED25519)
    whole = {"domain": "site.example", "selector": "m1", "key_file": "rsa.pem"} | values
    assert words in complaint(site, table(**whole))


def test_a_domain_above_the_senders_will_do(site):
    text = (site.folder / "config.toml").read_text().replace("digest@site.example", "digest@News.Site.example")
    Path(site.folder / "config.toml").write_text(text)
    key_in(site, "rsa.pem", RSA)
    site.configure(table(domain="Site.example", selector="M1", key_file="rsa.pem"))
    (key,) = settings_in(site).dkim_keys()
    assert (key.domain, key.selector) == ("site.example", "m1")
