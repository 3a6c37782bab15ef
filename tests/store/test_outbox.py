"""The ledger: claims, permits, results, recovery."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import event, insert, select, update

from mailer.core.delivery import Answer, Claimed, DeliveryState, Reply, Stage, Verdict
from mailer.core.judging import judge
from mailer.store import outbox, pickup, recovery, stats, watermarks
from mailer.store.database import Database
from mailer.store.outbox import Result
from mailer.store.tables import attempts, deliveries, editions, meta, subscribers, suppressions
from tests.stories import (
    DAY,
    MONDAY,
    address,
    change,
    join,
    make_edition,
    name_of,
    publish,
    row_of,
    standing,
    sums_hold,
)

HALF_AN_HOUR = timedelta(minutes=30)
LATER = MONDAY + timedelta(minutes=10)


@dataclass
class Sender:
    """One run of a sender, step by step."""

    database: Database
    epoch: int = 0

    async def begin(self) -> list[recovery.Doubt]:
        self.epoch, doubts = await self.database.write(recovery.begin_epoch, HALF_AN_HOUR)
        return doubts

    async def claim(self, limit: int = 100, now=MONDAY, sources=None) -> list[Claimed]:
        claimed, self.too_old = await self.database.write(pickup.claim, self.epoch, limit, now, sources)
        return claimed

    async def exchange(self, results=(), wanted=(), now=MONDAY) -> frozenset[int]:
        return await self.database.write(outbox.exchange, self.epoch, list(results), list(wanted), now)

    async def ripen(self, now, *, hold: bool = False) -> None:
        self.lapsed = await self.database.write(recovery.ripen, now, hold=hold)


@pytest.fixture
async def sender(database) -> Sender:
    """Ann, Bob and Cem are due a weekly digest; nothing is claimed yet."""
    await publish(database, "a", "b")
    await join(database, "ann", "bob", "cem")
    await make_edition(database)
    made = Sender(database)
    await made.begin()
    return made


def unclaimed(delivery: int) -> Claimed:
    """What a sender would hold that never claimed it."""
    return Claimed(delivery, 1, 1, 1, 1, address("ann"), MONDAY, 0, 0, MONDAY + DAY, "0" * 32, "")


def names(claims: list[Claimed]) -> list[str]:
    return [name_of(item.address) for item in claims]


def answered(item: Claimed, text_: str, stage: Stage = Stage.DOT, next_at=None, fingerprint: str = "") -> Result:
    code, _, rest = text_.partition(" ")
    enhanced, _, words = rest.partition(" ")
    answer = Answer(stage, Reply(int(code), enhanced, words)) if text_ else Answer(stage, None, "closed")
    return Result(item, judge(answer), answer, next_at, fingerprint)


async def on_the_wire(sender: Sender, count: int = 1) -> list[Claimed]:
    claims = (await sender.claim())[:count]
    assert await sender.exchange(wanted=claims) == {item.id for item in claims}
    return claims


# --- claims


async def test_a_claim_takes_each_delivery_once(sender):
    assert names(await sender.claim(limit=2)) == ["ann", "bob"]
    assert names(await sender.claim(limit=2)) == ["cem"]
    assert await sender.claim() == []
    assert await standing(sender.database) == dict.fromkeys(["ann", "bob", "cem"], "claimed")


async def test_a_claim_holds_all_that_a_message_is_made_from(sender):
    (ann, *_) = await sender.claim()
    edition = await sender.database.read(lambda c: c.execute(select(editions)).one())
    row = await row_of(sender.database, "ann")
    assert ann == Claimed(
        id=row.id,
        edition=edition.id,
        variant=row.variant_id,
        subscriber=1,
        generation=1,
        address="ann@example.com",
        joined_at=MONDAY - 30 * DAY,
        attempts=0,
        waits=0,
        expires_at=MONDAY + 2 * DAY,
        nonce=edition.nonce,
        key_id=edition.key_id,
    )


async def test_claims_come_in_order_transactional_then_the_oldest_edition_then_by_variant(database):
    await publish(database, "a", topics=["lungs"])
    await publish(database, "b")
    await join(database, "ann", topics=["heart"])
    await join(database, "bob")
    await join(database, "cem", topics=["heart"])
    weekly = await make_edition(database)
    await join(database, "dan", pace="daily")
    daily = await make_edition(database, "daily")
    variant = (await row_of(database, "dan")).variant_id
    await database.write(outbox.queue_test, variant, "me@example.com", "test-1", MONDAY + DAY)
    one, all_of_them = Sender(database), Sender(database)
    await one.begin()
    assert names(await one.claim(limit=1)) == ["me"]
    await all_of_them.begin()
    assert names(await all_of_them.claim()) == ["me", "bob", "ann", "cem", "dan"]
    await all_of_them.begin()
    assert names(await all_of_them.claim(sources=[None, daily.edition.id])) == ["me", "dan"]
    assert names(await all_of_them.claim(sources=[None])) == []
    assert names(await all_of_them.claim(sources=[weekly.edition.id])) == ["bob", "ann", "cem"]


async def test_nothing_is_claimed_of_an_edition_that_does_not_run(sender):
    await sender.database.write(lambda c: c.execute(update(editions).values(state="paused")).rowcount)
    assert await sender.claim() == []
    assert await sender.claim(sources=[None, 1]) == []


async def test_what_is_past_its_deadline_expires_instead_of_being_claimed(sender):
    await sender.database.write(
        lambda c: c.execute(update(deliveries).where(deliveries.c.id == 2).values(expires_at=MONDAY)).rowcount
    )
    assert names(await sender.claim(limit=2)) == ["ann", "cem"]
    assert (await standing(sender.database))["bob"] == "expired: too_old"


async def test_a_claim_given_back_is_anybodys(sender):
    claims = await sender.claim()
    await sender.database.write(pickup.give_back, sender.epoch, [claims[1].id])
    assert names(await sender.claim()) == ["bob"]


async def test_a_claim_of_an_older_run_is_not_given_back(sender):
    claims = await sender.claim()
    await sender.database.write(pickup.give_back, sender.epoch - 1, [item.id for item in claims])
    assert await sender.claim() == []


# --- permits


async def test_a_permit_is_given_once(sender):
    ann, bob, _ = await sender.claim()
    assert await sender.exchange(wanted=[ann]) == {ann.id}
    assert await sender.exchange(wanted=[ann, bob]) == {bob.id}
    row = await row_of(sender.database, "ann")
    assert (row.state, row.permit_at) == ("sending", MONDAY)


async def test_there_is_no_permit_without_a_claim(sender):
    assert await sender.exchange(wanted=[unclaimed(number) for number in (1, 2, 99)]) == frozenset()
    assert await standing(sender.database) == dict.fromkeys(["ann", "bob", "cem"], "pending")


def write(statement):
    return lambda sender: sender.database.write(lambda connection: connection.execute(statement).rowcount)


def reader(**columns):
    return write(update(subscribers).where(subscribers.c.email == address("ann")).values(**columns))


def delivery(**columns):
    return write(update(deliveries).where(deliveries.c.id == 1).values(**columns))


def edition(**columns):
    return write(update(editions).values(**columns))


MEANWHILE = [
    ("nothing happens", None, "sending"),
    ("the reader confirms again", reader(generation=2), "skipped: unsubscribed"),
    ("the reader is pending", reader(state="pending"), "skipped: pending"),
    ("the reader pauses", reader(state="paused"), "skipped: paused"),
    ("the reader leaves", reader(state="unsubscribed"), "skipped: unsubscribed"),
    ("the reader leaves and comes back", reader(state="active", generation=2), "skipped: unsubscribed"),
    ("the address bounces", reader(state="bounced"), "skipped: bounced"),
    ("the reader complains", reader(state="complained"), "skipped: complained"),
    ("the reader changes pace", reader(cadence="daily"), "sending"),
    ("the reader changes address", reader(email="ann@elsewhere.example"), "pending"),
    (
        "the address is suppressed",
        write(insert(suppressions).values(email=address("ann"), fingerprint="f", reason="x", at=MONDAY)),
        "skipped: suppressed",
    ),
    (
        "another address is suppressed",
        write(insert(suppressions).values(email=address("anna"), fingerprint="f", reason="x", at=MONDAY)),
        "sending",
    ),
    *(
        (f"the edition is {state}", edition(state=state), "pending")
        for state in ("planning", "paused", "held", "cancelled", "done", "coalesced")
    ),
    ("a newer run began", delivery(epoch=99), "claimed"),
    ("the row is another run's again", delivery(epoch=99, state="sending"), "sending"),
    ("its deadline passes", delivery(expires_at=MONDAY), "expired: too_old"),
    ("its deadline is near", delivery(expires_at=MONDAY + timedelta(milliseconds=1)), "sending"),
    ("it was superseded", delivery(state="expired", reason="superseded"), "expired: superseded"),
    ("it was skipped", delivery(state="skipped", reason="unsubscribed"), "skipped: unsubscribed"),
]


@pytest.mark.parametrize(
    ("meanwhile", "outcome"), [case[1:] for case in MEANWHILE], ids=[case[0] for case in MEANWHILE]
)
async def test_what_happens_between_claim_and_permit_decides(sender, meanwhile, outcome):
    ann, bob, _ = await sender.claim()
    if meanwhile is not None:
        await meanwhile(sender)
    granted = await sender.exchange(wanted=[ann, bob])
    assert (ann.id in granted) == (outcome == "sending" and (await row_of_id(sender, 1)).epoch == sender.epoch)
    row = await row_of_id(sender, 1)
    assert (f"{row.state}: {row.reason}" if row.reason else row.state) == outcome
    assert (row.settled_at is not None) == (row.state in {"skipped", "expired"} and row.reason != "superseded") or (
        "was" in outcome or row.settled_at is None
    )


async def row_of_id(sender: Sender, number: int):
    return await sender.database.read(lambda c: c.execute(select(deliveries).where(deliveries.c.id == number)).one())


async def test_a_reader_who_was_erased_gets_no_permit(sender):
    ann, *_ = await sender.claim()
    await sender.database.write(lambda c: c.exec_driver_sql("DELETE FROM subscribers WHERE id = 1").rowcount)
    assert await sender.exchange(wanted=[ann]) == frozenset()
    assert (await row_of_id(sender, 1)).reason == "erased"


async def test_a_test_copy_goes_whatever_its_address_is(sender):
    await change(sender.database, "ann", state="unsubscribed")
    await sender.database.write(lambda c: c.execute(update(editions).values(state="paused")).rowcount)
    await sender.database.write(outbox.queue_test, 1, address("ann"), "test-1", LATER)
    (copy,) = await sender.claim()
    assert (copy.address, copy.subscriber, copy.edition, copy.nonce) == (address("ann"), 0, None, "test-1")
    assert await sender.exchange(wanted=[copy]) == {copy.id}
    await sender.exchange([answered(copy, "550 5.1.1 user unknown", Stage.RCPT)])
    assert await sender.database.read(lambda c: c.execute(select(suppressions)).all()) == []


async def test_a_test_copy_expires_too(sender):
    await sender.database.write(outbox.queue_test, 1, "me@example.com", "test-1", LATER)
    (copy, *_) = await sender.claim()
    assert await sender.exchange(wanted=[copy], now=LATER) == frozenset()
    assert (await row_of_id(sender, copy.id)).state == "expired"


# --- results


SETTLED = [
    ("250 2.0.0 ok", Stage.DOT, "accepted", 0, 0, 0),
    ("550 5.1.1 user unknown", Stage.RCPT, "failed: no_such_address", 1, 0, 0),
    ("550 5.2.2 full", Stage.RCPT, "failed: refused", 1, 0, 0),
    ("554 5.6.0 bad", Stage.DOT, "failed: message_refused", 1, 0, 0),
    ("451 4.2.0 later", Stage.RCPT, "deferred: deferred", 1, 0, 0),
    ("451 4.6.0 not now", Stage.DOT, "deferred: message_deferred", 1, 0, 0),
    ("554 no thanks", Stage.RCPT, "failed: refused", 1, 0, 0),
    ("535 5.7.8 who are you", Stage.DATA, "deferred: authentication", 0, 1, 0),
    ("451 4.7.1 greylisted", Stage.RCPT, "deferred: greylisted", 0, 1, 0),
    ("454 4.7.0 throttling", Stage.RCPT, "deferred: throttled", 0, 1, 0),
    ("452 4.3.1 full", Stage.DOT, "deferred: relay_busy", 0, 1, 0),
    ("554 5.7.1 relay denied", Stage.RCPT, "deferred: policy", 0, 1, 0),
    ("", Stage.BODY, "deferred: connection_lost", 1, 0, 0),
    ("", Stage.DOT, "in_doubt: in_doubt", 0, 0, 1),
    ("421 4.3.0 closing", Stage.MAIL, "pending", 0, 0, 0),
]


@pytest.mark.parametrize(("said", "stage", "state", "costs", "waits", "doubts"), SETTLED, ids=[c[2] for c in SETTLED])
async def test_every_answer_is_written_down(sender, said, stage, state, costs, waits, doubts):
    (ann,) = await on_the_wire(sender)
    result = answered(ann, said, stage)
    waiting = result.verdict.state in {DeliveryState.DEFERRED, DeliveryState.IN_DOUBT}
    next_at = LATER if waiting else None
    await sender.exchange([Result(ann, result.verdict, result.answer, next_at)], now=MONDAY + timedelta(seconds=2))

    row = await row_of(sender.database, "ann")
    assert (await standing(sender.database))["ann"] == state
    assert (row.attempts, row.waits, row.doubts, row.next_at) == (costs, waits, doubts, next_at)
    assert (row.settled_at is None) == (waiting or state == "pending")
    noted = await sender.database.read(lambda c: c.execute(select(attempts)).all())
    if state == "accepted":
        assert noted == []
    else:
        assert [(n.delivery_id, n.stage, str(n.code), n.outcome) for n in noted] == [
            (ann.id, stage, said[:3] or "0", result.verdict.reason)
        ]
    await sums_hold(sender.database)


async def test_results_are_written_before_the_next_permits_are_judged(sender):
    ann, bob, _ = await sender.claim()
    await sender.exchange(wanted=[ann])
    assert await sender.exchange([answered(ann, "250 2.0.0 ok")], [bob]) == {bob.id}
    assert await standing(sender.database) == {"ann": "accepted", "bob": "sending", "cem": "claimed"}


async def test_a_result_of_an_older_run_changes_nothing(sender):
    (ann,) = await on_the_wire(sender)
    old = Sender(sender.database, sender.epoch)
    await sender.begin()
    await old.exchange([answered(ann, "550 5.1.1 user unknown", Stage.RCPT)])
    assert (await standing(sender.database))["ann"] == "in_doubt: sender_died"
    assert await sender.database.read(lambda c: c.execute(select(attempts)).all()) == []
    assert await sender.database.read(lambda c: c.execute(select(suppressions)).all()) == []


async def test_an_accepted_delivery_stays_accepted_whatever_comes_after(sender):
    (ann,) = await on_the_wire(sender)
    await sender.exchange([answered(ann, "250 2.0.0 ok")])
    await sender.exchange([answered(ann, "550 5.1.1 user unknown", Stage.RCPT), answered(ann, "", Stage.DOT)])
    assert (await standing(sender.database))["ann"] == "accepted"
    assert (
        await sender.database.read(lambda c: c.execute(select(subscribers).where(subscribers.c.id == 1)).one())
    ).state == "active"


async def test_a_dead_address_is_mailed_no_more_whatever_list_it_is_on(sender):
    ann, bob = await on_the_wire(sender, 2)
    dead = answered(ann, "550 5.1.1 user unknown", Stage.RCPT, fingerprint="abc")
    await sender.exchange([dead, answered(bob, "550 5.2.1 disabled", Stage.RCPT)])
    rows = await sender.database.read(lambda c: c.execute(select(suppressions)).all())
    assert [(row.email, row.fingerprint, row.reason) for row in rows] == [(address("ann"), "abc", "bounced")]
    states = await sender.database.read(
        lambda c: c.execute(select(subscribers.c.state).order_by(subscribers.c.id)).scalars().all()
    )
    assert states == ["bounced", "active", "active"]


async def test_a_bounce_is_not_held_against_a_reader_who_has_moved_meanwhile(sender):
    (ann,) = await on_the_wire(sender)
    await change(sender.database, "ann", email="ann@elsewhere.example")
    await sender.exchange([answered(ann, "550 5.1.1 user unknown", Stage.RCPT, fingerprint="abc")])
    (row,) = await sender.database.read(lambda c: c.execute(select(suppressions)).all())
    assert row.email == address("ann")
    states = await sender.database.read(lambda c: c.execute(select(subscribers.c.state)).scalars().all())
    assert set(states) == {"active"}


async def test_a_second_bounce_of_an_address_is_not_an_error(sender):
    ann, bob = await on_the_wire(sender, 2)
    await sender.exchange([answered(ann, "550 5.1.1 user unknown", Stage.RCPT, fingerprint="abc")])
    await sender.exchange([answered(bob, "550 5.1.1 user unknown", Stage.RCPT, fingerprint="abc")])
    assert len(await sender.database.read(lambda c: c.execute(select(suppressions)).all())) == 1


async def test_a_bounce_does_not_bring_back_somebody_who_left(sender):
    (ann,) = await on_the_wire(sender)
    await change(sender.database, "ann", state="unsubscribed")
    await sender.exchange([answered(ann, "550 5.1.1 user unknown", Stage.RCPT, fingerprint="abc")])
    assert (
        await sender.database.read(lambda c: c.execute(select(subscribers).where(subscribers.c.id == 1)).one())
    ).state == "unsubscribed"


async def test_a_permit_is_for_the_address_that_was_claimed_and_who_moved_is_claimed_anew(sender):
    claims = await sender.claim()
    await change(sender.database, "bob", email="bob@elsewhere.example")
    ann, bob, cem = claims
    assert await sender.exchange(wanted=claims) == {ann.id, cem.id}
    assert list((await standing(sender.database)).values()) == ["sending", "pending", "sending"]
    (again,) = await sender.claim()
    assert again == replace(bob, address="bob@elsewhere.example")
    assert await sender.exchange(wanted=[again]) == {bob.id}


async def test_a_permit_that_was_not_used_is_given_back_without_a_trace(sender):
    (ann,) = await on_the_wire(sender)
    await sender.exchange([Result(ann, Verdict(DeliveryState.PENDING, "unused"), None)])
    row = await row_of(sender.database, "ann")
    assert (row.state, row.attempts, row.waits, row.doubts) == ("pending", 0, 0, 0)
    assert await sender.database.read(lambda c: c.execute(select(attempts)).all()) == []


async def test_a_message_that_cant_be_built_is_that_readers_alone(sender):
    ann, bob, _ = await sender.claim()
    await sender.database.write(outbox.fail_render, sender.epoch, ann.id, "x" * 1000, MONDAY)
    await sender.database.write(outbox.fail_render, sender.epoch - 1, bob.id, "old run", MONDAY)
    row = await row_of(sender.database, "ann")
    assert (row.state, row.reason, row.settled_at) == ("render_failed", "x" * 200, MONDAY)
    assert (await standing(sender.database))["bob"] == "claimed"


async def test_the_first_words_of_a_long_reply_are_kept(sender):
    (ann,) = await on_the_wire(sender)
    await sender.exchange([answered(ann, "451 4.2.0 " + "x" * 5000, Stage.RCPT)])
    noted = await sender.database.read(lambda c: c.execute(select(attempts.c.text)).scalar_one())
    assert noted == "x" * 500


# --- leaving


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("pending", "skipped: unsubscribed"),
        ("claimed", "skipped: unsubscribed"),
        ("deferred", "skipped: unsubscribed"),
        ("sending", "sending"),
        ("in_doubt", "in_doubt"),
        ("accepted", "accepted"),
        ("failed", "failed"),
        ("in_doubt_held", "in_doubt_held"),
        ("expired", "expired"),
        ("render_failed", "render_failed"),
    ],
)
async def test_leaving_skips_what_is_not_on_the_wire(sender, state, after):
    await sender.database.write(
        lambda c: c.execute(update(deliveries).where(deliveries.c.id == 1).values(state=state)).rowcount
    )
    skipped = await sender.database.write(outbox.skip_reader, 1, "unsubscribed", MONDAY)
    assert skipped == (1 if after.startswith("skipped") else 0)
    assert await standing(sender.database) == {"ann": after, "bob": "pending", "cem": "pending"}


# --- recovery


async def test_a_new_run_finds_what_a_dead_one_left(sender):
    ann, bob, _ = await sender.claim()
    await sender.exchange(wanted=[ann, bob], now=LATER)
    await sender.exchange([answered(bob, "250 2.0.0 ok")])
    doubts = await sender.begin()
    assert doubts == [recovery.Doubt(ann.id, address("ann"), LATER + HALF_AN_HOUR)]
    assert await standing(sender.database) == {"ann": "in_doubt: sender_died", "bob": "accepted", "cem": "pending"}
    assert await sender.begin() == []


async def test_every_run_has_an_epoch_of_its_own(sender):
    epochs = [sender.epoch]
    for _ in range(3):
        await sender.begin()
        epochs.append(sender.epoch)
    assert epochs == [1, 2, 3, 4]
    assert await sender.database.read(lambda c: c.execute(select(meta.c.value)).scalars().all()) == [4]


async def test_a_doubt_is_tried_once_more_and_then_held(sender):
    await on_the_wire(sender)
    await sender.begin()
    await sender.ripen(MONDAY + HALF_AN_HOUR - timedelta(seconds=1))
    assert (await standing(sender.database))["ann"].startswith("in_doubt")
    await sender.ripen(MONDAY + HALF_AN_HOUR)
    assert (await standing(sender.database))["ann"].startswith("pending")

    again = [item for item in await sender.claim(now=LATER) if name_of(item.address) == "ann"]
    assert await sender.exchange(wanted=[again[0]], now=LATER) == {again[0].id}
    await sender.exchange([answered(again[0], "", Stage.DOT, next_at=LATER + HALF_AN_HOUR)])
    assert (await row_of(sender.database, "ann")).doubts == 2
    await sender.ripen(LATER + HALF_AN_HOUR)
    row = await row_of(sender.database, "ann")
    assert (row.state, row.next_at, row.settled_at) == ("in_doubt_held", None, LATER + HALF_AN_HOUR)


async def test_doubts_wait_for_the_operator_where_the_settings_say_so(sender):
    await on_the_wire(sender)
    await sender.begin()
    await sender.ripen(MONDAY + HALF_AN_HOUR, hold=True)
    assert (await standing(sender.database))["ann"].startswith("in_doubt_held")


async def test_a_deferred_one_is_tried_when_its_time_has_come(sender):
    (ann,) = await on_the_wire(sender)
    await sender.exchange([answered(ann, "451 4.2.0 later", Stage.RCPT, next_at=LATER)])
    await sender.begin()
    assert await sender.database.read(stats.looked_at) == LATER
    assert await sender.database.read(stats.looked_at, [None, 1]) == LATER
    assert await sender.database.read(stats.looked_at, [None]) is None
    await sender.ripen(LATER - timedelta(seconds=1))
    assert names(await sender.claim()) == ["bob", "cem"]
    await sender.ripen(LATER)
    assert names(await sender.claim(now=LATER)) == ["ann"]
    assert await sender.database.read(stats.looked_at) is None


async def test_a_deferred_one_expires_when_it_is_too_old(sender):
    (ann,) = await on_the_wire(sender)
    await sender.exchange([answered(ann, "451 4.2.0 later", Stage.RCPT, next_at=MONDAY + 3 * DAY)])
    await sender.ripen(MONDAY + 2 * DAY)
    row = await row_of(sender.database, "ann")
    assert (row.state, row.reason, row.settled_at) == ("expired", "too_old", MONDAY + 2 * DAY)


# --- what was in doubt once

WAITING = ["pending", "claimed", "deferred"]


async def doubted_once(sender: Sender, name: str = "ann", state: str = "pending", **columns) -> int:
    """Its first copy may have arrived, and the second is to go out: in this state now. Returns the delivery."""
    values = {"state": state, "reason": "in_doubt", "doubts": 1, "permit_at": MONDAY, "epoch": sender.epoch} | columns
    number = (await row_of(sender.database, name)).id
    await sender.database.write(
        lambda c: c.execute(update(deliveries).where(deliveries.c.id == number).values(**values)).rowcount
    )
    return number


async def test_what_was_in_doubt_once_is_held_where_others_expire(sender):
    """Ann's second copy was not claimed in time, Bob's not permitted, Cem's was put off for too long."""
    too_late = MONDAY + 2 * DAY
    numbers = [
        await doubted_once(sender, name, state, next_at=next_at)
        for name, state, next_at in (
            ("ann", "pending", None),
            ("bob", "claimed", None),
            ("cem", "deferred", MONDAY + 9 * DAY),
        )
    ]
    await sender.database.write(outbox.refuse, sender.epoch, numbers, too_late)
    await sender.ripen(too_late)
    assert await sender.claim(now=too_late) == []
    assert await standing(sender.database) == dict.fromkeys(["ann", "bob", "cem"], "in_doubt_held: too_old")
    (ann,), (cem,) = sender.too_old, sender.lapsed
    assert [(name_of(one.address), one.state) for one in (ann, cem)] == [
        ("ann", DeliveryState.IN_DOUBT_HELD),
        ("cem", DeliveryState.IN_DOUBT_HELD),
    ]
    row = await row_of(sender.database, "cem")
    assert (row.next_at, row.settled_at) == (None, too_late)


