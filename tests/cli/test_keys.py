"""`mailer keys`, and a fresh key on its way into the file that holds them."""

import stat
import threading
import tomllib
from pathlib import Path

import pytest

from mailer.config import load, rotating
from mailer.config.rotating import add_key
from mailer.core.tokens import Claim, Purpose, fingerprint, key_id, open_token, seal
from mailer.errors import InputError
from tests.cli.site import MONDAY, NEXT_MONDAY, Relay, Site
from tests.faults.badrelay import Rule, accept_then_drop, nth

OLD, OLDER, FRESH = "o" * 40, "p" * 40, "f" * 43
SITE = '[site]\nname = "News"\nurl = "https://news.example.org"\nfrom_address = "digest@news.example.org"\n'


def keys_of(site: Site) -> tuple[str, ...]:
    return load(site.folder / "config.toml", {}).signing_keys()


def test_a_fresh_key_signs_and_what_older_ones_signed_still_opens(site):
    (first,) = keys_of(site)
    token = seal(Claim(7, 1), Purpose.LEAVE, first)

    ended = site.did("keys", "rotate")
    made = site.json("keys", "rotate")

    keys = keys_of(site)
    assert keys[0] == first
    assert len(set(keys)) == 3
    assert made["keys"] == [key_id(key) for key in keys]
    assert made["id"] == key_id(keys[-1])
    assert open_token(token, Purpose.LEAVE, keys) == Claim(7, 1)
    assert "1 older key stays, so links in mails that went out open." in ended.out
    assert "restart `mailer serve`" in ended.out
    listed = site.json("keys", "list")
    assert [one["signs"] for one in listed] == [False, False, True]
    assert [one["id"] for one in listed] == made["keys"]
    assert not any(key in text for key in keys for text in (ended.all, site.did("keys", "list").all, str(made)))


def test_a_second_copy_after_a_rotation_is_the_first_byte_for_byte(site):
    site.publish("one")
    site.join("ann")
    with Relay(Rule("DOT", accept_then_drop(), nth(1))) as relay:
        site.use(relay.port)
        site.run("send", "--cadence", "weekly", "--now", MONDAY)
        site.did("keys", "rotate")
        site.did("send", "--now", "2026-11-23T09:00Z")
        first, second = (taken.data for taken in relay.accepted)
        assert first == second
        site.publish("two", now="2026-11-29T12:00Z")
        site.did("send", "--now", NEXT_MONDAY)
        (link,) = relay.mail_to("ann@example.com")["List-Unsubscribe"].strip("<>").split(", ")
    token = link.rpartition("/")[2]
    assert open_token(token, Purpose.LEAVE, keys_of(site)[-1:]) == Claim(1, 1)


def test_who_was_suppressed_under_an_old_key_still_is(site):

    mark = fingerprint("ann@example.com", keys_of(site)[0])
    site.ask("INSERT INTO suppressions (fingerprint, reason, at) VALUES (?, 'erased', 0)", mark)

    site.did("keys", "rotate")

    ended = site.run(
        *("subscribers", "add", "ann@example.com", "--cadence", "weekly", "--confirmed", "--consent", "asked")
    )
    assert ended.code == 1
    assert "suppressed" in ended.err


def test_keys_of_the_environment_are_left_to_whoever_set_them(site):
    environ = {"MAILER_SECURITY__SECRET_KEYS": f"{OLDER},{OLD}"}
    before = (site.folder / "config.toml").read_bytes()

    ended = site.run("keys", "rotate", **environ)

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert "MAILER_SECURITY__SECRET_KEYS" in ended.err
    assert "openssl rand -hex 32" in ended.err
    assert OLD not in ended.all
    assert (site.folder / "config.toml").read_bytes() == before
    assert [one["signs"] for one in site_json(site, environ)] == [False, True]


