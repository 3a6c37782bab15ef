"""The breaker: when a relay or a provider refuses too many readers, it is left alone, and tried with one message."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import AwareDatetime

WINDOW = 20
"""Answers that count, the newest ones."""
FEWEST = 5
"""Readers refused before it can open."""
REST = timedelta(minutes=5)
"""How long nothing goes there; then one message, to a reader who was not refused before."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed while `open_until` is None.

    `answers`: the readers whose answers count, the newest last, each once; negative: refused by policy.
    """

    answers: tuple[int, ...] = ()
    open_until: AwareDatetime | None = None


CLOSED = Breaker()


def accepted(breaker: Breaker, reader: int, *, begun: datetime, now: datetime) -> Breaker:
    """A message was taken, one that set out at `begun`. What set out before it opened proves nothing."""
    if breaker.open_until is None:
        return _noted_well(breaker, reader)
    return breaker if begun <= breaker.open_until - REST <= now else CLOSED


def answered(breaker: Breaker, reader: int) -> Breaker:
    """Something else was said that is no refusal by policy, such as that the user is unknown."""
    return breaker if breaker.open_until else _noted_well(breaker, reader)


def refused(breaker: Breaker, reader: int, *, begun: datetime, now: datetime) -> Breaker:
    """A reader was refused by policy. Reader 0, who gets test copies, is nobody and opens nothing."""
    noted = replace(breaker, answers=_newest(breaker.answers, reader, -reader))
    if breaker.open_until is not None:
        late = begun <= breaker.open_until - REST <= now
        return noted if late else replace(noted, open_until=now + REST)
    number = sum(one < 0 for one in noted.answers)
    opens = number >= FEWEST and 2 * number >= len(noted.answers)
    return replace(noted, open_until=now + REST) if opens else noted


def tried_from(breaker: Breaker, reader: int) -> datetime | None:
    """From when on this reader's message may be the one that tries; None: it is closed.

    Where there is nobody else, readers who were refused before have their turn later.
    """
    if breaker.open_until is None:
        return None
    return breaker.open_until if -reader not in breaker.answers or not reader else breaker.open_until + REST


def _noted_well(breaker: Breaker, reader: int) -> Breaker:
    answers = breaker.answers
    if len(answers) == WINDOW and min(answers) > 0:
        return breaker  # one more that is well says nothing new: so most messages cost nothing here
    return Breaker(_newest(answers, reader, reader))


def _newest(answers: tuple[int, ...], reader: int, answer: int) -> tuple[int, ...]:
    if not reader:
        return answers
    others = tuple(one for one in answers if one not in (reader, -reader))
    return (*others, answer)[-WINDOW:]