async def test_each_that_was_too_old_is_told_with_what_became_of_it(sender):
    await doubted_once(sender, "bob")
    assert await sender.claim(now=MONDAY + 2 * DAY) == []
    assert [(name_of(one.address), one.state) for one in sender.too_old] == [
        ("ann", DeliveryState.EXPIRED),
        ("bob", DeliveryState.IN_DOUBT_HELD),
        ("cem", DeliveryState.EXPIRED),
    ]


@pytest.mark.parametrize(
    ("said", "stage", "after"),
    [
        ("554 5.6.0 duplicate message", Stage.DOT, "in_doubt_held: message_refused"),
        ("552 5.2.2 mailbox full", Stage.RCPT, "in_doubt_held: refused"),
        ("550 5.1.1 user unknown", Stage.RCPT, "failed: no_such_address"),
        ("250 2.0.0 ok", Stage.DOT, "accepted"),
    ],
)
async def test_a_second_copy_that_is_refused_says_nothing_of_the_first(sender, said, stage, after):
    """But that there is no such address is true of both, and nobody is mailed there any more."""
    await doubted_once(sender)
    ann = next(item for item in await sender.claim() if name_of(item.address) == "ann")
    await sender.exchange(wanted=[ann])
    await sender.exchange([answered(ann, said, stage)])
    assert (await standing(sender.database))["ann"] == after
    assert (await row_of(sender.database, "ann")).settled_at == MONDAY


