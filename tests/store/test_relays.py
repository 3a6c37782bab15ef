"""What is kept of relays: their pace and that of the providers behind them, and what each was given."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from mailer.core.pacing import Event, Pace, after, from_json, is_plain, to_json
from mailer.core.quota import minute_of, quota_wait
from mailer.store import paces, usage
from mailer.store.database import Database
from mailer.store.tables import paces as paces_table
from mailer.store.usage import Used

NOW = datetime(2026, 11, 24, 7, tzinfo=UTC)
M = minute_of(NOW)


def throttled():
    return after(Pace.provider(10), Event.THROTTLED, reader=1, under_way=3, begun=NOW, now=NOW, why="454 Throttling")


async def test_a_pace_survives_a_restart(database_url):
    pace = throttled()
    with Database(database_url) as database:
        await database.write(paces.save, {("main", "example.org"): to_json(pace), ("main", ""): {"limit": 1}})
    with Database(database_url) as database:
        kept = await database.read(paces.load)
    assert kept.keys() == {("main", "example.org"), ("main", "")}
    assert from_json(Pace.provider(10), kept["main", "example.org"]) == pace
    assert not is_plain(from_json(Pace.relay(10), kept["main", ""]))


async def test_a_pace_is_written_over_and_forgotten_once_it_is_plain(database):
    await database.write(paces.save, {("main", "a.example"): {"limit": 1}, ("main", "b.example"): {"limit": 2}})
    await database.write(paces.save, {("main", "a.example"): {"limit": 3}, ("main", "b.example"): None})
    await database.write(paces.save, {("main", "nobody.example"): None})
    await database.write(paces.save, {})
    assert await database.read(paces.load) == {("main", "a.example"): {"limit": 3}}


async def test_what_is_no_pace_is_left_out(database):
    def spoil(connection):
        connection.execute(insert(paces_table).values(relay="main", provider="x", state=[1, 2]))

    await database.write(spoil)
    assert await database.read(paces.load) == {}


async def test_what_a_relay_was_given_adds_up_by_the_minute(database):
    await database.write(usage.add, [Used("a", M, permits=2), Used("a", M, accepted=1), Used("b", M, permits=1)])
    await database.write(usage.add, [Used("a", M, permits=3, accepted=4), Used("a", M + 1, permits=1)])
    await database.write(usage.add, [])
    assert await database.read(usage.last_day, NOW) == {
        "a": {M: Used("a", M, 5, 5), M + 1: Used("a", M + 1, 1, 0)},
        "b": {M: Used("b", M, 1, 0)},
    }


async def test_a_day_back_is_what_a_quota_of_a_day_counts(database):
    await database.write(usage.add, [Used("a", M - minutes, permits=1) for minutes in (0, 1439, 1440, 1441)])
    (found,) = (await database.read(usage.last_day, NOW)).values()
    assert sorted(found) == [M - 1440, M - 1439, M]
    permits = {minute: used.permits for minute, used in found.items()}
    assert quota_wait(permits, per_hour=0, per_day=3, now=NOW) == NOW + timedelta(minutes=1)


async def test_what_no_quota_counts_any_more_is_dropped(database):
    await database.write(usage.add, [Used("a", M - hours * 60, permits=1) for hours in (0, 24, 25, 26, 500)])
    assert await database.write(usage.forget, NOW) == 2
    assert await database.write(usage.forget, NOW) == 0
    later = await database.read(usage.last_day, NOW - timedelta(days=30))
    assert sorted(later["a"]) == [M - 1500, M - 1440, M]


async def test_a_look_at_a_day_to_come_leaves_what_counts_today(database):
    now = datetime.now(UTC)
    today = minute_of(now)
    await database.write(usage.add, [Used("a", today - hours * 60, permits=1) for hours in (0, 24, 26)])
    assert await database.write(usage.forget, now + timedelta(days=30)) == 1
    assert await database.write(usage.forget, now - timedelta(days=30)) == 0
    assert sorted((await database.read(usage.last_day, now))["a"]) == [today - 1440, today]
