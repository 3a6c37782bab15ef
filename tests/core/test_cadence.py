"""When a cadence comes due, and what its periods are called."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mailer.core.cadence import Cadence, CadenceOptions, Rule, first_instant, parse_rule, zone_named

# Every kind of clock there is: no summer time, half hours, negative summer time, changes at midnight, Ramadan pauses,
# days skipped at the date line, both ends of the world.
ZONES = [
    "UTC", "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Africa/Juba", "Africa/Lagos",
    "Africa/Monrovia", "Africa/Nairobi", "America/Anchorage", "America/Asuncion", "America/Bogota",
    "America/Caracas", "America/Chicago", "America/Goose_Bay", "America/Halifax", "America/Havana",
    "America/Los_Angeles", "America/Mexico_City", "America/Miquelon", "America/New_York", "America/Nuuk",
    "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns", "Antarctica/Casey",
    "Antarctica/Troll", "Asia/Almaty", "Asia/Amman", "Asia/Beirut", "Asia/Damascus", "Asia/Dhaka", "Asia/Gaza",
    "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang", "Asia/Shanghai", "Asia/Tehran",
    "Asia/Tokyo", "Asia/Ulaanbaatar", "Asia/Yangon", "Atlantic/Azores", "Atlantic/Reykjavik", "Australia/Adelaide",
    "Australia/Brisbane", "Australia/Eucla", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin",
    "Europe/Chisinau", "Europe/Dublin", "Europe/Istanbul", "Europe/Lisbon", "Europe/London", "Europe/Moscow",
    "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Fiji", "Pacific/Kiritimati",
    "Pacific/Kwajalein", "Pacific/Pago_Pago", "Pacific/Tongatapu",
]  # fmt: skip


def cadence(when: str, zone: str = "UTC", **options) -> Cadence:
    return Cadence.of("any", CadenceOptions(when=when, **options), zone)


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def local(instant: datetime, zone: str) -> str:
    return f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


# --- rules as written


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("daily 07:30", "daily 07:30"),
        ("Daily 7:30", "daily 07:30"),
        ("monday 08:00", "monday 08:00"),
        ("MON 08:00", "monday 08:00"),
        ("  sun   23:59 ", "sunday 23:59"),
        ("mon,thu 08:00", "mon,thu 08:00"),
        ("Thursday, Monday 08:00", "mon,thu 08:00"),
        ("mon , thu 08:00", "mon,thu 08:00"),
        ("mon,monday 08:00", "monday 08:00"),
        ("mon,tue,wed,thu,fri,sat,sun 00:00", "daily 00:00"),
        ("day 1 09:00", "day 1 09:00"),
        ("Day 30 09:00", "day 30 09:00"),
        ("day 31 09:00", "last day 09:00"),
        ("last day 18:00", "last day 18:00"),
    ],
)
def test_a_rule_is_read_in_any_case_and_shown_in_one(written, shown):
    assert str(parse_rule(written)) == shown
    assert parse_rule(shown) == parse_rule(written)


@pytest.mark.parametrize(
    "written",
    [
        "", "daily", "07:30", "daily 24:00", "daily 07:60", "daily 7", "daily 07:30:00", "day 0 09:00", "day 32 09:00",
        "day 09:00", "first day 09:00", "montag 08:00", "mon,,thu 08:00", "mon;thu 08:00", "mo 08:00", "weekly 08:00",
        "every monday 08:00", "day -1 09:00", "day ١ 09:00", "daily ٠٧:٣٠", "0 7 * * *", "mon,daily 08:00",
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_what_is_allowed(written):
    with pytest.raises(ValueError, match="is not a rule for when; allowed: 'daily 07:30', 'monday 08:00'"):
        parse_rule(written)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berln", "did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("America/New York", "did you mean 'America/New_York'?"),
        ("Europe", "is not a time zone"),
        ("../etc/passwd", "is not a time zone"),
        ("\0", "allowed: 'UTC' or names like 'Europe/Berlin'"),
        ("x" * 400, "is not a time zone"),
        ("", "is not a time zone"),
    ],
)
def test_a_wrong_time_zone_is_refused_with_the_nearest_name(name, hint):
    with pytest.raises(ValueError) as refusal:
        zone_named(name)
    assert hint in str(refusal.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "when"),
        ({"when": "weekly"}, "is not a rule for when"),
        ({"when": "daily 07:30", "timezone": "Mars/Base"}, "is not a time zone"),
        ({"when": "daily 07:30", "max_articles": 0}, "max_articles"),
        ({"when": "daily 07:30", "max_late": "soon"}, "is not a length of time"),
        ({"when": "daily 07:30", "catch_up": "all"}, "catch_up"),
        ({"when": "daily 07:30", "max_article": 3}, "max_article"),
    ],
)
def test_a_cadence_table_is_checked(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        CadenceOptions(**options)


@pytest.mark.parametrize(
    ("when", "articles", "late", "period"),
    [
        ("daily 07:30", 10, timedelta(hours=12), timedelta(days=1)),
        ("monday 08:00", 20, timedelta(days=3), timedelta(days=7)),
        ("mon,thu 08:00", 20, timedelta(hours=12), timedelta(days=4)),
        ("mon,tue,wed,thu,fri 08:00", 20, timedelta(hours=12), timedelta(days=3)),
        ("day 1 09:00", 30, timedelta(days=7), timedelta(days=31)),
        ("last day 18:00", 30, timedelta(days=7), timedelta(days=31)),
    ],
)
def test_what_is_not_written_follows_from_how_often_the_rule_comes_due(when, articles, late, period):
    plain = cadence(when)
    assert (plain.max_articles, plain.max_late, plain.typical_period()) == (articles, late, period)
    assert (plain.min_articles, plain.catch_up) == (1, "latest")
    written = cadence(when, max_articles=3, max_late="90m", min_articles=2, catch_up="skip")
    assert (written.max_articles, written.max_late) == (3, timedelta(minutes=90))
    assert (written.min_articles, written.catch_up) == (2, "skip")


def test_a_cadence_goes_by_the_sites_zone_unless_it_has_its_own():
    assert cadence("daily 07:30", "Asia/Tokyo").zone.key == "Asia/Tokyo"
    assert cadence("daily 07:30", "Asia/Tokyo", timezone="Europe/Berlin").zone.key == "Europe/Berlin"


# --- due instants, periods, what they cover


@pytest.mark.parametrize(
    ("when", "now", "due", "period", "covers"),
    [
        ("daily 07:30", "2026-11-23 07:30", "2026-11-23 07:30", "2026-11-23", "2026-11-23 2026-11-23"),
        ("daily 07:30", "2026-11-23 07:29:59.999999", "2026-11-22 07:30", "2026-11-22", "2026-11-22 2026-11-22"),
        ("monday 08:00", "2026-11-24 12:00", "2026-11-23 08:00", "2026-W48", "2026-11-16 2026-11-22"),
        ("monday 08:00", "2026-11-23 07:59", "2026-11-16 08:00", "2026-W47", "2026-11-09 2026-11-15"),
        ("sunday 18:00", "2026-11-23 12:00", "2026-11-22 18:00", "2026-W47", "2026-11-15 2026-11-21"),
        # ISO years: a week belongs to the year of its Thursday
        ("thursday 08:00", "2021-01-02 00:00", "2020-12-31 08:00", "2020-W53", "2020-12-24 2020-12-30"),
        ("friday 08:00", "2021-01-02 00:00", "2021-01-01 08:00", "2020-W53", "2020-12-25 2020-12-31"),
        ("monday 08:00", "2024-12-31 00:00", "2024-12-30 08:00", "2025-W01", "2024-12-23 2024-12-29"),
        ("friday 08:00", "2027-01-01 09:00", "2027-01-01 08:00", "2026-W53", "2026-12-25 2026-12-31"),
        # several days a week: the due date is the key
        ("mon,thu 08:00", "2026-11-25 00:00", "2026-11-23 08:00", "2026-11-23", "2026-11-19 2026-11-22"),
        ("mon,thu 08:00", "2026-11-26 08:00", "2026-11-26 08:00", "2026-11-26", "2026-11-23 2026-11-25"),
        ("mon,tue 08:00", "2026-11-24 09:00", "2026-11-24 08:00", "2026-11-24", "2026-11-24 2026-11-24"),
        # months, short months, leap years
        ("day 1 09:00", "2026-11-30 00:00", "2026-11-01 09:00", "2026-11", "2026-10-01 2026-10-31"),
        ("day 1 09:00", "2026-01-01 08:59", "2025-12-01 09:00", "2025-12", "2025-11-01 2025-11-30"),
        ("day 29 09:00", "2026-03-01 00:00", "2026-02-28 09:00", "2026-02", "2026-01-29 2026-02-27"),
        ("day 29 09:00", "2028-03-01 00:00", "2028-02-29 09:00", "2028-02", "2028-01-29 2028-02-28"),
        ("day 30 09:00", "2028-03-01 00:00", "2028-02-29 09:00", "2028-02", "2028-01-30 2028-02-28"),
        ("day 30 09:00", "2026-03-30 09:00", "2026-03-30 09:00", "2026-03", "2026-02-28 2026-03-29"),
        ("day 31 09:00", "2026-05-01 00:00", "2026-04-30 09:00", "2026-04", "2026-03-31 2026-04-29"),
        ("last day 18:00", "2100-03-01 00:00", "2100-02-28 18:00", "2100-02", "2100-01-31 2100-02-27"),
        ("last day 18:00", "2000-03-01 00:00", "2000-02-29 18:00", "2000-02", "2000-01-31 2000-02-28"),
        ("last day 18:00", "2027-01-05 00:00", "2026-12-31 18:00", "2026-12", "2026-11-30 2026-12-30"),
    ],
)
def test_the_latest_due_instant_and_its_period(when, now, due, period, covers):
    rhythm = cadence(when)
    assert rhythm.latest_due(at(now)) == at(due)
    assert rhythm.period_of(at(due)) == period
    assert rhythm.covers(at(due)) == tuple(map(date.fromisoformat, covers.split()))


def test_in_one_instant_the_ends_of_the_world_are_on_different_days():
    now = at("2026-11-22 18:30")
    kiritimati, pago = cadence("monday 08:00", "Pacific/Kiritimati"), cadence("monday 08:00", "Pacific/Pago_Pago")
    assert kiritimati.latest_due(now) == at("2026-11-22 18:00")  # already Monday there, UTC+14
    assert kiritimati.period_of(kiritimati.latest_due(now)) == "2026-W48"
    assert pago.latest_due(now) == at("2026-11-16 19:00")  # still Sunday, UTC-11
    assert pago.period_of(pago.latest_due(now)) == "2026-W47"
    assert pago.next_due(now) == at("2026-11-23 19:00")


@pytest.mark.parametrize(
    ("zone", "when", "day", "due"),
    [
        # spring: what the clocks skip comes at the end of the gap
        ("Europe/Berlin", "02:30", "2026-03-29", "2026-03-29 01:00"),  # 02:00 CET jumps to 03:00 CEST
        ("Europe/Berlin", "02:00", "2026-03-29", "2026-03-29 01:00"),
        ("Europe/Berlin", "03:00", "2026-03-29", "2026-03-29 01:00"),
        ("Europe/Berlin", "01:59", "2026-03-29", "2026-03-29 00:59"),
        ("America/New_York", "02:30", "2026-03-08", "2026-03-08 07:00"),
        ("Australia/Lord_Howe", "02:15", "2026-10-04", "2026-10-03 15:30"),  # half an hour only
        ("America/Sao_Paulo", "00:30", "2018-11-04", "2018-11-04 03:00"),  # midnight itself is skipped
        # autumn: the first of the two
        ("Europe/Berlin", "02:30", "2026-10-25", "2026-10-25 00:30"),
        ("America/New_York", "01:30", "2026-11-01", "2026-11-01 05:30"),
        ("Australia/Lord_Howe", "01:45", "2026-04-05", "2026-04-04 14:45"),
        ("America/Sao_Paulo", "23:30", "2018-02-17", "2018-02-18 01:30"),
        # the date line: Samoa had no 30 December 2011, Kiritimati no 31 December 1994
        ("Pacific/Apia", "07:30", "2011-12-30", "2011-12-30 10:00"),
        ("Pacific/Kiritimati", "18:00", "1994-12-31", "1994-12-31 10:00"),
    ],
)
def test_a_skipped_time_means_the_end_of_the_gap_and_a_repeated_one_the_first(zone, when, day, due):
    wall = datetime.combine(date.fromisoformat(day), time.fromisoformat(when))
    assert first_instant(wall, ZoneInfo(zone)) == at(due)
    daily = cadence(f"daily {when}", zone)
    assert daily.latest_due(at(due)) == at(due)
    assert daily.due_date(at(due)) == date.fromisoformat(day)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns"])
@pytest.mark.parametrize("clock", ["00:00", "00:01", "01:30", "02:00", "02:30", "23:59"])
def test_a_year_of_changing_clocks_has_one_due_instant_a_day(zone, clock):
    daily, now, dates = cadence(f"daily {clock}", zone), at("2010-01-01", zone) - timedelta.resolution, []
    while (now := daily.next_due(now)) < at("2011-01-01", zone):
        dates.append(daily.due_date(now))
    assert dates == [date(2010, 1, 1) + timedelta(days=day) for day in range(365)]


@pytest.mark.parametrize(
    ("when", "periods"),
    [
        ("daily 07:30", ["2011-12-29", "2011-12-30", "2011-12-31"]),
        ("daily 00:00", ["2011-12-29", "2011-12-31", "2012-01-01"]),  # 30 and 31 fall on one instant: one edition
        ("friday 08:00", ["2011-W52", "2012-W01", "2012-W02"]),
        ("day 30 08:00", ["2011-12", "2012-01", "2012-02"]),
    ],
)
def test_a_day_that_a_zone_never_had_is_due_when_it_would_have_been_over(when, periods):
    rhythm, due = cadence(when, "Pacific/Apia"), at("2011-12-28 12:00", "Pacific/Apia")
    found = [rhythm.period_of(due := rhythm.next_due(due)) for _ in periods]
    assert found == periods


def test_a_weekly_digest_that_falls_into_a_skipped_day_keeps_its_week():
    weekly = cadence("friday 08:00", "Pacific/Apia")
    due = weekly.latest_due(at("2012-01-01 12:00", "Pacific/Apia"))
    assert local(due, "Pacific/Apia") == "2011-12-31 00:00"
    assert weekly.covers(due) == (date(2011, 12, 23), date(2011, 12, 29))


def test_an_instant_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="without a time zone"):
        cadence("daily 07:30").latest_due(datetime(2026, 11, 23, 7, 30))  # noqa: DTZ001 that is the case


# --- what holds for every rule, everywhere, at any time

rules = st.builds(
    lambda days, hour, minute: f"{days} {hour:02d}:{minute:02d}",
    st.one_of(
        st.just("daily"),
        st.just("last day"),
        st.integers(1, 31).map("day {}".format),
        st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1).map(",".join),
    ),
    st.one_of(st.integers(0, 3), st.integers(0, 23)),  # clocks are changed at night
    st.sampled_from([0, 1, 15, 30, 59]),
)
cadences = st.builds(cadence, rules, st.sampled_from(ZONES))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2060, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 hypothesis wants naive bounds


@st.composite
def near_a_clock_change(draw) -> tuple[Cadence, datetime]:
    """A cadence, and a moment within two days of a change of its zone's offset, where there is one that year."""
    rhythm, year = draw(cadences), draw(st.integers(1990, 2060))
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
    changes = [
        earlier
        for earlier, later in pairwise(days)
        if earlier.astimezone(rhythm.zone).utcoffset() != later.astimezone(rhythm.zone).utcoffset()
    ]
    around = draw(st.sampled_from(changes or days))
    return rhythm, around + draw(st.timedeltas(timedelta(days=-2), timedelta(days=2)))