def site_json(site: Site, environ: dict[str, str]):
    return site.did("keys", "list", "--json", **environ).json


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"[security]\nsecret_keys = ['{OLD}']\n", f"[security]\nsecret_keys = ['{OLD}', \"{FRESH}\"]\n"),
        (
            f'[security]\nsecret_keys = [\n  "{OLDER}", # 2024\n  "{OLD}" # 2025\n]\n# the end\n',
            f'[security]\nsecret_keys = [\n  "{OLDER}", # 2024\n  "{OLD}", # 2025\n  "{FRESH}"\n]\n# the end\n',
        ),
        (
            f'[security]\nsecret_keys = [\n  "{OLD}",\n]\n[topics]\na = "A"\n',
            f'[security]\nsecret_keys = [\n  "{OLD}",\n  "{FRESH}",\n]\n[topics]\na = "A"\n',
        ),
        (f'security = {{secret_keys=["{OLD}"]}}\n', f'security = {{secret_keys=["{OLD}", "{FRESH}"]}}\n'),
        (f'security.secret_keys = ["{OLD}"]\r\n', f'security.secret_keys = ["{OLD}", "{FRESH}"]\r\n'),
        (
            f'[security]\nsecret_keys = "{OLDER},{OLD}"\n',
            f'[security]\nsecret_keys = ["{OLDER}", "{OLD}", "{FRESH}"]\n',
        ),
        ("[security]\n# none yet\n", f'[security]\n# none yet\nsecret_keys = ["{FRESH}"]\n'),
        ("", f'\n[security]\nsecret_keys = ["{FRESH}"]\n'),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_settings_keep_their_comments_and_layout(tmp_path, before, after, mark):
    def whole(text: str) -> bytes:
        return (mark + (text + SITE if before.startswith("security") else SITE + text)).encode()

    file = tmp_path / "config.toml"
    file.write_bytes(whole(before))

    settings, written = add_key(file, {}, FRESH)

    assert file.read_bytes() == whole(after)
    assert settings.signing_keys()[-1] == FRESH
    assert written == file


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{OLD}\n", f"{OLD}\n{FRESH}\n"),
        (OLD, f"{OLD}\n{FRESH}\n"),
        (f"# of 2024\n{OLDER}\n\n{OLD}\n# end", f"# of 2024\n{OLDER}\n\n{OLD}\n# end\n{FRESH}\n"),
        (f"{OLD}\r\n", f"{OLD}\r\n{FRESH}\r\n"),
        (f"\ufeff{OLD}", f"\ufeff{OLD}\n{FRESH}\n"),
    ],
)
def test_a_file_of_keys_gets_a_line_behind_the_last(tmp_path, before, after):
    keys = tmp_path / "secret" / "keys"
    keys.parent.mkdir()
    keys.write_bytes(before.encode())
    keys.chmod(0o640)
    link = tmp_path / "keys"
    link.symlink_to(keys)
    config = tmp_path / "config.toml"
    config.write_text(f'{SITE}[security]\nsecret_keys_file = "keys"\n')

    settings, written = add_key(config, {}, FRESH)

    assert keys.read_bytes() == after.encode()
    assert settings.signing_keys()[-2:] == (OLD, FRESH)
    assert (written, link.is_symlink()) == (keys, True)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o640
    assert [one.name for one in keys.parent.iterdir()] == ["keys"]


def test_the_settings_keep_their_mode_and_a_link_to_them_stays_one(tmp_path):
    file, link = tmp_path / "real.toml", tmp_path / "config.toml"
    file.write_text(f'{SITE}[security]\nsecret_keys = ["{OLD}"]\n')
    file.chmod(0o604)
    link.symlink_to(file)

    add_key(None, {"MAILER_CONFIG": str(link)}, FRESH)

    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o604
    assert load(link, {}).signing_keys() == (OLD, FRESH)


@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_write_that_breaks_off_leaves_the_old_file_whole(tmp_path, monkeypatch, broken):
    file = tmp_path / "config.toml"
    file.write_text(f'{SITE}[security]\nsecret_keys = ["{OLD}"]\n')
    before = file.read_bytes()

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    if broken == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr(rotating.os, {"write": "fchmod", "fsync": "fsync"}[broken], full)
    with pytest.raises(InputError, match="can't be written: No space left on device"):
        add_key(file, {}, FRESH)

    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["config.toml"]


def test_what_was_left_by_a_crash_is_not_in_the_way(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f'{SITE}[security]\nsecret_keys = ["{OLD}"]\n')
    (tmp_path / ".config.toml.new").write_text("half of it" * 1000)

    add_key(file, {}, FRESH)

    assert tomllib.loads(file.read_text())["security"]["secret_keys"] == [OLD, FRESH]
    assert [one.name for one in tmp_path.iterdir()] == ["config.toml"]


def test_a_line_that_would_make_the_file_wrong_is_not_written(tmp_path):
    keys, config = tmp_path / "keys", tmp_path / "config.toml"
    keys.write_bytes(f"{OLD}\n#".encode() + b"x" * (65_536 - 60))
    keys.chmod(0o600)
    config.write_text(f'{SITE}[security]\nsecret_keys_file = "keys"\n')
    before = keys.read_bytes()

    with pytest.raises(InputError, match="would not be right any more"):
        add_key(config, {}, FRESH)

    assert keys.read_bytes() == before


def test_two_rotations_at_once_lose_no_key(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f'{SITE}[security]\nsecret_keys = ["{OLD}"]\n')
    fresh = [str(number) * 40 for number in range(8)]
    threads = [threading.Thread(target=add_key, args=(file, {}, key)) for key in fresh]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    keys = load(file, {}).signing_keys()
    assert keys[0] == OLD
    assert sorted(keys[1:]) == fresh
