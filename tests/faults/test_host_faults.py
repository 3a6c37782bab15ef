"""The machine gives out under a run: the database locked, the disk full or read-only, no descriptors left.

Whatever it is: no message leaves without a permit on disk, the run ends by itself with one sentence, nobody is lost,
and the next run goes on. The faults are SQLite's and the kernel's own.
"""

import fcntl
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.site import MONDAY, Relay, Site
from tests.faults.badrelay import Action, Rule, delay, normal, recipient, say, then
from tests.faults.killing import SEND, K, begun, filled, states
from tests.faults.launcher import Child, Launcher
from tests.faults.served import until

READERS = 40
LATER = "2026-11-23T09:00Z"
TOO_MANY_FILES = "Too many files are open: no further file or connection can be opened. Raise the limit (`ulimit -n"


@pytest.fixture
def site(site) -> Site:
    filled(site, READERS)
    return site


def ended(child: Child, site: Site, relay: Relay, code: int, sentence: str) -> None:
    """It ended by itself with one sentence, and how many it had sent; nothing without a permit. The ledger is sound."""
    found, _out, err = child.wait()
    assert found == code, err
    first, *more = err.splitlines()
    assert first.startswith(f"mailer: {sentence}"), err
    assert len(more) == bool(relay.copies), err
    if more:
        told = re.fullmatch(r"mailer: ([0-9,]+) sent in this run; the rest waits\.", more[0])
        assert told, err
        assert int(told[1].replace(",", "")) == relay.copies.total()
    only_with_a_permit(site, relay)
    site.did("verify")


def only_with_a_permit(site: Site, relay: Relay) -> None:
    told = {line.text.decode().partition("<")[2].partition(">")[0] for line in relay.lines if b"RCPT" in line.text}
    permitted = site.ask("SELECT email FROM subscribers s JOIN deliveries d ON d.subscriber_id = s.id WHERE permit_at")
    assert told <= {row[0] for row in permitted}, "something was sent without a permit"


def resumed(site: Site, relay: Relay, readers: int = READERS) -> int:
    """Run again, and again when doubts are due. Returns how many copies there are beyond one for each."""
    for now in (MONDAY, LATER):
        again = site.run("send", "--cadence", "weekly", "--now", now)
        assert again.code in {0, 1}, again.all
    assert states(site) == {"accepted": readers}
    assert len(relay.copies) == readers, "somebody got nothing"
    assert max(relay.copies.values()) <= 2
    assert len({(one.recipient, one.message_id, one.data) for one in relay.accepted}) == readers
    site.did("verify")
    extra = relay.copies.total() - readers
    assert extra <= K
    return extra


def nobody_is_in_doubt(site: Site) -> bool:
    """What a next run finds, which brings in what the last one left beside the database."""
    found = site.run(*SEND).code == 0 and not states(site)["in_doubt"]
    site.did("verify")
    return found


# --- the database is locked by another program


class Holder:
    """Takes a lock in the middle of a run, and lets go when told."""

    def __init__(self, take: Callable[[], Callable[[], None]]) -> None:
        self.held = threading.Event()
        self.rule = Rule("DOT", then(self._taking(), normal()), after=8, times=1)
        self._take = take

    def _taking(self) -> Action:
        async def act(_scene) -> None:
            self.let_go = self._take()
            self.held.set()

        return act


def lock_of_sqlite(site: Site) -> Callable[[], Callable[[], None]]:
    """As another program takes it, which knows nothing of our turnstile."""

    def take() -> Callable[[], None]:
        connection = sqlite3.connect(site.database, isolation_level=None, check_same_thread=False, timeout=10)
        connection.execute("BEGIN IMMEDIATE")
        return connection.close

    return take


def turnstile(site: Site) -> Callable[[], Callable[[], None]]:
    """As another process of ours takes it, for a long transaction."""

    def take() -> Callable[[], None]:
        file = os.open(site.folder / "mailer.db-turnstile", os.O_RDWR)
        fcntl.flock(file, fcntl.LOCK_EX)
        return lambda: os.close(file)

    return take


@pytest.mark.parametrize("lock", [lock_of_sqlite, turnstile])
def test_locked_for_a_while_the_run_waits_says_nothing_meanwhile_and_everyone_gets_one(launcher, site, lock):
    holder = Holder(lock(site))
    with Relay(holder.rule) as relay:
        child = begun(launcher, site, relay.port)
        assert holder.held.wait(30)
        # A connection has one permit: it ends that message, then it has to wait for the lock like all others.
        until(lambda: relay.copies.total() > 8)
        assert child.poll() is None
        before = relay.copies.total()
        threading.Event().wait(0.7)
        assert relay.copies.total() - before <= K
        assert child.poll() is None
        holder.let_go()
        code, _out, err = child.wait()
        assert (code, err) == (0, "")
        only_with_a_permit(site, relay)
        assert relay.copies.total() == READERS
        assert resumed(site, relay) == 0


