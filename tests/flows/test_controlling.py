"""What the operator says to a run: an edition paused, resumed, cancelled, and a doubt resolved."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from mailer.core.consent import Circumstances
from mailer.core.delivery import EditionState
from mailer.errors import NotFound, Refused
from mailer.flows import checking, controlling, releasing, subscribing
from mailer.flows.delivering import Run, line
from mailer.store import controls, doubts, due, editions, erasure, outbox, pickup, recovery
from mailer.store.database import Database
from mailer.store.tables import attempts, deliveries
from mailer.store.tables import editions as edition_table
from tests.flows.scripted import ACCEPTED, DOUBT, LATER, REFUSED, ScriptedRelay
from tests.stories import (
    DAY,
    MONDAY,
    WEEK,
    address,
    cadence,
    contents,
    join,
    make_edition,
    publish,
    row_of,
    send,
    standing,
    sums_hold,
)

MAX_AGE = timedelta(hours=48)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(line.Line.__init__, "__defaults__", (0.001,))


async def due_to(database: Database, *names: str) -> int:
    """These readers are due a weekly digest. Returns its edition."""
    await publish(database, "a", "b")
    await join(database, *names)
    return (await make_edition(database)).edition.id


def next_due(name: str, now=MONDAY):
    return cadence(name).next_due(now)


async def resume(database, edition, now=MONDAY):
    return await controlling.resume(
        database, edition, now=now, max_age=MAX_AGE, next_due=lambda name: next_due(name, now)
    )


async def cancel(database, edition, now=MONDAY):
    return await controlling.cancel(database, edition, now=now)


async def resolve(database, name, word, now=MONDAY, edition=None):
    row = await row_of(database, name, edition)
    return await controlling.resolve(database, row.id, word, now=now, max_age=MAX_AGE)


async def verified(database) -> None:
    """The promises hold, and so do the sums."""
    await sums_hold(database)
    assert [check.name for check in await checking.verify(database) if not check.holds] == []


def after(count: int, act, otherwise=ACCEPTED):
    """A script: when so many mails were offered, `act` is queued with the writer, before the answer is known."""
    seen = []

    def script(_mail):
        seen.append(1)
        if len(seen) == count:
            act()
        return otherwise

    return script


# --- pause and resume


async def test_a_pause_midway_is_in_force_within_one_message_per_connection(database, clock):
    edition = await due_to(database, *(f"r{n}" for n in range(40)))
    relay = ScriptedRelay(after(10, lambda: database._writer.submit(lambda c: controls.pause(c, edition))))

    await send(database, relay, clock, connections=3)

    assert 10 <= len(relay.taken) <= 10 + 3
    assert (await sums_hold(database)) == {"accepted": len(relay.taken), "pending": 40 - len(relay.taken)}
    await send(database, relay, clock)
    assert len(relay.taken) <= 13


async def test_what_was_paused_goes_on_and_everybody_gets_one_copy(database, clock):
    edition = await due_to(database, *(f"r{n}" for n in range(20)))
    relay = ScriptedRelay(after(5, lambda: database._writer.submit(lambda c: controls.pause(c, edition))))
    await send(database, relay, clock, connections=2)

    stands = await resume(database, edition)

    assert stands.edition.state == "running"
    await send(database, relay, clock)
    assert set(relay.copies.values()) == {1}
    assert len(relay.copies) == 20
    assert await sums_hold(database) == {"accepted": 20}
    await verified(database)


async def test_the_answer_says_how_many_have_it(database, clock):
    edition = await due_to(database, "ann", "bob", "cid")
    await send(database, ScriptedRelay(lambda mail: LATER if "ann" in mail.recipient else ACCEPTED), clock)

    stands = await controlling.pause(database, edition)

    assert (stands.edition.state, stands.edition.reason) == (EditionState.PAUSED, "")
    assert (stands.states["accepted"], stands.states["deferred"]) == (2, 1)


async def test_nothing_expires_while_it_is_paused(database, clock):
    """One waits untried, one is due for its second try, one will be: the pause is longer than they are tried."""
    edition = await due_to(database, "ann", "bob", "cid")
    await send(database, ScriptedRelay(lambda _mail: LATER), clock, run=Run(limit=2), connections=1)
    await controlling.pause(database, edition)
    await _write(
        database, update(deliveries).where(deliveries.c.subscriber_id == 1).values(next_at=MONDAY + timedelta(days=4))
    )
    clock.move(days=3)
    await send(database, relay := ScriptedRelay(), clock)
    assert relay.offered == []
    assert await sums_hold(database) == {"pending": 2, "deferred": 1}

    await resume(database, edition, clock())
    await send(database, relay, clock)
    clock.move(days=1)
    await send(database, relay, clock)

    assert await sums_hold(database) == {"accepted": 3}


async def test_a_resumed_edition_is_tried_until_its_cadence_is_due_again_and_no_deadline_comes_nearer(database):
    edition = await due_to(database, "ann")
    later = MONDAY + WEEK - timedelta(hours=20)

    await controlling.pause(database, edition)
    await resume(database, edition)
    assert (await row_of(database, "ann")).expires_at == MONDAY + MAX_AGE

    await controlling.pause(database, edition)
    await resume(database, edition, later)
    assert (await row_of(database, "ann")).expires_at == next_due("weekly", later) < later + MAX_AGE

    await controlling.pause(database, edition)
    await resume(database, edition)
    assert (await row_of(database, "ann")).expires_at == next_due("weekly", later)


async def test_the_next_edition_stands_for_one_that_is_still_paused_which_is_done_then(database, clock):
    edition = await due_to(database, "ann")
    await controlling.pause(database, edition)
    clock.move(weeks=1)
    await publish(database, "c")

    later = (await make_edition(database, now=clock())).edition.id
    await send(database, relay := ScriptedRelay(), clock)

    assert (await contents(database, later))["ann"] == ["c", "b", "a"]
    assert relay.copies == {address("ann"): 1}
    assert (await database.read(editions.by_id, edition)).state == "done"
    await verified(database)


async def test_an_edition_of_which_the_rest_settled_while_it_was_paused_is_done(database, clock):
    edition = await due_to(database, "ann")
    relay = ScriptedRelay(after(1, lambda: database._writer.submit(lambda c: controls.pause(c, edition))))

    report = await send(database, relay, clock)

    assert report.finished == [edition]
    assert (await database.read(editions.by_id, edition)).state == "done"


async def test_an_edition_that_was_paused_by_the_machine_forgets_why_when_it_goes_on(database):
    edition = await due_to(database, "ann")
    await _write(database, update(edition_table).values(state="paused", reason="authentication"))

    assert (await resume(database, edition)).edition.reason == ""


@pytest.mark.parametrize("state", ["held", "done", "cancelled", "empty"])
async def test_what_is_neither_running_nor_paused_is_said_to_be_so(database, state):
    edition = await due_to(database, "ann")
    await _write(database, update(edition_table).values(state=state))

    for tried in (controlling.pause(database, edition), resume(database, edition), cancel(database, edition)):
        with pytest.raises(Refused, match=f"weekly 2026-W48 is {state}"):
            await tried
    assert (await database.read(editions.by_id, edition)).state == state


async def test_who_is_paused_already_or_not_at_all_hears_of_it(database):
    edition = await due_to(database, "ann")
    with pytest.raises(Refused, match=r"is running, so it can't be resumed. Stop it: mailer editions pause 1"):
        await resume(database, edition)
    await controlling.pause(database, edition)
    with pytest.raises(Refused, match=r"is paused already. Go on: mailer editions resume 1"):
        await controlling.pause(database, edition)
    with pytest.raises(NotFound, match="There is no edition 9"):
        await controlling.pause(database, 9)
    with pytest.raises(Refused, match=r"is paused. Let it go on first: mailer editions resume 1"):
        await releasing.release(database, edition, now=MONDAY, max_age=MAX_AGE, next_due=next_due)


# --- cancel


async def test_a_cancelled_edition_reaches_nobody_else_and_its_articles_come_again(database, clock):
    names = [f"r{n}" for n in range(20)]
    edition = await due_to(database, *names)
    relay = ScriptedRelay(after(8, lambda: database._writer.submit(lambda c: controls.pause(c, edition))))
    await send(database, relay, clock, connections=2)
    had = {one.removesuffix("@example.com") for one in relay.copies}

    stands = await cancel(database, edition)

    assert (stands.edition.state, stands.edition.reason) == (EditionState.CANCELLED, "by_hand")
    assert stands.edition.done_at == MONDAY
    assert await sums_hold(database) == {"accepted": len(had), "skipped": 20 - len(had)}
    await verified(database)
    clock.move(weeks=1)
    await publish(database, "c")
    await join(database, "new")
    later = (await make_edition(database, now=clock())).edition.id
    for name, guids in (await contents(database, later)).items():
        assert guids == (["c"] if name in had or name == "new" else ["c", "b", "a"]), name
    await send(database, relay, clock)
    assert relay.copies == Counter({address(name): 2 if name in had else 1 for name in [*names, "new"]})
    await verified(database)


async def test_a_cancelled_edition_that_reached_nobody_is_as_if_it_had_never_been(database, clock):
    edition = await due_to(database, "ann")
    await cancel(database, edition)
    clock.move(weeks=1)
    await publish(database, "c", published=clock() - DAY)
    await join(database, "new")

    later = (await make_edition(database, now=clock())).edition.id

    assert (await contents(database, later))["ann"] == ["c", "b", "a"]
    assert set((await contents(database, later))["new"]) == {"a", "b", "c"}
    await verified(database)


@pytest.mark.parametrize(
    ("answer", "state"),
    [(ACCEPTED, "accepted"), (LATER, "skipped: cancelled"), (DOUBT, "in_doubt_held: in_doubt")],
)
async def test_what_is_on_the_wire_settles_by_itself_and_ends_the_cancelled_edition(database, clock, answer, state):
    edition = await due_to(database, *"abcd")
    submit = database._writer.submit
    relay = ScriptedRelay(after(1, lambda: submit(lambda c: controls.cancel(c, edition)), answer))

    report = await send(database, relay, clock, connections=1)

    assert report.finished == [edition]
    assert await standing(database) == {"a": state} | dict.fromkeys("bcd", "skipped: cancelled")
    found = await database.read(editions.by_id, edition)
    assert (found.state, found.done_at) == ("cancelled", MONDAY)
    clock.move(hours=2)
    await send(database, relay, clock)
    assert len(relay.offered) == 1
    await verified(database)


async def test_a_refusal_on_the_wire_while_it_is_cancelled_is_a_refusal(database, clock):
    edition = await due_to(database, "ann")
    relay = ScriptedRelay(after(1, lambda: database._writer.submit(lambda c: controls.cancel(c, edition)), REFUSED))
    await send(database, relay, clock)
    assert (await standing(database))["ann"].startswith("failed")


async def test_a_doubt_of_a_cancelled_edition_is_held_and_counts_as_given(database, clock):
    edition = await due_to(database, "ann", "bob")
    await send(database, ScriptedRelay(lambda m: DOUBT if "ann" in m.recipient else LATER), clock)

    await cancel(database, edition)

    assert await standing(database) == {"ann": "in_doubt_held: in_doubt", "bob": "skipped: cancelled"}
    clock.move(weeks=1)
    await publish(database, "c")
    later = (await make_edition(database, now=clock())).edition.id
    assert await contents(database, later) == {"ann": ["c"], "bob": ["c", "b", "a"]}
    await verified(database)


@pytest.mark.parametrize("state", ["pending", "claimed", "deferred"])
async def test_the_second_copy_of_a_doubt_is_held_when_its_edition_is_cancelled(database, clock, state):
    edition = await due_to(database, "ann", "bob")
    await send(database, ScriptedRelay(lambda m: DOUBT if "ann" in m.recipient else LATER), clock)
    await _write(database, update(deliveries).values(state=state, next_at=None))

    await cancel(database, edition)

    assert await standing(database) == {"ann": "in_doubt_held: cancelled", "bob": "skipped: cancelled"}
    clock.move(weeks=1)
    await publish(database, "c")
    later = (await make_edition(database, now=clock())).edition.id
    assert await contents(database, later) == {"ann": ["c"], "bob": ["c", "b", "a"]}
    await resolve(database, "ann", "accepted", clock(), edition)
    await verified(database)


async def test_a_second_copy_that_is_put_off_while_its_edition_is_cancelled_is_held(database, clock):
    edition = await due_to(database, "ann")
    await send(database, ScriptedRelay(lambda _mail: DOUBT), clock)
    clock.move(hours=1)

    submit = database._writer.submit
    relay = ScriptedRelay(after(1, lambda: submit(lambda c: controls.cancel(c, edition)), LATER))
    report = await send(database, relay, clock)

    assert report.finished == [edition]
    assert await standing(database) == {"ann": "in_doubt_held: cancelled"}
    await verified(database)


async def test_a_sender_that_died_before_the_cancel_leaves_a_doubt_that_is_held(database, clock):
    edition = await due_to(database, "ann", "bob", "cid")
    epoch, _ = await database.write(recovery.begin_epoch, timedelta(minutes=30))
    claims, _ = await database.write(pickup.claim, epoch, 2, MONDAY)
    await database.write(outbox.exchange, epoch, [], [claims[0]], MONDAY)

    stands = await cancel(database, edition)
    assert stands.edition.done_at is None
    assert await database.read(due.anything, MONDAY)
    report = await send(database, ScriptedRelay(), clock)

    assert report.finished == [edition]
    assert await sums_hold(database) == {"in_doubt_held": 1, "skipped": 2}
    assert not await database.read(due.anything, MONDAY)
    await verified(database)


async def test_a_cancel_that_was_broken_off_is_ended_by_the_next_sender(database, clock):
    edition = await due_to(database, "ann", "bob")
    await database.write(controls.cancel, edition)
    assert await database.read(due.anything, MONDAY)

    await send(database, relay := ScriptedRelay(), clock)

    assert relay.offered == []
    assert await sums_hold(database) == {"skipped": 2}
    assert (await database.read(editions.by_id, edition)).done_at == MONDAY


async def test_a_large_edition_is_skipped_in_parts(database, monkeypatch):
    monkeypatch.setattr(controls, "PART", 3)
    edition = await due_to(database, *(f"r{n}" for n in range(10)))
    stands = await cancel(database, edition)
    assert (stands.states["skipped"], stands.edition.done_at) == (10, MONDAY)


async def test_a_paused_edition_with_nothing_left_is_due_and_one_with_something_left_is_not(database):
    edition = await due_to(database, "ann")
    await controlling.pause(database, edition)
    assert not await database.read(due.anything, MONDAY)
    await _write(database, update(deliveries).values(state="expired"))
    assert await database.read(due.anything, MONDAY)


# --- doubts


async def in_doubt(database, clock, *, twice: bool) -> int:
    """Ann's digest may have arrived; once tried again where `twice`, and then the edition is done."""
    edition = await due_to(database, "ann", "bob")
    relay = ScriptedRelay(lambda mail: DOUBT if "ann" in mail.recipient else ACCEPTED)
    for _ in range(3 if twice else 1):
        await send(database, relay, clock)
        clock.move(minutes=31)
    expected = "in_doubt_held" if twice else "in_doubt"
    assert (await standing(database))["ann"].startswith(expected)
    return edition


