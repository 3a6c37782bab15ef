"""Signs mails: few of them here, many in processes of their own, so that the event loop isn't held.

An RSA signature takes a quarter of a millisecond. A thread would not do: beside a busy loop it gets its turn only every
5 ms (decision 0016). What travels is the header and the body's hash; what is asked for together, travels together.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Self

from mailer.core.dkim import Seal, SigningKey, body_hash, signature_fields, split
from mailer.errors import SigningFailed
from mailer.signing.process import Job, Process

BUSY = 25
"""Mails in one second from which on processes pay: they take a tenth of a second to start, and 30 MB each."""
BATCH = 8
AHEAD = 3
"""Batches that a process has at once: 6 ms of work, so that it has some while the loop goes round 40 connections."""
_PATIENCE = 2
"""Deaths without a signature in between, beyond one of each process, after which no more are started."""

log = logging.getLogger(__name__)


class Signer:
    """Signs by all of `keys`. `workers`: how many processes there may be; None: one for each core but ours, at least 1.

    `busy`: mails in a second from which on they are started; 0: with the first. It belongs to one event loop.
    """

    def __init__(self, keys: Sequence[SigningKey], *, workers: int | None = None, busy: int = BUSY) -> None:
        self.workers = max(1, (os.cpu_count() or 1) - 1) if workers is None else workers
        self._keys = tuple(keys)
        self._seals = [Seal.of(key) for key in keys]
        self._busy = busy
        self._since, self._asked = 0.0, 0
        self._processes: list[Process] = []
        self._waiting: deque[Job] = deque()
        self._spreading = False
        self._starting = 0
        self._chores: set[asyncio.Task[None]] = set()
        self._deaths = 0
        self._said = False
        self._closed = False

    async def sign(self, data: bytes) -> bytes:
        """The whole message (CRLF, not dot-stuffed) with its DKIM-Signature fields before it.

        Of the same bytes always the same. Raises SigningFailed.
        """
        if self._closed:
            raise SigningFailed("Mails are not signed any more (DKIM): the run has ended.")
        header, start = split(data)
        hashed = body_hash(data, start)
        fields = b""
        if self._wanted():
            fields = await self._sign_elsewhere(hashed + header)
        return (fields or self._sign_here(hashed, header)) + data

    async def close(self) -> None:
        """End the processes. Who still waits for a signature gets SigningFailed."""
        self._closed = True
        await asyncio.gather(*self._chores)
        jobs = [*(job for one in self._processes for batch in one.batches for job in batch), *self._waiting]
        self._waiting.clear()
        for job in jobs:
            if not job.signed.done():
                job.signed.set_exception(SigningFailed("A mail was not signed (DKIM): the run was ended meanwhile."))
        processes, self._processes = self._processes, []
        await asyncio.gather(*(one.close() for one in processes))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _wanted(self) -> bool:
        """Whether a process is there to sign. Where many mails come and there is none, they are started."""
        now = asyncio.get_running_loop().time()
        if now - self._since > 1:
            self._since, self._asked = now, 0
        self._asked += 1
        if self._asked > self._busy and not self._given_up:
            while self._starting + len(self._processes) < self.workers:
                self._starting += 1
                self._do(self._start())
        return self.ready > 0

    @property
    def ready(self) -> int:
        """How many processes are there to sign."""
        return sum(one.ready for one in self._processes)

    @property
    def _given_up(self) -> bool:
        return self._deaths >= self.workers + _PATIENCE

    def _sign_here(self, hashed: bytes, header: bytes) -> bytes:
        try:
            return signature_fields(header, hashed, self._seals)
        except Exception as error:
            raise SigningFailed(f"A mail can't be signed (DKIM): {error}.") from error

    async def _sign_elsewhere(self, piece: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        job = Job(piece, loop.create_future())
        self._waiting.append(job)
        if not self._spreading:
            # After the others that run in this round of the loop have asked, too.
            self._spreading = True
            loop.call_soon(self._spread)
        return await job.signed

    def _spread(self) -> None:
        """Give what waits to processes that have room, in equal parts."""
        self._spreading = False
        rooms = [one for ahead in range(AHEAD) for one in self._processes if one.ready and len(one.batches) <= ahead]
        for number, process in enumerate(rooms):
            size = min(BATCH, -(-len(self._waiting) // (len(rooms) - number)))
            batch = [self._waiting.popleft() for _ in range(size)]
            if batch:
                process.give(batch)

    async def _start(self) -> None:
        try:
            process = await Process.start(self._keys, self._answered, self._ended)
        except OSError as error:
            self._deaths += 1
            self._tell(f"could not be started: {error.strerror}")
        else:
            if process.gone:
                await process.close()
            else:
                self._processes.append(process)
        finally:
            self._starting -= 1

    def _answered(self) -> None:
        self._deaths = 0
        if self._waiting and not self._spreading:
            self._spread()

    def _ended(self, process: Process) -> None:
        """A process is gone. What it had is signed by others, or here: the same bytes come out."""
        if self._closed:
            return
        if process in self._processes:
            self._processes.remove(process)
        self._deaths += 1
        self._do(self._bury(process))
        self._waiting.extendleft(reversed([job for batch in process.batches for job in batch]))
        if self.ready:
            self._spread()
            return
        for job in self._waiting:
            if not job.signed.done():
                job.signed.set_result(b"")  # whoever asked signs it here
        self._waiting.clear()

    async def _bury(self, process: Process) -> None:
        await process.close()
        self._tell(f"ended with {process.child.returncode}")

    def _tell(self, how: str) -> None:
        log.warning("A process that signs mails (DKIM) %s.", how)
        if self._given_up and not self._said:
            self._said = True
            log.warning("None of those that were started signed a mail: mails are signed without them, more slowly.")

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
