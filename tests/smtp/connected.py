"""A connection to the bad relay, as these tests want it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mailer.core.message import Mail
from mailer.smtp import Connection, Relay, RelayOptions
from tests.faults.badrelay import BadRelay

PATIENCE = 5.0  # seconds: never reached in a test that passes
SOON = 0.2  # seconds: for tests in which a time runs out


def relay_to(bad: BadRelay, *, patience: float = PATIENCE, after_dot: float = PATIENCE, **options) -> Relay:
    """A Relay for it, in clear unless said otherwise."""
    tls_context = options.pop("tls_context", None)
    password = options.pop("password", "")
    return Relay(
        RelayOptions(**{"host": "127.0.0.1", "port": bad.port, "security": "none"} | options),
        password=password,
        reply_timeout=after_dot,
        connect_timeout=patience,
        command_timeout=patience,
        tls_context=tls_context,
    )


@asynccontextmanager
async def connected(bad: BadRelay, **options) -> AsyncIterator[Connection]:
    connection = await relay_to(bad, **options).open()
    assert isinstance(connection, Connection), connection
    try:
        yield connection
    finally:
        await connection.close()


def mail(name: str = "ann", data: bytes = b"") -> Mail:
    """A small mail to NAME@example.org with a Message-ID of its own."""
    return Mail(
        "news@example.org",
        f"{name}@example.org",
        data or f"Message-ID: <{name}@news.example.org>\r\nSubject: news\r\n\r\nHello.\r\n".encode(),
    )
