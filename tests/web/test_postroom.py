"""The room from which mail leaves: woken, beside other senders, before a relay that is down; it goes on."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self

import pytest
import structlog

from mailer.config import Settings
from mailer.errors import StoreError
from mailer.flows import erasing, planning
from mailer.store import subscribers
from mailer.store.turnstile import SenderLock
from mailer.web import postroom
from mailer.web.postroom import Postroom
from mailer.wiring import Parts
from tests.faults.badrelay import BadRelay, Rule, delay, say
from tests.stories import MONDAY, cadence, composer, join, make_edition, publish
from tests.web.conftest import SETTINGS


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Pauses that a test can wait for."""
    monkeypatch.setattr(postroom, "LOOK", 0.05)
    monkeypatch.setattr(postroom, "LOOK_ROUND", 0.2)
    monkeypatch.setattr(postroom, "PAUSE", 0.1)
    monkeypatch.setattr(postroom, "LONGEST_PAUSE", 0.2)


@pytest.fixture
def logged():
    with structlog.testing.capture_logs() as lines:
        yield lines


class House:
    """A post room at work on one database, with a relay at some port."""

    def __init__(
        self, database: Any, clock: Any, port: int, post: Callable[[], Any] | None = None, **options: Any
    ) -> None:
        smtp = {"host": "127.0.0.1", "port": port, "security": "none", "connections": 2} | options
        parts = Parts(Settings(**SETTINGS, smtp=smtp), clock)
        if post is not None:

            class Composing(Parts):
                async def post(self, _database):
                    return await post()

            parts = Composing(parts.settings, clock)
        self.database, self.clock, self.room = database, clock, Postroom(parts, database)
        self.queued = 0

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.room.run())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.room.close()
        await asyncio.wait_for(self.task, 10)

    async def queue(self, address: str = "ann@example.com") -> None:
        """A mail without an edition is in the outbox."""
        self.queued += 1
        made = await planning.queue_test_copy(
            self.database,
            cadence(),
            address,
            now=self.clock(),
            composer=composer(),
            draw=lambda: f"{self.queued:032}",
            max_age=self.clock.now - self.clock.now.replace(year=2025),
        )
        assert made is not None


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in a relay
            await asyncio.sleep(0.01)


@pytest.fixture
async def articles(database):
    await publish(database, "one")


@pytest.fixture
async def relay():
    async with BadRelay() as running:
        yield running


async def test_mail_in_the_outbox_leaves_without_being_asked(database, clock, articles, relay):
    async with House(database, clock, relay.port) as house:
        await asyncio.sleep(0.2)
        await house.queue()
        await _until(lambda: relay.copies["ann@example.com"])
        assert relay.copies == {"ann@example.com": 1}


async def test_nothing_leaves_before_whom_a_restored_backup_brought_back_is_erased_again(
    database, clock, articles, relay, monkeypatch
):
    await join(database, "ann", "ben")
    await make_edition(database)
    looked, may_look = asyncio.Event(), asyncio.Event()
    keep_erased = Parts.keep_erased

    async def kept(parts, _database):
        looked.set()
        await may_look.wait()
        ann = await database.read(subscribers.find, "ann@example.com")
        await erasing.erase(database, ann.id, now=clock(), fingerprints=parts.fingerprints)
        return await keep_erased(parts, database)

    monkeypatch.setattr(Parts, "keep_erased", kept)
    async with House(database, clock, relay.port):
        await looked.wait()
        await asyncio.sleep(0.3)
        assert not relay.copies
        may_look.set()
        await _until(lambda: _states(database) == {"done"})
    assert relay.copies == {"ben@example.com": 1}


async def test_waking_it_composes_what_is_wanted_and_sends_it_at_once(database, clock, articles, relay, monkeypatch):
    monkeypatch.setattr(postroom, "LOOK", 3600)
    monkeypatch.setattr(postroom, "LOOK_ROUND", 3600)
    wanted = []

    async def post():
        made = len(wanted)
        while wanted:
            await house.queue(wanted.pop())
        return made

    house = House(database, clock, relay.port, post)
    async with house:
        await asyncio.sleep(0.2)
        wanted.append("ann@example.com")
        house.room.wake()
        await _until(lambda: relay.copies["ann@example.com"])
        wanted.append("ben@example.com")
        for _ in range(50):
            house.room.wake()
        await _until(lambda: relay.copies["ben@example.com"])

    assert set(relay.copies.values()) == {1}


async def test_an_edition_that_was_left_unfinished_is_sent_to_the_end(database, clock, articles, relay):
    await join(database, "ann", "ben")
    await make_edition(database)
    async with House(database, clock, relay.port):
        await _until(lambda: len(relay.copies) == 2)
        await _until(lambda: _states(database) == {"done"})


def _states(database) -> set[str]:
    with database._reads.begin() as connection:
        return set(connection.exec_driver_sql("SELECT state FROM editions").scalars())


async def test_the_lock_is_free_while_there_is_nothing_to_do(database, database_path, clock, articles, relay):
    async with House(database, clock, relay.port) as house:
        await house.queue()
        await _until(lambda: relay.copies)
        await asyncio.sleep(0.3)
        with SenderLock(database_path.with_name("mailer.db-sender")) as other:
            assert other.take("mailer send")


