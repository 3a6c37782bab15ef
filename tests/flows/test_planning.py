"""Planning: which edition is due, and what each reader gets. Word for word by what was decided about windows."""

import asyncio
import secrets
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from mailer.core.tokens import key_id
from mailer.errors import StoreError
from mailer.flows import editing, releasing
from mailer.flows.planning import look_ahead, plan
from mailer.flows.planning.composing import Issue
from mailer.store import articles as article_store
from mailer.store import editions as edition_store
from mailer.store import plans, watermarks
from mailer.store.database import Database
from mailer.store.tables import articles, deliveries, subscribers
from tests.stories import (
    DAY,
    KEY,
    MONDAY,
    WEEK,
    address,
    cadence,
    change,
    composer,
    contents,
    join,
    make_edition,
    publish,
    row_of,
    standing,
    sums_hold,
)

HOUR = timedelta(hours=1)


async def settle(database: Database, edition_id: int, *, finish: bool = True, **states: str) -> None:
    """How sending ended: each reader's state, 'accepted' for those not named. `finish`: nothing is left to do."""
    await database.write(
        lambda c: (
            c.execute(
                update(deliveries)
                .where(deliveries.c.edition_id == edition_id, deliveries.c.state.in_(["pending", "claimed"]))
                .values(state="accepted")
            ).rowcount
        )
    )
    for name, state in states.items():
        reader = select(subscribers.c.id).where(subscribers.c.email == address(name)).scalar_subquery()
        await database.write(
            lambda c, state=state, reader=reader: (
                c.execute(
                    update(deliveries)
                    .where(deliveries.c.edition_id == edition_id, deliveries.c.subscriber_id == reader)
                    .values(state=state)
                ).rowcount
            )
        )
    if finish:
        assert await database.write(watermarks.fold, MONDAY) == [edition_id]


async def issue(database: Database, pace="weekly", now: datetime = MONDAY, **states: str) -> dict[str, list[str]]:
    """Make the edition that is due and send it. Returns who got what."""
    planned = await make_edition(database, pace, now)
    assert planned.fresh
    got = await contents(database, planned.edition.id)
    if planned.edition.state == "running":
        await settle(database, planned.edition.id, **states)
    return got


def each(got: dict[str, list[str]]) -> dict[str, set[str]]:
    return {name: set(guids) for name, guids in got.items()}


# --- which edition


@pytest.mark.parametrize(
    ("now", "period", "due"),
    [
        (datetime(2026, 11, 23, 7, 0, tzinfo=UTC), "2026-W48", datetime(2026, 11, 23, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 23, 6, 59, tzinfo=UTC), "2026-W47", datetime(2026, 11, 16, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 29, 23, 0, tzinfo=UTC), "2026-W48", datetime(2026, 11, 23, 7, 0, tzinfo=UTC)),
    ],
)
async def test_the_latest_due_edition_is_made(database, now, period, due):
    await publish(database, "a", published=now)
    await join(database, "ann")
    planned = await make_edition(database, "weekly", now)
    assert (planned.edition.period, planned.edition.due_at, planned.edition.planned_at) == (period, due, now)
    assert planned.next_due == due + WEEK
    assert (planned.edition.state, planned.edition.planned) == ("running", 1)


async def test_what_is_made_already_is_not_made_again(database):
    await publish(database, "a")
    await join(database, "ann")
    first = await make_edition(database)
    await publish(database, "b")
    await join(database, "bob")
    again = await make_edition(database, now=MONDAY + 5 * DAY)
    assert (first.fresh, again.fresh) == (True, False)
    assert again.edition == first.edition
    assert again.next_due == MONDAY + WEEK - HOUR
    assert await contents(database, first.edition.id) == {"ann": ["a"]}


async def test_a_cadence_without_readers_makes_no_edition(database):
    await publish(database, "a")
    await join(database, "ann", pace="daily")
    planned = await make_edition(database, "weekly")
    assert (planned.edition, planned.fresh, planned.period) == (None, False, "2026-W48")
    await join(database, "bob")
    assert (await make_edition(database, "weekly")).fresh


async def test_several_due_dates_in_a_week_are_editions_of_their_own(database):
    twice = cadence("often", when="mon,thu 07:00")
    await join(database, "ann", pace="often")
    await publish(database, "a")
    assert await issue(database, twice, MONDAY) == {"ann": ["a"]}
    await publish(database, "b")
    assert await issue(database, twice, MONDAY + 3 * DAY) == {"ann": ["b"]}
    made = await database.read(edition_store.latest, 9)
    assert [item.period for item in made] == ["2026-11-26", "2026-11-23"]


