"""How commands speak: tables and sentences for people, one JSON document for programs, everything else on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import typer

JSON = typer.Option(False, "--json", help="One JSON document on standard output, all else on standard error.")


def show_json(document: Any) -> None:
    """The one document."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=_plain) + "\n")


def say(*lines: str) -> None:
    """What the command was asked for."""
    for line in lines:
        typer.echo(line)


def tell(*lines: str) -> None:
    """Progress and warnings."""
    for line in lines:
        typer.echo(line, err=True)


def complain(sentence: str, *, as_json: bool = False) -> None:
    """Why the command could not go on."""
    if as_json:
        show_json({"error": sentence})
    for line in sentence.split("\n"):
        typer.echo(f"mailer: {line}", err=True)


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
    # Not to a terminal: lines are not cut to a width that nobody sees.
    Console(width=None if sys.stdout.isatty() else 240, highlight=False, emoji=False).print(table)


def when(moment: datetime | None, timezone: str = "") -> str:
    """A moment for people, in a time zone, else UTC: '2026-11-23 08:00'."""
    if moment is None:
        return ""
    from mailer.core.cadence import zone_named

    return f"{moment.astimezone(zone_named(timezone or 'UTC')):%Y-%m-%d %H:%M}"


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return when(value)
    return "" if value is None else str(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)
