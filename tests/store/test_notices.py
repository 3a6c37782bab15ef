"""Mails that are wanted: in which order, how many an hour, held, posted once."""

from datetime import timedelta

import pytest
from sqlalchemy import event, select

from mailer.store import notices
from mailer.store.notices import Wanted
from mailer.store.tables import deliveries, variants
from mailer.store.tables import notices as table
from tests.store.mailing import HOUR, posted, waiting
from tests.stories import DAY, MONDAY, join


@pytest.fixture
async def readers(database):
    await join(database, "ann", "bob", "cem")


async def want(database, kind="changed", reader=1, **given):
    await database.write(notices.want, kind, reader, 1, **({"now": MONDAY} | given))


async def post_all(database, now=MONDAY, *, per_hour=100, limit=50):
    found = await waiting(database, now, per_hour=per_hour, limit=limit)
    for one in found:
        assert await database.write(notices.post, posted(one), now)
    return len(found)


async def test_what_is_wanted_comes_with_all_it_has_to_say_the_oldest_first(database, readers):
    await want(database, "changed", 2, told={"topics": True})
    await want(database, "welcome", 1, now=MONDAY - HOUR)
    assert await waiting(database) == [
        Wanted(1, "changed", 2, 1, 0, MONDAY, {"topics": True}),
        Wanted(2, "welcome", 1, 1, 0, MONDAY - HOUR, {}),
    ]
    assert [one.id for one in await waiting(database, limit=1)] == [1]


async def test_what_a_reader_waits_for_goes_before_an_operators_list(database, readers):
    for _ in range(3):
        await want(database, throttled=True)
    await want(database, "welcome", 2)
    assert [one.id for one in await waiting(database)] == [4, 1, 2, 3]
    assert [one.id for one in await waiting(database, limit=2)] == [4, 1]


async def test_of_an_operators_list_so_many_an_hour(database, readers):
    for _ in range(7):
        await want(database, throttled=True)
    assert await post_all(database, per_hour=3) == 3
    assert await waiting(database, per_hour=3) == []
    assert await waiting(database, MONDAY + HOUR - timedelta(milliseconds=1), per_hour=3) == []
    assert await database.read(notices.waiting_count) == 4
    assert await post_all(database, MONDAY + HOUR, per_hour=3) == 3
    # Somebody who waits at the page is not kept waiting by it.
    await want(database, "welcome", 2)
    assert await post_all(database, MONDAY + HOUR, per_hour=3) == 1
    assert await post_all(database, MONDAY + 2 * HOUR, per_hour=3) == 1
    assert await database.read(notices.waiting_count) == 0


async def test_a_limit_that_was_lowered_meanwhile_lets_nothing_through(database, readers):
    for _ in range(5):
        await want(database, throttled=True)
    await post_all(database, per_hour=4)
    assert await waiting(database, per_hour=2) == []


async def test_what_is_held_waits_until_it_is_released_and_then_at_the_pace_of_a_list(database, readers):
    await want(database, held=True)
    await want(database, held=True)
    await want(database, "welcome", 2)
    assert [one.id for one in await waiting(database)] == [3]
    assert await database.read(notices.held) == 2
    assert await database.write(notices.release) == 2
    assert await database.write(notices.release) == 0
    assert await database.read(notices.held) == 0
    assert await database.read(notices.waiting_count) == 2
    assert [one.id for one in await waiting(database, per_hour=1)] == [3, 1]


async def test_what_is_discarded_is_never_mailed(database, readers):
    await want(database, held=True)
    await want(database)
    assert await database.write(notices.discard) == 1
    assert await database.write(notices.discard) == 0
    assert await database.write(notices.release) == 0
    assert [one.id for one in await waiting(database)] == [2]
    kept = await database.read(lambda c: c.execute(select(table.c.dropped).where(table.c.id == 1)).scalar())
    assert kept == "discarded"


async def test_what_was_mailed_is_neither_released_nor_discarded(database, readers):
    await want(database)
    await post_all(database)
    assert await database.write(notices.release) == 0
    assert await database.write(notices.discard) == 0


