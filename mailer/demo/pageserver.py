"""A small HTTP server on loopback, for two of the demo's sites: a request's address in, a `Page` out."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

# Pages hold no script, and nothing on them comes from elsewhere.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer. `modified`: aware, for Last-Modified. Pages without their own policy get PAGE_POLICY."""

    body: bytes
    media_type: str = "text/html; charset=utf-8"
    status: int = 200
    modified: datetime | None = None
    policy: str = PAGE_POLICY
    headers: Mapping[str, str] = field(default_factory=dict)


Pages = Callable[[str, Mapping[str, str]], Page]
LONGEST_FORM = 10_000
"""Bytes of a form."""


class Server:
    """A running server. `url` has no trailing slash. Ends with `close()` or at the end of a `with`."""

    def __init__(self, httpd: ThreadingHTTPServer, url: str) -> None:
        self.url = url
        self._httpd = httpd
        self._thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), name="demo-http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    pages: Callable[[str], Pages], host: str = "127.0.0.1", port: int = 0, *, forms: Pages | None = None
) -> Server:
    """Serve on a thread of its own. `pages(url)` is asked once, with the server's address, for the function that
    answers (path, query) with a Page; `forms` answers (path, fields) of a form that one of our pages sent.
    OSError where the port is taken.
    """
    httpd = _Httpd((host, port), _Handler)
    httpd.forms = forms
    url = f"http://{host}:{httpd.server_port}"
    httpd.pages = pages(url)
    return Server(httpd, url)


def templates() -> Environment:
    """The demo's templates: inside the package when installed, at the top of the tree in a checkout."""
    package = Path(__file__).resolve().parent.parent
    folders = [package / "templates" / "web" / "demo", package.parent / "templates" / "web" / "demo"]
    looks = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    looks.filters["day"] = lambda moment: f"{moment.day} {moment:%B}"
    return looks


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    pages: Pages
    forms: Pages | None

    def server_bind(self) -> None:
        # HTTPServer's own asks DNS for the host's name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up early is not worth a traceback on the operator's terminal."""


class _Handler(BaseHTTPRequestHandler):
    server: _Httpd
    server_version, sys_version = "mailer-demo", ""
    timeout = 30

    def do_GET(self) -> None:
        self._answer(self._page())

    def do_HEAD(self) -> None:
        self._answer(self._page())

    def do_POST(self) -> None:
        self._answer(self._done())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing: the terminal belongs to the demo's own lines."""

    def _page(self) -> Page:
        try:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, max_num_fields=20))
            return self.server.pages(unquote(parts.path), query)
        except ValueError:
            return Page(b"This address can't be read.", "text/plain; charset=utf-8", 400)
        except Exception:  # noqa: BLE001 - whatever a mail or a request holds, one page fails and the server stays
            return Page(b"This page could not be made.", "text/plain; charset=utf-8", 500)

    def _done(self) -> Page:
        plain = "text/plain; charset=utf-8"
        length = self.headers.get("Content-Length", "")
        if self.server.forms is None or not length.isdecimal() or int(length[:9]) > LONGEST_FORM:
            return Page(b"This can't be sent here.", plain, 405)
        # Browsers say which site a form is on (Fetch Metadata §2.3); another one has no business here.
        if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return Page(b"This form is on another site.", plain, 403)
        try:
            fields = dict(parse_qsl(self.rfile.read(int(length)).decode(), max_num_fields=20))
            return self.server.forms(urlsplit(self.path).path, fields)
        except ValueError:
            return Page(b"This form can't be read.", plain, 400)
        except Exception:  # noqa: BLE001 - as above
            return Page(b"This could not be done.", plain, 500)

    def _answer(self, page: Page) -> None:
        tag = f'"{sha256(page.body).hexdigest()[:20]}"'
        fresh = page.status == 200 and self._is_fresh(tag, page.modified)  # noqa: PLR2004 - HTTP's own number
        self.send_response(304 if fresh else page.status)
        self.send_header("ETag", tag)
        if page.modified is not None:
            self.send_header("Last-Modified", format_datetime(page.modified.astimezone(UTC), usegmt=True))
        self.send_header("Cache-Control", "no-cache")
        for name, value in page.headers.items():
            self.send_header(name, value)
        if not fresh:
            self.send_header("Content-Type", page.media_type)
            self.send_header("Content-Length", str(len(page.body)))
            self.send_header("Content-Security-Policy", page.policy)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if not fresh and self.command != "HEAD":
            self.wfile.write(page.body)

    def _is_fresh(self, tag: str, modified: datetime | None) -> bool:
        # RFC 9110 §13.1.3: If-Modified-Since counts only where there is no If-None-Match.
        wanted = self.headers.get("If-None-Match")
        if wanted is not None:
            return wanted.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in wanted.split(","))
        since = self.headers.get("If-Modified-Since")
        if since is None or modified is None:
            return False
        try:
            return modified.replace(microsecond=0) <= parsedate_to_datetime(since)
        except (ValueError, TypeError):
            return False
