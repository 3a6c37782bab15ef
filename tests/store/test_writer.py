"""The one writing thread: grouped commits, failures that stay alone, and turns between processes."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from mailer.errors import StoreError
from mailer.store import database as database_room
from mailer.store.database import Database
from mailer.store.turnstile import SenderLock, Turnstile


def note(connection: Connection, key: str) -> str:
    connection.execute(text("INSERT INTO meta (key, value) VALUES (:key, 1)"), {"key": key})
    return key


def notes(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT key FROM meta WHERE key LIKE 'n%' ORDER BY key")).scalars())


def slip(connection: Connection) -> None:
    note(connection, "n-slip")
    raise ValueError("a slip")


@pytest.fixture
def commits(database) -> list[int]:
    """Grows with each commit."""
    seen: list[int] = []
    event.listen(database._writes, "commit", lambda _connection: seen.append(1))
    return seen


async def test_a_write_returns_what_its_work_returned_after_the_commit(database, commits):
    assert await database.write(note, "n1") == "n1"
    assert len(commits) == 1
    assert await database.read(notes) == ["n1"]


async def test_work_that_waits_together_shares_a_commit(database, commits):
    results = await asyncio.gather(*(database.write(note, f"n{n:03}") for n in range(300)))
    assert results == [f"n{n:03}" for n in range(300)]
    assert len(commits) < 30
    assert len(await database.read(notes)) == 300


async def test_work_is_done_in_the_order_in_which_it_was_handed_in(database):
    seen: list[int] = []
    await asyncio.gather(*(database.write(lambda _c, n=n: seen.append(n)) for n in range(50)))
    assert seen == sorted(seen)


async def test_a_slip_is_undone_alone(database):
    work = [database.write(note, f"n{n}") for n in range(4)]
    work[2:2] = [database.write(slip)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert [result for result in results if isinstance(result, str)] == ["n0", "n1", "n2", "n3"]
    assert isinstance(results[2], ValueError)
    assert await database.read(notes) == ["n0", "n1", "n2", "n3"]


async def test_all_of_one_work_is_undone_where_it_fails(database):
    with pytest.raises(ValueError, match="a slip"):
        await database.write(slip)
    assert await database.read(notes) == []


async def test_the_writer_outlives_whatever_its_work_raises(database):
    def worse(_connection: Connection) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        await database.write(worse)
    assert await database.write(note, "n1") == "n1"


async def test_a_flow_that_was_cancelled_does_not_disturb_the_others(database):
    gate = threading.Event()
    blocked = asyncio.ensure_future(database.write(lambda _c: gate.wait(5)))
    await asyncio.sleep(0.01)
    cancelled = asyncio.ensure_future(database.write(note, "n1"))
    other = asyncio.ensure_future(database.write(note, "n2"))
    await asyncio.sleep(0)
    cancelled.cancel()
    gate.set()
    assert await other == "n2"
    assert await blocked


async def test_closing_finishes_what_is_queued(database_url):
    with Database(database_url) as first:
        waiting = [first._writer.submit(lambda c, n=n: note(c, f"n{n}")) for n in range(20)]
    await asyncio.gather(*waiting)
    with Database(database_url) as second:
        assert len(await second.read(notes)) == 20


async def test_a_reader_sees_one_snapshot(database):
    started, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> tuple[list[str], list[str]]:
        first = notes(connection)
        started.set()
        go_on.wait(5)
        return first, notes(connection)

    await database.write(note, "n1")
    reading = asyncio.ensure_future(database.read(slow))
    await asyncio.to_thread(started.wait, 5)
    await database.write(note, "n2")
    go_on.set()
    assert await reading == (["n1"], ["n1"])
    assert await database.read(notes) == ["n1", "n2"]


async def test_a_commit_is_on_disk_when_it_returns(database):
    assert await database.read(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"
    assert await database.write(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar()) == 2  # FULL


async def test_a_full_disk_is_a_sentence_and_the_rest_goes_on_afterwards(database):
    pages = await database.write(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
    await database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar())
    with pytest.raises(StoreError, match="The disk is full"):
        await database.write(note, "n" + "x" * 1_000_000)
    assert await database.write(note, "n1") == "n1"
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000").scalar())
    assert await database.write(note, "n2") == "n2"


async def test_the_writer_outlives_a_commit_that_fails(database, monkeypatch):
    def full(_connection):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(database._writes.dialect, "do_commit", full)
        results = await asyncio.gather(*(database.write(note, f"n{n}") for n in range(3)), return_exceptions=True)
        assert [str(result)[:17] for result in results] == ["The disk is full,"] * 3
    assert await database.read(notes) == []
    assert await database.write(note, "n1") == "n1"


@pytest.fixture
def locked(database_path, monkeypatch) -> Iterator[Database]:
    """A database that another program holds locked, and that waits for it no longer than a moment."""
    monkeypatch.setattr(database_room, "BUSY_SECONDS", 0.3)
    with Database(f"sqlite:///{database_path}") as opened, closing(sqlite3.connect(database_path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield opened


async def test_a_lock_of_another_program_is_waited_for_once_by_all_that_wait(locked, monkeypatch):
    tries: list[int] = []
    waits = threading.Event()
    turn = locked._turnstile.turn
    monkeypatch.setattr(locked._turnstile, "turn", lambda: tries.append(1) or waits.set() or turn())
    first = asyncio.ensure_future(locked.write(note, "n0"))
    await asyncio.to_thread(waits.wait, 5)
    results = await asyncio.gather(first, *(locked.write(note, f"n{n}") for n in range(1, 9)), return_exceptions=True)
    assert {str(result) for result in results} == {
        "Another program holds the database locked. Close it, then run this again."
    }
    assert len(tries) == 1


async def test_a_group_on_a_full_disk_is_not_tried_one_by_one(database, commits, monkeypatch):
    gate = threading.Event()

    def full(_connection):
        commits.append(1)
        raise sqlite3.OperationalError("database or disk is full")

    first = asyncio.ensure_future(database.write(lambda _c: gate.wait(5)))
    await asyncio.sleep(0)
    group = [asyncio.ensure_future(database.write(note, f"n{n}")) for n in range(5)]
    await asyncio.sleep(0)
    monkeypatch.setattr(database._writes.dialect, "do_commit", full)
    gate.set()
    results = await asyncio.gather(first, *group, return_exceptions=True)
    assert all(str(result).startswith("The disk is full") for result in results[1:])
    assert len(commits) <= 4, "each of the group was tried by itself"


# --- a turnstile that doesn't open


@pytest.fixture
def stuck(database_path, monkeypatch) -> Iterator[tuple[Database, Turnstile]]:
    """A database with little patience, and another process's hand on its turnstile."""
    monkeypatch.setattr(database_room, "BUSY_SECONDS", 0.2)
    other = Turnstile(database_path.with_name("mailer.db-turnstile"))
    opened = Database(f"sqlite:///{database_path}")
    with other.turn():
        yield opened, other
    opened.close()
    other.close()


