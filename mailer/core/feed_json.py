"""JSON Feed, versions 1.0 and 1.1 (jsonfeed.org)."""

import html
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from mailer.core.article import Entry, Picture, absolute, instant
from mailer.core.feed_source import Source
from mailer.errors import FeedError


def read_json_feed(text: str, url: str) -> Source:
    """What a JSON Feed holds; fields of a wrong type count as missing. Raises FeedError naming `url`."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as wrong:
        where = f"line {wrong.lineno} column {wrong.colno}: {wrong.msg}"
        raise FeedError(f"{url} can't be read: its JSON is broken ({where}).") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists without end
        raise FeedError(f"{url} can't be read: its JSON is broken.") from None
    items = found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise FeedError(f"{url} is JSON, but no JSON Feed: it has no list called items.")
    home = absolute(_text(found, "home_page_url"), url)
    language = _text(found, "language")
    author = _author(found)
    start = home or absolute(url)
    problems: list[str] = []
    entries = [
        _entry(item if isinstance(item, dict) else {}, number, start, author, language, problems)
        for number, item in enumerate(items, 1)
    ]
    return Source(_text(found, "title"), home, language, entries=tuple(entries), problems=tuple(problems))


def _entry(item: Mapping[str, Any], number: int, start: str, author: str, language: str, problems: list[str]) -> Entry:
    own_id = item.get("id")
    if isinstance(own_id, int | float) and not isinstance(own_id, bool):
        own_id = repr(own_id)  # JSON Feed 1.1: a number is to be taken as text
    link = absolute(_text(item, "url"), start) or absolute(_text(item, "external_url"), start)
    return Entry(
        guid=own_id if isinstance(own_id, str) else "",
        title=_text(item, "title"),
        link=link or (absolute(own_id) if isinstance(own_id, str) else ""),
        base=link or start,
        summary=_text(item, "summary"),
        content=_text(item, "content_html") or html.escape(_text(item, "content_text")),
        author=_author(item) or author,
        pictures=tuple(_pictures(item)),
        topics=tuple(tag for tag in _list(item, "tags") if isinstance(tag, str)),
        published=_published(item, number, problems),
        language=_text(item, "language") or language,
        recorded=any(kind.startswith(("audio/", "video/")) for kind in _kinds(item)),
    )


def _published(item: Mapping[str, Any], number: int, problems: list[str]) -> datetime | None:
    for name in ("date_published", "date_modified"):
        written = _text(item, name)
        if written:
            try:
                return instant(written)
            except ValueError:
                problems.append(
                    f"article {number} has a date that can't be read ({name}: {written[:60]!r}); it counts as undated."
                )
                return None
    return None


def _pictures(item: Mapping[str, Any]) -> Iterator[Picture]:
    for name in ("image", "banner_image"):
        if _text(item, name):
            yield Picture(_text(item, name))
    for attached in _list(item, "attachments"):
        if isinstance(attached, dict) and _text(attached, "mime_type").startswith("image/"):
            yield Picture(_text(attached, "url"), media_type=_text(attached, "mime_type"))


def _kinds(item: Mapping[str, Any]) -> Iterator[str]:
    return (_text(told, "mime_type") for told in _list(item, "attachments") if isinstance(told, dict))


def _author(where: Mapping[str, Any]) -> str:
    """Names of 'authors' (1.1), or of 'author' (1.0)."""
    told = [author for author in (*_list(where, "authors"), where.get("author")) if isinstance(author, dict)]
    return ", ".join(dict.fromkeys(_text(author, "name").strip() for author in told if _text(author, "name").strip()))


def _text(where: Mapping[str, Any], name: str) -> str:
    value = where.get(name)
    return value if isinstance(value, str) else ""


def _list(where: Mapping[str, Any], name: str) -> list[Any]:
    value = where.get(name)
    return value if isinstance(value, list) else []
