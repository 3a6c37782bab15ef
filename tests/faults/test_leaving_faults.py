"""Leaving while mail is on its way: the pages are pressed in the middle of a run over real connections.

Each test ends with the sum and the count of copies.
"""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import select

from mailer.config import Settings
from mailer.core.tokens import Claim, Purpose, Wish, seal, seal_form, seal_wish
from mailer.flows.delivering import Run
from mailer.smtp import Relay, RelayOptions
from mailer.store import notices, subscribers
from mailer.store.tables import deliveries, editions
from mailer.wiring import Clock as MachineClock
from mailer.wiring import Parts
from tests.faults.badrelay import BadRelay, Rule, Scene, accept_then_drop, drop, normal, recipient, say, then
from tests.stories import (
    DAY,
    MONDAY,
    WEEK,
    address,
    contents,
    join,
    make_edition,
    publish,
    send,
    standing,
    sums_hold,
)
from tests.web.conftest import SETTINGS

KEY = SETTINGS["security"]["secret_keys"][0]
NAMES = ("ben", "ann", "cem")
ANN, BEN = recipient(address("ann")), recipient(address("ben"))


@pytest.fixture(scope="module")
def parts() -> Parts:
    """The pages' parts, on the morning of the edition."""
    return Parts(Settings(**SETTINGS), MachineClock.at(MONDAY))


def parsed(data: bytes) -> EmailMessage:
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def link(mail: EmailMessage, page: str) -> str:
    """The path of the link to this page."""
    found = re.search(rf"https://mailer\.example(/{page}/[^\s\"<>]+)", mail.get_body(("plain",)).get_content())
    assert found, page
    return found[1]


class Gate:
    """An action that stops a message until `open` is set. `met`: a message has come to it."""

    def __init__(self) -> None:
        self.met, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, _scene: Scene) -> None:
        self.met.set()
        await self.open.wait()


class Morning:
    """A weekly edition of two articles for Ben, Ann and Cem, in this order, one connection, and the pages beside it."""

    def __init__(self, database, parts, visit, clock, *rules: Rule) -> None:
        self.database, self.parts, self.visit, self.clock = database, parts, visit, clock
        self.relay = BadRelay(rules, keep=True)

    async def begin(self) -> "Morning":
        await publish(self.database, "a", "b")
        await join(self.database, *NAMES)
        self.edition = (await make_edition(self.database, keys=[KEY])).edition.id
        return self

    async def run(self, *, notices_alone: bool = False) -> None:
        """What is due is sent, by a sender of its own."""
        way = RelayOptions(host="127.0.0.1", port=self.relay.port, security="none")
        opener = Relay(way, reply_timeout=5.0, connect_timeout=5.0, command_timeout=5.0)
        run = Run(transactional=notices_alone)
        await send(self.database, opener, self.clock, run=run, connections=1, keys=[KEY])

    async def later(self, *hours: float) -> None:
        """The time comes, and what waits by then is sent."""
        for many in hours:
            self.clock.move(hours=many)
            await self.run()

    async def post(self) -> int:
        return await self.parts.post(self.database)

    async def reader(self, name: str = "ann"):
        return await self.database.read(subscribers.find, address(name))

    async def token(self, purpose: Purpose, name: str = "ann") -> str:
        reader = await self.reader(name)
        return seal(Claim(reader.id, reader.generation), purpose, KEY)

    async def leave(self, name: str = "ann") -> None:
        """By the button of a mail program."""
        token = await self.token(Purpose.LEAVE, name)
        answered = await self.visit("POST", f"/one-click/{token}", data={"List-Unsubscribe": "One-Click"})
        assert answered.status_code == 200

    async def press(self, path: str, **fields: str) -> None:
        """A button of a page."""
        answered = await self.visit("POST", path, data=fields)
        assert answered.status_code == 200, answered.text

    async def preferences(self, **fields: str) -> None:
        await self.press(f"/preferences/{await self.token(Purpose.MANAGE)}", **fields)

    async def next_edition(self, when: timedelta, *articles: str, pace: str = "weekly") -> None:
        """Articles come out, and the edition that is due so long after the first is made."""
        await publish(self.database, *articles)
        await make_edition(self.database, pace, MONDAY + when, keys=[KEY])
        self.clock.now = MONDAY + when

    async def articles(self, name: str = "ann") -> list[str]:
        """Those of all the digests that reached them."""
        rows = await self.database.read(lambda c: c.execute(select(editions.c.id).order_by(editions.c.id)).all())
        found = []
        for (edition,) in rows:
            if (await standing(self.database, edition)).get(name) == "accepted":
                found += (await contents(self.database, edition))[name]
        return found

    async def state(self, name: str = "ann") -> str:
        """Of their digest; of a skipped one, why."""
        found = (await standing(self.database, self.edition))[name]
        return found if found.startswith("skipped") else found.partition(":")[0]

    def copies(self, name: str = "ann") -> Counter[str]:
        """By their kind."""
        mails = [parsed(one.data) for one in self.relay.accepted if one.recipient == address(name)]
        return Counter(str(mail["Feedback-ID"]).split(":")[2] for mail in mails)

    def offered(self, name: str = "ann") -> int:
        """How often the relay was asked to take anything for them."""
        return sum(
            line.text.upper().startswith(f"RCPT TO:<{address(name)}>".upper().encode()) for line in self.relay.lines
        )

    def mail(self, name: str = "ann") -> EmailMessage:
        """The last one."""
        return parsed([one.data for one in self.relay.accepted if one.recipient == address(name)][-1])

    async def holds(self, **others: int) -> None:
        """The sum, and that Ben and Cem got their one copy. `others`: how many deliveries, by state, beside theirs."""
        states = await sums_hold(self.database)
        assert states - Counter(accepted=2) == Counter(others)
        assert self.copies("ben") == self.copies("cem") == {"digest": 1}


