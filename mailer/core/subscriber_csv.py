"""Readers as CSV: a file read line by line, and lines that a spreadsheet opens without running them."""

import codecs
import csv
import io
import re
import reprlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from zoneinfo import ZoneInfo

from mailer.core.subscription import (
    GONE,
    Newcomer,
    State,
    Subscriber,
    clean_address,
    clean_cadence,
    clean_language,
    clean_name,
    clean_timezone,
    clean_topics,
)
from mailer.core.text import clean_text
from mailer.errors import InputError

COLUMNS = ("email", "cadence", "timezone", "topics", "name", "language")
EXPORTED = (*COLUMNS, "state", "joined")
"""What is written. Reading takes both: `state` says who must not come back, `joined` is passed over."""

_LONGEST_LINE = 20_000  # characters; no reader's row is near it, so this is no list of readers
_MOST_LINES = 10  # that one quoted cell may go over before its quote counts as forgotten
_REMEMBERED = 4096  # different choices
_CHOICES = ("state", "cadence", "timezone", "language", "topics")
_LONGEST_REASON = 300
_HINTS = 100  # a near name costs 9 ms to find: a wrong column of a million rows must not ask for each
_SHOWN = 100  # characters of a row
_BOMS_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_RISKY = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_TOPIC_ENDS = re.compile(r"[;,|]")


@dataclass(frozen=True, slots=True)
class Offer:
    """What readers can be signed up for. `topics`: id to name. `default_cadence`: of rows without one; '' refuses."""

    cadences: Sequence[str]
    topics: Mapping[str, str]
    default_cadence: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that can go in. `line`: of the file, from 1."""

    line: int
    newcomer: Newcomer


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that can't. `text`: its address or how it begins. `reason`: a sentence without its full stop."""

    line: int
    text: str
    reason: str


def read(blocks: Iterable[bytes], offer: Offer) -> Iterator[Taken | Refusal]:
    """The rows of a file, in order; `blocks` are its bytes in pieces of any size, and only a few are held at a time.

    UTF-8, or UTF-16 with a byte order mark; cells parted by comma, semicolon or tab. A refused row never takes
    another with it: where its quotes swallowed later lines, these are read again by themselves.
    Raises InputError where the file as a whole is none of this.
    """
    lines = _Numbered(_lines(blocks))
    rows: _Rows | None = None
    for line, text in lines:
        if not text.strip():
            continue
        if rows is None:
            rows = _Rows(line, text, offer)
            continue
        if '"' in text:
            found, swallowed = _quoted(rows, line, text, lines)
            if isinstance(found, Refusal):
                lines.give_back(swallowed)
        else:
            found = rows.judge(line, text.split(rows.delimiter), text)
        if found is not None:
            yield found
    if rows is None:
        raise InputError(f"The file is empty; its first line names the columns: {', '.join(COLUMNS)}.")


def header_line() -> str:
    """The first line of an export."""
    return _line(EXPORTED)


def subscriber_line(reader: Subscriber) -> str:
    """One reader's line; cells that a spreadsheet would take for a formula are guarded by an apostrophe."""
    joined = reader.joined_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    cells = (
        reader.email,
        reader.cadence,
        reader.timezone,
        ";".join(reader.topics),
        reader.name,
        reader.language,
        reader.state.value,
        joined,
    )
    return _line([guard(cell) for cell in cells])


def guard(cell: str) -> str:
    """The cell, safe in a spreadsheet. `unguard` gives the original back, whatever it was."""
    return f"'{cell}" if _RISKY.match(cell) else cell


def unguard(cell: str) -> str:
    """The cell as it was before `guard`."""
    return cell[1:] if _GUARDED.match(cell) else cell


