"""MAIL, RCPT and DATA in one write, or one after the other: whatever the relay makes of each.

RFC 2920: every command has its reply, in its turn; a 354 after a refused RCPT is answered by a lone dot. Whom a relay
would mail that refuses MAIL and then says 354, nobody knows: nothing more is written to it.
"""

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.core.delivery import Answer, Reply, Stage
from mailer.core.message import Mail
from tests.faults.badrelay import (
    OFFERS,
    PIPELINED,
    Action,
    BadRelay,
    Rule,
    accept,
    at_random,
    delay,
    drop,
    go_ahead,
    goodbye,
    hang,
    normal,
    nth,
    paced,
    raw,
    say,
    then,
    wait,
)
from tests.smtp.connected import SOON, connected, mail, relay_to

GROUP = ("MAIL", "RCPT", "DATA")
ACCEPTED = Answer(Stage.DOT, Reply(250, "2.0.0", "accepted"))
NOBODY = Reply(550, "5.1.1", "user unknown")
OFFERED = {"one by one": OFFERS, "pipelined": PIPELINED}
either = pytest.mark.parametrize("offers", OFFERED.values(), ids=OFFERED)

# What a relay may make of a command: the reply that is read of it, and how it says so.
SAID: dict[str, tuple[Reply | None, Action]] = {
    "4yz": (Reply(451, "4.3.0", "later"), say("451 4.3.0 later")),
    "5yz": (NOBODY, say("550-5.1.1 user\n550 5.1.1 unknown")),
    "421": (Reply(421, "4.3.2", "closing"), goodbye("421 4.3.2 closing")),
    "garbage": (None, raw(b"hello\r\n")),
    "close": (None, drop()),
}
OUTCOMES = ("ok", *SAID)
LETS_GO_ON = {"MAIL": say("250 2.1.0 ok"), "RCPT": say("250 2.1.5 ok"), "DATA": go_ahead()}
ENDS = {"421", "garbage", "close"}


def spoken(bad: BadRelay, connection: int = 1) -> list[str]:
    """The first words of all that one connection wrote, line by line; a dot where one stood alone."""
    data = b"".join(piece.data for piece in bad.pieces if piece.connection == connection)
    return [line.partition(b" ")[0].decode() for line in data.split(b"\r\n")[:-1]]


def a_mail_of_one_line(name: str = "ann") -> Mail:
    """Its Message-ID is all of it, so that `spoken` tells a body by one word."""
    return mail(name, f"Message-ID: <{name}@news.example.org>\r\n".encode())


BODY = "Message-ID:"
WHOLE = [*GROUP, BODY, "."]


@dataclass(frozen=True)
class Expected:
    """What must come of one mail. `replies`: those its answer may hold. `wrote`: after the EHLO."""

    stage: Stage
    replies: set[Reply | None]
    alive: bool
    wrote: list[str]


def expected(outcomes: dict[str, str], *, pipelined: bool) -> Expected:
    """The rules of the dialogue, written down a second time."""
    asked: list[str] = []
    refusal: tuple[Stage, Reply | None] | None = None
    for stage in GROUP:
        outcome = outcomes[stage]
        asked.append(stage)
        if outcome != "ok" and refusal is None:
            refusal = Stage[stage], SAID[outcome][0]
        if outcome in ENDS:
            assert refusal
            return Expected(refusal[0], {refusal[1]}, alive=False, wrote=list(GROUP) if pipelined else asked)
        if refusal and not pipelined:
            return Expected(refusal[0], {refusal[1]}, alive=True, wrote=[*asked, "RSET"])
    if refusal is None:
        return Expected(Stage.DOT, {ACCEPTED.reply}, alive=True, wrote=WHOLE)
    if outcomes["DATA"] != "ok":
        return Expected(refusal[0], {refusal[1]}, alive=True, wrote=[*GROUP, "RSET"])
    if refusal[0] is Stage.MAIL:
        return Expected(Stage.MAIL, {refusal[1], None}, alive=False, wrote=list(GROUP))
    return Expected(refusal[0], {refusal[1]}, alive=True, wrote=[*GROUP, ".", "RSET"])


def rules_for(outcomes: dict[str, str], *, split: bool = False) -> list[Rule]:
    """About the first mail alone, whose replies come byte by byte where they are `split`."""
    rules = []
    for stage, outcome in outcomes.items():
        action = LETS_GO_ON[stage] if outcome == "ok" else SAID[outcome][1]
        if split and outcome not in {"421", "close"}:
            action = paced(action)
        rules.append(Rule(stage, action, when=nth(1)))
    return rules


