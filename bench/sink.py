"""An SMTP server that takes everything and keeps nothing, in little time: prints its port, ends with standard input.

Debian's smtp-sink is quicker still, where postfix is installed. This one can besides be slow to answer (`--delay`),
fall silent (`--hold`, then it prints `held`), tell when the first MAIL came (`--stamp`, by the machine's monotonic
clock), and at its end prints how many messages it took, with how many bytes before the final dot.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from typing import cast

import uvloop

_REPLIES = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"QUIT": b"221 bye\r\n",
}
_END = b"\r\n.\r\n"
_TAKEN = b"250 2.0.0 taken\r\n"


@dataclass(slots=True)
class Manner:
    """How it behaves, and what came. `delay`: seconds before a body is answered. `hold`: bodies that are answered."""

    delay: float = 0.0
    hold: int | None = None
    stamp: bool = False
    messages: int = 0
    size: int = 0

    def heard_mail(self) -> None:
        """The first MAIL is told once."""
        if self.stamp:
            print(f"first {time.monotonic()}", flush=True)
            self.stamp = False

    def answers(self) -> bool:
        """Whether one more body is answered."""
        self.messages += 1
        if self.hold is None or self.messages < self.hold:
            return True
        if self.messages == self.hold:
            print("held", flush=True)
        return self.messages == self.hold


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._kept = bytearray()
        self._in_body = False
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._kept += data
        self._go_on()

    def _go_on(self) -> None:
        said = bytearray()
        while not self._waits and (reply := self._step()) is not None:
            said += reply
        self._transport.write(bytes(said))

    def _step(self) -> bytes | None:
        """What one command, or the end of a body, is answered with; None where more has to come."""
        end = self._kept.find(_END if self._in_body else b"\r\n")
        if end < 0:
            if self._in_body and len(self._kept) > len(_END):
                self._manner.size += len(self._kept) - len(_END) + 1
                del self._kept[: 1 - len(_END)]  # the end may have begun
            return None
        if self._in_body:
            self._manner.size += end + 2
            del self._kept[: end + len(_END)]
            self._in_body = False
            return self._body_answer()
        verb = bytes(self._kept[:4]).upper()
        del self._kept[: end + 2]
        if verb == b"MAIL":
            self._manner.heard_mail()
        self._in_body = verb == b"DATA"
        return _REPLIES.get(verb, b"250 2.1.0 ok\r\n")

    def _body_answer(self) -> bytes:
        if not self._manner.answers():
            self._waits = True
            return b""
        if not self._manner.delay:
            return _TAKEN
        self._waits = True
        asyncio.get_running_loop().call_later(self._manner.delay, self._answer_late)
        return b""

    def _answer_late(self) -> None:
        self._waits = False
        self._transport.write(_TAKEN)
        self._go_on()


async def _serve(manner: Manner) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Sink(manner), "127.0.0.1", 0, backlog=200)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    print(f"took {manner.messages} {manner.size}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before a body is answered")
    parser.add_argument("--hold", type=int, help="so many bodies are answered and no more")
    parser.add_argument("--stamp", action="store_true", help="tell when the first MAIL came")
    said = parser.parse_args()
    uvloop.run(_serve(Manner(said.delay, said.hold, said.stamp)))