async def test_looking_ahead_writes_nothing(database):
    await publish(database, "a")
    await join(database, "ann")
    prospect = await look_ahead(database, cadence(), now=MONDAY, composer=composer())
    assert prospect.made is None
    assert prospect.arrangement.readers == 1
    assert await database.read(edition_store.latest, 9) == []
    made = await make_edition(database)
    prospect = await look_ahead(database, cadence(), now=MONDAY, composer=composer())
    assert (prospect.made, prospect.arrangement) == (made.edition, None)


async def test_everything_a_second_copy_needs_is_frozen_with_the_edition(database):
    await publish(database, "a")
    await join(database, "ann")
    planned = await make_edition(database, keys=("old", KEY))
    edition = planned.edition
    assert len(edition.nonce) == 32
    assert edition.key_id == key_id(KEY)
    (variant,) = await database.read(edition_store.variants_of, edition.id)
    assert (variant.articles, variant.more, variant.subject, variant.language) == ((1,), 0, "About a", "en")
    row = await row_of(database, "ann")
    assert (row.variant_id, row.generation, row.state, row.purpose) == (variant.id, 1, "pending", "digest")


@pytest.mark.parametrize(
    ("now", "max_age", "expires"),
    [
        (MONDAY, 2 * DAY, MONDAY + 2 * DAY),
        (MONDAY, 30 * DAY, MONDAY + WEEK - HOUR),
        (MONDAY + 6 * DAY, 2 * DAY, MONDAY + WEEK - HOUR),
    ],
)
async def test_a_delivery_is_tried_until_its_age_or_the_next_edition(database, now, max_age, expires):
    await publish(database, "a")
    await join(database, "ann")
    await make_edition(database, now=now, max_age=max_age)
    assert (await row_of(database, "ann")).expires_at == expires


# --- the first edition of a cadence


async def test_the_first_edition_goes_back_one_period(database):
    due = MONDAY - HOUR
    await publish(database, "too old", published=due - WEEK - timedelta(milliseconds=1))
    await publish(database, "just in", published=due - WEEK)
    await publish(database, "undated", published=None)
    await publish(database, "of tomorrow", published=MONDAY + DAY)
    await publish(database, "back catalogue", known=True)
    await join(database, "ann")
    planned = await make_edition(database)
    assert await contents(database, planned.edition.id) == {"ann": ["of tomorrow", "just in", "undated"]}
    assert (planned.edition.lo, planned.edition.hi) == (None, 5)


async def test_each_cadence_has_a_first_edition_of_its_own(database):
    await publish(database, "a", published=MONDAY - 3 * DAY)
    await join(database, "ann")
    assert await issue(database) == {"ann": ["a"]}
    await join(database, "dan", pace="daily")
    await publish(database, "b", published=MONDAY)
    assert each(await issue(database, "daily")) == {"dan": {"b"}}
    await join(database, "mia", pace="monthly")
    assert each(await issue(database, "monthly")) == {"mia": {"a", "b"}}


async def test_a_first_edition_in_which_nothing_was_found_counts(database):
    await publish(database, "old", published=MONDAY - 9 * DAY)
    await join(database, "ann")
    planned = await make_edition(database)
    assert (planned.edition.state, planned.edition.lo, planned.edition.hi) == ("empty", None, 1)
    assert not planned.held_back
    await publish(database, "late", published=MONDAY - 99 * DAY)
    assert await issue(database, now=MONDAY + WEEK) == {"ann": ["late"]}


async def test_a_first_edition_held_back_leaves_the_cadence_without_one_and_loses_nothing(database):
    shy = cadence(min_articles=2)
    await publish(database, "a", published=MONDAY - DAY)
    await join(database, "ann")
    planned = await make_edition(database, shy)
    assert (planned.edition.state, planned.edition.lo, planned.edition.hi) == ("empty", None, None)
    assert planned.held_back
    await publish(database, "b", published=MONDAY + 5 * DAY)
    assert each(await issue(database, shy, MONDAY + WEEK)) == {"ann": {"a", "b"}}


