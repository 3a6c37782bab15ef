"""Serving the pages and running the post room in one process, until a signal says to stop."""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn

from mailer import telemetry
from mailer.core.error_page import ErrorPage
from mailer.errors import InputError
from mailer.store.database import Database
from mailer.web.app import make_app
from mailer.web.desk import Desk
from mailer.web.postroom import Postroom
from mailer.web.protocol import BoundedProtocol
from mailer.wiring import Parts, run_loop

MOST_CONNECTIONS = 500
"""Further ones are told to come back later (503). Below the 1,024 files that a process may usually have open."""
PATIENCE = 20
"""Seconds in which requests under way are finished when we are to stop."""

log = structlog.get_logger(__name__)


def serve_pages(parts: Parts, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; a second one ends it at once.

    `ready`: called with the address, 'http://127.0.0.1:8000', once visitors are answered. Raises InputError where the
    address can't be listened on, StoreError, SchemaError, TemplateError.
    """
    warm_up(parts)
    with parts.open_database() as database, _listening(host, port) as listener:
        telemetry.configure()
        run_loop(_serve(parts, database, listener, ready))


def warm_up(parts: Parts) -> None:
    """Read and try out the templates now: a broken theme is said before anybody visits, and the first one isn't slow.

    Raises TemplateError.
    """
    pages, language = parts.pages(), parts.composer().speak("")
    pages.render(ErrorPage(404), language)


async def _serve(parts: Parts, database: Database, listener: socket.socket, ready: Callable[[str], None]) -> None:
    room, server = _pair(parts, database, lambda: ready(_address_of(listener)))

    def stop() -> None:
        server.should_exit = True
        room.close()
        log.info("Stopping after what is under way; once more to stop at once.")

    def alone(_room: object) -> None:
        server.should_exit = True

    with _on_signal(stop):
        working = asyncio.create_task(room.run())
        working.add_done_callback(alone)  # pages that promise mail are not served where none leaves
        try:
            await server.serve(sockets=[listener])
        finally:
            room.close()
            await working


@asynccontextmanager
async def pages_beside(parts: Parts, database: Database, listener: socket.socket) -> AsyncIterator[None]:
    """The pages and the post room, as `mailer serve` has them, beside what the block does. `listener`: listens already.

    Signals and logs are left to whoever runs it.
    """
    room, server = _pair(parts, database, lambda: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(room.run())
        tasks.create_task(server.serve(sockets=[listener]))
        try:
            yield
        finally:
            server.should_exit = True
            room.close()


def _pair(parts: Parts, database: Database, ready: Callable[[], None]) -> tuple[Postroom, "_Server"]:
    """The post room and the pages that wake it. `ready`: called once visitors are answered."""
    room = Postroom(parts, database)
    return room, _Server(_options(make_app(Desk(parts, database, room.wake))), ready)


def _options(app: object) -> uvicorn.Config:
    """uvicorn as we want it: it speaks HTTP, and leaves logs, proxies and signals to us."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # FastAPI's idea of ASGI and uvicorn's are written differently
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,  # it has whole paths, and tokens in them
        proxy_headers=False,  # `hardening.Client` reads them
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=PATIENCE,
    )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which would end the process under the post room."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


@contextmanager
def _on_signal(stop: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM or Ctrl-C calls `stop`; the second is as if there were no handler."""
    loop = asyncio.get_running_loop()

    def release() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    def asked() -> None:
        release()
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    try:
        yield
    finally:
        release()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there. Raises InputError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        both = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(address[:2], family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as error:
        raise InputError(_why_not(error, host, port)) from None
    with listener:
        yield listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is taken: another program listens there. Give another one, [web] port or --port."
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"Port {port} is not for this user to open. Take one above 1023 and put a proxy before it, [web] port."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host!r} is no address of this machine. Check [web] host or --host."
    return f"{host!r} port {port} can't be listened on: {os.strerror(error.errno or 0)}."


def _address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
