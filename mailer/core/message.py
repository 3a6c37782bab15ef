"""A message as bytes: its header, its parts, and the compiled form with slots for each reader.

A mail is rendered once for all readers of a variant, with marks where a reader's own values go. Compiling turns
it into segments of finished bytes with a slot between each two, so that a reader's copy is one join.

| slot | value | stands in |
|---|---|---|
| `to` | what follows 'To: ', from `to_value` | header |
| `message_id` | the id without < and >, ASCII | header |
| `leave` | the unsubscribe token, from `token_value` | List-Unsubscribe, both parts |
| `manage` | the preference token, from `token_value` | both parts |
| `since` | the day the reader asked, in the mail's language ('3 October 2026'), from `slot_value` | both parts |
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote

from mailer.core.header import (
    address_header,
    address_value,
    ascii_domain,
    date_header,
    list_id_header,
    mail_address,
    raw_header,
    raw_value,
    text_header,
)
from mailer.core.quoted import QP_LINE, quoted_printable
from mailer.errors import StoreError

BODY_SLOTS = ("leave", "manage", "since")

_FORMAT = b"\x02"
_WITHOUT_LANGUAGE = b"\x01"  # the format before: all mails were English, and said 'on' in the slot `since`
_MARK = re.compile(r"[A-Za-z0-9]{16,64}\Z")
_BOUNDARY = re.compile(r"[A-Za-z0-9.-]{8,60}\Z")
_TOKEN = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,74}\Z")
_AS_IT_IS = re.compile(r"(?!From )[A-Za-z0-9_~-](?:[A-Za-z0-9 ,._~-]{0,73}[A-Za-z0-9,._~-])?\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z")


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes over the wire. `data`: the whole message, CRLF line ends, not dot-stuffed, without the final dot.

    `ready`: whoever made it knows that its line ends are CRLF alone and that no line begins with a dot. `envelope_id`:
    what a notification of its fate shall name (RFC 3461 §4.4); '' where none is asked for.
    """

    sender: str
    recipient: str
    data: bytes
    ready: bool = False
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class Headers:
    """What the header of a mail is made of, the same for every reader.

    `list_name`: the publication's name for people. `public_url`: where the readers' pages are, ASCII, without a
    trailing slash. `feedback`: edition, cadence and kind, as the mailbox providers' reports shall group them.
    `language`: BCP 47 tag or ''. `to_a_list`: whether its reader is on the list, and can leave it by one click.
    `archive`: whether what went to the list is listed at `public_url`/editions.
    """

    from_name: str
    from_address: str
    list_name: str
    list_id: str
    public_url: str
    feedback: tuple[str, str, str]
    reply_to: str = ""
    language: str = ""
    to_a_list: bool = True
    archive: bool = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """A mail for all readers of a variant: a slot stands between each two segments. A name may come up repeatedly.

    `language`: of its words, a BCP 47 tag; '' in a mail that was packed in format 01.
    """

    segments: tuple[bytes, ...]
    slots: tuple[str, ...]
    language: str = ""

    @property
    def ready(self) -> bool:
        """Whether a copy can go over the wire as it is: CRLF alone, no NUL, and no line that begins with a dot.

        So it is with all that `compile_mail` makes, whose slots hold nothing that could break it; a stored mail is
        looked at once.
        """
        sample = b"x".join(self.segments)
        ends = sample.count(b"\r\n")
        return (
            b"\0" not in sample
            and b"\r\n." not in sample
            and not sample.startswith(b".")
            and sample.endswith(b"\r\n")
            and ends == sample.count(b"\n") == sample.count(b"\r")
        )

    def build(self, values: Mapping[str, bytes]) -> bytes:
        """The message of one reader. `values`: by slot, already encoded. Raises KeyError where one is missing."""
        pieces = [b""] * (2 * len(self.slots) + 1)
        pieces[::2] = self.segments
        pieces[1::2] = [values[slot] for slot in self.slots]
        return b"".join(pieces)

    def pack(self) -> bytes:
        """For the database: a byte for the format, then zlib. The same mail packs to the same bytes."""
        index = json.dumps(
            {"slots": self.slots, "sizes": [len(segment) for segment in self.segments], "language": self.language}
        )
        return _FORMAT + zlib.compress(index.encode("ascii") + b"\n" + b"".join(self.segments), 6)

    @classmethod
    def unpack(cls, packed: bytes) -> "Compiled":
        """What `pack` made. Raises StoreError where it isn't that, or was packed by a newer program."""
        if packed[:1] not in (_FORMAT, _WITHOUT_LANGUAGE):
            raise StoreError(f"A stored mail has format {packed[:1].hex() or 'none'}; this program reads 01 and 02.")
        try:
            line, _, content = zlib.decompress(packed[1:]).partition(b"\n")
            index = {"language": ""} | json.loads(line)
            slots, sizes, language = (index[key] for key in ("slots", "sizes", "language"))
        except (zlib.error, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"A stored mail can't be read: {error}.") from error
        segments, at = [], 0
        for size in sizes:
            segments.append(content[at : at + size])
            at += size
        if at != len(content) or len(segments) != len(slots) + 1:
            raise StoreError("A stored mail can't be read: its index doesn't fit its content.")
        return cls(tuple(segments), tuple(slots), language)


def slot_mark(mark: str, slot: str) -> str:
    """What a template writes where a slot goes. `mark`: 16 to 64 letters and digits that nobody could foresee."""
    if not _MARK.match(mark):
        raise ValueError("a mark is 16 to 64 ASCII letters and digits")
    return f"{mark}-{slot}-{mark}"


def to_value(address: str, display: str = "") -> bytes:
    """The slot `to`. Raises InputError where the address can't stand in a header."""
    return address_value("To", display, address)