class _Pass:
    """A file for `csv.writer` that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


_WRITER = csv.writer(_Pass())


def _line(cells: Sequence[str]) -> str:
    line: str = _WRITER.writerow(cells)  # `writerow` returns what `write` does
    return line


class _Rows:
    """The columns of one file, and the rules for its rows."""

    def __init__(self, line: int, text: str, offer: Offer) -> None:
        self.delimiter = max(",;\t", key=text.count)
        names = next(csv.reader([text], delimiter=self.delimiter, skipinitialspace=True))
        at = _columns(line, names)
        self._width = len(names)
        # A column that is not there is read from the empty cell that `judge` puts at the end.
        self._email, self._name = at["email"], at.get("name", -1)
        self._others = itemgetter(*(at.get(column, -1) for column in _CHOICES))
        self._chosen = _Choices(offer)

    def judge(self, line: int, cells: list[str], text: str) -> Taken | Refusal | None:
        """What becomes of a row. None: it is blank."""
        cells = [unguard(cell.strip()) for cell in cells] if "'" in text else [cell.strip() for cell in cells]
        if not any(cells):
            return None
        if any(cells[self._width :]):
            reason = f"{len(cells)} cells for {self._width} columns; a cell that holds {self.delimiter!r} needs quotes"
            return Refusal(line, _shown(text), reason)
        cells += [""] * (self._width + 1 - len(cells))
        try:
            return Taken(line, self._newcomer(cells, text))
        except ValueError as error:
            return Refusal(line, _shown(cells[self._email] or text), str(error)[:_LONGEST_REASON].rstrip("."))

    def _newcomer(self, cells: list[str], text: str) -> Newcomer:
        if "\ufffd" in text:
            raise ValueError("it is not UTF-8; save the file as 'CSV UTF-8' and import it again")
        if not cells[self._email]:
            raise ValueError("it has no address")
        email, name = clean_address(cells[self._email]), cells[self._name]
        cadence, timezone, language, topics = self._chosen(self._others(cells))
        return Newcomer(email, cadence, clean_name(name) if name else "", timezone, language, topics)


class _Choices:
    """What a reader chose, checked. Readers choose alike, so that most is known from an earlier row."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._hints = _HINTS
        self._verdict = lru_cache(maxsize=_REMEMBERED)(self._judge)

    def __call__(self, cells: tuple[str, ...]) -> tuple[str, str, str, tuple[str, ...]]:
        """Cadence, time zone, language and topics of the cells `_CHOICES`. Raises ValueError with a sentence."""
        chosen, complaint = self._verdict(cells)
        if chosen is None:
            raise ValueError(complaint)
        return chosen

    def _judge(self, cells: tuple[str, ...]) -> tuple[tuple[str, str, str, tuple[str, ...]] | None, str]:
        """The same, but a complaint is returned, so that it is remembered too."""
        state, cadence, timezone, language, topics = cells
        try:
            _check_state(state)
            if not (cadence or self._offer.default_cadence):
                return None, "no cadence; fill its cell, or give --cadence for all rows without one"
            chosen = (
                clean_cadence(cadence or self._offer.default_cadence, self._offer.cadences),
                self._timezone(timezone),
                clean_language(language),
                _topics(topics, self._offer.topics),
            )
        except ValueError as error:
            return None, str(error)
        return chosen, ""

    def _timezone(self, cell: str) -> str:
        """`clean_timezone`, which stops looking for near names after a while."""
        try:
            if self._hints or not cell:
                return clean_timezone(cell)
            return ZoneInfo(cell).key
        except (ValueError, KeyError, OSError) as error:  # as in `zone_named`
            if not self._hints:
                raise ValueError(f"{reprlib.repr(cell)} is not a time zone") from None
            self._hints -= 1
            raise ValueError(str(error)) from None


def _topics(cell: str, offered: Mapping[str, str]) -> tuple[str, ...]:
    """Parted by ';', ',' or '|'. Spaces part only what is no topic's name as it stands: a name may hold some."""
    parts = _TOPIC_ENDS.split(cell)
    try:
        return clean_topics(parts, offered)
    except ValueError:
        if len(parts) > 1 or not cell:
            raise
        return clean_topics(cell.split(), offered)


