"""A mail taken apart for lint: its header fields as they stand, its text and its HTML; what can't be read is a finding.

Tolerant on purpose, unlike what writes our mails: it is handed any bytes and never raises.
"""

import re
from codecs import lookup
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

from mailer.core.lint_rules import Finding, shown

LARGEST_PART = 1_000_000  # bytes of one part that are looked into: ten times what mail programs show
_BREAKS = re.compile(rb"\r\n|\n|\r")
_HEADER_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_NO_CHARSETS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")  # Python's, nobody else's
_DEFECTS = {  # of the email package, in words
    "InvalidBase64CharactersDefect": "has characters that are not base64",
    "InvalidBase64PaddingDefect": "has base64 that breaks off",
    "InvalidBase64LengthDefect": "has base64 that breaks off",
    "NoBoundaryInMultipartDefect": "is a multipart without a boundary",
    "StartBoundaryNotFoundDefect": "is a multipart whose boundary never comes",
    "CloseBoundaryNotFoundDefect": "is a multipart without its closing boundary",
    "InvalidMultipartContentTransferEncodingDefect": "is a multipart that says it is encoded itself",
    "MultipartInvariantViolationDefect": "says it is a multipart and is none",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A header field. `value`: unfolded, not decoded. `lines`: as they stand, without their ends."""

    name: str
    value: str
    line: int
    lines: tuple[bytes, ...]

    @property
    def where(self) -> str:
        return f"header {self.name}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail. `text`, `html`: of the first part of that kind, lines ended by '\\n'; None where there is none.

    `html_first`: the HTML stands before the text. `contents`: the Content-IDs of parts that HTML may show.
    `troubles`: what could not be read; unless `legible`, so much that nothing else in it can be judged.
    """

    data: bytes
    fields: tuple[Field, ...] = ()
    text: str | None = None
    html: str | None = None
    html_first: bool = False
    contents: frozenset[str] = frozenset()
    troubles: tuple[Finding, ...] = ()
    legible: bool = True

    def named(self, name: str) -> list[Field]:
        """All fields of that name."""
        return [one for one in self.fields if one.name.lower() == name.lower()]

    def value(self, name: str) -> str:
        """The first field's value, '' where there is none."""
        return next((one.value for one in self.named(name)), "")

    @property
    def is_from_a_list(self) -> bool:
        """Whether it goes to subscribers, who must be able to leave; a confirmation is for one visitor."""
        return any(self.named(name) for name in ("List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"))

    @property
    def was_received(self) -> bool:
        """Whether a mail server took it in and wrote fields of its own above ours."""
        return bool(self.named("Received"))


@dataclass(slots=True)
class _Parts:
    kinds: list[tuple[str, str]] = field(default_factory=list)
    contents: set[str] = field(default_factory=set)
    troubles: list[Finding] = field(default_factory=list)
    legible: bool = True


def read_letter(data: bytes) -> Letter:
    """The mail in any bytes. Never raises."""
    fields, troubles = _header(data)
    parts = _Parts(troubles=troubles, legible=not troubles)
    try:
        _take_apart(message_from_bytes(data, policy=compat32), parts)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError) as error:
        # The library's own slips on what nobody writes in earnest: such a mail is not readable, whatever it was.
        parts.legible = False
        parts.troubles.append(_unreadable("message", f"its parts can't be told apart ({type(error).__name__})"))
    order = [kind for kind, _ in parts.kinds]
    bodies = dict(reversed(parts.kinds))  # of each kind the first
    if not order and not parts.troubles:
        parts.troubles.append(_unreadable("message", "there is neither a text nor an HTML part in it"))
    return Letter(
        data=data,
        fields=fields,
        text=bodies.get("text/plain"),
        html=bodies.get("text/html"),
        html_first=order[:1] == ["text/html"] and "text/plain" in order,
        contents=frozenset(parts.contents),
        troubles=tuple(parts.troubles),
        legible=parts.legible,
    )


