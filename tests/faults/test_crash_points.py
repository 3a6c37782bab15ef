"""A kill at each point of a delivery's way, and what of it the ledger and the readers see.

Whatever the point: one copy at least for everyone, two at most for anyone, at most K = connections more than readers,
and a second copy is the first one byte for byte.
"""

import signal
from collections import Counter

import pytest

from tests.cli.site import MONDAY, Relay, Site
from tests.faults.badrelay import Rule, accept, drop, recipient, then
from tests.faults.killing import SEND, K, Killer, begun, filled, states
from tests.faults.launcher import Launcher

READERS = 24
HOURS_LATER = ("2026-11-23T09:00Z", "2026-11-23T10:00Z")
ANN = "reader0@example.com"


@pytest.fixture
def site(site) -> Site:
    filled(site, READERS)
    return site


def killed(launcher: Launcher, site: Site, relay: Relay, point: str = "", killer: Killer | None = None) -> Counter[str]:
    """Send, and be killed. Returns how many deliveries are in each state."""
    child = begun(launcher, site, relay.port, f"crash_points:{point}" if point else "", killer)
    code, out, err = child.wait()
    assert code == -signal.SIGKILL, f"it was not killed: {code} {out} {err}"
    return states(site)


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


@pytest.mark.parametrize(
    ("point", "left"), [("claiming", "pending"), ("claimed", "claimed"), ("permitting", "claimed")]
)
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
        assert relay.copies, "nothing was answered"
        assert 1 <= resumed(site, relay) <= left["sending"]


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
