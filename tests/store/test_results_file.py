"""Results kept beside the database where it takes nothing: their bytes on the disk, and how they are brought in."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.core.delivery import Answer, Claimed, DeliveryState, Reply, Stage, Verdict
from mailer.core.judging import judge
from mailer.errors import StoreError
from mailer.store import controls, outbox, pickup, recovery
from mailer.store.database import Database
from mailer.store.outbox import Result
from mailer.store.results_file import ROOM, Known, ResultsFile
from mailer.store.tables import attempts, subscribers, suppressions
from tests.stories import MONDAY, address, change, join, make_edition, publish, row_of, standing, sums_hold

HALF_AN_HOUR = timedelta(minutes=30)
SOON = MONDAY + timedelta(minutes=5)
RECORD = 64
SPOTS = ROOM // RECORD


def a_claim(number: int, email: str = "ann@example.com") -> Claimed:
    return Claimed(number, 1, 1, number, 1, email, MONDAY, 0, 0, MONDAY, "", "")


def answered(item: Claimed, code: int = 250, enhanced: str = "2.0.0", stage: Stage = Stage.DOT, next_at=None) -> Result:
    answer = Answer(stage, Reply(code, enhanced, "whatever it said") if code else None)
    return Result(item, judge(answer), answer, next_at, "")


UNUSED = Verdict(DeliveryState.PENDING, "unused")
OUTCOMES = {
    "accepted": answered,
    "deferred": lambda item: answered(item, 451, "4.2.0", Stage.RCPT, SOON),
    "greylisted": lambda item: Result(
        item, Verdict(DeliveryState.DEFERRED, "greylisted"), Answer(Stage.RCPT, Reply(451)), SOON
    ),
    "lost before the dot": lambda item: answered(item, 0, "", Stage.BODY, SOON),
    "refused": lambda item: answered(item, 550, "5.2.1", Stage.RCPT),
    "no such address": lambda item: answered(item, 550, "5.1.1", Stage.RCPT),
    "message refused": lambda item: answered(item, 554, "5.6.0"),
    "message deferred": lambda item: answered(item, 451, "4.6.0", next_at=SOON),
    "unused": lambda item: Result(item, UNUSED, None),
}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "mailer.db-results"


@pytest.fixture
def file(path) -> Iterator[ResultsFile]:
    made = ResultsFile(path)
    made.prepare()
    yield made
    made.close()


def again(path: Path) -> list[Known]:
    """What a next sender finds."""
    other = ResultsFile(path)
    other.prepare()
    found = other.read()
    other.close()
    return found


# --- bytes on the disk


def test_its_room_is_taken_before_anything_is_kept_and_it_never_grows(file, path):
    assert (path.stat().st_size, path.stat().st_blocks * 512) == (ROOM, ROOM)
    file.keep(1, [answered(a_claim(number)) for number in range(1, 2 * SPOTS)], MONDAY)
    assert path.stat().st_size == ROOM


def test_a_file_that_a_crash_left_short_gets_the_rest_of_its_room(path):
    path.write_bytes(bytes(100))
    assert again(path) == []
    assert path.stat().st_size == ROOM


def test_it_is_its_owners_alone_whatever_the_umask(path):
    before = os.umask(0)
    try:
        assert again(path) == []
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_kept_is_there_before_anything_is_closed_and_names_nobody(file, path):
    file.keep(7, [answered(a_claim(12), 550, "5.1.1", Stage.RCPT)], MONDAY)
    data = path.read_bytes()
    assert data[:8] == (12).to_bytes(8, "little")
    assert data[8:16] == (7).to_bytes(8, "little")
    assert b"no_such_address" in data[:RECORD]
    assert data[RECORD:] == bytes(ROOM - RECORD)
    assert b"ann" not in data
    assert b"whatever it said" not in data


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_it_is_read_as_it_was_kept(file, path, outcome):
    result = outcome(a_claim(3))
    file.keep(9, [result], MONDAY)
    (known,) = again(path)
    verdict, reply = result.verdict, result.answer.reply if result.answer else None
    assert (known.delivery, known.epoch, known.at, known.next_at) == (3, 9, MONDAY, result.next_at)
    plain = Verdict(verdict.state, verdict.reason, costs=verdict.costs, hard_bounce=verdict.hard_bounce)
    assert known.verdict == plain
    assert (known.answer and known.answer.stage) == (result.answer and result.answer.stage)
    assert (known.answer and known.answer.reply) == (reply and Reply(reply.code))
    assert known.went_to("ann@example.com")
    assert not known.went_to("ann@example.org")


def test_a_doubt_is_not_kept_since_nothing_kept_is_one(file, path):
    file.keep(1, [answered(a_claim(1), 0)], MONDAY)
    assert path.read_bytes() == bytes(ROOM)


def test_what_is_kept_later_stands_behind_what_was_kept_before(file, path):
    file.keep(1, [answered(a_claim(1)), answered(a_claim(2))], MONDAY)
    file.keep(1, [answered(a_claim(3))], MONDAY)
    assert [known.delivery for known in again(path)] == [1, 2, 3]


def test_what_a_next_sender_keeps_does_not_overwrite_what_is_not_brought_in_yet(file, path):
    file.keep(1, [answered(a_claim(1))], MONDAY)
    other = ResultsFile(path)
    other.prepare()
    other.read()
    other.keep(2, [answered(a_claim(2))], MONDAY)
    other.close()
    assert [(known.delivery, known.epoch) for known in again(path)] == [(1, 1), (2, 2)]


def test_a_full_file_keeps_what_it_has_and_whole_records_only(file, path):
    file.keep(1, [answered(a_claim(number)) for number in range(1, 3 * SPOTS)], MONDAY)
    file.keep(1, [answered(a_claim(9999))], MONDAY)
    assert [known.delivery for known in again(path)] == list(range(1, SPOTS + 1))


@pytest.mark.parametrize("torn", range(0, RECORD, 7))
def test_a_torn_record_is_none_and_the_others_are_not_lost_with_it(file, path, torn):
    file.keep(1, [answered(a_claim(number)) for number in (1, 2, 3)], MONDAY)
    data = bytearray(path.read_bytes())
    data[RECORD + torn] ^= 0x40
    path.write_bytes(data)
    assert [known.delivery for known in again(path)] == [1, 3]


def test_a_record_of_which_a_crash_left_the_beginning_is_none(file, path):
    file.keep(1, [answered(a_claim(number)) for number in (1, 2)], MONDAY)
    data = path.read_bytes()
    path.write_bytes(data[: RECORD + 20] + bytes(ROOM - RECORD - 20))
    assert [known.delivery for known in again(path)] == [1]


def test_after_clearing_there_is_nothing_and_its_room_stays(file, path):
    file.keep(1, [answered(a_claim(1))], MONDAY)
    assert len(file.read()) == 1
    file.clear()
    assert again(path) == []
    assert path.stat().st_size == ROOM
    file.keep(2, [answered(a_claim(2))], MONDAY)
    assert [known.delivery for known in again(path)] == [2]


def test_where_the_disk_takes_nothing_at_all_it_is_silent(file, monkeypatch):
    def broken(*_arguments):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", broken)
        file.keep(1, [answered(a_claim(1))], MONDAY)
        file.clear()
    assert file.read() == []


def test_without_a_place_for_it_nothing_is_kept():
    nowhere = ResultsFile(None)
    nowhere.prepare()
    nowhere.keep(1, [answered(a_claim(1))], MONDAY)
    assert nowhere.read() == []
    nowhere.clear()
    nowhere.close()


def test_where_its_room_is_not_to_be_had_nothing_is_sent_and_a_sentence_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"results can't be written: .*\. Nothing was sent by this run\."):
        ResultsFile(tmp_path / "nowhere" / "mailer.db-results").prepare()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """One of 128 KiB; skips where we may not mount it."""
    with tempfile.TemporaryDirectory(prefix="mailer-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder]
        if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk takes root")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> None:
    with (folder / "filling").open("wb", buffering=0) as filling:
        while True:
            try:
                filling.write(bytes(4096))
            except OSError:
                return


def test_on_a_full_disk_there_is_room_for_every_record(small_disk):
    file = ResultsFile(small_disk / "results")
    file.prepare()
    fill(small_disk)
    file.keep(1, [answered(a_claim(number)) for number in range(1, SPOTS + 1)], MONDAY)
    file.close()
    assert len(again(small_disk / "results")) == SPOTS


def test_a_disk_that_is_full_before_is_said_and_half_a_file_is_not_taken_for_a_whole(small_disk):
    (small_disk / "much").write_bytes(bytes(100_000))
    for _ in range(2):
        with pytest.raises(StoreError, match="No space left on device"):
            ResultsFile(small_disk / "results").prepare()
    (small_disk / "much").unlink()
    assert again(small_disk / "results") == []


# --- brought in


@pytest.fixture
async def wire(database) -> tuple[int, list[Claimed]]:
    """Ann and Bob are on the wire. Returns the epoch, and them."""
    await publish(database, "a")
    await join(database, "ann", "bob")
    await make_edition(database)
    epoch, _ = await database.write(recovery.begin_epoch, HALF_AN_HOUR)
    claims, _ = await database.write(pickup.claim, epoch, 9, MONDAY)
    await database.write(outbox.exchange, epoch, [], claims, MONDAY)
    return epoch, claims


def kept(epoch: int, *results: Result) -> list[Known]:
    """These, through a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = ResultsFile(Path(folder) / "results")
        file.prepare()
        file.keep(epoch, results, MONDAY)
        found = file.read()
        file.close()
    return found


