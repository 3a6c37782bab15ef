"""An edition paused, resumed and cancelled from one process while another sends it to a relay that is not always well.

The seed is printed where a test fails.
"""

import random
import time
from contextlib import contextmanager

import pytest

from tests.cli.site import MONDAY, Site
from tests.faults.badrelay import BadRelayProcess
from tests.faults.served import until

CONNECTIONS = 10
SEND = ("send", "--cadence", "weekly", "--now", MONDAY)


@contextmanager
def readers(site: Site, folder, count: int, *scripts: str):
    """So many weekly readers, and a relay that takes its time. Gives the relay."""
    site.publish("one")
    site.join(*(f"r{number}" for number in range(count)))
    site.environ["MAILER_SMTP__CONNECTIONS"] = str(CONNECTIONS)
    with BadRelayProcess(folder / "accepted.jsonl", "slow-dot", *scripts) as relay:
        site.use(relay.port)
        yield relay


def sum_holds(site: Site) -> bool:
    (planned,), (there,) = site.ask("SELECT sum(planned) FROM editions"), site.ask("SELECT count(*) FROM deliveries")
    return planned == there


def test_a_pause_is_in_force_within_one_message_per_connection(site, tmp_path):
    with readers(site, tmp_path, 1_500) as relay:
        sending = site.start(*SEND)
        until(lambda: len(relay.read_log()) > 50 or sending.poll() is not None)

        site.did("editions", "pause", "1")

        committed = time.time()
        _, err = sending.communicate(timeout=60)
        taken = relay.read_log()
        assert 50 < len(taken) < 1_500, "the run was over before it was paused"
        assert sum(one.time > committed for one in taken) <= CONNECTIONS
        assert sending.returncode == 1
        assert f"weekly 2026-W48 is paused by hand: {len(taken):,} of 1,500 accepted" in err
        assert "Go on: mailer editions resume 1" in err
        assert site.ask("SELECT count(*) FROM deliveries WHERE state = 'accepted'") == [(len(taken),)]

        site.did("editions", "resume", "1", "--now", MONDAY)
        site.did("editions", "send", "1", "--now", MONDAY)
        assert len(relay.copies) == 1_500
        assert set(relay.copies.values()) == {1}
    site.did("verify")


def test_paused_resumed_and_cancelled_again_and_again_nobody_gets_two_copies_and_the_sums_hold(site, tmp_path):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201  # shown where it fails
    chance = random.Random(seed)
    count = 2_000
    with readers(site, tmp_path, count, "defer-every-10th") as relay:
        sending = site.start(*SEND)
        until(lambda: relay.read_log() or sending.poll() is not None)
        for _ in range(8):
            site.did("editions", "pause", "1")
            assert sum_holds(site)
            # Sometimes the run has ended by then, and sometimes it goes on.
            time.sleep(chance.random() * 0.2)
            site.did("editions", "resume", "1", "--now", MONDAY)
            if sending.poll() is not None:
                assert sending.returncode == 1
                sending.communicate()
                sending = site.start(*SEND)
            time.sleep(chance.random() * 0.2)
        if sending.poll() is not None:
            sending = site.start(*SEND)
        before = len(relay.read_log())  # more than was on the wire: it is in the middle of it
        until(lambda: len(relay.read_log()) > before + CONNECTIONS or sending.poll() is not None)

        site.did("editions", "cancel", "1", "--now", MONDAY)

        committed = time.time()
        _, err = sending.communicate(timeout=60)
        taken = relay.read_log()
        assert sending.returncode == 1
        assert "weekly 2026-W48 was cancelled meanwhile: " in err
        assert sum(one.time > committed for one in taken) <= CONNECTIONS
        assert 0 < len(taken) < count
        assert set(relay.copies.values()) == {1}
        states = dict(site.ask("SELECT state, count(*) FROM deliveries GROUP BY state"))
        assert states == {"accepted": len(taken), "skipped": count - len(taken)}
        ((state, done_at),) = site.ask("SELECT state, done_at FROM editions")
        assert (state, done_at is not None) == ("cancelled", True)
        site.did("verify")

    # Those who got nothing are due its article next time. Now it puts off readers, and not us, which would slow us.
    site.environ["MAILER_SMTP__CONNECTIONS"] = "40"
    with BadRelayProcess(relay.log, "defer-every-53rd") as relay:
        site.use(relay.port)
        for hour in ("08", "10", "12", "14", "16"):
            site.run("send", "--cadence", "weekly", "--now", f"2026-11-30T{hour}:00Z")
        assert set(relay.copies.values()) == {1}
        assert len(relay.copies) == count
        assert sum_holds(site)
    site.did("verify")


@pytest.mark.parametrize("command", ["pause", "cancel"])
def test_what_is_said_in_the_middle_of_a_bare_send_is_told_at_its_end(site, tmp_path, command):
    with readers(site, tmp_path, 600) as relay:
        sending = site.start("send", "--now", MONDAY)
        until(lambda: relay.read_log() or sending.poll() is not None)
        site.did("editions", command, "1")
        _, err = sending.communicate(timeout=60)
    assert sending.returncode == 1
    assert "weekly 2026-W48" in err
    assert {"pause": "is paused by hand", "cancel": "was cancelled meanwhile"}[command] in err
