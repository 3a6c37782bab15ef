"""An article is known again, whatever happens to its id; in doubt it is told, and a whole feed in doubt is held."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.article import Draft, canonical_link
from mailer.core.feed_identity import Known, is_storm, own_name, part, recognise, titles_meet

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
NAMES = ["harbour", "bread", "winter", "tide", "lantern", "orchard", "sparrow"]


def draft(name: str, *, guid: str = "", link: str = "", title: str = "", days_ago: float | None = 3) -> Draft:
    return Draft(
        guid=guid or f"id-{name}",
        title=title or f"A {name} story",
        link=link or f"https://site.example/{name}",
        published=None if days_ago is None else NOW - timedelta(days=days_ago),
    )


def known(seq: int, kept: Draft, *names: str) -> Known:
    return Known(seq, (kept.guid, *names), canonical_link(kept.link), kept.title, kept.published)


HARBOUR, BREAD = draft("harbour"), draft("bread")
BOTH = [known(1, HARBOUR), known(2, BREAD)]


def guids(drafts: list[Draft], there: list[Known] = BOTH) -> list[str]:
    return [each.guid for each in recognise(drafts, there, newest=NOW).drafts]


@pytest.mark.parametrize(
    "again",
    [
        HARBOUR,
        draft("harbour", title="Quite another headline"),
        draft("harbour", title="The harbour, mended", days_ago=0),
        draft("harbour", link="https://site.example/quay"),
        draft("harbour", link="https://site.example/quay", title="The harbour, mended", days_ago=0),
        draft("harbour", link="https://site.example/quay", title="Quite another headline"),
        draft("harbour", guid="other"),
        draft("harbour", guid="other", link="http://www.site.example/harbour/?utm_source=rss"),
        draft("harbour", guid="other", title="The harbour, mended", days_ago=0),
        draft("harbour", guid="other", title="Quite another headline"),
        draft("harbour", guid="other", link="https://new.example/1"),
    ],
)
def test_an_edited_article_stays_the_same(again):
    assert guids([again]) == [HARBOUR.guid]


@pytest.mark.parametrize(
    "another",
    [
        draft("tide"),
        draft("tide", title=HARBOUR.title, days_ago=0),
        draft("tide", guid="other", link=HARBOUR.link, title="Quite another headline", days_ago=0),
        draft("tide", guid=HARBOUR.guid, title="Quite another headline", days_ago=0),
        draft("tide", guid=HARBOUR.guid, title="Quite another headline", days_ago=None),
    ],
)
def test_another_article_is_another(another):
    assert guids([another])[0] not in (HARBOUR.guid, BREAD.guid)


def test_a_guid_used_again_gives_its_article_a_name_of_its_own_that_stays():
    reused = draft("tide", guid=HARBOUR.guid, title="Quite another headline", days_ago=0)
    assert guids([reused]) == [own_name(reused)]
    there = [*BOTH, known(3, replace(reused, guid=own_name(reused)))]
    assert guids([reused], there) == [own_name(reused)]
    assert guids([replace(reused, title="And once more mended")], there) == [own_name(reused)]


def test_items_numbered_from_the_top_are_told_apart_by_their_links_even_where_titles_are_alike():
    def numbered(*names: str) -> list[Draft]:
        return [draft(name, guid=str(n), title=f"Photo of the day: {name}") for n, name in enumerate(names, 1)]

    first = numbered("bread", "harbour")
    there = [known(2, first[0]), known(1, first[1])]
    second = numbered("tide", "bread", "harbour")
    assert guids(second, there) == [own_name(second[0]), "1", "2"]


def test_a_further_name_is_written_down_once_and_is_a_name_like_the_first():
    found = recognise([draft("harbour", guid="other")], BOTH, newest=NOW)
    assert found.names == {"other": HARBOUR.guid}
    there = [known(1, HARBOUR, "other"), known(2, BREAD)]
    again = recognise([draft("harbour", guid="other", link="https://site.example/quay")], there, newest=NOW)
    assert [each.guid for each in again.drafts] == [HARBOUR.guid]
    assert again.names == {}


def test_an_article_under_two_of_its_names_is_told_once():
    there = [known(1, HARBOUR, "other")]
    assert guids([HARBOUR, draft("harbour", guid="other")], there) == [HARBOUR.guid]


@pytest.mark.parametrize("link", ["https://site.example/", "https://site.example/blog", "no link"])
def test_a_link_of_several_articles_identifies_none(link):
    there = [known(1, draft("harbour", link=link)), known(2, draft("bread", link=link))]
    one, two = (draft(name, link=link, days_ago=0) for name in ("tide", "winter"))
    assert guids([one, two], there) == ["id-tide", "id-winter"]
    assert guids([one], there) == ["id-tide"]
    assert guids([one, two], there[:1]) == ["id-tide", "id-winter"]


def unknown(count: int, *, days_ago: float | None = 9, title: str = "") -> list[Draft]:
    return [draft(f"n{n}", title=title and f"{title} {n}", days_ago=days_ago) for n in range(count)]


@pytest.mark.parametrize(
    ("strangers", "shown", "newest", "titles", "storm"),
    [
        (unknown(10), 10, 3, set(), True),
        (unknown(10), 12, 3, set(), True),
        (unknown(10), 20, 3, set(), False),  # half of it is known: old articles were added
        (unknown(5), 5, 3, set(), True),
        (unknown(4), 4, 3, set(), False),
        (unknown(10, days_ago=0), 10, 3, set(), False),  # a busy week
        (unknown(10, days_ago=0, title="Old"), 10, 3, {f"Old {n}" for n in range(10)}, True),  # dated anew
        (unknown(10, days_ago=0, title="Old"), 10, 3, {"Old 1", "Old 2"}, False),  # "Weekly round-up"
        (unknown(5) + unknown(5, days_ago=0), 10, 3, set(), True),
        (unknown(4) + unknown(6, days_ago=0), 10, 3, set(), False),
        (unknown(10, days_ago=None), 10, 3, set(), False),  # nobody knows
        (unknown(10, days_ago=None, title="Old"), 10, None, {f"Old {n}" for n in range(10)}, True),
        (unknown(10), 10, None, set(), False),  # nothing known has a date
        (unknown(10, days_ago=-400), 10, 3, set(), False),
        ([], 0, 3, set(), False),
    ],
)
def test_a_storm_is_nearly_all_unknown_and_mostly_old(strangers, shown, newest, titles, storm):
    moment = None if newest is None else NOW - timedelta(days=newest)
    by_id = shown - len(strangers)
    assert is_storm(strangers, shown=shown, by_id=by_id, newest=moment, titles=titles) is storm


ALL = [known(n, draft(name)) for n, name in enumerate(NAMES, 1)]


def rebuilt(**changed: str | float) -> list[Draft]:
    details = {key: value.format for key, value in changed.items() if isinstance(value, str)}
    return [
        draft(name, guid=f"new-{name}", **{key: made(name) for key, made in details.items()}, days_ago=3)
        for name in NAMES
    ]


def test_in_a_storm_titles_are_enough_and_what_is_really_new_is_news():
    drafts = [replace(each, published=NOW) for each in rebuilt(link="https://new.example/{}")]
    found = recognise([draft("fresh"), *drafts], ALL, newest=NOW - timedelta(days=3))
    assert [each.guid for each in found.drafts] == ["id-fresh", *(f"id-{name}" for name in NAMES)]
    assert found.storm == frozenset()


def test_in_a_storm_what_can_not_be_recognised_is_held():
    drafts = rebuilt(link="https://new.example/{}", title="On {}")
    found = recognise(drafts, ALL, newest=NOW - timedelta(days=3))
    assert found.storm == {f"new-{name}" for name in NAMES}
    assert found.names == {}


def test_what_is_recognised_by_its_link_makes_a_storm_no_smaller():
    drafts = [*rebuilt()[:2], *rebuilt(link="https://new.example/{}", title="On {}")[2:]]
    found = recognise(drafts, ALL, newest=NOW - timedelta(days=3))
    assert [each.guid for each in found.drafts[:2]] == ["id-harbour", "id-bread"]
    assert found.storm == {f"new-{name}" for name in NAMES[2:]}


def test_an_archive_that_is_added_to_a_feed_whose_ids_stay_is_no_storm():
    drafts = [*(draft(name) for name in NAMES), *unknown(20)]
    assert recognise(drafts, ALL, newest=NOW - timedelta(days=3)).storm == frozenset()


def test_an_article_that_came_through_another_feed_has_only_its_names_here():
    there = [Known(1, ("second-feed-1",), canonical_link(HARBOUR.link), HARBOUR.title, HARBOUR.published)]
    assert guids([draft("harbour", guid="second-feed-1")], there) == ["second-feed-1"]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("The harbour opens", "Harbour: it opens later", True),
        ("The end of summer", "The price of bread", False),
        ("Issue 12", "Issue 13", True),
        ("12", "13", False),
        ("It is on", "It was off", True),  # short words count where there are no others
        ("港口重新开放", "新港口开放了", True),
        ("港口重新开放", "面包的价格", False),
        ("", "", True),
        ("", "A title", False),
    ],
)
def test_titles_meet_in_a_word_that_says_something(one, other, meet):
    assert titles_meet(one, other) is meet
    assert titles_meet(other, one) is meet


def test_articles_of_one_document_with_the_same_guid_are_parted_where_they_are_several():
    a, b, c = (draft(name, guid="same", title=f"{name} alone") for name in ("harbour", "bread", "winter"))
    mended = replace(a, title="harbour alone, mended")
    assert part([a, mended]) == [a, None]
    assert part([a, a, a]) == [a, None, None]
    assert part([a, replace(a, link="https://site.example/quay")]) == [a, None]
    other = draft("tide", guid="same", title="Quite another headline")
    assert [each and each.guid for each in part([a, other, a])] == [own_name(a), own_name(other), None]
    later = replace(b, published=NOW)
    assert [each and each.guid for each in part([a, later])] == [own_name(a), own_name(later)]
    named = part([a, b, c])
    assert len({each.guid for each in named if each}) == 3
    # Their order doesn't matter, nor who is with them.
    assert part([c, b, a]) == named[::-1]
    assert part([b, c, other])[:2] == named[1:]


def test_where_the_guid_is_the_link_of_all_the_title_tells_them_apart():
    home = "https://site.example/"
    one, two = (draft(name, guid=home, link=home, title=f"Of {name}") for name in ("harbour", "bread"))
    assert len({each.guid for each in part([one, two]) if each}) == 2
    assert part([one, replace(one, summary="again")]) == [one, None]


LITTLE = st.sampled_from(["", "a", "b", "c"])
DRAFTS = st.builds(
    lambda guid, link, title, day: Draft(
        guid=f"g{guid}",
        link=link and f"https://site.example/{link}",
        title=f"story {title}",
        published=None if day is None else NOW - timedelta(days=day),
    ),
    LITTLE,
    LITTLE,
    LITTLE,
    st.sampled_from([None, 1, 2]),
)


@given(st.lists(DRAFTS, max_size=8, unique_by=lambda each: each.guid), st.lists(DRAFTS, max_size=8))
def test_no_two_articles_ever_get_one_name_and_none_is_lost_that_was_not_told_twice(drafts, kept):
    there = [known(seq, replace(each, guid=f"{each.guid}-{seq}"), each.guid) for seq, each in enumerate(kept)]
    found = recognise(drafts, there, newest=NOW)
    told = [each.guid for each in found.drafts]
    assert len(told) == len(set(told)) <= len(drafts)
    assert found.storm <= set(told)
    assert set(found.names.values()) <= {each.guid for each in there}
