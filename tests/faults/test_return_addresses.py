"""What a relay sees of the envelope in whole runs: each mail's return address, and what shall be told of its fate."""

import re

import pytest
from sqlalchemy import update

from mailer.core.tokens import open_bounce
from mailer.store.tables import subscribers
from tests.faults.badrelay import OFFERS, PIPELINED, BadRelay, Rule, accept_then_drop, nth, recipient, say
from tests.faults.runs import due, ends, quick, way_to
from tests.stories import KEY, SITE, address, row_of, send

__all__ = ["quick"]  # a fixture

BOUNCES = "bounces@back.example"
NAMES = ("ann", "bob", "cem")
DSN = (*OFFERS, "DSN")
pytestmark = pytest.mark.parametrize(
    "offers", [OFFERS, DSN, PIPELINED], ids=["no DSN", "DSN, one by one", "DSN, pipelined"]
)


def heard(relay: BadRelay, verb: str) -> list[str]:
    """The lines that began so."""
    return [line.text.decode() for line in relay.lines if line.text.startswith(verb.encode())]


def named(line: str) -> tuple[str, int | None]:
    """The token in the sender of a MAIL line, and the delivery that it opens to."""
    token = re.match(r"MAIL FROM:<bounces\+([^@>]*)@back\.example>", line)[1]
    return token, open_bounce(token, ["another key that is in use, too", KEY])


async def test_each_mail_has_a_return_address_of_its_own_and_asks_for_word_where_that_can_be_had(
    database, clock, offers
):
    await due(database, *NAMES)
    async with BadRelay(offers=offers, keep=True) as bad:
        await send(database, way_to(bad), clock, connections=2, bounce=BOUNCES, verp=True)
        await ends(database, bad, {"accepted": 3}, {1: 3})
        mails, recipients = heard(bad, "MAIL"), heard(bad, "RCPT")
        assert not any(b"return-path" in taken.data.lower() for taken in bad.accepted)
    rows = {(await row_of(database, name)).id: name for name in NAMES}
    assert {named(line)[1] for line in mails} == set(rows)
    for line in mails:
        assert len(line.partition("<")[2].partition("@")[0]) <= 64
        asked = f" RET=HDRS ENVID={named(line)[0]}" if "DSN" in offers else ""
        assert re.fullmatch(r"<[^>]*> SIZE=\d+" + asked, line.removeprefix("MAIL FROM:"))
    asked = " NOTIFY=FAILURE ORCPT=rfc822;{}" if "DSN" in offers else ""
    assert set(recipients) == {f"RCPT TO:<{address(name)}>{asked.format(address(name))}" for name in NAMES}


@pytest.mark.parametrize(("bounce", "sender"), [("", SITE.from_address), (BOUNCES, BOUNCES)])
async def test_without_verp_all_mails_have_one_sender_and_nothing_is_asked_for(database, clock, offers, bounce, sender):
    await due(database, *NAMES)
    async with BadRelay(offers=offers) as bad:
        await send(database, way_to(bad), clock, bounce=bounce)
        await ends(database, bad, {"accepted": 3}, {1: 3})
        assert {line.partition(" SIZE=")[0] for line in heard(bad, "MAIL")} == {f"MAIL FROM:<{sender}>"}
        assert set(heard(bad, "RCPT")) == {f"RCPT TO:<{address(name)}>" for name in NAMES}


@pytest.mark.parametrize(
    ("fault", "minutes"),
    [
        (Rule("RCPT", say("451 4.7.1 later"), when=recipient(address("bob")), times=1), 6),
        (Rule("DOT", accept_then_drop(), when=nth(2)), 31),
    ],
    ids=["put off", "in doubt"],
)
async def test_a_second_try_says_what_the_first_said_also_after_a_change_of_keys(
    database, clock, offers, fault, minutes
):
    await due(database, *NAMES)
    async with BadRelay([fault], offers=offers) as bad:
        await send(database, way_to(bad), clock, connections=1, bounce=BOUNCES, verp=True)
        clock.move(minutes=minutes)
        keys = (KEY, "a newer key, which signs what comes after it")
        await send(database, way_to(bad), clock, connections=1, bounce=BOUNCES, verp=True, keys=keys)
        bob = (await row_of(database, "bob")).id
        tries = [line for line in heard(bad, "MAIL") if named(line)[1] == bob]
        assert (len(tries), len(set(tries))) == (2, 1)
        to_bob = [line for line in heard(bad, "RCPT") if address("bob") in line]
        assert (len(to_bob), len(set(to_bob))) == (2, 1)


async def test_an_address_with_signs_of_its_own_is_spelt_out_and_one_beyond_ascii_is_not_repeated(
    database, clock, offers
):
    await due(database, *NAMES)
    odd = {"ann": "ann+news=1@example.com", "bob": "bøb@example.com"}
    for name, other in odd.items():
        row = await row_of(database, name)
        await database.write(
            lambda c, row=row, other=other: (
                c.execute(update(subscribers).where(subscribers.c.id == row.subscriber_id).values(email=other)).rowcount
            )
        )
    async with BadRelay(offers=offers) as bad:
        await send(database, way_to(bad), clock, bounce=BOUNCES, verp=True)
        await ends(database, bad, {"accepted": 3}, {1: 3})
        told, unrepeated = "", ""
        if "DSN" in offers:
            told, unrepeated = " NOTIFY=FAILURE ORCPT=rfc822;ann+2Bnews+3D1@example.com", " NOTIFY=FAILURE"
        assert f"RCPT TO:<ann+news=1@example.com>{told}" in heard(bad, "RCPT")
        assert f"RCPT TO:<bøb@example.com>{unrepeated}" in heard(bad, "RCPT")
        assert [" SMTPUTF8" in line for line in heard(bad, "MAIL")].count(True) == 1
