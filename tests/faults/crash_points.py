"""Where a sender dies: patches that a child of the launcher puts on, as `patch="tests.faults.crash_points:planned"`.

The product has no hooks for this. What is patched are functions that stand for a moment: what the writer thread runs
inside its transaction (`plans.write`, `pickup.claim`, `outbox.exchange`), what runs before it (`recovery.begin_epoch`)
and the way to the wire (`Connection.send`).
"""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, NoReturn

from mailer.core.delivery import DeliveryState
from mailer.smtp.connection import Connection
from mailer.store import outbox, pickup, plans, recovery


def die() -> NoReturn:
    """By SIGKILL: nothing is cleaned up, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process outlived its SIGKILL")


def _after(room: ModuleType, name: str, when: Callable[..., bool]) -> None:
    """Die at the end of this function, still inside its transaction, once `when(outcome, *arguments)` holds."""
    original = getattr(room, name)

    def patched(*arguments: Any, **options: Any) -> Any:
        outcome = original(*arguments, **options)
        if when(outcome, *arguments):
            die()
        return outcome

    setattr(room, name, patched)


def _before(room: ModuleType | type, name: str, when: Callable[..., bool]) -> None:
    """Die where this function is called, once `when(*arguments)` holds."""
    original = getattr(room, name)

    def patched(*arguments: Any, **options: Any) -> Any:
        if when(*arguments):
            die()
        return original(*arguments, **options)

    setattr(room, name, patched)


def _has_accepted(_connection: object, _epoch: int, results: Any, *_rest: object) -> bool:
    return any(one.verdict.state is DeliveryState.ACCEPTED for one in results)


def planning() -> None:
    """The edition is written, its transaction not committed."""
    _after(plans, "write", lambda *_: True)


def planned() -> None:
    """The edition is committed, nothing else is."""
    _before(recovery, "begin_epoch", lambda *_: True)


def claiming() -> None:
    """A batch is claimed, its transaction not committed."""
    _after(pickup, "claim", lambda outcome, *_: bool(outcome[0]))


def claimed() -> None:
    """The claims are committed, no permit is asked for."""
    _before(outbox, "exchange", lambda *_: True)


def permitting() -> None:
    """Permits are granted, their transaction not committed."""
    _after(outbox, "exchange", lambda granted, *_: bool(granted))


def permitted() -> None:
    """The permit is committed, its message's MAIL not written."""
    _before(Connection, "send", lambda *_: True)


def answered() -> None:
    """The relay's 250 is read, its result not handed to the ledger."""
    _before(outbox, "exchange", _has_accepted)


def noting() -> None:
    """The result of a 250 is in the ledger, its transaction not committed."""
    _after(outbox, "exchange", lambda _granted, *arguments: _has_accepted(*arguments))


def noted() -> None:
    """The result of a 250 is committed, and a next message's permit; its MAIL is not written."""
    results, committed = [], []
    exchange = outbox.exchange

    def watched(*arguments: Any) -> Any:
        committed.extend(results)  # one transaction after the other
        results.extend([True] * _has_accepted(*arguments))
        return exchange(*arguments)

    outbox.exchange = watched
    _before(Connection, "send", lambda *_: bool(committed))


HUGE = "reader0@example.com"


def huge() -> None:
    """No kill: one reader's mail is larger than all socket buffers on its way, and the same each time."""
    send = Connection.send
    filler = (b"x" * 70 + b"\r\n") * 250_000

    async def padded(self: Connection, mail: Any) -> Any:
        return await send(self, replace(mail, data=mail.data + filler) if mail.recipient == HUGE else mail)

    Connection.send = padded  # type: ignore[method-assign]


def _stopped_by(number: int) -> None:
    write = plans.write

    def patched(*arguments: Any) -> Any:
        os.kill(os.getpid(), number)
        return write(*arguments)

    plans.write = patched


def stopped_by_sigterm() -> None:
    """No kill: asked to stop while the edition is written."""
    _stopped_by(signal.SIGTERM)


def stopped_by_sigint() -> None:
    """The same by Ctrl-C."""
    _stopped_by(signal.SIGINT)
