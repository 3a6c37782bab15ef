"""The calendar's odd dates, line by line, and what holds for every rule, in seventy zones, from 1990 to 2060.

Properties play the same examples each time, so that CI is steady; MAILER_TEST_EXAMPLES=20000 plays so many new ones.
"""

import calendar
import os
from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.core.cadence import Cadence, Pace, first_instant, parse_rule
from tests.core.clocks import FIRST, LAST, ZONES, at, cadence, clock_of, dates

DAY = timedelta(days=1)
_EXAMPLES = int(os.environ.get("MAILER_TEST_EXAMPLES", "0"))
anyhow = settings(max_examples=_EXAMPLES or 800, derandomize=not _EXAMPLES, deadline=None)


def dues(when: str, zone: str, after: str, count: int) -> list[str]:
    """The next due instants after a local time, as UTC."""
    rhythm, now = cadence(when, zone), at(after, zone)
    return [f"{(now := rhythm.next_due(now)):%Y-%m-%d %H:%M}" for _ in range(count)]


def periods(when: str, zone: str, after: str, count: int) -> list[str]:
    rhythm, now = cadence(when, zone), at(after, zone)
    return [rhythm.period_of(now := rhythm.next_due(now)) for _ in range(count)]


# --- spring gap, autumn repeat


@pytest.mark.parametrize(
    ("when", "zone", "change", "expected"),
    [
        ("daily 02:30", "Europe/Berlin", "2026-03-28", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("daily 02:30", "America/New_York", "2026-03-07", ["03-07 07:30", "03-08 07:00", "03-09 06:30"]),
        ("daily 02:15", "Australia/Lord_Howe", "2026-10-03", ["10-02 15:45", "10-03 15:30", "10-04 15:15"]),
        ("daily 02:30", "Europe/Chisinau", "2026-03-28", ["03-28 00:30", "03-29 00:00", "03-29 23:30"]),
        ("daily 00:00", "America/Sao_Paulo", "2018-11-03", ["11-04 03:00", "11-05 02:00", "11-06 02:00"]),
        ("daily 00:30", "Asia/Beirut", "2026-03-28", ["03-27 22:30", "03-28 22:00", "03-29 21:30"]),
        ("daily 00:00", "Africa/Cairo", "2026-04-23", ["04-23 22:00", "04-24 21:00", "04-25 21:00"]),
        ("daily 02:30", "Antarctica/Troll", "2026-03-28", ["03-28 02:30", "03-29 01:00", "03-30 00:30"]),  # two hours
    ],
)
def test_a_time_that_spring_skips_is_due_once_at_the_end_of_the_gap(when, zone, change, expected):
    year = change[:4]
    assert dues(when, zone, f"{change} 00:00", 3) == [f"{year}-{due}" for due in expected]


@pytest.mark.parametrize(
    ("when", "zone", "change", "expected"),
    [
        ("daily 02:30", "Europe/Berlin", "2026-10-24", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("daily 01:30", "America/New_York", "2026-10-31", ["10-31 05:30", "11-01 05:30", "11-02 06:30"]),
        ("daily 01:45", "Australia/Lord_Howe", "2026-04-04", ["04-03 14:45", "04-04 14:45", "04-05 15:15"]),
        ("daily 23:30", "America/Sao_Paulo", "2018-02-16", ["02-17 01:30", "02-18 01:30", "02-19 02:30"]),
        ("daily 23:30", "Africa/Cairo", "2026-10-28", ["10-28 20:30", "10-29 20:30", "10-30 21:30"]),
        ("daily 23:30", "America/St_Johns", "2010-11-05", ["11-06 02:00", "11-07 02:00", "11-08 03:00"]),  # at 00:01
        ("daily 00:00", "America/St_Johns", "2010-11-05", ["11-06 02:30", "11-07 02:30", "11-08 03:30"]),  # twice, too
        ("daily 02:30", "Antarctica/Troll", "2026-10-24", ["10-24 00:30", "10-25 00:30", "10-26 02:30"]),  # two hours
    ],
)
def test_a_time_that_autumn_repeats_is_due_once_the_first_time(when, zone, change, expected):
    year = change[:4]
    assert dues(when, zone, f"{change} 00:00", 3) == [f"{year}-{due}" for due in expected]


def test_morocco_pauses_its_summer_time_for_ramadan_and_no_morning_is_lost_or_doubled():
    """In 2026 clocks went back on 15 February at 03:00 and forward on 22 March at 02:00."""
    assert dues("daily 02:30", "Africa/Casablanca", "2026-02-14 00:00", 3) == [
        "2026-02-14 01:30",
        "2026-02-15 01:30",
        "2026-02-16 02:30",
    ]
    assert dues("daily 02:30", "Africa/Casablanca", "2026-03-21 00:00", 3) == [
        "2026-03-21 02:30",
        "2026-03-22 02:00",
        "2026-03-23 01:30",
    ]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Kolkata", "2026-11-23 01:30"),
        ("Asia/Kathmandu", "2026-11-23 01:15"),
        ("Australia/Eucla", "2026-11-22 22:15"),
        ("Pacific/Chatham", "2026-11-22 17:15"),
        ("America/St_Johns", "2026-11-23 10:30"),
        ("Pacific/Marquesas", "2026-11-23 16:30"),
    ],
)
def test_half_hours_and_quarters_of_an_hour_are_kept(zone, expected):
    assert dues("monday 07:00", zone, "2026-11-20 00:00", 1) == [expected]


