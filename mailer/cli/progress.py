"""Watching a send: a bar on a terminal, else a line every few seconds. All on standard error."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mailer.cli.output import tell
from mailer.flows.delivering import Report, Run
from mailer.store import stats
from mailer.store.database import Database

LINE_EVERY = 5.0
"""Seconds between two plain lines."""
BAR_EVERY = 0.1


@asynccontextmanager
async def watched(database: Database, run: Run, report: Report) -> AsyncIterator[None]:
    """Show how `report` grows while the block runs."""
    total = await database.read(stats.to_do, run.edition)
    total = total if run.limit is None else min(total, run.limit)
    task = asyncio.create_task(_bar(report, total) if sys.stderr.isatty() else _lines(report, total))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _bar(report: Report, total: int) -> None:
    columns = (
        TextColumn("sending"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[missed]} not reached"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    start = monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("send", total=total, missed=0, rate=0.0)
        try:
            while True:
                await asyncio.sleep(BAR_EVERY)
                _show(progress, task, report, start)
        finally:
            _show(progress, task, report, start)


def _show(progress: Progress, task: int, report: Report, start: float) -> None:
    rate = report.sent / max(monotonic() - start, 0.001)
    progress.update(task, completed=report.tried, missed=report.missed, rate=rate)  # type: ignore[arg-type]  # an int


async def _lines(report: Report, total: int) -> None:
    start = monotonic()
    while True:
        await asyncio.sleep(LINE_EVERY)
        rate = report.tried / (monotonic() - start)
        left = f", {(total - report.tried) / rate:,.0f} s left" if rate and total > report.tried else ""
        tell(f"{report.sent:,} of {total:,} sent, {report.missed:,} not reached, {rate:,.0f}/s{left}")
