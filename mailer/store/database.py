"""Opening the database: engines, pragmas, the writer thread and the reader threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from mailer.errors import StoreError
from mailer.store import schema
from mailer.store.at_once import AtOnce
from mailer.store.erased_list import ErasedList
from mailer.store.results_file import ResultsFile
from mailer.store.turnstile import SenderLock, Turnstile
from mailer.store.writer import Writer, in_words

P = ParamSpec("P")
T = TypeVar("T")

READERS = 2
BUSY_SECONDS = 30


class Database:
    """One open database. Its functions are synchronous; flows await them through `read` and `write`.

    Raises StoreError where it can't be opened, SchemaError where its tables aren't this program's.
    """

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        path = file_of(self._url)
        if path is not None and not path.exists():
            raise StoreError(f"There is no database at {path}. Run `mailer upgrade` to make one.")
        self._turnstile = Turnstile(beside(path, "turnstile"))
        self.sender_lock = SenderLock(beside(path, "sender"))
        self.erased_list = ErasedList(beside(path, "erased"))
        self.results = ResultsFile(beside(path, "results"))
        self._reads = make_engine(self._url, begin="BEGIN")
        self._writes = make_engine(self._url, begin="BEGIN IMMEDIATE")
        try:
            with self._reads.begin() as connection:
                schema.check(connection)
        except Exception as error:  # noqa: BLE001  # cleaned up after, then raised again
            self._dispose()
            raise in_words(error) from None
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="mailer-reader")
        self._writer = Writer(self._writes, self._turnstile, patience=BUSY_SECONDS)
        self._writer.start()
        self._at_once = AtOnce(self._writes, partial(Turnstile, beside(path, "turnstile")))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, …)` in the writer's next transaction; returns once that is committed."""
        return (await self.write_stamped(work, *args, **kwargs))[0]

    async def write_stamped(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[T, float]:
        """`write`, and when the commit had returned, by `writer.ticks()`."""
        done: tuple[T, float] = await self._writer.submit(lambda connection: work(connection, *args, **kwargs))
        return done

    def write_at_once(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[T, float] | None:
        """`write_stamped` in this very thread. None, and nothing is done, if it isn't its turn or could take long."""
        if self._writer.busy:
            return None  # who leaves by a page is not overtaken by a permit
        return self._at_once.run(lambda connection: work(connection, *args, **kwargs))

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, …)` on a reader thread, in one snapshot."""
        job = partial(self._read, work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, job)

    def _read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with self._reads.begin() as connection:
                return work(connection, *args, **kwargs)
        except DBAPIError as error:
            raise in_words(error) from None

    def close(self) -> None:
        """Finish what is queued, then close."""
        self._writer.stop()
        self._at_once.close()
        self._pool.shutdown()
        self.results.close()
        self.sender_lock.release()
        self._dispose()

    def _dispose(self) -> None:
        self._turnstile.close()
        self._reads.dispose()
        self._writes.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def parse_url(url: str) -> URL:
    """Read a database address. Raises StoreError."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"[store] url {url!r} is no database address. Write sqlite:///mailer.db.") from None
    if parsed.get_backend_name() != "sqlite":
        raise StoreError("[store] url: this version speaks SQLite; PostgreSQL comes with a later one.")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("[store] url: a database in memory would forget who got what. Write sqlite:///mailer.db.")
    return parsed


def file_of(url: URL) -> Path | None:
    """The file of a SQLite address. One name for it whatever links lead there, or its locks would be several."""
    return Path(url.database).resolve() if url.database else None


def beside(path: Path | None, name: str) -> Path | None:
    """A file beside the database, such as `mailer.db-sender`."""
    return None if path is None else path.with_name(f"{path.name}-{name}")


def make_engine(url: URL, *, begin: str) -> Engine:
    """An engine whose transactions open with `begin`.

    SQLAlchemy's default opens them late: 1,200 increments by four processes ended at 403–595. With
    `isolation_level=None` and BEGIN IMMEDIATE they were 1,200.
    """
    engine = create_engine(
        url,
        # Errors must not print addresses.
        hide_parameters=True,
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_SECONDS},
    )

    def on_connect(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
        cursor.execute("PRAGMA journal_mode = WAL")
        # A permit is on disk before its message leaves.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA cache_size = -4096")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine
