"""Who may go now, and by which relay: shares, rates and quotas, and what relays and providers asked for."""

from asyncio import gather
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
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
from mailer.flows.delivering.report import Rest
from mailer.store import paces, subscribers, usage
from mailer.store.database import Database

SHORT = timedelta(seconds=2)
"""So long a connection waits itself for its turn; what takes longer is written down, or ends the run."""
SPREAD = timedelta(minutes=10)
"""Over so long those are spread who wait for one provider's turns."""
PARKED = 20_000
"""So many wait in memory for one that is under way at their provider; further ones are written down."""
LATER = timedelta(minutes=1)
"""When those are looked at again."""
ASKED = 20
"""Domains that the DNS is asked about at once."""
_SECOND = timedelta(seconds=1)
_WELL = frozenset({Event.ACCEPTED, Event.ANSWERED})


class Groups(Protocol):
    """Whose mail the same provider takes, by the DNS."""

    async def group(self, domain: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for this line now. `seconds`: when to ask again; None: when something happened."""

    seconds: float | None


PAUSE = Pause(None)


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
    """Decides for all lines of a run. Everything it learns of a pace is in `changed` until it is written down.

    `parked`: how many wait here for one that is under way at their provider.
    """

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
        self.parked = 0
        self._slots: Counter[paces.Key] = Counter()
        self._cruising: set[paces.Key] = set()
        self._well: dict[paces.Key, deque[int]] = {}
        self._refusing: set[paces.Key] = set()

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
        for line in self.lines.values():
            refused = [-reader for reader in line.pace.breaker.answers if reader < 0]
            if line.pace.breaker.open_until and refused:
                known = await database.read(subscribers.by_id, refused)
                addresses = [reader.email for reader in known.values()]
                await self.meet(addresses)
                self._refusing |= {(line.name, self._provider(address)) for address in addresses}

    async def meet(self, addresses: Iterable[str]) -> None:
        """Find out which providers these are at."""
        if self._groups is None:
            return
        wanted = [domain for domain in {_domain(address) for address in addresses} if domain not in self._group_of]
        for start in range(0, len(wanted), ASKED):
            some = wanted[start : start + ASKED]
            self._group_of.update(zip(some, await gather(*map(self._groups.group, some)), strict=True))

    def provider(self, item: Claimed) -> str:
        return self._provider(item.address)

    def _provider(self, address: str) -> str:
        domain = _domain(address)
        return self._group_of.get(domain, domain)

    def held(self, line: Line) -> Pause | None:
        """Why this line may take nothing now; None: it may. A long wait is noted in the line."""
        pace = line.pace
        if self._open_road(line):
            return None
        line.asks()
        now = self._clock()
        if line.rests(now):
            return Pause(None)
        line.rest = None
        waits = may_go(pace, under_way=line.under_way, last_at=line.last_at, reader=0, now=now)
        if isinstance(waits, Wait):
            return self._rest(line, Rest(waits.until, _in_words("it", pace, waits.why)), now) if waits.until else PAUSE
        if full := line.full(now):
            return self._rest(line, full, now)
        if len(self.lines) > 1 and not self._its_turn(line, now):
            return Pause(0.5)
        return None

    def _open_road(self, line: Line) -> bool:
        """One relay alone, at full speed and without quotas: so most messages pass."""
        return line.cruises and not line.counts and len(self.lines) == 1 and line.under_way < (line.pace.limit or 1)

    def take(self, line: Line, supply: Callable[[], Claimed | None]) -> Claimed | None:
        """The next delivery that may go by this line now. Others are parked, or postponed."""
        now = self._clock()
        later: deque[Claimed] = deque()
        while (item := supply()) is not None:
            if line.pace.breaker.open_until and self._refuses((line.name, self.provider(item))):
                later.append(item)  # the one message that tries the relay is for somebody else, if there is anybody
            elif self._leaves(line, item, now):
                break
        while later and item is None:
            candidate = later.popleft()
            item = candidate if self._leaves(line, candidate, now) else None
        for one in later:
            self._park(self.provider(one), one)
        return item

    def _refuses(self, key: paces.Key) -> bool:
        pace = self._paces.get(key)
        return key in self._refusing or (pace is not None and pace.breaker.open_until is not None)

    def _leaves(self, line: Line, item: Claimed, now: datetime) -> bool:
        """Whether it leaves now; otherwise it is parked or postponed."""
        key = line.name, self.provider(item)
        pace = self._paces.get(key)
        reader, waits, why = item.subscriber, None, ""
        if line.pace.breaker.open_until:
            waits = may_go(line.pace, under_way=line.under_way, last_at=line.last_at, reader=reader, now=now)
            why = _in_words("the relay", line.pace, line.pace.why)
        if not isinstance(waits, Wait) and pace is not None and key not in self._cruising:
            waits = may_go(pace, under_way=self._under_way[key], last_at=self._last.get(key), reader=reader, now=now)
            why = _in_words("the provider", pace, pace.why) if isinstance(waits, Wait) else ""
        if not isinstance(waits, Wait):
            self._begin(line, key, item, now)
            return True
        if waits.until is None and self.parked < PARKED:
            self._park(key[1], item)
        else:
            self._postpone(key, Postponed(item, waits.until or now + LATER, why), pace)
        return False

    def _park(self, provider: str, item: Claimed) -> None:
        self._parked.setdefault(provider, deque()).append(item)
        self.parked += 1

    def staff(self) -> int:
        """How many connections are worked on."""
        return sum(line.staff for line in self.lines.values())

    def unpark(self) -> list[Claimed]:
        """All that were parked: the run ends, or they are looked at again."""
        found = [item for waiting in self._parked.values() for item in waiting]
        self._parked.clear()
        self.parked = 0
        return found

    def heard(self, line: Line, item: Claimed, verdict: Verdict, begun: datetime, answer: Answer) -> list[Claimed]:
        """Learn from an answer. Returns those who waited for their provider, to be looked at again."""
        key = self._key_of[item.id]
        relay_event, provider_event = felt(verdict)
        if relay_event is Event.REFUSED or self._refusing:
            relay_event = self._held_against(line, key, relay_event)
        if relay_event is not None and not (relay_event is Event.ACCEPTED and line.cruises):
            # That a connection was lost is one's own; that none can be opened is the relay's.
            said = "" if relay_event in {Event.ACCEPTED, Event.LOST} else str(answer)
            self._note(line, relay_event, item.subscriber, begun, said)
        if provider_event in _WELL and key not in self._paces:
            # So most messages pass: who was well is kept in case others are not.
            self._well.setdefault(key, deque(maxlen=WINDOW)).append(item.subscriber)
        elif provider_event is not None and not (provider_event is Event.ACCEPTED and key in self._cruising):
            self._note_provider(key, provider_event, item.subscriber, begun, answer)
        self.ended(line, item)
        waiting = self._parked.pop(key[1], None) if self._parked else None
        if not waiting:
            return []
        self.parked -= len(waiting)
        return list(waiting)

    def ended(self, line: Line, item: Claimed) -> None:
        """A message is under way no more."""
        line.asks()
        line.under_way -= 1
        self._under_way[self._key_of.pop(item.id)] -= 1

    def unused(self, line: Line, item: Claimed) -> None:
        """Taken, and never offered to the relay."""
        line.uncount(minute_of(self._clock()))
        self.ended(line, item)

    def _held_against(self, line: Line, key: paces.Key, event: Event | None) -> Event | None:
        """What counts for the relay: of a provider's refusals only the first, or one alone could stop all others."""
        if event is Event.ACCEPTED:
            self._refusing.discard(key)
        elif event is Event.REFUSED:
            known = key in self._refusing
            self._refusing.add(key)
            return None if known and line.pace.breaker.open_until is None else event
        return event

    def lost(self, line: Line) -> None:
        """A connection could not be opened."""
        self._note(line, Event.LOST, 0, self._clock(), line.down or line.locked_out)

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
        able = [one.name for one in self.lines.values() if one.answers and not one.rests(now)]
        weights = in_service({one.name: one.way.share for one in self.lines.values()}, able)
        ready = {name: weight for name, weight in weights.items() if name == line.name or self.lines[name].ready}
        return line.name in ready and whose_turn(self._turns, ready) == line.name

    def _rest(self, line: Line, rest: Rest, now: datetime) -> Pause:
        if rest.until - now > SHORT:
            line.rest = rest
            return PAUSE
        return Pause(max(0.01, (rest.until - now) / _SECOND))

    def _postpone(self, key: paces.Key, one: Postponed, pace: Pace | None) -> None:
        """Those who wait for the same provider are spread, so that they don't all come back at once."""
        if pace is not None and pace.gap:
            self._slots[key] += 1
            one = replace(one, until=one.until + min((self._slots[key] - 1) * pace.gap, SPREAD))
        self.postponed.append(one)

    def _note(self, line: Line, event: Event, reader: int, begun: datetime, said: str) -> None:
        known, now = line.pace, self._clock()
        line.pace = after(known, event, reader=reader, under_way=line.under_way, begun=begun, now=now, why=said)
        line.cruises = line.pace is known and event is Event.ACCEPTED and is_plain(known)
        if known.breaker.open_until and not line.pace.breaker.open_until:
            self._refusing = {key for key in self._refusing if key[0] != line.name}
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


def _in_words(who: str, pace: Pace, said: str) -> str:
    """'it asks for less mail: 454 4.7.0 Throttling'."""
    what = "refuses mail" if pace.breaker.open_until else "asks for less mail"
    return f"{who} {what}: {said}" if said else f"{who} {what}"


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
