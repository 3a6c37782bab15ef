"""Articles are numbered in the order in which they are taken in, once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import update

from mailer.core.article import Picture
from mailer.core.related import Candidate
from mailer.store import articles
from mailer.store.tables import articles as table
from tests.stories import MONDAY, draft, publish


async def take(database, *drafts, origin: str = "feed:1", known: bool = False) -> tuple[int, int]:
    return await database.write(articles.take_in, origin, [(each, known) for each in drafts])


async def numbered(database) -> dict[str, int]:
    return {item.draft.guid: item.seq for item in await database.read(articles.latest, 100)}


async def test_numbers_follow_the_order_of_taking_in_whatever_the_dates(database):
    await publish(database, "a", "b", published=MONDAY)
    await publish(database, "c", published=MONDAY - timedelta(days=900))
    await publish(database, "d", published=None)
    assert await numbered(database) == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert await database.read(articles.newest) == 4


async def test_what_is_taken_in_again_keeps_its_number(database):
    assert await take(database, draft("a"), draft("b")) == (2, 0)
    assert await take(database, draft("b"), draft("a"), draft("c")) == (1, 0)
    assert await numbered(database) == {"a": 1, "b": 2, "c": 3}


async def test_what_changed_is_brought_up_to_date_under_its_number(database):
    await take(database, draft("a"), known=True)
    picture = Picture("https://x.example/p.png", "a picture", 600, 300)
    assert await take(database, replace(draft("a"), title="New", picture=picture, topics=("x",))) == (0, 1)
    (found,) = await database.read(articles.by_seq, [1])
    assert (found.draft.title, found.draft.picture, found.draft.topics) == ("New", picture, ("x",))
    assert found.known


async def test_a_size_that_was_learned_stays_while_the_picture_is_the_same(database):
    bare = Picture("https://x.example/p.png", "a picture")
    learned = replace(bare, width=600, height=300, media_type="image/png")
    await take(database, replace(draft("a"), picture=learned))
    assert await take(database, replace(draft("a"), picture=bare)) == (0, 0)
    for told, kept in (
        (replace(bare, alt="other words"), replace(learned, alt="other words")),
        (replace(bare, width=700, height=400), replace(bare, width=700, height=400)),
        (Picture("https://x.example/q.png"), Picture("https://x.example/q.png")),
        (None, None),
    ):
        assert await take(database, replace(draft("a"), picture=told)) == (0, 1)
        (found,) = await database.read(articles.by_seq, [1])
        assert found.draft.picture == kept


async def test_the_same_again_is_no_change_whatever_its_zone_and_microseconds(database):
    moment = datetime(2026, 11, 20, 12, 0, 0, 123_456, UTC)
    await take(database, draft("a", published=moment))
    elsewhere = moment.astimezone(timezone(timedelta(hours=5)))
    assert await take(database, draft("a", published=elsewhere)) == (0, 0)
    (found,) = await database.read(articles.by_seq, [1])
    assert found.draft.published == moment.replace(microsecond=123_000)


async def test_the_same_guid_of_another_source_is_another_article(database):
    await take(database, draft("a"))
    assert await take(database, linked("a", "https://other.example/a"), origin="feed:2") == (1, 0)
    assert await database.read(articles.count) == 2
    assert await database.read(articles.count, "feed:2") == 1


# --- the same article through two sources


def linked(guid: str, link: str, **changes):
    return replace(draft(guid), link=link, **changes)


ONE, AGAIN = "https://site.example/2026/ward/", "http://www.site.example/2026/ward?utm_source=planet"


async def test_an_article_that_comes_through_a_second_source_is_no_second_article(database):
    await take(database, linked("a", ONE))
    for _ in range(2):
        assert await take(database, linked("planet-1", AGAIN), draft("new"), origin="feed:2") in ((1, 0), (0, 0))
    assert await numbered(database) == {"a": 1, "new": 2}


async def test_only_its_first_source_changes_an_article_so_that_two_do_not_quarrel(database):
    first = linked("a", ONE, title="As the site says")
    second = linked("b", AGAIN, title="AS THE PLANET SAYS", summary="Other words")
    await take(database, first)
    for _ in range(2):
        assert await take(database, second, origin="feed:2") == (0, 0)
        assert await take(database, first) == (0, 0)
    assert await take(database, replace(first, title="Corrected")) == (0, 1)
    (found,) = await database.read(articles.latest, 10)
    assert (found.draft.title, found.draft.link, found.origin) == ("Corrected", ONE, "feed:1")


async def test_a_second_name_holds_when_the_link_it_was_found_by_changes(database):
    await take(database, linked("a", ONE))
    await take(database, linked("b", AGAIN), origin="feed:2")
    await take(database, linked("a", "https://site.example/2026/the-ward"))
    assert await take(database, linked("b", AGAIN), origin="feed:2") == (0, 0)
    assert await take(database, linked("b", "https://elsewhere.example/b"), origin="feed:2") == (0, 0)
    assert await database.read(articles.count) == 1


@pytest.mark.parametrize("link", ["https://site.example/", "https://site.example/news#3", ""])
async def test_a_link_that_several_items_share_identifies_none(database, link):
    assert await take(database, linked("a", link), linked("b", link)) == (2, 0)
    assert await take(database, linked("c", link), origin="feed:2") == (1, 0)
    assert await take(database, linked("d", link), linked("e", link), origin="feed:3") == (2, 0)
    assert await take(database, linked("f", link), origin="feed:2") == (1, 0)


async def test_several_items_of_a_second_source_with_one_link_are_articles_of_their_own(database):
    await take(database, linked("a", ONE))
    assert await take(database, linked("b", ONE), linked("c", AGAIN), origin="feed:2") == (2, 0)


async def test_the_topics_of_every_source_count_and_stay(database):
    first = linked("a", ONE, topics=("Lungs", "News"))
    await take(database, first)
    assert await take(database, linked("b", AGAIN, topics=("heart", "LUNGS")), origin="feed:2") == (0, 1)
    assert await take(database, first) == (0, 0)
    assert await topics_of(database) == ("Lungs", "News", "heart")
    assert await take(database, replace(first, topics=("Food",))) == (0, 1)
    assert await topics_of(database) == ("Food", "heart", "LUNGS")


async def test_what_a_second_source_no_longer_says_goes_with_the_next_word_of_the_first(database):
    first = linked("a", ONE, topics=("Lungs",))
    await take(database, first)
    await take(database, linked("b", AGAIN, topics=("heart",)), origin="feed:2")
    assert await take(database, linked("b", AGAIN, topics=("food",)), origin="feed:2") == (0, 1)
    assert await take(database, first) == (0, 1)
    assert await topics_of(database) == ("Lungs", "food")


async def test_a_duplicate_of_what_is_hidden_or_only_known_stays_so(database):
    await take(database, linked("a", ONE), known=True)
    await take(database, draft("h"))
    await database.write(articles.hide, 2)
    await take(database, linked("b", AGAIN), linked("i", draft("h").link), origin="feed:2")
    assert await database.read(articles.between, 0, 9) == []


async def test_of_more_duplicates_than_a_statement_takes_each_is_found(database):
    many = [draft(f"g{n}") for n in range(1_200)]
    again = [replace(each, guid=f"again-{each.guid}") for each in many]
    await take(database, *many)
    assert await take(database, *again, origin="feed:2") == (0, 0)
    assert await take(database, *again, origin="feed:2") == (0, 0)


async def topics_of(database) -> tuple[str, ...]:
    (found,) = await database.read(articles.by_seq, [1])
    return found.draft.topics


async def test_more_items_than_a_statement_takes_are_taken_in_at_once(database):
    many = [draft(f"g{n}") for n in range(1_200)]
    assert await take(database, *many) == (1_200, 0)
    assert await take(database, *many) == (0, 0)
    assert await database.read(articles.newest) == 1_200


async def test_between_leaves_out_what_is_hidden_or_only_known(database):
    await publish(database, "a", "b", "c")
    await publish(database, "d", known=True)
    await publish(database, "e")
    assert await database.write(articles.hide, 2)
    assert {item.seq for item in await database.read(articles.between, 1, 9)} == {3, 5}


async def test_a_pin_is_spent_cadence_by_cadence(database):
    await publish(database, "a", "b")
    assert await database.write(articles.pin, 1, ["daily", "weekly"])
    await database.write(articles.unpin_given, [1, 2], "weekly")
    (first,) = await database.read(articles.by_seq, [1])
    assert first.pins == ("daily",)
    assert not await database.write(articles.pin, 99, ["daily"])
    assert not await database.write(articles.hide, 99)


async def test_articles_come_in_the_order_asked_for(database):
    await publish(database, "a", "b", "c")
    found = await database.read(articles.by_seq, [3, 99, 1])
    assert [item.seq for item in found] == [3, 1]


async def test_candidates_are_the_newest_that_may_be_named_and_the_back_catalogue_is_among_them(database):
    await take(database, replace(draft("old"), topics=("x",), language="de"), known=True)
    await take(database, draft("hidden"), draft("stormed"), draft("a"), draft("b"))
    await database.write(articles.hide, 2)
    await database.write(
        lambda connection: connection.execute(update(table).where(table.c.seq == 3).values(storm=True))
    )

    found = await database.read(articles.candidates)

    assert [one.seq for one in found] == [5, 4, 1]
    one = (await database.read(articles.by_seq, [1]))[0].draft
    assert found[-1] == Candidate(1, one.title, one.summary, one.link, ["x"], "de", True, one.published)
    assert [one.seq for one in await database.read(articles.candidates, 2)] == [5, 4]