@pytest.fixture
def morning(database, parts, visit, clock):
    """`await morning(rules…)`."""

    async def begin(*rules: Rule) -> Morning:
        return await Morning(database, parts, visit, clock, *rules).begin()

    return begin


@dataclass(frozen=True)
class Course:
    """`rules`: what happens to Ann's message before she leaves. `runs`: hours before each run until then.

    `at_once`, `at_last`: the state of her delivery after leaving, and when all has had its time. `copies`: of her
    digest. `goodbye`: she was on the list.
    """

    runs: tuple[float, ...]
    rules: tuple[Rule, ...]
    at_once: str
    at_last: str
    copies: int = 0
    goodbye: bool = True


GONE = "skipped: unsubscribed"
COURSES = {
    "pending": Course((), (), GONE, GONE),
    "deferred": Course((0,), (Rule("RCPT", say("451 4.2.1 later"), when=ANN, times=1),), GONE, GONE),
    "in doubt, and the relay lost it": Course((0,), (Rule("DOT", drop(), when=ANN, times=1),), "in_doubt", GONE),
    "in doubt, and the relay has it": Course(
        (0,), (Rule("DOT", accept_then_drop(), when=ANN, times=1),), "in_doubt", GONE, copies=1
    ),
    "in doubt a second time": Course((0, 1), (Rule("DOT", drop(), when=ANN, times=2),), "in_doubt", "in_doubt_held"),
    "in doubt and held": Course((0, 1, 1), (Rule("DOT", drop(), when=ANN, times=2),), "in_doubt_held", "in_doubt_held"),
    "accepted": Course((0,), (), "accepted", "accepted", copies=1),
    "failed": Course(
        (0,),
        (Rule("RCPT", say("550 5.1.1 user unknown"), when=ANN, times=1),),
        "failed",
        "failed",
        goodbye=False,
    ),
}


@pytest.mark.parametrize("course", COURSES)
async def test_whoever_leaves_gets_nothing_more_wherever_their_digest_stands(morning, course):
    wanted = COURSES[course]
    day = await morning(*wanted.rules)
    async with day.relay:
        await day.later(*wanted.runs)

        await day.leave()

        assert await day.state() == wanted.at_once
        offered = day.offered()
        await day.later(0, 0.5, 1, 1, 6, 30)
        assert await day.state() == wanted.at_last
        assert day.offered() == offered, "it was tried again"
        assert await day.post() == wanted.goodbye
        await day.later(0, 1)
        assert day.copies() == Counter(digest=wanted.copies, goodbye=int(wanted.goodbye)) + Counter()
        await day.holds(**_counted(wanted.at_last, wanted.goodbye))


def _counted(state: str, goodbye: bool) -> Counter[str]:
    return Counter([state.partition(":")[0]]) + Counter({"accepted": int(goodbye)})


async def test_whoever_leaves_while_it_is_claimed_gets_nothing(morning):
    gate = Gate()
    day = await morning(Rule("DOT", then(gate, normal()), when=BEN, times=1))
    async with day.relay:
        running = asyncio.create_task(day.run())
        await gate.met.wait()
        assert await day.state() == "claimed"

        await day.leave()

        assert await day.state() == GONE
        gate.open.set()
        await running
        await day.later(1, 30)
        assert (day.offered(), day.copies()) == (0, {})
        await day.holds(skipped=1)


ON_THE_WIRE = {
    "taken": (normal(), "accepted", "accepted", 1),
    "put off": (say("451 4.3.0 later"), "deferred", GONE, 0),
    "lost in silence": (drop(), "in_doubt", GONE, 0),
    "taken in silence": (accept_then_drop(), "in_doubt", GONE, 1),
}


