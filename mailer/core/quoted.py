"""Quoted-printable, written so that nothing on the way has to change a line again."""

import re
from functools import cache

QP_LINE = 76  # RFC 2045 §6.7 (5), without CRLF


def quoted_printable(text: str, *, room: int = QP_LINE, goes_on: bool = False) -> bytes:
    """UTF-8 in quoted-printable (RFC 2045 §6.7): CRLF, lines of at most `room`, no lone surrogates.

    `goes_on`: a soft break will follow, so the last line leaves an octet free for its '='. A dot or 'From ' at the
    start of a line is encoded, so that neither SMTP nor an mbox has to change the line.
    A character is never parted by a line's end.
    """
    lines = re.sub("[\ud800-\udfff]", "\ufffd", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ends = [room] * (len(lines) - 1) + [room - 1 if goes_on else room]
    return "\r\n".join(_qp_line(line, room, end) for line, end in zip(lines, ends, strict=True)).encode("ascii")


def _qp_line(line: str, room: int, end: int) -> str:
    codes = [_qp(char) for char in line]
    if codes and codes[-1] in " \t":
        codes[-1] = f"={ord(codes[-1]):02X}"
    done: list[str] = []
    current = ""
    last = len(codes) - 1
    for at, code in enumerate(codes):
        # One octet stays free for the '=' of a soft break, but not behind the last character of the line.
        if len(current) + len(code) > (end if at == last else room - 1):
            done.append(current)
            current = ""
        if not current and (code == "." or (code == "F" and line.startswith("rom ", at + 1))):
            current = f"={ord(code):02X}"
        else:
            current += code
    return "=\r\n".join([*done, current])


@cache
def _qp(char: str) -> str:
    if char in " \t" or ("!" <= char <= "~" and char != "="):
        return char
    return "".join(f"={byte:02X}" for byte in char.encode())