anywhere = st.one_of(st.tuples(cadences, instants), near_a_clock_change())


@given(anywhere)
def test_every_moment_lies_between_its_latest_and_its_next_due_instant(case):
    rhythm, now = case
    latest, following = rhythm.latest_due(now), rhythm.next_due(now)
    assert latest <= now < following
    assert latest.tzinfo is following.tzinfo is UTC
    assert rhythm.latest_due(following) == following
    assert rhythm.latest_due(following - timedelta.resolution) == latest
    assert rhythm.next_due(latest) == following
    assert rhythm.previous_due(following) == latest


@given(anywhere)
def test_due_instants_rise_and_each_has_a_period_of_its_own_in_order(case):
    rhythm, due = case
    dues = [due := rhythm.next_due(due) for _ in range(9)]
    assert all(earlier < later for earlier, later in pairwise(dues))
    dates = [rhythm.due_date(each) for each in dues]
    assert all(earlier < later for earlier, later in pairwise(dates))
    periods = [rhythm.period_of(each) for each in dues]
    assert all(earlier < later for earlier, later in pairwise(periods))
    assert [rhythm.previous_due(each) for each in dues[1:]] == dues[:-1]


@given(anywhere)
def test_no_date_of_the_rule_is_left_out(case):
    rhythm, now = case
    due, following = rhythm.latest_due(now), rhythm.next_due(now)
    first, last = rhythm.due_date(due), rhythm.due_date(following)
    between = [first + timedelta(days=day) for day in range(1, (last - first).days)]
    skipped = [day for day in between if rhythm.rule.on_or_before(day) == day]
    # Only a day that the zone never had may share its instant with the day after.
    assert all(first_instant(datetime.combine(day, rhythm.rule.at), rhythm.zone) == following for day in skipped)