async def the_next_is_right(connection, bad: BadRelay) -> None:
    before = bad.copies.total()
    assert await connection.send(a_mail_of_one_line("next")) == ACCEPTED
    assert bad.copies.total() == before + 1
    assert bad.accepted[-1].recipient == "next@example.org"
    assert bad.accepted[-1].message_id == "<next@news.example.org>"


async def is_dead(connection, bad: BadRelay) -> None:
    assert not connection.alive
    messages = bad.messages
    answer = await connection.send(a_mail_of_one_line("next"))
    assert (answer.stage, answer.reply, bool(answer.trouble)) == (Stage.MAIL, None, True)
    assert bad.messages == messages


@either
@pytest.mark.parametrize(("at_mail", "at_rcpt"), list(product(OUTCOMES, OUTCOMES)))
async def test_each_combination_of_replies_means_what_its_first_refusal_says(offers, at_mail, at_rcpt):
    for at_data, how in product(OUTCOMES, ("each", "grouped", "split")):
        outcomes = {"MAIL": at_mail, "RCPT": at_rcpt, "DATA": at_data}
        right = expected(outcomes, pipelined=offers is PIPELINED)
        rules = rules_for(outcomes, split=how == "split")
        bad = BadRelay(rules, offers=offers, keep=True, grouped=how == "grouped")
        async with bad, connected(bad) as connection:
            answer = await connection.send(a_mail_of_one_line())
            said = f"{at_data}, {how}: {answer}"
            assert answer.stage is right.stage, said
            assert answer.reply in right.replies, said
            assert bool(answer.trouble) is (answer.reply is None), said
            if right.alive:
                await the_next_is_right(connection, bad)
            else:
                await is_dead(connection, bad)
        assert spoken(bad) == ["EHLO", *right.wrote, *([*WHOLE, "QUIT"] if right.alive else [])], said
        assert bad.copies["ann@example.org"] == (1 if answer == ACCEPTED else 0), said


# One write


async def test_mail_rcpt_and_data_go_in_one_write_where_the_relay_offers_it():
    async with BadRelay(offers=PIPELINED, keep=True) as bad, connected(bad) as connection:
        for number in range(20):
            assert await connection.send(mail(f"r{number}")) == ACCEPTED
        groups = [piece.data for piece in bad.pieces if piece.data.startswith(b"MAIL ")]
        assert len(groups) == 20
        for number, group in enumerate(groups):
            lines = group.split(b"\r\n")
            assert [line.partition(b" ")[0] for line in lines] == [b"MAIL", b"RCPT", b"DATA", b""]
            assert lines[1].startswith(b"RCPT TO:<r%d@example.org>" % number)
    assert [taken.message_id for taken in bad.accepted] == [f"<r{number}@news.example.org>" for number in range(20)]


async def test_the_group_is_there_before_any_of_it_is_answered():
    unread: list[bytes] = []

    async def look(scene) -> None:
        unread.append(scene.session.unread)

    async with BadRelay([Rule("MAIL", then(look, normal()))], offers=PIPELINED) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == ACCEPTED
    assert unread[0].startswith(b"RCPT TO:<ann@example.org>")
    assert unread[0].endswith(b"DATA\r\n")


async def test_a_relay_that_offers_none_of_it_gets_each_command_after_the_last_reply():
    unread: list[bytes] = []

    async def look(scene) -> None:
        unread.append(scene.session.unread)

    rules = [Rule(stage, then(wait(0.005), look, normal())) for stage in GROUP]
    async with BadRelay(rules, offers=OFFERS) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == ACCEPTED
    assert unread == [b"", b"", b""]


@either
async def test_the_body_waits_for_354_and_rset_for_the_reply_to_the_dot(offers):
    unread: list[bytes] = []

    async def look(scene) -> None:
        unread.append(scene.session.unread)

    rules = [
        Rule("DATA", then(wait(0.01), look, normal()), when=nth(1)),
        Rule("DOT", then(wait(0.01), look, say("554 5.6.0 malformed")), when=nth(1)),
    ]
    async with BadRelay(rules, offers=offers, keep=True) as bad, connected(bad) as connection:
        answer = await connection.send(a_mail_of_one_line())
        assert answer == Answer(Stage.DOT, Reply(554, "5.6.0", "malformed"))
        await the_next_is_right(connection, bad)
    assert unread == [b"", b""]
    assert spoken(bad) == ["EHLO", *WHOLE, "RSET", *WHOLE, "QUIT"]