async def test_a_mail_is_put_into_the_outbox_once(database, readers):
    await want(database, "moved", 2)
    (one,) = await waiting(database)
    assert await database.write(notices.post, posted(one, address="old@example.org"), MONDAY) is True
    assert await database.write(notices.post, posted(one), MONDAY) is False
    (row,) = await database.read(lambda c: c.execute(select(deliveries)).all())
    assert (row.subscriber_id, row.purpose, row.address, row.generation) == (2, "moved", "old@example.org", 1)
    assert (row.edition_id, row.state, row.expires_at) == (None, "pending", MONDAY + DAY)
    (variant,) = await database.read(lambda c: c.execute(select(variants)).all())
    assert (variant.id, variant.content, variant.subject) == (row.variant_id, b"content", "A subject")
    (notice,) = await database.read(lambda c: c.execute(select(table)).all())
    assert (notice.delivery_id, notice.posted_at, notice.nonce, notice.key_id) == (row.id, MONDAY, "ab" * 16, "key")
    assert await waiting(database) == []


async def test_a_number_that_was_used_is_not_used_again(database, readers):
    """An erasure takes notices away and leaves their deliveries: a second one by that name could not be posted."""
    await want(database)
    await post_all(database)
    await database.write(lambda c: c.exec_driver_sql("DELETE FROM notices").rowcount)
    await want(database, reader=2)
    assert await post_all(database) == 1
    found = await database.read(lambda c: c.execute(select(deliveries.c.dedupe_key)).scalars().all())
    assert found == ["notice.1", "notice.2"]


async def test_what_was_dropped_is_not_posted_and_what_was_posted_not_dropped(database, readers):
    await want(database)
    await want(database, "welcome")
    first, second = await waiting(database)
    await database.write(notices.drop, first.id, "not_wanted")
    assert await database.write(notices.post, posted(first), MONDAY) is False
    assert await database.write(notices.post, posted(second), MONDAY) is True
    await database.write(notices.drop, second.id, "not_wanted")
    kept = await database.read(lambda c: [tuple(row) for row in c.execute(select(table.c.id, table.c.dropped))])
    assert kept == [(1, "not_wanted"), (2, "")]


async def test_how_many_a_reader_was_to_get_goes_by_kind_and_time(database, readers):
    await want(database, now=MONDAY - DAY)
    await want(database, now=MONDAY)
    await want(database, "copy", now=MONDAY)
    await want(database, reader=2, now=MONDAY)
    await post_all(database)
    since = MONDAY - DAY
    assert await database.read(notices.mailed_since, "changed", 1, since) == 1
    assert await database.read(notices.mailed_since, "changed", 1, since - timedelta(milliseconds=1)) == 2
    assert await database.read(notices.mailed_since, "goodbye", 1, since) == 0


async def test_whether_one_waits_already_goes_by_kind_and_reader(database, readers):
    await want(database)
    assert await database.read(notices.wanted_already, "changed", 1) is True
    assert await database.read(notices.wanted_already, "changed", 2) is False
    assert await database.read(notices.wanted_already, "copy", 1) is False
    await post_all(database)
    assert await database.read(notices.wanted_already, "changed", 1) is False


async def test_looking_for_what_is_wanted_does_not_read_what_was_mailed(database, readers):
    """All the notices there ever were, or every second of `mailer serve` would read them."""
    asked = []

    def remember(_connection, _cursor, statement, parameters, *_rest):
        if "notices" in statement and not statement.startswith("EXPLAIN"):
            asked.append((statement, parameters))

    event.listen(database._reads, "before_cursor_execute", remember)
    await waiting(database)
    await database.read(notices.held)
    await database.read(notices.waiting_count)
    await database.read(notices.wanted_already, "changed", 1)
    event.remove(database._reads, "before_cursor_execute", remember)
    assert len(asked) == 6
    for statement, parameters in asked:
        plan = await database.read(
            lambda c, question=f"EXPLAIN QUERY PLAN {statement}", values=parameters: [
                row.detail for row in c.exec_driver_sql(question, values)
            ]
        )
        assert len(plan) == 1, plan
        small = ("INDEX ix_notices_wanted", "INDEX ix_notices_posted", "INDEX ix_notices_subscriber_id")
        assert any(index in plan[0].replace("COVERING ", "") for index in small), plan
