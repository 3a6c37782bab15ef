"""Lengths of time as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mailer.core.duration import Duration, parse_duration, show_duration


@pytest.mark.parametrize(
    ("written", "seconds", "shown"),
    [
        ("90s", 90, "1m30s"),
        ("30m", 1_800, "30m"),
        ("12h", 43_200, "12h"),
        ("3d", 259_200, "3d"),
        ("1h30m", 5_400, "1h30m"),
        ("1d 2H", 93_600, "1d2h"),
        ("600s", 600, "10m"),
        ("1.5h", 5_400, "1h30m"),
        ("0.25s", 0.25, "0.25s"),
        ("0s", 0, "0s"),
        ("90", 90, "1m30s"),
        (90, 90, "1m30s"),
        (0.5, 0.5, "0.5s"),
        (timedelta(minutes=5), 300, "5m"),
    ],
)
def test_a_length_of_time_is_read_and_shown_back(written, seconds, shown):
    assert parse_duration(written) == timedelta(seconds=seconds)
    assert show_duration(parse_duration(written)) == shown


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "s",
        "30x",
        "30m1h",
        "-3s",
        "1w",
        "soon",
        "٣s",
        "9" * 400,
        "4000d",
        -1,
        True,
        None,
        [],
        float("nan"),
        1e99,
    ],
)
def test_a_wrong_length_of_time_is_refused_with_what_is_allowed(wrong):
    with pytest.raises(ValueError, match="is not a length of time; allowed: '90s', '30m', '12h', '3d', '1h30m'"):
        parse_duration(wrong)


@given(st.timedeltas(timedelta(0), timedelta(days=3660)))
def test_what_is_shown_is_read_back_as_the_same(length):
    assert parse_duration(show_duration(length)) == length


def test_a_setting_takes_it_and_shows_it_back():
    class Options(BaseModel):
        lease: Duration = timedelta(minutes=5)

    assert Options(lease="1h30m").lease == timedelta(minutes=90)
    assert Options().model_dump() == {"lease": "5m"}
    with pytest.raises(ValidationError, match="is not a length of time"):
        Options(lease="soon")
