"""What can be read of a mail, however odd it is: its header fields in plain words, its HTML and its text."""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32, default
from email.utils import parseaddr
from functools import lru_cache

LONGEST_HEAD = 256 * 1024
MOST_FIELDS = 300
LONGEST_VALUE = 4_000  # the standard library's header parser takes quadratic time

_CONTROLS = dict.fromkeys((*range(9), *range(11, 13), *range(14, 32), 127), "\N{REPLACEMENT CHARACTER}")
_SCHEME_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_OPENING = re.compile(r"<head(?:\s[^>]*)?>|<html(?:\s[^>]*)?>|<!doctype[^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Letter:
    """`fields`: every header field in order, decoded. `html`, `text`: the first part of each kind, or None."""

    fields: tuple[tuple[str, str], ...]
    html: str | None = None
    text: str | None = None

    def field(self, name: str) -> str:
        """The first field of that name, whatever its case; '' without one."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), "")

    @property
    def sender(self) -> str:
        """Who the mail says it is from: the name, or the address where there is no name."""
        name, address = parseaddr(self.field("From"))
        return (name or address).strip() or self.field("From").strip()


def read_head(data: bytes) -> Letter:
    """The header fields alone: quick enough for a list."""
    head = re.split(rb"\r?\n\r?\n", data[:LONGEST_HEAD], maxsplit=1)[0]
    # compat32 splits fields without reading them, so nothing in them can make it fail.
    found = HeaderParser(policy=compat32).parsestr(head.decode("utf-8", "replace"), headersonly=True).items()
    fields = [(_plain(name), _field_value(name, str(value))) for name, value in found[:MOST_FIELDS]]
    if len(found) > MOST_FIELDS:
        fields.append(("…", f"and {len(found) - MOST_FIELDS} more fields"))
    return Letter(tuple(fields))


@lru_cache(maxsize=4)  # a page and its frame ask for the same mail, one after the other
def read_letter(data: bytes) -> Letter:
    """The header fields and both bodies. Never raises: what can't be read is missing."""
    try:
        parts = [part for part in message_from_bytes(data).walk() if part.get_content_disposition() != "attachment"]
        html, text = (_first(parts, kind) for kind in ("text/html", "text/plain"))
    except Exception:  # noqa: BLE001 - a hostile structure fails in many ways (depth, encodings); its source is still shown
        html = text = None
    return Letter(read_head(data).fields, html, text)


def preview(html: str, scheme: str) -> str:
    """The HTML as a client with that colour scheme ('light' or 'dark') shows it.

    A frame can't be told a colour scheme, so the question is answered in the mail itself: each
    `(prefers-color-scheme: …)` becomes a feature that is always or never true, which keeps the rest of its media
    query as it was. `color-scheme` on the root sets the canvas and the form controls. Links open in a new tab.
    """

    def answered(found: re.Match[str]) -> str:
        return "(min-width: 0)" if found[1].lower() == scheme else "(max-width: 0)"

    answer = _SCHEME_QUERY.sub(answered, html)
    ours = f'<base target="_blank"><style>:root {{ color-scheme: {scheme} !important }}</style>'
    openings = list(_OPENING.finditer(answer, 0, 20_000))
    # After <head> where there is one: before the doctype, the browser would fall into quirks mode.
    at = next((o.end() for kind in ("<head", "<html", "<!doc") for o in openings if o[0].lower().startswith(kind)), 0)
    return answer[:at] + ours + answer[at:]


def _first(parts: list[Message], kind: str) -> str | None:
    for part in parts:
        if part.get_content_type() == kind:
            payload = part.get_payload(decode=True)
            return _decode(payload if isinstance(payload, bytes) else b"", part.get_content_charset("utf-8"))
    return None


def _decode(payload: bytes, charset: str) -> str:
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")


def _field_value(name: str, value: str) -> str:
    shown = value[:LONGEST_VALUE]
    try:
        shown = str(default.header_fetch_parse(name, shown))
    except Exception:  # noqa: BLE001 - the library's header parser raises many kinds of errors on odd input
        shown = " ".join(shown.split())
    return _plain(shown + ("…" if len(value) > LONGEST_VALUE else ""))


def _plain(text: str) -> str:
    """Controls and lone surrogates made visible."""
    return text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
