"""Runs around odd dates, with the real planning on a real store: each period has one edition, whenever runs come."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from mailer.core.cadence import Cadence
from mailer.store.database import Database
from mailer.store.tables import variants
from tests.core.clocks import at, cadence
from tests.flows.plain import PLAIN
from tests.flows.scripted import ScriptedRelay
from tests.stories import DAY, MONDAY, WEEK, Clock, join, make_edition, publish, send

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def run(database: Database, rhythm: Cadence, runs: Iterable[datetime], *, news: bool = True) -> list[str]:
    """A run of `mailer send` at each of these instants, with a new article before each. Returns the periods made."""
    made = []
    for number, now in enumerate(runs):
        if news:
            await publish(database, f"a{number}", published=now)
        planned = await make_edition(database, rhythm, now, by=PLAIN)
        if planned.fresh:
            assert planned.edition.due_at <= now < planned.next_due
            made.append(planned.edition.period)
        await send(database, ScriptedRelay(), Clock(now))
    return made


async def shown(database: Database) -> Counter[int]:
    """How often each article was shown."""
    rows = await database.read(lambda c: c.execute(select(variants.c.articles)).scalars().all())
    return Counter(seq for articles in rows for seq in articles)


def every(minutes: int, first: datetime, last: datetime) -> list[datetime]:
    return [first + n * minutes * MINUTE for n in range((last - first) // (minutes * MINUTE) + 1)]


@pytest.mark.parametrize(
    ("when", "zone", "first", "last", "periods"),
    [
        # spring: 02:30 is skipped
        ("02:30", "Europe/Berlin", "2026-03-28 12:00", "2026-03-30 12:00", ["2026-03-28", "2026-03-29", "2026-03-30"]),
        # autumn: 02:30 comes twice
        ("02:30", "Europe/Berlin", "2026-10-24 12:00", "2026-10-26 12:00", ["2026-10-24", "2026-10-25", "2026-10-26"]),
        ("01:30", "America/New_York", "2026-10-31 12:00", "2026-11-01 12:00", ["2026-10-31", "2026-11-01"]),
        # midnight is skipped, and midnight comes twice
        ("00:00", "Africa/Cairo", "2026-04-23 12:00", "2026-04-24 12:00", ["2026-04-23", "2026-04-24"]),
        ("00:00", "America/St_Johns", "2010-11-06 12:00", "2010-11-07 12:00", ["2010-11-06", "2010-11-07"]),
        # a date that was none
        ("07:30", "Pacific/Apia", "2011-12-29 12:00", "2011-12-31 12:00", ["2011-12-29", "2011-12-30", "2011-12-31"]),
        ("00:00", "Pacific/Apia", "2011-12-29 12:00", "2011-12-31 12:00", ["2011-12-29", "2011-12-31"]),
    ],
)
async def test_a_night_of_changing_clocks_makes_one_edition_for_each_date(database, when, zone, first, last, periods):
    """Runs come every half hour."""
    rhythm = cadence(f"daily {when}", zone)
    await join(database, "ann", pace="any")
    assert await run(database, rhythm, every(30, at(first, zone), at(last, zone))) == periods


@pytest.mark.parametrize(
    ("when", "first", "periods"),
    [
        ("monday 07:00", "2020-12-21", ["2020-W52", "2020-W53", "2021-W01", "2021-W02"]),
        ("friday 07:00", "2020-12-25", ["2020-W52", "2020-W53", "2021-W01", "2021-W02"]),
        ("monday 07:00", "2024-12-23", ["2024-W52", "2025-W01", "2025-W02"]),
        ("friday 07:00", "2026-12-25", ["2026-W52", "2026-W53", "2027-W01"]),
        ("last day 07:00", "2027-12-31", ["2027-12", "2028-01", "2028-02", "2028-03", "2028-04"]),
        ("day 30 07:00", "2027-12-30", ["2027-12", "2028-01", "2028-02", "2028-03", "2028-04"]),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_weeks_and_months_around_odd_dates_have_one_edition_each(database, when, first, periods, zone):
    """A run a day; an article waits for each."""
    rhythm, begin = cadence(when, zone), at(f"{first} 12:00", zone)
    end = begin
    for _ in periods[1:]:
        end = rhythm.next_due(end)
    await join(database, "ann", pace="any")
    assert await run(database, rhythm, every(24 * 60, begin, end + DAY)) == periods
    assert set((await shown(database)).values()) == {1}


@pytest.mark.parametrize("seed", range(5))
async def test_six_weekly_runs_that_come_up_to_ten_minutes_early_or_late_make_six_editions(database, seed):
    """Cron's hour after the due time. Who asks whether a week has passed since the last run leaves one out."""
    chance = random.Random(seed)
    weekly = cadence("monday 07:00")
    await join(database, "ann", pace="any")
    runs = [MONDAY + n * WEEK + chance.uniform(-10, 10) * MINUTE for n in range(6)]
    assert await run(database, weekly, runs) == [f"2026-W{n}" for n in range(48, 54)]
    assert await shown(database) == dict.fromkeys(range(1, 7), 1)


@pytest.mark.parametrize("seed", range(3))
async def test_runs_that_jitter_over_the_due_instant_make_six_editions_too(database, seed):
    """A run every half hour, ten minutes early or late, in the hours around the due time."""
    chance = random.Random(seed)
    weekly, due = cadence("monday 08:00"), MONDAY
    await join(database, "ann", pace="any")
    around = [now for week in range(6) for now in every(30, due + week * WEEK - HOUR, due + week * WEEK + HOUR)]
    found = await run(database, weekly, [now + chance.uniform(-10, 10) * MINUTE for now in around])
    assert found == [f"2026-W{n}" for n in range(47, 54)]  # the first run finds last week's
    assert set((await shown(database)).values()) == {1}


@pytest.mark.parametrize("seed", range(5))
async def test_a_run_a_week_at_the_very_minute_that_comes_early_leaves_its_articles_to_the_next(database, seed):
    """What is not due yet is not made: fewer editions then, and still each article once."""
    chance = random.Random(seed)
    weekly = cadence("monday 08:00")
    await join(database, "ann", pace="any")
    early = [chance.uniform(-10, 10) for _ in range(6)]
    found = await run(database, weekly, [MONDAY + n * WEEK + minutes * MINUTE for n, minutes in enumerate(early)])
    assert len(found) == len(set(found)) == len({n if minutes >= 0 else n - 1 for n, minutes in enumerate(early)})
    await run(database, weekly, [MONDAY + 7 * WEEK], news=False)
    assert await shown(database) == dict.fromkeys(range(1, 7), 1)


async def test_a_leap_day_has_its_own_daily_edition(database):
    await join(database, "ann", pace="any")
    runs = every(24 * 60, datetime(2028, 2, 28, 8, 0, tzinfo=UTC), datetime(2028, 3, 1, 8, 0, tzinfo=UTC))
    assert await run(database, cadence("daily 07:00"), runs) == ["2028-02-28", "2028-02-29", "2028-03-01"]
