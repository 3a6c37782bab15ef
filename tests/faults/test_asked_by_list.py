"""Readers whom an operator's list brought in are asked by mail, so many an hour, once each, whatever happens."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.site import Relay, Site
from tests.faults.badrelay import Rule, delay
from tests.faults.served import BROAD, Served, until

READERS, AN_HOUR, CONNECTIONS = 250, 100, 2


def later(**amount: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**amount):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def listed(site) -> str:
    """The file's name."""
    return site.write("list.csv", "email\n" + "".join(f"r{number}@example.com\n" for number in range(READERS)))


def take_in(site: Site, file: str) -> None:
    site.did("subscribers", "import", file, "--cadence", "weekly", "--consent", "asked at the desk")


def test_a_hundred_are_asked_in_an_hour_and_a_visitor_of_the_form_does_not_wait_behind_them(site, relay, listed):
    with Served(site, **BROAD) as pages:
        take_in(site, listed)
        until(lambda: relay.copies.total() == AN_HOUR)
        site.did("subscribers", "add", "added@example.com", "--cadence", "weekly")

        pages.sign_up("visitor@example.com")

        until(lambda: relay.copies["visitor@example.com"], seconds=10)
        time.sleep(2.5)  # the server has looked twice more
        assert relay.copies.total() == AN_HOUR + 1
        pages.stop()
    site.did("send", "--now", later(minutes=50))
    assert relay.copies.total() == AN_HOUR + 1
    site.did("send", "--now", later(minutes=61))
    assert relay.copies.total() == 2 * AN_HOUR + 1
    site.did("send", "--now", later(minutes=100))
    assert relay.copies.total() == 2 * AN_HOUR + 1
    site.did("send", "--now", later(minutes=122))
    assert relay.copies["added@example.com"] == 1
    assert Counter(relay.copies.values()) == {1: READERS + 2}
    site.did("send", "--now", later(minutes=300))
    assert relay.copies.total() == READERS + 2
    site.did("verify")


def test_killed_in_the_middle_and_begun_again_everybody_is_asked_by_one_mail(site, listed):
    with Relay(Rule("DOT", delay(0.03))) as slow:
        site.use(slow.port)
        site.environ["MAILER_SMTP__CONNECTIONS"] = str(CONNECTIONS)
        take_in(site, listed)
        take_in(site, listed)
        for hours, at in ((0, 20), (1.1, 130)):
            sending = site.start("send", "--now", later(hours=hours))
            until(lambda at=at: slow.copies.total() >= at)
            sending.kill()
            sending.communicate()
        for hours in (1.2, 2.4, 3.6, 4.8):
            site.run("send", "--now", later(hours=hours))

        copies = slow.copies

    doubts = copies.total() - READERS
    assert len(copies) == READERS
    # What was on the wire when it was killed may come twice: one for each connection and kill.
    assert 0 <= doubts <= 2 * CONNECTIONS
    assert max(copies.values()) <= 2
    states = dict(site.ask("SELECT state, count(*) FROM deliveries GROUP BY state"))
    assert states == {"accepted": READERS}
    assert site.ask("SELECT count(*), count(DISTINCT subscriber_id) FROM notices") == [(READERS, READERS)]
    site.did("verify")