@pytest.mark.parametrize("twice", [False, True])
async def test_a_doubt_that_arrived_is_accepted_and_its_articles_are_not_given_again(database, clock, twice):
    edition = await in_doubt(database, clock, twice=twice)

    before, after_ = await resolve(database, "ann", "accepted", clock())

    assert (before.state, after_.state) == ("in_doubt_held" if twice else "in_doubt", "accepted")
    assert (await database.read(editions.by_id, edition)).state == "done"
    assert await sums_hold(database) == {"accepted": 2}
    await verified(database)
    clock.move(weeks=1)
    await publish(database, "c")
    later = (await make_edition(database, now=clock())).edition.id
    assert await contents(database, later) == {"ann": ["c"], "bob": ["c"]}
    with pytest.raises(Refused, match="is accepted, not in doubt"):
        await resolve(database, "ann", "again", clock(), edition)


@pytest.mark.parametrize("twice", [False, True])
async def test_a_doubt_that_is_sent_again_gets_time_enough_and_its_edition_runs_again(database, clock, twice):
    edition = await in_doubt(database, clock, twice=twice)
    clock.move(days=3)

    await resolve(database, "ann", "again", clock())

    found, row = await database.read(editions.by_id, edition), await row_of(database, "ann")
    assert (found.state, found.done_at) == ("running", None)
    assert (row.state, row.doubts, row.expires_at) == ("pending", 0, clock() + MAX_AGE)
    await verified(database)
    await send(database, relay := ScriptedRelay(), clock)
    assert relay.copies == {address("ann"): 1}
    assert (await database.read(editions.by_id, edition)).state == "done"
    await verified(database)
    noted = await database.read(lambda c: c.execute(select(attempts.c.stage, attempts.c.outcome)).all())
    assert noted[-1] == ("operator", "again")


