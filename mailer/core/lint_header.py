"""A mail's header and the lines it is made of, held to RFC 5322, 2047, 2369, 2919, 3834 and 8058."""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterator
from email.utils import getaddresses, parsedate_to_datetime
from urllib.parse import urlsplit

from mailer.core.header import LINE
from mailer.core.lint_letter import Field, Letter
from mailer.core.lint_rules import Finding, shown

LONGEST_LINE = 998  # RFC 5322 §2.1.1, without CRLF
LARGEST_FIELD = 8_192
LONGEST_WORD = 75  # RFC 2047 §2
LONGEST_SUBJECT = 78
_BREAKS = re.compile(rb"\r\n|\n|\r")
_LONE_BREAK = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_ONCE = ("From", "To", "Date", "Message-ID", "Subject", "MIME-Version")
_OF_OTHERS = re.compile(r"(?:received|x-|arc-|dkim-|authentication-results|domainkey)", re.IGNORECASE)
_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\s]*)\?=")
_LIKE_A_WORD = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^\s]*")
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\Z")
_MESSAGE_ID = re.compile(r"<[^\s<>@]+@[^\s<>@]+>\Z")
_LIST_ID = re.compile(r"<[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+>\Z")


def check_lines(letter: Letter) -> Iterator[Finding]:
    """How the bytes stand in lines."""
    data = letter.data
    lone = _LONE_BREAK.search(data)
    if b"\x00" in data:
        at = data.index(b"\x00")
        yield Finding("line-ends", "error", _line(data, at), "there is a NUL, which no mail may hold; take it out.")
    if lone and b"\r\n" not in data and b"\r" not in data:
        yield Finding(
            "line-ends",
            "warning",
            "message",
            "its lines end in LF alone; that is how files are kept, but SMTP wants CRLF: convert it before it is sent.",
        )
    elif lone:
        yield Finding(
            "line-ends",
            "error",
            _line(data, lone.start()),
            f"{len(_LONE_BREAK.findall(data)):,} of its lines end in a bare CR or LF; "
            "relays change or refuse that: end every line with CRLF.",
        )
    for number, line in enumerate(_BREAKS.split(data), start=1):
        if len(line) > LONGEST_LINE:
            yield Finding(
                "line-length",
                "error",
                f"line {number}",
                f"{len(line):,} octets in one line; more than {LONGEST_LINE} are cut or refused on the way: "
                "use quoted-printable, or fold the field.",
            )


def check_header(letter: Letter) -> Iterator[Finding]:
    """Every rule of the header but those of its Subject."""
    yield from _once(letter)
    for field in letter.fields:
        yield from _shape(field)
        yield from _words(field)
        if not _OF_OTHERS.match(field.name):
            yield from _folds(field)
    yield from _forms(letter)
    yield from _list_id(letter)
    yield from _one_click(letter)
    if not any(value.value.lower().startswith("auto-") for value in letter.named("Auto-Submitted")):
        yield Finding(
            "auto-submitted",
            "warning",
            "header",
            "there is no 'Auto-Submitted: auto-generated'; without it, holiday notices are sent in reply.",
        )


def check_subject(letter: Letter) -> Iterator[Finding]:
    """That there is a subject, and that it is seen whole."""
    for field in letter.named("Subject")[:1]:
        subject = decoded(field.value)
        if not subject:
            yield Finding("subject", "error", field.where, "it is empty; say what the mail is about.")
        elif len(subject) > LONGEST_SUBJECT:
            yield Finding(
                "subject",
                "warning",
                field.where,
                f"{shown(subject)} has {len(subject)} characters; mail programs show about 60, phones 40: shorten it.",
            )


def decoded(value: str) -> str:
    """A field's value with its encoded words read (RFC 2047), as far as they can be."""
    joined = re.sub(r"(\?=)\s+(?==\?)", r"\1", value)
    return " ".join(_WORD.sub(lambda word: _read(word) or "", joined).split())


def _once(letter: Letter) -> Iterator[Finding]:
    for name in _ONCE:
        count = len(letter.named(name))
        if count != 1:
            found = "there is none" if count == 0 else f"it is there {count} times"
            yield Finding("header-once", "error", f"header {name}", f"{found}; a mail has exactly one.")
    if letter.named("Return-Path") and not letter.was_received:
        yield Finding(
            "return-path",
            "error",
            "header Return-Path",
            "it is the last server's to write, from the envelope; leave it out.",
        )


def _shape(field: Field) -> Iterator[Finding]:
    size = sum(len(line) + 2 for line in field.lines)
    if size > LARGEST_FIELD:
        yield Finding(
            "header-size",
            "error",
            field.where,
            f"it has {size:,} octets; servers refuse fields of more than {LARGEST_FIELD:,}.",
        )
    if "\ufffd" in field.value:
        yield Finding("header-form", "error", field.where, "it has bytes that are not UTF-8; use encoded words.")


def _folds(field: Field) -> Iterator[Finding]:
    for number, line in enumerate(field.lines):
        inside = line.partition(b":")[2] if number == 0 else line
        if LINE < len(line) <= LONGEST_LINE and re.search(rb"[ \t]", inside.strip()):
            yield Finding(
                "header-fold",
                "warning",
                f"header line {field.line + number}",
                f"{field.name} has a line of {len(line)} octets that could be folded; keep lines to {LINE}.",
            )
            return


