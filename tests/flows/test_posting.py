"""Wanted mails on their way into the outbox: what is wanted no more, what a crash leaves, and what they say."""

from collections import Counter

import pytest
from sqlalchemy import select

from mailer.errors import StoreError
from mailer.flows import erasing
from mailer.flows.noticing import KINDS, posting
from mailer.store import notices, signups
from mailer.store.database import Database
from mailer.store.tables import deliveries
from mailer.store.tables import notices as table
from tests.flows.readers_side import Side, fingerprints
from tests.stories import DAY, MONDAY, change, join, make_edition, publish, send

ANN = "ann@example.com"


@pytest.fixture
def side(database, clock) -> Side:
    return Side(database, clock)


async def dropped(database):
    rows = await database.read(lambda c: c.execute(select(table.c.kind, table.c.dropped).order_by(table.c.id)).all())
    return [tuple(row) for row in rows]


async def queued(database):
    return list(
        await database.read(lambda c: c.execute(select(deliveries.c.purpose).order_by(deliveries.c.id)).scalars())
    )


async def want(side, kind, generation=1, **given):
    await side.database.write(notices.want, kind, 1, generation, now=side.clock(), **given)


async def test_what_is_wanted_is_composed_once(database, side):
    await side.ask("ann")
    await side.ask("bob")
    assert await side.post() == 2
    assert await side.post() == 0
    assert await queued(database) == ["confirm", "confirm"]
    letters = await side.letters()
    assert Counter(letter.to for letter in letters) == {ANN: 1, "bob@example.com": 1}


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("confirm", {"pending", "unsubscribed", "bounced"}),
        ("goodbye", {"unsubscribed"}),
        ("welcome", {"active", "paused"}),
        ("already", {"active", "paused"}),
        ("changed", {"active", "paused"}),
        ("moved", {"active", "paused"}),
        ("copy", {"active", "paused"}),
    ],
)
@pytest.mark.parametrize("state", ["pending", "active", "paused", "unsubscribed", "bounced", "complained"])
async def test_a_mail_is_composed_only_where_its_reader_is_where_it_leaves_from(database, side, kind, states, state):
    await side.ask()
    (wish,) = await database.read(notices.waiting, now=MONDAY, throttled_per_hour=9, limit=9)
    await database.write(notices.drop, wish.id, "put aside")
    await change(database, "ann", state=state)
    await want(side, kind, confirmation=1 if kind == "confirm" else None, told={"address": "old@example.org"})
    assert await side.post() == int(state in states)
    assert (await dropped(database))[-1] == (kind, "" if state in states else "not_wanted")


async def test_a_mail_of_a_consent_that_ended_is_dropped(database, side):
    await join(database, "ann")
    await want(side, "changed")
    await change(database, "ann", generation=2)
    await want(side, "changed", generation=3)
    assert await side.post() == 0
    assert await dropped(database) == [("changed", "not_wanted")] * 2


async def test_a_confirmation_that_was_given_by_another_mail_is_not_asked_again(database, side):
    await side.ask()
    letter = await side.letter()
    side.clock.move(minutes=15)
    await side.ask(pace="daily")
    await side.press(letter)
    assert [one.kind for one in await side.letters()] == ["welcome"]
    assert ("confirm", "not_wanted") in await dropped(database)


async def test_a_wish_that_was_confirmed_is_asked_no_more(database, side):
    await side.come_in()
    await side.ask_for("erase")
    await database.write(lambda c: c.exec_driver_sql("UPDATE confirmations SET confirmed_at = 1").rowcount)
    assert await side.letters() == []
    assert (await dropped(database))[-1] == ("erase", "confirmed")


async def test_whoever_was_erased_is_written_to_no_more(database, side):
    await side.come_in()
    await side.choose(cadence="daily")
    await erasing.erase(database, 1, now=side.clock(), fingerprints=fingerprints)
    assert await side.letters() == []


async def test_a_reader_who_went_between_the_look_and_the_composing_is_dropped(database, side, monkeypatch):
    """As it would be by another process: the row is read, and then it is gone."""
    await join(database, "ann")
    await want(side, "changed")
    monkeypatch.setattr(posting.subscribers, "of_id", lambda _connection, _number: None)
    assert await side.post() == 0
    assert await dropped(database) == [("changed", "erased")]


class _CutOff(Exception):
    pass


async def test_a_crash_before_a_mail_is_in_the_outbox_loses_nothing_and_one_after_it_sends_nothing_twice(
    database, database_url, side, monkeypatch
):
    for place in range(5):
        await side.ask(f"r{place}", network=f"net {place}")
    real, posted = notices.post, []

    def dies(connection, item, now):
        if len(posted) == 2:
            raise _CutOff
        posted.append(item.wanted.id)
        return real(connection, item, now)

    monkeypatch.setattr(notices, "post", dies)
    with pytest.raises(_CutOff):
        await side.post()
    monkeypatch.setattr(notices, "post", real)
    assert len(await queued(database)) == 2
    # The process died; the next one opens the database anew.
    with Database(database_url) as again:
        assert await Side(again, side.clock).post() == 3
    letters = await side.letters()
    assert sorted(letter.to for letter in letters) == [f"r{place}@example.com" for place in range(5)]


