"""Which relay takes the next message: each its share by weight, a failover relay only where nothing else works."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Share:
    """A relay's part: `weight` of the sum of all that work."""

    weight: int = 1
    failover: bool = False


@dataclass(frozen=True, slots=True)
class Turns:
    """What each relay was given so far, each message counting for 1/weight (start-time fair queuing).

    `now`: how far the relay got whose turn was last. One that was not ready is brought up to it: what it missed is
    gone. What it had beyond its share, it still has.
    """

    given: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    now: float = 0.0


def in_service(shares: Mapping[str, Share], works: Collection[str]) -> dict[str, int]:
    """The weights of the relays that mail goes to. `works`: those that aren't down, whether or not they are busy."""
    able = {name: share for name, share in shares.items() if share.weight and name in works}
    first = {name: share.weight for name, share in able.items() if not share.failover}
    return first or {name: share.weight for name, share in able.items()}


def whose_turn(turns: Turns, ready: Mapping[str, int]) -> str | None:
    """Which of these takes the next message. `ready`: the weights of those in service that could take one now."""
    order = [name for name, weight in ready.items() if weight > 0]
    return min(order, key=lambda name: (_start(turns, name), -ready[name]), default=None)


def took(turns: Turns, name: str, weight: int) -> Turns:
    """That relay took a message."""
    start = _start(turns, name)
    return Turns(MappingProxyType({**turns.given, name: start + 1 / weight}), start)


def _start(turns: Turns, name: str) -> float:
    return max(turns.now, turns.given.get(name, 0.0))