async def test_a_turnstile_that_does_not_open_is_a_sentence_that_says_what_to_do(stuck, database_path):
    database, _ = stuck
    results = await asyncio.gather(*(database.write(note, f"n{n}") for n in range(5)), return_exceptions=True)
    assert {type(result).__mro__[1] for result in results} == {StoreError}
    (sentence,) = {str(result) for result in results}
    assert sentence.startswith(f"Another process holds {database_path}-turnstile and does not let go")
    assert f"`fuser -v {database_path}-turnstile`" in sentence


async def test_what_was_answered_so_is_not_written_when_the_turnstile_opens_after_all(database_path, monkeypatch):
    monkeypatch.setattr(database_room, "BUSY_SECONDS", 0.2)
    other = Turnstile(database_path.with_name("mailer.db-turnstile"))
    with Database(f"sqlite:///{database_path}") as database:
        with other.turn():
            for key in ("n1", "n2"):
                with pytest.raises(StoreError, match="does not let go"):
                    await database.write(note, key)
        assert await database.write(note, "n3") == "n3"
        assert await database.read(notes) == ["n3"]
    other.close()


async def test_closing_does_not_wait_for_a_turnstile_that_does_not_open(stuck):
    database, _ = stuck
    with pytest.raises(StoreError):
        await database.write(note, "n1")
    await asyncio.wait_for(asyncio.to_thread(database.close), 5)