async def test_two_processes_that_post_at_once_put_each_mail_into_the_outbox_once(database, database_url, side):
    for place in range(4):
        await side.ask(f"r{place}", network=f"net {place}")
    with Database(database_url) as other:
        facts = [
            await database.read(posting._facts, wanted, side.supplies())
            for wanted in await database.read(notices.waiting, now=MONDAY, throttled_per_hour=9, limit=9)
        ]
        assert await Side(other, side.clock).post() == 4
        late = [
            await database.write(notices.post, posting._composed(one, side.supplies(), MONDAY), MONDAY) for one in facts
        ]
    assert late == [False] * 4
    assert len(await queued(database)) == 4


async def test_a_full_disk_loses_nothing(database, side, monkeypatch):
    await side.ask()

    def full(_connection, _item, _now):
        raise StoreError("the disk is full")

    real = notices.post
    monkeypatch.setattr(notices, "post", full)
    with pytest.raises(StoreError):
        await side.post()
    monkeypatch.setattr(notices, "post", real)
    assert (await side.letter()).kind == "confirm"


async def test_more_than_are_looked_at_together_are_all_composed(database, side, monkeypatch):
    monkeypatch.setattr(posting, "AT_ONCE", 3)
    for place in range(8):
        await side.ask(f"r{place}", network=f"net {place}")
    assert await side.post() == 8


async def test_an_operators_list_is_asked_at_its_pace_and_a_visitor_at_once(database, clock):
    side = Side(database, clock, operator_per_hour=3)
    for place in range(5):
        await side.ask(f"r{place}", network=f"net {place}")
    await database.write(lambda c: c.exec_driver_sql("UPDATE notices SET throttled = 1").rowcount)
    await side.ask("visitor", network="net")
    assert next(iter(await side.letters())).to == "visitor@example.com"
    assert len(await queued(database)) == 4
    clock.move(minutes=59)
    assert await side.post() == 0
    clock.move(minutes=1)
    assert await side.post() == 2


async def test_what_is_held_goes_when_it_is_released_and_not_before(database, clock):
    side = Side(database, clock, burst=1)
    await side.ask("ann", network="one")
    await side.ask("bob", network="two")
    assert [letter.to for letter in await side.letters()] == [ANN]
    await database.write(notices.release)
    await database.write(signups.let_go, MONDAY)
    assert [letter.to for letter in await side.letters()] == ["bob@example.com"]


async def test_a_mail_is_too_old_after_the_time_of_the_settings(database, side, clock):
    await side.ask()
    await side.post()
    clock.move(days=2)
    assert await side.letters() == []
    states = await database.read(lambda c: c.execute(select(deliveries.c.state, deliveries.c.reason)).all())
    assert [tuple(row) for row in states] == [("expired", "too_old")]


async def test_a_welcome_names_the_latest_digests_page_and_the_next_date(database, side, clock):
    await join(database, "old")
    await publish(database, "one")
    await make_edition(database)
    await send(database, side.relay, clock)
    await side.letters()
    await side.ask()
    await side.press(await side.letter())
    welcome = await side.letter()
    assert "https://mail.site.example/editions/weekly/2026-W48" in welcome.text
    assert "30 November" in welcome.text


async def test_a_mail_that_asks_carries_no_word_that_a_visitor_typed(side):
    """Or a form could be used to write to strangers in our name."""
    typed = "BUY-NOW-http-spam.example"
    await side.ask(name=f"{typed.lower()}@example.com", timezone="Europe/Berlin")
    letter = await side.letter()
    assert typed.lower() not in letter.text
    assert letter.wish("never").confirmation == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_every_kind_can_be_caused_and_its_links_are_its_readers(side, kind):
    """And each link opens for its purpose, for this reader and the consent in force."""
    letter = (await every_letter(side))[kind]
    claims = [letter.claim(page) for page in letter.tokens.keys() & {"preferences", "unsubscribe", "one-click"}]
    assert {(claim.subscriber, claim.generation) for claim in claims} <= {(1, 1)}
    if letter.tokens.keys() & {"confirm", "address", "erase"}:
        assert letter.wish().generation == 1
    assert ("one-click" in letter.tokens) == (kind in {"welcome", "already", "changed"})
    assert ("never" in letter.tokens) == (kind in {"confirm", "move"})


async def every_letter(side):
    """One mail of each kind, to one reader."""
    await side.ask()
    found = [await side.letter()]
    await side.press(found[0])
    found += await side.letters()
    side.clock.move(hours=1)
    await side.ask()
    await side.choose(cadence="daily")
    await side.ask_for("copy")
    await side.ask_for("erase")
    await side.ask_to_move("new@example.org")
    found += await side.letters()
    await side.press(next(one for one in found if one.kind == "move"), "move")
    found += await side.letters()
    await side.leave("new@example.org")
    found += await side.letters()
    return {one.kind: one for one in found}


async def test_a_reader_who_has_left_and_asks_again_gets_a_link_of_the_consent_to_come(side):
    await side.come_in()
    await side.leave()
    side.clock.now = MONDAY + DAY
    await side.ask()
    letter = await side.letter("confirm")
    assert letter.wish().generation == (await side.reader()).generation == 2
    assert letter.wish().issued == int((MONDAY + DAY).timestamp())
