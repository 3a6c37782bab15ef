"""The fields of an article that a person or a program wrote into a file: which there are, and what each may hold."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from mailer.core.article import Entry, Picture, absolute, instant, language_tag, pixels

_ALSO_CALLED = {
    "link": "url",
    "description": "summary",
    "date": "published",
    "tags": "topics",
    "lang": "language",
    "authors": "author",
}


def named(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields under our names, in lower case; what stands under two names counts by ours. Unknown ones stay."""
    lower = {str(name).strip().lower(): value for name, value in fields.items()}
    return {ours: lower[other] for other, ours in _ALSO_CALLED.items() if other in lower} | lower


def entry_of(fields: Mapping[str, Any]) -> Entry:
    """An entry of fields under our names. ValueError: what is wrong, to be read after the place: 'title is a number'.

    There must be a title or a url, and an id or a url. `published` without a zone is UTC.
    """
    if fields.get("draft") in (True, "true"):
        raise ValueError("is marked as a draft")
    title, url = _text(fields, "title"), _text(fields, "url")
    own_id = _id(fields)
    if not title and not url:
        raise ValueError("has neither a title nor a url")
    if not own_id and not url:
        raise ValueError("has neither an id nor a url, so that it could not be known again")
    link = absolute(url)
    if url and not link:
        raise ValueError(f"url {url[:100]!r} is not an http or https address")
    return Entry(
        guid=own_id or link,
        title=title,
        link=link,
        base=link,
        summary=_text(fields, "summary"),
        content=_text(fields, "content"),
        author=", ".join(_texts(fields, "author", apart="")),
        pictures=_pictures(fields, link),
        topics=_texts(fields, "topics", apart=r"[;,|]"),
        published=_published(fields),
        language=_language(fields),
    )


def kind_of(value: Any) -> str:
    """A value's type in words."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (type(None), "null"),
        (str, "text"),
        (bool, "true or false"),
        ((int, float), "a number"),
        (list, "a list"),
        (dict, "an object"),
        (date, "a date"),
        (time, "a time of day"),
    )
    return next((words for types, words in kinds if isinstance(value, types)), "something else")


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} is {kind_of(value)}, it must be text (in quotes)")  # noqa: TRY004 a value's fault
    return value.strip()


def _id(fields: Mapping[str, Any]) -> str:
    value = fields.get("id")
    # A database's own key is as stable as any id.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(fields, "id")


def _texts(fields: Mapping[str, Any], name: str, *, apart: str) -> tuple[str, ...]:
    """A list of texts, or one text; that is taken apart where `apart` (a pattern) says."""
    value = fields.get(name)
    if not isinstance(value, list):
        whole = _text(fields, name)
        parts = re.split(apart, whole) if apart else [whole]
        return tuple(part.strip() for part in parts if part.strip())
    wrong = [item for item in value if not isinstance(item, str)]
    if wrong:
        raise ValueError(f"{name} holds {kind_of(wrong[0])}, it must be a list of texts")
    return tuple(value)


def _pictures(fields: Mapping[str, Any], link: str) -> tuple[Picture, ...]:
    """A URL, or an object with url, alt, width, height."""
    image = fields.get("image")
    told = image if isinstance(image, dict) else {"url": _text(fields, "image")}
    written = _text(told, "url")
    if not written:
        return ()
    url = absolute(written, link)
    if not url:
        raise ValueError(f"image {written[:100]!r} is not an http or https address")
    return (Picture(url, _text(told, "alt"), pixels(str(told.get("width"))), pixels(str(told.get("height")))),)


def _published(fields: Mapping[str, Any]) -> datetime | None:
    """A text, or the date that YAML and TOML have made of it."""
    value = fields.get("published")
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.combine(value, time(), UTC)
        value = moment.isoformat()
    written = _text({"published": value}, "published")
    try:
        return instant(written) if written else None
    except ValueError:
        raise ValueError(f"published {written[:60]!r} is not a date; write it like 2026-11-23T07:00:00+01:00") from None


def _language(fields: Mapping[str, Any]) -> str:
    written = _text(fields, "language")
    if written and not language_tag(written):
        raise ValueError(f"language {written[:60]!r} is not a tag like 'en' or 'pt-BR'")
    return written