async def test_another_sender_is_not_waited_for_and_not_talked_about(
    database, database_path, clock, articles, relay, logged
):
    with SenderLock(database_path.with_name("mailer.db-sender")) as other:
        assert other.take("mailer send")
        async with House(database, clock, relay.port) as house:
            await house.queue()
            await asyncio.sleep(0.5)
            assert not relay.copies
            assert logged == []
            other.release()
            await _until(lambda: relay.copies)


async def test_composing_goes_on_while_a_long_run_sends(database, clock, articles):
    await join(database, *(f"r{number}" for number in range(20)))
    await make_edition(database)
    composed = []

    async def post():
        composed.append(len(relay.copies))
        return 0

    async with BadRelay([Rule("DOT", delay(0.05))]) as relay, House(database, clock, relay.port, post):
        await _until(lambda: len(relay.copies) == 20)

    assert len({count for count in composed if 0 < count < 20}) >= 3


async def test_a_relay_that_is_down_is_said_once_and_mail_leaves_when_it_is_back(
    database, clock, articles, unused_port, logged, monkeypatch
):
    monkeypatch.setattr("mailer.flows.delivering.line.PAUSE", 0.01)
    async with House(database, clock, unused_port) as house:
        await house.queue()
        await _until(lambda: logged)
        await asyncio.sleep(1.5)
        down = [line["event"] for line in logged]
        assert len(down) == 1
        assert down[0].startswith("The relay is down: ")
        async with BadRelay(port=unused_port) as relay:
            await _until(lambda: relay.copies)
            await _until(lambda: len(logged) == 3)

    assert [line["event"] for line in logged[1:]] == ["sent", "Mail leaves again."]


async def test_a_relay_that_rests_is_left_alone_until_then_and_said_once(
    database, clock, articles, relay, logged, monkeypatch
):
    runs = []
    drain = Parts.drain

    async def counted(self, *words, **options):
        runs.append(1)
        await drain(self, *words, **options)

    monkeypatch.setattr(Parts, "drain", counted)
    await join(database, "ann", "bob")
    await make_edition(database)
    async with House(database, clock, relay.port, rate_per_hour=1):
        await _until(lambda: any("takes nothing" in line["event"] for line in logged))
        ran = len(runs)
        await asyncio.sleep(0.5)
        assert len(runs) == ran
        clock.move(minutes=62)
        await _until(lambda: len(relay.accepted) == 2)
        await _until(lambda: logged[-1]["event"] == "Relays take mail again.")

    rests = [line for line in logged if "takes nothing" in line["event"]]
    assert [line["event"] for line in rests] == [
        "Relay default takes nothing for a while: its quota for the hour is used up"
    ]
    assert rests[0]["until"] == MONDAY + timedelta(minutes=61)


@pytest.fixture
def unused_port(unused_tcp_port_factory) -> int:
    return unused_tcp_port_factory()


async def test_a_database_that_can_t_be_written_is_said_once_and_work_goes_on_when_it_can(
    database, clock, articles, relay, logged, monkeypatch
):
    write, full = database.write, True
    house = House(database, clock, relay.port)
    await house.queue()

    async def refused(*args, **kwargs):
        if full:
            raise StoreError("The disk is full, or the database may not grow. Make room, then run this again.")
        return await write(*args, **kwargs)

    monkeypatch.setattr(database, "write", refused)
    async with house:
        await asyncio.sleep(1)
        assert [line["event"] for line in logged] == [
            "The disk is full, or the database may not grow. Make room, then run this again."
        ]
        full = False
        await _until(lambda: len(logged) == 3)

    assert relay.copies == {"ann@example.com": 1}
    assert [line["event"] for line in logged[1:]] == ["sent", "Mail leaves again."]


async def test_an_error_that_nobody_foresaw_is_logged_and_does_not_end_the_room(
    database, clock, articles, relay, logged
):
    calls = []

    async def post():
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("nobody foresaw this")
        return 0

    async with House(database, clock, relay.port, post) as house:
        await _until(lambda: len(calls) >= 4)
        await house.queue()
        await _until(lambda: relay.copies)

    assert [line["log_level"] for line in logged[:2]] == ["error", "warning"]
    assert logged[0]["exc_info"]


async def test_who_was_not_reached_is_named_by_half(database, clock, articles, logged):
    rules = [Rule("RCPT", say("550 5.1.1 <ann.reader@example.com> unknown"))]
    async with BadRelay(rules) as relay, House(database, clock, relay.port) as house:
        await house.queue("ann.reader@example.com")
        await _until(lambda: logged)

    assert logged[0]["address"] == "a…@example.com"
    assert logged[0]["state"] == "failed"


async def test_a_mail_without_an_edition_that_is_too_old_is_not_promised_for_the_next_digest(
    database, clock, articles, relay, logged
):
    house = House(database, clock, relay.port)
    await house.queue()
    clock.move(days=800)
    async with house:
        await _until(lambda: logged)

    assert (logged[0]["state"], logged[0]["said"]) == ("expired", "too old; it is not sent any more")
    assert not relay.copies


async def test_closing_it_lets_the_message_under_way_arrive_and_leaves_the_rest(database, clock, articles):
    await join(database, *(f"r{number}" for number in range(20)))
    await make_edition(database)
    async with BadRelay([Rule("DOT", delay(0.2))]) as relay:
        async with House(database, clock, relay.port):
            await _until(lambda: len(relay.copies) >= 3)
        taken = len(relay.copies)

        def states(connection):
            return dict(connection.exec_driver_sql("SELECT state, count(*) FROM deliveries GROUP BY state").all())

        assert await database.read(states) == {"accepted": taken, "pending": 20 - taken}
