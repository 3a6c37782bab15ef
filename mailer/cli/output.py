"""How commands speak: tables and sentences for people, one JSON document for programs, everything else on stderr."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import typer

JSON = typer.Option(False, "--json", help="One JSON document on standard output, all else on standard error.")

# A relay's answer, a row of a file or a feed's title must not move the cursor or turn the line around.
_UNSEEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_WIDTH = 240
"""Columns of a table that goes to no terminal: lines are not cut to a width that nobody sees."""


def show_json(document: Any) -> None:
    """The one document."""
    text = json.dumps(document, ensure_ascii=False, indent=2, default=_plain) + "\n"
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        # A name of a file that is no text, or an output that is not UTF-8.
        text = json.dumps(document, indent=2, default=_plain) + "\n"
    sys.stdout.write(text)


def say(*lines: str) -> None:
    """What the command was asked for."""
    for line in lines:
        typer.echo(cleaned(line))


def tell(*lines: str) -> None:
    """Progress and warnings. Where nobody reads them any more, the work goes on."""
    with suppress(OSError):
        for line in lines:
            typer.echo(cleaned(line), err=True)


def complain(sentence: str, *, as_json: bool = False) -> None:
    """Why the command could not go on. A line each, where there are several reasons."""
    if as_json:
        show_json({"error": sentence})
    for line in sentence.split("\n"):
        tell(f"mailer: {line}")


def show_table(head: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Columns for people. `empty`: what to say where there are no rows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        # Text, because what others wrote must not be read as rich's markup.
        table.add_row(*(Text(_cell(value)) for value in row))
    if not table.row_count:
        typer.echo(empty)
        return
    there = sys.stdout.isatty()
    console = Console(width=None if there else _WIDTH, highlight=False, emoji=False)
    if there:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


def when(moment: datetime | None, timezone: str = "") -> str:
    """A moment for people, in a time zone, else UTC: '2026-11-23 08:00'."""
    if moment is None:
        return ""
    from mailer.core.cadence import zone_named

    return f"{moment.astimezone(zone_named(timezone or 'UTC')):%Y-%m-%d %H:%M}"


def counted(number: int, one: str, many: str = "") -> str:
    """'1 article', '2 articles'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def cleaned(text: str) -> str:
    """The text without what a terminal would obey. A line break is kept: it is ours."""
    return "\n".join(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", line) for line in text.split("\n"))


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return when(value)
    return "" if value is None else _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", str(value))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)
