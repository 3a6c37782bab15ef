"""When a cadence comes due, and what its periods are called."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from mailer.core.cadence import CadenceOptions, first_instant, parse_rule, slower_than, zone_named
from tests.core.clocks import at, cadence


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
        # with due dates in a row, a digest is named up to its own day, as a daily one is
        ("mon,tue 08:00", "2026-11-24 09:00", "2026-11-24 08:00", "2026-11-24", "2026-11-24 2026-11-24"),
        ("mon,tue 08:00", "2026-11-23 09:00", "2026-11-23 08:00", "2026-11-23", "2026-11-18 2026-11-23"),
        ("mon,tue,wed,thu,fri 08:00", "2026-11-23 09:00", "2026-11-23 08:00", "2026-11-23", "2026-11-21 2026-11-23"),
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


def test_what_comes_less_often_is_named_the_nearest_first():
    table = {
        "monthly": cadence("day 1 09:00"),
        "end_of_month": cadence("last day 18:00"),
        "weekly": cadence("monday 07:00"),
        "twice": cadence("mon,thu 08:00"),
        "daily": cadence("daily 07:00"),
        "friday": cadence("friday 16:00"),
    }
    assert slower_than(table, "daily") == ("twice", "weekly", "friday", "monthly", "end_of_month")
    assert slower_than(table, "twice") == ("weekly", "friday", "monthly", "end_of_month")
    assert slower_than(table, "friday") == ("monthly", "end_of_month")
    assert slower_than(table, "monthly") == slower_than(table, "yearly") == ()
