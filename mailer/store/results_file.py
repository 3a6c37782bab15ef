"""Results that could not be committed, in a file beside the database, so that what is known is not doubted.

A full disk or a lost database stops the sender: no commit, no permit. But each connection has a message under way, and
its answer comes. The file's room is taken beforehand, so that the answer can be written down when there is none left.
"""

import errno
import os
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailer.core.delivery import Answer, DeliveryState, Reply, Stage, Verdict
from mailer.errors import OUT_OF_FILES, TOO_MANY_FILES, StoreError
from mailer.store.instant import to_moment, to_number
from mailer.store.outbox import Result

ROOM = 64 * 1024
# delivery, epoch, at, next_at or 0; the address's checksum; the reply's code or 0; state, stage, flags; reason
_RECORD = struct.Struct("<qqqqIHBBB19s")
_SIZE = _RECORD.size + 4  # and its checksum
# A doubt need not be kept: without a result the delivery is in doubt by itself.
_STATES = (DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.FAILED, DeliveryState.PENDING)
_STAGES = (None, *Stage)
_COSTS, _DEAD = 1, 2


@dataclass(frozen=True, slots=True)
class Known:
    """What became of a permit, as far as it is kept: of a reply its code alone, of the address no more than a mark."""

    delivery: int
    epoch: int
    at: datetime
    verdict: Verdict
    answer: Answer | None
    next_at: datetime | None
    mark: int

    def went_to(self, address: str) -> bool:
        """Whether it was this address's. Its reader may have moved since."""
        return self.mark == _mark(address)


class ResultsFile:
    """The file, readable by its owner alone. Only the one sender touches it. `path` None: there is nowhere to."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd: int | None = None
        self._end = 0

    def prepare(self) -> None:
        """Open it and take its room on the disk. Raises StoreError."""
        if self._path is None or self._fd is not None:
            return
        try:
            # Written through: a record is on the disk when the write returns.
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_DSYNC, 0o600)
            try:
                _take_room(fd)
            except OSError:
                os.close(fd)
                raise
        except OSError as error:
            if error.errno in OUT_OF_FILES:
                raise StoreError(TOO_MANY_FILES) from None
            raise StoreError(
                f"The file {self._path} can't be written: {error.strerror}. Nothing was sent by this run."
            ) from None
        self._fd = fd

    def keep(self, epoch: int, results: Sequence[Result], now: datetime) -> None:
        """Write these down, as far as there is room; what finds none is doubted later."""
        records = [_packed(epoch, one, now) for one in results if one.verdict.state in _STATES]
        data = b"".join(records)[: (ROOM - self._end) // _SIZE * _SIZE]
        if self._fd is None or not data:
            return
        with suppress(OSError):  # the disk is gone: a doubt is the truth then
            os.pwrite(self._fd, data, self._end)
            self._end += len(data)

    def read(self) -> list[Known]:
        """What was kept and not cleared. A record that a crash left half written is none."""
        if self._fd is None:
            return []
        data = os.pread(self._fd, ROOM, 0)
        found = []
        self._end = 0
        for at in range(0, len(data) - _SIZE + 1, _SIZE):
            record = data[at : at + _SIZE]
            if not any(record):
                break
            self._end = at + _SIZE
            if (known := _unpacked(record)) is not None:
                found.append(known)
        return found

    def clear(self) -> None:
        """All of it is in the ledger. Where that can't be noted it is brought in again, which changes nothing."""
        if self._fd is not None and self._end:
            with suppress(OSError):
                os.pwrite(self._fd, bytes(self._end), 0)
            self._end = 0

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _take_room(fd: int) -> None:
    """By zeros and not by a hole, which would need room when it is filled."""
    have = os.fstat(fd).st_size
    while have < ROOM:
        written = os.pwrite(fd, bytes(ROOM - have), have)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        have += written


def _mark(address: str) -> int:
    return zlib.crc32(address.encode())


def _packed(epoch: int, one: Result, now: datetime) -> bytes:
    verdict, reply = one.verdict, one.answer.reply if one.answer else None
    record = _RECORD.pack(
        one.delivery.id,
        epoch,
        to_number(now),
        to_number(one.next_at) if one.next_at else 0,
        _mark(one.delivery.address),
        reply.code if reply else 0,
        _STATES.index(verdict.state),
        _STAGES.index(one.answer.stage if one.answer else None),
        _COSTS * verdict.costs | _DEAD * verdict.hard_bounce,
        verdict.reason.encode(),
    )
    return record + zlib.crc32(record).to_bytes(4, "little")


def _unpacked(data: bytes) -> Known | None:
    record = data[:-4]
    if zlib.crc32(record) != int.from_bytes(data[-4:], "little"):
        return None
    delivery, epoch, at, next_at, mark, code, state, stage, flags, reason = _RECORD.unpack(record)
    verdict = Verdict(
        _STATES[state],
        reason.rstrip(b"\0").decode(),
        costs=bool(flags & _COSTS),
        hard_bounce=bool(flags & _DEAD),
    )
    where = _STAGES[stage]
    answer = None if where is None else Answer(where, Reply(code) if code else None)
    return Known(delivery, epoch, to_moment(at), verdict, answer, to_moment(next_at) if next_at else None, mark)
