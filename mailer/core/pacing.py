"""How a relay, or a provider behind it, wants to be treated: learned from its answers, and forgotten by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mailer.core import breaker as breakers
from mailer.core.breaker import CLOSED, Breaker
from mailer.core.delivery import Blame, DeliveryState, Slow, Verdict


class PacingOptions(BaseModel):
    """How mail is slowed for a provider that asks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mx: bool = Field(
        False,
        description="Slow all domains together whose mail the same provider takes, by their mail exchangers "
        "(asks the DNS); false: each domain by itself.",
    )


START = 2
"""Messages under way with a relay that is met for the first time."""
SLOW = timedelta(minutes=15)
GAP, LEAST_GAP = timedelta(seconds=60), timedelta(seconds=1)
PAUSE, LONGEST_PAUSE = timedelta(minutes=2), timedelta(minutes=90)
LEAST_RATE = 1 / 64
LONGEST_WHY = 200
_NONE = timedelta(0)


class Side(StrEnum):
    """Whose pace it is."""

    RELAY = "relay"
    PROVIDER = "provider"  # a domain, or a group of them, behind a relay


class Event(StrEnum):
    """What an answer says about a side."""

    ACCEPTED = "accepted"
    ANSWERED = "answered"  # about this reader or message
    REFUSED = "refused"  # by policy
    HALVED = "halved"
    THROTTLED = "throttled"
    LOST = "lost"  # no connection, or none any more


@dataclass(frozen=True, slots=True)
class Pace:
    """How one side wants to be treated.

    `limit`: messages under way at once, up to `ceiling`; None: no limit of its own (a provider that is well).
    `successes`: of this round, which has as many as the limit. `rate`: the part of the configured rate that is used.
    `slow_until`: after a halving, until when nothing grows. After a throttling: nothing before `not_before`, which
    was `pause` later, then one at a time and `gap` from one to the next. `why`: the words it was asked in.
    """

    side: Side
    ceiling: int
    limit: int | None = None
    successes: int = 0
    rate: float = 1.0
    slow_until: AwareDatetime | None = None
    gap: timedelta = _NONE
    pause: timedelta = _NONE
    not_before: AwareDatetime | None = None
    breaker: Breaker = CLOSED
    why: str = ""

    @classmethod
    def relay(cls, ceiling: int) -> "Pace":
        return cls(Side.RELAY, ceiling, min(START, ceiling))

    @classmethod
    def provider(cls, ceiling: int) -> "Pace":
        """`ceiling`: the relay's; at so many under way, a limit is forgotten."""
        return cls(Side.PROVIDER, ceiling)


@dataclass(frozen=True, slots=True)
class Go:
    """The message may leave, as far as this side is concerned."""


@dataclass(frozen=True, slots=True)
class Wait:
    """It may not. `until`: when to ask again; None: when something that is under way there has come back."""

    until: datetime | None
    why: str


GO = Go()


def felt(verdict: Verdict) -> tuple[Event | None, Event | None]:
    """What a verdict says about the relay, and about the provider behind it."""
    if verdict.state is DeliveryState.ACCEPTED:
        return Event.ACCEPTED, Event.ACCEPTED
    if verdict.slows is not Slow.NOTHING:
        event = Event.THROTTLED if verdict.slows is Slow.THROTTLE else Event.HALVED
        return (event, None) if verdict.blame is Blame.RELAY else (Event.ANSWERED, event)
    if verdict.refused:
        return Event.REFUSED, Event.REFUSED
    if verdict.blame is Blame.RELAY:
        return Event.LOST, None
    if verdict.greylisted or verdict.blame is Blame.NOBODY:
        return None, None
    return Event.ANSWERED, Event.ANSWERED


def after(
    pace: Pace, event: Event, *, reader: int, under_way: int, begun: datetime, now: datetime, why: str = ""
) -> Pace:
    """The pace once this was heard.

    `under_way`: messages there, the answered one among them. `begun`: when that one (or the connection) set out: what
    set out before a slowing doesn't slow again, nor prove that it is over. `reader`: 0 where it is about none.
    """
    match event:
        case Event.ACCEPTED:
            heard = _with(pace, breakers.accepted(pace.breaker, reader, begun=begun, now=now))
            return _forgotten(_succeeded(heard, begun, now))
        case Event.ANSWERED:
            return _with(pace, breakers.answered(pace.breaker, reader))
        case Event.REFUSED:
            breaker = breakers.refused(pace.breaker, reader, begun=begun, now=now)
            return replace(pace, breaker=breaker, why=why[:LONGEST_WHY] if breaker.open_until else pace.why)
        case Event.THROTTLED:
            changed = _throttled(pace, begun, now)
        case Event.HALVED:
            changed = _halved(pace, under_way, begun, now)
        case Event.LOST:
            if pace.side is Side.PROVIDER:
                return replace(pace, successes=0)
            limit = None if pace.limit is None else max(1, pace.limit - 1)
            return replace(pace, limit=limit, successes=0, why=why[:LONGEST_WHY] or pace.why)
    return pace if changed is pace else replace(changed, why=why[:LONGEST_WHY])


