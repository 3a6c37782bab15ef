"""The one thread that writes. Closures that wait together share a transaction, and so one fsync."""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mailer.errors import OUT_OF_FILES, TOO_MANY_FILES, StoreError
from mailer.store.turnstile import Turnstile

BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def ticks() -> float:
    """Seconds of a clock that never jumps, and goes on while the machine sleeps where the system has such a one."""
    return time.clock_gettime(BOOT)


GROUP = 512
"""How many closures at most share one transaction."""
PATIENCE = 30.0
GLANCE = 0.5
"""Seconds between two looks at whether the turnstile is stuck."""


@dataclass(slots=True, eq=False)
class Job:
    """One closure, and the future of the flow that awaits it."""

    work: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = field(default=None)
    committed: float = 0.0


class _Stuck(StoreError):
    """The turnstile doesn't open."""


class Writer(threading.Thread):
    """Runs jobs in order. A job that fails is undone alone; the others of its group are run again without it.

    So a job must do nothing but read and write through the connection that it is given. What is the fault of no job,
    a full disk or a locked database, fails all that wait: to try each of them would only take as long again.
    """

    def __init__(self, engine: Engine, turnstile: Turnstile, patience: float = PATIENCE) -> None:
        """`patience`: seconds to wait for the turnstile."""
        super().__init__(name="mailer-writer", daemon=True)
        self._engine = engine
        self._turnstile = turnstile
        self._patience = patience
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._asked = 0
        self._told = 0
        self._at_the_turnstile: list[tuple[Sequence[Job], float]] = []  # whoever takes it out answers these jobs
        self._stuck = False
        self._watch = threading.Thread(target=self._watch_turnstile, name="mailer-watch", daemon=True)
        self._ended = threading.Event()

    def submit(self, work: Callable[[Connection], Any]) -> asyncio.Future[Any]:
        """Queue a closure. The future's result is (its result, `ticks()` when the commit had returned)."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        future.add_done_callback(self._count)
        self._asked += 1
        self._jobs.put(Job(work, loop, future))
        return future

    def _count(self, _future: asyncio.Future[Any]) -> None:
        self._told += 1

    @property
    def busy(self) -> bool:
        """Whether a flow still waits for something it handed in. Asked in the loop that hands in."""
        return self._told < self._asked

    def stop(self) -> None:
        """End after what is queued, and wait for it; not for a turnstile that doesn't open."""
        self._jobs.put(None)
        while self.is_alive() and not self._stuck:
            self.join(GLANCE)
        self._ended.set()

    def run(self) -> None:
        self._watch.start()
        try:
            connection = self._engine.connect()
        except Exception as error:  # noqa: BLE001  # out of descriptors, say: every job hears of it
            self._refuse(error)
            return
        with connection:
            while (job := self._jobs.get()) is not None:
                group = [job]
                ended = self._gather(group)
                failed = self._settle(connection, group)
                if failed is not None and is_locked(failed):
                    ended = self._gather(group) or ended  # these have waited for it meanwhile
                    _answer(group, in_words(failed))
                else:
                    _answer(group)
                if ended:
                    return

    def _refuse(self, error: Exception) -> None:
        """Answer every job with why nothing can be written."""
        while (job := self._jobs.get()) is not None:
            _answer([job], in_words(error))

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

    def _settle(self, connection: Connection, group: Sequence[Job]) -> BaseException | None:
        """Run these. Returns what failed them all."""
        failed = self._commit(connection, group)
        if failed is None or len(group) == 1 or _is_everybodys(failed):
            return failed
        for job in group:
            self._commit(connection, [job])
        return None

    def _commit(self, connection: Connection, group: Sequence[Job]) -> BaseException | None:
        """Run the group in one transaction. Returns what failed: all of it is undone then."""
        try:
            with self._turn(group), connection.begin():
                for job in group:
                    job.error = None
                    job.result = job.work(connection)
            committed = ticks()
            for job in group:
                job.committed = committed
        except BaseException as error:  # noqa: BLE001  # whatever it is belongs to the flow that awaits it
            # A COMMIT that fails may leave the transaction open, which SQLAlchemy takes for ended.
            connection.connection.rollback()
            for job in group:
                job.error = in_words(error)
            return error
        return None

    @contextmanager
    def _turn(self, group: Sequence[Job]) -> Iterator[None]:
        """Our turn among all processes. Raises _Stuck where it came so late that these jobs were answered."""
        self._at_the_turnstile.append((group, time.monotonic()))
        with self._turnstile.turn():
            self._stuck = False
            try:
                self._at_the_turnstile.pop()
            except IndexError:
                raise _Stuck(self._turnstile.stuck) from None
            yield

    def _watch_turnstile(self) -> None:
        """A thread of its own: `flock` keeps to the order of those who wait, but knows no end of waiting."""
        while not self._ended.wait(min(GLANCE, self._patience)):
            waiting = self._at_the_turnstile[-1:]
            if waiting and time.monotonic() - waiting[0][1] > self._patience:
                self._give_up()
            elif self._stuck:
                self._refuse_queued()

    def _give_up(self) -> None:
        """Answer those who wait with why; the writing thread finds that when its turn comes after all."""
        try:
            group, _ = self._at_the_turnstile.pop()
        except IndexError:  # it has come just now
            return
        self._stuck = True
        _answer(group, _Stuck(self._turnstile.stuck))
        self._refuse_queued()

    def _refuse_queued(self) -> None:
        late: list[Job] = []
        if self._gather(late):
            self._jobs.put(None)  # for the writing thread
        _answer(late, _Stuck(self._turnstile.stuck))


