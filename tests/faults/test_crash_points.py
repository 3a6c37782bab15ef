"""A kill at each point of a delivery's way, and what of it the ledger and the readers see.

Whatever the point: one copy at least for everyone, two at most for anyone, at most K = connections more than readers,
and a second copy is the first one byte for byte.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.site import MONDAY, Relay, Site
from tests.faults.badrelay import Action, Rule, accept, delay, drop, recipient, then
from tests.faults.launcher import Child, Launcher

K, READERS = 4, 24
HOURS_LATER = ("2026-11-23T09:00Z", "2026-11-23T10:00Z")
ANN = "reader0@example.com"
SEND = ("send", "--cadence", "weekly", "--now", MONDAY)
POINTS = "tests.faults.crash_points"


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as started:
        yield started


@pytest.fixture
def site(site) -> Site:
    """Readers, something to read, and K connections."""
    site.environ["MAILER_SMTP__CONNECTIONS"] = str(K)
    site.publish("one", "two")
    site.join(*(f"reader{number}" for number in range(READERS)))
    return site


@dataclass
class Killer:
    """Kills a child from the relay's side of the wire, at the very step of the dialogue that a rule names."""

    child: Child | None = None
    struck: list[str] = field(default_factory=list)

    def strike(self) -> Action:
        """Kill the child; go on when it is dead."""

        async def act(scene) -> None:
            while self.child is None:
                await asyncio.sleep(0.001)
            self.struck.append(scene.recipient)
            os.kill(self.child.pid, signal.SIGKILL)
            # A zombie until it is waited for, and nothing but that: its last instruction is behind it.
            while Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
                await asyncio.sleep(0.001)

        return act


def killed(launcher: Launcher, site: Site, relay: Relay, point: str = "", killer: Killer | None = None) -> Counter[str]:
    """Send, and be killed. Returns how many deliveries are in each state."""
    site.use(relay.port)
    child = launcher.start(
        *SEND, folder=site.folder, environ=site.surroundings, patch=f"{POINTS}:{point}" if point else ""
    )
    if killer is not None:
        killer.child = child
    code, out, err = child.wait()
    assert code == -signal.SIGKILL, f"it was not killed: {code} {out} {err}"
    return states(site)


def states(site: Site) -> Counter[str]:
    return Counter(dict(site.ask("SELECT state, count(*) FROM deliveries GROUP BY state")))


def resumed(site: Site, relay: Relay) -> int:
    """Run again, and again later, until all is settled. Returns how many copies there are beyond one for each."""
    for now in (MONDAY, *HOURS_LATER):
        ended = site.run("send", "--cadence", "weekly", "--now", now)
        assert ended.code in {0, 1}, ended.all
    copies, identities = relay.copies, {(one.recipient, one.message_id, one.data) for one in relay.accepted}
    assert states(site) == {"accepted": READERS}
    assert len(copies) == READERS, "somebody got nothing"
    assert max(copies.values()) <= 2
    assert len(identities) == READERS, "a second copy is not the first"
    assert site.ask("SELECT count(*) FROM editions") == [(1,)]
    site.did("verify")
    extra = copies.total() - READERS
    assert extra <= K
    return extra


def nothing_was_said(relay: Relay) -> bool:
    """No message was begun on any connection."""
    return not any(line.text.upper().startswith(b"MAIL") for line in relay.lines)


def test_killed_in_planning_there_is_no_edition_and_the_next_run_makes_it_whole(launcher, site):
    with Relay() as relay:
        assert killed(launcher, site, relay, "planning") == {}
        assert site.ask("SELECT count(*) FROM editions") == [(0,)]
        assert resumed(site, relay) == 0


def test_killed_after_planning_the_edition_is_there_with_everyone_and_is_not_made_again(launcher, site):
    with Relay() as relay:
        assert killed(launcher, site, relay, "planned") == {"pending": READERS}
        assert resumed(site, relay) == 0


@pytest.mark.parametrize(("point", "left"), [("claiming", "pending"), ("claimed", "claimed"), ("permitting", "claimed")])
def test_killed_before_a_permit_is_committed_nothing_was_said_to_the_relay_and_nobody_is_in_doubt(
    launcher, site, point, left
):
    with Relay() as relay:
        assert killed(launcher, site, relay, point) == {left: READERS}
        assert nothing_was_said(relay)
        assert site.did(*SEND).code == 0, "somebody was in doubt"
        assert resumed(site, relay) == 0


def test_killed_between_permit_and_mail_those_with_a_permit_are_in_doubt_and_get_their_first_copy_later(launcher, site):
    with Relay() as relay:
        left = killed(launcher, site, relay, "permitted")
        assert left.keys() == {"sending", "claimed"}
        assert left["sending"] <= K
        assert nothing_was_said(relay)
        assert site.run(*SEND).code == 1
        assert states(site) == {"accepted": READERS - left["sending"], "in_doubt": left["sending"]}
        assert resumed(site, relay) == 0


def test_killed_in_mid_body_the_relay_has_nothing_of_that_message_and_its_reader_gets_one(launcher, site):
    """The message is larger than all buffers between the two, so that its dot can't have been sent."""
    killer = Killer()
    rule = Rule("BODY", then(killer.strike(), drop()), when=recipient(ANN), times=1, after_bytes=65_536)
    with Relay(rule) as relay:
        left = killed(launcher, site, relay, "huge", killer)
        assert 1 <= left["sending"] <= K
        assert relay.copies[ANN] == 0
        extra = resumed(site, relay)
        assert relay.copies[ANN] == 1
        assert extra < K


def test_killed_after_the_dot_and_the_relay_lost_it_too_the_reader_gets_one(launcher, site):
    killer = Killer()
    with Relay(Rule("DOT", then(killer.strike(), drop()), when=recipient(ANN), times=1)) as relay:
        left = killed(launcher, site, relay, killer=killer)
        assert 1 <= left["sending"] <= K
        extra = resumed(site, relay)
        assert relay.copies[ANN] == 1
        assert extra < K


def test_killed_after_the_dot_and_the_relay_has_it_the_reader_gets_the_same_mail_twice(launcher, site):
    killer = Killer()
    with Relay(Rule("DOT", then(killer.strike(), accept(), drop()), when=recipient(ANN), times=1)) as relay:
        left = killed(launcher, site, relay, killer=killer)
        assert 1 <= left["sending"] <= K
        resumed(site, relay)
        assert relay.copies[ANN] == 2


@pytest.mark.parametrize("point", ["answered", "noting"])
def test_killed_after_the_250_before_its_result_is_committed_at_most_k_get_a_second_copy(launcher, site, point):
    with Relay() as relay:
        left = killed(launcher, site, relay, point)
        assert left["accepted"] == 0, "the result was committed"
        assert left["sending"] <= K
        taken = len(relay.copies)
        assert 1 <= taken <= K
        assert resumed(site, relay) == taken


def test_killed_after_the_result_its_reader_is_not_sent_to_again(launcher, site):
    with Relay() as relay:
        left = killed(launcher, site, relay, "noted")
        assert left["accepted"] >= 1
        assert left["sending"] <= K
        known = [row[0] for row in site.ask(_ACCEPTED)]
        resumed(site, relay)
        assert [relay.copies[address] for address in known] == [1] * len(known)


_ACCEPTED = (
    "SELECT email FROM subscribers JOIN deliveries ON deliveries.subscriber_id = subscribers.id "
    "WHERE deliveries.state = 'accepted'"
)
