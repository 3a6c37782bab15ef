"""SMTP replies from bytes: strict about codes and bounds, lenient about text (RFC 5321 §4.2)."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from mailer.core.delivery import Reply

# RFC 5321 §4.5.3.1.5 allows 512 octets a line; servers write longer ones. Beyond these it is no reply but an attack.
MAX_LINE = 2_048
MAX_LINES = 100
MAX_BYTES = 64 * 1024
MAX_TEXT = 1_000  # characters kept of a reply's text

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
# RFC 3463 §2
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)", re.ASCII)
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class Unparsable(ValueError):
    """What came is no SMTP reply. `str()` says why; the rest of the connection can't be trusted."""


def make_reply(code: int, lines: Sequence[str]) -> Reply:
    """A reply from its code and the texts of its lines, without their codes.

    The enhanced code counts only where its class is the code's first digit (RFC 2034 §4).
    """
    enhanced = ""
    texts = []
    for line in lines:
        text = _UNPRINTABLE.sub(" ", line).strip()
        found = _ENHANCED.match(text)
        if found and found[1][0] == str(code)[0] and enhanced in {"", found[1]}:
            enhanced = found[1]
            text = text[found.end() :].strip()
        if text:
            texts.append(text)
    whole = " ".join(texts)
    return Reply(code, enhanced, whole if len(whole) <= MAX_TEXT else whole[: MAX_TEXT - 1] + "…")


@lru_cache(maxsize=512)
def _at_once(data: bytes) -> tuple[Reply, ...]:
    """The replies of what came in one piece, each on one line, as nearly all do; none where it is not so.

    Relays say the same again and again.
    """
    lines = data.split(b"\r\n")
    if lines.pop() or b"\n" in data.replace(b"\r\n", b""):
        return ()
    found = []
    for line in lines:
        parts = _LINE.fullmatch(line)
        if not parts or parts[2] == b"-":
            return ()
        found.append(make_reply(int(parts[1]), [(parts[3] or b"").decode(errors="replace")]))
    return tuple(found)


class ReplyParser:
    """Takes bytes as they come, gives replies as they are complete. Holds at most MAX_BYTES.

    After it raised `Unparsable` it must not be fed again.
    """

    def __init__(self) -> None:
        self._unread = bytearray()
        self._code = b""
        self._lines: list[str] = []
        self._size = 0

    @property
    def midway(self) -> bool:
        """Whether part of a reply was taken in."""
        return bool(self._unread or self._lines)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Yields each reply that `data` completes; raises Unparsable at the first byte that belongs to none."""
        if not self._unread and not self._lines and len(data) < MAX_LINE and (known := _at_once(data)):
            yield from known
            return
        self._unread += data
        start = 0
        while (end := self._unread.find(b"\n", start, start + MAX_LINE)) >= 0:
            line = bytes(self._unread[start:end])
            start = end + 1
            self._size += len(line) + 1
            last = self._take(line.removesuffix(b"\r"))
            if last:
                yield self._finish()
        if len(self._unread) - start >= MAX_LINE:
            raise Unparsable(f"a reply line over {MAX_LINE:,} bytes")
        del self._unread[:start]

    def _take(self, line: bytes) -> bool:
        """Takes one line in; True when it was the reply's last."""
        found = _LINE.fullmatch(line)
        if not found:
            raise Unparsable("bytes that are no SMTP reply")
        code, mark, text = found.groups()
        if self._code and code != self._code:
            raise Unparsable("a reply whose lines carry different codes")
        if self._size > MAX_BYTES or len(self._lines) >= MAX_LINES:
            raise Unparsable("a reply that does not end")
        self._code = code
        self._lines.append((text or b"").decode(errors="replace"))
        return bool(mark != b"-")

    def _finish(self) -> Reply:
        reply = make_reply(int(self._code), self._lines)
        self._code, self._lines, self._size = b"", [], 0
        return reply
