"""What is changed while a run is under way: each ends with the sum and the count of copies.

The change is made, and committed, while the first reader's message is at the relay; the others are claimed by then.
"""

import email
import email.policy
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, select

from mailer.core.subscription import Newcomer, clean_address
from mailer.core.tokens import fingerprint
from mailer.flows import editing, erasing
from mailer.flows.planning import Composer
from mailer.store import articles as article_store
from mailer.store import subscribers as subscriber_store
from mailer.store.tables import articles, deliveries, subscribers
from mailer.templating import Templates, ThemeOptions
from tests.faults.badrelay import Accepted, BadRelay, Rule, accept_then_drop, drop, normal, nth, recipient, say, then
from tests.faults.runs import due, ends, quick, way_to
from tests.stories import (
    DAY,
    KEY,
    MONDAY,
    SITE,
    TOPICS,
    address,
    change,
    contents,
    draft,
    join,
    make_edition,
    publish,
    send,
    standing,
)

__all__ = ["quick"]  # a fixture

NAMES = ("ann", "bob", "cem")
ANN, BOB = recipient(address("ann")), recipient(address("bob"))
MOVED = "bob@elsewhere.example.org"


def meanwhile(do: Callable[[], Awaitable[object]]) -> Rule:
    """While the relay has the first message and hasn't answered yet."""

    async def act(_scene) -> None:
        await do()

    return Rule("DOT", then(act, normal()), when=nth(1))


def to_whom(relay: BadRelay) -> list[str]:
    """Each RCPT the relay was given."""
    return [line.text.split()[1].decode() for line in relay.lines if line.text.startswith(b"RCPT ")]


# --- readers


async def move_bob(database) -> None:
    reader = await database.read(subscriber_store.find, address("bob"))
    await database.write(subscriber_store.move, reader.id, MOVED)


async def erase_bob(database) -> None:
    await erasing.erase(database, address("bob"), now=MONDAY, fingerprints=lambda one: [fingerprint(one, KEY)])


async def test_a_reader_who_moved_gets_one_copy_and_the_old_mailbox_none(database, clock):
    await due(database, *NAMES)
    async with BadRelay([meanwhile(lambda: move_bob(database))], keep=True) as bad:
        for _ in range(2):
            await send(database, way_to(bad), clock, connections=1)
            clock.move(minutes=6)
        assert f"TO:<{address('bob')}>" not in to_whom(bad), "their old mailbox may be another's by now"
        assert bad.copies[MOVED] == 1
        await ends(database, bad, {"accepted": 3}, {1: 3})
        [theirs] = [taken.data for taken in bad.accepted if taken.recipient == MOVED]
        assert f"\r\nTo: {MOVED}\r\n".encode() in theirs


@pytest.mark.parametrize(
    ("at_first", "hours", "copies"),
    [
        (Rule("RCPT", say("451 4.2.0 later"), when=BOB, times=1), 0.1, 1),
        (Rule("DOT", drop(), when=BOB, times=1), 0.6, 1),
        (Rule("DOT", accept_then_drop(), when=BOB, times=1), 0.6, 2),
    ],
    ids=["deferred", "in doubt, not taken", "in doubt, taken"],
)
async def test_a_reader_who_moved_before_the_next_try_gets_it_at_the_new_address(
    database, clock, at_first, hours, copies
):
    await due(database, *NAMES)
    async with BadRelay([at_first], keep=True) as bad:
        await send(database, way_to(bad), clock, connections=1)
        await move_bob(database)
        clock.move(hours=hours)
        await send(database, way_to(bad), clock, connections=1)
        assert (bad.copies[MOVED], bad.copies[address("bob")]) == (1, copies - 1)
        assert to_whom(bad).count(f"TO:<{address('bob')}>") == 1
        await ends(database, bad, {"accepted": 3}, {1: 2 + copies})
        theirs = {taken.message_id for taken in bad.accepted if taken.recipient.startswith("bob")}
        assert len(theirs) == 1


async def test_a_reader_erased_while_claimed_is_never_offered_to_the_relay(database, clock):
    edition = await due(database, *NAMES)
    async with BadRelay([meanwhile(lambda: erase_bob(database))]) as bad:
        for _ in range(2):
            await send(database, way_to(bad), clock, connections=1)
            clock.move(hours=1)
        assert f"TO:<{address('bob')}>" not in to_whom(bad)
        await ends(database, bad, {"accepted": 2, "skipped": 1}, {1: 2})
    rows = await database.read(
        lambda c: c.execute(select(deliveries.c.subscriber_id, deliveries.c.reason, deliveries.c.address)).all()
    )
    assert len(rows) == 3, "the numbers stay"
    assert [(row.reason, row.address) for row in rows if row.subscriber_id is None] == [("erased", None)]
    assert set(await contents(database, edition)) == {"ann", "cem"}


@pytest.mark.parametrize(
    ("answer", "state", "copies"),
    [
        (normal(), "accepted", 1),
        (say("451 4.3.0 later"), "skipped", 0),
        (say("550 5.1.1 user unknown"), "failed", 0),
        (drop(), "in_doubt_held", 0),
        (accept_then_drop(), "in_doubt_held", 1),
    ],
    ids=["taken", "put off", "refused", "lost in silence", "taken in silence"],
)
async def test_a_reader_erased_while_on_the_wire_is_settled_once_and_never_tried_again(
    database, clock, answer, state, copies
):
    await due(database, *NAMES)

    async def erase(_scene) -> None:
        await erase_bob(database)

    async with BadRelay([Rule("DOT", then(erase, answer), when=BOB, times=1)]) as bad:
        for _ in range(4):
            await send(database, way_to(bad), clock, connections=1)
            clock.move(hours=1)
        assert to_whom(bad).count(f"TO:<{address('bob')}>") == 1
        states = {"accepted": 2}
        states[state] = states.get(state, 0) + 1
        await ends(database, bad, states, {1: 2 + copies})