# --- weeks of two years, months of any length


@pytest.mark.parametrize(
    ("when", "after", "expected"),
    [
        # 2020 had 53 weeks
        ("monday 08:00", "2020-12-20", ["2020-W52", "2020-W53", "2021-W01", "2021-W02"]),
        ("friday 08:00", "2020-12-20", ["2020-W52", "2020-W53", "2021-W01", "2021-W02"]),  # W53's was on 1 January
        ("sunday 23:59", "2020-12-26", ["2020-W52", "2020-W53", "2021-W01", "2021-W02"]),
        # Monday 30 December 2024 is in the first week of 2025
        ("monday 08:00", "2024-12-20", ["2024-W52", "2025-W01", "2025-W02"]),
        ("wednesday 00:00", "2024-12-20", ["2024-W52", "2025-W01", "2025-W02"]),
        # Friday 1 January 2027 is in the last week of 2026
        ("friday 08:00", "2026-12-20", ["2026-W52", "2026-W53", "2027-W01"]),
        ("monday 08:00", "2026-12-20", ["2026-W52", "2026-W53", "2027-W01"]),
        ("daily 08:00", "2026-12-30 12:00", ["2026-12-31", "2027-01-01", "2027-01-02"]),
        ("mon,fri 08:00", "2026-12-30 12:00", ["2027-01-01", "2027-01-04", "2027-01-08"]),
        ("day 1 08:00", "2026-12-30 12:00", ["2027-01", "2027-02", "2027-03"]),
        ("last day 08:00", "2026-12-30 12:00", ["2026-12", "2027-01", "2027-02"]),
    ],
)
def test_a_week_belongs_to_the_year_of_its_thursday_and_none_is_left_out_at_new_year(when, after, expected):
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        assert periods(when, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("year", "day", "expected"),
    [
        (2026, 28, [28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28]),
        (2026, 29, [29, 28, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29]),
        (2026, 30, [30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30]),
        (2026, 31, [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]),
        (2028, 29, [29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29]),
        (2028, 30, [30, 29, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30]),
        (2028, 31, [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]),
        (2000, 31, [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]),  # a century that is a leap year
        (2100, 29, [29, 28, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29]),  # and one that is not
        (2100, 31, [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]),
    ],
)
def test_a_day_that_a_month_lacks_means_its_last_one_and_no_month_is_left_out(year, day, expected):
    for zone in ("UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        rhythm, now = cadence(f"day {day} 07:00", zone), at(f"{year}-01-01", zone)
        months = [now := rhythm.next_due(now) for _ in range(12)]
        assert [rhythm.due_date(due) for due in months] == [date(year, n, d) for n, d in enumerate(expected, start=1)]
        assert [rhythm.period_of(due) for due in months] == [f"{year}-{n:02d}" for n in range(1, 13)]


@pytest.mark.parametrize("year", [2000, 2024, 2028, 2096, 2100])
def test_a_leap_day_is_a_day_like_others(year):
    leap = calendar.isleap(year)
    middle = [f"{year}-02-29"] if leap else []
    assert periods("daily 07:00", "UTC", f"{year}-02-27 12:00", 2 + len(middle)) == [
        f"{year}-02-28", *middle, f"{year}-03-01",
    ]  # fmt: skip


# --- the ends of the world


def test_a_date_begins_25_hours_earlier_at_one_end_of_the_world_than_at_the_other():
    assert dues("daily 00:00", "Pacific/Kiritimati", "2026-11-22 12:00", 1) == ["2026-11-22 10:00"]
    assert dues("daily 00:00", "Pacific/Pago_Pago", "2026-11-22 12:00", 1) == ["2026-11-23 11:00"]
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        assert periods("daily 00:00", zone, "2026-11-22 12:00", 2) == ["2026-11-23", "2026-11-24"]


@pytest.mark.parametrize(
    ("zone", "skipped"),
    [("Pacific/Apia", "2011-12-30"), ("Pacific/Kwajalein", "1993-08-21"), ("Pacific/Kiritimati", "1994-12-31")],
)
@pytest.mark.parametrize("clock", ["00:00", "00:01", "07:30", "23:59"])
def test_a_date_that_a_zone_skipped_is_due_when_the_next_one_begins(zone, skipped, clock):
    gone = date.fromisoformat(skipped)
    daily, now = cadence(f"daily {clock}", zone), at(f"{gone - DAY} 12:00", zone) - DAY
    around = [now := daily.next_due(now) for _ in range(4)]
    found = [daily.due_date(due) for due in around]
    # At midnight the skipped date and the next fall on one instant, and are one edition.
    left_out = {gone} if clock == "00:00" else set()
    assert [day for day in dates(found[0], found[-1]) if day not in left_out] == found
    assert gone in set(found) | left_out
    weekly = cadence(f"{gone:%A} {clock}", zone)
    assert weekly.due_date(weekly.latest_due(at(f"{gone + 2 * DAY} 00:00", zone))) == gone
    assert weekly.latest_due(at(f"{gone + 2 * DAY} 00:00", zone)) == at(f"{gone + DAY} 00:00", zone)


# --- every change of every clock there is


@pytest.mark.parametrize("zone", ZONES)
def test_around_every_change_of_a_clock_each_time_of_day_has_its_first_instant(zone):
    there, clock = ZoneInfo(zone), clock_of(zone)
    times = [
        time(*map(int, text.split(":")))
        for text in ["00:00", "00:01", "00:30", "01:59", "02:00", "02:30", "03:00", "23:00", "23:59"]
    ]
    for change in clock.changes:
        day = change.astimezone(there).date()
        for each in dates(day - DAY, day + DAY):
            for clock_time in times:
                wall = datetime.combine(each, clock_time)
                assert first_instant(wall, there) == clock.first_showing(wall), wall


@pytest.mark.parametrize("zone", ZONES)
def test_seventy_years_of_months_have_each_month_once(zone):
    """Each zone with a rule of its own, at a time at which clocks are changed."""
    number = ZONES.index(zone)
    rhythm = cadence(f"day {number % 31 + 1} {('00:00', '02:30', '23:59')[number % 3]}", zone)
    now, found = FIRST, []
    while (now := rhythm.next_due(now)) < LAST:
        found.append(rhythm.period_of(now))
    year, month = map(int, found[0].split("-"))
    assert len(found) > 840
    months = range(year * 12 + month - 1, year * 12 + month - 1 + len(found))
    assert found == [f"{n // 12}-{n % 12 + 1:02d}" for n in months]


# --- what holds for every rule, everywhere, at any time

_TIMES = st.one_of(
    st.sampled_from(["00:00", "00:01", "01:30", "02:00", "02:30", "03:00", "23:30", "23:59"]),  # clocks change at night
    st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59)),
)
_DAYS = st.one_of(
    st.just("daily"),
    st.just("last day"),
    st.integers(1, 31).map("day {}".format),
    st.sampled_from(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]),
    st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=2).map(",".join),
)
rules = st.builds("{} {}".format, _DAYS, _TIMES)