@pytest.mark.parametrize("end", ON_THE_WIRE)
async def test_what_was_on_the_wire_when_they_left_ends_there(morning, end):
    action, at_once, at_last, copies = ON_THE_WIRE[end]
    gate = Gate()
    day = await morning(Rule("DOT", then(gate, action), when=ANN, times=1))
    async with day.relay:
        running = asyncio.create_task(day.run())
        await gate.met.wait()

        await day.leave()

        assert await day.state() == "sending"
        gate.open.set()
        await running
        assert await day.state() == at_once
        await day.later(1, 1, 30)
        assert await day.state() == at_last
        assert day.offered() == 1
        assert day.copies() == Counter(digest=copies) + Counter()
        await day.holds(**Counter([at_last.partition(":")[0]]))


# --- other pages


async def held_at(day: Morning, gate: Gate) -> "asyncio.Task[None]":
    """A run that stands at the gate."""
    running = asyncio.create_task(day.run())
    await gate.met.wait()
    return running


@pytest.mark.parametrize(("where", "copies"), [(BEN, 0), (ANN, 1)], ids=["claimed", "on the wire"])
async def test_a_pause_in_the_middle_of_a_run_neither_loses_nor_repeats_an_article(morning, where, copies):
    gate = Gate()
    day = await morning(Rule("DOT", then(gate, normal()), when=where, times=1))
    async with day.relay:
        running = await held_at(day, gate)

        await day.preferences(do="pause", weeks="2")

        gate.open.set()
        await running
        assert day.copies() == Counter(digest=copies) + Counter()
        assert await day.state() == ("accepted" if copies else "skipped: paused")
        await day.holds(**{"accepted" if copies else "skipped": 1})
        await day.next_edition(WEEK, "c")
        await day.run()
        assert day.copies() == Counter(digest=copies) + Counter(), "they are still away"
        await day.next_edition(2 * WEEK, "d")
        await day.run()
        assert day.copies() == {"digest": copies + 1}
        assert sorted(await day.articles()) == ["a", "b", "c", "d"]
        assert sorted(await day.articles("ben")) == ["a", "b", "c", "d"]
        await sums_hold(day.database)


@pytest.mark.parametrize("where", [BEN, ANN], ids=["claimed", "on the wire"])
async def test_another_pace_in_the_middle_of_a_run_neither_loses_nor_repeats_an_article(morning, where):
    gate = Gate()
    day = await morning(Rule("DOT", then(gate, normal()), when=where, times=1))
    async with day.relay:
        running = await held_at(day, gate)

        await day.press(f"/instead/daily/{await day.token(Purpose.MANAGE)}")

        gate.open.set()
        await running
        assert day.copies() == {"digest": 1}
        await day.holds(accepted=1)
        await day.next_edition(DAY, "c", pace="daily")
        await day.run()
        assert sorted(await day.articles()) == ["a", "b", "c"]
        assert day.copies() == {"digest": 2}
        await day.next_edition(WEEK, "d")
        await day.run()
        assert sorted(await day.articles()) == ["a", "b", "c"]
        assert sorted(await day.articles("ben")) == ["a", "b", "c", "d"]
        await sums_hold(day.database)


async def test_another_pace_whose_edition_comes_before_the_first_was_sent_takes_its_articles_over(morning):
    gate, up = Gate(), asyncio.Event()
    down = Rule("MAIL", say("421 4.3.2 going down"), after=1, when=lambda _: not up.is_set())
    day = await morning(Rule("DOT", then(gate, normal()), when=BEN, times=1), down)
    async with day.relay:
        running = await held_at(day, gate)
        await day.press(f"/instead/daily/{await day.token(Purpose.MANAGE)}")
        gate.open.set()
        await running
        assert await day.state() == "pending"

        await day.next_edition(DAY, "c", pace="daily")

        assert await day.state() == "expired"
        up.set()
        await day.run()
        assert day.copies() == {"digest": 1}
        assert sorted(await day.articles()) == ["a", "b", "c"]
        assert day.copies("ben") == day.copies("cem") == {"digest": 1}
        await sums_hold(day.database)


async def purposes(day: Morning) -> dict[str, str]:
    """How every mail but the digests stands, by its kind."""
    asked = select(deliveries.c.purpose, deliveries.c.state, deliveries.c.reason).where(
        deliveries.c.edition_id.is_(None)
    )
    rows = await day.database.read(lambda c: c.execute(asked).all())
    assert len({row.purpose for row in rows}) == len(rows)
    return {row.purpose: f"{row.state}: {row.reason}".removesuffix(": ") for row in rows}


async def sign_up(day: Morning, name: str) -> None:
    """By the form, which was shown five minutes ago."""
    shown = seal_form(day.parts.clock() - timedelta(minutes=5), KEY)
    await day.press("/subscribe", email=address(name), cadence="weekly", form_time=shown)


