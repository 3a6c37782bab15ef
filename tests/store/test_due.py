"""What the outbox has to do by now, asked without reading what is settled."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from mailer.store import due, notices
from mailer.store.notices import Posted
from mailer.store.tables import deliveries, editions
from tests.stories import MONDAY, join, make_edition, publish

LATER = MONDAY + timedelta(minutes=5)


@pytest.fixture
async def mail(database):
    """`await mail(state, …)`: the one delivery there is, of an edition or not, is in this state now."""
    await publish(database, "one")
    await join(database, "ann")
    await make_edition(database)

    async def put(state: str, *, edition: bool, **columns) -> None:
        def work(connection):
            values = {"state": state, "next_at": None, **columns}
            if not edition:
                values |= {"edition_id": None, "dedupe_key": "key", "purpose": "welcome"}
            connection.execute(update(deliveries).values(**values))

        await database.write(work)

    return put


@pytest.mark.parametrize(
    ("state", "columns", "found"),
    [
        ("pending", {}, True),
        ("claimed", {}, True),
        ("sending", {}, True),
        ("deferred", {"next_at": MONDAY}, True),
        ("deferred", {"next_at": LATER}, False),
        ("in_doubt", {"next_at": MONDAY}, True),
        ("in_doubt", {"next_at": LATER}, False),
        ("in_doubt_held", {}, False),
        ("accepted", {}, False),
        ("failed", {}, False),
        ("skipped", {}, False),
    ],
)
@pytest.mark.parametrize("edition", [False, True])
async def test_mail_is_due_that_is_new_or_left_behind_or_whose_time_has_come(
    database, mail, state, columns, found, edition
):
    await mail(state, edition=edition, **columns)

    assert await database.read(due.transactional, MONDAY) is (found and not edition)
    if edition:
        # An edition of which nothing is left has to be said done.
        settled = state in {"in_doubt_held", "accepted", "failed", "skipped"}
        assert await database.read(due.anything, MONDAY) is (found or settled)


@pytest.mark.parametrize("state", ["held", "skipped", "done"])
async def test_an_edition_that_may_not_be_sent_is_not_due(database, mail, state):
    await mail("pending", edition=True)
    await database.write(lambda c: c.execute(update(editions).values(state=state)).rowcount)

    assert not await database.read(due.anything, MONDAY)


async def test_nothing_is_due_in_a_new_database(database):
    assert not await database.read(due.transactional, MONDAY)
    assert not await database.read(due.anything, MONDAY)
    assert await database.read(due.untried_since) is None


@pytest.mark.parametrize("question", [due._TRANSACTIONAL, due._ANYTHING, due._UNTRIED])
async def test_settled_mail_is_not_read(database, question):
    def plan(connection):
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {str(question).replace(':now', '0')}")
        return [row[3] for row in rows]

    steps = [step for step in await database.write(plan) if " d " in f"{step} " or "deliveries" in step]

    assert len(steps) >= 2
    for step in steps:
        assert "ix_deliveries_" in step, step


@pytest.fixture
async def wanted(database):
    """`await wanted(minutes, …)`: a mail is wanted since so many minutes before Monday 8:00."""
    await join(database, "ann")

    async def want(minutes: int, **options) -> None:
        await database.write(notices.want, "welcome", 1, 1, now=MONDAY - timedelta(minutes=minutes), **options)

    return want


async def _post(database) -> None:
    """All that is wanted is in the outbox, since the moment at which it was wanted."""

    def work(connection):
        for item in notices.waiting(connection, now=MONDAY, throttled_per_hour=100, limit=10):
            made = Posted(item, "en", "Welcome", b"", None, f"n{item.id}", "k", MONDAY + timedelta(days=2))
            assert notices.post(connection, made, item.wanted_at)

    await database.write(work)


async def test_the_oldest_mail_that_nobody_tried_is_found_before_and_in_the_outbox(database, wanted):
    await wanted(20)
    await wanted(10)
    assert await database.read(due.untried_since) == MONDAY - timedelta(minutes=20)

    await _post(database)
    await wanted(5)

    assert await database.read(due.untried_since) == MONDAY - timedelta(minutes=20)


@pytest.mark.parametrize("options", [{"throttled": True}, {"held": True}])
async def test_what_waits_for_its_turn_or_for_the_operator_is_not_late(database, wanted, options):
    await wanted(20, **options)

    assert await database.read(due.untried_since) is None


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "accepted"},
        {"state": "deferred", "attempts": 1},
        {"state": "pending", "waits": 1},
        {"state": "claimed", "attempts": 2},
        {"state": "sending", "doubts": 1},
    ],
)
async def test_what_the_relay_put_off_does_not_speak_for_all(database, wanted, columns):
    await wanted(20)
    await _post(database)
    await database.write(lambda c: c.execute(update(deliveries).values(**columns)).rowcount)

    assert await database.read(due.untried_since) is None