async def test_closing_finishes_what_waits_for_a_turnstile_that_opens_in_time(database_path):
    other = Turnstile(database_path.with_name("mailer.db-turnstile"))
    with Database(f"sqlite:///{database_path}") as database:
        with other.turn():
            waiting = database._writer.submit(lambda c: note(c, "n1"))
            closing_time = asyncio.ensure_future(asyncio.to_thread(database._writer.stop))
            await asyncio.sleep(0.05)
            assert not closing_time.done()
        await closing_time
        assert (await waiting)[0] == "n1"
    other.close()


async def test_errors_do_not_print_what_was_written(database):
    with pytest.raises(Exception, match="UNIQUE") as caught:
        await asyncio.gather(*(database.write(note, "n-secret-address") for _ in range(2)))
    assert "n-secret-address" not in str(caught.value)


_COUNT = """
import asyncio, sys
from sqlalchemy import text
from mailer.store.database import Database

def bump(connection):
    value = connection.execute(text("SELECT value FROM meta WHERE key = 'count'")).scalar_one()
    connection.execute(text("UPDATE meta SET value = :value WHERE key = 'count'"), {"value": value + 1})

async def main():
    with Database(sys.argv[1]) as database:
        print("ready", flush=True)
        sys.stdin.read(1)
        for _ in range(150):
            await asyncio.gather(*(database.write(bump) for _ in range(4)))

asyncio.run(main())
"""


def start_counting(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _COUNT, url],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_two_processes_count_to_1200_without_a_loss(database, database_url):
    await database.write(lambda c: c.execute(text("INSERT INTO meta (key, value) VALUES ('count', 0)")).rowcount)
    processes = [start_counting(database_url) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("!")
            process.stdin.flush()
        assert [await asyncio.to_thread(process.wait, 60) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    count = await database.read(lambda c: c.execute(text("SELECT value FROM meta WHERE key = 'count'")).scalar_one())
    assert count == 1200


# --- locks


def test_the_turnstile_lets_one_through_at_a_time(tmp_path):
    first, second = Turnstile(tmp_path / "turn"), Turnstile(tmp_path / "turn")
    order: list[str] = []

    def through() -> None:
        with second.turn():
            order.append("second")

    with first.turn():
        thread = threading.Thread(target=through)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]
    first.close()
    second.close()


def test_there_is_one_sender_and_the_others_learn_who(tmp_path):
    first, second = SenderLock(tmp_path / "sender"), SenderLock(tmp_path / "sender")
    assert second.holder() == "another process"
    assert first.take("mailer send, started at 08:00")
    assert not second.take("mine")
    assert not first.take("mine")
    assert second.holder().startswith("mailer send, started at 08:00 (process ")
    first.release()
    assert second.take("me")
    assert second.holder().startswith("me (process ")
    second.release()
    second.release()


def test_a_senders_lock_dies_with_its_process(tmp_path):
    code = "import sys; from pathlib import Path; from mailer.store.turnstile import SenderLock as L; "
    code += "lock = L(Path(sys.argv[1])); print(lock.take('a sender'), flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "sender")],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "True\n"
    lock = SenderLock(tmp_path / "sender")
    assert not lock.take("mine")
    assert lock.holder() == f"a sender (process {process.pid})"
    process.kill()
    process.communicate()
    assert lock.take("mine")
    lock.release()
