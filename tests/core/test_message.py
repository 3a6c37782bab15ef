import email
import email.policy
import quopri
import re
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.core.digest import headers_of
from mailer.core.message import (
    Compiled,
    compile_mail,
    sender_id,
    slot_mark,
    slot_value,
    to_value,
    token_value,
)
from mailer.core.quoted import quoted_printable
from mailer.core.text import clean_text
from mailer.errors import StoreError
from tests.mail.samples import BOUNDARY, DATE, MARK, ODD_TITLES, SITE, digest

HEADERS = headers_of(digest())
LEAVE = "eyJzIjo0Mn0.aZ-kq" + "L" * 58
VALUES = {
    "to": to_value("ada@reader.example", "Ada L."),
    "message_id": b"8f14e45f.42@site.example",
    "leave": token_value(LEAVE),
    "manage": token_value("M" * 64),
    "since": slot_value("on 3 October 2026"),
}
TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=400)


def at(slot: str) -> str:
    return slot_mark(MARK, slot)


def compiled(subject="Hello", html=None, text=None, **changes) -> Compiled:
    given_values = {
        "headers": HEADERS,
        "subject": subject,
        "html": html or f'<p>Since {at("since")}.</p><a href="https://x.example/unsubscribe/{at("leave")}">x</a>\n',
        "text": text or f"Leave: https://x.example/unsubscribe/{at('leave')}\nSince {at('since')}.\n",
        "mark": MARK,
        "date": DATE,
        "boundary": BOUNDARY,
    }
    return compile_mail(**(given_values | changes))


def parsed(data: bytes):
    return email.message_from_bytes(data, policy=email.policy.default)


def lines_of(encoded: bytes) -> list[bytes]:
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", encoded)
    return encoded.split(b"\r\n")


# Quoted-printable.


@given(TEXT)
@example("=\n=20\n.\n..\nFrom here\n")
@example("a" * 76 + "\n" + "b" * 77 + "\n" + "ü" * 40)
@example(" " * 80 + "\n\t")
def test_quoted_printable_gives_the_text_back_and_needs_no_change_on_the_way(text):
    encoded = quoted_printable(text)
    for line in lines_of(encoded):
        assert len(line) <= 76
        assert re.fullmatch(rb"[\t -~]*", line)
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    assert quopri.decodestring(encoded).decode().replace("\r\n", "\n") == normal


def test_a_character_is_never_parted_by_a_line_end():
    for line in quoted_printable("é" * 100).split(b"=\r\n"):
        quopri.decodestring(line).decode()


def test_a_lone_surrogate_becomes_the_replacement_character():
    assert quoted_printable("a\ud800") == b"a=EF=BF=BD"


# Slot values.


@given(TEXT)
@example("From here")
@example(".a")
@example("a ")
@example("x" * 76)
def test_any_text_can_stand_in_a_slot_of_a_body(text):
    data = compiled(text=f"before {at('since')} after\n{at('since')}\nend").build(VALUES | {"since": slot_value(text)})
    assert all(len(line) <= 76 for line in lines_of(data.partition(b"\r\n\r\n")[2]))
    value = text.replace("\r\n", "\n").replace("\r", "\n")
    content = parsed(data).get_body(("plain",)).get_payload(decode=True).decode().replace("\r\n", "\n")
    assert content == f"before {value} after\n{value}\nend"


@given(st.integers(60, 90), st.sampled_from(["a", "é", "ü ", "="]))
def test_no_line_before_a_slot_grows_too_long_by_its_soft_break(length, char):
    data = compiled(text=f"{char * length}{at('since')} after").build(VALUES)
    assert max(map(len, lines_of(data.partition(b"\r\n\r\n")[2]))) <= 76


def test_a_token_passes_unchanged():
    assert slot_value(LEAVE) == token_value(LEAVE) == LEAVE.encode()


@pytest.mark.parametrize("token", ["", "a b", "x" * 76, "ü", "a\n", "a=b", ".abc", "a\r\nBcc: x"])
def test_a_token_that_would_have_to_be_encoded_is_refused(token):
    with pytest.raises(ValueError, match="token"):
        token_value(token)


