"""`mailer serve` of a site as a process of its own, at an address that its mails lead to, and what it logs in a file.

with Served(site) as pages:
    pages.post("/subscribe", email="ann@example.com", cadence="weekly", form_time=pages.form_time())
"""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from mailer.core.tokens import Claim, Purpose, seal, seal_form
from tests.cli.site import Site

KEY = "the key of a site that is served by chance"
BROAD = {"MAILER_SIGNUP__NETWORK_PER_HOUR": "100000", "MAILER_SIGNUP__NETWORK_PER_DAY": "100000"}
"""Limits for tests in which all visitors come from one machine."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def until(condition: Callable[[], Any], *, seconds: float = 60) -> Any:
    """Wait for it; returns what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


class Served:
    """The process; a context manager. It may be killed and begun again, and goes on in the same log."""

    def __init__(self, site: Site, **environ: str) -> None:
        self.site = site
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        site.environ |= {"MAILER_WEB__PUBLIC_URL": self.url, "MAILER_SECURITY__SECRET_KEYS": KEY} | environ
        self.log, self.out = site.folder / "serve.log", site.folder / "serve.out"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def begin(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log, self.out.open("ab") as out:
            said = out.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mailer", "serve", "--port", str(self.port)],
                cwd=self.site.folder,
                env=self.site.surroundings,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        until(lambda: self.out.stat().st_size > said or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def kill(self) -> None:
        """As if the power failed."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As asked."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0

    def request(self, method: str, path: str, fields: dict[str, Any] | None = None, **headers: str) -> tuple[int, str]:
        """Returns the status and the body."""
        body = None if fields is None else urlencode(fields, doseq=True)
        return self.send(method, path, body, "application/x-www-form-urlencoded", **headers)

    def send(self, method: str, path: str, body: str | None, kind: str, **headers: str) -> tuple[int, str]:
        """The same with a body of any kind."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, ({} if body is None else {"Content-Type": kind}) | headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def get(self, path: str) -> str:
        return self._well(*self.request("GET", path))

    def post(self, path: str, **fields: Any) -> str:
        return self._well(*self.request("POST", path, fields))

    def _well(self, status: int, body: str) -> str:
        assert status == 200, body
        return body

    def form_time(self) -> str:
        """Of a form that was shown five minutes ago."""
        return seal_form(datetime.now(UTC) - timedelta(minutes=5), KEY)

    def sign_up(self, email: str, cadence: str = "weekly", **fields: Any) -> None:
        self.post("/subscribe", email=email, cadence=cadence, form_time=self.form_time(), **fields)

    def token(self, email: str, purpose: Purpose) -> str:
        ((number, generation),) = self.site.ask("SELECT id, generation FROM subscribers WHERE email = ?", email)
        return seal(Claim(number, generation), purpose, KEY)

    def link(self, mail: EmailMessage, page: str) -> str:
        """The path of the mail's link to this page."""
        found = re.search(rf"{self.url}(/{page}/[^\s\"<>]+)", body_of(mail, "plain"))
        assert found, page
        return found[1]


def body_of(mail: EmailMessage, kind: str) -> str:
    """The text ('plain') or the HTML ('html') of a mail."""
    part = mail.get_body((kind,))
    assert part
    return str(part.get_content())
