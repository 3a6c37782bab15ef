from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.delivery import Reply
from mailer.smtp.reply import MAX_BYTES, MAX_LINE, MAX_LINES, MAX_TEXT, ReplyParser, Unparsable


def replies(data: bytes) -> list[Reply]:
    parser = ReplyParser()
    found = list(parser.feed(data))
    assert not parser.midway
    return found


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"250 ok\r\n", Reply(250, "", "ok")),
        (b"250 ok\n", Reply(250, "", "ok")),
        (b"250\r\n", Reply(250)),
        (b"250 \r\n", Reply(250)),
        (b"250-\r\n250\r\n", Reply(250)),
        (b"251 2.1.5 will forward\r\n", Reply(251, "2.1.5", "will forward")),
        (b"550 5.1.1 user unknown\r\n", Reply(550, "5.1.1", "user unknown")),
        (b"550-5.1.1 user\r\n550 5.1.1 unknown\r\n", Reply(550, "5.1.1", "user unknown")),
        (b"550-user\r\n550 5.1.1 unknown\r\n", Reply(550, "5.1.1", "user unknown")),
        (b"550 5.7.515 not authenticated\r\n", Reply(550, "5.7.515", "not authenticated")),
        (b"550 5.1.1\r\n", Reply(550, "5.1.1")),
        # The class of an enhanced code is the first digit of the code, or it is only text.
        (b"550 4.2.1 odd\r\n", Reply(550, "", "4.2.1 odd")),
        (b"250 5.1.1 odd\r\n", Reply(250, "", "5.1.1 odd")),
        (b"550 5.1.1.1 is no code\r\n", Reply(550, "", "5.1.1.1 is no code")),
        (b"550 5.1234.1 neither\r\n", Reply(550, "", "5.1234.1 neither")),
        (b"550 mailbox 5.1.1 midway\r\n", Reply(550, "", "mailbox 5.1.1 midway")),
        (b"550 5.1.1 a\tb\x00\x1b[31mc\xe2\x80\xa8d\r\n", Reply(550, "5.1.1", "a b [31mc d")),
        ("550 5.1.1 unbekannter Empfänger\r\n".encode(), Reply(550, "5.1.1", "unbekannter Empfänger")),
        (b"550 \xff\xfe\r\n", Reply(550, "", "��")),
    ],
)
def test_a_reply_is_its_code_its_enhanced_code_and_its_text(data, reply):
    assert replies(data) == [reply]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"25\r\n",
        b"2500 ok\r\n",
        b"25O ok\r\n",
        b"250_ok\r\n",
        b" 250 ok\r\n",
        b"-25 ok\r\n",
        b"150 early\r\n",
        b"999 late\r\n",
        b"hello\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\n",
        b"250-one\r\n251 two\r\n",
        b"250-one\r\nno code\r\n",
        b"x" * MAX_LINE,
        b"250 " + b"x" * MAX_LINE + b"\r\n",
        b"250-more\r\n" * (MAX_LINES + 1),
        (b"250-" + b"x" * 2_000 + b"\r\n") * (MAX_BYTES // 2_000 + 1),
    ],
)
def test_anything_else_is_no_reply(data):
    with pytest.raises(Unparsable):
        list(ReplyParser().feed(data))


def test_the_longest_reply_allowed_is_taken():
    assert replies(b"250 " + b"x" * (MAX_LINE - 6) + b"\r\n")
    assert replies(b"250-x\r\n" * (MAX_LINES - 1) + b"250 x\r\n")


def test_no_more_text_is_kept_than_a_person_reads():
    [reply] = replies((b"550-" + b"x" * 500 + b"\r\n") * 9 + b"550 x\r\n")
    assert len(reply.text) == MAX_TEXT


def test_a_reply_before_the_garbage_still_counts():
    fed = ReplyParser().feed(b"250 ok\r\ngarbage\r\n")
    assert next(fed) == Reply(250, "", "ok")
    with pytest.raises(Unparsable):
        next(fed)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40)
CODE = st.integers(200, 599)


@st.composite
def streams(draw) -> bytes:
    data = b""
    for _ in range(draw(st.integers(1, 4))):
        code = draw(CODE)
        lines = draw(st.lists(TEXT, min_size=1, max_size=4))
        for text in lines[:-1]:
            data += f"{code}-{text}\r\n".encode()
        data += f"{code} {lines[-1]}\r\n".encode()
    return data


@given(streams())
def test_replies_split_at_any_byte_are_the_same_replies(data):
    whole = replies(data)
    for cut in range(len(data) + 1):
        parser = ReplyParser()
        assert [*parser.feed(data[:cut]), *parser.feed(data[cut:])] == whole
        assert not parser.midway


@given(streams(), st.integers(1, 12))
def test_replies_in_small_pieces_are_the_same_replies(data, size):
    parser = ReplyParser()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [reply for piece in pieces for reply in parser.feed(piece)] == replies(data)


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_no_bytes_do_more_than_fail_to_be_a_reply(pieces):
    parser = ReplyParser()
    with suppress(Unparsable):
        for piece in pieces:
            for reply in parser.feed(piece):
                assert 200 <= reply.code <= 599
                assert len(reply.text) <= MAX_TEXT