def may_go(pace: Pace, *, under_way: int, last_at: datetime | None, reader: int, now: datetime) -> Go | Wait:
    """Whether this reader's message may leave now. `under_way`, `last_at`: there, and when the last one set out."""
    moments = [breakers.tried_from(pace.breaker, reader)]
    if pace.gap:
        moments += [pace.not_before, last_at + pace.gap if last_at is not None and last_at <= now else None]
    # What lies further ahead than any pause was written by a clock that was wrong.
    ahead = [moment for moment in moments if moment is not None and now < moment <= now + LONGEST_PAUSE]
    if ahead:
        return Wait(max(ahead), pace.why)
    most = 1 if pace.gap or pace.breaker.open_until else pace.limit
    return GO if most is None or under_way < most else Wait(None, pace.why)


def is_plain(pace: Pace) -> bool:
    """Whether there is nothing that the next run must know. What a closed breaker counts is one run's.

    Why a relay could not be reached is worth knowing until it takes a message again.
    """
    return not (_is_slowed(pace) or (pace.why and pace.side is Side.RELAY))


def _is_slowed(pace: Pace) -> bool:
    well = pace.limit is None if pace.side is Side.PROVIDER else (pace.limit or 0) >= min(START, pace.ceiling)
    slowed = pace.slow_until or pace.gap or pace.pause or pace.rate < 1 or pace.breaker.open_until
    return not well or bool(slowed)


def to_json(pace: Pace) -> dict[str, Any]:
    """For the store."""
    kept: dict[str, Any] = _KEPT.dump_python(pace, mode="json", exclude_defaults=True, exclude={"side", "ceiling"})
    return kept


def from_json(plain: Pace, state: Mapping[str, Any]) -> Pace:
    """What was kept, under today's ceiling; `plain` where it can't be read."""
    try:
        kept = _KEPT.validate_python({"limit": plain.limit, **state, "side": plain.side, "ceiling": plain.ceiling})
    except ValidationError:
        return plain
    limit = plain.limit if kept.limit is None else max(1, min(kept.limit, plain.ceiling))
    return replace(kept, limit=limit, rate=min(1.0, max(LEAST_RATE, kept.rate)), why=kept.why[:LONGEST_WHY])


_KEPT = TypeAdapter(Pace)


def _with(pace: Pace, breaker: Breaker) -> Pace:
    return pace if breaker is pace.breaker else replace(pace, breaker=breaker)


def _throttled(pace: Pace, begun: datetime, now: datetime) -> Pace:
    if _before_throttling(pace, begun, now):
        return pace
    pause = min(max(PAUSE, pace.pause * 2), LONGEST_PAUSE)
    return replace(pace, limit=1, successes=0, gap=GAP, pause=pause, not_before=now + pause)


def _halved(pace: Pace, under_way: int, begun: datetime, now: datetime) -> Pace:
    halved_at = pace.slow_until - SLOW if pace.slow_until else None
    if _before_throttling(pace, begun, now) or (halved_at and begun <= halved_at <= now):
        return pace
    relay = pace.side is Side.RELAY
    # A provider has no limit while it is well: what is under way there is what it could not take.
    now_there = pace.limit if relay and pace.limit is not None else min(under_way, pace.limit or under_way)
    rate = max(LEAST_RATE, pace.rate / 2) if relay else pace.rate
    return replace(pace, limit=max(1, min(now_there // 2, pace.ceiling)), successes=0, rate=rate, slow_until=now + SLOW)


def _succeeded(pace: Pace, begun: datetime, now: datetime) -> Pace:
    """A success is a step back to full speed: first the gap, then after the slow time, a step for each round."""
    if pace.gap:
        if _before_throttling(pace, begun, now):
            return pace
        gap = pace.gap / 2
        return replace(pace, gap=gap) if gap >= LEAST_GAP else replace(pace, gap=_NONE, not_before=None)
    if pace.slow_until and now < pace.slow_until <= now + SLOW:
        return pace
    full_speed = pace.limit == pace.ceiling and pace.side is Side.RELAY and not _is_slowed(pace)
    if pace.limit is None or full_speed:
        return pace
    if pace.successes + 1 < pace.limit:
        return replace(pace, successes=pace.successes + 1, slow_until=None)
    limit: int | None = min(pace.limit + 1, pace.ceiling)
    pause = pace.pause / 2 if pace.pause >= 2 * PAUSE else _NONE
    if limit == pace.ceiling and pace.side is Side.PROVIDER:
        limit, pause = None, _NONE
    return replace(pace, limit=limit, successes=0, rate=min(1.0, pace.rate * 2), pause=pause, slow_until=None)


def _before_throttling(pace: Pace, begun: datetime, now: datetime) -> bool:
    return pace.not_before is not None and begun <= pace.not_before - pace.pause <= now


def _forgotten(pace: Pace) -> Pace:
    return replace(pace, why="") if pace.why and not _is_slowed(pace) else pace
