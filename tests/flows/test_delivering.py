"""Draining the outbox: claims, permits, answers and what becomes of each reader."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from mailer.core.delivery import Answer, DeliveryState, Reply, Stage
from mailer.core.message import Mail
from mailer.core.quota import minute_of
from mailer.errors import OutOfFiles, Refused, StoreError
from mailer.flows import checking, delivering
from mailer.flows.delivering import Report, Run, crew, line, permits, supply, the_one_sender
from mailer.store import editions as edition_store
from mailer.store import outbox, pickup, usage
from mailer.store.database import Database
from mailer.store.tables import attempts, deliveries, editions, relay_usage, subscribers, suppressions, variants
from tests.flows.scripted import (
    ACCEPTED,
    DOUBT,
    GREYLISTED,
    LATER,
    LOST,
    NO_WAY,
    NOT_NOW,
    REFUSED,
    UNKNOWN,
    ScriptedRelay,
    message_id,
)
from tests.stories import (
    DAY,
    KEY,
    MONDAY,
    WEEK,
    Clock,
    address,
    change,
    contents,
    join,
    make_edition,
    name_of,
    publish,
    row_of,
    send,
    standing,
    sums_hold,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A relay that is down is found to be so in no time."""
    monkeypatch.setattr(line.Line.__init__, "__defaults__", (0.001,))
    monkeypatch.setattr(delivering, "KNOCK", 0.01)


async def due(database: Database, *names: str, topics=()) -> int:
    """These readers are due a weekly digest. Returns its edition."""
    await publish(database, "a", "b")
    await join(database, *names, topics=topics)
    planned = await make_edition(database)
    return planned.edition.id


def for_(name: str, answer, otherwise=ACCEPTED):
    """A script: this answer for one reader."""
    return lambda mail: answer if mail.recipient == address(name) else otherwise


def in_turn(*answers):
    """A script: one answer after the other, the last for all that come."""
    left = list(answers)
    return lambda _mail: left.pop(0) if len(left) > 1 else left[0]


# --- when all goes well


async def test_everybody_gets_one_copy_and_the_edition_is_done(database, clock):
    names = [f"r{number}" for number in range(50)]
    edition = await due(database, *names)
    relay = ScriptedRelay()
    report = await send(database, relay, clock, connections=7)
    assert relay.copies == Counter(map(address, names))
    assert (report.sent, report.missed, report.down, report.stopped) == (50, 0, "", False)
    assert report.finished == [edition]
    assert await sums_hold(database) == {"accepted": 50}
    assert relay.opened == 7
    assert relay.open_ones == 0


async def test_a_second_run_sends_nothing(database, clock):
    await due(database, "ann", "bob")
    relay = ScriptedRelay()
    await send(database, relay, clock)
    report = await send(database, relay, clock)
    assert (relay.copies.total(), report.outcomes, report.finished) == (2, Counter(), [])


async def test_no_connection_is_opened_for_nothing(database, clock):
    relay = ScriptedRelay()
    report = await send(database, relay, clock)
    assert (relay.opened, report.sent) == (0, 0)


async def test_what_no_quota_counts_any_more_is_forgotten(database, clock):
    await due(database, "ann")
    old, recent = minute_of(MONDAY - timedelta(hours=26)), minute_of(MONDAY - timedelta(hours=24))
    await database.write(usage.add, [usage.Used("default", minute, 9) for minute in (old, recent)])
    await send(database, ScriptedRelay(), clock)
    kept = await database.read(lambda c: c.execute(select(relay_usage.c.minute, relay_usage.c.permits)).all())
    assert kept == [(recent, 9), (minute_of(MONDAY), 1)]


async def test_an_accepted_message_leaves_no_attempt(database, clock):
    await due(database, "ann")
    await send(database, ScriptedRelay(), clock)
    assert await database.read(lambda c: c.execute(select(attempts)).all()) == []


async def test_only_what_was_asked_for_is_sent(database, clock):
    await join(database, "dan", pace="daily")
    weekly = await due(database, "ann")
    daily = (await make_edition(database, "daily")).edition.id
    variant = (await row_of(database, "dan")).variant_id
    await database.write(outbox.queue_test, variant, "me@example.com", "test-1", MONDAY + DAY)
    relay = ScriptedRelay()
    await send(database, relay, clock, run=Run(transactional=True))
    assert relay.copies == {"me@example.com": 1}
    await send(database, relay, clock, run=Run(edition=daily))
    assert relay.copies == {"me@example.com": 1, address("dan"): 1}
    await send(database, relay, clock)
    assert (await database.read(edition_store.by_id, weekly)).state == "done"
    assert set(relay.copies.values()) == {1}


async def test_a_limit_leaves_the_rest(database, clock):
    edition = await due(database, *(f"r{number}" for number in range(10)))
    relay = ScriptedRelay()
    report = await send(database, relay, clock, run=Run(limit=3))
    assert (relay.copies.total(), report.missed, report.finished) == (3, 0, [])
    assert await sums_hold(database) == {"accepted": 3, "pending": 7}
    await send(database, relay, clock, run=Run(edition=edition, limit=99))
    assert await sums_hold(database) == {"accepted": 10}
    assert set(relay.copies.values()) == {1}