async def test_what_is_sent_again_by_a_word_may_be_in_doubt_once_more_and_no_promise_is_broken(database, clock):
    await in_doubt(database, clock, twice=True)
    for _ in range(2):
        await resolve(database, "ann", "again", clock())
        await send(database, ScriptedRelay(lambda _mail: DOUBT), clock)
        await verified(database)
    await resolve(database, "ann", "accepted", clock())
    await verified(database)


async def test_a_doubt_that_is_left_is_never_sent_by_itself(database, clock):
    edition = await in_doubt(database, clock, twice=False)

    for _ in range(2):
        await resolve(database, "ann", "leave", clock())

    assert (await database.read(editions.by_id, edition)).state == "done"
    clock.move(hours=2)
    await send(database, relay := ScriptedRelay(), clock)
    assert relay.offered == []
    assert await sums_hold(database) == {"accepted": 1, "in_doubt_held": 1}
    await verified(database)


async def test_who_has_left_gets_no_further_copy(database, clock):
    edition = await in_doubt(database, clock, twice=True)
    await subscribing.leave(database, address("ann"), now=clock(), about=Circumstances("cli"))

    with pytest.raises(Refused, match="can't be sent again: its reader has left since"):
        await resolve(database, "ann", "again", clock())

    assert (await database.read(editions.by_id, edition)).state == "done"
    await resolve(database, "ann", "accepted", clock())
    await verified(database)


