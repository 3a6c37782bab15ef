"""How much a relay may be given: by the second, by the hour, by the day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

HOUR, DAY = 60, 24 * 60
"""In minutes."""

Usage = Mapping[int, int]
"""Permits of one relay by minute (`minute_of`), of the last day and a minute at least."""


def minute_of(now: datetime) -> int:
    """Whole minutes since 1970."""
    return int(now.timestamp()) // 60


def quota_wait(usage: Usage, *, per_hour: int, per_day: int, now: datetime) -> datetime | None:
    """When the next message may go; None: now. A quota of 0 is none.

    The windows roll: in no 60 minutes and no 24 hours more than so many. A minute that has not wholly left the window
    counts wholly.
    """
    minute = minute_of(now)
    free = [_free_at(usage, most, window, minute) for most, window in ((per_hour, HOUR), (per_day, DAY)) if most]
    latest = max(free, default=minute)
    return datetime.fromtimestamp(latest * 60, UTC) if latest > minute else None


def quota_room(usage: Usage, *, per_hour: int, per_day: int, now: datetime) -> int | None:
    """How many may go now, and later too without asking again: only time makes it more. None: no quota is set."""
    rooms = [most - counted_in(usage, window, now) for most, window in ((per_hour, HOUR), (per_day, DAY)) if most]
    return max(0, min(rooms)) if rooms else None


def counted_in(usage: Usage, window: int, now: datetime) -> int:
    """How many count in the window, `HOUR` or `DAY`."""
    return sum(count for _, count in _counting(usage, window, minute_of(now)))


def _free_at(usage: Usage, most: int, window: int, minute: int) -> int:
    """The first minute in which fewer than `most` count."""
    counting = sorted(_counting(usage, window, minute))
    number = sum(count for _, count in counting)
    free = minute
    for at, count in counting:
        if number < most:
            break
        number -= count
        free = at + window + 1
    return free


def _counting(usage: Usage, window: int, minute: int) -> Iterable[tuple[int, int]]:
    # A clock may have been put back by less than a day; what lies further ahead was written by one that was wrong.
    return ((at, count) for at, count in usage.items() if minute - window <= at <= minute + DAY and count > 0)


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """What may go at once, at a moment of a clock that only goes forward."""

    tokens: float = 1.0
    at: float = 0.0


def take(bucket: TokenBucket, at: float, rate: float) -> tuple[TokenBucket, float]:
    """Take one message's token. The second value: seconds until there is one; above 0, nothing was taken.

    `rate`: messages a second, 0 for no limit. At most a tenth of a second's worth goes at once, or one message.
    """
    if rate <= 0:
        return bucket, 0.0
    tokens = min(max(1.0, rate * 0.1), bucket.tokens + max(0.0, at - bucket.at) * rate)
    if tokens >= 1 - _ROUNDING:
        return TokenBucket(tokens - 1, at), 0.0
    return TokenBucket(tokens, at), (1 - tokens) / rate


_ROUNDING = 1e-6
"""Who waits as long as told must find a token."""
