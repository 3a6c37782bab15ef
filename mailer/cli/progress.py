"""Watching a send: a bar on a terminal, else a line every few seconds. All on standard error."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

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
    watch = _Watch(database, run, report)
    await watch.count()
    task = asyncio.create_task(_bar(watch) if sys.stderr.isatty() else _lines(watch))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Watch:
    """A run, how much it has before it, and since when it sends: before that it may have waited for another sender."""

    def __init__(self, database: Database, run: Run, report: Report) -> None:
        self.report = report
        self.total = 0
        self._database = database
        self._run = run
        self._start = monotonic()
        self._sends = False

    async def count(self) -> None:
        """Ask the ledger how much there is to do. Asked again it can only be less, by what another sender did."""
        counts = [self.report.tried + await self._database.read(stats.to_do, self._run.edition)]
        # What this run deferred is there to do, too, and must not be counted twice.
        counts += [known for known in (self.total, self._run.limit) if known]
        self.total = min(counts)

    async def wait(self, seconds: float) -> bool:
        """Whether mails are going out, after so long."""
        if not self._sends:
            self._start = monotonic()
        await asyncio.sleep(seconds)
        if self.report.tried and not self._sends:
            self._sends = True
            await self.count()
        return self._sends

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.report.tried / max(monotonic() - self._start, 0.001)


async def _bar(watch: _Watch) -> None:
    columns = (
        BarColumn(bar_width=None, complete_style="cyan", finished_style="cyan"),
        TextColumn("{task.fields[sent]:,} of {task.total:,} sent", style="bold"),
        TextColumn("· {task.fields[missed]:,} not reached ·"),
        TextColumn("{task.fields[rate]:,.0f}/s ·"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        task = progress.add_task("send", total=watch.total, sent=0, missed=0, rate=0.0)
        while True:
            await watch.wait(BAR_EVERY)
            report = watch.report
            fields = {"sent": report.sent, "missed": report.missed, "rate": watch.rate}
            progress.update(task, total=watch.total, completed=report.tried, **fields)  # type: ignore[arg-type]  # the id


async def _lines(watch: _Watch) -> None:
    told = (0, 0)
    while True:
        # Nothing new to tell while the run waits for a retry.
        if await watch.wait(LINE_EVERY) and told != (watch.report.tried, watch.report.missed):
            told = (watch.report.tried, watch.report.missed)
            report, rate, ahead = watch.report, watch.rate, watch.total - watch.report.tried
            left = f", {ahead / rate:,.0f} s left" if rate and ahead > 0 else ""
            tell(f"{report.sent:,} of {watch.total:,} sent, {report.missed:,} not reached, {rate:,.0f}/s{left}")
