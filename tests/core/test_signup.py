"""What becomes of a form: a table of what is known of an address, and the edges of each limit."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mailer.core.signup import BOUNCE_REST, MAILED, Counts, Outcome, SignupOptions, decide, is_barred
from mailer.core.subscription import State
from tests.stories import DAY, MONDAY

OPTIONS = SignupOptions()
A_MOMENT = timedelta(milliseconds=1)


def decided(state=None, barred="", bounced_at=None, domain="example.com", options=OPTIONS, **counts):
    return decide(state, barred, bounced_at, domain, Counts(**counts), options=options, now=MONDAY)


@pytest.mark.parametrize(
    ("state", "barred", "told", "outcome"),
    [
        (None, "", False, Outcome.CONFIRM),
        (State.PENDING, "", False, Outcome.CONFIRM),
        (State.UNSUBSCRIBED, "", False, Outcome.CONFIRM),
        (State.BOUNCED, "", False, Outcome.CONFIRM),
        (State.ACTIVE, "", False, Outcome.ALREADY),
        (State.PAUSED, "", False, Outcome.ALREADY),
        (State.ACTIVE, "", True, Outcome.QUIET),
        (State.PAUSED, "", True, Outcome.QUIET),
        (State.COMPLAINED, "", False, Outcome.BARRED),
        (State.COMPLAINED, "", True, Outcome.BARRED),
        # An erased reader may come back, whoever asked never to be mailed may not.
        (None, "erased", False, Outcome.CONFIRM),
        (State.PENDING, "erased", False, Outcome.CONFIRM),
        (None, "asked_never", False, Outcome.BARRED),
        (State.UNSUBSCRIBED, "asked_never", False, Outcome.BARRED),
        (State.ACTIVE, "asked_never", False, Outcome.BARRED),
        (None, "complained", False, Outcome.BARRED),
        (None, "a reason of a later version", False, Outcome.BARRED),
        # Nobody knows since when: nobody can say that it is long enough ago.
        (State.BOUNCED, "bounced", False, Outcome.BARRED),
    ],
)
def test_what_is_known_of_an_address_decides(state, barred, told, outcome):
    assert decided(state, barred, told_already=told) is outcome


@pytest.mark.parametrize(
    ("ago", "outcome"),
    [
        (timedelta(0), Outcome.BARRED),
        (BOUNCE_REST - A_MOMENT, Outcome.BARRED),
        (BOUNCE_REST, Outcome.CONFIRM),
        (BOUNCE_REST + DAY, Outcome.CONFIRM),
        # A clock that was set back.
        (-DAY, Outcome.BARRED),
    ],
)
def test_after_a_bounce_a_sign_up_is_taken_again_in_30_days(ago, outcome):
    assert decided(State.BOUNCED, "bounced", MONDAY - ago) is outcome
    assert is_barred("bounced", MONDAY - ago, MONDAY) is (outcome is Outcome.BARRED)


@pytest.mark.parametrize(
    ("reason", "barred"),
    [("", False), ("erased", False), ("bounced", True), ("asked_never", True), ("complained", True), ("new", True)],
)
def test_who_is_kept_out_whatever_the_time(reason, barred):
    assert is_barred(reason, MONDAY, MONDAY) is barred


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [
        ({"network_hour": 4}, Outcome.CONFIRM),
        ({"network_hour": 5}, Outcome.NETWORK),
        ({"network_hour": 6}, Outcome.NETWORK),
        ({"network_day": 19}, Outcome.CONFIRM),
        ({"network_day": 20}, Outcome.NETWORK),
        ({"address_pause": 1}, Outcome.ADDRESS),
        ({"address_day": 2}, Outcome.CONFIRM),
        ({"address_day": 3}, Outcome.ADDRESS),
        ({"address_month": 4}, Outcome.CONFIRM),
        ({"address_month": 5}, Outcome.ADDRESS),
        ({"domain_hour": 19}, Outcome.CONFIRM),
        ({"domain_hour": 20}, Outcome.DOMAIN),
        ({"burst": 199}, Outcome.CONFIRM),
        ({"burst": 200}, Outcome.HELD),
        ({"holding": True}, Outcome.HELD),
        # Several at once: what sends nothing goes before what is held.
        ({"holding": True, "network_hour": 5}, Outcome.NETWORK),
        ({"holding": True, "address_day": 3}, Outcome.ADDRESS),
        ({"holding": True, "domain_hour": 20}, Outcome.DOMAIN),
    ],
)
def test_each_limit_holds_at_its_edge(counts, outcome):
    assert decided(**counts) is outcome


@pytest.mark.parametrize(
    ("option", "count"),
    [
        ("network_per_hour", "network_hour"),
        ("network_per_day", "network_day"),
        ("address_per_day", "address_day"),
        ("address_per_month", "address_month"),
        ("domain_per_hour", "domain_hour"),
        ("burst", "burst"),
    ],
)
def test_each_limit_is_the_operators(option, count):
    seven = OPTIONS.model_copy(update={option: 7})
    assert decided(options=seven, **{count: 6}) is Outcome.CONFIRM
    assert decided(options=seven, **{count: 7}) is not Outcome.CONFIRM


def test_a_big_provider_has_no_limit_of_its_own():
    assert decided(domain="gmail.com", domain_hour=1000) is Outcome.CONFIRM
    assert decided(domain="gmail.com.example.org", domain_hour=1000) is Outcome.DOMAIN
    one = OPTIONS.model_copy(update={"big_domains": ("large.example",)})
    assert decided(domain="large.example", domain_hour=20) is Outcome.DOMAIN
    assert decided(domain="large.example", domain_hour=20, options=one) is Outcome.CONFIRM


@given(
    state=st.sampled_from([None, *State]),
    barred=st.sampled_from(["", "bounced", "erased", "asked_never", "complained"]),
    days=st.integers(-1, 60),
    counts=st.builds(
        Counts,
        address_pause=st.integers(0, 2),
        address_day=st.integers(0, 6),
        address_month=st.integers(0, 9),
        network_hour=st.integers(0, 9),
        network_day=st.integers(0, 30),
        domain_hour=st.integers(0, 30),
        burst=st.integers(0, 300),
        holding=st.booleans(),
        told_already=st.booleans(),
    ),
)
def test_a_mail_goes_to_nobody_who_is_kept_out_or_there_and_over_no_limit(state, barred, days, counts):
    since = MONDAY - timedelta(days=days) if barred else None
    outcome = decide(state, barred, since, "example.com", counts, options=OPTIONS, now=MONDAY)
    if outcome in MAILED:
        assert state not in {State.ACTIVE, State.PAUSED, State.COMPLAINED}
        assert not is_barred(barred, since, MONDAY)
        assert counts.address_pause == 0
        assert counts.address_day < 3
        assert counts.address_month < 5
        assert counts.domain_hour < 20
    if outcome is Outcome.ALREADY:
        assert not counts.told_already
    if outcome is not Outcome.NETWORK:
        assert counts.network_hour < 5
        assert counts.network_day < 20
    if outcome is Outcome.CONFIRM:
        more = replace(counts, holding=True)
        assert decide(state, barred, since, "example.com", more, options=OPTIONS, now=MONDAY) is Outcome.HELD


@pytest.mark.parametrize(
    "wrong",
    [
        {"network_per_hour": 0},
        {"address_per_day": 0},
        {"link_days": 0},
        {"link_days": 31},
        {"burst_within": timedelta(0)},
        {"privacy_url": "ftp://x.example"},
        {"privacy_url": "javascript:alert(1)"},
        {"network_per_minute": 1},
    ],
)
def test_settings_that_would_switch_a_limit_off_or_mean_nothing_are_refused(wrong):
    with pytest.raises(ValidationError):
        SignupOptions(**wrong)