async def test_a_confirmation_that_waits_in_the_outbox_does_not_go_to_whoever_wants_none_ever(morning):
    day = await morning()
    await sign_up(day, "dora")
    async with day.relay:
        assert await day.post() == 1
        assert await purposes(day) == {"confirm": "pending"}

        await day.press(f"/never/{seal_wish(Wish(1, 1, 0), Purpose.NEVER, KEY)}")

        assert await purposes(day) == {"confirm": GONE}
        await sign_up(day, "dora")
        assert await day.post() == 0
        await day.later(0, 1)
        assert day.offered("dora") == 0
        await day.holds(accepted=1, skipped=1)


@pytest.mark.parametrize("composed", [True, False], ids=["in the outbox", "not composed yet"])
@pytest.mark.parametrize("kind", ["welcome", "changed"])
async def test_a_mail_that_waits_is_skipped_for_whoever_leaves_and_the_goodbye_comes_once(morning, kind, composed):
    day = await morning()
    async with day.relay:
        await day.run()
        who = "dora" if kind == "welcome" else "ann"
        if kind == "welcome":
            await sign_up(day, who)
            await day.post()
            await day.run()
            await day.press(link(day.mail(who), "confirm"))
        else:
            await day.preferences(do="save", cadence="daily")
        if composed:
            assert await day.post() == 1
        had = day.copies(who)

        for _ in range(3):
            await day.leave(who)

        assert await day.post() == 1
        found = await purposes(day)
        assert found.pop("goodbye") == "pending"
        assert found.get(kind) == (GONE if composed else None)
        await day.later(0, 1)
        assert day.copies(who) - had == {"goodbye": 1}
        assert await day.post() == 0
        await sums_hold(day.database)


@pytest.mark.parametrize("kind", ["welcome", "changed"])
async def test_a_mail_on_its_way_when_its_reader_leaves_is_one_copy_and_a_goodbye(morning, kind):
    gate = Gate()
    day = await morning(Rule("DOT", then(gate, accept_then_drop()), when=recipient(address("dora")), times=1))
    async with day.relay:
        await day.run()
        await join(day.database, "dora")
        dora = await day.reader("dora")
        await day.database.write(notices.want, kind, dora.id, dora.generation, now=MONDAY)
        await day.post()
        running = await held_at(day, gate)

        await day.leave("dora")

        gate.open.set()
        await running
        assert (await purposes(day))[kind].startswith("in_doubt")
        await day.post()
        await day.later(0, 1, 1)
        assert day.copies("dora") == {kind: 1, "goodbye": 1}
        assert (await purposes(day))[kind] == "skipped: not_wanted"
        await sums_hold(day.database)


ERASED = {
    "claimed": (BEN, normal(), "skipped: erased", 0),
    "taken": (ANN, normal(), "accepted", 1),
    "put off": (ANN, say("451 4.3.0 later"), "skipped: erased", 0),
    "taken in silence": (ANN, accept_then_drop(), "in_doubt_held", 1),
}


@pytest.mark.parametrize("where", ERASED)
async def test_whoever_presses_the_link_that_erases_in_the_middle_of_a_run_gets_nothing_after_it(morning, where):
    at, action, at_last, copies = ERASED[where]
    gate = Gate()
    day = await morning(Rule("DOT", then(gate, action), when=at, times=1, after=int(at is ANN)))
    async with day.relay:
        await day.preferences(do="erase")
        await day.post()
        await day.run(notices_alone=True)
        page = link(day.mail(), "erase")
        assert day.copies() == {"erase": 1}
        running = await held_at(day, gate)

        await day.press(page)

        assert await day.reader() is None
        gate.open.set()
        await running
        await day.later(1, 1, 30)
        assert day.copies() == Counter(erase=1, digest=copies) + Counter()
        nameless = select(deliveries.c.state, deliveries.c.reason).where(
            deliveries.c.edition_id == day.edition, deliveries.c.subscriber_id.is_(None), deliveries.c.address.is_(None)
        )
        ((state, reason),) = await day.database.read(lambda c: c.execute(nameless).all())
        assert at_last in {state, f"{state}: {reason}"}
        assert await sums_hold(day.database) == Counter(accepted=3) + Counter([state])
        assert day.copies("ben") == day.copies("cem") == {"digest": 1}


async def test_after_an_erasure_the_next_ones_get_their_mail(morning):
    day = await morning()
    async with day.relay:
        await day.run()
        await day.preferences(do="erase")
        await day.post()
        await day.run()
        await day.press(link(day.mail(), "erase"))

        await sign_up(day, "dora")

        assert await day.post() == 1
        await day.run()
        assert day.copies("dora") == {"confirm": 1}
