"""A message that crashes the sender each time it is sent: tried twice, then held by name, and the rest goes out."""

import signal

from tests.cli.site import Relay, Site
from tests.faults.badrelay import Rule, delay, drop, recipient, then
from tests.faults.killing import K, Killer, begun, filled, states
from tests.faults.launcher import Launcher

READERS = 24
DEADLY = "reader7@example.com"


def survived(launcher: Launcher, site: Site, connections: int) -> tuple[list[int], Relay]:
    """Runs, an hour between each two, until one is not killed. Returns how each ended, and the relay as it was."""
    filled(site, READERS)
    site.environ["MAILER_SMTP__CONNECTIONS"] = str(connections)
    killer, codes = Killer(), []
    # As soon as its RCPT is there; others are on the wire beside it, which the delay sees to.
    rules = (Rule("RCPT", then(killer.strike(), drop()), when=recipient(DEADLY)), Rule("DOT", delay(0.02)))
    with Relay(*rules) as relay:
        for hour in range(8, 14):
            now = f"2026-11-23T{hour:02}:00Z"
            codes.append(begun(launcher, site, relay.port, killer=killer, now=now).wait()[0])
            if codes[-1] != -signal.SIGKILL:
                break
    assert max(relay.copies.values()) <= 2
    site.did("verify")
    return codes, relay


def held(site: Site) -> set[str]:
    asked = (
        "SELECT email FROM subscribers s JOIN deliveries d ON d.subscriber_id = s.id WHERE d.state = 'in_doubt_held'"
    )
    return {row[0] for row in site.ask(asked)}


def test_with_one_connection_it_is_held_after_two_times_and_all_the_rest_are_sent(launcher, site):
    codes, relay = survived(launcher, site, 1)
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 1]
    assert states(site) == {"accepted": READERS - 1, "in_doubt_held": 1}
    assert held(site) == {DEADLY}
    assert len(relay.copies) == READERS - 1
    assert site.json("editions", "show", "1")["state"] == "done"


def test_with_several_connections_it_alone_is_held_and_all_the_rest_are_sent(launcher, site):
    """Those beside it the first time are sent one by one afterwards, so that the second time it is alone."""
    codes, relay = survived(launcher, site, K)
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 1]
    assert held(site) == {DEADLY}
    assert states(site) == {"accepted": READERS - 1, "in_doubt_held": 1}
    assert len(relay.copies) == READERS - 1
    assert DEADLY not in relay.copies
