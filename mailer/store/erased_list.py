"""The list of erased readers beside the database, so that a restored copy of it can't bring them back.

A line each: a keyed hash of the address, when, and why they are suppressed. The newest line of a hash counts.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailer.errors import StoreError

ALLOWED = "allowed"
"""Stands for the reason where the operator took it back."""
_FIELDS = 3


@dataclass(frozen=True, slots=True)
class Erasure:
    """One line. `mark`: the keyed hash. `reason`: that of the suppression."""

    mark: str
    at: datetime
    reason: str = "erased"


class ErasedList:
    """The file, readable by its owner alone. Only the writer thread writes it. `path` None: there is nowhere to."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, erasures: Sequence[Erasure]) -> None:
        """Append, on disk when this returns. Raises StoreError."""
        if self._path is None or not erasures:
            return
        lines = "".join(f"{one.mark} {one.at.isoformat(timespec='milliseconds')} {one.reason}\n" for one in erasures)
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(fd).st_size
                # A crash may have left half a line, which must not spoil this one.
                torn = bool(size) and os.pread(fd, 1, size - 1) != b"\n"
                os.write(fd, b"\n" * torn + lines.encode())
                os.fsync(fd)
            finally:
                os.close(fd)
            if not size:
                _fsync_folder(self._path.parent)
        except OSError as error:
            raise StoreError(f"The file {self._path} can't be written: {error.strerror}. Nothing was erased.") from None

    def read(self) -> dict[str, Erasure]:
        """By hash, who must stay erased. Lines that a crash left half written don't count. Raises StoreError."""
        try:
            text = "" if self._path is None else self._path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreError(f"The file {self._path} can't be read: {error.strerror}.") from None
        found: dict[str, Erasure] = {}
        for line in text.splitlines():
            erasure = _parsed(line)
            if erasure is not None:
                found[erasure.mark] = erasure
        return {mark: one for mark, one in found.items() if one.reason != ALLOWED}


def _parsed(line: str) -> Erasure | None:
    fields = line.split()
    if len(fields) != _FIELDS:
        return None
    try:
        at = datetime.fromisoformat(fields[1])
    except ValueError:
        return None
    return None if at.tzinfo is None else Erasure(fields[0], at, fields[2])


def _fsync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
