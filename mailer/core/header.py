"""Header fields as bytes: cleaned, encoded where they must be and only there, folded, ended by CRLF."""

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from mailer.core.text import clean_text
from mailer.errors import InputError

LINE = 78  # RFC 5322 §2.1.1: what a line should keep to, without CRLF
_WORD_LINE = 76  # RFC 2047 §2: a line with an encoded word
_ENCODED_WORD = 75  # RFC 2047 §2

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_PHRASE = re.compile(rf"{_ATEXT}+(?: {_ATEXT}+)*\Z")
_DOT_ATOM = re.compile(rf"(?:{_ATEXT}|[^\x00-\x9f])+(?:\.(?:{_ATEXT}|[^\x00-\x9f])+)*\Z")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x20\x7f-\x9f]|\\[\x21-\x7e])*"\Z')
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9.-]+\Z")  # most of them, quickly
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 §5 (3)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def text_header(name: str, value: str) -> bytes:
    """A field of free text, such as Subject. The value is cleaned and cut to 200 first; any str will do."""
    return _field(name, _words(clean_text(value), len(name) + 2))


def address_header(name: str, display: str, address: str) -> bytes:
    """A field of one mailbox, such as From: `display` is any text or '', `address` one that was checked before.

    Raises InputError where the address could break out of the field.
    """
    return b"%b: %b\r\n" % (name.encode("ascii"), address_value(name, display, address))


def address_value(name: str, display: str, address: str) -> bytes:
    """What follows 'Name: ' in `address_header`, folded for that name, without the final CRLF."""
    mailbox = mail_address(address)
    if not display:
        return mailbox.encode()
    return _named(name, display, f"<{mailbox}>" if clean_text(display) else mailbox)


def list_id_header(display: str, list_id: str) -> bytes:
    """List-Id (RFC 2919 §3): a name for people, then the identifier, which stays the same for good."""
    return b"List-Id: %b\r\n" % _named("List-Id", display, f"<{raw_value(ascii_domain(list_id))}>")


def raw_header(name: str, value: str) -> bytes:
    """A field whose value is a protocol's own text (a URI, an id, a keyword): never encoded, folded only at spaces.

    Raises ValueError where the value isn't printable ASCII.
    """
    return _field(name, raw_value(value).split(" "))


def raw_value(value: str) -> str:
    """The value itself. Raises ValueError unless it is printable ASCII on one line."""
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{value!r} can't stand in a header field as it is: not printable ASCII")
    return value


def date_header(at: datetime) -> bytes:
    """Date (RFC 5322 §3.3), in UTC. `at` is aware."""
    if at.tzinfo is None:
        raise ValueError("a mail's date needs a time zone")
    utc = at.astimezone(UTC)
    day = f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04}"
    return f"Date: {day} {utc:%H:%M:%S} +0000\r\n".encode("ascii")


def mail_address(address: str) -> str:
    """The address as it may stand in a header: its domain in ASCII, a local part that is no dot-atom in quotes.

    A local part beyond ASCII stays as it is (RFC 6532); an encoded word must never stand in an address.
    Raises InputError where controls, spaces or angle brackets are in it.
    """
    if _PLAIN_ADDRESS.match(address):
        return address
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or re.search(r"[\s<>\x00-\x20\x7f-\x9f\ud800-\udfff]", address):
        raise InputError(f"{address!r} is not an address that can stand in a mail's header.")
    if not _DOT_ATOM.match(local) and not _QUOTED.match(local):
        local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
    return f"{local}@{ascii_domain(domain)}"


@lru_cache(maxsize=1024)
def ascii_domain(domain: str) -> str:
    """The domain in ASCII (RFC 5891). Raises InputError where a domain beyond ASCII is none."""
    if domain.isascii():
        return domain
    try:
        # The rule that subscribers' addresses go through, so that both sides spell a domain alike.
        return validate_email(f"a@{domain}", check_deliverability=False, globally_deliverable=False).ascii_domain
    except EmailNotValidError:
        raise InputError(f"{domain!r} is not a domain name.") from None


def _named(name: str, display: str, mailbox: str) -> bytes:
    """A phrase (RFC 5322 §3.2.5) and what it names."""
    # Every kind of space as a plain one: parsers add or drop others between encoded words.
    phrase, start = " ".join(clean_text(display).split()), len(name) + 2
    if not phrase:
        return mailbox.encode()
    if _PHRASE.match(phrase) and "=?" not in phrase and _fits(phrase.split(" "), start):
        words = phrase.split(" ")
    elif phrase.isascii() and "=?" not in phrase and start + len(phrase) + 2 <= LINE:
        words = ['"' + re.sub(r'(["\\])', r"\\\1", phrase) + '"']
    else:
        words = list(_encoded_words(phrase, start))
    return _fold([*words, mailbox], start).encode()


def _field(name: str, words: list[str]) -> bytes:
    return f"{name}: {_fold(words, len(name) + 2)}\r\n".encode("ascii")


def _fold(words: list[str], start: int) -> str:
    """Words with a space between, or a fold where a line would grow too long. The first stays beside the name."""
    lines, line = [], words[0]
    limit = _WORD_LINE if line.startswith("=?") else LINE
    for word in words[1:]:
        if start + len(line) + 1 + len(word.encode()) > limit:
            lines.append(line)
            line, start = word, 1
        else:
            line += " " + word
    return "\r\n ".join([*lines, line])


def _words(text: str, start: int) -> list[str]:
    """The text as words to fold between: as they are where that is safe, else encoded."""
    words = text.split(" ")
    plain = text.isascii() and "=?" not in text and _fits(words, start)
    return words if plain else list(_encoded_words(text, start))


def _fits(words: list[str], start: int) -> bool:
    return start + len(words[0]) <= LINE and all(len(word) < LINE for word in words)


def _encoded_words(text: str, start: int) -> Iterator[str]:
    """The text in encoded words (RFC 2047), Q or B as it comes out shorter; no word ends inside a character."""
    q_length = sum(len(_q(char)) for char in text)
    use_q = q_length <= len(b64encode(text.encode()))
    room = min(_ENCODED_WORD, _WORD_LINE - start) - len("=?utf-8?q??=")
    part = ""
    for char in text:
        if part and _size(part + char, use_q=use_q) > room:
            yield _encoded_word(part, use_q=use_q)
            part, room = "", _ENCODED_WORD - len("=?utf-8?q??=")
        part += char
    yield _encoded_word(part, use_q=use_q)


def _size(text: str, *, use_q: bool) -> int:
    return sum(len(_q(char)) for char in text) if use_q else (len(text.encode()) + 2) // 3 * 4


def _encoded_word(text: str, *, use_q: bool) -> str:
    if use_q:
        return f"=?utf-8?q?{''.join(map(_q, text))}?="
    return f"=?utf-8?b?{b64encode(text.encode()).decode('ascii')}?="


def _q(char: str) -> str:
    if char == " ":
        return "_"
    return "".join(chr(byte) if byte in _Q_PLAIN else f"={byte:02X}" for byte in char.encode())
