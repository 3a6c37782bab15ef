import email
import email.policy
import re
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.core.header import (
    address_header,
    address_value,
    date_header,
    list_id_header,
    mail_address,
    raw_header,
    text_header,
)
from mailer.core.text import clean_text
from mailer.errors import InputError
from tests.mail.samples import ODD_TITLES

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=400)


def parsed(field: bytes):
    return email.message_from_bytes(field + b"\r\n", policy=email.policy.default)


def assert_well_written(field: bytes) -> None:
    assert field.endswith(b"\r\n")
    lines = field[:-2].split(b"\r\n")
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    for line in lines:
        assert not re.search(rb"[\x00-\x1f\x7f]", line)
        # RFC 2047 §2: 76 where there is an encoded word; RFC 5322 §2.1.1: 78.
        assert len(line) <= (76 if b"=?" in line else 78)
        assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ ]*\?=", line))
    for word in re.findall(rb"=\?utf-8\?[bq]\?[^?]*\?=", field):
        # RFC 2047 §5: each holds whole characters.
        str(make_header(decode_header(word.decode("ascii"))))


@pytest.mark.parametrize("name", ODD_TITLES)
def test_every_odd_title_makes_a_subject_that_reads_back_as_it_was_cleaned(name):
    field = text_header("Subject", ODD_TITLES[name])
    assert_well_written(field)
    message = parsed(field)
    assert message["Subject"] == clean_text(ODD_TITLES[name])
    assert message.keys() == ["Subject"]


@given(ANY_TEXT)
def test_any_text_makes_a_subject_that_reads_back(text):
    field = text_header("Subject", text)
    assert_well_written(field)
    assert parsed(field)["Subject"] == clean_text(text)


def test_plain_text_is_not_encoded():
    assert text_header("Subject", "Plain words: five & more") == b"Subject: Plain words: five & more\r\n"


def test_german_is_encoded_so_that_it_can_still_be_read():
    assert text_header("Subject", "Fünf Jahre ohne jeden Rückfall") == (
        b"Subject: =?utf-8?q?F=C3=BCnf_Jahre_ohne_jeden_R=C3=BCckfall?=\r\n"
    )


@pytest.mark.parametrize(
    ("display", "written"),
    [
        ("Mia's Feed", b"Mia's Feed <a@b.example>"),
        ("Mia & Co.", b'"Mia & Co." <a@b.example>'),
        ('Dr. "Mia", MD', b'"Dr. \\"Mia\\", MD" <a@b.example>'),
        ("back\\slash", b'"back\\\\slash" <a@b.example>'),
        ("mia@site.example", b'"mia@site.example" <a@b.example>'),
        ("Größe", b"=?utf-8?b?R3LDtsOfZQ==?= <a@b.example>"),
        ("=?utf-8?q?x?=", b"=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <a@b.example>"),
        ("", b"a@b.example"),
        ("\u200b\x00", b"a@b.example"),
    ],
)
def test_a_display_name_is_a_phrase_quoted_or_encoded(display, written):
    assert address_value("From", display, "a@b.example") == written


@given(ANY_TEXT)
@example("0000\xa0¡\xa0¡\xa0ࠀיִ𐀀𐀀𐀀𐀀\xa0𐀀")
def test_any_name_makes_a_mailbox_with_the_same_address(display):
    field = address_header("From", display, "digest@site.example")
    assert_well_written(field)
    mailbox = parsed(field)["From"].addresses
    assert [box.addr_spec for box in mailbox] == ["digest@site.example"]
    read_back = clean_text(str(make_header(decode_header(mailbox[0].display_name))), 500)
    assert "".join(read_back.split()) == "".join(clean_text(display).split())


@given(ANY_TEXT)
def test_any_name_goes_before_a_list_id(display):
    field = list_id_header(display, "digest.site.example")
    assert_well_written(field)
    assert parsed(field)["List-Id"].endswith("<digest.site.example>")


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("ada@site.example", "ada@site.example"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@faß.example", "ada@xn--fa-hia.example"),
        ("a..b@site.example", '"a..b"@site.example'),
        ("a,b@site.example", '"a,b"@site.example'),
        ('"a,b"@site.example', '"a,b"@site.example'),
        ("jürgen@site.example", "jürgen@site.example"),
    ],
)
def test_an_address_is_never_encoded(address, written):
    assert mail_address(address) == written


@pytest.mark.parametrize(
    "address",
    ["", "ada", "@site.example", "ada@", "a b@c.example", "a@b.example\r\nBcc: x@y.example", "<a@b.example>",
     "a\x00@b.c", "a\u2028b@c.example", "a@b>.example", "a\ud800@b.example", "a@☃.☃☃"],
)  # fmt: skip
def test_an_address_that_could_break_out_is_refused(address):
    with pytest.raises(InputError):
        address_header("To", "", address)


def test_raw_values_are_written_as_they_are_however_long():
    uri = "<https://news.site.example/one-click/" + "t" * 200 + ">"
    assert raw_header("List-Unsubscribe", uri) == f"List-Unsubscribe: {uri}\r\n".encode()
    assert parsed(raw_header("List-Unsubscribe", uri))["List-Unsubscribe"] == uri


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "ü", "a\x00", "a\u2028b"])
def test_a_raw_value_beyond_printable_ascii_is_refused(value):
    with pytest.raises(ValueError, match="can't stand in a header"):
        raw_header("List-Help", value)


def test_a_date_is_written_in_utc():
    at = datetime(2026, 11, 1, 1, 5, 9, tzinfo=timezone(timedelta(hours=2)))
    assert date_header(at) == b"Date: Sat, 31 Oct 2026 23:05:09 +0000\r\n"
    assert parsed(date_header(at))["Date"].datetime == at.astimezone(UTC)


def test_a_date_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        date_header(datetime(2026, 1, 1))  # noqa: DTZ001 - the case itself
