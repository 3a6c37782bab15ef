"""When each cadence comes due, in its own time zone, and which period a due instant stands for."""

import calendar
import difflib
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mailer.core.duration import Duration

_DAY = timedelta(days=1)
_LAST_DAY = 31  # a day that a month lacks means its last one, so the 31st is the last day of every month
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_BY_NAME = {name: number for number, day in enumerate(_WEEKDAYS) for name in (day, day[:3])}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_DAY_OF_MONTH = re.compile(r"day (\d{1,2})", re.ASCII)
_ALLOWED_RULES = "'daily 07:30', 'monday 08:00', 'mon,thu 08:00', 'day 1 09:00' (1 to 31) or 'last day 18:00'"


class Pace(Enum):
    """How often a rule comes due, and the key that its periods go by."""

    DAILY = "daily"  # '2026-11-23'
    SEVERAL = "several days a week"  # '2026-11-23', the due date
    WEEKLY = "weekly"  # '2026-W48': ISO week with ISO year
    MONTHLY = "monthly"  # '2026-11'


@dataclass(frozen=True, slots=True)
class Rule:
    """Which local dates are due, and at what local time.

    Either `weekdays` (0 is Monday; all seven: daily) or `day`, a day of the month.
    """

    at: time
    weekdays: frozenset[int] = frozenset()
    day: int = 0

    @property
    def pace(self) -> Pace:
        if self.day:
            return Pace.MONTHLY
        return {1: Pace.WEEKLY, 7: Pace.DAILY}.get(len(self.weekdays), Pace.SEVERAL)

    @property
    def in_a_row(self) -> bool:
        """Whether two due dates may follow each other without a day between."""
        return any((day + 1) % 7 in self.weekdays for day in self.weekdays)

    def on_or_before(self, day: date) -> date:
        """The latest due date not after this one."""
        if not self.day:
            return next(d for back in range(7) if (d := day - back * _DAY).weekday() in self.weekdays)
        due = self._in_month_of(day)
        return due if due <= day else self._in_month_of(day.replace(day=1) - _DAY)

    def on_or_after(self, day: date) -> date:
        """The earliest due date not before this one."""
        if not self.day:
            return next(d for ahead in range(7) if (d := day + ahead * _DAY).weekday() in self.weekdays)
        due = self._in_month_of(day)
        return due if due >= day else self._in_month_of(day.replace(day=28) + 4 * _DAY)

    def __str__(self) -> str:
        """As `parse_rule` reads it."""
        match self.pace:
            case Pace.DAILY:
                days = "daily"
            case Pace.MONTHLY:
                days = "last day" if self.day == _LAST_DAY else f"day {self.day}"
            case Pace.WEEKLY:
                days = _WEEKDAYS[min(self.weekdays)]
            case Pace.SEVERAL:
                days = ",".join(_WEEKDAYS[number][:3] for number in sorted(self.weekdays))
        return f"{days} {self.at:%H:%M}"

    def _in_month_of(self, day: date) -> date:
        return day.replace(day=min(self.day, calendar.monthrange(day.year, day.month)[1]))


def parse_rule(text: str) -> Rule:
    """From 'daily 07:30', 'monday 08:00', 'mon,thu 08:00', 'day 1 09:00' or 'last day 18:00', in any case.

    ValueError: a sentence that lists what is allowed.
    """
    days, _, clock = " ".join(text.lower().split()).replace(" ,", ",").replace(", ", ",").rpartition(" ")
    hours = _CLOCK.fullmatch(clock)
    if hours and int(hours[1]) < 24 and int(hours[2]) < 60:  # noqa: PLR2004 a day's hours, an hour's minutes
        at = time(int(hours[1]), int(hours[2]))
        of_month = _DAY_OF_MONTH.fullmatch(days)
        if of_month and 1 <= int(of_month[1]) <= _LAST_DAY:
            return Rule(at, day=int(of_month[1]))
        if days == "last day":
            return Rule(at, day=_LAST_DAY)
        if days == "daily":
            return Rule(at, weekdays=frozenset(range(7)))
        if all(name in _BY_NAME for name in days.split(",")):
            return Rule(at, weekdays=frozenset(_BY_NAME[name] for name in days.split(",")))
    raise ValueError(f"{reprlib.repr(text)} is not a rule for when; allowed: {_ALLOWED_RULES}")


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that IANA name. ValueError: a sentence with the nearest name there is."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # what zoneinfo raises for 'a/../b', an unknown name, the folder 'Europe'
        known = {zone.lower(): zone for zone in available_timezones()}
        near = difflib.get_close_matches(name.lower().replace(" ", "_"), known, n=1)
        hint = f"did you mean {known[near[0]]!r}?" if near else "allowed: 'UTC' or names like 'Europe/Berlin'"
        raise ValueError(f"{reprlib.repr(name)} is not a time zone; {hint}") from None


