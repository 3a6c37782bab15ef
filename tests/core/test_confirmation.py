"""What a mailed link may still do: a table of what became of its reader, and the edge of its time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mailer.core.confirmation import Confirmation, Standing, standing
from mailer.core.subscription import State, Subscriber
from mailer.core.tokens import Wish
from tests.stories import DAY, MONDAY

READER = Subscriber(7, "ann@example.com", State.PENDING, "weekly", MONDAY, generation=3)
FOUND = Confirmation(
    id=5,
    kind="join",
    subscriber=7,
    generation=3,
    asked_at=MONDAY,
    cadence="weekly",
    timezone="",
    language="",
    topics=(),
    address="",
    confirmed_at=None,
)
WISH = Wish(5, 3, int(MONDAY.timestamp()))
_ASK, _DONE, _STALE = Standing.ASK, Standing.DONE, Standing.STALE


def stands(kind="join", state=State.PENDING, *, generation=3, confirmed=False, age=DAY, days=7, wish=WISH):
    found = replace(FOUND, kind=kind, confirmed_at=MONDAY if confirmed else None)
    reader = replace(READER, state=state, generation=generation)
    return standing(wish, found, reader, now=MONDAY + age, days=days)


@pytest.mark.parametrize(
    ("state", "generation", "confirmed", "expected"),
    [
        (State.PENDING, 3, False, _ASK),
        (State.UNSUBSCRIBED, 3, False, _ASK),
        (State.BOUNCED, 3, False, _ASK),
        # Another link of the same asking was pressed, or this one.
        (State.ACTIVE, 3, False, _DONE),
        (State.ACTIVE, 3, True, _DONE),
        (State.PAUSED, 3, False, _DONE),
        (State.PAUSED, 3, True, _DONE),
        # It does not revive what ended since.
        (State.UNSUBSCRIBED, 4, False, _STALE),
        (State.UNSUBSCRIBED, 4, True, _STALE),
        (State.ACTIVE, 4, False, _STALE),
        (State.ACTIVE, 4, True, _STALE),
        (State.PENDING, 4, False, _STALE),
        (State.COMPLAINED, 3, False, _STALE),
        (State.COMPLAINED, 3, True, _STALE),
        (State.BOUNCED, 3, True, _STALE),
    ],
)
def test_a_link_to_join(state, generation, confirmed, expected):
    assert stands("join", state, generation=generation, confirmed=confirmed) is expected


@pytest.mark.parametrize("kind", ["move", "erase"])
@pytest.mark.parametrize(
    ("state", "generation", "confirmed", "expected"),
    [
        (State.ACTIVE, 3, False, _ASK),
        (State.PAUSED, 3, False, _ASK),
        (State.ACTIVE, 3, True, _DONE),
        (State.PAUSED, 3, True, _DONE),
        (State.UNSUBSCRIBED, 4, False, _STALE),
        (State.ACTIVE, 4, False, _STALE),
        (State.ACTIVE, 4, True, _STALE),
        (State.PENDING, 3, False, _STALE),
        (State.BOUNCED, 3, False, _STALE),
        (State.COMPLAINED, 3, False, _STALE),
    ],
)
def test_a_link_to_move_or_to_erase(kind, state, generation, confirmed, expected):
    assert stands(kind, state, generation=generation, confirmed=confirmed) is expected


@pytest.mark.parametrize(
    ("age", "days", "expected"),
    [
        (timedelta(0), 7, _ASK),
        (7 * DAY, 7, _ASK),
        (7 * DAY + timedelta(seconds=1), 7, Standing.EXPIRED),
        (DAY + timedelta(seconds=1), 1, Standing.EXPIRED),
        (30 * DAY, 30, _ASK),
        # A clock that was set back.
        (-DAY, 7, _ASK),
    ],
)
@pytest.mark.parametrize(("kind", "state"), [("join", State.PENDING), ("move", State.ACTIVE), ("erase", State.PAUSED)])
def test_a_link_works_for_so_many_days_and_its_mail_says_from_when(kind, state, age, days, expected):
    assert stands(kind, state, age=age, days=days) is expected


def test_what_is_done_stays_done_when_its_time_is_over():
    assert stands("join", State.ACTIVE, confirmed=True, age=400 * DAY) is _DONE
    assert stands("move", State.ACTIVE, confirmed=True, age=400 * DAY) is _DONE


def test_an_old_link_of_an_earlier_consent_does_not_offer_a_new_one():
    assert stands("join", State.UNSUBSCRIBED, generation=4, age=400 * DAY) is _STALE


def test_a_token_of_another_generation_than_its_wish_opens_nothing():
    assert stands(wish=replace(WISH, generation=2)) is _STALE
    assert stands(wish=replace(WISH, generation=4)) is _STALE


@pytest.mark.parametrize(
    ("wish", "found", "reader"), [(None, FOUND, READER), (WISH, None, READER), (WISH, FOUND, None)]
)
def test_a_link_to_nothing_is_wrong(wish, found, reader):
    assert standing(wish, found, reader, now=MONDAY, days=7) is Standing.WRONG
