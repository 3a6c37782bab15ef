"""One article as Markdown with front matter, as static site generators keep them."""

import re
import tomllib
from typing import Any

import yaml
from markdown_it import MarkdownIt

from mailer.core.article import plain
from mailer.core.article_fields import named
from mailer.errors import InputError

_LONGEST_FRONT = 64_000
_OPENING = re.compile(r"\s*(---|\+\+\+)[ \t]*\r?\n")
_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
_HEADING = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)

# Raw HTML is let through here, because all of it is read as text afterwards (and scripts dropped).
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def read_markdown(text: str, name: str) -> dict[str, Any]:
    """The front matter's fields (YAML between '---' or TOML between '+++') under our names, and the body as `content`.

    Without one there, `title` is the first heading and `summary` the first paragraph. Raises InputError with the line.
    """
    front, body = _apart(text, name)
    fields = named(front)
    rendered = str(_MARKDOWN.render(body))
    fields["content"] = rendered
    if not fields.get("title") and (heading := _HEADING.search(rendered)):
        fields["title"] = heading[1]
    if not fields.get("summary"):
        fields["summary"] = next((part for part in _PARAGRAPH.findall(rendered) if plain(part)), "")
    return fields


def _apart(text: str, name: str) -> tuple[dict[Any, Any], str]:
    opening = _OPENING.match(text)
    if not opening:
        return {}, text
    mark = re.escape(opening[1])
    closing = re.compile(rf"^{mark}[ \t]*\r?$", re.MULTILINE).search(text, opening.end())
    first = text.count("\n", 0, opening.end()) + 1
    if not closing:
        raise InputError(f"{name}, line {first - 1}: the front matter that opens here with {opening[1]} has no end.")
    front = text[opening.end() : closing.start()]
    if len(front) > _LONGEST_FRONT:
        raise InputError(f"{name}, line {first}: the front matter is longer than {_LONGEST_FRONT} characters.")
    found = _yaml(front, name, first) if opening[1] == "---" else _toml(front, name, first)
    return found, text[closing.end() :]


def _yaml(front: str, name: str, first: int) -> dict[Any, Any]:
    try:
        found = yaml.safe_load(front)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark
        line, column = (mark.line + first, mark.column + 1) if mark else (first, 1)
        raise InputError(f"{name}, line {line} column {column}: not YAML ({wrong.problem}).") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as wrong:
        # What is no YAML error comes from making a value: '2026-13-45' looks like a date and is none.
        raise InputError(f"{name}, line {first}: not YAML ({str(wrong)[:100]!r}).") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"{name}, line {first}: the front matter must be lines like 'title: …'.")
    return found


def _toml(front: str, name: str, first: int) -> dict[Any, Any]:
    try:
        return tomllib.loads(front.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as wrong:
        place = re.search(r" \(at line (\d+), column (\d+)\)", str(wrong))
        where = f"line {int(place[1]) + first - 1} column {place[2]}" if place else f"line {first}"
        what = str(wrong)[: place.start()] if place else str(wrong)
        raise InputError(f"{name}, {where}: not TOML ({what}).") from None
