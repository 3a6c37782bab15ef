"""Short transactions in the caller's own thread, where nobody else writes and the disk is quick."""

import math
import sqlite3
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.errors import StoreError
from mailer.store.turnstile import Turnstile
from mailer.store.writer import in_words, is_locked, ticks

T = TypeVar("T")

SLOW = 0.005
"""Seconds. Transactions that take longer on average would hold up whatever else the caller's loop does."""
OF_LATE = 8
"""Of about so many the average is taken."""
REST = 1.0
"""Seconds for which all is left to the writer thread then."""


class AtOnce:
    """What the event loop does itself rather than hand it to the writer thread and be woken again (decision 0021).

    Nothing is done where the turnstile is taken, another program has locked the database, or the disk was slow of late.
    """

    def __init__(self, engine: Engine, turnstile: Callable[[], Turnstile]) -> None:
        """`turnstile`: opens one for this alone, or the writer thread would come in by it as well."""
        self._engine = engine
        self._new_turnstile = turnstile
        self._opened: tuple[Turnstile, Connection] | None = None
        self._usual = 0.0
        self._rests_until = 0.0

    def run(self, work: Callable[[Connection], T]) -> tuple[T, float] | None:
        """Returns (its result, `ticks()` when the commit had returned); None where it is the writer thread's to do.

        Raises what failed, all of it undone.
        """
        began = monotonic()
        opened = (self._opened or self._open()) if began >= self._rests_until else None
        if opened is None or not opened[0].try_turn():
            return None
        turnstile, connection = opened
        try:
            return self._transact(connection, work)
        finally:
            turnstile.end_turn()
            self._note(monotonic() - began)

    def _note(self, seconds: float) -> None:
        """One slow one is nothing: a disk has its moments."""
        self._usual += (seconds - self._usual) / OF_LATE
        if self._usual > SLOW:
            self._usual, self._rests_until = 0.0, max(self._rests_until, monotonic() + REST)

    def _open(self) -> tuple[Turnstile, Connection] | None:
        """Not before there is something to do: most commands have nothing. None: the writer thread has to do it all."""
        turnstile = None
        try:
            turnstile = self._new_turnstile()
            connection = self._engine.connect()
        except (SQLAlchemyError, sqlite3.Error, StoreError):  # out of descriptors, say
            self._rests_until = math.inf
            if turnstile is not None:
                turnstile.close()
            return None
        raw = connection.connection.cursor()
        raw.execute("PRAGMA busy_timeout = 0")  # whoever has the database locked, the loop doesn't wait for it
        raw.execute("PRAGMA wal_autocheckpoint = 0")  # takes long: the writer thread's commits do it
        raw.close()
        self._opened = turnstile, connection
        return self._opened

    def _transact(self, connection: Connection, work: Callable[[Connection], T]) -> tuple[T, float] | None:
        try:
            with connection.begin():
                result = work(connection)
            return result, ticks()
        except BaseException as error:
            # A COMMIT that fails may leave the transaction open, which SQLAlchemy takes for ended.
            connection.connection.rollback()
            if is_locked(error):
                return None
            found = in_words(error)
            if found is error:
                raise
            raise found from error

    def close(self) -> None:
        if self._opened is not None:
            turnstile, connection = self._opened
            self._opened = None
            connection.close()
            turnstile.close()
