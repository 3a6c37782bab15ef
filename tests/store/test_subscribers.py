"""Who comes in, who doesn't, and what is kept of it."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from mailer.core.consent import Circumstances, ConsentEvent
from mailer.core.subscription import Newcomer, State
from mailer.core.tokens import fingerprint
from mailer.store import subscribers
from mailer.store.consent import record_of
from mailer.store.tables import consent, interest_sets, suppressions
from mailer.store.tables import subscribers as table
from tests.stories import KEY, MONDAY

OLD_KEY = "the key before the one in use, also long enough"


def marks(email):
    return [fingerprint(email, key) for key in (OLD_KEY, KEY)]


async def take_in(database, *newcomers, now=MONDAY):
    return await database.write(
        subscribers.take_in,
        newcomers,
        now=now,
        event="imported",
        route="import",
        statement="asked for it",
        fingerprints=marks,
    )


async def suppress(database, email, mark, reason="bounced"):
    values = {"email": email, "fingerprint": mark, "reason": reason, "at": MONDAY}
    await database.write(lambda c: c.execute(insert(suppressions).values(**values)).rowcount)


async def test_a_newcomer_is_active_with_all_that_they_chose_and_their_consent(database):
    ada = Newcomer("ada@x.org", "weekly", "Ada", "Europe/Berlin", "de", ("art", "tech"))
    taken = await take_in(database, ada)
    found = await database.read(subscribers.find, "ada@x.org")
    assert (list(taken.ids), taken.others) == ([found.id], {})
    assert (found.state, found.cadence, found.name, found.timezone) == (State.ACTIVE, "weekly", "Ada", "Europe/Berlin")
    assert (found.language, found.topics, found.joined_at, found.generation) == ("de", ("art", "tech"), MONDAY, 1)
    record = await database.read(record_of, found.id)
    assert record == [ConsentEvent(MONDAY, "imported", "weekly", "import", "asked for it")]


async def test_readers_are_numbered_in_their_order(database):
    await take_in(database, Newcomer("b@x.org", "daily"))
    taken = await take_in(database, *(Newcomer(f"{name}@x.org", "weekly") for name in "cbad"))
    assert set(taken.others) == {"b@x.org"}
    assert taken.others["b@x.org"].outcome == "active"
    numbers = {one.email: one.id for one in await database.read(subscribers.page)}
    assert [numbers[f"{name}@x.org"] for name in "cad"] == taken.ids == sorted(taken.ids)
    assert numbers["b@x.org"] == taken.others["b@x.org"].id


async def test_whoever_is_there_keeps_everything_and_gets_no_second_consent(database):
    await take_in(database, Newcomer("ada@x.org", "weekly", "Ada"))
    before = await database.read(subscribers.find, "ada@x.org")
    taken = await take_in(database, Newcomer("ada@x.org", "daily", "Eve"), now=MONDAY + timedelta(days=1))
    assert taken.others["ada@x.org"].outcome == "active"
    assert await database.read(subscribers.find, "ada@x.org") == before
    assert await database.read(lambda c: c.execute(select(func.count()).select_from(consent)).scalar()) == 1


@pytest.mark.parametrize("state", [state for state in State if state is not State.ACTIVE])
async def test_nobody_changes_state_by_being_taken_in_again(database, state):
    await take_in(database, Newcomer("ada@x.org", "weekly"))
    await database.write(lambda c: c.execute(table.update().values(state=state.value)).rowcount)
    taken = await take_in(database, Newcomer("ada@x.org", "weekly"), Newcomer("bob@x.org", "weekly"))
    assert taken.others["ada@x.org"].outcome == state
    assert (await database.read(subscribers.find, "ada@x.org")).state is state


async def test_a_suppressed_address_stays_out_by_its_hash_under_any_key_and_by_itself(database):
    await suppress(database, None, fingerprint("erased@x.org", OLD_KEY), "erased")
    await suppress(database, "dead@x.org", fingerprint("dead@x.org", "a key long gone, and nobody has it any more"))
    newcomers = [Newcomer(f"{name}@x.org", "weekly") for name in ("erased", "ada", "dead")]
    taken = await take_in(database, *newcomers)
    assert {one.email: (one.outcome, one.id) for one in taken.others.values()} == {
        "erased@x.org": ("suppressed", 0),
        "dead@x.org": ("suppressed", 0),
    }
    assert [one.email for one in await database.read(subscribers.page)] == ["ada@x.org"]


async def test_a_reader_who_bounced_is_answered_by_their_state_though_they_are_suppressed_too(database):
    await take_in(database, Newcomer("ada@x.org", "weekly"))
    await database.write(lambda c: c.execute(table.update().values(state="bounced")).rowcount)
    await suppress(database, "ada@x.org", fingerprint("ada@x.org", KEY))
    taken = await take_in(database, Newcomer("ada@x.org", "weekly"))
    assert taken.others["ada@x.org"].outcome == "bounced"


async def test_nobody_at_all_is_fine_too(database):
    taken = await take_in(database)
    assert (list(taken.ids), taken.others) == ([], {})


async def test_a_few_get_an_answer_each_in_their_order(database):
    await take_in(database, Newcomer("b@x.org", "weekly"))
    arrivals = await database.write(
        subscribers.add,
        [Newcomer(f"{name}@x.org", "weekly") for name in "abc"],
        now=MONDAY,
        event="added",
        route="cli",
        statement="",
        fingerprints=marks,
    )
    numbers = {one.email: one.id for one in await database.read(subscribers.page)}
    assert [(one.email, one.outcome, one.added) for one in arrivals] == [
        ("a@x.org", "added", True),
        ("b@x.org", "active", False),
        ("c@x.org", "added", True),
    ]
    assert all(one.id == numbers[one.email] for one in arrivals)


async def test_readers_with_the_same_topics_share_one_set(database):
    await take_in(database, *(Newcomer(f"{n}@x.org", "weekly", topics=("art", "tech")) for n in range(3)))
    await take_in(database, Newcomer("other@x.org", "weekly", topics=("tech",)), Newcomer("all@x.org", "weekly"))
    stored = await database.read(lambda c: c.execute(select(interest_sets.c.topics)).scalars().all())
    assert sorted(stored) == ['["art", "tech"]', '["tech"]', "[]"]


async def test_pages_go_by_order_of_joining_and_narrow_by_state_and_pace(database):
    await take_in(database, *(Newcomer(f"{name}@x.org", "daily" if name in "ac" else "weekly") for name in "dcba"))
    gone = await database.read(subscribers.find, "c@x.org")
    await database.write(
        subscribers.change,
        gone.id,
        now=MONDAY,
        about=Circumstances("cli"),
        event="unsubscribed",
        detail="",
        state="unsubscribed",
    )

    async def emails(**asked):
        return "".join(one.email[0] for one in await database.read(subscribers.page, **asked))

    first = await database.read(subscribers.page, limit=2)
    assert "".join(one.email[0] for one in first) == "dc"
    assert await emails(after=first[-1].id) == "ba"
    assert await emails(cadence="daily") == "ca"
    assert await emails(state="active", cadence="daily") == "a"


async def test_nobody_goes_by_an_unknown_address(database):
    assert await database.read(subscribers.find, "nobody@x.org") is None
