"""HTTP/1.1 as uvicorn speaks it, with bounds on a request's head: uvicorn reads one of any size, for any time."""

import asyncio
from typing import Any

from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 32 * 1024
"""Bytes of a request's first line and fields together."""
HEAD_SECONDS = 10.0
"""How long they may take: from the connection on, or from the first byte of a further request."""

_TOO_LARGE = PlainTextResponse("Request Header Fields Too Large", 431, {"Connection": "close"})  # RFC 6585 §5


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _head: int | None = None
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._pages = self.app
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > LARGEST_HEAD and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 431 \r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head is None:
            self._begin()

    def on_headers_complete(self) -> None:
        self._end()
        fields: list[tuple[bytes, bytes]] = self.headers
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in fields)
        self.app: Any = self._pages if size <= LARGEST_HEAD else _TOO_LARGE
        super().on_headers_complete()

    def _begin(self) -> None:
        """A head is due: count it, and wait for it for so long."""
        self._head = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end(self) -> None:
        self._head = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
