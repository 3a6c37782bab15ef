"""Forms are counted by the clock, by address, network and provider, under every key; holding is one mark."""

from datetime import timedelta

import pytest

from mailer.core.signup import Counts, Outcome, SignupOptions
from mailer.core.tokens import fingerprint
from mailer.store import signups
from tests.stories import DAY, KEY, MONDAY

OPTIONS = SignupOptions()
OLD_KEY = "the key before the one in use, also long enough"
THERE = "198.51.100.7"
A_MOMENT = timedelta(milliseconds=1)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def mark(email="ann@example.com", key=KEY):
    return fingerprint(email, key)


async def sent_in(
    database, ago, *, outcome=Outcome.CONFIRM, email="ann@example.com", network=THERE, domain="example.com", key=KEY
):
    await database.write(signups.note, mark(email, key), network, domain, outcome, MONDAY - ago)


async def counted(database, *, email="ann@example.com", network=THERE, domain="example.com", options=OPTIONS):
    marks = [fingerprint(email, key) for key in (OLD_KEY, KEY)]
    return await database.read(signups.counts, marks, network, domain, now=MONDAY, options=options)


async def test_nothing_was_sent_in_yet(database):
    assert await counted(database) == Counts()


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(0), {"address_pause", "address_day", "address_month", "network_hour", "network_day", "domain_hour"}),
        (
            15 * MINUTE - A_MOMENT,
            {"address_pause", "address_day", "address_month", "network_hour", "network_day", "domain_hour"},
        ),
        (15 * MINUTE, {"address_day", "address_month", "network_hour", "network_day", "domain_hour"}),
        (HOUR - A_MOMENT, {"address_day", "address_month", "network_hour", "network_day", "domain_hour"}),
        (HOUR, {"address_day", "address_month", "network_day"}),
        (DAY - A_MOMENT, {"address_day", "address_month", "network_day"}),
        (DAY, {"address_month"}),
        (30 * DAY - A_MOMENT, {"address_month"}),
        (30 * DAY, set()),
    ],
)
async def test_a_form_counts_until_its_time_is_over(database, ago, expected):
    await sent_in(database, ago)
    found = await counted(database)
    names = ("address_pause", "address_day", "address_month", "network_hour", "network_day", "domain_hour")
    assert {name for name in names if getattr(found, name)} == expected
    assert {getattr(found, name) for name in expected} <= {1}


@pytest.mark.parametrize("ago", [10 * MINUTE - A_MOMENT, 10 * MINUTE])
async def test_a_burst_is_what_was_mailed_in_its_time_whoever_to(database, ago):
    for place in range(3):
        await sent_in(database, ago, email=f"r{place}@d{place}.example", network=f"192.0.2.{place}", domain="d.example")
    assert (await counted(database)).burst == (3 if ago < 10 * MINUTE else 0)
    wide = OPTIONS.model_copy(update={"burst_within": HOUR})
    assert (await counted(database, options=wide)).burst == 3


async def test_the_pause_of_an_address_is_the_operators(database):
    await sent_in(database, HOUR)
    assert (await counted(database)).address_pause == 0
    longer = OPTIONS.model_copy(update={"address_pause": 2 * HOUR})
    assert (await counted(database, options=longer)).address_pause == 1
    none = OPTIONS.model_copy(update={"address_pause": timedelta(0)})
    await sent_in(database, timedelta(0))
    assert (await counted(database, options=none)).address_pause == 0


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_a_network_counts_every_form_an_address_and_a_provider_only_what_was_mailed(database, outcome):
    await sent_in(database, MINUTE, outcome=outcome)
    found = await counted(database)
    mailed = int(outcome in {Outcome.CONFIRM, Outcome.HELD})
    assert (found.network_hour, found.network_day) == (1, 1)
    assert {found.address_pause, found.address_day, found.address_month, found.domain_hour, found.burst} == {mailed}
    assert found.told_already is (outcome is Outcome.ALREADY)


async def test_others_do_not_count(database):
    await sent_in(database, MINUTE, email="bob@example.org", network="198.51.100.8", domain="example.org")
    found = await counted(database)
    assert found == Counts(burst=1)


async def test_each_is_counted_by_itself(database):
    await sent_in(database, MINUTE, network="192.0.2.1", domain="elsewhere.example")
    await sent_in(database, MINUTE, email="bob@example.com", domain="elsewhere.example")
    await sent_in(database, MINUTE, email="cem@example.com", network="192.0.2.1")
    found = await counted(database)
    assert (found.address_day, found.network_hour, found.domain_hour) == (1, 1, 1)


async def test_what_was_counted_under_an_older_key_counts_on(database):
    await sent_in(database, MINUTE, key=OLD_KEY)
    await sent_in(database, 20 * MINUTE)
    found = await counted(database)
    assert (found.address_pause, found.address_day, found.address_month) == (1, 2, 2)
    await sent_in(database, 29 * DAY, key=OLD_KEY, outcome=Outcome.ALREADY)
    assert (await counted(database)).told_already


@pytest.mark.parametrize(("ago", "told"), [(30 * DAY - A_MOMENT, True), (30 * DAY, False)])
async def test_a_reader_was_told_that_they_are_one_for_30_days(database, ago, told):
    await sent_in(database, ago, outcome=Outcome.ALREADY)
    assert (await counted(database)).told_already is told


async def test_visitors_whose_network_is_not_known_are_not_one_network(database):
    for _ in range(9):
        await sent_in(database, MINUTE, network="", email="bob@example.org", domain="example.org")
    found = await counted(database, network="")
    assert (found.network_hour, found.network_day) == (0, 0)


@pytest.mark.parametrize("forms", [4, 5, 19, 20, 400])
async def test_counting_a_network_stops_where_its_limit_is_reached(database, forms):
    def many(connection):
        for _ in range(forms):
            signups.note(connection, mark("x@y.example"), THERE, "y.example", Outcome.NETWORK, MONDAY - MINUTE)

    await database.write(many)
    found = await counted(database)
    assert found.network_hour == found.network_day == min(forms, 20)


async def test_holding_begins_once_and_ends_once(database):
    assert await database.read(signups.held_since) is None
    assert await database.write(signups.let_go, MONDAY) is False
    await database.write(signups.hold, MONDAY)
    await database.write(signups.hold, MONDAY + HOUR)
    assert await database.read(signups.held_since) == MONDAY
    assert (await counted(database)).holding
    assert await database.write(signups.let_go, MONDAY) is True
    assert await database.read(signups.held_since) is None
    assert not (await counted(database)).holding
