"""What a run did, for those who watch it and those who read about it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from mailer.core.delivery import DeliveryState

NAMED = 10_000
"""How many of those who were not reached are kept by name."""


@dataclass(frozen=True, slots=True)
class Unreached:
    """Somebody who did not get their mail in this run, and why. `next_at`: when it is looked at again."""

    address: str
    state: DeliveryState
    said: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rest:
    """A relay that takes nothing for a while. `quota`: because it has had what it may have, as on any good day."""

    until: datetime
    why: str
    quota: bool = False


@dataclass(slots=True)
class Report:
    """How a run goes, filled while it goes. `down`: why all relays count as down, '' where not all do.

    `rests`: relays that take nothing for a while. `free_at`: when one of them takes mail again, where all that aren't
    down rest; None: not all do. `troubles`: each relay that is down. `locked_out`: relays that let nobody in any more,
    while connections that they had worked till the end. `paused`: editions that were paused, for which reason, and what
    was said.

    `outcomes`: how often each state was reached. `unreached`: by delivery; `unnamed`: further ones, without who it
    was. `finished`: editions that are done now. `rendered`: mails that were rendered for their reader, in `rendering`
    seconds.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    unreached: dict[int, Unreached] = field(default_factory=dict)
    unnamed: set[int] = field(default_factory=set)
    down: str = ""
    down_since: datetime | None = None
    stopped: bool = False
    rests: dict[str, Rest] = field(default_factory=dict)
    free_at: datetime | None = None
    troubles: dict[str, str] = field(default_factory=dict)
    locked_out: dict[str, str] = field(default_factory=dict)
    paused: dict[int, tuple[str, str]] = field(default_factory=dict)
    finished: list[int] = field(default_factory=list)
    rendered: int = 0
    rendering: float = 0.0

    @property
    def sent(self) -> int:
        return self.outcomes[DeliveryState.ACCEPTED]

    @property
    def tried(self) -> int:
        """How many deliveries have come to an end in this run, good or not."""
        return sum(count for state, count in self.outcomes.items() if state != DeliveryState.PENDING)

    @property
    def missed(self) -> int:
        """How many were not reached, each counted once."""
        return len(self.unreached) + len(self.unnamed)

    def miss(self, delivery: int, who: Unreached) -> None:
        """Note somebody who was not reached."""
        if delivery in self.unreached or len(self.unreached) < NAMED:
            self.unreached[delivery] = who
            self.unnamed.discard(delivery)
        else:
            self.unnamed.add(delivery)

    def reached(self, delivery: int) -> None:
        """Somebody who was not reached before has it now."""
        self.unreached.pop(delivery, None)
        self.unnamed.discard(delivery)

    def note_rendering(self, seconds: float) -> None:
        """Count a mail that was rendered for its reader."""
        self.rendered += 1
        self.rendering += seconds
