"""Two senders, signals, pipes, and surroundings that are not as they should be."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from mailer.cli import progress
from mailer.store.turnstile import SenderLock
from tests.cli.site import MONDAY, ROOT, Relay, Site, Terminal, exit_code, inside
from tests.faults.badrelay import Rule, delay

SEND = ("send", "--cadence", "weekly", "--now", MONDAY)
READERS = 40


@pytest.fixture
def slow(site) -> Iterator[Relay]:
    """A relay that takes its time, and forty readers: a run lasts about two seconds."""
    site.publish("one")
    site.join(*(f"r{number}" for number in range(READERS)))
    with Relay(Rule("DOT", delay(0.1))) as relay:
        site.use(relay.port)
        site.environ["MAILER_SMTP__CONNECTIONS"] = "2"
        yield relay


def _until(relay: Relay, count: int) -> None:
    end = time.monotonic() + 60
    while sum(relay.copies.values()) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def _states(site: Site) -> dict[str, int]:
    return dict(site.ask("SELECT state, count(*) FROM deliveries GROUP BY state"))


def test_a_second_sender_waits_and_names_the_holder(site, relay):
    site.publish("one")
    site.join("ann")
    holder = SenderLock(site.folder / "mailer.db-sender")
    assert holder.take("mailer send")
    said = []

    def free(heard: str) -> None:
        if "Waiting" in heard and not said:
            said.append(heard)
            assert relay.copies == {}
            holder.release()

    ended = site.run(*SEND, listener=free)

    assert said == [f"Waiting: mailer send (process {os.getpid()}) is sending.\n"]
    assert ended.code == 0
    assert relay.copies == {"ann@example.com": 1}


def test_two_senders_at_once_send_nothing_twice(site, slow):
    first, second = site.start(*SEND), site.start("send", "--now", MONDAY)
    ended = [run.communicate(timeout=60) for run in (first, second)]

    assert (first.returncode, second.returncode) == (0, 0), ended
    assert set(slow.copies.values()) == {1}
    assert len(slow.copies) == READERS
    site.did("verify")


def _once_stopped(site: Site, relay: Relay, ended: tuple[int, str, str]) -> None:
    """What holds after a run was asked to stop, and what the next run does."""
    code, out, err = ended
    assert code == 1
    assert "weekly 2026-W48: running." in out
    assert "Run the same command again to go on." in err
    assert set(_states(site)) == {"accepted", "pending"}
    assert _states(site)["accepted"] == sum(relay.copies.values())
    site.did(*SEND)
    assert set(relay.copies.values()) == {1}
    assert len(relay.copies) == READERS
    site.did("verify")


def test_a_run_that_gets_sigterm_leaves_no_doubt_and_the_next_sends_the_rest(site, slow):
    run = site.start(*SEND)
    _until(slow, 5)

    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=30)

    _once_stopped(site, slow, (run.returncode, out, err))


def _after(relay: Relay, count: int, act: Callable[[], None]) -> threading.Thread:
    """Do something once the relay has taken so many."""

    def watch() -> None:
        _until(relay, count)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_ctrl_c_leaves_no_doubt_and_the_next_run_sends_the_rest(site, slow):
    pressing = _after(slow, 5, lambda: os.kill(os.getpid(), signal.SIGINT))

    ended = site.run(*SEND)

    pressing.join()
    _once_stopped(site, slow, (ended.code, ended.out, ended.err))


def test_a_run_can_be_stopped_when_nobody_reads_what_it_says(site, slow):
    """`mailer send 2>&1 | tee log`, and Ctrl-C ends tee first."""

    def gone(heard: str) -> None:
        if "Stopping" in heard:
            raise BrokenPipeError

    pressing = _after(slow, 5, lambda: os.kill(os.getpid(), signal.SIGINT))

    ended = site.run(*SEND, listener=gone)

    pressing.join()
    assert ended.code == 1
    assert set(_states(site)) == {"accepted", "pending"}


def test_whoever_waits_can_be_stopped(site):
    site.publish("one")
    site.join("ann")
    with SenderLock(site.folder / "mailer.db-sender") as holder:
        holder.take("mailer send")

        ended = site.run(*SEND, listener=lambda heard: "is sending." in heard and _stop_once(heard))

    assert ended.code == 1
    assert "Nothing was sent by this one" in ended.err


def _stop_once(heard: str) -> None:
    if "Stopping" not in heard and "Stopped" not in heard:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_sender_that_was_killed_is_taken_over_and_what_was_on_the_wire_is_named(site, slow):
    run = site.start(*SEND)
    _until(slow, 5)

    run.kill()
    run.communicate()
    later = site.run("send", "--cadence", "weekly", "--now", "2026-11-23T09:00Z")

    doubts = _states(site).get("in_doubt", 0)
    assert doubts <= 2
    assert later.code == (1 if doubts else 0)
    assert later.err.count("in doubt, an earlier run ended") == doubts
    site.did("send", "--cadence", "weekly", "--now", "2026-11-23T10:00Z")
    assert _states(site) == {"accepted": READERS}
    assert len(slow.copies) == READERS
    assert sum(slow.copies.values()) <= READERS + 2
    site.did("verify")


def test_without_a_terminal_a_long_run_says_a_plain_line_now_and_then(site, slow, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.5)

    ended = site.did(*SEND)

    lines = ended.err.splitlines()
    assert len(lines) >= 2
    for line in lines:
        assert " of 40 sent, 0 not reached, " in line
        assert "/s" in line
    assert "left" in lines[0]


def shell(site: Site, script: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a line of bash in which `mailer` is the program."""
    return subprocess.run(
        ["bash", "-c", f'mailer() {{ "{sys.executable}" -m mailer "$@"; }}\n{script}'],
        cwd=site.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | site.environ,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("mailer subscribers export - | head -1", b""),
        ("mailer articles list --json > /dev/full", b"mailer: Standard output: No space left on device.\n"),
        ("mailer articles list >&-", b""),
    ],
)
def test_an_output_that_ends_early_is_no_reason_for_a_traceback(site, script, said):
    site.publish("one")
    site.join(*(f"r{number}" for number in range(3000)))

    assert shell(site, script).stderr == said


