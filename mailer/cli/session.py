"""What one command works with: the settings, the clock and the open database."""

from __future__ import annotations

import asyncio
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
    "", "--now", metavar="ISO", help="Act as if it were this time (site's time zone unless it has an offset)."
)


def settings_path(context: typer.Context) -> Path | None:
    """The file that `--config` named."""
    return Path(context.obj) if context.obj else None


def parts(context: typer.Context, now: str = "") -> Parts:
    """Raises ConfigError with every mistake in the settings."""
    from mailer.config import load
    from mailer.wiring import Clock, Parts, moment_of

    settings = load(settings_path(context), os.environ)
    clock = Clock.at(moment_of(now, settings.site.timezone)) if now else Clock()
    return Parts(settings, clock)


def run(made: Parts, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run a flow on the open database."""

    async def go() -> T:
        return await work(database)

    with made.open_database() as database:
        return asyncio.run(go())