def _check_state(cell: str) -> None:
    """Rows of an export whose reader has gone, not confirmed, or paused stay out: none of them asked for mail now."""
    if not cell:
        return
    try:
        state = State(cell.lower())
    except ValueError:
        raise ValueError(f"{reprlib.repr(cell)} is no state; there are: {', '.join(State)}") from None
    if state in GONE:
        raise ValueError(state.value)
    if state is State.PENDING:
        raise ValueError("pending: they never confirmed")
    if state is State.PAUSED:
        raise ValueError("paused: a file can't say until when; add them by hand, then pause them")


def _columns(line: int, cells: Sequence[str]) -> dict[str, int]:
    """Where each column stands. Columns without a name are passed over, as spreadsheets leave them at the end."""
    at: dict[str, int] = {}
    for number, cell in enumerate(cells):
        name = cell.strip().lower()
        if not name:
            continue
        if name not in EXPORTED:
            raise InputError(
                f"Line {line}: {_shown(cell)!r} is no column; the first line names the columns, "
                f"any of: {', '.join(COLUMNS)}."
            )
        if name in at:
            raise InputError(f"Line {line}: the column {name!r} is there twice.")
        at[name] = number
    if "email" not in at:
        raise InputError(f"Line {line}: there is no column 'email'.")
    return at


def _quoted(
    rows: _Rows, line: int, text: str, lines: Iterator[tuple[int, str]]
) -> tuple[Taken | Refusal | None, list[tuple[int, str]]]:
    """A row with quotes in it, and the later lines that belong to it (RFC 4180 §2, rule 6)."""
    later: list[tuple[int, str]] = []
    whole, open_ = text, text.count('"') % 2
    while open_ and len(later) < _MOST_LINES and (following := next(lines, None)) is not None:
        later.append(following)
        whole += "\n" + following[1]
        open_ = whole.count('"') % 2
    if open_:
        return Refusal(line, _shown(text), "a quote is opened and never closed"), later
    try:
        # Strict over several lines only: there a forgotten quote looks like one that was closed too late.
        cells = next(csv.reader([whole], delimiter=rows.delimiter, skipinitialspace=True, strict=bool(later)))
    except csv.Error as error:
        return Refusal(line, _shown(text), f"its quotes don't match: {error}"), later
    return rows.judge(line, cells, whole), later


class _Numbered:
    """The lines of a file with their numbers, from 1. Lines that were read too soon can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = enumerate(lines, 1)
        self._back: deque[tuple[int, str]] = deque()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return self

    def __next__(self) -> tuple[int, str]:
        return self._back.popleft() if self._back else next(self._lines)

    def give_back(self, lines: Sequence[tuple[int, str]]) -> None:
        self._back.extendleft(reversed(lines))


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """Lines without their ends (LF, CRLF or CR); what could not be decoded is U+FFFD."""
    source = iter(blocks)
    start = b""
    while len(start) < len(codecs.BOM_UTF8) and (block := next(source, None)) is not None:
        start += block
    wide = start.startswith(_BOMS_16)
    if b"\0" in start and not wide:
        raise InputError("This is no text file; export the list as CSV (UTF-8).")
    plain = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")("replace")
    decoder = io.IncrementalNewlineDecoder(plain, translate=True)
    rest, done = "", 0
    for block in chain([start], source):
        *whole, rest = (rest + decoder.decode(block)).split("\n")
        yield from whole
        done += len(whole)
        if len(rest) > _LONGEST_LINE:
            raise InputError(f"Line {done + 1} is longer than {_LONGEST_LINE} characters: this is no list of readers.")
    yield from (rest + decoder.decode(b"", final=True)).split("\n")


def _shown(text: str) -> str:
    """As much of a foreign text as fits a line of a report."""
    return clean_text(text, _SHOWN)
