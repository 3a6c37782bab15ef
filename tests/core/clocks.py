"""Sixty-odd zones, and what their clocks show, reckoned without the rules of daylight saving.

Between two changes of a zone's offset its clock is UTC and a constant, so that the first instant at which it shows a
time, or a later one, is found piece by piece: no `fold`, no gaps, nothing that the code under test leans on.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from mailer.core.cadence import Cadence, CadenceOptions

# Every kind of clock there is: no summer time, half hours, negative summer time, changes at midnight, Ramadan pauses,
# days skipped at the date line, both ends of the world.
ZONES = [
    "UTC", "Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Africa/Johannesburg", "Africa/Juba",
    "Africa/Lagos", "Africa/Monrovia", "Africa/Nairobi", "America/Anchorage", "America/Asuncion", "America/Bogota",
    "America/Caracas", "America/Chicago", "America/Goose_Bay", "America/Halifax", "America/Havana",
    "America/Los_Angeles", "America/Mexico_City", "America/Miquelon", "America/New_York", "America/Noronha",
    "America/Nuuk", "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns",
    "Antarctica/Casey", "Antarctica/Troll", "Asia/Almaty", "Asia/Amman", "Asia/Beirut", "Asia/Damascus", "Asia/Dhaka",
    "Asia/Gaza", "Asia/Jerusalem", "Asia/Kabul", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang", "Asia/Shanghai",
    "Asia/Tehran", "Asia/Tokyo", "Asia/Ulaanbaatar", "Asia/Yangon", "Atlantic/Azores", "Atlantic/Reykjavik",
    "Australia/Adelaide", "Australia/Brisbane", "Australia/Eucla", "Australia/Lord_Howe", "Australia/Sydney",
    "Europe/Berlin", "Europe/Chisinau", "Europe/Dublin", "Europe/Istanbul", "Europe/Lisbon", "Europe/London",
    "Europe/Moscow", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Fiji",
    "Pacific/Kiritimati", "Pacific/Kwajalein", "Pacific/Marquesas", "Pacific/Norfolk", "Pacific/Pago_Pago",
    "Pacific/Tongatapu",
]  # fmt: skip
FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2060, 12, 31, tzinfo=UTC)
_DAY = timedelta(days=1)
_STEP = 4 * _DAY  # no zone changes its clocks twice within four days; the shortest pause, a Ramadan, has four weeks


def cadence(when: str, zone: str = "UTC", **options) -> Cadence:
    return Cadence.of("any", CadenceOptions(when=when, **options), zone)


def at(text: str, zone: str = "UTC") -> datetime:
    """'2026-11-23 07:30' on that zone's clock, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@dataclass(frozen=True)
class Clock:
    """A zone's clock from 1989 to 2061. `starts[n]`: the instant from which on it is `offsets[n]` ahead of UTC."""

    starts: tuple[datetime, ...]
    offsets: tuple[timedelta, ...]

    @property
    def changes(self) -> tuple[datetime, ...]:
        return self.starts[1:]

    def first_showing(self, wall: datetime) -> datetime:
        """The first instant at which it shows this naive time, or a later one."""
        # No clock is more than 14 h ahead or behind, and a day was skipped at most: two days before is early enough.
        begin = bisect_right(self.starts, wall.replace(tzinfo=UTC) - 2 * _DAY) - 1
        for number in range(begin, len(self.starts)):
            shown = max(self.starts[number], wall.replace(tzinfo=UTC) - self.offsets[number])
            if number + 1 == len(self.starts) or shown < self.starts[number + 1]:
                return shown
        raise AssertionError(wall)


@cache
def clock_of(zone: str) -> Clock:
    """Found by looking at the offset every few days and halving where it differs."""
    there, now = ZoneInfo(zone), FIRST - 400 * _DAY
    starts, offsets = [now], [_offset(now, there)]
    while now < LAST + 400 * _DAY:
        if _offset(now + _STEP, there) != offsets[-1]:
            before, after = now, now + _STEP
            while after - before > timedelta(seconds=1):
                middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
                before, after = (middle, after) if _offset(middle, there) == offsets[-1] else (before, middle)
            starts.append(after)
            offsets.append(_offset(after, there))
        now += _STEP
    return Clock(tuple(starts), tuple(offsets))


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    found = instant.astimezone(zone).utcoffset()
    assert found is not None
    return found


def dates(first: date, last: date) -> Iterator[date]:
    """Both included."""
    return (first + n * _DAY for n in range((last - first).days + 1))