def token_value(token: str) -> bytes:
    """A token that stands in a URL, unchanged. Raises ValueError unless it is 1 to 75 URL-safe characters.

    75, because with its soft line break it fills a line of 76; no '.' first, which SMTP would double.
    """
    if not _TOKEN.match(token):
        raise ValueError("a token in a mail is 1 to 75 characters of A-Z a-z 0-9 - . _ ~ and doesn't begin with a dot")
    return token.encode("ascii")


def slot_value(text: str) -> bytes:
    """Any text as the value of a slot in a body: unchanged where it is plain and short, else quoted-printable."""
    return text.encode("ascii") if _AS_IT_IS.match(text) else quoted_printable(text, room=QP_LINE - 1)


def compile_mail(
    *, headers: Headers, subject: str, html: str, text: str, mark: str, date: datetime, boundary: str
) -> Compiled:
    """A digest as segments and slots: the header, then text and HTML as multipart/alternative, both UTF-8.

    `html` and `text` have `slot_mark(mark, slot)` where a reader's values go. `boundary`: 8 to 60 letters, digits,
    dots and hyphens, random. Raises ValueError where one of them isn't so, or a mark is broken or unknown.
    """
    if not _BOUNDARY.match(boundary):
        raise ValueError("a boundary is 8 to 60 ASCII letters, digits, dots and hyphens")
    if mark in subject:
        raise ValueError("a subject can't hold a reader's value: it is the same for all readers")
    # RFC 2045 §6.7: '=_' never comes out of quoted-printable, so no line of a part can look like the boundary.
    line = f"=_{boundary}".encode("ascii")
    pieces = [
        *_header(headers, subject, date),
        b'Content-Type: multipart/alternative;\r\n boundary="%b"\r\n\r\n' % line,
    ]
    for kind, body in (("plain", text), ("html", html)):
        pieces += [
            b"--%b\r\nContent-Type: text/%b; charset=utf-8\r\n" % (line, kind.encode("ascii")),
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            *_body(body, mark),
            b"\r\n",
        ]
    return _joined([*pieces, b"--%b--\r\n" % line], headers.language or "en")


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str


def _header(headers: Headers, subject: str, date: datetime) -> Iterator[bytes | _Slot]:
    """RFC 5322 §3.6: each field once. No Return-Path, which is the receiving side's to write."""
    yield address_header("From", headers.from_name, headers.from_address)
    yield from (b"To: ", _Slot("to"), b"\r\n")
    if headers.reply_to:
        yield address_header("Reply-To", "", headers.reply_to)
    yield text_header("Subject", subject)
    yield date_header(date)
    yield from (b"Message-ID: <", _Slot("message_id"), b">\r\n")
    yield b"MIME-Version: 1.0\r\n"
    if _LANGUAGE.match(headers.language):
        yield raw_header("Content-Language", headers.language)
    if headers.to_a_list:
        yield from _list_fields(headers)
    yield b"Auto-Submitted: auto-generated\r\n"  # RFC 3834 §5
    if headers.to_a_list:
        yield b"Precedence: bulk\r\n"
    fields = [re.sub(r"[^A-Za-z0-9_-]", "-", field) for field in headers.feedback]
    yield raw_header("Feedback-ID", ":".join([*fields, sender_id(headers.list_id)]))


def _list_fields(headers: Headers) -> Iterator[bytes | _Slot]:
    yield list_id_header(headers.list_name, headers.list_id)
    # RFC 8058 §3.1: one https URI, and this very line beside it.
    yield from (f"List-Unsubscribe: <{raw_value(headers.public_url)}/one-click/".encode(), _Slot("leave"), b">\r\n")
    yield b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    owner = _mailto(headers.reply_to or headers.from_address)
    yield raw_header("List-Help", f"<{owner}?subject=help>")
    yield raw_header("List-Owner", f"<{owner}>")
    if headers.archive:
        yield raw_header("List-Archive", f"<{headers.public_url}/editions>")


def sender_id(list_id: str) -> str:
    """The constant last field of Feedback-ID, 11 to 15 characters: a word to know it by, and a hash to be alone."""
    word = re.sub(r"[^a-z0-9]", "", list_id.lower())[:5] or "list"
    return f"{word}-{sha256(list_id.encode()).hexdigest()[:8]}"


def _mailto(address: str) -> str:
    """RFC 6068 §2: the address with all but unreserved characters escaped."""
    local, _, domain = mail_address(address).rpartition("@")
    return f"mailto:{quote(local, safe='')}@{ascii_domain(domain)}"


def _body(text: str, mark: str) -> Iterator[bytes | _Slot]:
    """A part with its slots. Each stands between soft line breaks, so that no value moves another line's end."""
    found = re.split(f"{slot_mark(mark, '([a-z_]+)')}", text)
    if any(mark in piece for piece in found[::2]) or not set(found[1::2]) <= set(BODY_SLOTS):
        raise ValueError("a template broke a reader's value, or uses one that a mail's body doesn't have")
    for at, piece in enumerate(found):
        if at % 2:
            yield _Slot(piece)
            continue
        after_slot = at > 0 and not piece.startswith("\n")
        before_slot = at < len(found) - 1 and piece != "" and not piece.endswith("\n")
        yield b"=\r\n" if after_slot else b""
        yield quoted_printable(piece, goes_on=before_slot) + (b"=\r\n" if before_slot else b"")


def _joined(pieces: list[bytes | _Slot], language: str) -> Compiled:
    segments, slots = [b""], []
    for piece in pieces:
        if isinstance(piece, _Slot):
            slots.append(piece.name)
            segments.append(b"")
        else:
            segments[-1] += piece
    return Compiled(tuple(segments), tuple(slots), language)