def _check_rule(text: str) -> str:
    return str(parse_rule(text))


def _check_zone(name: str) -> str:
    return zone_named(name).key if name else name


_MAX_ARTICLES = {Pace.DAILY: 10, Pace.SEVERAL: 20, Pace.WEEKLY: 20, Pace.MONTHLY: 30}
_MAX_LATE = {
    Pace.DAILY: timedelta(hours=12),
    Pace.SEVERAL: timedelta(hours=12),
    Pace.WEEKLY: timedelta(days=3),
    Pace.MONTHLY: timedelta(days=7),
}


class CadenceOptions(BaseModel):
    """A table [cadence.<name>] of the settings, as written there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Annotated[str, AfterValidator(_check_rule)] = Field(
        description=f"When it comes due, by its local clock. Written as {_ALLOWED_RULES}. "
        "A day that a month lacks means the month's last one.",
        examples=["mon,thu 08:00"],
    )
    timezone: Annotated[str, AfterValidator(_check_zone)] = Field(
        default="",
        description="Time zone of that clock, an IANA name like 'Europe/Berlin'. Empty: the site's.",
    )
    max_articles: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="At most this many articles in one digest; the rest is counted in 'and N more'. "
        "Not written: 10 for a daily rule, 30 for a monthly one, else 20.",
        examples=[20],
    )
    min_articles: int = Field(
        default=1,
        ge=1,
        le=100,
        description="With fewer articles than this nothing is sent, and they wait for the next digest.",
    )
    subject: str = Field(
        default="",
        description="The subject of its digests, in which lead.title, rest (how many other articles), total, site, "
        "cadence, label ('Weekly') and period stand for what they say: "
        "'{{ lead.title }}{% if rest %} and {{ rest }} more{% endif %}'. Empty: the lead's headline.",
    )
    max_late: Duration | None = Field(
        default=None,
        description="The scheduler holds an edition that would go out later than this after its due time. "
        "Not written: 3d for a weekly rule, 7d for a monthly one, else 12h. "
        "Takes effect with a later release, which brings the scheduler.",
        examples=["12h"],
    )
    catch_up: Literal["latest", "each", "skip"] = Field(
        default="latest",
        description="What the scheduler makes up for after downtime: one edition for all that was missed, each one, or "
        "none. Takes effect with a later release, which brings the scheduler.",
    )


@dataclass(frozen=True, slots=True)
class Cadence:
    """A cadence ready for use. All instants are aware; those returned are UTC."""

    name: str
    rule: Rule
    zone: ZoneInfo
    max_articles: int
    min_articles: int
    max_late: timedelta
    catch_up: Literal["latest", "each", "skip"]
    subject: str = ""

    @classmethod
    def of(cls, name: str, options: CadenceOptions, site_timezone: str) -> Self:
        """From its table; what isn't written there comes from how often its rule comes due."""
        rule = parse_rule(options.when)
        return cls(
            name=name,
            rule=rule,
            zone=zone_named(options.timezone or site_timezone),
            max_articles=_MAX_ARTICLES[rule.pace] if options.max_articles is None else options.max_articles,
            min_articles=options.min_articles,
            max_late=_MAX_LATE[rule.pace] if options.max_late is None else options.max_late,
            catch_up=options.catch_up,
            subject=options.subject,
        )

    def latest_due(self, now: datetime) -> datetime:
        """The latest due instant at or before `now`."""
        # One day ahead: where clocks go back over midnight, tomorrow's first minutes may already have been.
        day = self.rule.on_or_before(_local(now, self.zone).date() + _DAY)
        while (due := self._instant(day)) > now:
            day = self.rule.on_or_before(day - _DAY)
        return due

    def next_due(self, now: datetime) -> datetime:
        """The first due instant after `now`."""
        day = self.rule.on_or_after(_local(now, self.zone).date())
        while (due := self._instant(day)) <= now:
            day = self.rule.on_or_after(day + _DAY)
        return due

    def previous_due(self, due: datetime) -> datetime:
        """The last due instant before this one."""
        return self.latest_due(due - timedelta.resolution)

    def due_date(self, due: datetime) -> date:
        """The local date that a due instant belongs to."""
        day = _local(due, self.zone).date()
        # A gap that swallows midnight, or a whole day at the date line, puts the instant of one date on the next.
        return next((d for d in (day, day - _DAY) if self._is_due(d) and self._instant(d) == due), day)

    def period_of(self, due: datetime) -> str:
        """The key of the period that a due instant stands for; unique for each due instant of one rule."""
        day = self.due_date(due)
        match self.rule.pace:
            case Pace.WEEKLY:
                year, week, _ = day.isocalendar()
                return f"{year}-W{week:02d}"
            case Pace.MONTHLY:
                return f"{day:%Y-%m}"
            case Pace.DAILY | Pace.SEVERAL:
                return day.isoformat()

    def covers(self, due: datetime) -> tuple[date, date]:
        """First and last local date to name in a digest; those of one digest and the next join, day by day.

        From the previous due date to the day before this one. Where a rule has due dates in a row, as a daily one
        has, to this one: a digest of a single day is named by the day it is read.
        """
        first, last = self.due_date(self.previous_due(due)), self.due_date(due)
        return (first + _DAY, last) if self.rule.in_a_row else (first, last - _DAY)

    def covered(self, due: datetime, now: datetime) -> tuple[date, date]:
        """The same for a digest that is written now. Where that is days late, it covers what came until today."""
        first, last = self.covers(due)
        today = now.astimezone(self.zone).date()
        return (first, today if today > due.astimezone(self.zone).date() else last)

    def typical_period(self) -> timedelta:
        """The longest stretch between two due dates: 1 day for a daily rule, 7 for a weekly, 31 for a monthly one."""
        if self.rule.day:
            return timedelta(days=31)
        days = sorted(self.rule.weekdays)
        return max(later - day for day, later in zip(days, [*days[1:], days[0] + 7], strict=True)) * _DAY

    def _is_due(self, day: date) -> bool:
        return self.rule.on_or_before(day) == day

    def _instant(self, day: date) -> datetime:
        return first_instant(datetime.combine(day, self.rule.at), self.zone)


def slower_than(cadences: Mapping[str, Cadence], name: str) -> tuple[str, ...]:
    """The names of those that come less often than the one of that name, the nearest first; none where it isn't there.

    Those that come equally often stand in the order of the table.
    """
    if name not in cadences:
        return ()
    often = cadences[name].typical_period()
    slower = [other for other, cadence in cadences.items() if cadence.typical_period() > often]
    return tuple(sorted(slower, key=lambda other: cadences[other].typical_period()))


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) at which the zone's clock shows this naive local time or a later one.

    So a time that clocks skip in spring means the end of the gap, and one that comes twice in autumn the first.
    """
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _local(instant, zone) == wall:
        return instant
    # In a gap. PEP 495: fold=0 reckons with the offset before it, fold=1 with the one after; its end lies between.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _local(middle, zone) < wall:
            before = middle
        else:
            after = middle
    return after


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the zone's clock shows, naive."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone")  # else the machine's own zone would be taken in silence
    return instant.astimezone(zone).replace(tzinfo=None)
