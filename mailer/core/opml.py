"""OPML 2.0: lists of feeds, as feed readers exchange them (opml.org)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat

from mailer.core.article import one_line
from mailer.core.feed_source import decode
from mailer.errors import InputError

MOST_FEEDS = 2_000
"""Feeds that one list may name."""
_TITLE_LIMIT = 200
_LONGEST_ADDRESS = 2_000
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Outline:
    """One feed of a list. `url`: as the list has it, checked by nobody. `home`: the site's address or ''."""

    url: str
    title: str = ""
    home: str = ""


def read_opml(data: bytes, *, name: str) -> tuple[Outline, ...]:
    """The feeds of a list, folders opened, each address once. `name`: the file's, for the sentences.

    Raises InputError where it is no OPML, names no feed or too many, or declares a DOCTYPE or entities.
    """
    # The text was decoded here; what the declaration says of its charset would mislead the parser.
    text = _DECLARATION.sub("", decode(data, "")[0].removeprefix("\ufeff"))
    found: dict[str, Outline] = {}
    path: list[str] = []

    def opened(tag: str, attributes: dict[str, str]) -> None:
        path.append(tag.lower())
        if path[0] != "opml":
            raise InputError(f"{name} is not OPML: it begins with <{one_line(tag, 40)}>.")
        if path[-1] == "outline":
            outline = _outline({key.lower(): value for key, value in attributes.items()})
            if outline.url:
                found.setdefault(outline.url, outline)
        if len(found) > MOST_FEEDS:
            raise InputError(f"{name} names more than {MOST_FEEDS:,} feeds; import it in parts.")

    def refused(*_: Any) -> None:
        raise InputError(f"{name} is refused: it has a DOCTYPE, which no list of feeds needs.")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = opened
    parser.EndElementHandler = lambda _: path.pop()
    parser.StartDoctypeDeclHandler = refused  # before any entity could be declared
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as wrong:
        raise InputError(f"{name} can't be read: line {wrong.lineno}: {expat.ErrorString(wrong.code)}.") from None
    if not found:
        raise InputError(f"{name} names no feed: no <outline> in it has an xmlUrl.")
    return tuple(found.values())


def write_opml(title: str, feeds: Iterable[Outline], *, now: datetime) -> str:
    """A list of feeds. ASCII, other letters by number: right in any charset that it may be written in."""
    root = ET.Element("opml", version="2.0")
    head = ET.SubElement(root, "head")
    ET.SubElement(head, "title").text = _legal(title)
    ET.SubElement(head, "dateCreated").text = format_datetime(now)  # RFC 822, as the specification wants
    body = ET.SubElement(root, "body")
    for feed in feeds:
        named = {"text": feed.title or feed.url, "title": feed.title, "type": "rss"}
        addresses = {"xmlUrl": feed.url, "htmlUrl": feed.home}
        ET.SubElement(body, "outline", {key: _legal(value) for key, value in (named | addresses).items() if value})
    ET.indent(root)
    found: bytes = ET.tostring(root, encoding="us-ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{found.decode("ascii")}\n'


def _outline(attributes: dict[str, str]) -> Outline:
    url = attributes.get("xmlurl", "").strip()
    return Outline(
        url if len(url) <= _LONGEST_ADDRESS else "",
        one_line(attributes.get("title", "") or attributes.get("text", ""), _TITLE_LIMIT),
        attributes.get("htmlurl", "").strip()[:_LONGEST_ADDRESS],
    )


def _legal(text: str) -> str:
    return _NOT_IN_XML.sub("", text)
