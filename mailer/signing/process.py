"""A process that signs, as its parent sees it: batches go in, their answers come out in the same order."""

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self, cast

from mailer.core.dkim import SigningKey
from mailer.signing.worker import frames, pack, packed_keys, unpack

# It looks for modules where we do, and nowhere else.
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from mailer.signing.worker import main; main()"
_END = 2.0  # seconds that a process may take to end by itself


class Job:
    """A mail that waits for its fields: what the process needs of it, and where they go."""

    __slots__ = ("piece", "signed")

    def __init__(self, piece: bytes, signed: "asyncio.Future[bytes]") -> None:
        self.piece = piece
        self.signed = signed


class Process(asyncio.Protocol):
    """`ready`: it has its keys and takes batches. `batches`: those it has not answered yet, the oldest first.

    `gone`: it is no more, or is ending. `on_answer` is called after an answer, `on_end` once, when it is gone.
    """

    def __init__(
        self,
        child: "subprocess.Popen[bytes]",
        keys: Sequence[SigningKey],
        on_answer: Callable[[], None],
        on_end: Callable[["Process"], None],
    ) -> None:
        self.child = child
        self.ready = self.gone = False
        self.batches: deque[list[Job]] = deque()
        self._keys = keys
        self._on_answer = on_answer
        self._on_end = on_end
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    @classmethod
    async def start(
        cls, keys: Sequence[SigningKey], on_answer: Callable[[], None], on_end: Callable[["Process"], None]
    ) -> Self:
        """A fresh one, not ready yet. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                child = _spawn(theirs)
            except OSError:
                ours.close()
                raise
        made = cls(child, keys, on_answer, on_end)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: made, sock=ours)
        except BaseException:
            ours.close()  # which ends the child, too
            raise
        return made

    def give(self, jobs: list[Job]) -> None:
        """A batch to sign."""
        self.batches.append(jobs)
        self._write([job.piece for job in jobs])

    async def close(self) -> None:
        """End it: by itself at the end of its input, or by force. It has no batch any more."""
        if self._transport is not None:
            self._transport.abort()
        try:
            await asyncio.to_thread(self.child.wait, _END)
        except subprocess.TimeoutExpired:
            self.child.kill()
            await asyncio.to_thread(self.child.wait)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass of it
        self._write(packed_keys(self._keys))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        for inner in frames(self._buffer):
            if not self.ready:
                self.ready = True
                return  # it has been given nothing yet
            for job, fields in zip(self.batches.popleft(), unpack(inner), strict=True):
                if not job.signed.done():  # whoever asked may have been cancelled
                    job.signed.set_result(fields)
        self._on_answer()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the socket's reason says less than the exit
        self.ready, self.gone = False, True
        self._on_end(self)

    def _write(self, pieces: Sequence[bytes]) -> None:
        if self._transport is not None:
            self._transport.write(pack(pieces))


def _spawn(theirs: socket.socket) -> "subprocess.Popen[bytes]":
    """A new interpreter, not a fork: threads are running here. Its keys come by the socket, not where others look."""
    return subprocess.Popen(  # noqa: S603  # our own program, by our own interpreter
        [sys.executable, "-P", "-c", _PROGRAM, *filter(None, sys.path)],
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        process_group=0,  # Ctrl-C is for whoever runs in the terminal's foreground
    )
