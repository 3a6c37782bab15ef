"""Results that could not be committed, in a file beside the database, so that what is known is not doubted.

A full disk or a lost database stops the sender: no commit, no permit. But each connection has a message under way, and
its answer comes. The file's room is taken beforehand, so that the answer can be written down when there is none left.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailer.core.delivery import DeliveryState
from mailer.errors import StoreError
from mailer.store.instant import to_moment, to_number
from mailer.store.outbox import Result

ROOM = 64 * 1024
_RECORD = struct.Struct("<qqqHBB")
_SIZE = _RECORD.size + 4  # and its checksum
# A doubt need not be kept: without a result the delivery is in doubt by itself.
_STATES = (DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.FAILED, DeliveryState.PENDING)


@dataclass(frozen=True, slots=True)
class Known:
    """What became of a permit. `code`: of the relay's reply, 0 where none came. `costs`: whether the try counts."""

    delivery: int
    epoch: int
    at: datetime
    state: DeliveryState
    code: int = 0
    costs: bool = False


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
                if os.fstat(fd).st_size < ROOM:
                    os.pwrite(fd, bytes(ROOM), 0)  # and not a hole, which would need room when it is filled
            except OSError:
                os.close(fd)
                raise
        except OSError as error:
            raise StoreError(
                f"The file {self._path} can't be written: {error.strerror}. Nothing was sent by this run."
            ) from None
        self._fd = fd

    def keep(self, epoch: int, results: Sequence[Result], now: datetime) -> None:
        """Write these down, as far as there is room; what finds none is doubted later."""
        known = [
            Known(
                one.delivery.id,
                epoch,
                now,
                one.verdict.state,
                one.answer.reply.code if one.answer and one.answer.reply else 0,
                one.verdict.costs,
            )
            for one in results
            if one.verdict.state in _STATES
        ]
        data = b"".join(map(_packed, known))[: (ROOM - self._end) // _SIZE * _SIZE]
        if self._fd is None or not data:
            return
        try:
            self._end += os.pwrite(self._fd, data, self._end)
        except OSError:
            return  # the disk is gone: a doubt is the truth then

    def read(self) -> list[Known]:
        """What was kept and not cleared. A record that a crash left half written is none."""
        if self._fd is None:
            return []
        data = os.pread(self._fd, ROOM, 0)
        found = []
        for at in range(0, len(data) - _SIZE + 1, _SIZE):
            record = _unpacked(data[at : at + _SIZE])
            if record is None:
                break
            found.append(record)
        self._end = len(found) * _SIZE
        return found

    def clear(self) -> None:
        """All of it is in the ledger."""
        if self._fd is not None and self._end:
            os.pwrite(self._fd, bytes(self._end), 0)
            self._end = 0

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _packed(known: Known) -> bytes:
    record = _RECORD.pack(
        known.delivery, known.epoch, to_number(known.at), known.code, _STATES.index(known.state), known.costs
    )
    return record + zlib.crc32(record).to_bytes(4, "little")


def _unpacked(data: bytes) -> Known | None:
    record = data[:-4]
    delivery, epoch, at, code, state, costs = _RECORD.unpack(record)
    if not delivery or zlib.crc32(record) != int.from_bytes(data[-4:], "little") or state >= len(_STATES):
        return None
    return Known(delivery, epoch, to_moment(at), _STATES[state], code, bool(costs))
