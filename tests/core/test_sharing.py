"""Several relays: each gets its share, and nobody claims back what it missed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.sharing import Share, Turns, in_service, took, whose_turn


def play(turns, ready, times):
    order = []
    for _ in range(times):
        name = whose_turn(turns, ready)
        turns = took(turns, name, ready[name])
        order.append(name)
    return turns, order


@pytest.mark.parametrize(
    ("works", "weights"),
    [
        (["a", "b", "spare", "off"], {"a": 3, "b": 1}),
        (["b", "spare"], {"b": 1}),
        (["spare", "other", "off"], {"spare": 1, "other": 5}),
        (["off"], {}),
        ([], {}),
    ],
    ids=str,
)
def test_a_failover_relay_serves_only_while_no_other_works(works, weights):
    shares = {
        "a": Share(3),
        "b": Share(1),
        "off": Share(0),
        "spare": Share(1, failover=True),
        "other": Share(5, failover=True),
    }
    assert in_service(shares, works) == weights


def test_nobody_ready_means_nobodys_turn():
    assert whose_turn(Turns(), {}) is None
    assert whose_turn(Turns(), {"a": 0}) is None


def test_the_turns_are_mixed_by_weight():
    _, order = play(Turns(), {"a": 3, "b": 1}, 8)
    assert Counter(order) == {"a": 6, "b": 2}
    assert "".join(order[:4]) in ("abaa", "aaba", "aaab", "baaa")


@given(weights=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 1000), min_size=1), times=st.integers(1, 400))
def test_among_those_that_are_always_ready_the_proportion_is_strict(weights, times):
    _, order = play(Turns(), weights, times)
    total = sum(weights.values())
    for name, weight in weights.items():
        assert abs(order.count(name) - times * weight / total) <= len(weights)


def test_one_that_rested_does_not_claim_back_what_it_missed():
    turns, _ = play(Turns(), {"a": 1, "b": 1}, 10)
    turns, _ = play(turns, {"a": 1}, 1000)
    _, order = play(turns, {"a": 1, "b": 1}, 10)
    assert Counter(order) == {"a": 5, "b": 5}


@given(
    spells=st.lists(st.tuples(st.sets(st.sampled_from("abc"), min_size=1), st.integers(1, 60)), min_size=1, max_size=8),
)
def test_after_any_rests_the_proportion_among_the_ready_is_back_at_once(spells):
    weights = {"a": 5, "b": 2, "c": 1}
    turns = Turns()
    for ready, times in spells:
        turns, _ = play(turns, {name: weights[name] for name in sorted(ready)}, times)
    _, order = play(turns, weights, 80)
    for name, weight in weights.items():
        # What one had beyond its share, while busy alone, costs it at most one turn of the slowest.
        assert abs(order.count(name) - 10 * weight) <= 8
    _, order = play(Turns(), weights, 80)
    assert Counter(order) == {"a": 50, "b": 20, "c": 10}
