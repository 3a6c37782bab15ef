"""Transactions in the caller's own thread: what they share with the writer thread, and when they leave it all to it."""

import asyncio
import sqlite3
import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import Connection, text

from mailer.errors import StoreError
from mailer.store import at_once
from mailer.store.at_once import AtOnce
from mailer.store.database import Database
from mailer.store.turnstile import Turnstile
from mailer.store.writer import ticks


def note(connection: Connection, key: str) -> str:
    connection.execute(text("INSERT INTO meta (key, value) VALUES (:key, 1)"), {"key": key})
    return key


def slip(connection: Connection) -> None:
    note(connection, "n-slip")
    raise ValueError("a slip")


def notes(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT key FROM meta WHERE key LIKE 'n%' ORDER BY key")).scalars())


def slowly(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
    time.sleep(0.02)


async def test_it_is_committed_when_it_returns_and_stamped_after_that(database):
    before = ticks()
    result, stamp = database.write_at_once(note, "n1")
    assert result == "n1"
    assert before <= stamp <= ticks()
    assert await database.read(notes) == ["n1"]


async def test_what_fails_is_undone_and_raised_and_the_next_goes_on(database):
    with pytest.raises(ValueError, match="a slip"):
        database.write_at_once(slip)
    assert database.write_at_once(note, "n1")
    assert await database.write(note, "n2") == "n2"
    assert await database.read(notes) == ["n1", "n2"]


async def test_a_database_that_takes_no_more_is_said_in_words(database):
    def fill(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.execute(text("INSERT INTO meta (key, value) SELECT 'n', zeroblob(1000000)"))

    with pytest.raises(StoreError, match="The disk is full"):
        database.write_at_once(fill)


async def test_while_another_process_has_its_turn_nothing_is_done(database, tmp_path):
    [turnstile] = tmp_path.glob("*-turnstile")
    other = Turnstile(turnstile)
    with other.turn():
        assert database.write_at_once(note, "n1") is None
    assert database.write_at_once(note, "n2")
    assert await database.read(notes) == ["n2"]
    other.close()


async def test_while_the_writer_thread_works_nothing_is_done(database):
    begun, go_on = threading.Event(), threading.Event()

    def long(connection: Connection) -> None:
        note(connection, "n1")
        begun.set()
        go_on.wait(10)

    writing = asyncio.create_task(database.write(long))
    await asyncio.to_thread(begun.wait, 10)
    assert database.write_at_once(note, "n2") is None
    go_on.set()
    await writing
    assert database.write_at_once(note, "n3")
    assert await database.read(notes) == ["n1", "n3"]


async def test_what_was_handed_to_the_writer_thread_before_goes_first(database):
    first = asyncio.create_task(database.write(note, "n1"))
    await asyncio.sleep(0)
    assert database.write_at_once(note, "n2") is None
    await first
    assert database.write_at_once(note, "n2")


async def test_a_database_that_another_program_has_locked_is_not_waited_for(database, tmp_path):
    [path] = tmp_path.glob("*.db")
    assert database.write_at_once(note, "n1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert database.write_at_once(note, "n2") is None
        other.execute("ROLLBACK")
    assert database.write_at_once(note, "n3")
    assert await database.read(notes) == ["n1", "n3"]


async def test_a_disk_that_is_slow_of_late_is_left_to_the_writer_thread_for_a_while(database, monkeypatch):
    monkeypatch.setattr(at_once, "REST", 0.3)
    taken = [database.write_at_once(slowly) for _ in range(at_once.OF_LATE)]
    assert taken[0] is not None, "one slow one is nothing"
    assert taken[-1] is None
    await asyncio.sleep(0.4)
    assert database.write_at_once(note, "n1")


async def test_without_a_connection_of_its_own_the_writer_thread_does_all(database, monkeypatch, tmp_path):
    def none_left(_engine: object) -> Connection:
        raise sqlite3.OperationalError("unable to open database file")

    [turnstile] = tmp_path.glob("*-turnstile")
    alone = AtOnce(database._writes, lambda: Turnstile(turnstile))
    with monkeypatch.context() as patch:
        patch.setattr(type(database._writes), "connect", none_left)
        assert alone.run(lambda connection: note(connection, "n1")) is None
    assert alone.run(lambda connection: note(connection, "n2")) is None
    alone.close()
    assert database.write_at_once(note, "n3")


async def test_without_a_turnstile_of_its_own_the_writer_thread_does_all(database):
    def none_left() -> Turnstile:
        raise StoreError("no descriptor is left")

    alone = AtOnce(database._writes, none_left)
    assert alone.run(lambda connection: note(connection, "n1")) is None
    alone.close()
    assert await database.read(notes) == []


async def test_its_commits_and_those_of_the_writer_thread_add_up(database: Database):
    def count(connection: Connection) -> None:
        [known] = connection.execute(text("SELECT value FROM meta WHERE key = 'n'")).scalars()
        connection.execute(text("UPDATE meta SET value = :value WHERE key = 'n'"), {"value": int(known) + 1})

    await database.write(note, "n")
    at_once_done = 0
    for _ in range(100):
        waiting = [asyncio.create_task(database.write(count)) for _ in range(3)]
        await asyncio.sleep(0)
        at_once_done += database.write_at_once(count) is not None
        await asyncio.gather(*waiting)
        at_once_done += database.write_at_once(count) is not None
    [known] = await database.read(lambda c: c.execute(text("SELECT value FROM meta WHERE key = 'n'")).scalars().all())
    assert int(known) == 1 + 300 + at_once_done
    assert at_once_done >= 100