# The compiled form.


def test_the_header_of_a_digest_is_complete_and_each_field_stands_once():
    message = parsed(compiled("Fünf Jahre").build(VALUES))
    assert dict(message.items()) == {
        "From": "Mia's Feed <digest@site.example>",
        "To": '"Ada L." <ada@reader.example>',
        "Reply-To": "mia@site.example",
        "Subject": "Fünf Jahre",
        "Date": "Mon, 23 Nov 2026 07:00:00 +0000",
        "Message-ID": "<8f14e45f.42@site.example>",
        "MIME-Version": "1.0",
        "Content-Language": "en",
        "List-Id": "Mia's Feed <digest.site.example>",
        "List-Unsubscribe": f"<https://news.site.example/one-click/{LEAVE}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Help": "<mailto:mia@site.example?subject=help>",
        "List-Owner": "<mailto:mia@site.example>",
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
        "Feedback-ID": f"2026-W47:weekly:digest:{sender_id('digest.site.example')}",
        "Content-Type": f'multipart/alternative; boundary="=_{BOUNDARY}"',
    }
    assert len(message.items()) == len({name.lower() for name in message})
    assert not message.defects


def test_reply_to_and_language_are_left_out_where_they_are_not_known():
    headers = replace(HEADERS, reply_to="", language="no language")
    message = parsed(compiled(headers=headers).build(VALUES))
    assert "Reply-To" not in message
    assert "Content-Language" not in message
    assert message["List-Owner"] == "<mailto:digest@site.example>"


def test_text_comes_before_html_and_both_read_back_exactly():
    html, text = "<p>Größe &amp; 100 = 99 + 1</p>\n", "Größe\n.dot\nFrom x \n\nend\n"
    message = parsed(compiled(html=html, text=text).build(VALUES))
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in parts] == ["utf-8", "utf-8"]
    assert [part["Content-Transfer-Encoding"] for part in parts] == ["quoted-printable"] * 2
    assert [part.get_content().replace("\r\n", "\n") for part in parts] == [text, html]
    assert not any(part.defects for part in parts)


@pytest.mark.parametrize("name", ODD_TITLES)
def test_every_odd_title_makes_a_message_that_reads_back(name):
    title = ODD_TITLES[name]
    data = compiled(title, html=f"<p>{clean_text(title)}</p>\n", text=clean_text(title) + "\n").build(VALUES)
    assert all(len(line) <= 78 or b" " not in line.partition(b": ")[2] for line in lines_of(data))
    message = parsed(data)
    assert message["Subject"] == clean_text(title)
    assert message["Bcc"] is None
    assert message.get_body(("plain",)).get_content().strip() == clean_text(title)


def test_a_mail_to_no_list_has_no_list_fields_and_still_says_that_a_program_wrote_it():
    sample = replace(headers_of(digest()), to_a_list=False)
    mail = compile_mail(headers=sample, subject="x", html="<p>x</p>", text="x", mark=MARK, date=DATE, boundary=BOUNDARY)
    message = parsed(mail.build(VALUES))
    assert [name for name in message if name.startswith("List-") or name == "Precedence"] == []
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"


def test_a_list_with_an_archive_says_where_it_is():
    site = replace(SITE, archive=True)
    assert parsed(compiled(headers=headers_of(digest(site=site))).build(VALUES))["List-Archive"] == (
        "<https://news.site.example/editions>"
    )
    assert parsed(compiled().build(VALUES))["List-Archive"] is None
    to_one = replace(headers_of(digest(site=site)), to_a_list=False)
    assert parsed(compiled(headers=to_one).build(VALUES))["List-Archive"] is None


def test_the_same_input_makes_the_same_bytes():
    assert compiled().build(VALUES) == compiled().build(VALUES)
    assert compiled() == compiled()
    assert compiled().pack() == compiled().pack()


