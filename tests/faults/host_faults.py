"""What a machine does to a sender: patches that a child of the launcher puts on (`patch="tests.faults.host_faults:…"`).

Each fault is SQLite's or the kernel's own; the patch only chooses the moment, in the middle of a run.
"""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailer.core.delivery import DeliveryState
from mailer.store import database, outbox, recovery

GOOD = 3
"""Exchanges with an accepted message in them before the fault comes."""


def _midway(fault: Callable[[Any], None]) -> None:
    """From the fourth exchange with an accepted message on, `fault(connection)` comes first, in its transaction."""
    exchange = outbox.exchange
    seen: list[bool] = []

    def patched(connection: Any, epoch: int, results: Any, *rest: Any) -> Any:
        if any(one.verdict.state is DeliveryState.ACCEPTED for one in results):
            seen.append(True)
        if len(seen) > GOOD:
            fault(connection)
        return exchange(connection, epoch, results, *rest)

    outbox.exchange = patched


def _fill(connection: Any) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite takes it for: no page more than there are
    connection.exec_driver_sql("CREATE TABLE filler AS SELECT zeroblob(10000000) AS filling")


def full_disk() -> None:
    """The database may not grow any more, and has to."""
    _midway(_fill)


def full_after_a_bounce() -> None:
    """Full when the first hard bounce is to be written down."""
    exchange = outbox.exchange
    bounced: list[bool] = []

    def patched(connection: Any, epoch: int, results: Any, *rest: Any) -> Any:
        bounced.extend(True for one in results if one.verdict.hard_bounce)
        if bounced:
            _fill(connection)
        return exchange(connection, epoch, results, *rest)

    outbox.exchange = patched


def read_only() -> None:
    """Nothing may be written through the writer's connection any more."""
    _midway(lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"))


def impatient() -> None:
    """Half a minute is half a second: SQLite's patience with whoever locks the database."""
    database.BUSY_SECONDS = 0.5  # type: ignore[assignment]


def _leave(spare: int) -> None:
    """From the first claim on no more than `spare` files and sockets can be opened beside those that are."""
    begin_epoch = recovery.begin_epoch

    def patched(*arguments: Any) -> Any:
        used = max(int(file.name) for file in Path("/proc/self/fd").iterdir()) + 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        return begin_epoch(*arguments)

    recovery.begin_epoch = patched


def no_descriptor() -> None:
    """Not one connection can be opened."""
    _leave(0)


def few_descriptors() -> None:
    """Fewer connections than are configured can be opened."""
    _leave(4)


def __getattr__(name: str) -> Callable[[], None]:
    """`only_6` and the like: so many descriptors from the start, the three of a terminal among them."""
    word, _, number = name.partition("_")
    if word != "only" or not number.isdecimal():
        raise AttributeError(name)
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (int(number), int(number)))
