"""The way to the relay while a run lasts: who may connect, and when it counts as down."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from mailer.core.delivery import Answer, Stage
from mailer.core.message import Mail

PATIENCE = 3
"""Failures in a row, nothing succeeding in between, after which the relay counts as down."""
PAUSE = 0.5
"""Seconds before the second try, doubled for each further one."""


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
    """What opens connections: an SMTP relay, or a scripted one in tests."""

    async def open(self) -> "Carrier | Answer": ...


class Line:
    """Shared by all connections of a run. `down`: why nothing more is tried, '' while the relay works.

    While the relay has not answered well, one connection at a time knocks. One that can't be opened beside others
    that work is given up without blame: relays limit how many they take.
    """

    def __init__(self, relay: Opener, clock: Callable[[], datetime], pause: float = PAUSE) -> None:
        self.down = ""
        self.down_since: datetime | None = None
        self._relay = relay
        self._clock = clock
        self._pause = pause
        self._failures = 0
        self._working = 0
        self._resting_until = 0.0
        self._knock = asyncio.Lock()

    async def open(self) -> Carrier | None:
        """A connection, or None where this one is not needed or the relay is down."""
        if self._working and not self._failures:
            found = await self._try()
            if found is not None or self._working:
                return found
        async with self._knock:
            while not self.down:
                await self.rest()
                found = await self._try()
                if found is not None or self._working:
                    return found
        return None

    async def _try(self) -> Carrier | None:
        found = await self._relay.open()
        if isinstance(found, Answer):
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
        # A refused login is not tried again: accounts are locked for that.
        passing = answer.reply is not None and answer.reply.code < 500  # noqa: PLR2004  # RFC 5321 §4.2.1: 4yz
        hopeless = answer.stage in {Stage.TLS, Stage.AUTH} and not passing
        if self._failures >= PATIENCE or hopeless:
            # RFC 4954 §6: 530 asks for authentication.
            code = answer.reply.code if answer.reply else 0
            login = code == 530 or (answer.stage is Stage.AUTH and not passing)  # noqa: PLR2004
            self.down = f"{answer}; check [smtp] username and password" if login else str(answer)

    async def rest(self) -> None:
        """Wait out the pause after a trouble."""
        await asyncio.sleep(max(0.0, self._resting_until - asyncio.get_running_loop().time()))