@either
async def test_many_mails_after_many_refusals_are_each_their_readers_own(offers):
    rules = [
        Rule("RCPT", say("550 5.1.1 user unknown"), when=lambda scene: scene.recipient.startswith("gone")),
        Rule("MAIL", say("451 4.3.2 later"), when=lambda scene: scene.number % 7 == 0),
    ]
    async with BadRelay(rules, offers=offers, keep=True) as bad, connected(bad) as connection:
        answers = [
            await connection.send(mail(f"gone{number}" if number % 3 == 0 else f"r{number}")) for number in range(40)
        ]
        assert connection.alive
    right = [
        "451 4.3.2 later"
        if (number + 1) % 7 == 0
        else "550 5.1.1 user unknown"
        if number % 3 == 0
        else "250 2.0.0 accepted"
        for number in range(40)
    ]
    assert [str(answer) for answer in answers] == right
    reached = [f"r{number}@example.org" for number, said in enumerate(right) if said.startswith("250")]
    assert [taken.recipient for taken in bad.accepted] == reached
    assert [taken.message_id for taken in bad.accepted] == [
        f"<{name.partition('@')[0]}@news.example.org>" for name in reached
    ]


# The lone dot


@pytest.mark.parametrize(
    "at_dot",
    ["554 5.5.1 no valid recipients", "250 2.0.0 taken, for nobody", "451 4.3.0 later", "503-no\n503 recipients"],
)
async def test_354_after_a_refused_recipient_gets_a_lone_dot_whose_reply_is_read_and_not_believed(at_dot):
    unread: list[bytes] = []

    async def look(scene) -> None:
        unread.append(scene.session.unread)

    rules = [
        Rule("RCPT", SAID["5yz"][1], when=nth(1)),
        Rule("DATA", go_ahead(), when=nth(1)),
        Rule("DOT", then(wait(0.01), look, say(at_dot)), when=nth(1)),
    ]
    async with BadRelay(rules, offers=PIPELINED, keep=True) as bad, connected(bad) as connection:
        assert await connection.send(a_mail_of_one_line()) == Answer(Stage.RCPT, NOBODY)
        await the_next_is_right(connection, bad)
    assert spoken(bad) == ["EHLO", *GROUP, ".", "RSET", *WHOLE, "QUIT"]
    assert unread == [b""], "RSET before the dot was answered"


@pytest.mark.parametrize(
    "at_dot",
    [drop(), hang(), raw(b"hello\r\n"), goodbye("421 4.3.2 closing"), raw(b"354 once more\r\n")],
    ids=["close", "hang", "garbage", "421", "out of step"],
)
async def test_a_lone_dot_that_goes_wrong_ends_the_connection_but_not_the_refusal(at_dot):
    rules = [Rule("RCPT", say("550 5.1.1 user unknown")), Rule("DATA", go_ahead()), Rule("DOT", at_dot)]
    async with (
        BadRelay(rules, offers=PIPELINED, keep=True) as bad,
        connected(bad, patience=SOON, after_dot=SOON) as connection,
    ):
        assert await connection.send(a_mail_of_one_line()) == Answer(Stage.RCPT, NOBODY)
        await is_dead(connection, bad)
    assert spoken(bad) == ["EHLO", *GROUP, "."]
    assert not bad.copies


@pytest.mark.parametrize("hangs_up", [False, True])
@pytest.mark.parametrize("stage", ["RCPT", "DATA"])
async def test_421_after_a_refusal_ends_the_connection_whether_or_not_the_relay_hangs_up(stage, hangs_up):
    """RFC 5321 §3.8: it may come at any command, and nothing more is said to a relay that goes."""
    before = "MAIL" if stage == "RCPT" else "RCPT"
    farewell = goodbye("421 4.3.2 closing") if hangs_up else say("421 4.3.2 closing")
    rules = [Rule(before, say("550 5.1.1 user unknown")), Rule(stage, farewell)]
    async with BadRelay(rules, offers=PIPELINED, keep=True) as bad, connected(bad, patience=SOON) as connection:
        assert await connection.send(a_mail_of_one_line()) == Answer(Stage[before], NOBODY)
        await is_dead(connection, bad)
    assert spoken(bad) == ["EHLO", *GROUP]


# Replies that are too many, too few or out of their turn


async def silence(_scene) -> None:
    """No reply at all."""


