"""The one thread that writes. Closures that wait together share a transaction, and so one fsync."""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mailer.errors import StoreError
from mailer.store.turnstile import Turnstile

BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def ticks() -> float:
    """Seconds of a clock that never jumps, and goes on while the machine sleeps where the system has such a one."""
    return time.clock_gettime(BOOT)


GROUP = 512
"""How many closures at most share one transaction."""


@dataclass(slots=True, eq=False)
class Job:
    """One closure, and the future of the flow that awaits it."""

    work: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = field(default=None)
    committed: float = 0.0


class Writer(threading.Thread):
    """Runs jobs in order. A job that fails is undone alone; the others of its group are run again without it.

    So a job must do nothing but read and write through the connection that it is given.
    """

    def __init__(self, engine: Engine, turnstile: Turnstile) -> None:
        super().__init__(name="mailer-writer", daemon=True)
        self._engine = engine
        self._turnstile = turnstile
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    def submit(self, work: Callable[[Connection], Any]) -> asyncio.Future[Any]:
        """Queue a closure. The future's result is (its result, `ticks()` when the commit had returned)."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put(Job(work, loop, future))
        return future

    def stop(self) -> None:
        """End after what is queued, and wait for it."""
        self._jobs.put(None)
        self.join()

    def run(self) -> None:
        try:
            connection = self._engine.connect()
        except Exception as error:  # noqa: BLE001  # out of descriptors, say: every job hears of it
            self._refuse(error)
            return
        with connection:
            while (job := self._jobs.get()) is not None:
                group = [job]
                ended = self._gather(group)
                self._settle(connection, group)
                if ended:
                    return

    def _refuse(self, error: Exception) -> None:
        """Answer every job with why nothing can be written."""
        while (job := self._jobs.get()) is not None:
            job.error = in_words(error)
            if not job.loop.is_closed():
                job.loop.call_soon_threadsafe(_deliver, [job])

    def _gather(self, group: list[Job]) -> bool:
        """Everything that waits already. True when the end of the queue was met."""
        while len(group) < GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return False
            if job is None:
                return True
            group.append(job)
        return False

    def _settle(self, connection: Connection, group: list[Job]) -> None:
        if not self._commit(connection, group):
            for job in group:
                self._commit(connection, [job])
        by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        for job in group:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, jobs in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_deliver, jobs)

    def _commit(self, connection: Connection, group: list[Job]) -> bool:
        """Run the group in one transaction. False: undone, to be tried one by one."""
        try:
            with self._turnstile.turn(), connection.begin():
                for job in group:
                    job.error = None
                    job.result = job.work(connection)
            committed = ticks()
            for job in group:
                job.committed = committed
        except BaseException as error:  # noqa: BLE001  # whatever it is belongs to the flow that awaits it
            # A COMMIT that fails may leave the transaction open, which SQLAlchemy takes for ended.
            connection.connection.rollback()
            if len(group) > 1:
                return False
            group[0].error = in_words(error)
        return True


def _deliver(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():  # the flow was cancelled meanwhile
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result((job.result, job.committed))


_WORDS = {
    "database or disk is full": "The disk is full, or the database may not grow. Make room, then run this again.",
    "attempt to write a readonly database": "The database is read-only. Check the file's owner and its folder's.",
    "unable to open database file": "The database file can't be opened. Check that its folder exists and is yours.",
    "database is locked": "Another program holds the database locked. Close it, then run this again.",
    "disk i/o error": "The disk reported an error on the database. Check it before anything else.",
    "file is not a database": "The file is no SQLite database. Check [store] url.",
    "malformed": "The database file is damaged. Restore it from a backup.",
}


def in_words(error: BaseException) -> BaseException:
    """A database's complaint as a StoreError with a sentence; anything else unchanged."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, sqlite3.Error) or isinstance(original, sqlite3.IntegrityError):
        return error
    said = str(original).lower()
    sentence = next((words for sign, words in _WORDS.items() if sign in said), f"The database said: {original}.")
    found = StoreError(sentence)
    found.__cause__ = error
    return found
