"""A small HTTP server on loopback for feeds, good and bad, that remembers what it was asked.

with BadFeeds() as server:
    server.pages["/feed.xml"] = Page(body, etag='"1"')
    ... server.url + "/feed.xml" ... server.asked[-1].headers["if-none-match"]
"""

import gzip
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Page:
    """An answer. With `etag` or `last_modified` it answers 304 to who has it already.

    `wait`: seconds before the answer; `drip`: seconds before each byte of the body. `announce`: whether
    Content-Length is sent; `claim`: what it says instead of the truth. `chunks`: a body without end or of many parts.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/rss+xml"
    etag: str = ""
    last_modified: str = ""
    wait: float = 0
    drip: float = 0
    announce: bool = True
    claim: int | None = None
    chunks: Iterator[bytes] | None = None


def redirect(target: str, status: int = 301) -> Page:
    return Page(status=status, headers={"Location": target})


def gzipped(body: bytes, **details) -> Page:
    return Page(gzip.compress(body), headers={"Content-Encoding": "gzip"}, **details)


@dataclass(frozen=True)
class Asked:
    """A request as it came. Header names are in lower case."""

    path: str
    headers: dict[str, str]


class BadFeeds:
    """The server. `pages`: path to Page, changed at will; what isn't there is a 404."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._httpd = _Httpd(("127.0.0.1", 0), _Handler)
        self._httpd.feeds = self
        if tls:
            self._httpd.socket = tls.wrap_socket(self._httpd.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._httpd.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    feeds: BadFeeds

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or that doesn't like the certificate, is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Httpd

    def do_GET(self) -> None:
        feeds = self.server.feeds
        feeds.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}))
        page = feeds.pages.get(self.path, Page(b"not here", status=404))
        feeds.closing.wait(page.wait)
        if self._has_it(page):
            self.send_response(304)
            self._validators(page)
            self.end_headers()
            return
        self.send_response(page.status)
        self._validators(page)
        self.send_header("Content-Type", page.content_type)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.announce and page.chunks is None:
            self.send_header("Content-Length", str(len(page.body) if page.claim is None else page.claim))
        self.end_headers()
        self._send(page)

    def _has_it(self, page: Page) -> bool:
        asked = self.headers
        return bool(
            (page.etag and asked.get("If-None-Match") == page.etag)
            or (page.last_modified and asked.get("If-Modified-Since") == page.last_modified)
        )

    def _validators(self, page: Page) -> None:
        if page.etag:
            self.send_header("ETag", page.etag)
        if page.last_modified:
            self.send_header("Last-Modified", page.last_modified)

    def _send(self, page: Page) -> None:
        parts = page.chunks or ([page.body[at : at + 1] for at in range(len(page.body))] if page.drip else [page.body])
        for part in parts:
            if page.drip and self.server.feeds.closing.wait(page.drip):
                return
            self.wfile.write(part)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Tests have their own account of what was asked."""