@pytest.mark.parametrize(
    ("rules", "stage", "reply"),
    [
        # The replies of the group in another's turn: what stands where MAIL's belongs is MAIL's.
        ([Rule("MAIL", raw(b"354 go ahead\r\n"))], Stage.MAIL, None),
        ([Rule("RCPT", raw(b"354 go ahead\r\n"))], Stage.RCPT, None),
        ([Rule("DATA", raw(b"250 2.0.0 accepted\r\n"))], Stage.DATA, None),
        ([Rule("MAIL", raw(b"250-ok\r\n550 no\r\n"))], Stage.MAIL, None),
        # One too few, so that the last never comes.
        ([Rule("MAIL", silence), Rule("RCPT", say("250 ok")), Rule("DATA", silence)], Stage.RCPT, None),
        ([Rule("DATA", silence)], Stage.DATA, None),
        ([Rule("DATA", then(raw(b"354 half"), wait(0)))], Stage.DATA, None),
    ],
)
async def test_replies_out_of_their_turn_end_the_connection_and_nothing_is_sent(rules, stage, reply):
    async with (
        BadRelay(rules, offers=PIPELINED, keep=True) as bad,
        connected(bad, patience=SOON) as connection,
    ):
        answer = await connection.send(a_mail_of_one_line())
        assert (answer.stage, answer.reply) == (stage, reply)
        await is_dead(connection, bad)
    assert spoken(bad) == ["EHLO", *GROUP]
    assert not bad.copies


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(
    ("stage", "extra"),
    [
        ("MAIL", b"250 2.1.5 and one more\r\n"),
        ("RCPT", b"354 go ahead\r\n"),
        ("RCPT", b"550 5.1.1 for another\r\n"),
        ("DATA", b"250 2.0.0 accepted\r\n"),
        ("DATA", b"354 go ahead\r\n"),
        ("DATA", b"2"),
    ],
)
async def test_a_reply_more_than_was_asked_for_is_never_taken_for_another(stage, extra, grouped):
    """What came with the group shows before the dot; what is ahead of its question can't pass for an answer."""
    rule = Rule(stage, then(normal(), raw(extra)), when=nth(1))
    async with (
        BadRelay([rule], offers=PIPELINED, keep=True, grouped=grouped) as bad,
        connected(bad, patience=SOON, after_dot=SOON) as connection,
    ):
        answer = await connection.send(a_mail_of_one_line())
        assert answer.reply is None or answer.reply.code == 550
        assert answer != ACCEPTED
        await is_dead(connection, bad)


@either
@pytest.mark.parametrize("pause", [0.0, 0.02])
async def test_a_reply_after_the_last_is_never_the_next_mails(offers, pause):
    rule = Rule("DOT", then(normal(), wait(pause), raw(b"250 2.0.0 for another\r\n")), when=nth(1))
    async with BadRelay([rule], offers=offers, keep=True) as bad, connected(bad) as connection:
        first = await connection.send(mail())
        assert first == ACCEPTED
        for _ in range(1_000 if pause else 0):  # until the sender has seen it
            if not connection.alive:
                break
            await asyncio.sleep(0.005)
        second = await connection.send(mail("next"))
        assert (second.stage, second.reply) == (Stage.MAIL, None)
        assert not connection.alive
    assert bad.copies == {"ann@example.org": 1}


@either
@pytest.mark.parametrize("stage", GROUP)
async def test_a_group_that_is_answered_too_late_is_no_answer_and_never_anothers(offers, stage):
    async with (
        BadRelay([Rule(stage, delay(2 * SOON))], offers=offers, keep=True) as bad,
        connected(bad, patience=SOON) as connection,
    ):
        answer = await connection.send(mail())
        assert (answer.stage, answer.reply) == (Stage[stage], None)
        await asyncio.sleep(1.5 * SOON)
        await is_dead(connection, bad)
    assert not bad.copies


@either
async def test_a_relay_that_takes_the_mail_and_then_refuses_the_reset_is_left(offers):
    rules = [Rule("DATA", say("451 4.3.0 later"), when=nth(1)), Rule("RSET", say("500 5.5.1 what"))]
    async with BadRelay(rules, offers=offers, keep=True) as bad, connected(bad) as connection:
        assert await connection.send(mail()) == Answer(Stage.DATA, Reply(451, "4.3.0", "later"))
        await is_dead(connection, bad)


# Chance