# --- articles


async def edit(database) -> None:
    """The site tells the same article with other words."""
    told = [(draft(guid, title="Corrected"), False) for guid in ("a", "b")]
    await database.write(article_store.take_in, "feed:1", told)


async def hide(database) -> None:
    for seq in await database.read(lambda c: c.execute(select(articles.c.seq)).scalars().all()):
        await editing.hide(database, seq)


async def remove(database) -> None:
    await database.write(lambda c: c.execute(delete(articles)).rowcount)


def body_of(taken: Accepted) -> str:
    """The subject and text that a reader sees, without their address and their own links."""
    message = email.message_from_bytes(taken.data, policy=email.policy.default)
    text = message.get_body(("plain",)).get_content()
    shared = [line for line in text.splitlines() if "mail.site.example" not in line]
    return "\n".join([message["Subject"], *shared]).replace(taken.recipient, "…")


@pytest.mark.parametrize("do", [edit, hide, remove])
@pytest.mark.parametrize("again", [False, True], ids=["first copies", "second copies"])
async def test_an_article_changed_or_gone_midway_is_in_every_copy_as_it_was_planned(database, clock, do, again):
    await due(database, *NAMES)
    rules = [meanwhile(lambda: do(database))]
    if again:
        rules.insert(0, Rule("DOT", accept_then_drop(), when=lambda scene: scene.number > 1, times=2))
    async with BadRelay(rules, keep=True) as bad:
        await send(database, way_to(bad), clock, connections=1)
        clock.move(minutes=31)
        await send(database, way_to(bad), clock, connections=1)
        await ends(database, bad, {"accepted": 3}, {1: 1, 2: 2} if again else {1: 3})
        [body] = {body_of(taken) for taken in bad.accepted}
        assert "About a" in body
        assert "About b" in body
        for name in NAMES:
            assert len({taken.data for taken in bad.accepted if taken.recipient == address(name)}) == 1


# --- templates

LIVE = (
    '{% extends "ours/email/digest/body.html" %}'
    "{% block tagline %}<p>Dear {{ reader.name }} of {{ reader.address }}</p>{% endblock %}"
)
COMPILED = '{% extends "ours/email/digest/body.html" %}{% block tagline %}<p>Dear friends</p>{% endblock %}'


@pytest.mark.parametrize("text", [LIVE, COMPILED], ids=["live", "compiled"])
@pytest.mark.parametrize("edited", ["<p>Edited</p>", "Edited {{ broken"], ids=["edited", "broken"])
async def test_a_template_edited_midway_changes_no_copy(database, clock, tmp_path, text, edited):
    page = tmp_path / "theme/email/digest/body.html"
    page.parent.mkdir(parents=True)
    page.write_text(text, encoding="utf-8")
    await publish(database, "a", "b")
    await join(database, *NAMES)
    await make_edition(database, by=Composer(SITE, TOPICS, Templates(ThemeOptions(templates=tmp_path / "theme"))))

    async def write_anew() -> None:
        page.write_text(edited, encoding="utf-8")

    async with BadRelay([meanwhile(write_anew)], keep=True) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert report.missed == 0
        await ends(database, bad, {"accepted": 3}, {1: 3})
        for taken in bad.accepted:
            message = email.message_from_bytes(taken.data, policy=email.policy.default)
            html = message.get_body(("html",)).get_content()
            assert "<p>Dear " in html
            assert "Edited" not in html


# --- the same person twice


async def test_one_address_written_in_several_ways_is_one_reader_and_one_copy(database, clock):
    await publish(database, "a")
    forms = ["ann@example.com", "Ann@Example.com", " ann@EXAMPLE.com ", "ANN@example.com"]
    for form in forms:
        await database.write(
            subscriber_store.add,
            [Newcomer(clean_address(form), "weekly")] * 2,
            now=MONDAY - 30 * DAY,
            event="imported",
            route="cli",
            statement="asked for it",
            fingerprints=lambda _email: [],
        )
    await make_edition(database)
    async with BadRelay() as bad:
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 1}, {1: 1})


async def test_a_period_planned_again_midway_gives_nobody_a_second_copy(database, clock):
    first = await due(database, *NAMES)

    async def plan_again() -> None:
        await publish(database, "c")
        again = await make_edition(database)
        assert (again.fresh, again.edition.id) == (False, first)

    async with BadRelay([meanwhile(plan_again)]) as bad:
        for _ in range(2):
            await send(database, way_to(bad), clock, connections=1)
        await ends(database, bad, {"accepted": 3}, {1: 3})


async def test_a_reader_who_comes_in_midway_waits_for_the_next_one(database, clock):
    await due(database, *NAMES)
    async with BadRelay([meanwhile(lambda: join(database, "dee"))]) as bad:
        for _ in range(2):
            await send(database, way_to(bad), clock, connections=1)
        assert "dee" not in await standing(database)
        await ends(database, bad, {"accepted": 3}, {1: 3})


async def test_a_reader_who_left_and_came_back_midway_gets_no_copy_of_their_former_subscription(database, clock):
    """A claim is of one subscription: who leaves has ended it, whatever they do afterwards."""
    await due(database, *NAMES)

    async def leave_and_come_back() -> None:
        await change(database, "bob", generation=subscribers.c.generation + 1)

    async with BadRelay([meanwhile(leave_and_come_back)]) as bad:
        for _ in range(2):
            await send(database, way_to(bad), clock, connections=1)
        assert f"TO:<{address('bob')}>" not in to_whom(bad)
        await ends(database, bad, {"accepted": 2, "skipped": 1}, {1: 2})
