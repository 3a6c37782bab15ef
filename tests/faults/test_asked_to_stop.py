"""SIGTERM and Ctrl-C: what is on its way comes to its end, nobody is in doubt, and the last words say what is left."""

import re
import signal

import pytest

from tests.cli.site import Relay, Site
from tests.faults.badrelay import Rule, delay, hang, then
from tests.faults.killing import SEND, K, Killer, begun, filled, states
from tests.faults.served import until

READERS = 60
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@pytest.fixture
def site(site) -> Site:
    filled(site, READERS)
    return site


@SIGNALS
def test_midway_it_stops_after_what_is_under_way_and_says_how_many_are_left(launcher, site, number):
    killer = Killer()
    stop = Rule("DOT", then(killer.strike(number), delay(0.02)), after=10, times=1)
    with Relay(stop, Rule("DOT", delay(0.002))) as relay:
        code, out, err = begun(launcher, site, relay.port, killer=killer).wait()
        left = READERS - relay.copies.total()
        assert 0 < left <= READERS - 11
        assert code == 1
        assert states(site) == {"accepted": READERS - left, "pending": left}, "somebody is in doubt"
        assert "Stopped as asked. Run the same command again to go on." in err
        assert re.search(rf"\b{left} pending\b", out), out
        assert site.did(*SEND).code == 0
        assert set(relay.copies.values()) == {1}
        assert len(relay.copies) == READERS
        site.did("verify")


@SIGNALS
def test_while_it_plans_the_edition_is_made_and_nothing_is_sent(launcher, site, number):
    with Relay() as relay:
        code, out, err = begun(launcher, site, relay.port, f"crash_points:stopped_by_{number.name.lower()}").wait()
        assert code == 1
        assert "Stopped as asked" in err
        assert re.search(rf"\b{READERS} pending\b", out), out
        assert states(site) == {"pending": READERS}
        assert not relay.accepted
        site.did(*SEND)
        assert set(relay.copies.values()) == {1}


@SIGNALS
def test_a_second_time_it_stops_at_once_and_only_what_was_on_the_wire_is_in_doubt(launcher, site, number):
    """The relay never answers, and a first signal alone would wait for it for ten minutes."""
    killer = Killer()
    first = Rule("DOT", then(killer.strike(number), hang()), after=10, times=1)
    with Relay(first, Rule("DOT", hang(), after=10)) as relay:
        child = begun(launcher, site, relay.port, killer=killer)
        until(lambda: "once more to stop at once" in child.err)
        child.kill(number)
        code, _out, err = child.wait()
        assert code in {-number, 128 + number}, err
        assert "Traceback" not in err
        told = f"Stopped at once: up to {K} messages on the way may be in doubt. The next run names them, and sends"
        assert told in err.splitlines()[-1]
    assert 1 <= (doubtful := states(site)["sending"]) <= K
    with Relay() as relay:
        site.use(relay.port)
        assert site.run(*SEND).code == 1
        assert states(site) == {"accepted": READERS - doubtful, "in_doubt": doubtful}