@given(anywhere)
def test_what_a_digest_covers_joins_what_the_one_before_covered(case):
    rhythm, now = case
    due = rhythm.latest_due(now)
    first, last = rhythm.covers(due)
    before = rhythm.covers(rhythm.previous_due(due))
    assert before[0] <= before[1] <= first <= last <= rhythm.due_date(due)
    assert first - before[1] <= timedelta(days=1) or rhythm.typical_period() < timedelta(days=7)


@given(near_a_clock_change())
def test_the_first_instant_is_the_first_one_whose_clock_shows_that_time_or_later(case):
    rhythm, now = case
    wall = now.replace(tzinfo=None, second=0, microsecond=0)
    found = first_instant(wall, rhythm.zone)
    assert found.astimezone(rhythm.zone).replace(tzinfo=None) >= wall
    for back in (timedelta.resolution, *(timedelta(minutes=15) * steps for steps in range(1, 110))):
        assert (found - back).astimezone(rhythm.zone).replace(tzinfo=None) < wall


@given(st.dates(date(1990, 1, 1), date(2060, 1, 1)), rules)
def test_a_rules_dates_are_found_from_both_sides(day, written):
    rule: Rule = parse_rule(written)
    assert rule.on_or_before(day) <= day <= rule.on_or_after(day)
    assert rule.on_or_after(rule.on_or_before(day)) == rule.on_or_before(day)
    assert rule.on_or_before(rule.on_or_after(day)) == rule.on_or_after(day)
    assert parse_rule(str(rule)) == rule
