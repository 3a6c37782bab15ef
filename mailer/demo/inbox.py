"""The local inbox: an SMTP server on loopback that accepts every mail and keeps the newest ones in memory."""

import asyncio
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aiosmtpd.smtp import SMTP

KEEP = 2_000
KEEP_BYTES = 256 * 1024 * 1024
LARGEST = 10 * 1024 * 1024

Take = Callable[[str, tuple[str, ...], bytes], None]

# Feedback-ID: edition:cadence:kind:SenderId
_FEEDBACK_ID = re.compile(
    rb"^Feedback-ID:[ \t]*[^:\r\n]*:[ \t]*([a-z0-9_-]{1,40})[ \t]*:", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Received:
    """One mail as it came over the wire. `id`: 1, 2, 3 in the order of arrival. `sender`, `recipients`: of the
    envelope. `data`: the message with CRLF, dots unstuffed. `cadence`: from its Feedback-ID, or ''.
    """

    id: int
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    received_at: datetime
    cadence: str = ""


class Inbox:
    """Between `await start()` and `await stop()` it takes mail on `host:port`, on the running loop.

    The newest `keep` mails, and no more than `keep_bytes` of them, stay in full; `total` counts all. Reading is safe
    from other threads (the page is served by one). `clock` gives the aware time a mail is stamped with.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        host: str = "127.0.0.1",
        port: int = 0,
        keep: int = KEEP,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self.host = host
        self.port = port
        self.total = 0
        self._clock = clock
        self._keep, self._keep_bytes = keep, keep_bytes
        self._kept: deque[Received] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def messages(self) -> list[Received]:
        """The mails that are kept, oldest first: a copy."""
        with self._lock:
            return list(self._kept)

    def find(self, number: int) -> Received | None:
        with self._lock:
            at = number - self._kept[0].id if self._kept else -1
            return self._kept[at] if 0 <= at < len(self._kept) else None

    async def start(self) -> None:
        """Begin to listen; `port` is then the real one. OSError where the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self._take, self._open, loop), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and hang up on whoever is connected. The mails stay."""
        if self._server is None:
            return
        self._server.close()
        await asyncio.gather(*(connection.hang_up() for connection in tuple(self._open)))
        await self._server.wait_closed()
        self._server = None

    def _take(self, sender: str, recipients: tuple[str, ...], data: bytes) -> None:
        found = _FEEDBACK_ID.search(data[:65_536].partition(b"\r\n\r\n")[0])
        cadence = found[1].decode("ascii").lower() if found else ""
        with self._lock:
            self.total += 1
            self._kept.append(Received(self.total, sender, recipients, data, self._clock(), cadence))
            self._bytes += len(data)
            while len(self._kept) > self._keep or (self._bytes > self._keep_bytes and len(self._kept) > 1):
                self._bytes -= len(self._kept.popleft().data)


class _Connection(SMTP):
    """aiosmtpd's protocol, which remembers that it is open, so that stopping leaves no task behind."""

    line_length_limit = 65_536  # aiosmtpd's name for how much its reader buffers

    def __init__(self, take: Take, still_open: "set[_Connection]", loop: asyncio.AbstractEventLoop) -> None:
        # A hostname of our own: aiosmtpd would ask DNS for one, which can take seconds.
        super().__init__(
            object(),
            hostname="inbox.localhost",
            ident="mailer demo",
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST,
            loop=loop,
        )
        self._take, self._still_open = take, still_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._still_open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._still_open.discard(self)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name for the command
        """As aiosmtpd's own, but it looks for the end of the message and not for each line: a third of the time."""
        if await self.check_helo_needed():
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
        elif arg:
            await self.push("501 5.5.4 Syntax: DATA")
        else:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            data = await self._read_message()
            if data is not None:
                self._take(self.envelope.mail_from or "", tuple(self.envelope.rcpt_tos), data)
            self.envelope = self._create_envelope()
            await self.push("250 2.0.0 Kept" if data is not None else "552 5.3.4 The demo takes mails up to 10 MB")

    async def _read_message(self) -> bytes | None:
        """Bytes up to the lone dot, without it and with dots unstuffed (RFC 5321 §4.5.2); None where it is too big."""
        parts: list[bytes] = []
        size, tail = 0, b"\r\n"
        while tail != b"\r\n.\r\n":
            try:
                part = await self._reader.readuntil(b".\r\n")
            except asyncio.LimitOverrunError as overrun:
                part = await self._reader.read(overrun.consumed)
            size += len(part)
            tail = (tail + part[-5:])[-5:]
            if size <= LARGEST:
                parts.append(part)
        if size > LARGEST:
            return None
        data = b"".join(parts)[: -len(b".\r\n")]
        return data.removeprefix(b".").replace(b"\r\n.", b"\r\n")

    async def hang_up(self) -> None:
        """Close the connection and wait for the task that serves it."""
        if self.transport is not None:
            self.transport.close()
        if self._handler_coroutine is not None:
            await asyncio.wait([self._handler_coroutine])
