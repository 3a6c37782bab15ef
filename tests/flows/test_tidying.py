"""Whole IPs are kept for 90 days, counted sign-ups for 31."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from mailer.core.network import kept_network
from mailer.core.signup import Outcome
from mailer.flows import tidying
from mailer.flows.tidying import Tidied, tidy
from mailer.store.tables import consent, notices, signup_attempts, suppressions
from tests.flows.readers_side import Side
from tests.stories import DAY, MONDAY, join

MOMENT = timedelta(milliseconds=1)


async def press(database, ip: str, at, count: int = 1) -> None:
    """A consent event with an IP, and a counted sign-up."""
    row = {
        "subscriber_id": 1, "at": at, "event": "confirmed", "route": "link", "statement": "said", "detail": "weekly",
        "source": "https://site.example/a", "text_version": "v", "language": "de", "ip": ip, "agent": "Lynx",
        "message_id": "1@site.example",
    }  # fmt: skip
    attempt = {"at": at, "address": "hash", "network": ip, "domain": "example.com", "outcome": "confirm"}
    await database.write(lambda c: c.execute(insert(consent), [row] * count).rowcount)
    await database.write(lambda c: c.execute(insert(signup_attempts), [attempt] * count).rowcount)


async def records(database) -> list[dict]:
    rows = await database.read(lambda c: c.execute(select(consent).order_by(consent.c.id)).all())
    return [dict(row._mapping) for row in rows]


async def counted(database) -> int:
    return len(await database.read(lambda c: c.execute(select(signup_attempts)).all()))


@pytest.mark.parametrize(
    ("ip", "kept"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("no address", ""),
    ],
)
async def test_an_ip_is_whole_for_ninety_days_and_nothing_else_changes(database, ip, kept):
    await join(database, "ann")
    await press(database, ip, MONDAY)
    before = await records(database)

    await tidy(database, now=MONDAY + 90 * DAY - MOMENT)
    assert await records(database) == before
    assert await tidy(database, now=MONDAY + 90 * DAY) == Tidied(shortened=1)
    after = await records(database)
    assert after == [before[0], {**before[1], "ip": kept}]

    assert await tidy(database, now=MONDAY + 900 * DAY) == Tidied()
    assert await records(database) == after


async def test_counted_signups_are_forgotten_after_thirty_one_days(database):
    await join(database, "ann")
    await press(database, "192.0.2.77", MONDAY)
    assert await tidy(database, now=MONDAY + 31 * DAY) == Tidied()
    assert await counted(database) == 1
    assert await tidy(database, now=MONDAY + 31 * DAY + MOMENT) == Tidied(forgotten=1)
    assert await counted(database) == 0


async def test_much_is_done_in_small_transactions(database, monkeypatch):
    monkeypatch.setattr(tidying, "BATCH", 10)
    await join(database, "ann")
    await press(database, "192.0.2.77", MONDAY, count=25)
    await press(database, "192.0.2.77", MONDAY + 80 * DAY)
    commits = []
    real = database.write_stamped

    async def counting(work, *args, **kwargs):
        commits.append(work)
        return await real(work, *args, **kwargs)

    monkeypatch.setattr(database, "write_stamped", counting)
    assert await tidy(database, now=MONDAY + 95 * DAY) == Tidied(shortened=25, forgotten=25)
    assert len(commits) == 8
    whole = [row["at"] for row in await records(database) if row["ip"] and "/" not in row["ip"]]
    assert whole == [MONDAY + 80 * DAY]
    assert await counted(database) == 1


async def test_where_there_is_nothing_to_do_nothing_is_written(database, monkeypatch):
    await join(database, "ann")
    await press(database, "192.0.2.77", MONDAY)
    monkeypatch.setattr(database, "write_stamped", None)
    assert await tidy(database, now=MONDAY + DAY) == Tidied()


async def test_the_ips_that_are_whole_are_found_by_their_own_index(database):
    asked = "SELECT id, ip FROM consent WHERE ip <> '' AND ip NOT LIKE '%/%' AND at <= 5 ORDER BY at LIMIT 5"
    plan = await database.read(lambda c: c.exec_driver_sql("EXPLAIN QUERY PLAN " + asked).all())
    assert "ix_consent_ip" in plan[0][3]


@given(st.ip_addresses())
def test_what_is_kept_is_a_network_and_stays_what_it_is(ip):
    kept = kept_network(str(ip))
    assert kept.endswith(("/24", "/48"))
    assert kept_network(kept.partition("/")[0]) == kept


async def test_an_address_that_never_confirmed_goes_after_sixty_days_without_a_trace(database, clock):
    side = Side(database, clock)
    await side.ask("ann")
    await side.ask("bob")
    await side.letters()
    await side.come_in("eve")
    assert (await tidy(database, now=MONDAY + 60 * DAY)).unconfirmed == 0
    assert (await tidy(database, now=MONDAY + 60 * DAY + MOMENT)).unconfirmed == 2
    assert await side.find("ann") is None
    assert (await side.reader("eve")).email == "eve@example.com"
    assert await database.read(lambda c: c.execute(select(suppressions)).all()) == []
    assert await side.ask("ann") is Outcome.CONFIRM


async def test_an_address_whose_mail_still_waits_for_its_turn_is_kept(database, clock):
    side = Side(database, clock)
    await side.ask("ann")
    await database.write(lambda c: c.execute(update(notices).values(throttled=2)).rowcount)
    assert (await tidy(database, now=MONDAY + 90 * DAY)).unconfirmed == 0
    clock.move(days=90)
    assert [letter.to for letter in await side.letters()] == ["ann@example.com"]
    assert (await tidy(database, now=MONDAY + 100 * DAY)).unconfirmed == 0
    assert (await tidy(database, now=MONDAY + 151 * DAY)).unconfirmed == 1