@contextmanager
def locked_for_too_long(launcher: Launcher, site: Site) -> Iterator[Relay]:
    holder = Holder(lock_of_sqlite(site))
    with Relay(holder.rule) as relay:
        child = begun(launcher, site, relay.port, "host_faults:impatient")
        assert holder.held.wait(30)
        ended(child, site, relay, 1, "Another program holds the database locked. Close it, then run this again.")
        assert states(site)["sending"] <= K
        holder.let_go()
        yield relay


def test_locked_for_longer_than_we_wait_the_run_ends_and_the_next_one_goes_on(launcher, site):
    with locked_for_too_long(launcher, site) as relay:
        resumed(site, relay)


def test_locked_for_longer_than_we_wait_what_the_relay_answered_is_not_put_in_doubt(launcher, site):
    with locked_for_too_long(launcher, site) as relay:
        assert nobody_is_in_doubt(site)
        assert resumed(site, relay) == 0


@pytest.mark.parametrize("asked", [None, signal.SIGTERM], ids=["left alone", "asked to stop"])
def test_where_another_process_of_ours_is_stopped_in_its_turn_the_run_ends_and_says_what_to_do(launcher, site, asked):
    holder = Holder(turnstile(site))
    with Relay(holder.rule) as relay:
        child = begun(launcher, site, relay.port, "host_faults:impatient")
        assert holder.held.wait(30)
        if asked is not None:
            child.kill(asked)
        found, _out, err = child.wait()
        assert found == 1, err
        told = [line for line in err.splitlines() if not line.startswith("Stopping after")]
        assert re.fullmatch(r"mailer: Another process holds \S+/mailer\.db-turnstile and does not let go; .*", told[0])
        assert "`fuser -v" in told[0]
        assert told[1:] == [f"mailer: {relay.copies.total()} sent in this run; the rest waits."]
        only_with_a_permit(site, relay)
        holder.let_go()
        assert nobody_is_in_doubt(site)
        assert resumed(site, relay) == 0


# --- the disk is full, or read-only


@contextmanager
def struck_midway(launcher: Launcher, site: Site, fault: str, sentence: str) -> Iterator[Relay]:
    with Relay(Rule("DOT", delay(0.002))) as relay:
        ended(begun(launcher, site, relay.port, f"host_faults:{fault}"), site, relay, 1, sentence)
        left = states(site)
        assert left["accepted"] >= 1
        assert left["sending"] + left["claimed"] + left["pending"] >= 1
        assert relay.copies.total() - left["accepted"] <= K
        yield relay


FULL = ("full_disk", "The disk is full, or the database may not grow. Make room, then run this again.")
READ_ONLY = ("read_only", "The database is read-only. Check the file's owner and its folder's.")


@pytest.mark.parametrize(("fault", "sentence"), [FULL, READ_ONLY])
def test_where_nothing_can_be_written_any_more_sending_stops_by_itself_and_the_next_run_goes_on(
    launcher, site, fault, sentence
):
    with struck_midway(launcher, site, fault, sentence) as relay:
        resumed(site, relay)


@pytest.mark.parametrize(("fault", "sentence"), [FULL, READ_ONLY])
def test_where_nothing_can_be_written_any_more_what_the_relay_answered_is_not_put_in_doubt(
    launcher, site, fault, sentence
):
    with struck_midway(launcher, site, fault, sentence) as relay:
        assert nobody_is_in_doubt(site)
        assert resumed(site, relay) == 0


def test_a_hard_bounce_that_could_not_be_written_down_is_none_the_less_one(launcher, site):
    gone = "reader9@example.com"
    with Relay(Rule("RCPT", say("550 5.1.1 user unknown"), when=recipient(gone)), Rule("DOT", delay(0.002))) as relay:
        begun(launcher, site, relay.port, "host_faults:full_after_a_bounce").wait()
        assert site.ask(_STANDING, gone) == [("sending", "", "active")], "it was written down"
        site.run(*SEND)
        assert site.ask(_STANDING, gone) == [("failed", "no_such_address", "bounced")]
        assert site.ask("SELECT reason FROM suppressions WHERE email = ?", gone) == [("bounced",)]
        assert states(site) == {"accepted": READERS - 1, "failed": 1}
        assert set(relay.copies.values()) == {1}
        site.did("verify")