async def test_what_is_older_than_the_first_try_of_a_first_edition_stays_out(database):
    shy = cadence(min_articles=2)
    await publish(database, "too old", published=MONDAY - 9 * DAY)
    await publish(database, "a", published=MONDAY - DAY)
    await join(database, "ann")
    assert (await make_edition(database, shy)).held_back
    await publish(database, "b", published=MONDAY + 5 * DAY)
    assert each(await issue(database, shy, MONDAY + WEEK)) == {"ann": {"a", "b"}}


async def test_first_editions_that_go_back_to_the_same_instant_are_told_apart(database):
    """Wes missed the weekly's first; the daily's, a day after its own, goes back just as far and ends elsewhere."""
    await publish(database, "x", published=MONDAY - 7 * DAY)
    await join(database, "dan", pace="daily")
    await issue(database, "daily", MONDAY - 6 * DAY)
    await publish(database, "older than that", published=MONDAY - 20 * DAY)
    await publish(database, "a")
    await join(database, "wes", "ann")
    assert set((await issue(database, "weekly", wes="failed"))["wes"]) == {"x", "a"}
    daily, weekly = await database.read(edition_store.first_sinces)
    assert daily - weekly == timedelta(milliseconds=1)
    await publish(database, "late", published=MONDAY - 20 * DAY)
    assert set((await issue(database, "weekly", MONDAY + WEEK))["wes"]) == {"x", "a", "late"}


async def test_a_first_edition_that_was_refused_has_no_watermark(database):
    await publish(database, "a")
    await database.write(lambda c: c.execute(update(articles).values(storm=True)).rowcount)
    await join(database, "ann")
    edition = (await make_edition(database)).edition
    assert (edition.state, edition.hi) == ("held", 1)
    await releasing.skip(database, edition.id, now=MONDAY, anew=False)
    assert await database.read(edition_store.first_watermarks) == {}
    assert list((await database.read(edition_store.first_sinces)).values()) == ["weekly"]


async def test_who_was_held_back_with_a_first_edition_gets_what_comes_backdated_at_another_pace(database):
    """Dates count in a cadence's first edition; the daily has had its own."""
    (x,) = await publish(database, "x")
    await join(database, "dan", pace="daily")
    await issue(database, "daily", MONDAY - DAY)
    await database.write(article_store.hide, x)
    await publish(database, "a")
    await join(database, "bob")
    assert (await make_edition(database, cadence(min_articles=2))).held_back
    assert await issue(database, "daily") == {"dan": ["a"]}
    await change(database, "bob", cadence="daily")
    await publish(database, "late", published=MONDAY - 99 * DAY)
    got = await issue(database, "daily", MONDAY + DAY, bob="failed")
    assert set(got["bob"]) == {"a", "late"}
    await publish(database, "b", published=MONDAY + DAY)
    assert each(await issue(database, "daily", MONDAY + 2 * DAY)) == {"dan": {"b"}, "bob": {"a", "late", "b"}}


# --- windows


async def test_windows_go_by_the_order_of_taking_in(database):
    await join(database, "ann")
    await publish(database, "a")
    assert await issue(database) == {"ann": ["a"]}
    await publish(database, "late", published=MONDAY - 300 * DAY)
    await publish(database, "b", published=MONDAY + DAY)
    await publish(database, "of the future", published=MONDAY + 300 * DAY)
    assert await issue(database, now=MONDAY + WEEK) == {"ann": ["of the future", "b", "late"]}
    assert await issue(database, now=MONDAY + 2 * WEEK) == {}


async def test_a_late_run_covers_all_that_was_missed_in_one_edition(database):
    await join(database, "ann")
    await publish(database, "a")
    await issue(database)
    await publish(database, "b", published=MONDAY + DAY)
    await publish(database, "c", published=MONDAY + 2 * WEEK)
    assert await issue(database, now=MONDAY + 3 * WEEK + 6 * DAY) == {"ann": ["c", "b"]}
    made = await database.read(edition_store.latest, 9)
    assert [item.period for item in made] == ["2026-W51", "2026-W48"]


async def test_a_new_reader_gets_the_whole_window_of_their_first_edition(database):
    await join(database, "ann")
    await publish(database, "a")
    await issue(database)
    await publish(database, "b", "c")
    await join(database, "bob")
    assert each(await issue(database, now=MONDAY + WEEK)) == {"ann": {"b", "c"}, "bob": {"b", "c"}}
    assert len(await database.read(edition_store.variants_of, 2)) == 1


async def test_articles_taken_in_while_planning_are_of_the_next_edition(database):
    await join(database, "ann")
    await publish(database, "a")
    planned = await make_edition(database)
    await publish(database, "b")
    assert planned.edition.hi == 1
    await settle(database, planned.edition.id)
    assert await issue(database, now=MONDAY + WEEK) == {"ann": ["b"]}


