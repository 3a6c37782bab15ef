"""A reader is erased: nothing of them is left, the ledger's sums hold, and no backup brings them back."""

import asyncio
import random
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from mailer.core.confirmation import Standing
from mailer.core.consent import Circumstances
from mailer.core.delivery import UNFINISHED, DeliveryState
from mailer.core.judging import judge
from mailer.core.signup import Outcome, SignupOptions
from mailer.core.subscription import Newcomer
from mailer.core.tokens import Wish, fingerprint
from mailer.errors import Refused, StoreError
from mailer.flows import checking, erasing, importing, subscribing
from mailer.flows.erasing import Erased
from mailer.flows.planning import queue_test_copy
from mailer.flows.subscribing.joining import Form
from mailer.store import erasure, outbox, pickup, recovery, stats
from mailer.store.database import Database
from mailer.store.erased_list import ErasedList, Erasure
from mailer.store.tables import (
    attempts,
    confirmations,
    consent,
    deliveries,
    notices,
    signup_attempts,
    subscribers,
    suppressions,
    variants,
)
from tests.flows.scripted import ACCEPTED, DOUBT, GREYLISTED, LATER, LOST, UNKNOWN, ScriptedRelay
from tests.stories import (
    DAY,
    KEY,
    MONDAY,
    WEEK,
    cadence,
    composer,
    join,
    make_edition,
    publish,
    row_of,
    send,
    sums_hold,
)

OLD_KEY = "the key before, long enough for anybody"
ANN = "ann@example.com"
LATER_ON = MONDAY + timedelta(hours=1)


def fingerprints(email: str) -> tuple[str, ...]:
    return tuple(fingerprint(email, key) for key in (OLD_KEY, KEY))


async def erase(database, who=ANN, now=LATER_ON) -> Erased:
    return await erasing.erase(database, who, now=now, fingerprints=fingerprints)


async def enforce(database, now=LATER_ON) -> int:
    return await erasing.enforce(database, now=now, fingerprints=fingerprints)


async def ask(database, statement) -> list:
    return await database.read(lambda c: c.execute(statement).all())


async def put(database, *statements) -> None:
    def work(connection) -> None:
        for statement in statements:
            connection.execute(statement)

    await database.write(work)


async def holds(database) -> None:
    """Every promise of `mailer verify`."""
    assert [check for check in await checking.verify(database) if not check.holds] == []


def dump(path: Path) -> str:
    connection = sqlite3.connect(path)
    text = "\n".join(connection.iterdump())
    connection.close()
    return text


def listed(path: Path) -> list[str]:
    return path.with_name("mailer.db-erased").read_text().splitlines()


@pytest.fixture
async def planned(database) -> int:
    """Ann, Bob and Cem are due a digest, which is made and not sent. Its id."""
    await publish(database, "one", "two")
    await join(database, "ann", "bob", "cem")
    made = await make_edition(database)
    assert made.edition
    return made.edition.id


@pytest.mark.parametrize("state", list(DeliveryState))
async def test_a_reader_is_erased_whatever_stands_in_the_ledger(database, planned, clock, state):
    row = await row_of(database, "ann")
    sent = {"permit_at": MONDAY, "attempts": 1, "epoch": 1}
    due = {"next_at": MONDAY + timedelta(minutes=30)} if state in ("deferred", "in_doubt") else {}
    await put(
        database,
        update(deliveries).where(deliveries.c.id == row.id).values(state=state, reason="said", **sent, **due),
        insert(attempts).values(delivery_id=row.id, at=MONDAY, stage="dot", text=f"<{ANN}>: no", outcome="x"),
    )

    assert await erase(database) == Erased(existed=True, deliveries=1)

    (left,) = await ask(database, select(deliveries).where(deliveries.c.id == row.id))
    gone = state in ("pending", "claimed", "deferred")
    assert left.state == ("skipped" if gone else state)
    assert left.reason == ("erased" if gone else "" if state == "render_failed" else "said")
    assert (left.subscriber_id, left.address, left.attempts) == (None, None, 1)
    assert left.variant_id == row.variant_id
    assert [one.text for one in await ask(database, select(attempts))] == [""]
    await sums_hold(database)

    clock.now = MONDAY + 3 * timedelta(hours=1)
    relay = ScriptedRelay()
    await send(database, relay, clock)
    clock.move(hours=1)
    await send(database, relay, clock)
    assert relay.copies == {"bob@example.com": 1, "cem@example.com": 1}
    states = await sums_hold(database)
    assert not set(states) & UNFINISHED
    if state == "sending":
        assert states["in_doubt_held"] == 1  # its sender had died
    (edition,) = await ask(database, select(outbox.editions.c.state))
    assert edition.state == "done"
    await holds(database)


