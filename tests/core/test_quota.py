"""Quotas by the hour and the day, and the rate by the second."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.quota import DAY, HOUR, TokenBucket, minute_of, quota_room, quota_wait, take

NOW = datetime(2026, 11, 24, 7, 0, 30, tzinfo=UTC)
M = minute_of(NOW)


def at(minute):
    return datetime.fromtimestamp(minute * 60, UTC)


@pytest.mark.parametrize(
    ("usage", "per_hour", "per_day", "free", "room"),
    [
        ({}, 0, 0, None, None),
        ({M: 10**6}, 0, 0, None, None),
        ({}, 1, 1, None, 1),
        ({M: 3}, 4, 0, None, 1),
        ({M: 4}, 4, 0, at(M + 61), 0),
        ({M - 10: 4}, 4, 0, at(M + 51), 0),
        ({M - 60: 4}, 4, 0, at(M + 1), 0),
        ({M - 61: 4}, 4, 0, None, 4),
        ({M - 30: 1, M - 10: 3}, 4, 0, at(M + 31), 0),
        ({M - 30: 1, M - 10: 9}, 4, 0, at(M + 51), 0),
        ({M - 1440: 50}, 0, 50, at(M + 1), 0),
        ({M - 1441: 50}, 0, 50, None, 50),
        ({M - 600: 46, M: 4}, 4, 50, at(M + 841), 0),
        ({M - 600: 40, M: 4}, 4, 50, at(M + 61), 0),
        ({M + 30: 4}, 4, 0, at(M + 91), 0),  # the clock was put back
        ({M + 500_000: 4}, 4, 0, None, 4),  # it had been wrong by a year
    ],
)
def test_when_the_next_message_may_go_and_how_many(usage, per_hour, per_day, free, room):
    assert quota_wait(usage, per_hour=per_hour, per_day=per_day, now=NOW) == free
    assert quota_room(usage, per_hour=per_hour, per_day=per_day, now=NOW) == room


@given(
    steps=st.lists(st.integers(0, 5000), max_size=120),
    per_hour=st.integers(0, 6),
    per_day=st.integers(0, 12),
)
def test_no_quota_is_exceeded_in_any_rolling_window(steps, per_hour, per_day):
    now, usage, sent = NOW, {}, []
    for seconds in steps:
        now += timedelta(seconds=seconds)
        free = quota_wait(usage, per_hour=per_hour, per_day=per_day, now=now)
        room = quota_room(usage, per_hour=per_hour, per_day=per_day, now=now)
        assert (free is None) == (room is None or room > 0)
        if free is not None:
            assert now < free <= now + timedelta(minutes=DAY + 1)
            assert quota_wait(usage, per_hour=per_hour, per_day=per_day, now=free - timedelta(seconds=1)) is not None
            assert quota_wait(usage, per_hour=per_hour, per_day=per_day, now=free) is None
            now = free
        usage[minute_of(now)] = usage.get(minute_of(now), 0) + 1
        sent.append(now)
    for most, minutes in ((per_hour, HOUR), (per_day, DAY)):
        for end in sent:
            within = [one for one in sent if end - timedelta(minutes=minutes) <= one <= end]
            assert not most or len(within) <= most


def test_no_rate_is_no_wait():
    bucket = TokenBucket()
    assert take(bucket, 5.0, 0) == (bucket, 0.0)


def test_who_asks_too_early_is_told_how_long_and_takes_nothing():
    bucket, wait = take(TokenBucket(), 100.0, 2.0)
    assert wait == 0
    bucket, wait = take(bucket, 100.0, 2.0)
    assert wait == 0.5
    bucket, wait = take(bucket, 100.25, 2.0)
    assert wait == 0.25
    assert take(bucket, 100.5, 2.0)[1] == 0


@given(
    rate=st.floats(0.01, 5000),
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=200),
    patient=st.booleans(),
)
def test_no_stretch_of_time_has_more_than_the_rate_and_its_burst(rate, steps, patient):
    bucket, now, sent = TokenBucket(), 1000.0, []
    for step in steps:
        now += step / rate
        bucket, wait = take(bucket, now, rate)
        if wait and patient:
            now += wait
            bucket, wait = take(bucket, now, rate)
            assert wait == 0
        if not wait:
            sent.append(now)
    burst = max(1.0, rate * 0.1)
    for first in range(len(sent)):
        for last in range(first, len(sent), 7):
            assert last - first + 1 <= burst + (sent[last] - sent[first]) * rate + 0.01