async def test_a_hidden_article_goes_to_nobody(database):
    await join(database, "ann")
    _, b = await publish(database, "a", "b")
    await database.write(article_store.hide, b)
    assert await issue(database) == {"ann": ["a"]}


# --- what is given back, and what is not


GIVES_BACK = ["failed", "expired", "skipped", "render_failed"]
COUNTS_AS_GIVEN = ["accepted", "in_doubt_held"]


@pytest.mark.parametrize("state", GIVES_BACK)
async def test_who_did_not_get_it_gets_its_articles_next_time(database, state):
    await join(database, "ann", "bob")
    await publish(database, "a")
    await issue(database)
    await publish(database, "b")
    await issue(database, now=MONDAY + WEEK, bob=state)
    await publish(database, "c")
    got = await issue(database, now=MONDAY + 2 * WEEK)
    assert each(got) == {"ann": {"c"}, "bob": {"b", "c"}}


@pytest.mark.parametrize("state", GIVES_BACK)
async def test_who_never_had_anything_gets_their_first_window_next_time(database, state):
    await join(database, "ann")
    await publish(database, "a")
    await issue(database)
    await join(database, "bob")
    await publish(database, "b")
    await issue(database, now=MONDAY + WEEK, bob=state)
    await publish(database, "c")
    await issue(database, now=MONDAY + 2 * WEEK, bob=state)
    await publish(database, "d")
    got = await issue(database, now=MONDAY + 3 * WEEK)
    assert each(got) == {"ann": {"d"}, "bob": {"b", "c", "d"}}


async def test_who_missed_the_very_first_edition_gets_it_and_what_came_backdated_since(database):
    await publish(database, "too old", published=MONDAY - 20 * DAY)
    await publish(database, "a")
    await join(database, "ann", "bob")
    assert each(await issue(database, bob="failed")) == {"ann": {"a"}, "bob": {"a"}}
    await publish(database, "late", published=MONDAY - 20 * DAY)
    await publish(database, "b", published=MONDAY + DAY)
    got = await issue(database, now=MONDAY + WEEK, bob="failed")
    assert each(got) == {"ann": {"late", "b"}, "bob": {"a", "late", "b"}}
    await publish(database, "c", published=MONDAY - 20 * DAY)
    got = await issue(database, now=MONDAY + 2 * WEEK)
    assert each(got) == {"ann": {"c"}, "bob": {"a", "late", "b", "c"}}


@pytest.mark.parametrize("state", COUNTS_AS_GIVEN)
async def test_what_may_have_arrived_is_not_offered_again(database, state):
    await join(database, "ann")
    await publish(database, "a")
    await issue(database, ann=state)
    await publish(database, "b")
    assert await issue(database, now=MONDAY + WEEK) == {"ann": ["b"]}


@pytest.mark.parametrize(
    ("state", "gets", "afterwards"),
    [
        ("pending", {"a", "b"}, "expired: superseded"),
        ("claimed", {"a", "b"}, "expired: superseded"),
        ("deferred", {"a", "b"}, "expired: superseded"),
        ("sending", {"b"}, "sending"),
        ("in_doubt", {"b"}, "in_doubt"),
        ("in_doubt_held", {"b"}, "in_doubt_held"),
        ("accepted", {"b"}, "accepted"),
        ("failed", {"a", "b"}, "failed"),
        ("expired", {"a", "b"}, "expired"),
        ("render_failed", {"a", "b"}, "render_failed"),
    ],
)
async def test_a_new_edition_stands_for_what_the_last_one_has_not_delivered(database, state, gets, afterwards):
    """Bob's delivery keeps the first edition open."""
    await join(database, "ann", "bob")
    await publish(database, "a")
    first = await make_edition(database)
    await settle(database, first.edition.id, finish=False, ann=state, bob="deferred")
    await publish(database, "b")
    second = await make_edition(database, now=MONDAY + WEEK)
    assert each(await contents(database, second.edition.id)) == {"ann": gets, "bob": {"a", "b"}}
    assert await standing(database, first.edition.id) == {"ann": afterwards, "bob": "expired: superseded"}
    await sums_hold(database)


