"""Articles out of a file that an operator hands in: JSON, JSON Lines, JSON Feed, CSV, Markdown with front matter."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mailer.core.article import Draft, clean
from mailer.core.article_fields import entry_of, kind_of, named
from mailer.core.article_markdown import read_markdown
from mailer.core.feed import read_feed
from mailer.errors import FeedError, InputError


@dataclass(frozen=True, slots=True)
class ArticleFile:
    """What a file held: the articles in its order, no id twice, and a sentence with the place for each refused one."""

    drafts: tuple[Draft, ...]
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """One article of the file as it stands there, or what is wrong with it. `place`: 'line 7', 'item 3' or ''."""

    place: str
    fields: Mapping[str, Any]
    wrong: str = ""


def read_articles(data: bytes, *, name: str) -> ArticleFile:
    """The articles of a file. `name`: its name or path; the ending says the format, else what it begins with.

    Raises InputError, one sentence with the place, where the file as a whole can't be read.
    """
    text = _decode(data, name)
    if not text.strip():
        raise InputError(f"{name} is empty.")
    form = _form(text, name)
    if form == "json":
        return _read_json(data, text, name)
    if form == "lines":
        return _gather(_lines(text), name)
    if form == "csv":
        return _gather(_table(text, name), name)
    return _gather([_Row("", read_markdown(text, name))], name)


_FORMS = {
    "json": "json",
    "jsonl": "lines",
    "ndjson": "lines",
    "csv": "csv",
    "tsv": "csv",
    "md": "markdown",
    "markdown": "markdown",
}


def _form(text: str, name: str) -> str:
    start = text.lstrip()
    form = _FORMS.get(name.rpartition(".")[2].lower(), "")
    if not form and start[0] in "[{":
        form = "json"
    if not form and re.match(r"(?:---|\+\+\+)[ \t]*\r?\n", start):
        form = "markdown"
    if not form and start[0] == "<":
        raise InputError(f"{name} looks like a feed or a web page; a feed is taken in with `mailer feeds add {name}`.")
    if not form and _header(text)[0]:
        form = "csv"
    if not form:
        raise InputError(f"{name} is of no known kind; give a .json, .jsonl, .csv or .md file.")
    return form


def _decode(data: bytes, name: str) -> str:
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # as spreadsheets save 'Unicode text'
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        charset = "UTF-16" if utf16 else "UTF-8"
        raise InputError(
            f"{name}, line {line}: not {charset} (byte 0x{data[wrong.start]:02X}); save the file as UTF-8."
        ) from None


def _gather(rows: Iterable[_Row], name: str) -> ArticleFile:
    drafts: dict[str, Draft] = {}
    places: dict[str, str] = {}
    refusals = []
    for row in rows:
        try:
            draft = _draft(row, places)
            drafts[draft.guid], places[draft.guid] = draft, row.place
        except ValueError as wrong:
            refusals.append(f"{name}{', ' if row.place else ''}{row.place}: {wrong}.")
    return ArticleFile(tuple(drafts.values()), tuple(refusals))


def _draft(row: _Row, places: Mapping[str, str]) -> Draft:
    """`places`: where the file's earlier articles stand, by their guid. ValueError: why it is refused."""
    if row.wrong:
        raise ValueError(row.wrong)
    draft = clean(entry_of(named(row.fields)))
    if draft.guid in places:
        raise ValueError(f"has the same id as {places[draft.guid]} ({draft.guid[:100]!r})")
    return draft if draft.title else replace(draft, title=draft.link.partition("://")[2])


def _read_json(data: bytes, text: str, name: str) -> ArticleFile:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as wrong:
        if wrong.msg == "Extra data" and text.lstrip()[0] == "{":
            return _gather(_lines(text), name)
        raise InputError(f"{name}, line {wrong.lineno} column {wrong.colno}: {_not_json(wrong)}.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{name}: its JSON is nested too deeply, or holds an endless number.") from None
    if isinstance(found, dict) and "items" in found:
        try:
            feed = read_feed(data, url=name)
        except FeedError as wrong:
            raise InputError(str(wrong)) from None
        return ArticleFile(feed.drafts, tuple(f"{name}: {problem}" for problem in feed.problems))
    if not isinstance(found, list):
        raise InputError(f"{name} is {kind_of(found)}; it must be a list of articles, or a JSON Feed.")
    return _gather((_row(f"item {number}", item) for number, item in enumerate(found, 1)), name)


def _lines(text: str) -> Iterator[_Row]:
    """JSON Lines; only \\n ends a line there, because U+2028 and others may stand inside a string."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield _row(f"line {number}", json.loads(line))
        except json.JSONDecodeError as wrong:
            yield _Row(f"line {number}", {}, f"column {wrong.colno}: {_not_json(wrong)}")
        except (ValueError, RecursionError):
            yield _Row(f"line {number}", {}, "its JSON is nested too deeply, or holds an endless number")


def _row(place: str, found: Any) -> _Row:
    if isinstance(found, dict):
        return _Row(place, found)
    return _Row(place, {}, f"is {kind_of(found)}, it must be an object with id, url, title and so on")


def _not_json(wrong: json.JSONDecodeError) -> str:
    return f"not JSON ({wrong.msg[:1].lower()}{wrong.msg[1:]})"


_COLUMNS = frozenset({"id", "url", "title"})


def _header(text: str) -> tuple[list[str], str]:
    """The column names and the delimiter that gives most of those we know; nothing where none is known."""
    first = next(iter(io.StringIO(text.lstrip("\r\n"), newline="")))
    best: tuple[list[str], str] = [], ""
    most = 0
    for delimiter in ",;\t":
        try:
            cells = next(csv.reader([first], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        names = [cell.strip().lower() for cell in cells]
        known = len(_COLUMNS & named(dict.fromkeys(names)).keys())
        if known > most:
            best, most = (names, delimiter), known
    return best


def _table(text: str, name: str) -> Iterator[_Row]:
    names, delimiter = _header(text)
    if not names:
        raise InputError(f"{name}, line 1: no column is called id, url or title; the first line must name the columns.")
    twice = next((column for at, column in enumerate(names) if column and column in names[:at]), "")
    if twice:
        raise InputError(f"{name}, line 1: two columns are called {twice!r}.")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    in_header = True
    while True:
        place = f"line {rows.line_num + 1}"  # where a row begins; a quoted cell may run over many lines
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as wrong:
            yield _Row(place, {}, _not_csv(wrong))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if in_header:
            in_header = False
        elif any(cell.strip() for cell in cells[len(names) :]):
            yield _Row(place, {}, f"has {len(cells)} cells, the first line names {len(names)} columns")
        else:
            yield _Row(place, dict(zip(names, cells, strict=False)))


def _not_csv(wrong: csv.Error) -> str:
    if "unexpected end of data" in str(wrong):
        return "a quoted cell opens here and is never closed"
    if "field larger" in str(wrong):
        return "a cell is too long for CSV; use JSON for whole articles"
    return f"is not CSV ({wrong})"