async def test_a_second_copy_that_cant_be_built_is_held_and_its_reason_names_nobody(sender):
    number = await doubted_once(sender, state="claimed")
    await sender.database.write(outbox.fail_render, sender.epoch, number, "ann@example.com can't be", MONDAY)
    assert (await standing(sender.database))["ann"] == "in_doubt_held: render_failed"


@pytest.mark.parametrize("state", WAITING)
@pytest.mark.parametrize("reason", ["unsubscribed", "paused"])
async def test_who_leaves_or_pauses_gets_no_second_copy_and_counts_as_having_the_first(sender, state, reason):
    number = await doubted_once(sender, state=state)
    await sender.database.write(outbox.skip_reader, 1, reason, MONDAY)
    assert (await row_of(sender.database, "ann")).state == "skipped"
    await settled(sender, "skipped", "accepted", "skipped")
    asked = select(subscribers.c.given).order_by(subscribers.c.id)
    given = await sender.database.read(lambda c: c.execute(asked).scalars().all())
    assert (number, given) == (1, [2, 2, None])


# --- watermarks


async def settled(sender: Sender, *states: str) -> list[int]:
    for number, state in enumerate(states, start=1):
        await sender.database.write(
            lambda c, number=number, state=state: (
                c.execute(update(deliveries).where(deliveries.c.id == number).values(state=state)).rowcount
            )
        )
    return await sender.database.write(watermarks.fold, LATER)


