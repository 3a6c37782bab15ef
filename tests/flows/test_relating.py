"""Related reading in whole editions: from before the readers' windows, frozen with the variant, or turned off."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from mailer.core.article import Draft
from mailer.core.message import Compiled
from mailer.core.selection import Window, is_before
from mailer.flows.planning import look_ahead
from mailer.store import articles, editions
from mailer.store.database import Database
from tests.stories import DAY, MONDAY, WEEK, cadence, change, composer, join, make_edition

FEED = Path(__file__).parents[1] / "fixtures/related/articles.jsonl"
NAMING = replace(composer(), related=4)


def drafts() -> list[Draft]:
    rows = [json.loads(line) for line in FEED.read_text(encoding="utf-8").splitlines()]
    return [
        Draft(
            guid=str(row["seq"]),
            title=row["title"],
            link=row["link"],
            summary=row["summary"],
            topics=tuple(row["topics"]),
            published=datetime.fromisoformat(row["published"]),
            language=row["language"],
        )
        for row in rows
    ]


@pytest.fixture
async def archive(database) -> Database:
    """180 articles of the back catalogue, and one weekly reader."""
    await database.write(articles.take_in, "feed:1", [(one, True) for one in drafts()[:180]])
    await join(database, "ann")
    return database


async def news(database: Database, first: int, last: int) -> None:
    """Some of the feed's newest articles, by their place in it, come out now."""
    fresh = [(replace(one, published=MONDAY - DAY), False) for one in drafts()[first:last]]
    await database.write(articles.take_in, "feed:1", fresh)


async def test_an_edition_names_older_articles_and_none_of_its_own_window(archive):
    await news(archive, 180, 190)

    made = await make_edition(archive, by=NAMING)

    [variant] = await archive.read(editions.variants_of, made.edition.id)
    assert 1 <= len(variant.related) <= 4
    assert len(set(variant.related)) == len(variant.related)
    assert all(seq <= 180 for seq in variant.related)
    mail = b"".join(Compiled.unpack(variant.content).segments).replace(b"=\r\n", b"").decode()
    named = await archive.read(articles.by_seq, variant.related)
    assert all(one.draft.link in mail for one in named)
    assert "Related reading" in mail


async def test_what_one_edition_gave_may_be_named_by_the_next_but_nothing_that_is_still_due(archive):
    await news(archive, 180, 190)
    await make_edition(archive, by=NAMING)
    await archive.write(lambda c: c.exec_driver_sql("UPDATE deliveries SET state = 'accepted', permit_at = 0").rowcount)
    await news(archive, 190, 200)
    await join(archive, "new")

    made = await make_edition(archive, now=MONDAY + WEEK, by=NAMING)

    for variant in await archive.read(editions.variants_of, made.edition.id):
        assert all(seq <= 190 for seq in variant.related)


async def test_readers_of_one_variant_with_different_windows_get_what_is_older_than_all_of_them(archive):
    """Bob has had nothing for two editions, but what he is due is the same."""
    await join(archive, "bob")
    await change(archive, "ann", given=185)
    await change(archive, "bob", given=150)
    await news(archive, 180, 182)
    await archive.write(lambda c: c.exec_driver_sql("UPDATE articles SET known = 1 WHERE seq > 180").rowcount)
    await news(archive, 182, 200)

    prospect = await look_ahead(archive, cadence("weekly"), now=MONDAY, composer=NAMING)

    for number, batch in enumerate(prospect.arrangement.batches):
        for window in prospect.arrangement.windows(number):
            assert all(
                is_before(window, seq=one.seq, known=one.known, published=one.draft.published) for one in batch.related
            )


async def test_none_are_named_where_the_operator_wants_none(archive):
    await news(archive, 180, 190)

    made = await make_edition(archive, by=replace(NAMING, related=0))

    [variant] = await archive.read(editions.variants_of, made.edition.id)
    assert variant.related == ()


@pytest.mark.parametrize(
    ("seq", "known", "published", "before"),
    [
        (5, False, None, True),  # given before
        (15, False, None, False),  # due
        (15, True, None, True),  # back catalogue, never mailed
        (25, False, None, False),  # after the window: due next time
        (25, True, None, False),
        (15, False, MONDAY - 9 * DAY, False),  # dates don't count
    ],
)
def test_what_is_from_before_a_window(seq, known, published, before):
    assert is_before(Window(10, 20), seq=seq, known=known, published=published) is before


def test_what_is_too_old_for_a_first_edition_is_from_before_it():
    first = Window(0, 20, since=MONDAY - WEEK)
    assert is_before(first, seq=5, known=False, published=MONDAY - 9 * DAY)
    assert not is_before(first, seq=5, known=False, published=MONDAY - DAY)
    assert not is_before(first, seq=5, known=False, published=None)