async def test_a_doubt_that_counts_as_given_is_still_tried_after_the_new_edition(database):
    await join(database, "ann")
    await publish(database, "a")
    first = await make_edition(database)
    await settle(database, first.edition.id, finish=False, ann="in_doubt")
    await publish(database, "b")
    await make_edition(database, now=MONDAY + WEEK)
    assert (await row_of(database, "ann", first.edition.id)).expires_at == MONDAY + WEEK + 2 * DAY


@pytest.mark.parametrize("state", ["pending", "claimed", "deferred", "expired", "skipped", "failed"])
async def test_whatever_becomes_of_what_was_in_doubt_once_counts_as_given(database, state):
    """The first copy may be there. So a second one that waits is in time still, and nothing stands for it."""
    await join(database, "ann", "bob")
    await publish(database, "a")
    first = await make_edition(database)
    await settle(database, first.edition.id, finish=False, ann=state, bob="deferred")
    await doubted(database, "ann")
    await publish(database, "b")
    second = await make_edition(database, now=MONDAY + WEEK)
    assert each(await contents(database, second.edition.id)) == {"ann": {"b"}, "bob": {"a", "b"}}
    assert await standing(database, first.edition.id) == {"ann": state, "bob": "expired: superseded"}
    if state in {"pending", "claimed", "deferred"}:
        assert (await row_of(database, "ann", first.edition.id)).expires_at == MONDAY + WEEK + 2 * DAY
    await settle(database, first.edition.id, ann="skipped", bob="failed")
    await settle(database, second.edition.id, ann="failed")
    await publish(database, "c")
    third = await make_edition(database, now=MONDAY + 2 * WEEK)
    assert each(await contents(database, third.edition.id))["ann"] == {"b", "c"}


async def doubted(database, name: str) -> None:
    """What is in the ledger for them was in doubt once."""
    number = (await row_of(database, name)).id
    await database.write(
        lambda c: c.execute(update(deliveries).where(deliveries.c.id == number).values(doubts=1)).rowcount
    )


@pytest.mark.parametrize("state", ["pending", "deferred"])
async def test_the_second_try_of_a_doubt_is_not_superseded_by_an_edition_without_its_articles(database, state):
    """Else they would be in no edition: the second counted them as given, and the third begins after the second."""
    await join(database, "ann")
    await publish(database, "a")
    first = await make_edition(database)
    await settle(database, first.edition.id, finish=False, ann="in_doubt")
    await publish(database, "b")
    second = await make_edition(database, now=MONDAY + WEEK)
    await settle(database, second.edition.id, finish=False)
    await settle(database, first.edition.id, finish=False, ann=state)
    await publish(database, "c")
    third = await make_edition(database, now=MONDAY + 2 * WEEK)
    assert each(await contents(database, third.edition.id)) == {"ann": {"c"}}
    assert (await row_of(database, "ann", first.edition.id)).state == state
    await settle(database, second.edition.id, finish=False)
    await database.write(watermarks.fold, MONDAY + 2 * WEEK)
    await settle(database, third.edition.id, finish=False, ann="failed")
    await publish(database, "d")
    fourth = await make_edition(database, now=MONDAY + 3 * WEEK)
    assert each(await contents(database, fourth.edition.id)) == {"ann": {"c", "d"}}
    assert (await row_of(database, "ann", first.edition.id)).state == state


@pytest.mark.parametrize("state", ["deferred", "failed"])
async def test_a_newcomers_first_edition_that_ends_after_their_second_is_given_back_too(database, state):
    """The first was in doubt while the second was planned, and neither came."""
    await join(database, "ann")
    await publish(database, "a")
    await issue(database)
    await join(database, "bob")
    await publish(database, "b")
    first = await make_edition(database, now=MONDAY + WEEK)
    await settle(database, first.edition.id, finish=False, bob="in_doubt")
    await publish(database, "c")
    second = await make_edition(database, now=MONDAY + 2 * WEEK)
    assert (await contents(database, second.edition.id))["bob"] == ["c"]
    await settle(database, first.edition.id, finish=False, bob="deferred")
    await settle(database, second.edition.id, bob="failed")
    if state == "failed":
        await settle(database, first.edition.id, bob="failed")
    await publish(database, "d")
    third = await make_edition(database, now=MONDAY + 3 * WEEK)
    assert each(await contents(database, third.edition.id)) == {"ann": {"d"}, "bob": {"b", "c", "d"}}


