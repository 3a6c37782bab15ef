"""Quoted-printable, written so that nothing on the way has to change a line again."""

import re
from functools import cache
from itertools import repeat

QP_LINE = 76  # RFC 2045 §6.7 (5), without CRLF
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_ODD = re.compile("[^\t\n -~]")


def quoted_printable(text: str, *, room: int = QP_LINE, goes_on: bool = False) -> bytes:
    """UTF-8 in quoted-printable (RFC 2045 §6.7): CRLF, lines of at most `room`, no lone surrogates.

    `goes_on`: a soft break will follow, so the last line leaves an octet free for its '='. A dot or 'From ' at the
    start of a line is encoded, so that neither SMTP nor an mbox has to change the line.
    A character is never parted by a line's end.
    """
    lines = _coded(text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    ends = [room] * (len(lines) - 1) + [room - 1 if goes_on else room]
    return "\r\n".join(map(_qp_line, lines, repeat(room), ends)).encode("ascii")


def _coded(text: str) -> str:
    """Every character that can't stand for itself, but for the dots and spaces that depend on where a line ends."""
    coded = text.replace("=", "=3D")
    if coded.isascii() and not _CONTROL.search(coded):
        return coded
    return _ODD.sub(lambda found: _qp(found[0]), coded)


def _qp_line(coded: str, room: int, end: int) -> str:
    if coded.endswith((" ", "\t")):
        coded = f"{coded[:-1]}={ord(coded[-1]):02X}"
    done: list[str] = []
    at = 0
    while True:
        start = ""
        if coded.startswith((".", "From "), at):
            start = f"={ord(coded[at]):02X}"
            at += 1
        if len(start) + len(coded) - at <= end:
            return "=\r\n".join([*done, start + coded[at:]])
        # One octet stays free for the '=' of a soft break.
        stop = _whole(coded, at + room - 1 - len(start))
        done.append(start + coded[at:stop])
        at = stop


def _whole(coded: str, stop: int) -> int:
    """The nearest place before `stop` where a cut parts no character: neither '=C3' nor '=C3=A4'."""
    stop -= 1 if coded[stop - 1] == "=" else 2 if coded[stop - 2] == "=" else 0
    while coded[stop] == "=" and coded[stop + 1] in "89AB":  # the second and further octets of UTF-8
        stop -= 3
    return stop


@cache
def _qp(char: str) -> str:
    whole = "\ufffd" if "\ud800" <= char <= "\udfff" else char
    return "".join(f"={byte:02X}" for byte in whole.encode())