async def begin(database: Database, known: list[Known]) -> list[recovery.Doubt]:
    _, doubts = await database.write(recovery.begin_epoch, HALF_AN_HOUR, known, lambda email: f"mark of {email}")
    return doubts


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
async def test_a_known_result_is_the_same_in_the_ledger_as_if_it_had_been_committed(database, wire, outcome):
    """But what a reply said is not kept, only its code."""
    epoch, (ann, bob) = wire
    await database.write(outbox.settle, epoch, [replace(outcome(ann), fingerprint=f"mark of {ann.address}")], MONDAY)
    doubts = await begin(database, kept(epoch, outcome(bob)))
    assert doubts == []
    committed, known = await row_of(database, "ann"), await row_of(database, "bob")
    columns = ("state", "reason", "attempts", "waits", "doubts", "next_at", "settled_at", "epoch", "permit_at")
    assert {name: getattr(known, name) for name in columns} == {name: getattr(committed, name) for name in columns}
    notes = await database.read(lambda c: c.execute(select(attempts).order_by(attempts.c.delivery_id)).all())
    assert [(one.at, one.stage, one.code, one.outcome) for one in notes if one.delivery_id == bob.id] == [
        (one.at, one.stage, one.code, one.outcome) for one in notes if one.delivery_id == ann.id
    ]
    states = await database.read(lambda c: c.execute(select(subscribers.c.state)).scalars().all())
    assert states[0] == states[1]
    dead = await database.read(lambda c: c.execute(select(suppressions.c.email, suppressions.c.fingerprint)).all())
    assert {row[0] for row in dead} in [set(), {address("ann"), address("bob")}]
    assert all(row[1] == f"mark of {row[0]}" for row in dead)
    await sums_hold(database)


