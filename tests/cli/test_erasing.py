"""`mailer subscribers erase`, and what a restored backup meets at the next `mailer send`."""

import shutil
import sqlite3
import time

import pytest

from tests.cli.site import MONDAY, NEXT_MONDAY, Relay, Site, mailer
from tests.faults.badrelay import Rule, delay

AGREED = ("--confirmed", "--consent", "asked at the desk")
SEND = ("send", "--cadence", "weekly", "--now", MONDAY)


def erased(site: Site, name: str) -> None:
    site.did("subscribers", "erase", f"{name}@example.com", "--yes")


def test_a_reader_is_erased_and_only_numbers_stay(site, relay):
    site.publish("one")
    site.join("ann", "bob")
    site.did(*SEND)

    ended = site.did("subscribers", "erase", "Ann@Example.com", "--yes")

    assert ended.out == (
        "ann@example.com is erased. 1 delivery stays without a name. Backups made before still have them.\n"
    )
    assert "ann@" not in site.dump()
    assert site.json("editions", "list")[0]["accepted"] == 2
    site.did("verify")
    for command in (("show", "ann@example.com"), ("erase", "ann@example.com", "--yes")):
        again = site.run("subscribers", *command)
        assert again.code == 1
        assert len(again.err.splitlines()) == 1
    site.publish("two", now="2026-11-29T12:00Z")
    site.did("send", "--now", NEXT_MONDAY)
    assert relay.copies == {"ann@example.com": 1, "bob@example.com": 2}


def test_an_erased_address_comes_in_by_no_list(site):
    site.join("ann")
    erased(site, "ann")

    added = site.run("subscribers", "add", "ann@example.com", "--cadence", "weekly", *AGREED)
    imported = site.run("subscribers", "import", "readers.csv", *AGREED)

    assert (added.code, imported.code) == (1, 1)
    assert "suppressed" in added.err
    assert "suppressed" in imported.err
    assert site.json("subscribers", "list") == []


def test_somebody_unknown_is_said_in_one_sentence(site):
    ended = site.run("subscribers", "erase", "nobody@example.com", "--yes")
    assert ended.code == 1
    assert (ended.out, len(ended.err.splitlines())) == ("", 1)
    assert "nobody@example.com is not among the subscribers" in ended.err
    assert not (site.folder / "mailer.db-erased").exists()
    wrong = site.run("subscribers", "erase", "no address", "--yes")
    assert (wrong.code, len(wrong.err.splitlines())) == (1, 1)


def test_without_a_terminal_it_wants_the_option(site):
    site.join("ann")
    ended = site.run("subscribers", "erase", "ann@example.com")
    assert ended.code == 1
    assert "--yes" in ended.err
    assert len(site.json("subscribers", "list")) == 1


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_on_a_terminal_it_asks_and_says_what_goes_and_what_stays(site, answer, left):
    site.join("ann")
    ended = mailer("subscribers", "erase", "ann@example.com", folder=site.folder, answers=answer)
    assert ended.code == left
    assert "What goes: " in ended.err
    assert "What stays: " in ended.err
    assert len(site.json("subscribers", "list")) == left


def test_as_json_it_is_one_document(site):
    site.join("ann")
    assert site.json("subscribers", "erase", "ann@example.com", "--yes") == {
        "existed": True,
        "deliveries": 0,
        "traces": 0,
    }
    assert "error" in site.json("subscribers", "erase", "ann@example.com", "--yes", code=1)


def test_a_restored_backup_brings_nobody_back(site, relay):
    site.publish("one")
    site.join("ann", "bob")
    copy = sqlite3.connect(site.folder / "backup.db")
    with sqlite3.connect(site.database) as source:
        source.backup(copy)
    source.close()
    copy.close()
    erased(site, "ann")
    for rest in ("", "-wal", "-shm"):
        (site.folder / f"mailer.db{rest}").unlink(missing_ok=True)
    shutil.copy(site.folder / "backup.db", site.database)
    assert len(site.json("subscribers", "list")) == 2

    ended = site.did(*SEND)

    assert "1 reader who was erased had come back, and is erased again." in ended.err
    assert relay.copies == {"bob@example.com": 1}
    assert [reader["email"] for reader in site.json("subscribers", "list")] == ["bob@example.com"]
    assert site.run("subscribers", "add", "ann@example.com", "--cadence", "weekly", *AGREED).code == 1
    assert "erased" not in site.did(*SEND).err
    site.did("verify")


def test_nothing_goes_to_somebody_who_is_erased_while_a_run_sends(site):
    readers = [f"r{number}" for number in range(40)]
    site.publish("one")
    site.join(*readers)
    with Relay(Rule("DOT", delay(0.1))) as relay:
        site.use(relay.port)
        site.environ["MAILER_SMTP__CONNECTIONS"] = "2"
        run = site.start(*SEND)
        end = time.monotonic() + 60
        while sum(relay.copies.values()) < 5:
            assert time.monotonic() < end
            time.sleep(0.01)
        done: dict[str, float] = {}

        # One far back, some whose turn is about now, one who had it.
        chosen = ("r39", "r7", "r8", "r9", "r10", "r0")
        for name in chosen:
            erased(site, name)
            done[name] = time.time()
        out, err = run.communicate(timeout=60)

        assert run.returncode == 0, (out, err)
        assert set(done) == set(chosen)
        late = [
            taken
            for taken in relay.accepted
            if (name := taken.recipient.partition("@")[0]) in done and taken.time > done[name] + 1.0
        ]
        assert late == []
        assert relay.copies["r39@example.com"] == 0
        assert set(relay.copies.values()) == {1}
        assert len(relay.copies) >= len(readers) - len(chosen)
    assert not any(f"{name}@" in site.dump() for name in chosen)
    states = dict(site.ask("SELECT state || reason, count(*) FROM deliveries GROUP BY 1"))
    assert states["accepted"] + states["skippederased"] == len(readers)
    site.did("verify")
