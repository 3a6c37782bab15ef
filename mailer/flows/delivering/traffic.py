"""Who may go now, and by which relay: shares, rates and quotas, and what relays and providers asked for."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection

from mailer.core.breaker import WINDOW, Breaker
from mailer.core.delivery import Answer, Claimed, Verdict
from mailer.core.pacing import Event, Pace, Wait, after, felt, from_json, is_plain, may_go, to_json
from mailer.core.quota import minute_of
from mailer.core.sharing import Turns, in_service, took, whose_turn
from mailer.flows.delivering.line import Line
from mailer.store import paces, usage
from mailer.store.database import Database

SHORT = timedelta(seconds=2)
"""So long a connection waits itself for its turn; what takes longer is written down, or ends the run."""
SPREAD = timedelta(minutes=10)
"""Over so long those are spread who wait for one provider's turns."""
_SECOND = timedelta(seconds=1)
_WELL = frozenset({Event.ACCEPTED, Event.ANSWERED})


class Groups(Protocol):
    """Whose mail the same provider takes, by the DNS."""

    async def group(self, domain: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for this line now. `seconds`: when to ask again; None: when something happened."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Postponed:
    """A delivery whose provider takes nothing for a while."""

    item: Claimed
    until: datetime
    why: str


Standing = tuple[dict[paces.Key, dict[str, Any]], dict[str, dict[int, usage.Used]]]


def standing(connection: Connection, now: datetime) -> Standing:
    """What earlier runs left to know."""
    return paces.load(connection), usage.last_day(connection, now)


class Traffic:
    """Decides for all lines of a run. Everything it learns of a pace is in `changed` until it is written down."""

    def __init__(self, lines: Mapping[str, Line], clock: Callable[[], datetime], groups: Groups | None) -> None:
        self.lines = lines
        self.changed: dict[paces.Key, Pace] = {}
        self.postponed: list[Postponed] = []
        self._clock = clock
        self._groups = groups
        self._group_of: dict[str, str] = {}
        self._turns = Turns()
        self._paces: dict[paces.Key, Pace] = {}
        self._under_way: Counter[paces.Key] = Counter()
        self._key_of: dict[int, paces.Key] = {}  # of what is under way, by delivery
        self._last: dict[paces.Key, datetime] = {}
        self._parked: dict[str, deque[Claimed]] = {}
        self._slots: Counter[paces.Key] = Counter()
        self._cruising: set[paces.Key] = set()
        self._well: dict[paces.Key, deque[int]] = {}

    async def remember(self, database: Database) -> None:
        """Take up what earlier runs learnt."""
        now = self._clock()
        kept, used = await database.read(standing, now)
        for line in self.lines.values():
            line.pace = from_json(line.pace, kept.pop((line.name, ""), {}))
            line.used({minute: one.permits for minute, one in used.get(line.name, {}).items()}, now)
        for (relay, provider), state in kept.items():
            if relay in self.lines:
                plain = Pace.provider(self.lines[relay].way.connections)
                self._paces[relay, provider] = from_json(plain, state)

    async def meet(self, batch: Sequence[Claimed]) -> None:
        """Find out which providers these are for."""
        if self._groups is None:
            return
        for domain in {_domain(item.address) for item in batch} - set(self._group_of):
            self._group_of[domain] = await self._groups.group(domain)

    def provider(self, item: Claimed) -> str:
        domain = _domain(item.address)
        return self._group_of.get(domain, domain)

    def held(self, line: Line) -> Pause | None:
        """Why this line may take nothing now; None: it may. A long wait is noted in the line."""
        pace = line.pace
        if self._open_road(line):
            return None
        now = self._clock()
        if line.rests_until is not None and line.rests_until > now:
            return Pause(None)
        line.rests_until, line.why = None, ""
        waits = may_go(pace, under_way=line.under_way, last_at=line.last_at, reader=0, now=now)
        if isinstance(waits, Wait):
            return self._rest(line, waits.until, waits.why, now)
        if full := line.full_until(now):
            hour = "hour" if line.way.per_hour else "day"
            kind = "day" if line.way.per_day and full - now > timedelta(hours=1) else hour
            return self._rest(line, full, f"its quota for the {kind} is used up", now)
        if len(self.lines) > 1 and not self._its_turn(line, now):
            return Pause(0.5)
        return None

    def _open_road(self, line: Line) -> bool:
        """One relay alone, at full speed and without quotas: so most messages pass."""
        return line.cruises and not line.counts and len(self.lines) == 1 and line.under_way < (line.pace.limit or 1)

    def take(self, line: Line, supply: Callable[[], Claimed | None]) -> Claimed | None:
        """The next delivery that may go by this line now. Others are parked, or postponed."""
        now = self._clock()
        while (item := supply()) is not None:
            key = line.name, self.provider(item)
            pace = self._paces.get(key)
            waits = (
                may_go(line.pace, under_way=line.under_way, last_at=line.last_at, reader=item.subscriber, now=now)
                if line.pace.breaker.open_until
                else None
            )
            if not isinstance(waits, Wait) and pace is not None and key not in self._cruising:
                waits = may_go(
                    pace, under_way=self._under_way[key], last_at=self._last.get(key), reader=item.subscriber, now=now
                )
            if not isinstance(waits, Wait):
                self._begin(line, key, item, now)
                return item
            if waits.until is None:
                self._parked.setdefault(key[1], deque()).append(item)
            else:
                self._postpone(key, item, waits, pace, now)
        return None

    def staff(self) -> int:
        """How many connections are worked on."""
        return sum(line.staff for line in self.lines.values())

    @property
    def parked(self) -> int:
        return sum(map(len, self._parked.values()))

    def unpark(self) -> list[Claimed]:
        """All that were parked: the run ends, or they are looked at again."""
        found = [item for waiting in self._parked.values() for item in waiting]
        self._parked.clear()
        return found

    def heard(self, line: Line, item: Claimed, verdict: Verdict, begun: datetime, answer: Answer) -> list[Claimed]:
        """Learn from an answer. Returns those who waited for their provider, to be looked at again."""
        key = self._key_of[item.id]
        relay_event, provider_event = felt(verdict)
        if relay_event is not None and not (relay_event is Event.ACCEPTED and line.cruises):
            self._note(line, relay_event, item.subscriber, begun, answer)
        if provider_event in _WELL and key not in self._paces:
            # So most messages pass: who was well is kept in case others are not.
            self._well.setdefault(key, deque(maxlen=WINDOW)).append(item.subscriber)
        elif provider_event is not None and not (provider_event is Event.ACCEPTED and key in self._cruising):
            self._note_provider(key, provider_event, item.subscriber, begun, answer)
        self.ended(line, item)
        waiting = self._parked.pop(key[1], None) if self._parked else None
        return list(waiting) if waiting else []

    def ended(self, line: Line, item: Claimed) -> None:
        """A message is under way no more."""
        line.under_way -= 1
        self._under_way[self._key_of.pop(item.id)] -= 1

    def lost(self, line: Line) -> None:
        """A connection could not be opened."""
        self._note(line, Event.LOST, 0, self._clock(), None)

    def to_save(self) -> paces.Changed:
        """What changed since it was last asked, as the store keeps it."""
        if not self.changed:
            return {}
        changed, self.changed = self.changed, {}
        return {key: None if is_plain(pace) else to_json(pace) for key, pace in changed.items()}

    def _begin(self, line: Line, key: paces.Key, item: Claimed, now: datetime) -> None:
        line.under_way += 1
        line.last_at = self._last[key] = now
        if line.counts:
            line.count(minute_of(now))
        self._under_way[key] += 1
        self._key_of[item.id] = key
        if len(self.lines) > 1:
            self._turns = took(self._turns, line.name, max(1, line.way.share.weight))

    def _its_turn(self, line: Line, now: datetime) -> bool:
        able = [
            one.name
            for one in self.lines.values()
            if one.answers and not (one.rests_until is not None and one.rests_until > now)
        ]
        weights = in_service({one.name: one.way.share for one in self.lines.values()}, able)
        return line.name in weights and whose_turn(self._turns, weights) == line.name

    def _rest(self, line: Line, until: datetime | None, why: str, now: datetime) -> Pause:
        if until is None:
            return Pause(None)
        if until - now > SHORT:
            line.rests_until, line.why = until, why
            return Pause(None)
        return Pause(max(0.01, (until - now) / _SECOND))

    def _postpone(self, key: paces.Key, item: Claimed, waits: Wait, pace: Pace | None, now: datetime) -> None:
        """Those who wait for the same provider are spread, so that they don't all come back at once."""
        until = waits.until or now
        if pace is not None and pace.gap:
            self._slots[key] += 1
            until += min((self._slots[key] - 1) * pace.gap, SPREAD)
        self.postponed.append(Postponed(item, until, waits.why))

    def _note(self, line: Line, event: Event, reader: int, begun: datetime, answer: Answer | None) -> None:
        said = "" if answer is None or event is Event.ACCEPTED else str(answer)
        known, now = line.pace, self._clock()
        line.pace = after(known, event, reader=reader, under_way=line.under_way, begun=begun, now=now, why=said)
        line.cruises = line.pace is known and event is Event.ACCEPTED and is_plain(known)
        if not (is_plain(line.pace) and is_plain(known)):
            self.changed[line.name, ""] = line.pace

    def _note_provider(self, key: paces.Key, event: Event, reader: int, begun: datetime, answer: Answer) -> None:
        known = self._paces.get(key) or self._met(key)
        said, under_way = "" if event is Event.ACCEPTED else str(answer), self._under_way[key]
        found = after(known, event, reader=reader, under_way=under_way, begun=begun, now=self._clock(), why=said)
        self._paces[key] = found
        if found is known and event is Event.ACCEPTED and is_plain(found):
            self._cruising.add(key)
        else:
            self._cruising.discard(key)
        if not (is_plain(found) and is_plain(known)):
            self.changed[key] = found
        if not found.gap:
            self._slots.pop(key, None)

    def _met(self, key: paces.Key) -> Pace:
        """The pace of a provider with whom all was well so far."""
        readers = dict.fromkeys(reversed(self._well.pop(key, ())))  # each once, the newest answer
        answers = tuple(reader for reader in reversed(readers) if reader)
        return replace(Pace.provider(self.lines[key[0]].way.connections), breaker=Breaker(answers))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
