"""A message's bytes as they go over the wire after DATA."""

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")


def dot_stuffed(data: bytes) -> bytes:
    """The message ready for the wire: CRLF line ends only, leading dots doubled, CRLF at the end, no final dot.

    A lone CR or LF becomes CRLF and NUL goes, so that no server, however lenient, sees an end of data inside the
    message (SMTP smuggling; RFC 5321 §2.3.8 and §4.5.2). A clean message comes back as the same object.
    """
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    if not data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r"):
        data = _LINE_END.sub(b"\r\n", data)
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    if b"\r\n." in data:
        data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data