async def test_a_second_try_that_nothing_stands_for_is_superseded(database):
    await join(database, "ann")
    await publish(database, "a")
    first = await make_edition(database)
    await settle(database, first.edition.id, finish=False, ann="deferred")
    await publish(database, "b")
    second = await make_edition(database, now=MONDAY + WEEK)
    await settle(database, second.edition.id, finish=False, ann="failed")
    await publish(database, "c")
    third = await make_edition(database, now=MONDAY + 2 * WEEK)
    assert each(await contents(database, third.edition.id)) == {"ann": {"a", "b", "c"}}


async def test_only_those_who_are_in_the_new_edition_lose_the_old_one(database):
    await join(database, "ann")
    await join(database, "hal", topics=["heart"])
    await publish(database, "a")
    first = await make_edition(database)
    await settle(database, first.edition.id, finish=False, ann="deferred", hal="deferred")
    await change(database, "hal", state="paused")
    await make_edition(database, now=MONDAY + WEEK)
    assert await standing(database, first.edition.id) == {"ann": "expired: superseded", "hal": "deferred"}


# --- empty editions


async def test_nothing_found_moves_on_to_the_newest_article(database):
    await join(database, "hal", topics=["heart"])
    await publish(database, "a")
    await issue(database)
    await publish(database, "lungs only", topics=["lungs"])
    planned = await make_edition(database, now=MONDAY + WEEK)
    assert (planned.edition.state, planned.edition.hi, planned.held_back) == ("empty", 2, False)
    assert (planned.edition.planned, planned.edition.done_at) == (0, MONDAY + WEEK)
    await join(database, "bob")
    await publish(database, "c")
    assert each(await issue(database, now=MONDAY + 2 * WEEK)) == {"hal": {"c"}, "bob": {"c"}}


async def test_too_few_articles_wait_for_the_next_edition(database):
    shy = cadence(min_articles=2)
    await join(database, "ann")
    await publish(database, "a", "b")
    await issue(database, shy)
    await publish(database, "c")
    planned = await make_edition(database, shy, MONDAY + WEEK)
    assert (planned.edition.state, planned.edition.lo, planned.edition.hi) == ("empty", 2, 2)
    assert planned.held_back
    await join(database, "bob")
    await publish(database, "d")
    assert each(await issue(database, shy, MONDAY + 2 * WEEK)) == {"ann": {"c", "d"}, "bob": {"c", "d"}}


@pytest.mark.parametrize("before", [[], ["x", "y"]])
async def test_what_was_held_back_goes_with_a_newcomer_to_another_pace(database, before):
    """`before`: articles of an earlier edition, or there was none."""
    shy = cadence(min_articles=2)
    await join(database, "dan", pace="daily")
    if before:
        await join(database, "ann")
        await publish(database, *before)
        await issue(database, shy, MONDAY - WEEK)
    await join(database, "bob")
    await publish(database, "a", published=MONDAY - 5 * DAY)
    assert (await make_edition(database, shy)).held_back
    await issue(database, "daily")
    await change(database, "bob", cadence="daily")
    await publish(database, "b", published=MONDAY)
    got = await issue(database, "daily", MONDAY + DAY)
    assert set(got["bob"]) == {"a", "b"}


async def test_who_has_too_few_waits_while_others_are_served(database):
    shy = cadence(min_articles=2)
    await join(database, "ann")
    await publish(database, "a", "b")
    await issue(database, shy)
    await join(database, "hal", "hea", topics=["heart"])
    await publish(database, "c", topics=["heart"])
    await publish(database, "d", topics=["lungs"])
    assert each(await issue(database, shy, MONDAY + WEEK)) == {"ann": {"c", "d"}}
    await publish(database, "e", topics=["heart"])
    got = await issue(database, shy, MONDAY + 2 * WEEK)
    assert each(got) == {"hal": {"c", "e"}, "hea": {"c", "e"}}


# --- pace, pause, topics


async def test_a_reader_on_a_new_pace_gets_exactly_what_they_have_not_had(database):
    await join(database, "ann", "bob", pace="daily")
    await join(database, "wes", pace="weekly")
    await publish(database, "a")
    await issue(database, "daily", MONDAY)
    await issue(database, "weekly", MONDAY)
    await publish(database, "b", published=MONDAY + 2 * HOUR)
    await issue(database, "daily", MONDAY + DAY)
    await change(database, "ann", cadence="weekly")
    await change(database, "wes", cadence="daily")
    await publish(database, "c", published=MONDAY + DAY)
    assert each(await issue(database, "daily", MONDAY + 2 * DAY)) == {"bob": {"c"}, "wes": {"b", "c"}}
    assert each(await issue(database, "weekly", MONDAY + WEEK)) == {"ann": {"c"}}


