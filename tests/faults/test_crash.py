"""Processes that are killed. The copies are counted by a relay that lives in a process of its own.

The seed is printed: MAILER_CRASH_SEED repeats a run, MAILER_CRASH_READERS and MAILER_CRASH_KILLS change its size.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.site import mailer
from tests.faults.badrelay import BadRelayProcess

READERS = int(os.environ.get("MAILER_CRASH_READERS", "20000"))
KILLS = int(os.environ.get("MAILER_CRASH_KILLS", "10"))
CONNECTIONS = 10
NOW = "2026-11-23T08:00Z"
HOUR_LATER = "2026-11-23T09:00Z"

CONFIG = """
[site]
name = "Mia's Feed"
url = "https://site.example"
from_address = "digest@site.example"
postal_address = "1 Street, Town"
[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
connections = {connections}
[security]
secret_keys = ["0123456789012345678901234567890123456789"]
"""


class KilledSite:
    """A site in a folder, worked by the real command."""

    def __init__(self, folder: Path, relay: BadRelayProcess, readers: int, connections: int = CONNECTIONS) -> None:
        self.folder = folder
        self.relay = relay
        self.seen = (0, 0)
        (folder / "config.toml").write_text(CONFIG.format(port=relay.port, connections=connections), encoding="utf-8")
        (folder / "readers.csv").write_text(
            "email\n" + "".join(f"reader{number}@example.com\n" for number in range(readers)), encoding="utf-8"
        )
        articles = [
            {"id": f"a{n}", "url": f"https://site.example/{n}", "title": f"Article {n}", "published": "2026-11-20"}
            for n in range(5)
        ]
        (folder / "articles.json").write_text(json.dumps(articles), encoding="utf-8")
        self.done("upgrade")
        self.done("articles", "import", "articles.json")
        self.done("subscribers", "import", "readers.csv", "--cadence", "weekly", "--confirmed", "--consent", "test")

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "mailer", *words]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    @property
    def environment(self) -> dict[str, str]:
        return {key: value for key, value in os.environ.items() if not key.startswith("MAILER_")}

    def run(self, *words: str) -> tuple[int, str, str]:
        """In this process, which takes milliseconds: for what is neither killed nor asked to stop."""
        ended = mailer(*words, folder=self.folder)
        return ended.code, ended.out, ended.err

    def done(self, *words: str) -> str:
        code, out, err = self.run(*words)
        assert code == 0, err
        return out

    def send(self, now: str = NOW) -> tuple[int, dict]:
        code, out, err = self.run("send", "--cadence", "weekly", "--now", now, "--json")
        assert out, err
        return code, json.loads(out)

    def states(self) -> dict[str, int]:
        with sqlite3.connect(self.folder / "mailer.db") as connection:
            return dict(connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state"))

    def sum_holds(self) -> bool:
        with sqlite3.connect(self.folder / "mailer.db") as connection:
            planned = connection.execute("SELECT coalesce(sum(planned), 0) FROM editions").fetchone()[0]
        return planned == sum(self.states().values())

    def wait_for_copies(self, count: int, process: subprocess.Popen[str]) -> None:
        """Until the relay has taken so many, or the sender has ended."""
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline and self.copies_taken() < count:
            time.sleep(0.02)

    def copies_taken(self) -> int:
        """Lines of the relay's log, counted on from where the last look ended."""
        if self.relay.log.exists():
            with self.relay.log.open("rb") as log:
                log.seek(self.seen[0])
                new = log.read()
            self.seen = (self.seen[0] + len(new), self.seen[1] + new.count(b"\n"))
        return self.seen[1]


@pytest.fixture
def relay(tmp_path):
    with BadRelayProcess(tmp_path / "accepted.jsonl") as process:
        yield process


def test_killed_ten_times_in_twenty_thousand_nobody_is_lost_and_copies_stay_below_the_connections(
    tmp_path, relay, record_property
):
    seed = int(os.environ.get("MAILER_CRASH_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    record_property("seed", seed)
    sys.stdout.write(f"seed {seed}, {READERS} readers, {KILLS} kills\n")
    site = KilledSite(tmp_path, relay, READERS)
    for kill in range(KILLS):
        process = site.start("send", "--cadence", "weekly", "--now", NOW)
        before = site.copies_taken()
        step = (READERS - before) // (KILLS - kill + 1)
        site.wait_for_copies(before + chance.randint(1, max(1, step)), process)
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it ended before it was killed: more readers are needed"
        assert site.sum_holds()

    code, report = site.send(HOUR_LATER)

    copies = relay.copies
    extra = sum(copies.values()) - READERS
    sys.stdout.write(
        f"{extra} extra copies of at most {CONNECTIONS * KILLS}, at most {max(copies.values())} a reader\n"
    )
    assert code == 0, report
    assert report["state"] == "done"
    assert report["accepted"] == report["planned"] == READERS
    assert len(copies) == READERS, "somebody got nothing"
    assert extra <= CONNECTIONS * KILLS
    assert max(copies.values()) <= 2
    first_id: dict[str, str] = {}
    for taken in relay.read_log():
        assert first_id.setdefault(taken.recipient, taken.message_id) == taken.message_id, "not the same message"
    assert site.run("verify")[0] == 0
    assert site.sum_holds()


def test_after_a_kill_the_doubtful_are_named_and_wait_and_the_others_are_sent(tmp_path):
    with BadRelayProcess(tmp_path / "accepted.jsonl", "slow-dot") as relay:
        site = KilledSite(tmp_path, relay, 60)
        process = site.start("send", "--cadence", "weekly", "--now", NOW)
        site.wait_for_copies(5, process)
        process.kill()
        process.communicate()
        doubtful = site.states().get("sending", 0)
        code, report = site.send()
        assert 0 < doubtful <= CONNECTIONS
        assert code == 1
        assert {who["state"] for who in report["not_reached"]} == {"in_doubt"}
        assert len(report["not_reached"]) == report["in_doubt"] == doubtful
        assert report["accepted"] == 60 - doubtful
        assert site.send()[0] == 0, "nothing is due: not an error of this run"
        code, report = site.send(HOUR_LATER)
        assert (code, report["accepted"], report["state"]) == (0, 60, "done")
        assert max(relay.copies.values()) <= 2
        assert len(relay.copies) == 60
        assert site.run("verify")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_leaves_nobody_in_doubt(tmp_path, number):
    with BadRelayProcess(tmp_path / "accepted.jsonl", "slow-dot") as relay:
        site = KilledSite(tmp_path, relay, 80)
        process = site.start("send", "--cadence", "weekly", "--now", NOW)
        site.wait_for_copies(5, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "Stopped as asked" in err
        states = site.states()
        assert states.keys() == {"accepted", "pending"}
        assert states["accepted"] == len(relay.copies)
        code, report = site.send()
        assert (code, report["accepted"]) == (0, 80)
        assert set(relay.copies.values()) == {1}
        assert site.sum_holds()


def test_of_two_senders_at_once_the_second_waits_and_says_for_whom(tmp_path):
    with BadRelayProcess(tmp_path / "accepted.jsonl", "slow-dot") as relay:
        site = KilledSite(tmp_path, relay, 200, connections=1)
        first = site.start("send", "--cadence", "weekly", "--now", NOW)
        site.wait_for_copies(3, first)
        second = site.start("send", "--cadence", "weekly", "--now", NOW)
        _, told = second.communicate(timeout=60)
        first.communicate(timeout=60)
        assert f"mailer send --cadence weekly (process {first.pid}) is sending" in told
        assert (first.returncode, second.returncode) == (0, 0)
        assert set(relay.copies.values()) == {1}
        assert len(relay.copies) == 200
        assert site.sum_holds()