async def test_of_those_that_are_known_nobody_doubts_and_of_the_others_they_do(database, wire):
    epoch, (ann, bob) = wire
    doubts = await begin(database, kept(epoch, answered(ann)))
    assert [doubt.delivery for doubt in doubts] == [bob.id]
    assert await standing(database) == {"ann": "accepted", "bob": "in_doubt: sender_died"}


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
async def test_brought_in_again_it_changes_nothing_whatever_came_since(database, wire, outcome):
    epoch, (ann, bob) = wire
    known = kept(epoch, outcome(ann), outcome(bob))
    await begin(database, known)
    before = [await row_of(database, name) for name in ("ann", "bob")]
    await begin(database, known)
    assert [await row_of(database, name) for name in ("ann", "bob")] == before
    # Sent again, and on the wire of a later sender who died.
    later, _ = await database.write(recovery.begin_epoch, HALF_AN_HOUR)
    await database.write(recovery.ripen, SOON, hold=False)
    claims, _ = await database.write(pickup.claim, later, 9, SOON)
    await database.write(outbox.exchange, later, [], claims, SOON)
    doubts = await begin(database, known)
    assert [doubt.delivery for doubt in doubts] == [item.id for item in claims]


async def test_a_record_of_another_epoch_changes_nothing(database, wire):
    epoch, (ann, bob) = wire
    doubts = await begin(database, [*kept(epoch - 1, answered(ann)), *kept(epoch + 1, answered(bob))])
    assert len(doubts) == 2
    assert await sums_hold(database) == {"in_doubt": 2}


async def test_a_record_of_a_delivery_that_is_no_more_changes_nothing(database, wire):
    epoch, _ = wire
    await begin(database, kept(epoch, answered(a_claim(99)), answered(a_claim(98), 550, "5.1.1", Stage.RCPT)))
    assert await sums_hold(database) == {"in_doubt": 2}


async def test_a_dead_address_that_is_known_is_suppressed_but_not_the_new_one_of_a_reader_who_moved(database, wire):
    epoch, (ann, bob) = wire
    known = kept(epoch, *(answered(item, 550, "5.1.1", Stage.RCPT) for item in (ann, bob)))
    await change(database, "bob", email="bob@elsewhere.example")
    await begin(database, known)
    states = dict(
        map(tuple, await database.read(lambda c: c.execute(select(subscribers.c.email, subscribers.c.state)).all()))
    )
    assert states == {address("ann"): "bounced", "bob@elsewhere.example": "active"}
    assert await database.read(lambda c: c.execute(select(suppressions.c.email)).scalars().all()) == [address("ann")]
    assert await sums_hold(database) == {"failed": 2}


async def test_what_was_put_off_of_an_edition_that_was_cancelled_since_is_not_tried_again(database, wire):
    epoch, (ann, bob) = wire
    known = kept(epoch, answered(ann, 451, "4.2.0", Stage.RCPT, SOON), Result(bob, UNUSED, None))
    await database.write(controls.cancel, 1)
    await begin(database, known)
    assert await standing(database) == dict.fromkeys(["ann", "bob"], "skipped: cancelled")


async def test_of_a_reader_erased_since_it_is_settled_and_nobody_is_named(database, wire):
    epoch, (ann, _bob) = wire
    known = kept(epoch, answered(ann, 451, "4.2.0", Stage.RCPT, SOON))
    await database.write(
        lambda c: (
            c.execute(
                update(outbox.deliveries).where(outbox.deliveries.c.id == ann.id).values(subscriber_id=None)
            ).rowcount
        )
    )
    await begin(database, known)
    row = await database.read(
        lambda c: c.execute(select(outbox.deliveries).where(outbox.deliveries.c.id == ann.id)).one()
    )
    assert (row.state, row.reason) == ("skipped", "erased")
