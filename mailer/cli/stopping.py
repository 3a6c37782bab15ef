"""Running a send so that a signal ends it: cleanly by the first one, at once by the second."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mailer.cli.output import counted, tell
from mailer.errors import OutOfFiles, SigningFailed, StoreError
from mailer.flows.delivering import Report
from mailer.store.database import Database
from mailer.store.writer import is_out_of_files
from mailer.wiring import Parts, run_loop

FILES = 24
"""Files that a run opens at least: the database, its locks, a connection, the event loop, which aborts for want."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

T = TypeVar("T")


def run_stoppable(made: Parts, report: Report, work: Callable[[Database, asyncio.Event], Awaitable[T]]) -> T:
    """Run with a stop event: the first SIGTERM or Ctrl-C ends cleanly, the second at once.

    What `work` can't go on from is told together with how far `report` says that it came.
    """

    async def go() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def asked() -> None:
            stop.set()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, at_once)
            tell("Stopping after the messages that are on their way; once more to stop at once.")

        def at_once(number: int, _frame: object) -> None:
            most = sum(relay.connections for relay in made.settings.relays().values())
            tell(
                f"Stopped at once: up to {counted(most, 'message')} on the way may be in doubt. "
                "The next run names them, and sends the rest."
            )
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

        for number in _SIGNALS:
            loop.add_signal_handler(number, asked)
        return await work(database, stop)

    if is_out_of_files(FILES):
        raise OutOfFiles
    with made.open_database() as database:
        gc.freeze()  # what is there by now stays to the end
        try:
            return run_loop(go())
        except (StoreError, OutOfFiles, SigningFailed) as error:
            if not report.tried:
                raise
            raise type(error)(f"{error}\n{report.sent:,} sent in this run; the rest waits.") from error
