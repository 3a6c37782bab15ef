"""An SMTP server that takes everything and keeps nothing, in little time: prints its port, ends with standard input.

Debian's smtp-sink is quicker still, where postfix is installed; `pages.py` takes that one then.
"""

import asyncio
import sys
from typing import cast

import uvloop

_REPLIES = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"QUIT": b"221 bye\r\n",
}
_END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._kept += data
        said = bytearray()
        while (reply := self._step()) is not None:
            said += reply
        self._transport.write(bytes(said))

    def _step(self) -> bytes | None:
        """What one command, or the end of a body, is answered with; None where more has to come."""
        end = self._kept.find(_END if self._in_body else b"\r\n")
        if end < 0:
            if self._in_body and len(self._kept) > len(_END):
                del self._kept[: 1 - len(_END)]  # the end may have begun
            return None
        if self._in_body:
            del self._kept[: end + len(_END)]
            self._in_body = False
            return b"250 2.0.0 taken\r\n"
        verb = bytes(self._kept[:4]).upper()
        del self._kept[: end + 2]
        self._in_body = verb == b"DATA"
        return _REPLIES.get(verb, b"250 2.1.0 ok\r\n")


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    uvloop.run(_serve())