async def test_who_was_erased_gets_no_further_copy(database, clock):
    await in_doubt(database, clock, twice=True)
    row = await row_of(database, "ann")
    await database.write(
        erasure.erase_address,
        address("ann"),
        now=clock(),
        fingerprints=lambda email: (f"#{email}",),
        erased_list=database.erased_list,
    )

    with pytest.raises(Refused, match=r"to \(erased\) can't be sent again: its reader was erased"):
        await controlling.resolve(database, row.id, "again", now=clock(), max_age=MAX_AGE)
    await controlling.resolve(database, row.id, "leave", now=clock(), max_age=MAX_AGE)
    await controlling.resolve(database, row.id, "accepted", now=clock(), max_age=MAX_AGE)
    await verified(database)


async def test_nothing_of_a_cancelled_edition_is_sent_again(database, clock):
    edition = await in_doubt(database, clock, twice=False)
    await cancel(database, edition, clock())

    with pytest.raises(Refused, match="weekly 2026-W48 was cancelled"):
        await resolve(database, "ann", "again", clock())

    await resolve(database, "ann", "accepted", clock())
    await verified(database)


async def test_a_doubt_of_a_mail_without_an_edition_is_resolved_as_well(database, clock):
    edition = await due_to(database, "ann")
    variant = (await row_of(database, "ann")).variant_id
    number = await database.write(outbox.queue_test, variant, "me@example.com", "test-1", MONDAY + DAY)
    await controlling.pause(database, edition)
    await send(database, ScriptedRelay(lambda _mail: DOUBT), clock)
    clock.move(days=2)

    await controlling.resolve(database, number, "again", now=clock(), max_age=MAX_AGE)
    await send(database, relay := ScriptedRelay(), clock)

    assert relay.copies == {"me@example.com": 1}
    await verified(database)


async def test_only_a_doubt_can_be_resolved(database, clock):
    await due_to(database, "ann")
    for word in ("accepted", "again", "leave"):
        with pytest.raises(Refused, match="is pending, not in doubt"):
            await resolve(database, "ann", word)
    with pytest.raises(NotFound, match="There is no delivery 9"):
        await controlling.resolve(database, 9, "leave", now=MONDAY, max_age=MAX_AGE)


async def test_deliveries_are_listed_by_state_and_edition_with_what_was_said(database, clock):
    edition = await in_doubt(database, clock, twice=False)
    found = await database.read(doubts.listed, doubts.LISTED, None, 10)
    assert [(one.address, one.name, one.state, one.said) for one in found] == [
        (address("ann"), "weekly 2026-W48", "in_doubt", "the connection was lost")
    ]
    assert (found[0].since, found[0].next_at) == (MONDAY, MONDAY + timedelta(minutes=30))
    assert await database.read(doubts.listed, doubts.LISTED, edition + 1, 10) == []
    assert len(await database.read(doubts.listed, doubts.LISTED, edition, 10)) == 1


async def _write(database, statement) -> None:
    await database.write(lambda c: c.execute(statement).rowcount)