@pytest.mark.parametrize("answer", [DOUBT, LATER, GREYLISTED, LOST, UNKNOWN])
async def test_what_is_on_the_wire_settles_by_its_number_and_is_never_tried_again(
    database, database_path, planned, clock, answer
):
    await put(database, update(deliveries).where(deliveries.c.subscriber_id > 1).values(state="skipped"))
    epoch, _ = await database.write(recovery.begin_epoch, timedelta(minutes=30))
    (item,), _ = await database.write(pickup.claim, epoch, 10, MONDAY)
    assert await database.write(outbox.exchange, epoch, [], [item], MONDAY) == {item.id}

    await erase(database)
    result = outbox.Result(item, judge(answer), answer, MONDAY + timedelta(minutes=5), fingerprint(ANN, KEY))
    await database.write(outbox.exchange, epoch, [result], [], MONDAY)

    relay = ScriptedRelay()
    for _ in range(3):
        clock.move(hours=1)
        await send(database, relay, clock)
    assert relay.offered == []
    (left,) = await ask(database, select(deliveries).where(deliveries.c.id == item.id))
    expected = {DOUBT: "in_doubt_held", UNKNOWN: "failed"}.get(answer, "skipped")
    assert left.state == expected
    assert left.reason == ("erased" if expected == "skipped" else left.reason)
    assert ANN not in dump(database_path)
    assert [row.reason for row in await ask(database, select(suppressions))] == ["erased"]
    await holds(database)


async def test_nothing_that_tells_of_them_is_left(database, database_path, planned):
    (ann,) = await ask(database, select(subscribers.c.id).where(subscribers.c.email == ANN))
    await put(database, update(subscribers).where(subscribers.c.id == ann.id).values(name="Ann Archer"))

    def asked(connection) -> None:
        made = connection.execute(
            insert(variants).values(
                lo=0, language="en", articles=[], subject="For ann", content=b"Dear ann, press here"
            )
        ).inserted_primary_key[0]
        mail = connection.execute(
            insert(deliveries).values(
                subscriber_id=ann.id, variant_id=made, purpose="confirm", dedupe_key="k", address=ANN, expires_at=MONDAY
            )
        ).inserted_primary_key[0]
        wish = connection.execute(
            insert(confirmations).values(
                kind="move", subscriber_id=ann.id, generation=1, asked_at=MONDAY, address="annette@example.com"
            )
        ).inserted_primary_key[0]
        connection.execute(
            insert(notices).values(
                kind="confirm", subscriber_id=ann.id, generation=1, confirmation_id=wish, wanted_at=MONDAY,
                delivery_id=mail, told={"name": "Ann Archer"},
            )
        )  # fmt: skip
        connection.execute(
            insert(consent).values(
                subscriber_id=ann.id, at=MONDAY, event="asked", route="form", ip="192.0.2.7", agent="Lynx"
            )
        )
        for mark in (*fingerprints(ANN), *fingerprints("bob@example.com")):
            connection.execute(
                insert(signup_attempts).values(at=MONDAY, address=mark, network="192.0.2.7", domain="x", outcome="x")
            )
        connection.execute(insert(suppressions).values(email=ANN, fingerprint="of yore", reason="never", at=MONDAY))

    await database.write(asked)
    await queue_test_copy(database, cadence(), ANN, now=MONDAY, composer=composer(), draw=lambda: "d" * 32, max_age=DAY)
    (test_copy,) = await ask(database, select(deliveries.c.id).where(deliveries.c.purpose == "test"))

    erased = await erase(database, ann.id)

    assert erased == Erased(existed=True, deliveries=3, traces=3)
    text = dump(database_path)
    for word in (ANN, "Archer", "annette", "Lynx", fingerprint(ANN, OLD_KEY), "Dear ann", "For ann"):
        assert word not in text
    assert len(await ask(database, select(signup_attempts))) == 2
    (left,) = await ask(database, select(deliveries).where(deliveries.c.id == test_copy.id))
    assert (left.state, left.reason, left.address) == ("skipped", "erased", None)
    (tried,) = await ask(database, select(variants).where(variants.c.id == left.variant_id))
    assert tried.content  # a test copy says nothing of anybody
    # A hash under a key in use goes in beside one that nobody can compute any more; the reason stays.
    kept = await ask(database, select(suppressions))
    assert {(row.email, row.fingerprint, row.reason) for row in kept} == {
        (None, "of yore", "never"),
        (None, fingerprint(ANN, KEY), "never"),
    }
    await holds(database)