def test_the_script_and_the_module_are_one_program(site):
    script = Path(sys.executable).with_name("mailer")

    told = shell(site, f'mailer --version; "{script}" --version').stdout.splitlines()

    assert told[0] == told[1]
    assert told[0].startswith(b"mailer ")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("command", [("articles", "list"), ("articles", "show", "1"), ("articles", "list", "--json")])
def test_an_output_that_lacks_letters_gets_the_rest(site, command, encoding):
    site.publish({"id": "a", "title": "Größe 🎉"})
    raw = io.BytesIO()

    with (
        patch.object(sys, "argv", ["mailer", *command]),
        patch.object(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding)),
        inside(site.folder),
    ):
        assert exit_code() == 0
        sys.stdout.flush()
        shown = raw.getvalue()

    assert b"Gr" in shown


def test_a_narrow_terminal_shows_all_of_a_table(site, monkeypatch):
    site.publish({"id": "a", "title": "A title of many words, some of them long"})
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()

    with (
        patch.object(sys, "argv", ["mailer", "articles", "list"]),
        patch.object(sys, "stdout", terminal),
        inside(site.folder),
    ):
        assert exit_code() == 0

    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert all(len(line) <= 40 for line in lines)
    assert [word for word in ("title", "many", "words", "long") if word not in terminal.getvalue()] == []


NO_TEXT = "\udcff"
"""What Python makes of an argument's byte 0xFF."""


@pytest.mark.parametrize(
    "command",
    [
        ("articles", "import", NO_TEXT),
        ("feeds", "add", NO_TEXT),
        ("feeds", "add", f"https://site.example/{NO_TEXT}"),
        ("subscribers", "add", f"{NO_TEXT}@example.com", "--cadence", "weekly", "--confirmed", "--consent", "x"),
        ("subscribers", "add", "a@example.com", "--cadence", "weekly", "--confirmed", "--consent", NO_TEXT),
        ("subscribers", "add", "a@example.com", "--cadence", NO_TEXT, "--confirmed", "--consent", "x"),
        ("subscribers", "set", "a@example.com", "--timezone", NO_TEXT),
        ("subscribers", "set", "a@example.com", "--pause-until", NO_TEXT),
        ("subscribers", "import", NO_TEXT, "--confirmed", "--consent", "x"),
        ("subscribers", "list", "--state", NO_TEXT),
        ("subscribers", "list", "--cadence", NO_TEXT),
        ("send", "--cadence", NO_TEXT),
        ("send", "--now", NO_TEXT),
        ("send", "--cadence", "weekly", "--to", NO_TEXT),
        ("--config", NO_TEXT, "send"),
        (
            "--config",
            "other.toml",
            "init",
            "--name",
            NO_TEXT,
            "--url",
            "https://x.example",
            "--from-address",
            "a@x.org",
        ),
    ],
)
def test_an_argument_that_is_no_text_is_one_sentence(site, command):
    ended = site.run(*command)

    assert ended.code in (1, 2)
    assert len(ended.err.splitlines()) == 1, ended.err
    if "init" not in command:
        assert "error" in site.json(*command, code=ended.code)


def test_a_feed_in_a_file_whose_name_is_no_text_is_one_sentence(site):
    (site.folder / NO_TEXT).write_bytes(b'<rss version="2.0"><channel><item><title>x</title></item></channel></rss>')

    ended = site.run("feeds", "add", NO_TEXT)

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