@given(TEXT, TEXT)
def test_a_compiled_mail_is_the_same_after_the_database(subject, text):
    mail = compiled(subject, text=f"{text}{at('leave')}{text}")
    assert Compiled.unpack(mail.pack()) == mail
    assert len(mail.segments) == len(mail.slots) + 1


@pytest.mark.parametrize("stored", [b"", b"\x03abc", b"\x02abc", b"\x01abc", b"x"])
def test_a_stored_mail_that_cannot_be_read_says_so(stored):
    with pytest.raises(StoreError, match="stored mail"):
        Compiled.unpack(stored)


def test_a_mail_that_was_stored_before_mails_had_a_language_is_read():
    old = b"\x01" + zlib.compress(b'{"slots": ["to"], "sizes": [4, 2]}\nTo: \r\n')
    assert Compiled.unpack(old) == Compiled((b"To: ", b"\r\n"), ("to",), "")


def test_a_compiled_mail_knows_its_language():
    assert compiled().language == "en"


def test_a_stored_mail_cut_short_says_so():
    packed = Compiled((b"a", b"b"), ("to",)).pack()
    with pytest.raises(StoreError, match="stored mail"):
        Compiled.unpack(packed[:-3])


def test_a_missing_value_is_an_error():
    with pytest.raises(KeyError):
        compiled().build({**{k: v for k, v in VALUES.items() if k != "since"}})


@pytest.mark.parametrize(
    "text", [f"half a mark {MARK} here", f"{MARK}-everything-{MARK}", f"{MARK}-to-{MARK}", f"{MARK}-lea\nve-{MARK}"]
)
def test_a_broken_or_unknown_mark_is_an_error(text):
    with pytest.raises(ValueError, match="reader's value"):
        compiled(text=text)


def test_a_mark_in_the_subject_is_an_error():
    with pytest.raises(ValueError, match="reader's value"):
        compiled(subject=f"for {at('leave')}")


@pytest.mark.parametrize("mark", ["", "short", "with-hyphens-in-it-x", "ümlaut" * 4, "x" * 65])
def test_a_mark_must_be_long_and_plain(mark):
    with pytest.raises(ValueError, match="mark is 16 to 64"):
        slot_mark(mark, "leave")


@pytest.mark.parametrize("boundary", ["", "short", "with space in it", 'quote"quote"', "x" * 61])
def test_a_boundary_must_be_plain(boundary):
    with pytest.raises(ValueError, match="boundary"):
        compiled(boundary=boundary)


def test_no_body_can_look_like_the_boundary():
    text = f"--=_{BOUNDARY}--\n"
    message = parsed(compiled(text=text).build(VALUES))
    assert len(list(message.iter_parts())) == 2
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == text


def test_a_date_in_another_zone_is_written_in_utc():
    data = compiled(date=datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)).build(VALUES)
    assert b"\r\nDate: Thu, 29 Feb 2024 23:59:59 +0000\r\n" in data


@pytest.mark.parametrize("list_id", ["digest.site.example", "a", "月刊.example", "x" * 300])
def test_the_sender_id_is_constant_and_of_the_right_length(list_id):
    assert re.fullmatch(r"[a-z0-9-]{5,15}", sender_id(list_id))
    assert sender_id(list_id) == sender_id(list_id)


def test_the_feedback_fields_cannot_be_split_by_a_name():
    headers = headers_of(digest(cadence="my:own pace"))
    message = parsed(compiled(headers=headers).build(VALUES))
    assert message["Feedback-ID"].count(":") == 3


def test_a_name_beyond_ascii_reads_back_from_every_field():
    site = replace(
        SITE, name="Größe & Gesundheit", from_name="Größe & Gesundheit", from_address="digest@bücher.example"
    )
    message = parsed(compiled(headers=headers_of(digest(site=replace(site, reply_to="")))).build(VALUES))
    assert message["From"].addresses[0].display_name == "Größe & Gesundheit"
    assert message["From"].addresses[0].addr_spec == "digest@xn--bcher-kva.example"
    assert message["List-Id"] == "Größe & Gesundheit <digest.site.example>"
    assert message["List-Owner"] == "<mailto:digest@xn--bcher-kva.example>"
