"""The way to one relay while a run lasts: who may connect, when it counts as down, and how it is treated."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Protocol

from mailer.core.delivery import Answer, Stage
from mailer.core.message import Mail
from mailer.core.pacing import Pace
from mailer.core.quota import TokenBucket, quota_room, quota_wait, take
from mailer.core.sharing import Share
from mailer.errors import OutOfFiles
from mailer.flows.delivering.report import Rest

PATIENCE = 3
"""Failures in a row, nothing succeeding in between, after which the relay counts as down."""
PAUSE = 0.5
"""Seconds before the second try, doubled for each further one."""
LAG = 1.0
"""Seconds for which others wait for a relay whose turn it is, and that neither takes nor answers anything."""


class Carrier(Protocol):
    """An open connection: a real one, or a scripted one in tests."""

    @property
    def alive(self) -> bool: ...
    @property
    def sent(self) -> int: ...
    def stale(self, now: float) -> bool: ...
    async def send(self, mail: Mail) -> Answer: ...
    async def close(self) -> None: ...


class Opener(Protocol):
    """What opens connections: an SMTP relay, or a scripted one in tests. May raise OutOfFiles."""

    async def open(self) -> "Carrier | Answer": ...


EQUAL = Share()


@dataclass(frozen=True, slots=True)
class Way:
    """A relay, and what it may be given. Rates of 0 are none. `table`: where the settings say so."""

    opener: Opener
    connections: int
    share: Share = EQUAL
    per_second: float = 0.0
    per_hour: int = 0
    per_day: int = 0
    table: str = "smtp"


class Line:
    """Shared by all connections to one relay. `down`: why nothing more is tried, '' while it works.

    While the relay has not answered well, one connection at a time knocks. One that can't be opened beside others
    that work is given up without blame: relays limit how many they take.

    `locked_out`: why it lets nobody in any more, while connections opened earlier may work on: no other is tried, for
    accounts are locked for that. `cruises`: its pace is at full speed, and one more message taken says nothing new.
    `staff`: connections that are worked on, open or about to be; `leaving`: of these, too many. `under_way`: messages
    that it has, or a permit is asked for. `rest`: where it is not down and takes nothing for a while.
    """

    def __init__(self, name: str, way: Way, clock: Callable[[], datetime], pause: float = PAUSE) -> None:
        self.name = name
        self.way = way
        self.down = ""
        self.down_since: datetime | None = None
        self.locked_out = ""
        self.pace = Pace.relay(way.connections)
        self.cruises = False
        self.staff = 0
        self.leaving = 0
        self.under_way = 0
        self.last_at: datetime | None = None
        self.rest: Rest | None = None
        self._usage: dict[int, int] = {}
        self._room: int | None = None
        self._bucket = TokenBucket(1.0, monotonic())
        self._token_at = 0.0
        self._asked_at = monotonic()
        self._clock = clock
        self._pause = pause
        self._failures = 0
        self._working = 0
        self._resting_until = 0.0
        self._knock = asyncio.Lock()

    @property
    def answers(self) -> bool:
        """Whether it can be given its turn: it works, or nobody is finding out just now whether it does again."""
        return not self.down and (self._working > 0 or not self._failures or not self._knock.locked())

    @property
    def surplus(self) -> bool:
        """Whether there are more connections than it bears, those that leave for it not counted."""
        return self.staff - self.leaving > (self.pace.limit or self.way.connections)

    @property
    def ready(self) -> bool:
        """Whether it is worth while that others wait for its turn."""
        now = monotonic()
        return self._token_at <= now < self._asked_at + LAG

    def rests(self, now: datetime) -> bool:
        """Whether it takes nothing for a while."""
        return self.rest is not None and self.rest.until > now

    def asks(self) -> None:
        """A connection of it could take a message, or has an answer."""
        self._asked_at = monotonic()

    @property
    def counts(self) -> bool:
        """Whether a quota is set."""
        return self._room is not None

    def used(self, minutes: dict[int, int], now: datetime) -> None:
        """What it was given in the last day, by the minute."""
        self._usage = minutes
        self._room = quota_room(minutes, per_hour=self.way.per_hour, per_day=self.way.per_day, now=now)

    def full(self, now: datetime) -> Rest | None:
        """It rests until its quota of an hour or a day has room again; None: it has."""
        if self._room is None or self._room > 0:
            return None
        self.used(self._usage, now)
        until = quota_wait(self._usage, per_hour=self.way.per_hour, per_day=self.way.per_day, now=now)
        hour = quota_wait(self._usage, per_hour=self.way.per_hour, per_day=0, now=now)
        which = "hour" if until == hour else "day"
        return None if until is None else Rest(until, f"its quota for the {which} is used up", quota=True)

    def count(self, minute: int) -> None:
        """A message more in this minute."""
        if self._room is not None:
            self._usage[minute] = self._usage.get(minute, 0) + 1
            self._room -= 1

    def uncount(self, minute: int) -> None:
        """One of these was not offered to it."""
        if self._room is not None and self._usage.get(minute):
            self._usage[minute] -= 1
            self._room += 1

    def token(self) -> float:
        """Take one from the rate of a second; above 0: nothing was taken, there is one in so many seconds."""
        if not self.way.per_second:
            return 0.0
        now = monotonic()
        self._bucket, wait = take(self._bucket, now, self.way.per_second * self.pace.rate)
        self._token_at = now + wait
        return wait

    async def open(self) -> Carrier | None:
        """A connection, or None where this one is not needed or the relay is down.

        Raises OutOfFiles where there is none at all for want of files.
        """
        if self._working and not self._failures and not self.locked_out:
            found = await self._try()
            if found is not None or self._working:
                return found
        async with self._knock:
            while not self.down and not self.locked_out:
                await self.calm()
                found = await self._try()
                if found is not None or self._working:
                    return found
        if self.locked_out and not self._working:
            self.down, self.down_since = self.locked_out, self._clock()
        return None

    async def _try(self) -> Carrier | None:
        try:
            found = await self.way.opener.open()
        except OutOfFiles:
            if not self._working:
                raise
            return None  # as many as we could get
        if isinstance(found, Answer):
            if _is_final(found):
                self.locked_out = self._in_words(found)
            if not self._working:
                self.trouble(found)
            return None
        # A connection proves little where MAIL is refused each time, so only a message taken clears the failures.
        self._working += 1
        return found

    async def close(self, carrier: Carrier) -> None:
        """Give a connection back."""
        self._working -= 1
        await carrier.close()

    def works(self) -> None:
        """The relay took a message, or refused it for a reader's sake."""
        self._failures = 0

    def trouble(self, answer: Answer) -> None:
        """The relay, not a reader, is the trouble. Several connections that meet it at once count as one."""
        now = asyncio.get_running_loop().time()
        if now < self._resting_until:
            return
        if not self._failures:
            self.down_since = self._clock()
        self._failures += 1
        self._resting_until = now + self._pause * 2 ** (self._failures - 1)
        if self._failures >= PATIENCE or _is_final(answer):
            self.down = self._in_words(answer)

    def _in_words(self, answer: Answer) -> str:
        # RFC 4954 §6: 530 asks for authentication.
        code = answer.reply.code if answer.reply else 0
        login = code == 530 or (answer.stage is Stage.AUTH and code >= 500)  # noqa: PLR2004
        return f"{answer}; check [{self.way.table}] username and password" if login else str(answer)

    async def calm(self) -> None:
        """Wait out the pause after a trouble."""
        await asyncio.sleep(max(0.0, self._resting_until - asyncio.get_running_loop().time()))


def _is_final(answer: Answer) -> bool:
    """Whether no second try is made: a login or STARTTLS is refused, and not for now (RFC 5321 §4.2.1: 4yz)."""
    refused = answer.reply is not None and answer.reply.code >= 500  # noqa: PLR2004  # RFC 5321 §4.2.1: 5yz
    return answer.settled or (refused and answer.stage in {Stage.TLS, Stage.AUTH})
