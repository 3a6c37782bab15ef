"""The breaker: when it opens, whom it tries, how it closes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailer.core.breaker import CLOSED, FEWEST, REST, WINDOW, Breaker, accepted, answered, refused, tried_from

NOW = datetime(2026, 11, 24, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def refuse(breaker, *readers, now=NOW):
    for reader in readers:
        breaker = refused(breaker, reader, begun=now - SECOND, now=now)
    return breaker


def accept(breaker, *readers, now=NOW):
    for reader in readers:
        breaker = accepted(breaker, reader, begun=now - SECOND, now=now)
    return breaker


def test_five_readers_refused_open_it_and_four_do_not():
    assert refuse(CLOSED, 1, 2, 3, 4).open_until is None
    assert refuse(CLOSED, 1, 2, 3, 4, 5).open_until == NOW + REST


def test_five_of_eleven_are_less_than_half():
    ten = range(101, 107)
    assert refuse(accept(CLOSED, *ten), 1, 2, 3, 4, 5).open_until is None
    assert refuse(accept(CLOSED, *ten), 1, 2, 3, 4, 5, 6).open_until == NOW + REST


def test_only_the_last_twenty_answers_count():
    many = accept(CLOSED, *range(100, 1100))
    assert len(many.answers) == WINDOW
    assert refuse(many, *range(1, 10)).open_until is None
    assert refuse(many, *range(1, 11)).open_until == NOW + REST


def test_one_reader_refused_again_and_again_counts_once():
    assert refuse(CLOSED, *[1, 2, 3, 4] * 10).open_until is None


def test_a_readers_newest_answer_counts():
    mended = accept(refuse(CLOSED, 1, 2, 3, 4), 1, 2, 3, 4)
    assert refuse(mended, 5, 6, 7, 8).open_until is None


def test_an_unknown_user_is_an_answer_and_no_refusal():
    said = CLOSED
    for reader in range(101, 107):
        said = answered(said, reader)
    assert refuse(said, 1, 2, 3, 4, 5).open_until is None


def test_a_test_copy_is_nobody():
    assert refuse(CLOSED, *[0] * 50) == CLOSED
    assert tried_from(refuse(CLOSED, 1, 2, 3, 4, 5), 0) == NOW + REST


def test_who_was_not_refused_before_is_tried_first():
    opened = refuse(CLOSED, 1, 2, 3, 4, 5)
    assert tried_from(CLOSED, 1) is None
    assert tried_from(opened, 6) == NOW + REST
    assert tried_from(opened, 5) == NOW + 2 * REST


def test_a_message_taken_closes_it_and_all_is_forgotten():
    opened = refuse(CLOSED, 1, 2, 3, 4, 5)
    assert accept(opened, 6, now=NOW + REST) == CLOSED


def test_a_message_refused_is_another_rest():
    opened = refuse(refuse(CLOSED, 1, 2, 3, 4, 5), 6, now=NOW + REST + SECOND * 2)
    assert opened.open_until == NOW + 2 * REST + SECOND * 2
    assert tried_from(opened, 6) == opened.open_until + REST


def test_what_set_out_before_it_opened_neither_closes_it_nor_makes_it_rest_longer():
    opened = refuse(CLOSED, 1, 2, 3, 4, 5)
    later = NOW + timedelta(seconds=30)
    assert accepted(opened, 6, begun=NOW - SECOND, now=later) == opened
    assert refused(opened, 6, begun=NOW - SECOND, now=later).open_until == opened.open_until
    assert answered(opened, 7) == opened


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([accept, refuse])), max_size=80))
def test_it_never_opens_on_fewer_than_five_readers_or_less_than_half(events):
    breaker, newest = CLOSED, {}
    for reader, act in events:
        newest.pop(reader, None)
        newest[reader] = act
        breaker = act(breaker, reader)
        counted = list({one: newest[one] for one in newest if one}.values())[-WINDOW:]
        number = sum(one is refuse for one in counted)
        assert (breaker.open_until is not None) == (number >= FEWEST and 2 * number >= len(counted))
        if breaker.open_until:
            break


def test_a_clock_that_was_put_back_does_not_keep_it_open():
    opened = Breaker((-1, -2, -3, -4, -5), NOW + timedelta(days=1))
    assert accept(opened, 6) == CLOSED
