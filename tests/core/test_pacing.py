"""What slows a relay or a provider, and how it comes back to full speed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.breaker import REST
from mailer.core.delivery import Answer, Reply, Stage
from mailer.core.judging import judge
from mailer.core.pacing import (
    GO,
    LONGEST_PAUSE,
    PAUSE,
    SLOW,
    START,
    Event,
    Pace,
    Side,
    Wait,
    after,
    felt,
    from_json,
    is_plain,
    may_go,
    to_json,
)

NOW = datetime(2026, 11, 24, 7, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
RELAY, PROVIDER = Pace.relay(10), Pace.provider(10)


def hear(pace, event, *, at=NOW, under_way=1, begun=None, reader=1, why="said so"):
    begun = at - SECOND if begun is None else begun
    return after(pace, event, reader=reader, under_way=under_way, begun=begun, now=at, why=why)


def ask(pace, *, at=NOW, under_way=0, last_at=None, reader=99):
    return may_go(pace, under_way=under_way, last_at=last_at, reader=reader, now=at)


def accept(pace, times, *, at=NOW):
    for number in range(times):
        pace = hear(pace, Event.ACCEPTED, at=at, reader=1000 + number)
    return pace


def refuse(pace, *readers, at=NOW):
    for reader in readers:
        pace = hear(pace, Event.REFUSED, at=at, reader=reader)
    return pace


# A relay's limit.


def test_a_relay_begins_with_two_and_grows_by_one_for_each_round_up_to_its_ceiling():
    limits = [accept(RELAY, number).limit for number in range(2 + 3 + 4 + 1)]
    assert limits == [2, 2, 3, 3, 3, 4, 4, 4, 4, 5]
    assert accept(RELAY, 1000).limit == 10


def test_a_relay_with_one_connection_stays_with_one():
    one = Pace.relay(1)
    assert (one.limit, accept(one, 50).limit, is_plain(one)) == (1, 1, True)


def test_a_lost_connection_is_one_fewer_and_never_none():
    pace = accept(RELAY, 9)
    assert pace.limit == 5
    limits = []
    for _ in range(6):
        pace = hear(pace, Event.LOST)
        limits.append(pace.limit)
    assert limits == [4, 3, 2, 1, 1, 1]
    assert accept(pace, 1).limit == 2


def test_a_lost_connection_is_not_the_providers():
    assert hear(PROVIDER, Event.LOST) == PROVIDER


def test_a_full_relay_waits_for_what_is_under_way():
    assert ask(RELAY, under_way=1) == GO
    assert ask(RELAY, under_way=2) == Wait(None, "")


def test_a_provider_that_is_well_has_no_limit():
    assert ask(PROVIDER, under_way=1000) == GO


# Halving.


def test_a_halved_relay_has_half_of_its_limit_and_rate_for_a_quarter_of_an_hour():
    pace = hear(accept(RELAY, 1000), Event.HALVED, why="421 busy")
    assert (pace.limit, pace.rate, pace.why, pace.slow_until) == (5, 0.5, "421 busy", NOW + SLOW)
    assert accept(pace, 100, at=NOW + SLOW - SECOND) == replace(pace, breaker=accept(pace, 100).breaker)


def test_then_it_grows_step_by_step_and_the_rate_doubles():
    pace = hear(hear(accept(RELAY, 1000), Event.HALVED), Event.HALVED, at=NOW + MINUTE)
    assert (pace.limit, pace.rate) == (2, 0.25)
    later = NOW + MINUTE + SLOW
    seen = [accept(pace, number, at=later) for number in (1, 2, 5, 9)]
    assert [(one.limit, one.rate) for one in seen] == [(2, 0.25), (3, 0.5), (4, 1), (5, 1)]
    assert [is_plain(one) for one in seen] == [False, False, True, True]
    assert seen[-1].why == ""


def test_what_was_under_way_does_not_halve_it_again():
    pace = hear(accept(RELAY, 1000), Event.HALVED)
    assert hear(pace, Event.HALVED, at=NOW + 20 * SECOND, begun=NOW - SECOND) == pace
    again = hear(pace, Event.HALVED, at=NOW + 20 * SECOND, begun=NOW + SECOND)
    assert (again.limit, again.slow_until) == (2, NOW + 20 * SECOND + SLOW)


def test_a_halved_provider_gets_half_of_what_was_under_way_there():
    for under_way, limit in [(0, 1), (1, 1), (2, 1), (7, 3), (10, 5)]:
        pace = hear(PROVIDER, Event.HALVED, under_way=under_way)
        assert (pace.limit, pace.rate) == (limit, 1)
        assert ask(pace, under_way=limit) == Wait(None, "said so")
        assert ask(pace, under_way=limit - 1) == GO


def test_a_providers_limit_is_forgotten_once_it_reaches_the_ceiling():
    pace = hear(PROVIDER, Event.HALVED, under_way=14)
    assert pace.limit == 7
    assert accept(pace, 50, at=NOW + MINUTE).limit == 7
    later = NOW + SLOW
    assert accept(pace, 7 + 8, at=later).limit == 9
    well = accept(pace, 7 + 8 + 9, at=later)
    assert (well.limit, is_plain(well), well.why) == (None, True, "")


# Throttling.


def test_a_throttled_provider_gets_nothing_for_two_minutes_then_one_message_a_minute():
    pace = hear(PROVIDER, Event.THROTTLED, under_way=10, why="454 Throttling")
    assert ask(pace, at=NOW + SECOND) == Wait(NOW + PAUSE, "454 Throttling")
    assert ask(pace, at=NOW + PAUSE) == GO
    assert ask(pace, at=NOW + PAUSE, under_way=1) == Wait(None, "454 Throttling")
    sent = NOW + PAUSE + SECOND
    assert ask(pace, at=sent + SECOND, last_at=sent) == Wait(sent + MINUTE, "454 Throttling")
    assert ask(pace, at=sent + MINUTE, last_at=sent) == GO


def test_what_was_under_way_does_not_double_the_pause():
    pace = hear(PROVIDER, Event.THROTTLED)
    assert hear(pace, Event.THROTTLED, at=NOW + MINUTE, begun=NOW - SECOND) == pace
    assert hear(pace, Event.HALVED, at=NOW + MINUTE, begun=NOW - SECOND) == pace
    assert hear(pace, Event.ACCEPTED, at=NOW + MINUTE, begun=NOW - SECOND).gap == MINUTE


@pytest.mark.parametrize("plain", [RELAY, PROVIDER], ids=["relay", "provider"])
def test_each_further_throttling_doubles_the_pause_up_to_ninety_minutes(plain):
    pace, at, pauses = plain, NOW, []
    for _ in range(9):
        pace = hear(pace, Event.THROTTLED, at=at)
        pauses.append(pace.pause / MINUTE)
        at = pace.not_before + 2 * SECOND
    assert pauses == [2, 4, 8, 16, 32, 64, 90, 90, 90]


def test_each_message_accepted_halves_the_gap_until_it_is_free():
    pace, gaps = hear(PROVIDER, Event.THROTTLED), []
    for _ in range(6):
        pace = hear(pace, Event.ACCEPTED, at=NOW + PAUSE + 2 * SECOND)
        gaps.append(pace.gap.total_seconds())
    assert gaps == [30, 15, 7.5, 3.75, 1.875, 0]
    assert pace.not_before is None


def test_once_free_it_goes_on_with_one_at_once_and_the_pause_falls_back_step_by_step():
    pace, at = PROVIDER, NOW
    for _ in range(3):
        pace = hear(pace, Event.THROTTLED, at=at)
        at = pace.not_before + 2 * SECOND
    pace = accept(pace, 6, at=at)
    found = []
    for number in range(2, 5):
        found.append((pace.limit, pace.pause / MINUTE))
        pace = accept(pace, number - 1, at=at)
    assert found == [(1, 8), (2, 4), (3, 2)]
    assert (pace.limit, pace.pause) == (4, timedelta(0))
    assert is_plain(accept(pace, 100, at=at))


# The breaker of a side.


def test_an_open_breaker_lets_nothing_go_then_one_message_to_a_reader_not_refused_before():
    pace = refuse(PROVIDER, 1, 2, 3, 4, 5)
    assert ask(pace, at=NOW + SECOND) == Wait(NOW + REST, "said so")
    assert ask(pace, at=NOW + REST) == GO
    assert ask(pace, at=NOW + REST, under_way=1) == Wait(None, "said so")
    assert ask(pace, at=NOW + REST, reader=3) == Wait(NOW + 2 * REST, "said so")
    assert ask(pace, at=NOW + 2 * REST, reader=3) == GO


def test_it_closes_by_itself():
    pace = refuse(RELAY, 1, 2, 3, 4, 5)
    assert not is_plain(pace)
    closed = hear(pace, Event.ACCEPTED, at=NOW + REST + 2 * SECOND)
    assert (is_plain(closed), closed.why, closed.breaker.answers) == (True, "", ())


# What a verdict tells.


@pytest.mark.parametrize(
    ("stage", "reply", "events"),
    [
        (Stage.DOT, Reply(250), (Event.ACCEPTED, Event.ACCEPTED)),
        (Stage.RCPT, Reply(550, "5.1.1", "user unknown"), (Event.ANSWERED, Event.ANSWERED)),
        (Stage.RCPT, Reply(452, "4.2.2", "over quota"), (Event.ANSWERED, Event.ANSWERED)),
        (Stage.DOT, Reply(552, "5.3.4", "too big"), (Event.ANSWERED, Event.ANSWERED)),
        (Stage.RCPT, Reply(450, "4.2.0", "greylisted"), (None, None)),
        (Stage.RCPT, Reply(552, "", "mailbox full"), (Event.ANSWERED, Event.ANSWERED)),
        (Stage.RCPT, Reply(553, "5.6.7", "beyond ASCII"), (Event.ANSWERED, Event.ANSWERED)),
        (Stage.RCPT, Reply(552, "5.3.4", "too big"), (Event.ANSWERED, Event.ANSWERED)),
        (Stage.RCPT, Reply(554, "", "Transaction failed"), (Event.REFUSED, Event.REFUSED)),
        (Stage.RCPT, Reply(550, "5.4.5", "daily limit"), (Event.REFUSED, Event.REFUSED)),
        (Stage.RCPT, Reply(535, "5.7.8", "who are you"), (Event.REFUSED, Event.REFUSED)),
        (Stage.DOT, Reply(451, "4.6.0", "not now"), (Event.ANSWERED, Event.ANSWERED)),
        (Stage.RCPT, Reply(550, "5.7.1", "blocked"), (Event.REFUSED, Event.REFUSED)),
        (Stage.DOT, Reply(554, "", "spam"), (Event.REFUSED, Event.REFUSED)),
        (Stage.DOT, Reply(550, "5.7.26", "unauthenticated"), (Event.REFUSED, Event.REFUSED)),
        (Stage.RCPT, Reply(421, "4.7.0", "[TSS04]"), (Event.ANSWERED, Event.THROTTLED)),
        (Stage.RCPT, Reply(451, "4.7.1", "not now"), (Event.ANSWERED, Event.HALVED)),
        (Stage.RCPT, Reply(421, "", "closing"), (Event.HALVED, None)),
        (Stage.MAIL, Reply(454, "", "Throttling failure"), (Event.THROTTLED, None)),
        (Stage.GREETING, Reply(421, "", "too many connections"), (Event.HALVED, None)),
        (Stage.GREETING, Reply(554, "", "no"), (Event.LOST, None)),
        (Stage.BODY, None, (Event.LOST, None)),
        (Stage.DOT, None, (Event.LOST, None)),
    ],
    ids=str,
)
def test_what_an_answer_tells_of_the_relay_and_of_the_provider(stage, reply, events):
    assert felt(judge(Answer(stage, reply, "" if reply else "closed"))) == events


def test_a_used_connection_that_the_relay_closed_tells_nothing():
    assert felt(judge(Answer(Stage.MAIL, None, "closed"), fresh=False)) == (None, None)


# What is kept.


def test_what_is_plain_keeps_nothing_and_everything_else_survives():
    assert to_json(PROVIDER) == {}
    assert from_json(PROVIDER, {}) == PROVIDER
    assert from_json(RELAY, {}) == RELAY
    for pace in (
        hear(accept(RELAY, 1000), Event.HALVED),
        hear(PROVIDER, Event.HALVED, under_way=9),
        hear(hear(PROVIDER, Event.THROTTLED), Event.ACCEPTED, at=NOW + 3 * MINUTE),
        refuse(PROVIDER, 1, 2, 3, 4, 5),
    ):
        plain = RELAY if pace.side is Side.RELAY else PROVIDER
        assert from_json(plain, json.loads(json.dumps(to_json(pace)))) == pace


@pytest.mark.parametrize(
    "state",
    [
        {"limit": "many"},
        {"slow_until": "soon"},
        {"not_before": "2026-11-24T07:00:00"},
        {"breaker": 7},
        {"breaker": {"answers": ["ann"]}},
        {"tomorrow's": "key"},
        {"side": "relay", "ceiling": 1000},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_nothing(state):
    assert from_json(PROVIDER, state) == PROVIDER


def test_a_lower_ceiling_of_today_holds():
    kept = to_json(accept(RELAY, 1000))
    assert from_json(Pace.relay(3), kept).limit == 3
    assert from_json(RELAY, {"limit": -4, "rate": 0}).limit == 1


def test_no_more_than_two_hundred_letters_of_an_answer_are_kept():
    assert hear(PROVIDER, Event.THROTTLED, why="x" * 5000).why == "x" * 200


# What holds whatever is heard.

_HEARD = st.lists(
    st.tuples(
        st.sampled_from(Event),
        st.integers(0, 40),  # the reader
        st.integers(0, 12),  # under way
        st.integers(0, 4000),  # seconds since the last
        st.integers(0, 400),  # seconds that it took
    ),
    max_size=60,
)


@given(heard=_HEARD, ceiling=st.integers(1, 12), side=st.sampled_from(Side))
def test_a_pace_never_lets_more_than_its_ceiling_and_always_recovers(heard, ceiling, side):
    plain = Pace.relay(ceiling) if side is Side.RELAY else Pace.provider(ceiling)
    pace, now = plain, NOW
    for event, reader, under_way, seconds, took in heard:
        now += seconds * SECOND
        pace = after(pace, event, reader=reader, under_way=under_way, begun=now - took * SECOND, now=now, why="so")
        assert pace.limit is None or 1 <= pace.limit <= ceiling
        assert 0 < pace.rate <= 1
        assert pace.pause <= LONGEST_PAUSE
        assert from_json(plain, json.loads(json.dumps(to_json(pace)))).gap == pace.gap
        if side is Side.RELAY:
            assert pace.limit <= ceiling
            assert ask(pace, at=now + LONGEST_PAUSE, under_way=ceiling) != GO
        waits = ask(pace, at=now)
        assert waits == GO or waits.until is None or now < waits.until <= now + LONGEST_PAUSE
        # Nothing under way: whoever waits is told until when, and then it goes.
        if waits != GO:
            assert ask(pace, at=waits.until, reader=99) == GO
    for _ in range(300):
        now += MINUTE
        pace = hear(pace, Event.ACCEPTED, at=now, reader=77)
    assert is_plain(pace)
    assert pace.why == ""
    assert pace.limit == (ceiling if side is Side.RELAY else None)


@given(heard=_HEARD)
def test_answers_to_what_was_under_way_slow_nothing_twice(heard):
    for plain, event in [(RELAY, Event.HALVED), (PROVIDER, Event.HALVED), (PROVIDER, Event.THROTTLED)]:
        pace = hear(plain, event, under_way=10)
        for _, reader, under_way, seconds, took in heard:
            late = NOW + (seconds % 110) * SECOND
            begun = NOW - took * SECOND
            assert pace == after(pace, event, reader=reader, under_way=under_way, begun=begun, now=late, why="again")


def test_a_relay_begins_with_two():
    assert RELAY.limit == START
