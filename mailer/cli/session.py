"""What one command works with: the settings, the clock and the open database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.store.database import Database
    from mailer.wiring import Parts

    T = TypeVar("T")

NOW = typer.Option(
    None, "--now", metavar="ISO", help="Act as if it were this time (site's time zone unless it has an offset)."
)
LARGEST = 2**63 - 1
"""The largest number that a database column holds: of an id, or a limit."""
_YEARS = range(1971, 9990)
"""What `--now` may be in: every date counted from there exists."""


def settings_path(context: typer.Context) -> Path | None:
    """The file that `--config` named."""
    return None if context.obj is None else Path(context.obj)


def parts(context: typer.Context, now: str | None = None) -> Parts:
    """Raises ConfigError with every mistake in the settings, Misuse where `--now` is no time."""
    from mailer.config import load
    from mailer.errors import Misuse
    from mailer.wiring import Clock, Parts, moment_of

    settings = load(settings_path(context), os.environ)
    if now is None:
        return Parts(settings, Clock())
    moment = moment_of(now, settings.site.timezone)
    if moment.year not in _YEARS:
        raise Misuse(f"--now {now}: give a year from {_YEARS[0]} to {_YEARS[-1]}.")
    return Parts(settings, Clock.at(moment))


def run(made: Parts, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run a flow on the open database."""
    import asyncio

    async def go() -> T:
        return await work(database)

    with made.open_database() as database:
        return asyncio.run(go())
