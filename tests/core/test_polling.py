"""A feed is asked as often as it changes, as seldom as it asks for, and more seldom while it fails."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.polling import Hints, asked_minutes, next_poll, next_try, retry_words, with_change

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING = Hints()


def wait(*hours_ago: float, chance: float = 0, ttl: int | None = None, **hints: str) -> timedelta:
    changes = [NOW - HOUR * ago for ago in sorted(hours_ago, reverse=True)]
    at = next_poll(
        NOW,
        changes=changes,
        ttl_minutes=ttl,
        hints=Hints(**hints),
        soonest=10 * MINUTE,
        latest=DAY,
        chance=chance,
    )
    return at - NOW


@pytest.mark.parametrize(
    ("hours_ago", "expected"),
    [
        ((), HOUR),  # nothing is known of its rhythm
        ((5,), HOUR),
        ((0, 4, 8, 12), HOUR),
        ((0, 0.1, 0.2), 10 * MINUTE),
        ((0, 24, 48), 6 * HOUR),
        ((0, 168, 336), DAY),
        ((0, 4, 8, 1000), HOUR),  # one long silence among many short ones
        ((40, 44, 48), 10 * HOUR),  # quiet for longer than it used to be
        ((-5, 4, 8), HOUR),  # a date in the future is no change that was seen
    ],
)
def test_it_is_asked_about_four_times_between_two_changes_within_bounds(hours_ago, expected):
    assert wait(*hours_ago) == expected


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"ttl": 180}, 3 * HOUR),
        ({"ttl": 30}, HOUR),
        ({"ttl": 30_000}, DAY),
        ({"cache_control": "public, max-age=7200"}, 2 * HOUR),
        ({"cache_control": 'Max-Age="7200"'}, 2 * HOUR),
        ({"cache_control": "max-age=7200", "age": "1800"}, 1.5 * HOUR),
        ({"cache_control": "max-age=60", "age": "1800"}, HOUR),
        ({"cache_control": "s-maxage=7200"}, HOUR),  # meant for shared caches
        ({"cache_control": "no-cache, max-age=7200"}, HOUR),
        ({"cache_control": "max-age=9999999"}, DAY),
        ({"cache_control": "max-age=7200", "expires": "Tue, 24 Nov 2026 07:00:00 GMT"}, 2 * HOUR),
        ({"expires": "Mon, 23 Nov 2026 10:00:00 GMT"}, 3 * HOUR),
        ({"expires": "Mon, 23 Nov 2026 10:00:00 GMT", "date": "Mon, 23 Nov 2026 05:00:00 GMT"}, 5 * HOUR),
        ({"expires": "Mon, 23 Nov 2026 01:00:00 GMT"}, HOUR),
        ({"expires": "0"}, HOUR),
        ({"expires": "Mon, 99 Foo 2026"}, HOUR),
        ({"retry_after": "7200"}, 2 * HOUR),
        ({"ttl": 120, "cache_control": "max-age=10800"}, 3 * HOUR),
    ],
)
def test_what_the_feed_and_its_server_ask_for_is_kept_up_to_a_day(wish, expected):
    assert wait(0, 4, 8, **wish) == expected


@pytest.mark.parametrize(
    ("ttl", "period", "frequency", "minutes"),
    [
        ("60", "", "", 60),
        (" 60 ", "daily", "1", 60),
        ("0", "", "", None),
        ("-5", "", "", None),
        ("soon", "", "", None),
        ("", "hourly", "1", 60),
        ("", "Hourly", "4", 15),
        ("", "daily", "", 1440),
        ("", "daily", "2", 720),
        ("", "weekly", "0", 10_080),
        ("", "hourly", "1000", 1),
        ("", "fortnightly", "1", None),
        ("", "", "3", None),
    ],
)
def test_a_feed_may_ask_to_be_left_alone_in_two_ways(ttl, period, frequency, minutes):
    assert asked_minutes(ttl, period, frequency) == minutes


def test_chance_spreads_feeds_by_a_tenth_but_never_beyond_the_bounds():
    assert wait(0, 4, 8, chance=0.5) == 1.05 * HOUR
    assert wait(0, 168, 336, chance=0.5) == 0.95 * DAY
    assert wait(0, 4, 8, ttl=120, chance=0.9) == 2 * HOUR


def tries(failures: int, **hints: str) -> timedelta:
    return next_try(NOW, failures=failures, hints=Hints(**hints), soonest=10 * MINUTE, chance=0) - NOW


def test_a_feed_that_fails_is_tried_more_and_more_seldom_up_to_a_day():
    assert [tries(n) / MINUTE for n in (1, 2, 3, 4, 7, 8, 9, 10_000)] == [15, 30, 60, 120, 960, 1440, 1440, 1440]
    assert next_try(NOW, failures=1, hints=NOTHING, soonest=2 * HOUR, chance=0) == NOW + 2 * HOUR
    assert next_try(NOW, failures=1, hints=NOTHING, soonest=10 * MINUTE, chance=0.5) == NOW + 15.75 * MINUTE


@pytest.mark.parametrize(
    ("hints", "expected", "words"),
    [
        ({"retry_after": "7200"}, 2 * HOUR, " and asks to come back in 7200 s"),
        ({"retry_after": "60"}, 15 * MINUTE, " and asks to come back in 60 s"),
        ({"retry_after": "99999999"}, DAY, " and asks to come back in 99999999 s"),
        (
            {"retry_after": "Mon, 23 Nov 2026 09:30:00 GMT"},
            2.5 * HOUR,
            " and asks to come back at 2026-11-23 09:30 UTC",
        ),
        (
            {"retry_after": "Mon, 23 Nov 2026 09:30:00 GMT", "date": "Mon, 23 Nov 2026 08:30:00 GMT"},
            HOUR,
            " and asks to come back at 2026-11-23 09:30 UTC",
        ),
        (
            {"retry_after": "Mon, 23 Nov 2020 09:30:00 GMT"},
            15 * MINUTE,
            " and asks to come back at 2020-11-23 09:30 UTC",
        ),
        ({"retry_after": "later"}, 15 * MINUTE, ""),
        ({"retry_after": "-60"}, 15 * MINUTE, ""),
    ],
)
def test_retry_after_is_kept_in_both_its_forms(hints, expected, words):
    assert tries(1, **hints) == expected
    assert retry_words(Hints(**hints)) == words


def test_the_last_ten_changes_are_remembered():
    moments = [NOW - HOUR * n for n in range(20)]
    found = with_change((), *moments)
    assert found == tuple(sorted(moments)[-10:])
    assert with_change(found, NOW + HOUR)[-2:] == (NOW, NOW + HOUR)
    assert with_change((NOW,), NOW) == (NOW,)


ANYTHING = st.text(max_size=20) | st.sampled_from(["max-age=99999999999", "Mon, 23 Nov 9999 23:59:59 -2359", "9" * 400])


@given(
    hints=st.builds(Hints, ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING),
    changes=st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)), max_size=10),  # noqa: DTZ001 hypothesis wants naive bounds
    ttl=st.none() | st.integers(1, 10**9),
    failures=st.integers(1, 10**6),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_the_next_time_is_never_sooner_than_the_bound_nor_much_later_than_a_day(hints, changes, ttl, failures, chance):
    bounds = {"soonest": 10 * MINUTE, "chance": chance, "hints": hints}
    at = next_poll(NOW, changes=sorted(changes), ttl_minutes=ttl, latest=DAY, **bounds)
    assert 10 * MINUTE <= at - NOW <= DAY
    assert 10 * MINUTE <= next_try(NOW, failures=failures, **bounds) - NOW <= 1.1 * DAY