HINTS = [b"354 go ahead\r\n", b"354\n"]
YES = [
    b"250 2.0.0 accepted\r\n",
    b"250-2.0.0 accep\r\n250 2.0.0 ted\r\n",
    b"250\r\n",
    b"251 elsewhere\n",
    b"250 half",
    b"25",
]
NO = [
    b"421 4.3.2 closing\r\n",
    b"451 4.3.0 later\r\n",
    b"550-5.1.1 user\r\n550 5.1.1 unknown\r\n",
    b"554\r\n",
    b"\r\n",
    b"hello\r\n",
    b"\xff\x00\r\n",
    b"550-one\r\n250 two\r\n",
    b"",
]
# A reply that comes unasked, yet late enough to pass for the one that is awaited, nobody can tell from it. So chance
# says nothing that would let a body go before the relay wants it, or be thanked for before it is there.
WORDS = {"MAIL": YES + NO, "RCPT": YES + NO, "DATA": NO, "DOT": YES + NO + HINTS, "RSET": YES + NO + HINTS}
EXAMPLES = int(os.environ.get("MAILER_TEST_EXAMPLES", "0"))
MAILS = 8
IMPATIENCE = 0.05


@st.composite
def manners(draw) -> dict[str, list[Action]]:
    """What the relay does at each stage, time after time: mostly what it should."""

    def action(stage: str) -> Action:
        word = st.sampled_from(WORDS[stage])
        kind = draw(st.sampled_from(["good", "good", "good", "refuse", "rave", "more", "close", "odd"]))
        if kind == "refuse":
            return say(draw(st.sampled_from(["451 4.3.0 later", "550 5.1.1 unknown", "554-no\n554 never"])))
        if kind == "rave":
            return raw(b"".join(draw(st.lists(word, min_size=1, max_size=3))))
        if kind == "more":
            return then(normal(), raw(draw(word)))
        if kind == "close":
            return draw(st.sampled_from([drop(), then(normal(), drop()), goodbye("421 4.3.2 closing")]))
        if kind == "odd" and stage == "DATA":
            return go_ahead()
        if kind == "odd" and stage == "DOT":
            return then(accept(), drop())
        return normal()

    return {stage: [action(stage) for _ in range(4)] for stage in WORDS}


class Whims:
    """Rules by which a relay does at each stage one thing after the other, over and over, and in pieces.

    `said`: what it answered to the dot of each recipient's mail.
    """

    def __init__(self, manners: dict[str, list[Action]], chance: random.Random) -> None:
        self.said: dict[str, str] = {}
        self._manners = manners
        self._chance = chance
        self._turn: Counter[str] = Counter()

    def rules(self) -> list[Rule]:
        return [Rule(stage, self._note if stage == "DOT" else self._act) for stage in self._manners]

    async def _act(self, scene) -> None:
        actions = self._manners[scene.stage]
        action = actions[self._turn[scene.stage] % len(actions)]
        self._turn[scene.stage] += 1
        await at_random(action, self._chance)(scene)

    async def _note(self, scene) -> None:
        name, written = scene.recipient, scene.session.write
        self.said[name] = ""

        def note(data: bytes) -> None:
            self.said[name] += data.decode(errors="replace")
            written(data)

        scene.session.write = note
        try:
            await self._act(scene)
        finally:
            del scene.session.write


# The same examples each time, so that CI is steady; MAILER_TEST_EXAMPLES=1500 plays so many new ones.
@settings(max_examples=EXAMPLES or 60, derandomize=not EXAMPLES)
@given(manners=manners(), seed=st.integers(0, 2**32), pipelined=st.booleans(), grouped=st.booleans())
def test_whatever_the_relay_says_no_mail_counts_that_it_did_not_take(manners, seed, pipelined, grouped):
    asyncio.run(_play(Whims(manners, random.Random(seed)), PIPELINED if pipelined else OFFERS, grouped=grouped))


async def _play(whims: Whims, offers: Sequence[str], *, grouped: bool) -> None:
    """Some mails over as many connections as it takes, and what must be true of them."""
    answers: dict[str, Answer] = {}
    async with BadRelay(whims.rules(), offers=offers, keep=True, grouped=grouped) as bad:
        relay = relay_to(bad, patience=IMPATIENCE, after_dot=IMPATIENCE)
        waiting = [a_mail_of_one_line(f"r{number}") for number in range(MAILS)]
        while waiting:
            connection = await relay.open()
            if isinstance(connection, Answer):  # the machine is busier than we are patient
                continue
            while connection.alive and waiting:
                one = waiting.pop()
                answers[one.recipient] = await connection.send(one)
            await connection.close()
    for name, answer in answers.items():
        if answer.stage is not Stage.DOT:
            assert not bad.copies[name], (name, answer)
        elif answer.reply and answer.reply.code // 100 == 2:
            assert re.match(r"2\d\d[ \r\n-]", whims.said[name]), (name, answer, whims.said[name])
    for taken in bad.accepted:
        assert taken.data == a_mail_of_one_line(taken.recipient.partition("@")[0]).data