@pytest.mark.parametrize("state", ["pending", "claimed", "sending", "deferred", "in_doubt"])
async def test_an_edition_with_anything_unfinished_is_not_done(sender, state):
    assert await settled(sender, "accepted", "accepted", state) == []
    assert (await sender.database.read(lambda c: c.execute(select(editions.c.state)).scalar())) == "running"


async def test_a_done_edition_is_in_the_rows_of_those_who_have_it(sender):
    assert await settled(sender, "accepted", "in_doubt_held", "failed") == [1]
    rows = await sender.database.read(
        lambda c: c.execute(select(subscribers.c.given, subscribers.c.start).order_by(subscribers.c.id)).all()
    )
    assert [tuple(row) for row in rows] == [(2, None), (2, None), (None, 0)]
    edition_row = await sender.database.read(lambda c: c.execute(select(editions)).one())
    assert (edition_row.state, edition_row.done_at) == ("done", LATER)
    assert await sender.database.write(watermarks.fold, LATER) == []


async def test_a_watermark_never_goes_back(sender):
    await change(sender.database, "ann", given=9)
    await settled(sender, "accepted", "accepted", "accepted")
    rows = await sender.database.read(
        lambda c: c.execute(select(subscribers.c.given).order_by(subscribers.c.id)).scalars().all()
    )
    assert rows == [9, 2, 2]


