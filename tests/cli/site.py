"""A site in a folder, run from outside: commands as an operator types them, a relay that counts, a database to look at.

Commands run in this process, which takes milliseconds; `Site.start` runs one as a process of its own.
"""

import asyncio
import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from mailer.cli import main
from tests.faults.badrelay import Accepted, BadRelay, Line, Rule

ROOT = Path(__file__).parents[2]
MONDAY = "2026-11-23T08:00Z"
"""One hour after the digests that are due on that Monday."""
NEXT_MONDAY = "2026-11-30T08:00Z"
INIT = (
    "init",
    "--name=Mia's Feed",
    "--url=https://site.example",
    "--from-address=digest@site.example",
    "--postal-address=12 Harbour Street, Dublin",
    "--smtp-host=127.0.0.1",
    "--smtp-security=none",
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output; raises ValueError where there is anything else."""
        return json.loads(self.out)

    @property
    def all(self) -> str:
        return self.out + self.err


class Terminal(io.StringIO):
    """Input or output with somebody in front of it."""

    def isatty(self) -> bool:
        return True


class _Heard(io.StringIO):
    """Standard error that somebody listens to."""

    def __init__(self, listener: Callable[[str], None]) -> None:
        super().__init__()
        self._listener = listener

    def write(self, text: str) -> int:
        written = super().write(text)
        self._listener(self.getvalue())
        return written


def mailer(
    *words: str,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    answers: str | None = None,
    listener: Callable[[str], None] | None = None,
) -> Ended:
    """`mailer …` in a folder. `answers`: what is typed on a terminal; None: there is none.

    `listener`: hears all that standard error has, each time there is more.
    """
    out, err = io.StringIO(), _Heard(listener) if listener else io.StringIO()
    stdin = io.StringIO() if answers is None else Terminal(answers)
    with (
        patch.object(sys, "argv", ["mailer", *words]),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
        patch.object(sys, "stdin", stdin),
        patch.dict(os.environ, environ or {}),
        inside(folder),
    ):
        return Ended(exit_code(), out.getvalue(), err.getvalue())


def exit_code() -> int:
    """Run `mailer` on `sys.argv`."""
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in this folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class Relay:
    """A bad relay on a thread of its own, keeping what it takes. Without rules it is a good one."""

    def __init__(self, *rules: Rule, port: int = 0, secret: tuple[str, str] | None = None) -> None:
        self._relay = BadRelay(rules, keep=True, port=port, secret=secret)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay")

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self._relay.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._wait(self._relay.__aexit__(kind, error, trace))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    @property
    def port(self) -> int:
        return self._relay.port

    @property
    def accepted(self) -> Sequence[Accepted]:
        return self._relay.accepted

    @property
    def lines(self) -> Sequence[Line]:
        """The commands that it was given."""
        return list(self._relay.lines)

    @property
    def copies(self) -> Counter[str]:
        """Messages taken, by recipient."""
        return Counter(self._relay.copies)

    def mail_to(self, address: str) -> EmailMessage:
        """The last message for this address, parsed."""
        return self.mails_to(address)[-1]

    def mails_to(self, address: str) -> list[EmailMessage]:
        """All of them, in the order in which they came."""
        taken = [one.data for one in self._relay.accepted if one.recipient == address]
        messages = [message_from_bytes(data, policy=policy.default) for data in taken]
        return [message for message in messages if isinstance(message, EmailMessage)]

    def bytes_to(self, address: str) -> bytes:
        return [taken.data for taken in self._relay.accepted if taken.recipient == address][-1]


class Site:
    """A site that `mailer init` made, and a relay for it. `port`: of the relay, until another is named."""

    def __init__(self, folder: Path, port: int = 1) -> None:
        self.folder = folder
        self.environ = {"MAILER_SMTP__PORT": str(port)}

    def use(self, port: int) -> None:
        """Send to the relay on this port from now on."""
        self.environ["MAILER_SMTP__PORT"] = str(port)

    def run(self, *words: str, listener: Callable[[str], None] | None = None, **environ: str) -> Ended:
        """`mailer …`, in this process. `listener` hears standard error."""
        return mailer(*words, folder=self.folder, environ=self.environ | environ, listener=listener)

    def did(self, *words: str, **environ: str) -> Ended:
        """`mailer …`, which must end well."""
        ended = self.run(*words, **environ)
        assert ended.code == 0, ended.all
        return ended

    def json(self, *words: str, code: int = 0) -> Any:
        """The document that `mailer … --json` shows."""
        ended = self.run(*words, "--json")
        assert ended.code == code, ended.all
        return ended.json

    def start(self, *words: str, **environ: str) -> "subprocess.Popen[str]":
        """`mailer …` as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "mailer", *words],
            cwd=self.folder,
            env=self.surroundings | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def surroundings(self) -> dict[str, str]:
        """The environment of a process of its own."""
        return os.environ | {"PYTHONPATH": str(ROOT)} | self.environ

    def configure(self, text: str) -> None:
        """Add lines to config.toml."""
        with (self.folder / "config.toml").open("a", encoding="utf-8") as file:
            file.write("\n" + text + "\n")

    def write(self, name: str, content: str | bytes | list[Any] | dict[str, Any]) -> str:
        """A file in the site's folder; lists and dicts as JSON. Returns its name."""
        if isinstance(content, list | dict):
            content = json.dumps(content)
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def publish(self, *articles: Mapping[str, Any] | str, now: str = "2026-11-22T12:00Z") -> None:
        """Take in articles: an id each, or all their fields."""
        made = [{"id": one} if isinstance(one, str) else dict(one) for one in articles]
        whole = [
            {
                "url": f"https://site.example/{one['id']}",
                "title": f"About {one['id']}",
                "summary": f"A few words on {one['id']}.",
                "published": "2026-11-20T10:00:00Z",
            }
            | one
            for one in made
        ]
        self.did("articles", "import", self.write("articles.json", whole), "--now", now)

    def join(self, *names: str, cadence: str = "weekly", topics: str = "") -> None:
        """Readers come in through an import; a name without an @ is at example.com."""
        rows = [f"{name if '@' in name else name + '@example.com'};{cadence};{topics}" for name in names]
        file = self.write("readers.csv", "\n".join(["email;cadence;topics", *rows]))
        self.did("subscribers", "import", file, "--confirmed", "--consent", "asked for it")

    @property
    def database(self) -> Path:
        return self.folder / "mailer.db"

    def dump(self) -> str:
        """All that is in the database."""
        with sqlite3.connect(self.database) as connection:
            found = "\n".join(connection.iterdump())
        connection.close()
        return found

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that a question to the database gives; a change is committed."""
        with sqlite3.connect(self.database) as connection:
            rows = connection.execute(question, values).fetchall()
        connection.close()
        return rows


class Publisher(ThreadingHTTPServer):
    """A web server on a thread that publishes feeds. `pages`: path to (status, body); `asked`: the requests seen.

    Every feed has an ETag of its body, and is not sent again to whoever has it.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, name="publisher")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Page(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        status, body = self.server.pages.get(self.path, (404, b""))
        tag = f'"{hash(body)}"'
        if status == HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
            status, body = 304, b""
        self.server.asked.append((self.path, status))
        self.send_response(status)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name for it
        """Quietly."""


def rss(*items: tuple[str, str], title: str = "Mia's Feed") -> bytes:
    """An RSS feed. `items`: (guid, date as RFC 822 or '')."""
    entries = "".join(
        f"<item><guid>{guid}</guid><title>About {guid}</title><link>https://site.example/{guid}</link>"
        f"<description>Some words on {guid}.</description>{f'<pubDate>{date}</pubDate>' if date else ''}</item>"
        for guid, date in items
    )
    return f'<rss version="2.0"><channel><title>{title}</title>{entries}</channel></rss>'.encode()