async def test_what_a_relay_that_is_down_gives_back_does_not_count_against_the_limit(database, clock):
    await due(database, *(f"r{number}" for number in range(20)))
    relay = ScriptedRelay()
    relay.trouble = NO_WAY
    running = asyncio.create_task(send(database, relay, clock, run=Run(limit=10, wait=True)))
    await asyncio.sleep(0.3)
    relay.trouble = None
    report = await asyncio.wait_for(running, 10)
    assert report.sent == 10
    assert await sums_hold(database) == {"accepted": 10, "pending": 10}


async def test_a_limit_counts_those_who_were_tried(database, clock):
    await due(database, *(f"r{number}" for number in range(10)))
    relay = ScriptedRelay(in_turn(NOT_NOW, LATER, ACCEPTED))
    await send(database, relay, clock, run=Run(limit=3), connections=1)
    assert await sums_hold(database) == {"accepted": 2, "deferred": 1, "pending": 7}


async def test_more_readers_than_a_batch_and_more_variants_than_are_kept_go_out(database, clock, monkeypatch):
    monkeypatch.setattr(supply, "BATCH", 5)
    monkeypatch.setattr(crew, "KEPT", 2)
    edition = await due(database, *(f"r{number}" for number in range(30)))
    await many_variants(database, edition)
    relay = ScriptedRelay()
    await send(database, relay, clock, connections=4)
    assert await sums_hold(database) == {"accepted": 30}
    assert set(relay.copies.values()) == {1}


async def many_variants(database: Database, edition: int) -> None:
    """A variant of their own for each reader of the edition."""

    def part(connection):
        first = connection.execute(select(variants).where(variants.c.edition_id == edition)).mappings().one()
        rows = connection.execute(select(deliveries.c.id).order_by(deliveries.c.id)).scalars().all()
        for row in rows[1:]:
            copy = {key: value for key, value in first.items() if key != "id"}
            number = connection.execute(insert(variants).values(**copy)).inserted_primary_key[0]
            connection.execute(update(deliveries).where(deliveries.c.id == row).values(variant_id=number))

    await database.write(part)


async def test_a_delivery_that_was_put_back_is_written_though_its_variant_made_room(database, clock, monkeypatch):
    """One connection waits long for the relay and is refused in the end; the others have gone on meanwhile."""
    monkeypatch.setattr(supply, "BATCH", 2)
    monkeypatch.setattr(crew, "KEPT", 1)
    edition = await due(database, *(f"r{number}" for number in range(20)))
    await many_variants(database, edition)

    class Slow(ScriptedRelay):
        async def open(self):
            found = await super().open()
            if isinstance(found, Answer):
                while len(self.taken) < 15:  # noqa: ASYNC110  # the other connection's progress
                    await asyncio.sleep(0)
            return found

    relay = Slow(limit=1)
    await send(database, relay, clock, connections=2)
    assert await sums_hold(database) == {"accepted": 20}


# --- one reader's trouble


