import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.body import dot_stuffed


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"", b"\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r\n", b"a\r\n"),
        (b".\r\n", b"..\r\n"),
        (b".a\r\n.b\r\n..c\r\n", b"..a\r\n..b\r\n...c\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n"),
        (b"a\r.\rb\r", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\r\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\r\n.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a\n\r.\r\n\nb", b"a\r\n\r\n..\r\n\r\nb\r\n"),
        (b"a\r\0\n.\0\r\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\r\n\0.\r\n", b"a\r\n..\r\n"),
        (b"a\r", b"a\r\n"),
        (b"\xff\xfe.\r\n", b"\xff\xfe.\r\n"),
    ],
)
def test_a_message_goes_out_with_clean_line_ends_and_doubled_dots(data, wire):
    assert dot_stuffed(data) == wire


def test_a_clean_message_is_not_copied():
    data = b"Subject: x\r\n\r\nHello.\r\n"
    assert dot_stuffed(data) is data


NASTY = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\0", b"\r\n", b"a", b"\xe9"]), max_size=30).map(b"".join)


@given(st.one_of(NASTY, st.binary(max_size=200)))
def test_no_message_holds_an_end_of_data_for_the_most_lenient_server(data):
    wire = dot_stuffed(data)
    assert wire.endswith(b"\r\n")
    assert not re.search(rb"(^|\r\n|\r|\n)\.(\r|\n|$)", wire)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", wire)


@given(st.one_of(NASTY, st.binary(max_size=200)))
def test_what_the_server_reads_is_what_was_written(data):
    clean = re.sub(rb"\r\n|\r|\n", b"\r\n", data.replace(b"\0", b""))
    wire = dot_stuffed(data)
    read = re.sub(rb"(?m)^\.", b"", wire)
    assert read == (clean if clean.endswith(b"\r\n") else clean + b"\r\n")