@st.composite
def moments(draw) -> tuple[Cadence, datetime]:
    """A rule, a zone, and an instant: any, or one near a change of the zone's clock, where the rule may be due, too."""
    zone, days = draw(st.sampled_from(ZONES)), draw(_DAYS)
    changes = [change for change in clock_of(zone).changes if FIRST <= change <= LAST]
    if not changes or draw(st.booleans()):
        now = draw(st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC)))
        return cadence(f"{days} {draw(_TIMES)}", zone), now
    change = draw(st.sampled_from(changes))
    hours = draw(st.sampled_from([timedelta(hours=1), 2 * DAY]))
    shown = (change + draw(st.integers(-90, 90)) * timedelta(minutes=1)).astimezone(ZoneInfo(zone))
    clock_time = draw(st.one_of(st.just(f"{shown:%H:%M}"), _TIMES))
    return cadence(f"{days} {clock_time}", zone), change + draw(st.timedeltas(-hours, hours))


def expected_around(rhythm: Cadence, now: datetime) -> list[tuple[datetime, date]]:
    """Due instants with their dates for ten weeks around, from the rule's own words: day by day, by the clock alone.

    Dates that share an instant are one edition, the last one's.
    """
    rule, clock = rhythm.rule, clock_of(rhythm.zone.key)
    found: dict[datetime, date] = {}
    for day in dates(now.date() - 70 * DAY, now.date() + 70 * DAY):
        month = calendar.monthrange(day.year, day.month)[1]
        if day.day == min(rule.day, month) if rule.day else day.weekday() in rule.weekdays:
            found[clock.first_showing(datetime.combine(day, rule.at))] = day
    return sorted(found.items())