def _words(field: Field) -> Iterator[Finding]:
    if "=?" not in field.value:
        return
    name = field.name.lower()
    for word in _WORD.finditer(field.value):
        if len(word[0]) > LONGEST_WORD:
            yield _bad_word(field, word[0], f"has {len(word[0])} octets, at most {LONGEST_WORD} are read")
        elif _read(word) is None:
            yield _bad_word(field, word[0], "can't be read by itself")
    if name in ("message-id", "list-unsubscribe", "list-unsubscribe-post", "date", "mime-version"):
        yield _bad_word(field, field.value, "stands where mail programs want plain ASCII")
    elif name in ("from", "to", "reply-to", "cc", "sender", "list-id"):
        for inside in re.findall(r"<([^>]*=\?[^>]*)>", field.value):
            yield _bad_word(field, inside, "stands inside an address, where it is taken as it is")
    rest = _WORD.sub("", field.value)
    if name in ("subject", "from", "to", "reply-to", "list-id") and _LIKE_A_WORD.search(rest):
        yield _bad_word(field, rest, "is cut, so that it is shown as it stands")


def _bad_word(field: Field, text: str, why: str) -> Finding:
    return Finding("encoded-word", "error", field.where, f"the encoded word {shown(text)} {why} (RFC 2047).")


def _read(word: re.Match[str]) -> str | None:
    """An encoded word in plain, None where it is broken or is only a part of a character."""
    charset, coding, text = word.groups()
    try:
        raw = a2b_base64(text, strict_mode=True) if coding in "bB" else a2b_qp(text.encode("ascii"), header=True)
        return raw.decode(charset)
    except (Base64Error, UnicodeError, LookupError, ValueError):
        return None


def _forms(letter: Letter) -> Iterator[Finding]:
    for name in ("From", "To", "Reply-To"):
        for field in letter.named(name)[:1]:
            found = [address for _, address in getaddresses([field.value])]
            if not found or not all(_ADDRESS.match(address) for address in found):
                yield _ill_formed(field, "an address, like Mia <mia@site.example>")
    for field in letter.named("Date")[:1]:
        if not _is_date(field.value):
            yield _ill_formed(field, "a date, like Mon, 23 Nov 2026 07:00:00 +0000")
    for field in letter.named("Message-ID")[:1]:
        if not _MESSAGE_ID.match(field.value):
            yield _ill_formed(field, "an id, like <42.x7f@site.example>")


def _ill_formed(field: Field, wanted: str) -> Finding:
    return Finding("header-form", "error", field.where, f"{shown(field.value)} is not {wanted}.")


def _is_date(value: str) -> bool:
    try:
        parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
    return True


def _list_id(letter: Letter) -> Iterator[Finding]:
    """RFC 2919 §3."""
    fields = letter.named("List-Id")
    if not fields and letter.is_from_a_list:
        yield Finding(
            "list-id",
            "error",
            "header List-Id",
            "there is none, but one can unsubscribe; a digest has 'Name <digest.site.example>', "
            "and a confirmation has neither.",
        )
    for field in fields:
        if len(fields) > 1 or not _LIST_ID.search(field.value):
            yield Finding(
                "list-id",
                "error",
                field.where,
                f"{shown(field.value)} is not one id like 'Name <digest.site.example>' that stays the same for good.",
            )
            return


def _one_click(letter: Letter) -> Iterator[Finding]:
    """RFC 8058 §3.1. A mail that is no list's, such as a confirmation, has nothing to unsubscribe from."""
    if not letter.is_from_a_list:
        return
    for name, example in (
        ("List-Unsubscribe", "<https://…>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ):
        if len(letter.named(name)) != 1:
            yield _not_one_click(name, f"there must be exactly one '{name}: {example}'")
    for field in letter.named("List-Unsubscribe")[:1]:
        links = re.findall(r"<([^<>]*)>", field.value)
        web = [link for link in links if scheme_of(link) == "https"]
        if any(scheme_of(link) == "http" for link in links) or len(web) > 1:
            yield _not_one_click(field.name, f"{shown(field.value)} has more than one https address, or one of http")
        elif not web or re.search(r"\s", web[0]):
            yield _not_one_click(field.name, f"{shown(field.value)} has no <https://…> in angle brackets")
    for field in letter.named("List-Unsubscribe-Post")[:1]:
        if field.value.replace(" ", "") != "List-Unsubscribe=One-Click":
            yield _not_one_click(field.name, f"{shown(field.value)} is not 'List-Unsubscribe=One-Click'")


def _not_one_click(name: str, why: str) -> Finding:
    return Finding(
        "one-click",
        "error",
        f"header {name}",
        f"{why}; without one-click, Gmail and Yahoo take it for spam (RFC 8058).",
    )


def scheme_of(url: str) -> str:
    """'https', 'mailto' …, or '' where there is none to be read."""
    try:
        return urlsplit(url.strip()).scheme.lower()
    except ValueError:
        return ""


def _line(data: bytes, at: int) -> str:
    return f"line {len(_BREAKS.split(data[:at]))}"
