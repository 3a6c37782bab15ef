"""Which articles a reader gets, in what order, and which readers get the same."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.article import Article, Draft
from mailer.core.selection import (
    Arrangement,
    Group,
    Pick,
    Window,
    arrange,
    concerns,
    first_since,
    is_in,
    own_window,
    pick,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TOPICS = {"lungs": "Lung health", "heart": "Heart"}
ALL = Window(0, 1000)


def article(seq: int, *, hours: float | None = 0, topics: Sequence[str] = (), **more) -> Article:
    """Published so many hours after noon; None: without a date."""
    published = None if hours is None else NOON + timedelta(hours=hours)
    return Article(
        seq, "feed:1", Draft(f"g{seq}", f"t{seq}", "https://x", topics=tuple(topics), published=published), **more
    )


def picked(*articles: Article, window: Window = ALL, interests=(), cadence="weekly", cap=10) -> Pick:
    return pick(articles, window=window, interests=interests, topics=TOPICS, cadence=cadence, cap=cap)


def seqs(found: Pick) -> list[int]:
    return [item.seq for item in found.articles]


# --- order and cap


def test_the_newest_by_date_comes_first_whenever_it_was_taken_in():
    assert seqs(picked(article(1, hours=3), article(2, hours=1), article(3, hours=2))) == [1, 3, 2]


def test_of_the_same_date_the_one_taken_in_last_comes_first():
    assert seqs(picked(article(1), article(3), article(2))) == [3, 2, 1]


def test_what_has_no_date_comes_last():
    assert seqs(picked(article(1, hours=None), article(2, hours=-9_999), article(3, hours=None))) == [2, 3, 1]


def test_a_future_date_is_kept_as_it_is():
    assert seqs(picked(article(1, hours=0), article(2, hours=24 * 365))) == [2, 1]


def test_a_pin_for_this_cadence_comes_first_and_one_for_another_does_not():
    pinned = article(1, hours=-50, pins=("daily", "weekly"))
    others = [article(2, hours=1), article(3, hours=2, pins=("monthly",))]
    assert seqs(picked(pinned, *others)) == [1, 3, 2]
    assert seqs(picked(pinned, *others, cadence="yearly")) == [3, 2, 1]


def test_several_pins_keep_their_order_by_date():
    assert seqs(picked(*(article(n, hours=n, pins=("weekly",)) for n in (1, 2)), article(3, hours=9))) == [2, 1, 3]


def test_a_pin_does_not_bring_back_what_is_outside_the_window():
    assert seqs(picked(article(1, pins=("weekly",)), article(2), window=Window(1, 9))) == [2]


def test_the_cap_keeps_the_first_ones_and_counts_the_rest():
    found = picked(*(article(n, hours=n) for n in range(1, 6)), article(9, hours=-99, pins=("weekly",)), cap=3)
    assert (seqs(found), found.more, found.total) == ([9, 5, 4], 3, 6)
    assert found.over == (3, 2, 1)


# --- window


@pytest.mark.parametrize(("seq", "inside"), [(4, False), (5, False), (6, True), (9, True), (10, False)])
def test_a_window_is_open_below_and_closed_above(seq, inside):
    assert is_in(article(seq), Window(5, 9)) is inside


@pytest.mark.parametrize("hours", [-99_999, 0, 99_999, None])
def test_a_window_goes_by_seq_and_never_by_date(hours):
    assert is_in(article(7, hours=hours), Window(5, 9))


def test_what_is_hidden_or_only_known_is_in_no_window():
    assert not is_in(article(7, hidden=True), ALL)
    assert not is_in(article(7, known=True), ALL)


@pytest.mark.parametrize(("hours", "inside"), [(-1, False), (0, True), (1, True), (None, True)])
def test_a_first_edition_takes_what_is_not_older_than_one_period(hours, inside):
    assert is_in(article(7, hours=hours), Window(0, 9, NOON)) is inside


def test_dates_stop_counting_after_the_first_edition():
    assert not is_in(article(7, hours=-1), Window(0, 9, NOON, dated=7))
    assert is_in(article(8, hours=-1), Window(0, 9, NOON, dated=7))


def test_a_cadences_own_window_begins_where_its_last_edition_ended():
    assert own_window(7, 20, NOON) == Window(7, 20)
    assert own_window(0, 20, NOON) == Window(0, 20)
    assert own_window(None, 20, NOON) == Window(0, 20, NOON)


def test_first_editions_have_beginnings_of_their_own():
    moment = timedelta(milliseconds=1)
    assert first_since("weekly", NOON, {}) == NOON
    assert first_since("weekly", NOON, {NOON: "daily"}) == NOON - moment
    assert first_since("weekly", NOON, {NOON: "daily", NOON - moment: "monthly"}) == NOON - 2 * moment
    # held back before: its articles stay
    assert first_since("weekly", NOON, {NOON: "daily", NOON - timedelta(days=7): "weekly"}) == NOON - timedelta(days=7)


def test_dates_are_past_for_who_comes_from_a_first_edition_that_was_held_back():
    late = [article(1, hours=-5), article(2, hours=5), article(3, hours=-5), article(4, hours=5)]
    found = arranged([group(0, newcomers=True, since=NOON)], late, previous_hi=2)
    assert sorted(seqs(found.batches[0].pick)) == [2, 3, 4]
    found = arranged([group(0, newcomers=True, since=NOON)], late, previous_hi=None, own=Window(0, 4, NOON))
    assert sorted(seqs(found.batches[0].pick)) == [2, 4]


# --- topics


@pytest.mark.parametrize(
    ("labels", "interests", "gets"),
    [
        (["lungs"], [], True),
        (["lungs"], ["lungs"], True),
        (["Lung health", "gardening"], ["lungs"], True),
        (["heart"], ["lungs"], False),
        (["heart", "lungs"], ["lungs"], True),
        ([], ["lungs"], True),
        (["gardening"], ["lungs"], True),
        (["gardening"], ["gardening"], True),
        (["heart"], ["gardening"], False),
    ],
)
def test_whom_an_article_concerns(labels, interests, gets):
    assert concerns(article(1, topics=labels), interests, TOPICS) is gets


# --- who gets the same


def group(
    lo: int | None = 0, *, topics=(), readers=1, newcomers=False, since=None, language="", interest_set=1
) -> Group:
    return Group(lo, since, newcomers, interest_set, tuple(topics), language, readers)


def arranged(groups, articles, *, previous_hi=0, own=None, minimum=1, cap=10, dated=None) -> Arrangement:
    newest = max((item.seq for item in articles), default=0)
    return arrange(
        groups,
        articles,
        previous_hi=previous_hi,
        dated=dated,
        own=own or Window(previous_hi or 0, newest),
        topics=TOPICS,
        cadence="weekly",
        cap=cap,
        minimum=minimum,
        speak=lambda wanted: "de" if wanted.startswith("de") else "en",
    )


def test_readers_whose_articles_come_out_equal_share_a_variant():
    articles = [article(1, topics=["heart"]), article(5, topics=["lungs"]), article(6)]
    found = arranged(
        [
            group(4, readers=10),
            group(0, topics=["lungs"], readers=5, interest_set=2),
            group(1, readers=2),
            group(0, readers=1),
        ],
        articles,
    )
    assert [(seqs(batch.pick), batch.readers) for batch in found.batches] == [([6, 5], 17), ([6, 5, 1], 1)]
    assert [share.batch for share in found.shares] == [0, 0, 0, 1]
    assert (found.readers, found.lo, found.hi) == (18, 0, 6)


def test_what_is_over_the_cap_is_a_part_of_being_equal():
    found = arranged([group(0), group(1)], [article(n, hours=n) for n in (1, 2, 3, 4)], cap=2)
    assert [(seqs(batch.pick), batch.pick.more) for batch in found.batches] == [([4, 3], 2), ([4, 3], 1)]


def test_who_has_other_articles_over_the_cap_has_another_variant_for_its_page_shows_them():
    articles = [article(4, hours=4), article(1, topics=("heart",)), article(2, topics=("lungs",))]
    found = arranged([group(0, topics=["lungs"]), group(0, topics=["heart"], interest_set=2)], articles, cap=1)
    assert [(seqs(batch.pick), batch.pick.over) for batch in found.batches] == [([4], (2,)), ([4], (1,))]


def test_readers_of_another_language_have_a_variant_of_their_own():
    found = arranged([group(language="de"), group(language="de-AT"), group(language="fr"), group()], [article(1)])
    assert [(batch.language, batch.readers) for batch in found.batches] == [("de", 2), ("en", 2)]


def test_newcomers_with_other_beginnings_have_variants_of_their_own_which_others_may_share():
    articles = [article(1, topics=["heart"]), article(5, topics=["lungs"])]
    groups = [
        group(4, readers=100),
        group(3, newcomers=True, readers=10),
        group(None, topics=["lungs"], newcomers=True, readers=1, interest_set=2),
    ]
    found = arranged(groups, articles, own=Window(2, 5))
    assert [(seqs(batch.pick), batch.window.lo) for batch in found.batches] == [([5], 3), ([5], 2)]
    assert sorted(batch.readers for batch in found.batches) == [1, 110]


def test_readers_without_a_beginning_get_the_cadences_own_window():
    found = arranged([group(None, newcomers=True)], [article(n) for n in (1, 2, 3)], previous_hi=1)
    assert seqs(found.batches[0].pick) == [3, 2]
    found = arranged(
        [group(None, newcomers=True)],
        [article(1, hours=-5), article(2, hours=5)],
        previous_hi=None,
        own=Window(0, 2, NOON),
    )
    assert seqs(found.batches[0].pick) == [2]
    assert (found.lo, found.hi, found.batches[0].window.since) == (None, 2, NOON)


def test_a_reader_who_missed_the_first_edition_gets_what_came_backdated_after_it():
    late = [article(1, hours=-5), article(2, hours=5), article(3, hours=-5), article(4, hours=5)]
    found = arranged([group(0, newcomers=True, since=NOON)], late, previous_hi=2, dated={NOON: 2})
    assert sorted(seqs(found.batches[0].pick)) == [2, 3, 4]


def test_too_few_articles_are_held_back_and_none_are_not():
    found = arranged([group(0), group(4), group(5)], [article(n) for n in (3, 4, 5)], minimum=2)
    assert [(share.group.lo, share.batch, share.held_back) for share in found.shares] == [
        (0, 0, False),
        (4, None, True),
        (5, None, False),
    ]
    assert found.hi == 5


def test_an_edition_that_found_nothing_moves_the_watermark():
    found = arranged([group(5)], [article(n) for n in (3, 4, 5)], previous_hi=3)
    assert (found.batches, found.readers, found.lo, found.hi) == ((), 0, 3, 5)
    found = arranged([group(None, newcomers=True)], [], previous_hi=None, own=Window(0, 5, NOON))
    assert (found.lo, found.hi) == (None, 5)


def test_an_edition_that_was_held_back_leaves_the_watermark():
    found = arranged([group(4), group(5)], [article(n) for n in (3, 4, 5)], previous_hi=3, minimum=2)
    assert (found.batches, found.hi) == ((), 3)
    found = arranged([group(None, newcomers=True)], [article(1)], previous_hi=None, minimum=2)
    assert found.hi is None


def test_a_minimum_of_nothing_still_sends_no_empty_digest():
    assert arranged([group(5)], [article(5)], minimum=0).batches == ()


@given(
    groups=st.lists(
        st.builds(
            group,
            lo=st.none() | st.integers(0, 12),
            topics=st.sampled_from([(), ("lungs",), ("heart",), ("heart", "lungs")]),
            readers=st.integers(1, 9),
            newcomers=st.booleans(),
            language=st.sampled_from(["", "de", "fr"]),
        ),
        max_size=8,
    ),
    labels=st.lists(st.sampled_from([(), ("lungs",), ("Heart",), ("other",)]), max_size=12),
    cap=st.integers(1, 5),
    minimum=st.integers(1, 4),
)
def test_every_reader_is_in_one_variant_with_exactly_their_own_articles(groups, labels, cap, minimum):
    articles = [article(seq, hours=seq % 3, topics=topics) for seq, topics in enumerate(labels, start=1)]
    found = arranged(groups, articles, previous_hi=2, cap=cap, minimum=minimum, own=Window(2, len(articles)))
    assert sorted(map(repr, groups)) == sorted(repr(share.group) for share in found.shares)
    served = sum(share.group.readers for share in found.shares if share.batch is not None)
    assert served == found.readers
    for share in found.shares:
        lo = 2 if share.group.lo is None else share.group.lo
        theirs = [item for item in articles if item.seq > lo and concerns(item, share.group.topics, TOPICS)]
        if share.batch is None:
            assert len(theirs) < minimum
            assert share.held_back == bool(theirs)
            continue
        batch = found.batches[share.batch]
        assert batch.pick.total == len(theirs) >= minimum
        assert {item.seq for item in batch.pick.articles} <= {item.seq for item in theirs}
        assert len(batch.pick.articles) == min(cap, len(theirs))
        assert batch.language == ("de" if share.group.language == "de" else "en")
        if share.group.newcomers:
            assert batch.window.lo == lo


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sets(st.sampled_from(["lungs", "heart", "gone"])), st.sampled_from(["", "de"])),
        min_size=1,
        max_size=40,
    ),
    st.lists(st.sampled_from([(), ("lungs",), ("Heart",), ("HEART", "lung health"), ("other",)]), max_size=7),
    st.integers(1, 4),
)
def test_there_are_as_many_variants_as_digests_that_differ(readers, labels, cap):
    """However many sets of interests there are: equal articles, also over the cap, in one language, are one mail."""
    groups = [
        group(lo, topics=sorted(topics), language=language, interest_set=number)
        for number, (lo, topics, language) in enumerate(readers)
    ]
    found = arranged(groups, [article(seq, topics=topics) for seq, topics in enumerate(labels, 1)], cap=cap)

    mails = [(seqs(batch.pick), batch.pick.over, batch.language) for batch in found.batches]
    assert len(mails) == len({repr(mail) for mail in mails})
    assert {share.batch for share in found.shares if share.batch is not None} == set(range(len(mails)))


def test_a_topic_that_is_taken_off_the_list_still_brings_its_articles_to_those_who_chose_it():
    """Its label means nothing any more, so its articles go to all; what is about another topic stays away."""
    articles = [article(1, topics=["Sleep"]), article(2, topics=["Heart"]), article(3)]

    assert seqs(picked(*articles, interests=["sleep"])) == [3, 1]
    assert seqs(picked(*articles, interests=["lungs"])) == [3, 1]
    assert seqs(picked(*articles, interests=["heart", "sleep"])) == [3, 2, 1]


@given(
    stock=st.lists(
        st.builds(
            lambda **details: details,
            hours=st.none() | st.integers(-3, 3),
            topics=st.sampled_from([(), ("lungs",), ("Heart",), ("other",)]),
            pins=st.sampled_from([(), ("weekly",), ("daily",), ("daily", "weekly")]),
            hidden=st.booleans(),
            known=st.booleans(),
        ),
        max_size=15,
    ),
    lo=st.integers(0, 15),
    interests=st.sampled_from([(), ("lungs",), ("heart", "lungs")]),
    cap=st.integers(1, 6),
    shuffled=st.randoms(use_true_random=False),
)
def test_a_pick_shows_the_first_of_all_that_is_due_and_counts_the_rest(stock, lo, interests, cap, shuffled):
    articles = [article(seq, **details) for seq, details in enumerate(stock, start=1)]
    window = Window(lo, 12)
    due = [item for item in articles if is_in(item, window) and concerns(item, interests, TOPICS)]
    found = picked(*articles, window=window, interests=interests, cap=cap)
    assert found.total == len(due)
    assert len(found.articles) == min(cap, len(due))
    assert set(found.articles) <= set(due)

    def before(one: Article, other: Article) -> bool:
        """Pinned, then dated, then newer, then taken in later."""
        first, second = (
            ("weekly" in item.pins, item.draft.published is not None, item.draft.published or NOON, item.seq)
            for item in (one, other)
        )
        return first > second

    rest = [item for item in due if item not in found.articles]
    assert all(before(one, other) for one, other in pairwise(found.articles))
    assert all(before(one, other) for one in found.articles for other in rest)
    shuffled.shuffle(articles)
    assert picked(*articles, window=window, interests=interests, cap=cap) == found
    assert picked(*articles, window=window, interests=interests, cap=cap + 1).articles[:cap] == found.articles
