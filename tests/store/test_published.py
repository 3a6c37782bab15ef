"""What anybody may see of the editions that are out."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from mailer.core.delivery import EditionState
from mailer.store import published
from mailer.store.tables import editions, variants
from tests.stories import DAY, MONDAY, WEEK, cadence, join, make_edition, publish

HOUR = timedelta(hours=1)
OUT = ("running", "paused", "done")


async def set_state(database, state: str, edition: int = 1) -> None:
    await database.write(lambda c: c.execute(update(editions).where(editions.c.id == edition).values(state=state)))


@pytest.fixture
async def two_tongues(database):
    """One edition: German readers of all, English ones of less."""
    await publish(database, "a", topics=["lungs"], published=MONDAY - DAY)
    await publish(database, "b", topics=["heart"], published=MONDAY - 2 * DAY)
    await publish(database, "c", published=MONDAY - 3 * DAY)
    await join(database, "ann", "bob", topics=["heart"])
    await join(database, "cid", "dan")
    await join(database, "eva", language="de")
    await make_edition(database, cadence(max_articles=1))
    return database


async def listed(database, language: str = "en") -> list[tuple[str, int]]:
    return [(one.path, len(one.articles)) for one in await database.read(published.latest, language, limit=20)]


@pytest.mark.parametrize("state", list(EditionState))
async def test_only_an_edition_that_is_out_is_found(two_tongues, state):
    await set_state(two_tongues, state)
    found = await two_tongues.read(published.find, "weekly", "2026-W48", 0)
    assert (found is not None) == (state in OUT)
    assert await two_tongues.read(published.count) == (state in OUT)
    assert bool(await listed(two_tongues)) == (state in OUT)
    assert (await two_tongues.read(published.latest_public, "weekly", "en") is not None) == (state in OUT)


async def test_a_variant_tells_its_articles_with_those_over_the_cap_in_order(two_tongues):
    found = [await two_tongues.read(published.find, "weekly", "2026-W48", number) for number in range(4)]
    assert {(one.language, one.articles) for one in found[:3]} == {
        ("en", (2, 3)),
        ("en", (1, 2, 3)),
        ("de", (1, 2, 3)),
    }
    assert found[3] is None
    assert [one.number for one in found[:3]] == [0, 1, 2]
    assert all(one.unnamed == 0 for one in found[:3])


async def test_of_an_edition_from_before_only_the_count_of_the_others_is_known(two_tongues):
    await two_tongues.write(lambda c: c.execute(update(variants).values(over=[], more=5)))
    found = await two_tongues.read(published.find, "weekly", "2026-W48", 0)
    assert (len(found.articles), found.unnamed) == (1, 5)


async def test_the_variant_of_the_language_with_the_most_articles_stands_for_its_edition(two_tongues):
    whole = [await two_tongues.read(published.find, "weekly", "2026-W48", number) for number in range(3)]
    paths = {(one.language, len(one.articles)): one.path for one in whole}
    assert await listed(two_tongues, "en") == [(paths["en", 3], 3)]
    assert await listed(two_tongues, "de") == [(paths["de", 3], 3)]
    assert (await listed(two_tongues, "fr"))[0][1] == 3


async def test_the_newest_edition_is_told_in_the_readers_language_else_the_first_variant(two_tongues):
    whole = [await two_tongues.read(published.find, "weekly", "2026-W48", number) for number in range(3)]
    (german,) = [one.path for one in whole if one.language == "de"]
    assert await two_tongues.read(published.latest_public, "weekly", "de") == german
    assert await two_tongues.read(published.latest_public, "weekly", "fr") == "/editions/weekly/2026-W48/0"
    assert await two_tongues.read(published.latest_public, "daily", "en") is None
    await publish(two_tongues, "d", published=MONDAY + DAY)
    await make_edition(two_tongues, now=MONDAY + WEEK)
    assert await two_tongues.read(published.latest_public, "weekly", "fr") == "/editions/weekly/2026-W49/0"


async def test_editions_follow_each_other_by_cadence_and_hidden_ones_are_stepped_over(database):
    await join(database, "ann")
    await join(database, "dan", pace="daily")
    for week in range(4):
        await publish(database, f"w{week}", published=MONDAY + week * WEEK - HOUR)
        await make_edition(database, now=MONDAY + week * WEEK)
    await make_edition(database, "daily", now=MONDAY + 2 * WEEK)
    await set_state(database, "cancelled", 2)

    here = await database.read(published.find, "weekly", "2026-W50", 0)
    older, newer = await database.read(published.beside, here)
    assert (older.period, newer.period) == ("2026-W48", "2026-W51")
    assert await database.read(published.beside, newer) == (here, None)
    assert await database.read(published.beside, older) == (None, here)


async def test_the_list_goes_on_from_page_to_page_newest_first(database):
    await join(database, "ann")
    for week in range(5):
        await publish(database, f"w{week}", published=MONDAY + week * WEEK - HOUR)
        await make_edition(database, now=MONDAY + week * WEEK)
    both = [await database.read(published.latest, "en", limit=2, offset=at) for at in (0, 2, 4)]
    assert [[one.period for one in page] for page in both] == [
        ["2026-W52", "2026-W51"],
        ["2026-W50", "2026-W49"],
        ["2026-W48"],
    ]
    assert await database.read(published.count) == 5


async def test_when_it_changed_is_when_it_was_done(two_tongues):
    found = await two_tongues.read(published.find, "weekly", "2026-W48", 0)
    assert found.changed == found.planned_at == MONDAY
    done = MONDAY + timedelta(hours=3)
    await two_tongues.write(lambda c: c.execute(update(editions).values(done_at=done)))
    assert (await two_tongues.read(published.find, "weekly", "2026-W48", 0)).changed == done