@pytest.mark.parametrize(
    ("answer", "state", "unreached"),
    [
        (UNKNOWN, "failed: no_such_address", "550 5.1.1 user unknown"),
        (REFUSED, "failed: message_refused", "554 5.6.0 not like this"),
        (LATER, "deferred: deferred", "451 4.2.0 try again later"),
        (GREYLISTED, "deferred: greylisted", "451 4.7.1 greylisted"),
        (LOST, "deferred: connection_lost", "the connection was lost"),
        (DOUBT, "in_doubt: in_doubt", "the connection was lost"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_one_readers_trouble_is_nobody_elses(database, clock, answer, state, unreached):
    await due(database, "ann", "bob", "cem")
    relay = ScriptedRelay(for_("bob", answer))
    report = await send(database, relay, clock, connections=1)
    assert await standing(database) == {"ann": "accepted", "bob": state, "cem": "accepted"}
    assert [(who.address, who.said) for who in report.unreached.values()] == [(address("bob"), unreached)]
    (who,) = report.unreached.values()
    assert who.next_at == (await row_of(database, "bob")).next_at
    assert (report.sent, report.missed, report.down) == (2, 1, "")
    assert relay.copies == {address("ann"): 1, address("cem"): 1}
    await sums_hold(database)


async def test_an_unknown_address_fails_once_and_is_suppressed(database, clock):
    await due(database, "ann", "bob")
    relay = ScriptedRelay(for_("bob", UNKNOWN))
    await send(database, relay, clock)
    clock.move(days=1)
    await send(database, relay, clock)
    assert len(relay.offered) == 2
    row = await database.read(lambda c: c.execute(select(suppressions)).one())
    assert (row.email, row.reason, len(row.fingerprint)) == (address("bob"), "bounced", 64)
    states = await database.read(
        lambda c: dict(tuple(r) for r in c.execute(select(subscribers.c.email, subscribers.c.state)))
    )
    assert states == {address("ann"): "active", address("bob"): "bounced"}
    await publish(database, "c")
    await make_edition(database, now=MONDAY + WEEK)
    assert (await database.read(edition_store.by_id, 2)).planned == 1


async def test_a_deferred_reader_is_tried_again_when_the_time_has_come_and_not_before(database, clock):
    await due(database, "ann")
    relay = ScriptedRelay(in_turn(LATER, LATER, LATER, ACCEPTED))
    await send(database, relay, clock)
    for minutes in (5, 10, 20):
        clock.move(minutes=minutes - 1)
        await send(database, relay, clock)
        offered = len(relay.offered)
        clock.move(minutes=1)
        await send(database, relay, clock)
        assert len(relay.offered) == offered + 1
    row = await row_of(database, "ann")
    assert (row.state, row.attempts, row.waits) == ("accepted", 3, 0)
    assert relay.copies == {address("ann"): 1}


async def test_greylisting_is_waited_out_in_its_own_steps_without_a_count(database, clock):
    await due(database, "ann")
    relay = ScriptedRelay(in_turn(GREYLISTED, GREYLISTED, GREYLISTED, GREYLISTED, ACCEPTED))
    found = []
    for _ in range(4):
        await send(database, relay, clock)
        row = await row_of(database, "ann")
        found.append((row.next_at - clock.now) / timedelta(minutes=1))
        assert row.attempts == 0
        clock.now = row.next_at
    assert found == [5, 15, 30, 30]
    await send(database, relay, clock)
    assert await sums_hold(database) == {"accepted": 1}


async def test_it_is_tried_until_it_is_too_old(database, clock):
    edition = await due(database, "ann", "bob")
    relay = ScriptedRelay(for_("ann", LATER))
    while clock.now < MONDAY + 3 * DAY:
        await send(database, relay, clock)
        clock.move(hours=1)
    assert await standing(database) == {"ann": "expired: too_old", "bob": "accepted"}
    assert 20 < len(relay.offered) < 35
    assert (await database.read(edition_store.by_id, edition)).state == "done"


async def test_a_message_that_cant_be_built_is_that_one_readers(database, clock):
    edition = await due(database, "ann", "bob", "cem")
    await change(database, "bob", email="not an address")
    report = await send(database, ScriptedRelay(), clock, connections=1)
    states = await sums_hold(database)
    assert states == {"accepted": 2, "render_failed": 1}
    assert [(who.address, who.state) for who in report.unreached.values()] == [("not an address", "render_failed")]
    assert report.finished == [edition]


async def test_who_leaves_between_claim_and_permit_is_skipped(database, clock):
    await due(database, "ann", "bob", "cem")

    def leave(mail: Mail):
        assert mail.recipient == address("ann")
        database._writer.submit(
            lambda c: c.execute(update(subscribers).where(subscribers.c.id == 2).values(state="unsubscribed"))
        )
        relay.script = lambda _mail: ACCEPTED
        return ACCEPTED

    relay = ScriptedRelay(leave)
    report = await send(database, relay, clock, connections=1)
    assert await standing(database) == {"ann": "accepted", "bob": "skipped: unsubscribed", "cem": "accepted"}
    assert address("bob") not in {mail.recipient for mail in relay.offered}
    assert (report.outcomes[DeliveryState.SKIPPED], report.missed) == (1, 0)
    await sums_hold(database)


async def test_an_edition_that_is_paused_midway_stops_and_goes_on_later(database, clock):
    edition = await due(database, *(f"r{number}" for number in range(10)))

    def pause(_mail: Mail):
        database._writer.submit(lambda c: c.execute(update(editions).values(state="paused")))
        return ACCEPTED

    relay = ScriptedRelay(pause)
    report = await asyncio.wait_for(send(database, relay, clock, connections=2, run=Run(edition=edition)), 10)
    assert 1 <= relay.copies.total() <= 4
    assert report.finished == []
    states = await sums_hold(database)
    assert states == {"accepted": relay.copies.total(), "pending": 10 - relay.copies.total()}
    await database.write(lambda c: c.execute(update(editions).values(state="running")).rowcount)
    relay.script = lambda _mail: ACCEPTED
    await send(database, relay, clock)
    assert await sums_hold(database) == {"accepted": 10}
    assert set(relay.copies.values()) == {1}


# --- doubt


@pytest.mark.parametrize("taken", [True, False])
async def test_a_doubt_is_tried_once_more_with_the_same_bytes(database, clock, taken):
    await due(database, "ann")
    relay = ScriptedRelay(in_turn((DOUBT, taken), ACCEPTED))
    await send(database, relay, clock)
    assert (await row_of(database, "ann")).next_at == MONDAY + timedelta(minutes=30)
    clock.move(minutes=29)
    await send(database, relay, clock)
    assert len(relay.offered) == 1
    clock.move(minutes=1)
    await send(database, relay, clock, keys=(KEY, "a key that came meanwhile, long enough"))
    assert await sums_hold(database) == {"accepted": 1}
    first, second = relay.offered
    assert first == second
    assert relay.copies[address("ann")] == (2 if taken else 1)


async def test_a_second_doubt_is_held_and_never_more_than_two_copies_go_out(database, clock):
    edition = await due(database, "ann")
    relay = ScriptedRelay(lambda _mail: (DOUBT, True))
    for _ in range(6):
        await send(database, relay, clock)
        clock.move(hours=1)
    assert await standing(database) == {"ann": "in_doubt_held: in_doubt"}
    assert relay.copies == {address("ann"): 2}
    assert len({message_id(mail) for mail in relay.offered}) == 1
    assert (await database.read(edition_store.by_id, edition)).state == "done"


@pytest.mark.parametrize("connections", [1, 5])
async def test_what_was_in_doubt_is_sent_after_all_others_and_never_two_of_them_at_once(database, clock, connections):
    doubtful = {address(f"r{number}") for number in range(6)}
    await due(database, *(f"r{number}" for number in range(6)))
    relay = ScriptedRelay(lambda _mail: DOUBT)
    await send(database, relay, clock)
    assert await sums_hold(database) == {"in_doubt": 6}
    await join(database, *(f"s{number}" for number in range(30)), pace="daily")
    await make_edition(database, "daily")
    clock.move(minutes=31)
    together: list[int] = []

    class Watched(ScriptedRelay):
        async def open(self):
            found = await super().open()
            send_one = found.send

            async def watched(mail):
                rows = await database.read(
                    lambda c: c.execute(select(deliveries.c.doubts).where(deliveries.c.state == "sending")).scalars()
                )
                together.append(sum(doubts > 0 for doubts in rows))
                return await send_one(mail)

            found.send = watched
            return found

    relay = Watched()
    await send(database, relay, clock, connections=connections)
    assert await sums_hold(database) == {"accepted": 36}
    assert max(together) == 1
    order = [mail.recipient in doubtful for mail in relay.offered]
    assert order[-6:] == [True] * 6


@pytest.mark.parametrize("answer", [DOUBT, LATER, LOST, UNKNOWN])
async def test_whatever_comes_of_one_that_was_in_doubt_the_next_one_has_its_turn(database, clock, answer):
    await due(database, "ann", "bob", "cem")
    await send(database, ScriptedRelay(lambda _mail: DOUBT), clock)
    clock.move(minutes=31)
    relay = ScriptedRelay(for_("ann", answer))
    await asyncio.wait_for(send(database, relay, clock), 30)
    assert Counter(mail.recipient for mail in relay.offered) == dict.fromkeys(map(address, ["ann", "bob", "cem"]), 1)


async def test_a_limit_holds_for_those_that_were_in_doubt_as_well(database, clock):
    await due(database, "ann", "bob", "cem")
    await send(database, ScriptedRelay(lambda _mail: DOUBT), clock)
    clock.move(minutes=31)
    await send(database, ScriptedRelay(), clock, run=Run(limit=2))
    assert await sums_hold(database) == {"accepted": 2, "pending": 1}


async def test_one_that_was_in_doubt_and_can_not_be_built_or_is_not_wanted_stops_nobody(database, clock):
    await due(database, "ann", "bob", "cem")
    await send(database, ScriptedRelay(lambda _mail: DOUBT), clock)
    await change(database, "ann", email="not an address")
    await change(database, "bob", state="unsubscribed")
    clock.move(minutes=31)
    report = await asyncio.wait_for(send(database, ScriptedRelay(), clock), 30)
    assert await sums_hold(database) == {"in_doubt_held": 1, "skipped": 1, "accepted": 1} == report.outcomes


async def test_doubts_are_held_where_the_settings_say_so(database, clock):
    await due(database, "ann")
    relay = ScriptedRelay(lambda _mail: (DOUBT, True))
    for _ in range(3):
        await send(database, relay, clock, in_doubt="hold")
        clock.move(hours=1)
    assert await standing(database) == {"ann": "in_doubt_held: in_doubt"}
    assert relay.copies == {address("ann"): 1}


async def test_what_a_dead_sender_had_on_the_wire_is_named_and_tried_once_more(database, clock):
    await due(database, "ann", "bob")
    epoch, _ = await database.write(delivering.recovery.begin_epoch, timedelta(minutes=30))
    claims, _ = await database.write(pickup.claim, epoch, 10, MONDAY)
    await database.write(outbox.exchange, epoch, [], [claims[0]], MONDAY)
    clock.move(minutes=1)
    relay = ScriptedRelay()
    report = await send(database, relay, clock)
    assert relay.copies == {address("bob"): 1}
    (who,) = report.unreached.values()
    assert (who.address, who.state, who.next_at) == (address("ann"), "in_doubt", MONDAY + timedelta(minutes=30))
    clock.move(minutes=29)
    await send(database, relay, clock)
    assert relay.copies == {address("ann"): 1, address("bob"): 1}
    assert await sums_hold(database) == {"accepted": 2}


# --- the relay's trouble


async def test_a_relay_that_is_down_fails_nobody(database, clock):
    await due(database, *(f"r{number}" for number in range(20)))
    relay = ScriptedRelay()
    relay.trouble = NO_WAY
    report = await send(database, relay, clock)
    assert (report.down, report.down_since) == ("cannot connect: Connection refused", MONDAY)
    assert (report.missed, report.outcomes) == (0, Counter())
    assert await sums_hold(database) == {"pending": 20}
    relay.trouble = None
    await send(database, relay, clock)
    assert await sums_hold(database) == {"accepted": 20}


@pytest.mark.parametrize("stage", [Stage.TLS, Stage.AUTH])
async def test_a_refused_login_is_not_tried_again(database, clock, stage):
    await due(database, "ann")
    asked = []

    class Strict(ScriptedRelay):
        async def open(self):
            asked.append(1)
            return Answer(stage, Reply(535, "5.7.8", "wrong password"))

    report = await send(database, Strict(), clock, connections=5)
    hint = "; check [smtp] username and password" if stage is Stage.AUTH else ""
    assert (report.down, len(asked)) == (f"535 5.7.8 wrong password{hint}", 1)
    assert await sums_hold(database) == {"pending": 1}


async def test_a_login_that_is_refused_for_now_is_tried_three_times(database, clock):
    await due(database, "ann")
    asked = []

    class Busy(ScriptedRelay):
        async def open(self):
            asked.append(1)
            return Answer(Stage.AUTH, Reply(454, "4.7.0", "later"))

    report = await send(database, Busy(), clock, connections=5)
    assert (report.down, len(asked)) == ("454 4.7.0 later", 3)


async def test_a_relay_that_refuses_mail_is_down_and_nobody_is_blamed(database, clock):
    await due(database, *(f"r{number}" for number in range(20)))
    relay = ScriptedRelay(lambda _mail: Answer(Stage.MAIL, Reply(550, "5.7.1", "who are you?")))
    report = await send(database, relay, clock, connections=4)
    assert report.down == "550 5.7.1 who are you?"
    assert report.missed == 0
    assert len(relay.offered) <= 12
    assert await sums_hold(database) == {"pending": 20}
    rows = await database.read(lambda c: c.execute(select(deliveries.c.attempts, deliveries.c.waits)).all())
    assert {tuple(row) for row in rows} == {(0, 0)}


async def test_a_relay_that_refuses_mail_now_and_then_is_not_down(database, clock):
    await due(database, *(f"r{number}" for number in range(20)))
    turns = iter(range(1000))
    relay = ScriptedRelay(lambda _mail: NOT_NOW if next(turns) % 4 == 0 else ACCEPTED)
    report = await send(database, relay, clock, connections=2)
    assert (report.down, report.missed) == ("", 0)
    assert await sums_hold(database) == {"accepted": 20}


async def test_a_relay_that_takes_few_connections_gets_few(database, clock):
    await due(database, *(f"r{number}" for number in range(40)))
    relay = ScriptedRelay(limit=2)
    report = await send(database, relay, clock, connections=10)
    assert (report.down, report.missed) == ("", 0)
    assert await sums_hold(database) == {"accepted": 40}


async def test_a_relay_that_hangs_up_after_every_message_is_served_over_new_connections(database, clock):
    await due(database, *(f"r{number}" for number in range(20)))

    class Curt(ScriptedRelay):
        async def open(self):
            found = await super().open()
            send_one = found.send

            async def then_gone(mail):
                answer = await send_one(mail)
                found.alive = False
                return answer

            found.send = then_gone
            return found

    relay = Curt()
    await send(database, relay, clock, connections=3)
    assert await sums_hold(database) == {"accepted": 20}
    assert relay.opened == 20
    assert relay.open_ones == 0


# --- stopping


async def test_a_stop_finishes_the_messages_under_way_and_leaves_no_doubt(database, clock):
    await due(database, *(f"r{number}" for number in range(100)))
    stop = asyncio.Event()

    def script(_mail: Mail):
        if len(relay.taken) == 20:
            stop.set()
        return ACCEPTED

    relay = ScriptedRelay(script)
    report = await send(database, relay, clock, connections=5, stop=stop)
    assert report.stopped
    states = await sums_hold(database)
    assert states == {"accepted": relay.copies.total(), "pending": 100 - relay.copies.total()}
    assert 20 < relay.copies.total() <= 26
    await send(database, relay, clock)
    assert await sums_hold(database) == {"accepted": 100}
    assert set(relay.copies.values()) == {1}


async def test_a_stop_ends_waiting(database, clock):
    await due(database, "ann")
    stop = asyncio.Event()

    def script(_mail: Mail):
        asyncio.get_running_loop().call_later(0.02, stop.set)
        return LATER

    await asyncio.wait_for(send(database, ScriptedRelay(script), clock, run=Run(wait=True), stop=stop), 5)
    assert await sums_hold(database) == {"deferred": 1}


class Hasty(Clock):
    """Ten minutes pass at each look."""

    def __call__(self):
        self.move(minutes=10)
        return self.now


async def test_waiting_stays_until_all_is_settled(database, monkeypatch):
    async def no_time(_stop: asyncio.Event, _seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(delivering, "_sleep", no_time)
    edition = await due(database, "ann", "bob", "cem")
    answers = {"ann": [LATER, GREYLISTED, LOST, ACCEPTED], "bob": [DOUBT, DOUBT], "cem": [ACCEPTED]}
    relay = ScriptedRelay(lambda mail: answers[name_of(mail.recipient)].pop(0))
    report = await asyncio.wait_for(send(database, relay, Hasty(), run=Run(wait=True)), 20)
    assert await sums_hold(database) == {"accepted": 2, "in_doubt_held": 1}
    assert [who.address for who in report.unreached.values()] == [address("bob")]
    assert report.finished == [edition]


async def test_waiting_outlasts_a_relay_that_is_down(database, clock):
    await due(database, "ann")
    relay = ScriptedRelay()
    relay.trouble = NO_WAY
    asyncio.get_running_loop().call_later(0.05, lambda: setattr(relay, "trouble", None))
    report = await asyncio.wait_for(send(database, relay, clock, run=Run(wait=True)), 10)
    assert report.down == ""
    assert await sums_hold(database) == {"accepted": 1}


# --- the database's trouble


def commit_on_a_full_disk(_connection):
    raise sqlite3.OperationalError("database or disk is full")


@pytest.fixture
def full_disk():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


async def test_nothing_goes_out_after_a_permit_could_not_be_committed(database, clock, full_disk):
    await due(database, *(f"r{number}" for number in range(50)))

    def fill_the_disk(_mail: Mail):
        if len(relay.taken) == 5:
            full_disk.setattr(database._writes.dialect, "do_commit", commit_on_a_full_disk)
        return ACCEPTED

    relay = ScriptedRelay(fill_the_disk)
    with pytest.raises(StoreError, match="The disk is full"):
        await send(database, relay, clock, connections=3)
    offered = len(relay.offered)
    assert offered <= 9
    await asyncio.sleep(0.02)
    assert len(relay.offered) == offered
    assert relay.open_ones == 0
    full_disk.undo()

    relay.script = lambda _mail: ACCEPTED
    await send(database, relay, clock)
    assert await sums_hold(database) == {"accepted": 50}, "what the relay had answered was kept beside the database"
    assert relay.copies.total() == 50


async def test_once_nothing_could_be_committed_it_is_not_tried_again_and_what_is_heard_still_is_kept(
    database, clock, full_disk
):
    await due(database, *(f"r{number}" for number in range(20)))
    tries: list[int] = []
    gate = asyncio.Event()

    def full(_connection):
        tries.append(1)
        raise sqlite3.OperationalError("database or disk is full")

    class Slow(ScriptedRelay):
        """Answers the first three when the fourth has been refused its permit."""

        async def open(self):
            found = await super().open()
            send_one = found.send

            async def slowly(mail):
                if len(self.offered) >= 4:
                    full_disk.setattr(database._writes.dialect, "do_commit", full)
                else:
                    await gate.wait()
                return await send_one(mail)

            found.send = slowly
            return found

    relay = Slow()
    sending = asyncio.create_task(send(database, relay, clock, connections=4))
    gate.set()
    with pytest.raises(StoreError, match="The disk is full"):
        await sending
    assert len(tries) == 1
    full_disk.undo()
    await send(database, ScriptedRelay(), clock)
    assert await sums_hold(database) == {"accepted": 20}


async def test_a_connection_whose_last_result_cant_be_written_lets_the_others_end_first(database, clock, full_disk):
    """The error comes out when no connection is sending any more."""
    await due(database, *(f"r{number}" for number in range(30)))
    await change(database, "r3", email="not an address")
    sending = Counter()

    class Slow(ScriptedRelay):
        async def open(self):
            found = await super().open()
            send_one = found.send

            async def slowly(mail):
                sending["now"] += 1
                await asyncio.sleep(0.01)
                answer = await send_one(mail)
                sending["now"] -= 1
                return answer

            found.send = slowly
            return found

    def fill_the_disk(_mail: Mail):
        full_disk.setattr(database._writes.dialect, "do_commit", commit_on_a_full_disk)
        return ACCEPTED

    with pytest.raises(StoreError):
        await send(database, Slow(fill_the_disk), clock, connections=4)
    assert sending["now"] == 0


async def test_a_permit_that_lay_too_long_is_given_back_unused(database, clock, monkeypatch):
    await due(database, "ann", "bob")
    slept = [True, False]
    monkeypatch.setattr(permits.Permit, "stale", property(lambda _permit: slept.pop(0) if slept else False))
    relay = ScriptedRelay()
    report = await send(database, relay, clock, connections=1)
    assert [mail.recipient for mail in relay.offered] == [address("bob"), address("ann")]
    assert await sums_hold(database) == {"accepted": 2}
    assert report.missed == 0
    row = await row_of(database, "ann")
    assert (row.attempts, row.waits, row.doubts) == (0, 0, 0)


def test_a_permit_is_stale_after_a_second(monkeypatch):
    permit = permits.Permit(granted_at=100.0)
    monkeypatch.setattr(permits, "ticks", lambda: 101.0)
    assert not permit.stale
    monkeypatch.setattr(permits, "ticks", lambda: 101.01)
    assert permit.stale


async def test_a_permit_that_was_committed_long_before_we_heard_of_it_is_not_used(database, clock, monkeypatch):
    """As where the process was stopped between the commit and its news: the reader may have left meanwhile."""
    await due(database, "ann")
    real, late = database.write_stamped, [True]

    async def write_stamped(work, *args, **kwargs):
        result, stamp = await real(work, *args, **kwargs)
        return result, stamp - 5 if work is outbox.exchange and late and late.pop() else stamp

    monkeypatch.setattr(database, "write_stamped", write_stamped)
    relay = ScriptedRelay()
    report = await send(database, relay, clock, connections=1)
    assert len(relay.offered) == 1
    assert report.sent == 1
    assert (await row_of(database, "ann")).state == "accepted"


async def test_for_want_of_files_nobody_failed_no_relay_is_blamed_and_the_run_ends(database, clock):
    await due(database, "ann", "bob")

    class Short(ScriptedRelay):
        async def open(self):
            raise OutOfFiles

    report = Report()
    with pytest.raises(OutOfFiles, match="Too many files are open"):
        await send(database, Short(), clock, report=report)
    assert (report.down, report.missed) == ("", 0)
    await send(database, ScriptedRelay(), clock)
    assert await sums_hold(database) == {"accepted": 2}


async def test_where_files_are_short_it_sends_over_the_connections_that_it_got(database, clock):
    await due(database, *(f"r{number}" for number in range(12)))

    class Short(ScriptedRelay):
        async def open(self):
            if self.open_ones >= 2:
                raise OutOfFiles
            return await super().open()

    relay = Short()
    await send(database, relay, clock, connections=5)
    assert await sums_hold(database) == {"accepted": 12}
    assert relay.opened == 2


# --- one sender


async def test_the_second_sender_waits_and_names_the_first(database, database_url, monkeypatch):
    monkeypatch.setattr(delivering, "LOOK", 0.005)
    told: list[str] = []
    order: list[str] = []
    stop = asyncio.Event()

    async def second(other: Database) -> None:
        async with the_one_sender(other, "the second", told.append, stop):
            order.append("second")

    with Database(database_url) as other:
        async with the_one_sender(database, "mailer send, since 08:00", told.append, stop):
            waiting = asyncio.create_task(second(other))
            await asyncio.sleep(0.03)
            order.append("first")
        await asyncio.wait_for(waiting, 5)
    assert order == ["first", "second"]
    (sentence,) = told
    assert sentence.startswith("Waiting: mailer send, since 08:00 (process ")


async def test_a_stop_ends_waiting_for_the_other_sender(database, database_url):
    stop = asyncio.Event()
    with Database(database_url) as other:
        async with the_one_sender(database, "the first", print, stop):
            stop.set()
            with pytest.raises(Refused, match="Stopped while waiting"):
                async with the_one_sender(other, "the second", lambda _words: None, stop):
                    pytest.fail("two senders")


async def test_the_lock_is_given_back_when_sending_fails(database, database_url):
    with pytest.raises(StoreError):
        async with the_one_sender(database, "the first", print, asyncio.Event()):
            raise StoreError("no")
    with Database(database_url) as other:
        assert other.sender_lock.take("the second")


# --- the report


def test_a_report_names_many_and_counts_the_rest(monkeypatch):
    monkeypatch.setattr(delivering.report, "NAMED", 2)
    report = Report()
    for number in (1, 2, 3, 2):
        report.miss(number, delivering.Unreached(f"r{number}", DeliveryState.FAILED, "no", None))
    assert (list(report.unreached), report.unnamed, report.missed) == ([1, 2], {3}, 3)


def test_who_is_not_named_counts_once_and_not_at_all_once_they_have_it(monkeypatch):
    monkeypatch.setattr(delivering.report, "NAMED", 1)
    report = Report()
    for number in (1, 2, 3, 2, 3):
        report.miss(number, delivering.Unreached(f"r{number}", DeliveryState.DEFERRED, "later", None))
    assert (list(report.unreached), report.missed) == ([1], 3)
    report.reached(2)
    assert report.missed == 2
    report.reached(1)
    report.miss(3, delivering.Unreached("r3", DeliveryState.FAILED, "no", None))
    assert (list(report.unreached), report.unnamed, report.missed) == ([3], set(), 1)
    report.reached(3)
    assert report.missed == 0


async def test_who_has_it_in_the_end_was_reached_however_many_were_deferred_before(database, clock, monkeypatch):
    monkeypatch.setattr(delivering.report, "NAMED", 5)
    await due(database, *(f"r{number}" for number in range(20)))
    report = await send(database, ScriptedRelay(lambda _mail: GREYLISTED), clock)
    clock.move(minutes=10)
    await send(database, ScriptedRelay(lambda _mail: GREYLISTED), clock, report=report)
    assert (len(report.unreached), report.missed) == (5, 20)
    clock.move(minutes=20)
    await send(database, ScriptedRelay(), clock, report=report)
    assert (await sums_hold(database), report.missed) == ({"accepted": 20}, 0)


# --- what an edition's run does beside it, and what it leaves alone


async def test_a_run_of_a_cadence_settles_the_doubts_of_its_earlier_editions(database, clock):
    """Counted as given by the next plan, so nobody else would ever send them."""
    first = await due(database, "ann")
    await send(database, ScriptedRelay(in_turn(DOUBT)), clock, run=Run(edition=first))
    clock.move(days=7)
    await publish(database, "c")
    second = (await make_edition(database, now=clock())).edition.id
    relay = ScriptedRelay()
    await send(database, relay, clock, run=Run(edition=second))
    assert len(relay.offered) == 2
    assert await standing(database, first) == {"ann": "accepted"}
    assert await standing(database, second) == {"ann": "accepted"}
    assert await sums_hold(database) == {"accepted": 2}


async def test_who_is_too_old_to_be_tried_is_named_and_counts_as_not_reached(database, clock):
    await due(database, "ann", "bob")
    await send(database, ScriptedRelay(for_("bob", LATER)), clock, run=Run(limit=1))
    clock.move(days=3)
    report = await send(database, ScriptedRelay(), clock)
    assert {(name_of(who.address), who.state) for who in report.unreached.values()} >= {("bob", DeliveryState.EXPIRED)}
    assert report.missed == len(report.unreached)


async def test_a_doubt_that_is_held_is_named(database, clock):
    await due(database, "ann")
    await send(database, ScriptedRelay(in_turn(DOUBT)), clock, in_doubt="hold")
    clock.move(hours=1)
    report = await send(database, ScriptedRelay(), clock, in_doubt="hold")
    assert [(name_of(who.address), who.state) for who in report.unreached.values()] == [
        ("ann", DeliveryState.IN_DOUBT_HELD)
    ]
    assert await sums_hold(database) == {"in_doubt_held": 1}


@pytest.mark.parametrize("answer", [LATER, None], ids=["put off", "untried"])
async def test_a_doubt_that_is_too_old_for_its_second_copy_is_held_and_its_articles_do_not_come_again(
    database, clock, answer
):
    """The relay took the first copy and said nothing. The second is refused for now, or no run comes in time."""
    first = await due(database, "ann", "bob")
    relay = ScriptedRelay(for_("ann", (DOUBT, True)))
    await send(database, relay, clock)
    if answer is not None:
        clock.move(hours=1)
        relay.script = for_("ann", answer)
        await send(database, relay, clock)
    clock.move(hours=49)
    relay.script = lambda _mail: ACCEPTED

    report = await send(database, relay, clock)

    assert await standing(database) == {"ann": "in_doubt_held: too_old", "bob": "accepted"}
    (who,) = report.unreached.values()
    words = "may have arrived or not, and is not sent again by itself"
    assert (who.address, who.state, who.said) == (address("ann"), "in_doubt_held", words)
    assert report.finished == [first]
    await publish(database, "c")
    clock.move(days=7)
    second = (await make_edition(database, now=clock())).edition.id
    assert await contents(database, second) == {"ann": ["c"], "bob": ["c"]}
    await send(database, relay, clock)
    assert relay.copies == {address("ann"): 2, address("bob"): 2}
    assert [check.name for check in await checking.verify(database) if not check.holds] == []


async def test_a_test_copy_under_a_later_time_moves_nobody_elses_retry(database, clock):
    edition = await due(database, "ann")
    await send(database, ScriptedRelay(for_("ann", LATER)), clock)
    clock.move(days=7)
    await send(database, ScriptedRelay(), clock, run=Run(transactional=True))
    assert (await standing(database, edition))["ann"].startswith("deferred")
    clock.move(days=-7, hours=1)
    await send(database, ScriptedRelay(), clock)
    assert await sums_hold(database) == {"accepted": 1}


async def test_while_a_run_waits_for_a_retry_others_may_send(database, clock):
    await due(database, "ann")
    held: list[bool] = []
    released = [asyncio.Event(), asyncio.Event()]

    @asynccontextmanager
    async def turn():
        held.append(True)
        yield
        held.append(False)
        released[len(held) // 2 - 1].set()

    stop = asyncio.Event()
    running = asyncio.create_task(
        send(database, ScriptedRelay(for_("ann", LATER)), clock, run=Run(wait=True), stop=stop, turn=turn)
    )
    await asyncio.wait_for(released[0].wait(), 5)
    clock.move(minutes=10)
    await asyncio.wait_for(released[1].wait(), 5)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert held == [True, False, True, False]


async def test_one_mail_that_is_put_off_again_and_again_is_no_reason_to_pause_its_edition(database, clock):
    await due(database, "ann")
    put_off = Answer(Stage.DOT, Reply(451, "4.6.0", "content not checked"))

    def later():
        """Each look at the clock is a while on, so that a retry is due in the same run."""
        clock.move(minutes=20)
        return clock()

    relay = ScriptedRelay(in_turn(put_off))
    report = await send(database, relay, later)
    assert len(relay.offered) >= 5
    assert report.paused == {}
    assert await sums_hold(database) == {"deferred": 1}


async def test_who_was_put_off_and_leaves_before_the_retry_is_not_missed(database, clock):
    await due(database, "ann")
    report = Report()
    await send(database, ScriptedRelay(for_("ann", LATER)), clock, report=report)
    assert report.missed == 1
    clock.move(hours=1)

    class Leaving(ScriptedRelay):
        async def open(self):
            await database.write(lambda c: c.execute(update(subscribers).values(state="unsubscribed")).rowcount)
            return await super().open()

    await send(database, Leaving(), clock, report=report)
    assert report.missed == 0
    assert await standing(database) == {"ann": "skipped: unsubscribed"}


async def test_what_becomes_too_old_between_claim_and_permit_is_named(database, clock):
    await due(database, "ann")

    class Slow(ScriptedRelay):
        async def open(self):
            clock.move(days=9)
            return await super().open()

    report = await send(database, Slow(), clock)
    assert [(name_of(who.address), who.state) for who in report.unreached.values()] == [("ann", DeliveryState.EXPIRED)]
    assert await sums_hold(database) == {"expired": 1}


@pytest.mark.parametrize(("answer", "state"), [(REFUSED, "in_doubt_held"), (UNKNOWN, "failed")])
async def test_what_is_told_of_a_refused_second_copy_is_what_the_ledger_says(database, clock, answer, state):
    await due(database, "ann")
    await send(database, ScriptedRelay(lambda _mail: DOUBT), clock)
    clock.move(minutes=31)
    report = await send(database, ScriptedRelay(lambda _mail: answer), clock)
    assert await sums_hold(database) == {state: 1} == report.outcomes
    assert [who.state for who in report.unreached.values()] == [state]