async def test_the_bytes_of_the_file_have_the_address_no_more(database_path):
    with Database(f"sqlite:///{database_path}") as database:
        await publish(database, "one")
        await join(database, *(f"reader{number}" for number in range(500)), "ann")
        await erase(database)
    connection = sqlite3.connect(database_path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert ANN.encode() not in database_path.read_bytes()


async def test_once_more_there_is_nothing_to_erase(database, database_path, planned):
    await erase(database)
    before = dump(database_path)

    assert await erase(database) == Erased(existed=False)
    assert await erase(database, 1) == Erased(existed=False)
    assert await erase(database, "nobody@example.com") == Erased(existed=False)

    assert dump(database_path) == before
    assert len(listed(database_path)) == 1


async def test_an_address_that_is_no_readers_leaves_its_traces(database, database_path):
    values = {"email": ANN, "fingerprint": fingerprint(ANN, OLD_KEY), "reason": "bounced", "at": MONDAY}
    await put(database, insert(suppressions).values(**values))

    assert await erase(database) == Erased(existed=False, traces=1)

    assert [tuple(row)[1:] for row in await ask(database, select(suppressions))] == [
        (None, fingerprint(ANN, OLD_KEY), "bounced", MONDAY)
    ]
    assert listed(database_path) == [f"{fingerprint(ANN, OLD_KEY)} 2026-11-23T09:00:00.000+00:00 bounced"]


async def test_an_erased_address_comes_back_by_no_list(database, planned, tmp_path):
    await erase(database)
    newcomer = Newcomer(ANN, "weekly")
    with pytest.raises(Refused, match=r"ann@example\.com is suppressed"):
        await subscribing.add(database, newcomer, now=MONDAY, statement="asked", fingerprints=fingerprints)
    file = tmp_path / "readers.csv"
    file.write_text(f"email,cadence\n{ANN},weekly\n")
    report = await importing.import_subscribers(
        database,
        file,
        now=MONDAY,
        cadences={"weekly": cadence()},
        topics={},
        default_cadence="",
        statement="asked",
        fingerprints=fingerprints,
        progress=lambda _report: None,
    )
    assert (report.added, report.refused_count) == (0, 1)
    assert await ask(database, select(subscribers.c.id).where(subscribers.c.email == ANN)) == []


async def test_without_a_key_nobody_can_be_kept_out_so_nobody_is_erased(database, planned):
    with pytest.raises(Refused, match="There is no secret key"):
        await erasing.erase(database, ANN, now=MONDAY, fingerprints=lambda _email: ())
    assert len(await ask(database, select(subscribers))) == 3


async def test_where_the_list_cannot_be_written_nothing_is_erased(database, database_path, planned):
    database_path.with_name("mailer.db-erased").mkdir()
    before = dump(database_path)
    with pytest.raises(StoreError, match=r"mailer\.db-erased can't be written"):
        await erase(database)
    assert dump(database_path) == before


async def test_who_did_not_get_it_has_no_name(database, planned, clock):
    await send(database, ScriptedRelay(lambda _mail: UNKNOWN), clock)
    await erase(database)
    missed = await database.read(stats.missed, planned, 10)
    assert missed[0].address == "(erased)"
    assert missed[0].said == "550 5.1.1"
    assert await database.read(stats.history, 1) == []


async def test_the_others_go_on_as_if_nothing_had_been(database, planned, clock):
    await send(database, ScriptedRelay(), clock)
    await erase(database)
    await publish(database, "three")
    await make_edition(database, now=MONDAY + WEEK)
    clock.now = MONDAY + WEEK
    relay = ScriptedRelay()
    await send(database, relay, clock)
    assert set(relay.copies) == {"bob@example.com", "cem@example.com"}
    await holds(database)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_readers_who_are_erased_at_any_moment_of_a_run_leave_sums_that_hold(database, database_path, clock, seed):
    chance = random.Random(seed)
    names = [f"r{number}" for number in range(40)]
    chosen = chance.sample(names, 15)
    answers = [ACCEPTED, ACCEPTED, DOUBT, LATER, GREYLISTED, LOST, UNKNOWN]
    await publish(database, "one", "two")
    await join(database, *names)
    await make_edition(database)
    relay = ScriptedRelay(lambda _mail: chance.choice(answers))

    async def erase_some(some) -> None:
        for name in some:
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
            assert (await erase(database, f"{name}@example.com", clock())).existed

    for some in (chosen[:10], chosen[10:], []):
        await asyncio.gather(send(database, relay, clock), erase_some(some))
        clock.move(hours=1)
    offered = len(relay.offered)
    for _ in range(9):
        await send(database, relay, clock)
        clock.move(hours=6)
    later = {mail.recipient.partition("@")[0] for mail in relay.offered[offered:]}

    assert later.isdisjoint(chosen)
    assert not set(await sums_hold(database)) & UNFINISHED
    text = dump(database_path)
    assert [name for name in chosen if f"{name}@" in text] == []
    assert len(listed(database_path)) == len(chosen)
    await holds(database)


# A restored backup


def backup(path: Path) -> None:
    source, target = sqlite3.connect(path), sqlite3.connect(path.with_name("backup.db"))
    source.backup(target)
    source.close()
    target.close()


def restore(path: Path) -> Database:
    for rest in ("-wal", "-shm"):
        path.with_name(f"{path.name}{rest}").unlink(missing_ok=True)
    shutil.copy(path.with_name("backup.db"), path)
    return Database(f"sqlite:///{path}")


async def test_a_restored_backup_brings_nobody_back(database_path, clock):
    with Database(f"sqlite:///{database_path}") as database:
        await publish(database, "one")
        await join(database, "ann", "bob", "cem")
        await make_edition(database)
        backup(database_path)
        assert await enforce(database) == 0  # there is no list yet
        await erase(database)
        await erase(database, "cem@example.com")
        assert await enforce(database) == 0  # nothing is missing
    with restore(database_path) as database:
        assert len(await ask(database, select(subscribers))) == 3

        assert await enforce(database, now=LATER_ON + DAY) == 2

        assert [row.email for row in await ask(database, select(subscribers.c.email))] == ["bob@example.com"]
        assert "ann@" not in dump(database_path)
        assert {row.fingerprint for row in await ask(database, select(suppressions))} == {
            fingerprint(ANN, KEY),
            fingerprint("cem@example.com", KEY),
        }
        assert await enforce(database) == 0
        assert len(listed(database_path)) == 2
        relay = ScriptedRelay()
        await send(database, relay, clock)
        assert set(relay.copies) == {"bob@example.com"}
        await holds(database)
    assert database_path.with_name("mailer.db-erased").stat().st_mode & 0o777 == 0o600


async def test_a_check_that_breaks_off_goes_on_with_the_next_one(database_path, monkeypatch):
    with Database(f"sqlite:///{database_path}") as database:
        await join(database, "ann", "bob")
        backup(database_path)
        await erase(database)
        await erase(database, "bob@example.com")
    with restore(database_path) as database:
        real = erasing._again
        done = []

        def once(*args):
            if done:
                raise StoreError("the disk is full")
            done.append(args)
            return real(*args)

        monkeypatch.setattr(erasing, "_again", once)
        with pytest.raises(StoreError):
            await enforce(database)
        monkeypatch.setattr(erasing, "_again", real)
        assert await enforce(database) == 1
        assert await ask(database, select(subscribers)) == []


async def test_who_has_consented_since_is_not_erased_again(database_path):
    with Database(f"sqlite:///{database_path}") as database:
        await join(database, "ann")
        await erase(database)
        # They signed up on the form, and whoever keeps the database took the suppression out of it.
        await put(database, suppressions.delete())
        await join(database, "ann")
        await put(database, update(subscribers).values(joined_at=LATER_ON + DAY))

        assert await enforce(database, now=LATER_ON + 2 * DAY) == 0

        assert [row.email for row in await ask(database, select(subscribers.c.email))] == [ANN]
        assert [(row.email, row.reason) for row in await ask(database, select(suppressions))] == [(None, "erased")]


async def test_what_was_there_of_reasons_comes_back_with_them(database_path):
    with Database(f"sqlite:///{database_path}") as database:
        await join(database, "ann")
        backup(database_path)
        mark = fingerprint(ANN, OLD_KEY)
        await put(database, insert(suppressions).values(email=ANN, fingerprint=mark, reason="complained", at=MONDAY))
        await erase(database)
    with restore(database_path) as database:
        assert await enforce(database) == 1
        assert [(row.fingerprint, row.reason) for row in await ask(database, select(suppressions))] == [
            (mark, "complained")
        ]


async def test_whoever_signs_up_again_after_an_erasure_is_a_reader_and_stays_one(database, database_path):
    await join(database, "ann")
    await erase(database)
    back = LATER_ON + DAY
    form = Form(Newcomer(ANN, "daily"), Circumstances("page"), "192.0.2.7")
    options = SignupOptions()
    outcome = await subscribing.ask_to_join(database, form, now=back, options=options, fingerprints=fingerprints)
    assert outcome == Outcome.CONFIRM
    assert await enforce(database, now=back) == 0
    (wish,) = await ask(database, select(confirmations))
    pressed = await subscribing.confirm(
        database,
        Wish(wish.id, wish.generation, int(back.timestamp())),
        "join",
        now=back,
        about=Circumstances("link"),
        options=options,
        domain="site.example",
        fingerprints=fingerprints,
    )
    assert pressed.standing == Standing.DONE

    for _ in range(2):
        assert await enforce(database, now=back + DAY) == 0

    (reader,) = await ask(database, select(subscribers))
    assert (reader.email, reader.state, reader.cadence) == (ANN, "active", "daily")
    assert reader.id == 2  # the number of the erased one speaks for nobody


async def test_who_came_back_and_bounces_is_suppressed_for_that(database, clock):
    await publish(database, "one")
    await join(database, "ann")
    mark = fingerprint(ANN, KEY)
    await put(database, insert(suppressions).values(fingerprint=mark, reason="erased", at=MONDAY - DAY))
    await make_edition(database)
    await send(database, ScriptedRelay(lambda _mail: UNKNOWN), clock)
    assert [tuple(row)[1:] for row in await ask(database, select(suppressions))] == [(ANN, mark, "bounced", MONDAY)]


# The list


def test_a_torn_line_spoils_neither_the_lines_before_nor_those_after(tmp_path):
    path = tmp_path / "mailer.db-erased"
    kept = ErasedList(path)
    kept.add([Erasure("a" * 64, MONDAY)])
    path.write_text(path.read_text() + "b" * 30)
    kept.add([Erasure("c" * 64, MONDAY, "never"), Erasure("d" * 64, MONDAY)])
    kept.add([Erasure("d" * 64, MONDAY, "allowed")])
    assert kept.read() == {
        "a" * 64: Erasure("a" * 64, MONDAY),
        "c" * 64: Erasure("c" * 64, MONDAY, "never"),
    }


@pytest.mark.parametrize("line", ["", "a", "a b c", "a 2026-01-01 erased", "a 2026-01-01T00:00:00 x", "ä \udcff x"])
def test_a_line_that_is_none_is_passed_over(tmp_path, line):
    path = tmp_path / "mailer.db-erased"
    path.write_bytes(f"{line}\n".encode("utf-8", "surrogateescape"))
    assert ErasedList(path).read() == {}


async def test_the_ledger_is_asked_by_its_index(database):
    def plan(connection) -> str:
        statements: list[str] = []
        real = connection.execute

        def watch(statement, *args):
            if str(statement).startswith("SELECT deliveries.id"):
                compiled = statement.compile(connection.engine, compile_kwargs={"literal_binds": True})
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
                statements.extend(row[3] for row in rows)
            return real(statement, *args)

        connection.execute = watch
        erasure._deliveries(connection, ANN, 1)
        return "\n".join(statements)

    found = await database.read(plan)
    assert found.count("SEARCH deliveries USING INDEX") == 3
    assert "SCAN deliveries" not in found