async def test_a_new_pace_in_the_middle_of_sending_repeats_nothing(database):
    await join(database, "ann", "bob", pace="daily")
    await publish(database, "a")
    daily = await make_edition(database, "daily")
    await settle(database, daily.edition.id, finish=False, bob="deferred")
    await change(database, "ann", cadence="weekly")
    await change(database, "bob", cadence="weekly")
    await publish(database, "b", published=MONDAY)
    weekly = await make_edition(database, "weekly")
    assert each(await contents(database, weekly.edition.id)) == {"ann": {"b"}, "bob": {"a", "b"}}
    assert await standing(database, daily.edition.id) == {"ann": "accepted", "bob": "expired: superseded"}


async def test_a_pause_loses_nothing_and_ends_by_itself(database):
    await join(database, "ann", "bob")
    await publish(database, "a")
    await issue(database)
    await change(database, "ann", state="paused", paused_until=MONDAY + 2 * WEEK)
    await publish(database, "b")
    assert each(await issue(database, now=MONDAY + WEEK)) == {"bob": {"b"}}
    await publish(database, "c")
    assert each(await issue(database, now=MONDAY + 2 * WEEK)) == {"ann": {"b", "c"}, "bob": {"c"}}
    row = await database.read(lambda c: c.execute(select(subscribers).where(subscribers.c.id == 1)).one())
    assert (row.state, row.paused_until) == ("active", None)


async def test_a_pause_without_an_end_lasts(database):
    await join(database, "ann", "bob")
    await change(database, "ann", state="paused", paused_until=None)
    await publish(database, "a")
    assert each(await issue(database, now=MONDAY)) == {"bob": {"a"}}


@pytest.mark.parametrize("state", ["pending", "unsubscribed", "bounced", "complained"])
async def test_only_active_readers_are_due(database, state):
    await join(database, "ann", "bob")
    await change(database, "ann", state=state)
    await publish(database, "a")
    assert each(await issue(database)) == {"bob": {"a"}}


async def test_topics_choose(database):
    await join(database, "all")
    await join(database, "lun", topics=["lungs"])
    await join(database, "hal", topics=["heart", "food"])
    await publish(database, "lungs", topics=["Lung health"])
    await publish(database, "both", topics=["LUNGS", "heart"])
    await publish(database, "none")
    await publish(database, "other", topics=["gardening"])
    assert each(await issue(database)) == {
        "all": {"lungs", "both", "none", "other"},
        "lun": {"lungs", "both", "none", "other"},
        "hal": {"both", "none", "other"},
    }
    assert [variant.number for variant in await database.read(edition_store.variants_of, 1)] == [0, 1]


# --- cap and pins


async def test_what_is_over_the_cap_counts_as_given(database):
    small = cadence(max_articles=2)
    await join(database, "ann")
    for number in range(5):
        await publish(database, f"a{number}", published=MONDAY - (5 - number) * HOUR)
    assert await issue(database, small) == {"ann": ["a4", "a3"]}
    (variant,) = await database.read(edition_store.variants_of, 1)
    assert (variant.more, variant.over) == (3, (3, 2, 1))
    await publish(database, "b")
    assert await issue(database, small, MONDAY + WEEK) == {"ann": ["b"]}


async def test_a_pin_is_on_top_of_one_edition_of_each_cadence(database):
    await join(database, "ann")
    await join(database, "dan", pace="daily")
    old, _ = await publish(database, "old", "x", published=MONDAY - 20 * HOUR)
    await publish(database, "new", published=MONDAY - 2 * HOUR)
    await database.write(article_store.pin, old, ["daily", "weekly", "monthly"])
    assert (await issue(database, "weekly"))["ann"][0] == "old"
    (pinned,) = await database.read(article_store.by_seq, [old])
    assert pinned.pins == ("daily", "monthly")
    assert (await issue(database, "daily"))["dan"][0] == "old"
    (pinned,) = await database.read(article_store.by_seq, [old])
    assert pinned.pins == ("monthly",)


async def test_a_pin_that_was_in_no_edition_is_not_spent(database):
    await join(database, "hal", topics=["heart"])
    (seq,) = await publish(database, "lungs", topics=["lungs"])
    await publish(database, "heart", topics=["heart"])
    await database.write(article_store.pin, seq, ["weekly"])
    assert await issue(database) == {"hal": ["heart"]}
    (pinned,) = await database.read(article_store.by_seq, [seq])
    assert pinned.pins == ("weekly",)