def expected_key(rhythm: Cadence, day: date) -> str:
    return day.strftime({Pace.WEEKLY: "%G-W%V", Pace.MONTHLY: "%Y-%m"}.get(rhythm.rule.pace, "%Y-%m-%d"))


@anyhow
@given(moments())
@example((cadence("daily 00:00", "Pacific/Apia"), at("2011-12-31 00:00", "Pacific/Apia")))
@example((cadence("daily 00:00", "America/St_Johns"), at("2010-11-07 02:40")))  # tomorrow has begun, and ended again
def test_due_instants_are_those_that_the_rule_says_and_no_others(case):
    rhythm, now = case
    expected = expected_around(rhythm, now)
    instants = [instant for instant, _ in expected]
    here = bisect_right(instants, now)
    assert rhythm.latest_due(now) == instants[here - 1]
    assert rhythm.next_due(now) == instants[here]
    assert rhythm.previous_due(instants[here]) == instants[here - 1]
    for instant, day in expected[here - 1 : here + 2]:
        assert rhythm.due_date(instant) == day
        assert rhythm.period_of(instant) == expected_key(rhythm, day)


@anyhow
@given(moments())
def test_periods_tile_time(case):
    """No gap and no overlap: from each due instant to the next, every moment is of that period."""
    rhythm, now = case
    latest, following = rhythm.latest_due(now), rhythm.next_due(now)
    assert latest <= now < following
    assert latest.tzinfo is following.tzinfo is UTC
    assert rhythm.latest_due(latest) == rhythm.latest_due(following - timedelta.resolution) == latest
    assert rhythm.next_due(latest) == rhythm.next_due(following - timedelta.resolution) == following
    assert rhythm.latest_due(following) == following
    assert rhythm.previous_due(following) == latest
    assert rhythm.next_due(rhythm.previous_due(latest)) == latest


@anyhow
@given(moments(), st.timedeltas(timedelta(0), 400 * DAY))
def test_every_moment_belongs_to_one_period_and_later_ones_to_the_same_or_a_later(case, ahead):
    rhythm, now = case
    earlier, later = rhythm.latest_due(now), rhythm.latest_due(now + ahead)
    keys = rhythm.period_of(earlier), rhythm.period_of(later)
    assert earlier <= later
    assert keys[0] <= keys[1]
    assert (keys[0] == keys[1]) == (earlier == later)


@anyhow
@given(moments())
def test_due_instants_rise_and_each_has_a_period_of_its_own_in_order(case):
    rhythm, now = case
    found = [now := rhythm.next_due(now) for _ in range(30)]
    assert all(earlier < later for earlier, later in pairwise(found))
    for name_of in (rhythm.due_date, rhythm.period_of):
        names = [name_of(due) for due in found]
        assert all(earlier < later for earlier, later in pairwise(names)), names
    assert [rhythm.previous_due(due) for due in found[1:]] == found[:-1]


@anyhow
@given(moments())
def test_what_one_digest_covers_and_what_the_next_covers_join_day_by_day(case):
    rhythm, now = case
    due = rhythm.latest_due(now)
    for _ in range(8):
        (first, last), (following, end) = rhythm.covers(due), rhythm.covers(rhythm.next_due(due))
        assert first <= last
        assert following <= end
        assert following - last == DAY
        assert last <= rhythm.due_date(due)
        due = rhythm.next_due(due)


@anyhow
@given(st.dates(date(1990, 1, 1), date(2060, 1, 1)), rules)
def test_a_rules_dates_are_found_from_both_sides(day, written):
    rule = parse_rule(written)
    assert rule.on_or_before(day) <= day <= rule.on_or_after(day)
    assert rule.on_or_after(rule.on_or_before(day)) == rule.on_or_before(day)
    assert rule.on_or_before(rule.on_or_after(day)) == rule.on_or_after(day)
    assert parse_rule(str(rule)) == rule