# --- a million settled rows cost nothing


@pytest.fixture
def plans(database):
    """How SQLite carries out the last statements about deliveries, by EXPLAIN QUERY PLAN."""
    seen: list[tuple[str, object]] = []

    def remember(_connection, _cursor, statement, parameters, _context, many):
        if "deliveries" in statement and not statement.startswith("EXPLAIN"):
            seen.append((statement, parameters[0] if many else parameters))

    event.listen(database._writes, "before_cursor_execute", remember)

    async def explain() -> list[str]:
        statements, seen[:] = list(seen), []
        assert statements
        return await database.write(
            lambda c: [
                row[-1]
                for statement, parameters in statements
                for row in c.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                if " deliveries" in row[-1] or row[-1].split()[1:2] in (["d"], ["o"])
            ]
        )

    return explain


SMALL = (
    "ix_deliveries_in_doubt_held",
    "ix_deliveries_pending",
    "ix_deliveries_held",
    "ix_deliveries_later",
    "INTEGER PRIMARY KEY",
)
STEPS = {
    "claiming": lambda s: s.claim(sources=[None, 1]),
    "a permit": lambda s: s.exchange(wanted=[unclaimed(number) for number in (1, 2, 3)]),
    "a refusal": lambda s: s.database.write(outbox.refuse, s.epoch, [1, 2, 3], MONDAY),
    "a result": lambda s: s.exchange([answered(a_claim(1), "250 2.0.0 ok"), answered(a_claim(2), "", Stage.DOT)]),
    "giving back": lambda s: s.database.write(pickup.give_back, s.epoch, [1, 2, 3]),
    "beginning": lambda s: s.begin(),
    "ripening": lambda s: s.ripen(LATER),
    "ripening, hold": lambda s: s.ripen(LATER, hold=True),
    "what is next": lambda s: s.database.write(stats.looked_at),
    "what is next of some": lambda s: s.database.write(stats.looked_at, [None, 1]),
    "folding": lambda s: s.database.write(watermarks.fold, LATER),
    "what is unfinished": lambda s: s.database.write(stats.unfinished),
    "what is to do": lambda s: s.database.write(stats.to_do, None),
    "what is to do of one": lambda s: s.database.write(stats.to_do, 1),
}


def a_claim(number: int) -> Claimed:
    return Claimed(number, 1, 1, number, 1, "", None, 0, 0, LATER, "", "")


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
async def test_no_step_of_sending_reads_settled_rows(sender, plans, step):
    await step(sender)
    found = await plans()
    assert found
    assert [plan for plan in found if not any(small in plan for small in SMALL)] == []
    assert [plan for plan in found if plan.startswith("SCAN") and "INDEX ix_deliveries" not in plan] == []


async def test_looking_for_a_leaving_readers_mail_goes_by_the_open_editions(sender, plans):
    await sender.database.write(outbox.skip_reader, 1, "unsubscribed", MONDAY)
    assert await plans() == [
        "SEARCH deliveries USING INDEX sqlite_autoindex_deliveries_1 (edition_id=? AND subscriber_id=?)"
    ]