# --- together with others


async def test_two_planners_at_once_make_one_edition(database, database_url):
    await publish(database, "a")
    await join(database, *(f"r{number}" for number in range(20)))
    with Database(database_url) as other:
        made = await asyncio.gather(*(make_edition(each) for each in (database, other, database, other)))
    assert sorted(item.fresh for item in made) == [False, False, False, True]
    assert len({item.edition.id for item in made}) == 1
    assert await sums_hold(database) == {"pending": 20}


async def test_a_reader_who_needs_a_variant_that_was_not_planned_makes_the_plan_anew(database, monkeypatch):
    await publish(database, "a")
    await publish(database, "b", topics=["heart"])
    await join(database, "ann")
    await join(database, "bob", pace="daily", topics=["lungs"])

    look = look_ahead
    times = [0]

    async def meddle(*arguments, **named):
        found = await look(*arguments, **named)
        if not times[0]:
            await change(database, "bob", cadence="weekly")
        times[0] += 1
        return found

    monkeypatch.setattr("mailer.flows.planning.look_ahead", meddle)
    planned = await make_edition(database)
    assert times == [2]
    assert each(await contents(database, planned.edition.id)) == {"ann": {"a", "b"}, "bob": {"a"}}
    await sums_hold(database)


async def test_a_reader_who_fits_a_planned_variant_is_simply_in_it(database, monkeypatch):
    await publish(database, "a")
    await join(database, "ann")
    await join(database, "bob", pace="daily")
    look = look_ahead

    async def meddle(*arguments, **named):
        found = await look(*arguments, **named)
        await change(database, "bob", cadence="weekly")
        return found

    monkeypatch.setattr("mailer.flows.planning.look_ahead", meddle)
    planned = await make_edition(database)
    assert (planned.fresh, planned.edition.planned) == (True, 2)
    await sums_hold(database)


async def test_readers_who_never_stop_changing_are_an_error_and_nothing_is_written(database, monkeypatch):
    await publish(database, "a")
    await join(database, "ann")
    look = look_ahead
    names = iter("bcdefg")

    async def meddle(*arguments, **named):
        found = await look(*arguments, **named)
        name = next(names)
        await join(database, name, language=f"x{name}")
        return found

    monkeypatch.setattr("mailer.flows.planning.look_ahead", meddle)
    with pytest.raises(StoreError, match="readers changed 5 times while planning"):
        await make_edition(database)
    assert await database.read(edition_store.latest, 9) == []


async def test_a_plan_that_fails_leaves_nothing_behind(database, monkeypatch):
    await publish(database, "a")
    await join(database, "ann")

    def broken(*_arguments, **_named):
        raise RuntimeError("the power went")

    monkeypatch.setattr(plans, "_settle_earlier", broken)
    with pytest.raises(RuntimeError):
        await make_edition(database)
    assert await database.read(edition_store.latest, 9) == []
    assert await standing(database) == {}
    monkeypatch.undo()
    assert (await make_edition(database)).fresh


def test_an_edition_planned_days_late_says_that_it_covers_until_today():
    weekly = cadence("weekly")
    due = weekly.latest_due(MONDAY)
    on_time = Issue.of(weekly, due, due + timedelta(hours=3), "0" * 32)
    late = Issue.of(weekly, due, due + timedelta(days=5), "0" * 32)
    monday = MONDAY.date()
    assert on_time.covers == (monday - timedelta(days=7), monday - timedelta(days=1))
    assert late.covers == (monday - timedelta(days=7), monday + timedelta(days=5))


async def test_a_draft_that_is_changed_while_planning_is_in_the_edition_as_it_was_changed(database, database_path):
    await publish(database, "one")
    await join(database, "ann")
    await editing.keep_draft(database, "weekly", now=MONDAY, intro="first")

    def change_meanwhile() -> str:
        """Called between the look and the write."""
        with sqlite3.connect(database_path) as connection:
            connection.execute("UPDATE edition_drafts SET intro = 'second', changed_at = 1")
        connection.close()
        return secrets.token_hex(16)

    made = await plan(
        database,
        cadence("weekly"),
        now=MONDAY,
        composer=composer(),
        keys=(KEY,),
        draw=change_meanwhile,
        max_age=DAY,
    )

    assert made.edition is not None
    assert made.edition.intro == "second"