def _answer(jobs: Sequence[Job], error: BaseException | None = None) -> None:
    """Tell the flows that await these. `error`: of all of them; else each has its own outcome."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        job.error = error or job.error
        by_loop.setdefault(job.loop, []).append(job)
    for loop, theirs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_deliver, theirs)


def _deliver(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():  # the flow was cancelled meanwhile
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result((job.result, job.committed))


FILES = 4
"""How many a database opens at once, with its journal."""
_LOCKED = "database is locked"
_NOT_OPENED = "unable to open database file"
_WORDS = {
    "database or disk is full": "The disk is full, or the database may not grow. Make room, then run this again.",
    "attempt to write a readonly database": "The database is read-only. Check the file's owner and its folder's.",
    _NOT_OPENED: "The database file can't be opened. Check that its folder exists and is yours.",
    _LOCKED: "Another program holds the database locked. Close it, then run this again.",
    "disk i/o error": "The disk reported an error on the database. Check it before anything else.",
    "file is not a database": "The file is no SQLite database. Check [store] url.",
    "malformed": "The database file is damaged. Restore it from a backup.",
}


def _is_everybodys(error: BaseException) -> bool:
    """Whether it would befall any job."""
    if isinstance(error, _Stuck):
        return True
    original = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(original, sqlite3.OperationalError) and any(sign in str(original).lower() for sign in _WORDS)


def is_locked(error: BaseException) -> bool:
    """Whether another program had the database locked."""
    return _LOCKED in str(error).lower()


def in_words(error: BaseException) -> BaseException:
    """A database's complaint as a StoreError with a sentence; anything else unchanged."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, sqlite3.Error) or isinstance(original, sqlite3.IntegrityError):
        return error
    said = str(original).lower()
    sentence = next((words for sign, words in _WORDS.items() if sign in said), f"The database said: {original}.")
    if _NOT_OPENED in said and is_out_of_files(FILES):
        sentence = TOO_MANY_FILES
    found = StoreError(sentence)
    found.__cause__ = error
    return found


def is_out_of_files(wanted: int) -> bool:
    """Whether so many more can't be opened: asked where nobody would say so, neither SQLite nor an event loop."""
    try:
        with ExitStack() as stack:
            for _ in range(wanted):
                stack.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in OUT_OF_FILES
    return False
