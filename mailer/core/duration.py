"""Lengths of time as people write them: '90s', '30m', '12h', '3d', '1h30m'."""

import math
import re
import reprlib
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

LONGEST = timedelta(days=3660)  # ten years: longer is a slip of the hand, and sums with dates stay in range

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = r"(?:(\d+(?:\.\d+)?){unit})?"
_WRITTEN = re.compile("".join(_PART.format(unit=unit) for unit in _SECONDS), re.ASCII)
_BARE = re.compile(r"\d+(\.\d+)?", re.ASCII)


def parse_duration(value: str | float | timedelta) -> timedelta:
    """From text, largest unit first, or from a number of seconds. ValueError: a sentence that says what is allowed."""
    if isinstance(value, timedelta):
        length = value.total_seconds()
    elif isinstance(value, str):
        length = _seconds_of(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        length = float(value)
    else:
        length = math.nan
    if not 0 <= length <= LONGEST.total_seconds():  # false for NaN, too
        raise ValueError(
            f"{reprlib.repr(value)} is not a length of time; "
            "allowed: '90s', '30m', '12h', '3d', '1h30m' or a number of seconds"
        )
    return timedelta(seconds=length)


def show_duration(length: timedelta) -> str:
    """The short form, which `parse_duration` reads back as the same: '1h30m', '0s', '0.25s'."""
    seconds = length.seconds
    counts = {"d": length.days, "h": seconds // 3_600, "m": seconds % 3_600 // 60}
    shown = "".join(f"{count}{unit}" for unit, count in counts.items() if count)
    whole, fraction = seconds % 60, f"{length.microseconds:06d}".rstrip("0")
    if fraction:
        return f"{shown}{whole}.{fraction}s"
    return f"{shown}{whole}s" if whole or not shown else shown


def _seconds_of(text: str) -> float:
    written = text.lower().replace(" ", "")
    if _BARE.fullmatch(written):
        return float(written)  # the environment has only text: a bare number is seconds, as it is in the file
    match = _WRITTEN.fullmatch(written)
    if not written or not match:
        return math.nan
    return sum(float(count) * scale for count, scale in zip(match.groups(), _SECONDS.values(), strict=True) if count)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(show_duration, return_type=str),
]
"""A setting that is a length of time: written as text or as a number of seconds, shown back as text."""