_STANDING = (
    "SELECT d.state, d.reason, s.state FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id WHERE s.email = ?"
)


@contextmanager
def small_disk(site: Site, spare: int) -> Iterator[Path]:
    """A file system of its own with the site on it, and so many bytes to spare; skips where we may not mount one."""
    with tempfile.TemporaryDirectory(prefix="mailer-disk-") as folder:
        size = sum(file.stat().st_size for file in site.folder.rglob("*") if file.is_file())
        if os.geteuid() or subprocess.run(_mount(folder, size + spare), capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk takes root")
        try:
            yield Path(shutil.copytree(site.folder, Path(folder) / "site"))
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _mount(folder: str, size: int, how: str = "") -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", f"size={size // 4096 * 4096}{how}", "tmpfs", folder]


@contextmanager
def filled_midway(launcher: Launcher, site: Site, readers: int) -> Iterator[tuple[Site, Relay]]:
    """A run whose journal fills the disk. Yields when room was made."""
    filled(site, readers)
    with small_disk(site, 1_400_000) as folder, Relay() as relay:
        small = Site(folder)
        small.environ |= site.environ
        ended(begun(launcher, small, relay.port), small, relay, 1, FULL[1])
        assert 1 <= relay.copies.total() < readers, "the disk was not filled in the middle of the run"
        assert states(small)["sending"] <= K
        subprocess.run(_mount(str(folder.parent), 64_000_000, ",remount"), check=True)
        yield small, relay


def test_a_disk_that_is_full_ends_the_run_and_after_making_room_the_next_one_goes_on(launcher, site):
    with filled_midway(launcher, site, 400) as (small, relay):
        resumed(small, relay, 400)


def test_a_disk_that_is_full_puts_nothing_in_doubt_that_the_relay_answered(launcher, site):
    with filled_midway(launcher, site, 400) as (small, relay):
        assert nobody_is_in_doubt(small)
        assert resumed(small, relay, 400) == 0


@contextmanager
def read_only_disk(site: Site) -> Iterator[Site]:
    """The site where nothing may be written: by its modes, or, as root, on a file system that forbids it."""
    if os.geteuid():
        bound, modes = site, (0o555, 0o444)
        for file in [site.folder, *site.folder.rglob("*")]:
            file.chmod(modes[file.is_file()])
        yield bound
        for file in [site.folder, *site.folder.rglob("*")]:
            file.chmod(modes[file.is_file()] | 0o200)
        return
    with small_disk(site, 8_000_000) as folder:
        bound = Site(folder)
        bound.environ |= site.environ
        subprocess.run(_mount(str(folder.parent), 16_000_000, ",remount,ro"), check=True)
        yield bound
        subprocess.run(_mount(str(folder.parent), 16_000_000, ",remount,rw"), check=True)


def test_a_disk_that_may_only_be_read_sends_nothing_and_says_so(launcher, site):
    with Relay() as relay, read_only_disk(site) as bound:
        found, _out, err = begun(launcher, bound, relay.port).wait()
        assert (found, err.count("\n")) == (1, 1), err
        assert "can't be written" in err
        assert relay.copies.total() == 0


# --- no descriptors are left


def test_where_no_connection_can_be_opened_for_want_of_descriptors_nobody_failed_and_the_sentence_says_it(
    launcher, site
):
    with Relay() as relay:
        ended(begun(launcher, site, relay.port, "host_faults:no_descriptor"), site, relay, 1, TOO_MANY_FILES)
        assert states(site) == {"pending": READERS}
        assert resumed(site, relay) == 0


def test_where_descriptors_are_short_it_sends_over_the_connections_that_it_got(launcher, site):
    with Relay() as relay:
        code, _out, err = begun(launcher, site, relay.port, "host_faults:few_descriptors").wait()
        assert (code, err) == (0, "")
        only_with_a_permit(site, relay)
        assert resumed(site, relay) == 0


@pytest.mark.parametrize("limit", [5, 6, 9, 14, 20, 26])
def test_where_there_are_hardly_any_descriptors_it_ends_with_a_sentence_and_nothing_is_sent(launcher, site, limit):
    with Relay() as relay:
        ended(begun(launcher, site, relay.port, f"host_faults:only_{limit}"), site, relay, 1, TOO_MANY_FILES)
        assert relay.copies.total() == 0
        assert resumed(site, relay) == 0
