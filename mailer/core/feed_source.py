"""A feed as it comes: its bytes made into text, and what a parser finds in that text before any of it is cleaned."""

import codecs
import re
from dataclasses import dataclass

from mailer.core.article import Entry


@dataclass(frozen=True, slots=True)
class Source:
    """What a parser found. `entries`: in the feed's order, empty ones where an article could not be read."""

    title: str = ""
    home: str = ""
    language: str = ""
    ttl_minutes: int | None = None
    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins with that one's mark
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKLESS = (
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"<\x00", "utf-16-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"\x00<", "utf-16-be"),
)
# Of Python's names those that web pages are written in: no utf-7 and no 'unicode_escape', which hide markup.
_CHARSETS = re.compile(
    r"utf-8|utf-16(-[lb]e)?|iso8859-\d+|cp125[0-8]|cp874|koi8-[rtu]|mac-\w+|gbk|gb18030|gb2312|big5(hkscs)?"
    r"|shift_jis(x?_?\d*)?|cp93[26]|cp949|cp950|euc_(jp|kr)|iso2022_jp(_\w+)?|tis-620"
)
# WHATWG Encoding: who says the first means the second.
_MEANT = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_STRAY = 10  # one bad byte for so many good characters beyond ASCII is a slip, not another charset


def decode(body: bytes, content_type: str) -> tuple[str, str]:
    """The text of a feed, and a sentence on what was wrong with its charset or ''. Never raises.

    A byte order mark decides; then UTF-8 wherever the bytes are that, because servers' declarations are often wrong
    and other charsets hardly ever look like it; then what HTTP or the XML declaration says; then Windows-1252.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace"), ""
    for start, name in _MARKLESS:
        if body.startswith(start):
            return body.decode(name, "replace"), ""
    declared = _declared(body, content_type)
    for name in ("utf-8", *declared) if not body.isascii() else (*declared, "utf-8"):
        try:
            return body.decode(name), ""
        except UnicodeDecodeError:
            continue
    text = body.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if bad * _STRAY <= sum(1 for char in text if char > "\x7f"):
        return text, f"{bad} characters are not valid UTF-8 and were replaced."
    return body.decode(
        "cp1252", "replace"
    ), "The charset it declares is not the one it is written in; read as Windows-1252."


def _declared(body: bytes, content_type: str) -> list[str]:
    said = re.search(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", content_type, re.IGNORECASE)
    inside = _DECLARED.match(body[:500])
    names = [said[1] if said else "", inside[1].decode("ascii") if inside else ""]
    return [charset for charset in map(_charset, names) if charset]


def _charset(name: str) -> str:
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    known = _MEANT.get(known, known)
    return known if _CHARSETS.fullmatch(known) else ""
