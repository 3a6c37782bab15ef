"""The bytes of one open connection: what was asked, what came back, and whether it can still be trusted."""

import asyncio
import select
from collections import deque

from mailer.core.delivery import Reply
from mailer.smtp.reply import ReplyParser, Unparsable

_CHUNK = 64 * 1024
CLOSING = 421  # RFC 5321 §3.8


class Wire(asyncio.Protocol):
    """Pairs replies with commands in their order, and breaks at the first surprise.

    A surprise is anything but the awaited reply: bytes nobody asked for, bytes that are no reply, the end of the
    connection, a time run out. Then `trouble` says why, the transport is aborted, and nothing more is written.
    Nothing here raises for what the other side does. One task at a time may wait on it.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        """Takes over a transport that another protocol opened; nothing may be in flight on it."""
        self.trouble = ""
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parser = ReplyParser()
        self._replies: deque[Reply] = deque()
        self._owed = 0  # replies asked for that have not come yet
        self._full = False
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0  # loop time; 0 while nobody waits
        self._otherwise = ""  # the trouble when the deadline passes
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._lost = self._loop.create_future()
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        transport.set_protocol(self)
        # Low water at nothing: `drained` then means that the kernel has it all, which keeps doubt short.
        transport.set_write_buffer_limits(high=1, low=0)

    def write(self, data: bytes | memoryview, *, replies: int = 0) -> bool:
        """Hands `data` to the transport and counts on `replies` replies. False, and nothing is written, once broken."""
        if not self.trouble and self._transport.is_closing():
            self.fail("the connection was lost")
        if self.trouble:
            return False
        self._owed += replies
        self._transport.write(data)
        return True

    async def write_all(self, data: bytes, patience: float) -> bool:
        """Writes as fast as the other side reads; True once the transport holds no more of it.

        `patience`: seconds without progress after which the connection is given up.
        """
        rest = memoryview(data)
        while rest and self.write(rest[:_CHUNK]):
            rest = rest[_CHUNK:]
            if rest:
                await asyncio.sleep(0)  # so that a relay that hangs up or speaks midway is heard
            until = self._loop.time() + patience
            while self._full and not self.trouble:
                await self._wait(until, f"the relay took no data for {patience:g} seconds")
        return not self.trouble

    async def replies(self, count: int, patience: float) -> list[Reply]:
        """The next `count` replies that are owed; fewer where the connection broke before they came.

        A 421 is the last one, whatever was owed: the relay goes (RFC 5321 §3.8), and need not answer what it was asked
        before. `patience`: seconds for all of them, however slowly their bytes come.
        """
        found = self._replies
        if len(found) < count and not self.trouble:
            until = self._loop.time() + patience
            otherwise = f"the relay gave no reply within {patience:g} seconds"
            while len(found) < count and not self.trouble and not (found and found[-1].code == CLOSING):
                await self._wait(until, otherwise)
        if len(found) <= count:
            taken = list(found)
            found.clear()
            return taken
        return [found.popleft() for _ in range(count)]

    async def reply(self, patience: float) -> Reply | None:
        """The next reply that is owed; None when the connection broke before it came."""
        found = await self.replies(1, patience)
        return found[0] if found else None

    async def quiet(self) -> bool:
        """Whether the connection still stands after everything that already arrived was looked at."""
        # The loop needs a turn to find the bytes and one to hand them over; TLS may want another for its own.
        for _ in range(3):
            if self.trouble or not self._poll.poll(0):
                break
            await asyncio.sleep(0)
        return not self.trouble

    def fail(self, trouble: str) -> None:
        """Breaks the connection for good. Replies that came in before stay readable."""
        if self.trouble:
            return
        self.trouble = trouble
        self._transport.abort()
        self._wake()

    async def closed(self, patience: float) -> None:
        """Waits until the socket is closed, by force after `patience` seconds."""
        self.trouble = self.trouble or "the connection was closed"
        try:
            if not self._transport.is_closing():
                self._transport.close()
            await asyncio.wait([self._lost], timeout=patience)
        finally:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.trouble:
            return
        try:
            for reply in self._parser.feed(data):
                if not self._owed:
                    self.fail(f"the relay spoke without being asked: {reply}")
                    return
                self._owed -= 1
                self._replies.append(reply)
        except Unparsable as reason:
            self.fail(f"the relay sent {reason}")
            return
        if self._parser.midway and not self._owed:
            self.fail("the relay spoke without being asked")
            return
        if self._replies:
            self._wake()

    def eof_received(self) -> None:
        self.fail("the relay closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"the connection was lost: {_in_words(exc)}" if exc else "the connection was lost")
        if self._alarm:
            self._alarm.cancel()
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._wake()

    async def _wait(self, until: float, otherwise: str) -> None:
        """Waits for the next thing to happen; breaks the connection with `otherwise` at `until`, in loop time."""
        self._waiter = self._loop.create_future()
        self._otherwise = otherwise
        self._deadline = until
        if not self._alarm or self._alarm_at > until:
            self._set_alarm()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._deadline = 0.0

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _set_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = self._deadline
        self._alarm = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        """One alarm serves many waits: it is set again only when it rings too early, or would ring too late."""
        self._alarm = None
        if not self._deadline:
            return
        if self._loop.time() >= self._deadline:
            self.fail(self._otherwise)
        else:
            self._set_alarm()


def _in_words(exc: Exception) -> str:
    strerror = getattr(exc, "strerror", None)
    return strerror if isinstance(strerror, str) else type(exc).__name__