def _header(data: bytes) -> tuple[tuple[Field, ...], list[Finding]]:
    """The fields by hand: the email package would not tell how their lines stand."""
    head = _HEADER_END.split(data, maxsplit=1)[0]
    fields: list[tuple[str, int, list[bytes]]] = []
    troubles = []
    for number, line in enumerate(_BREAKS.split(head), start=1):
        named = _FIELD.match(line)
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][2].append(line)
        elif named:
            fields.append((named[1].decode("ascii"), number, [line]))
        elif not (number == 1 and line.startswith(b"From ")):  # of an mbox
            troubles.append(
                _unreadable(f"header line {number}", f"{shown(_decoded(line))} is no header field ('Name: value')")
            )
            break
    return tuple(_field(*one) for one in fields), troubles


def _field(name: str, number: int, lines: list[bytes]) -> Field:
    value = _decoded(b"".join(lines)).partition(":")[2].strip()
    return Field(name, value, number, tuple(lines))


def _take_apart(message: Message, parts: _Parts) -> None:
    for part in _leaves(message):
        kind = part.get_content_type()
        for defect in part.defects:
            words = _DEFECTS.get(type(defect).__name__)
            if words:
                parts.troubles.append(_unreadable(f"part {kind}", f"it {words}"))
        identity = str(part.get("Content-ID", "")).strip().strip("<>")
        if identity:
            parts.contents.add(identity)
        if part.is_multipart() or kind not in ("text/plain", "text/html") or _is_attached(part):
            continue
        body = part.get_payload(decode=True)
        for defect in part.defects:
            words = _DEFECTS.get(type(defect).__name__)
            if words and "base64" in words:
                parts.legible = False
                parts.troubles.append(_unreadable(f"part {kind}", f"it {words}"))
        parts.kinds.append((kind, _text_of(body if isinstance(body, bytes) else b"", part, parts)))
        if str(part.get("Content-Transfer-Encoding", "")).strip().lower() in ("8bit", "binary"):
            parts.troubles.append(
                Finding(
                    "encoding",
                    "warning",
                    f"part {kind}",
                    "it is sent as 8bit, which a relay may have to re-encode and so break its signature; "
                    "use quoted-printable.",
                )
            )


def _leaves(message: Message) -> Iterator[Message]:
    """Every part, multiparts too, in order, but nothing of a mail that is attached to this one."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        payload = part.get_payload()
        if isinstance(payload, list) and part.get_content_maintype() == "multipart":
            waiting += [inner for inner in reversed(payload) if isinstance(inner, Message)]


def _is_attached(part: Message) -> bool:
    return str(part.get("Content-Disposition", "")).strip().lower().startswith("attachment")


def _text_of(body: bytes, part: Message, parts: _Parts) -> str:
    kind = part.get_content_type()
    charset = str(part.get_content_charset() or "us-ascii")
    codec = _codec(charset)
    if not codec:
        parts.troubles.append(_unreadable(f"part {kind}", f"nobody knows its charset {shown(charset)}; use utf-8"))
    try:
        text = body[:LARGEST_PART].decode(codec or "utf-8", errors="replace")
    except (LookupError, ValueError):  # a codec that turns bytes into bytes, or has no replacement
        text = body[:LARGEST_PART].decode("utf-8", errors="replace")
        parts.troubles.append(_unreadable(f"part {kind}", f"it can't be read as {shown(charset)}; use utf-8"))
    if "\ufffd" in text and b"\xef\xbf\xbd" not in body and len(body) <= LARGEST_PART:
        parts.troubles.append(_unreadable(f"part {kind}", f"it has bytes that are not {charset}"))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _codec(charset: str) -> str:
    """Python's name for a charset, '' where it is none. ASCII is a part of UTF-8, and often says it wrongly."""
    try:
        name = lookup(charset).name
    except (LookupError, ValueError):
        return ""
    return "" if name in _NO_CHARSETS else "utf-8" if name == "ascii" else name


def _unreadable(where: str, why: str) -> Finding:
    return Finding("unreadable", "error", where, f"{why}; mail programs will each guess something else.")


def _decoded(raw: bytes) -> str:
    """UTF-8 as RFC 6532 allows it in a header; other bytes as what stands for the unknown."""
    return raw.decode("utf-8", errors="replace")
