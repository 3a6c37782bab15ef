"""When a feed is asked again: as often as it changes, as seldom as it asks for, and more seldom while it fails."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from statistics import median

REMEMBERED = 10
"""Changes that are remembered of a feed."""
A_DAY = timedelta(days=1)
"""The longest that a failing feed is left alone, and the longest wish of a server that is obeyed."""
_AT_FIRST = timedelta(hours=1)  # until a feed's own rhythm shows
_LOOKS_A_GAP = 4  # so many between two changes: an article waits a quarter of its feed's usual gap at most
_AFTER_FAILURE = timedelta(minutes=15)
_JITTER = 0.1
_MOST_DOUBLINGS = 20

# RSS 1.0's syndication module: how often a feed is updated, within a period.
_PERIODS = {
    "hourly": timedelta(hours=1),
    "daily": A_DAY,
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})\b", re.IGNORECASE | re.ASCII)
_NOT_KEPT = re.compile(r"(?:^|,)\s*no-(?:cache|store)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hints:
    """What a server's headers say on when to come again, as they came; '' where there is none."""

    cache_control: str = ""
    expires: str = ""
    age: str = ""
    date: str = ""
    retry_after: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Hints":
        """From an answer's headers, by their names in lower case."""
        names = ("cache-control", "expires", "age", "date", "retry-after")
        return cls(*(headers.get(name, "") for name in names))


def asked_minutes(ttl: str, period: str = "", frequency: str = "") -> int | None:
    """How long a feed asks to be left alone, by RSS's ttl, else by sy:updatePeriod and sy:updateFrequency."""
    minutes = _whole(ttl)
    if minutes:
        return minutes
    length = _PERIODS.get(period.strip().lower())
    if length is None:
        return None
    return max(1, int(length / (_whole(frequency) or 1) / timedelta(minutes=1)))


def next_poll(
    now: datetime,
    *,
    changes: Sequence[datetime],
    ttl_minutes: int | None,
    hints: Hints,
    soonest: timedelta,
    latest: timedelta,
    chance: float,
) -> datetime:
    """After a poll that went well. `changes`: when the feed had something new, the newest last.

    `chance` in [0, 1) spreads many feeds: up to a tenth later, or sooner where that were too late. What the feed and
    its server ask for is kept, up to a day; else `soonest` and `latest` are the bounds.
    """
    wished = max(timedelta(minutes=ttl_minutes or 0), _fresh_for(hints, now), _retry_after(hints, now))
    wait = min(max(_by_rhythm(changes, now), soonest), latest)
    spread = wait * _JITTER * chance
    wait = wait + spread if wait + spread <= latest else max(wait - spread, soonest)
    return now + max(wait, min(wished, A_DAY))


def next_try(now: datetime, *, failures: int, hints: Hints, soonest: timedelta, chance: float) -> datetime:
    """After `failures` polls in a row that failed: 15, 30, 60 minutes, … up to a day, or later where it asks so."""
    first = max(_AFTER_FAILURE, soonest)
    wait = min(first * (1 << min(failures - 1, _MOST_DOUBLINGS)), A_DAY)
    return now + max(wait * (1 + _JITTER * chance), min(_retry_after(hints, now), A_DAY))


def with_change(changes: Sequence[datetime], *moments: datetime) -> tuple[datetime, ...]:
    """The changes that are remembered from now on."""
    return tuple(sorted({*changes, *moments})[-REMEMBERED:])


def retry_words(hints: Hints) -> str:
    """' and asks to come back in 90 s', or '' where that isn't said."""
    told = hints.retry_after.strip()
    if _whole(told):
        return f" and asks to come back in {_whole(told)} s"
    at = _http_date(told)
    return f" and asks to come back at {at:%Y-%m-%d %H:%M} UTC" if at else ""


def _by_rhythm(changes: Sequence[datetime], now: datetime) -> timedelta:
    past = [moment for moment in changes if moment <= now]
    gaps = [later - earlier for earlier, later in pairwise(past)]
    if not gaps:
        return _AT_FIRST
    # A feed that has been quiet for longer than it used to be is slowing down.
    usual = timedelta(seconds=median(gap.total_seconds() for gap in gaps))
    return max(usual, now - past[-1]) / _LOOKS_A_GAP


def _fresh_for(hints: Hints, now: datetime) -> timedelta:
    """RFC 9111 §4.2: max-age counts before Expires, less the age that a cache on the way had given it."""
    if _NOT_KEPT.search(hints.cache_control):
        return timedelta(0)
    found = _MAX_AGE.search(hints.cache_control)
    if found:
        return max(timedelta(seconds=int(found[1]) - _whole(hints.age)), timedelta(0))
    return _until(hints.expires, hints, now)


def _retry_after(hints: Hints, now: datetime) -> timedelta:
    """RFC 9110 §10.2.3: seconds, or a date."""
    seconds = _whole(hints.retry_after)
    return timedelta(seconds=seconds) if seconds else _until(hints.retry_after, hints, now)


def _until(date: str, hints: Hints, now: datetime) -> timedelta:
    # Counted from the server's own clock, which may be wrong by hours.
    end, start = _http_date(date), _http_date(hints.date) or now
    return max(end - start, timedelta(0)) if end else timedelta(0)


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _whole(text: str) -> int:
    bare = text.strip()
    return int(bare) if re.fullmatch(r"\d{1,9}", bare, re.ASCII) else 0
