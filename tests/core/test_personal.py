"""A reader's own copy of a compiled mail."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import pytest

from mailer.core.delivery import Claimed
from mailer.core.message import Compiled, Headers, compile_mail, slot_mark
from mailer.core.personal import Stationery
from mailer.core.tokens import Claim, Purpose, key_id, open_bounce, open_token
from mailer.errors import InputError

MARK = "kX7qP2mZ9tR4wB6nC8vY"
OLD, NEW = "an old key that signed the edition", "a new key that came afterwards"
JOINED = datetime(2026, 10, 2, 23, 30, tzinfo=UTC)  # in Berlin it is the 3rd already
ANN = Claimed(
    id=71,
    edition=4,
    variant=9,
    subscriber=12,
    generation=2,
    address="ann@example.com",
    joined_at=JOINED,
    attempts=0,
    waits=0,
    expires_at=JOINED + timedelta(days=60),
    nonce="0123456789abcdef" * 2,
    key_id=key_id(OLD),
)


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    leave, manage, since = (slot_mark(MARK, slot) for slot in ("leave", "manage", "since"))
    words = f"Leave: {leave}\nManage: {manage}\nYou asked on {since}."
    return compile_mail(
        headers=Headers(
            "Mia", "digest@site.example", "Mia", "digest.site.example", "https://m.example", ("a", "b", "c")
        ),
        subject="News",
        html=f"<p>{words}</p>",
        text=words,
        mark=MARK,
        date=JOINED,
        boundary="a1b2c3d4e5",
    )


def stationery(*keys: str, sender: str = "digest@site.example", **bounce) -> Stationery:
    return Stationery(sender=sender, keys=keys, zone=ZoneInfo("Europe/Berlin"), today=date(2026, 11, 23), **bounce)


def to_bounces(*keys: str) -> Stationery:
    """With a return address for each delivery."""
    return stationery(*keys, bounce="bounces+news@bounce.example", verp=True)


def test_a_copy_has_the_readers_address_links_and_date(compiled):
    mail = stationery(OLD).write(ANN, compiled)
    assert (mail.sender, mail.recipient) == ("digest@site.example", "ann@example.com")
    read = message_from_bytes(mail.data, policy=policy.default)
    assert read["To"] == "ann@example.com"
    assert read["Message-ID"] == "<71.0123456789abcdef@site.example>"
    text = read.get_body(("plain",)).get_content().splitlines()
    assert open_token(text[0].removeprefix("Leave: "), Purpose.LEAVE, [OLD]) == Claim(12, 2)
    assert open_token(text[1].removeprefix("Manage: "), Purpose.MANAGE, [OLD]) == Claim(12, 2)
    assert text[2] == "You asked on 3 October 2026."
    one_click = str(read["List-Unsubscribe"]).removeprefix("<https://m.example/one-click/").removesuffix(">")
    assert open_token(one_click, Purpose.LEAVE, [OLD]) == Claim(12, 2)


def test_a_second_copy_is_the_first_byte_for_byte_also_after_a_change_of_keys(compiled):
    first = stationery(OLD).write(ANN, compiled)
    later = replace(ANN, attempts=3, waits=2)
    assert stationery(OLD).write(later, compiled) == first
    assert stationery(OLD, NEW).write(later, Compiled.unpack(compiled.pack())) == first


def test_what_is_planned_after_a_change_of_keys_is_signed_by_the_newest(compiled):
    paper = stationery(OLD, NEW)
    fresh = paper.write(replace(ANN, key_id=key_id(NEW)), compiled)
    assert fresh == stationery(NEW).write(replace(ANN, key_id=key_id(NEW)), compiled)
    assert fresh != paper.write(ANN, compiled)


def test_two_readers_share_nothing_that_is_theirs(compiled):
    ann, bob = (
        stationery(OLD).write(item, compiled).data.split(b"\r\n")
        for item in (ANN, replace(ANN, id=72, subscriber=13, address="bob@example.com"))
    )
    differing = [(a, b) for a, b in zip(ann, bob, strict=True) if a != b]
    assert len(differing) == 7  # To, Message-ID, List-Unsubscribe, and two links in both parts


def test_a_test_copy_names_today(compiled):
    data = stationery(NEW).write(replace(ANN, edition=None, subscriber=0, joined_at=None, key_id=""), compiled).data
    assert b"on=20=\r\n23 November 2026" in data


def test_the_date_is_in_the_language_of_the_mail(compiled):
    german = Compiled.unpack(replace(compiled, language="de").pack())
    assert b"on=20=\r\n3. Oktober 2026" in stationery(OLD).write(ANN, german).data


def test_a_mail_that_was_packed_before_there_were_languages_reads_as_it_did_then(compiled):
    """Format 01 left the 'on' to the slot; such a mail may wait in the ledger while the program is replaced."""
    data = stationery(OLD).write(ANN, replace(compiled, language="")).data
    assert b"You asked on=20=\r\non 3 October 2026" in data


def test_the_domain_of_a_message_id_is_ascii(compiled):
    data = stationery(OLD, sender="digest@bücher.example").write(ANN, compiled).data
    assert b"Message-ID: <71.0123456789abcdef@xn--bcher-kva.example>\r\n" in data


def test_without_a_return_address_of_its_own_a_mail_has_that_of_the_site(compiled):
    plain, returned = (stationery(OLD, **more).write(ANN, compiled) for more in ({}, {"bounce": "back@bounce.example"}))
    assert (plain.sender, plain.envelope_id) == ("digest@site.example", "")
    assert (returned.sender, returned.envelope_id) == ("back@bounce.example", "")
    assert returned.data == plain.data


def test_each_delivery_has_a_return_address_by_which_it_is_known(compiled):
    ann, bob = (to_bounces(OLD).write(item, compiled) for item in (ANN, replace(ANN, id=72, subscriber=13)))
    for mail, delivery in ((ann, 71), (bob, 72)):
        local, _, domain = mail.sender.partition("@")
        assert (domain, local.removesuffix(mail.envelope_id)) == ("bounce.example", "bounces+news+")
        assert open_bounce(mail.envelope_id, [NEW, OLD]) == delivery
    assert ann.data == stationery(OLD).write(ANN, compiled).data  # all of it is in the envelope
    assert b"Return-Path" not in ann.data


def test_a_second_try_has_the_return_address_of_the_first_also_after_a_change_of_keys(compiled):
    first = to_bounces(OLD).write(ANN, compiled)
    assert to_bounces(OLD, NEW).write(replace(ANN, attempts=3, waits=2), compiled) == first
    planned_later = to_bounces(OLD, NEW).write(replace(ANN, key_id=key_id(NEW)), compiled)
    assert planned_later == to_bounces(NEW).write(replace(ANN, key_id=key_id(NEW)), compiled)
    assert open_bounce(planned_later.envelope_id, [OLD]) is None


@pytest.mark.parametrize(
    "address", ["ann@example.com\r\nBcc: x@example.com", "ann", "<ann@example.com>", "a b@c.example"]
)
def test_an_address_that_cant_stand_in_a_header_is_refused(compiled, address):
    with pytest.raises(InputError):
        stationery(OLD).write(replace(ANN, address=address), compiled)
