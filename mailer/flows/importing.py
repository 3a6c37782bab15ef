"""Readers from a CSV file, and into one."""

import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from mailer.core.subscriber_csv import Offer, Refusal, Taken, header_line, read, subscriber_line
from mailer.core.subscription import GONE, Newcomer, clean_cadence
from mailer.errors import InputError
from mailer.store import subscribers
from mailer.store.database import Database
from mailer.store.subscribers import Arrival, Intake

KEPT = 10_000
"""Refusals that a report keeps; all are counted."""
CHUNK = 5_000
"""Rows in one transaction. A sender's permit waits for one at most."""
_BLOCK = 256 * 1024
_OUT = GONE | {"suppressed"}


@dataclass(slots=True)
class ImportReport:
    """How an import goes, filled as it goes. `size` and `done`: bytes of the file, and those read.

    `already`: known and left as they are. `refused`: the first of them, in order of lines; `refused_count` is all.
    """

    size: int = 0
    done: int = 0
    added: int = 0
    already: int = 0
    refused: list[Refusal] = field(default_factory=list)
    refused_count: int = 0

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Count these, and keep as many as there is room for."""
        self.refused_count += len(refusals)
        self.refused += refusals[: max(0, KEPT - len(self.refused))]


async def import_subscribers(
    database: Database,
    path: Path,
    *,
    now: datetime,
    cadences: Collection[str],
    topics: Mapping[str, str],
    default_cadence: str = "",
    statement: str,
    fingerprints: Callable[[str], Sequence[str]],
    progress: Callable[[ImportReport], None],
    pending: bool = False,
) -> ImportReport:
    """Take in the readers of a file; `statement` says how they consented. `pending`: they have to confirm by mail.

    Whoever has left, bounced, complained or is suppressed stays out. Killed and run again it ends in the same state.
    `topics`: id to name. `default_cadence`: of rows without one. `fingerprints`: an address's keyed hashes, one for
    every key in use. `progress`: called after each transaction. Raises InputError where the file as a whole is wrong,
    StoreError.
    """
    offer = Offer(tuple(cadences), topics, _checked(default_cadence, cadences))
    report = ImportReport()
    rows = _Rows(report)

    async def commit() -> None:
        taken = await database.write(
            subscribers.take_in,
            tuple(rows.newcomers),
            now=now,
            event="invited" if pending else "imported",
            route="import",
            statement=statement,
            fingerprints=fingerprints,
            pending=pending,
        )
        rows.settle(taken)
        progress(report)

    try:
        for found in read(_blocks(path, report), offer):
            rows.put(found)
            if rows.count >= CHUNK:
                await commit()
    except InputError as error:
        await commit()
        kept = f" The {report.added} readers before it are in." if report.added else ""
        raise InputError(f"{path}: {error}{kept}") from None
    await commit()
    return report


async def export_subscribers(
    database: Database, target: Path | TextIO, *, state: str | None = None, cadence: str | None = None
) -> int:
    """Write readers in order of joining, to a stream or into a file that is there whole or not at all (mode 0600).

    Returns how many. Raises InputError where the file can't be written, StoreError.
    """
    if not isinstance(target, Path):
        return await _write_all(database, target, state, cadence)
    with _replacing(target) as stream:
        return await _write_all(database, stream, state, cadence)


async def _write_all(database: Database, stream: TextIO, state: str | None, cadence: str | None) -> int:
    stream.write(header_line())
    written, last = 0, 0
    while page := await database.read(subscribers.page, state=state, cadence=cadence, after=last):
        stream.writelines(map(subscriber_line, page))
        written, last = written + len(page), page[-1].id
    return written


class _Rows:
    """The rows of one transaction, and where in the file every reader of this import stood."""

    def __init__(self, report: ImportReport) -> None:
        self.count = 0
        self.newcomers: list[Newcomer] = []
        self._lines: list[int] = []
        self._first_lines: dict[str, int] = {}
        self._repeats: list[tuple[int, str]] = []
        self._refusals: list[Refusal] = []
        self._report = report
        # 16 bytes a reader, so that a repeated address can be answered with its first line.
        self._own_ids = array("q")
        self._own_lines = array("q")

    def put(self, found: Taken | Refusal) -> None:
        self.count += 1
        if isinstance(found, Refusal):
            self._refusals.append(found)
            return
        newcomer = found.newcomer
        if self._first_lines.setdefault(newcomer.email, found.line) != found.line:
            self._repeats.append((found.line, newcomer.email))
            return
        self.newcomers.append(newcomer)
        self._lines.append(found.line)

    def settle(self, taken: Intake) -> None:
        """What became of them goes into the report; then empty again."""
        others = taken.others
        if others:
            rows = list(zip(self._lines, self.newcomers, strict=True))
            self._lines = [line for line, newcomer in rows if newcomer.email not in others]
            for line, newcomer in rows:
                if newcomer.email in others:
                    self._known(line, others[newcomer.email])
        self._report.added += len(self._lines)
        self._own_ids.extend(taken.ids)
        self._own_lines.extend(self._lines)
        for line, email in self._repeats:
            if email in others:
                self._known(line, others[email])
            else:
                self._refusals.append(_repeated(line, email, self._first_lines[email]))
        self._report.refuse(sorted(self._refusals, key=lambda refusal: refusal.line))
        self.count = 0
        for kept in (self.newcomers, self._lines, self._first_lines, self._repeats, self._refusals):
            kept.clear()

    def _known(self, line: int, arrival: Arrival) -> None:
        first = self._line_of(arrival.id)
        if arrival.outcome in _OUT:
            self._refusals.append(Refusal(line, arrival.email, arrival.outcome))
        elif first:
            self._refusals.append(_repeated(line, arrival.email, first))
        else:
            self._report.already += 1

    def _line_of(self, number: int) -> int:
        """The line that this import took a reader from, 0 where it was another's."""
        place = bisect_left(self._own_ids, number)
        found = place < len(self._own_ids) and self._own_ids[place] == number
        return self._own_lines[place] if found else 0


def _repeated(line: int, email: str, first: int) -> Refusal:
    return Refusal(line, email, f"already on line {first}")


def _checked(cadence: str, cadences: Collection[str]) -> str:
    try:
        return clean_cadence(cadence, cadences) if cadence else ""
    except ValueError as error:
        raise InputError(f"{error}.") from None


def _blocks(path: Path, report: ImportReport) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            report.size = os.fstat(file.fileno()).st_size
            while block := file.read(_BLOCK):
                report.done += len(block)
                yield block
    except OSError as error:
        raise InputError(f"it can't be read: {error.strerror}.") from None


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A new file that takes the place of `path` once it is whole and on disk."""
    made: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
        made = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        made.replace(path)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}.") from None
    finally:
        if made is not None:
            made.unlink(missing_ok=True)
