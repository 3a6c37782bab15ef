"""Sites on other origins than the pages, whose articles carry the form as docs/embedding.md says."""

import gc
import re
import socket
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.cli.site import INIT, Relay, Site, mailer

DOCS = (Path(__file__).parents[2] / "docs" / "embedding.md").read_text(encoding="utf-8")
PAGE = """<!DOCTYPE html><html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>An article</title>
<style>:root {{ color-scheme: light dark }} body {{ font: 17px/1.6 Georgia, serif; margin: 0 auto; max-width: 34rem;
padding: 0 16px; background: light-dark(#FFFFFF, #16191C); color: light-dark(#1A1D20, #E8EBED) }}
a {{ color: light-dark(#0B5F6B, #129DB0) }}</style></head><body><main><h1>An article</h1><p>Its text.</p>
{embed}
<h2>Related Articles</h2><p><a href="/">Another one</a></p></main></body></html>"""
_POLICIES = DOCS.partition("Content-Security-Policy needs")[2]
POLICIES = {
    name: re.search(rf"^\| {name} \| `([^`]+)` \|$", _POLICIES, re.MULTILINE)[1]
    for name in ("script", "frame", "plain form")
}


def snippet(title: str, kind: str = "html") -> str:
    """The example in that section of docs/embedding.md."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", DOCS, re.DOTALL | re.MULTILINE)[1]
    return re.search(rf"^```{kind}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[1]


EMBEDS = {"script": snippet("A script"), "frame": snippet("A frame"), "plain form": snippet("A plain form")}


class Stranger(ThreadingHTTPServer):
    """A site of somebody else's. `pages`: path to (headers, HTML); it is at `url`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.pages: dict[str, tuple[Mapping[str, str], str]] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, name="stranger")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def publish(self, path: str, embed: str, *, policy: str = "", lang: str = "en") -> str:
        """An article with this in it. Returns its address."""
        headers = {"Content-Security-Policy": f"default-src 'none'; {policy}"}
        page = PAGE.format(embed=embed, lang=lang, dir="rtl" if lang == "ar" else "ltr")
        self.pages[path] = (headers if policy else {}, page)
        return self.url + path


class _Page(BaseHTTPRequestHandler):
    server: Stranger

    def do_GET(self) -> None:
        headers, page = self.server.pages.get(self.path, ({}, ""))
        self.send_response(200 if page else 404)
        for name, value in ({"Content-Type": "text/html; charset=utf-8"} | dict(headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.encode())))
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name for it
        """Quietly."""


@dataclass(frozen=True)
class Town:
    """The pages and what stands around them. `friend` is in [web] embed_origins, `other` is not."""

    site: Site
    relay: Relay
    friend: Stranger
    other: Stranger
    pages: str

    def embed(self, name: str) -> str:
        """The example of the documentation with these addresses."""
        return self.here(EMBEDS[name])

    def here(self, text: str) -> str:
        return text.replace("https://mailer.your.site", self.pages)

    def state(self, email: str) -> str:
        return next((row[0] for row in self.site.ask("SELECT state FROM subscribers WHERE email = ?", email)), "")

    def source(self, email: str) -> tuple[str, str]:
        """Which way the form came, and from which page."""
        return self.site.ask(
            "SELECT c.route, c.source FROM consent c JOIN subscribers s ON s.id = c.subscriber_id "
            "WHERE s.email = ? ORDER BY c.id",
            email,
        )[0]


def let_go() -> None:
    """Browsers connect ahead of need: what a loop had accepted as it ended is nobody's, and not worth a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """`mailer serve` as a process of its own on localhost, and two sites on 127.0.0.1."""
    ended = mailer(*INIT, folder=folder)
    assert ended.code == 0, ended.all
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Relay() as relay, Stranger() as friend, Stranger() as other:
        site = Site(folder, relay.port)
        pages = f"http://localhost:{port}"
        site.environ |= {
            "MAILER_WEB__PUBLIC_URL": pages,
            "MAILER_WEB__EMBED_ORIGINS": friend.url,
            "MAILER_SIGNUP__NETWORK_PER_HOUR": "10000",
            "MAILER_SIGNUP__NETWORK_PER_DAY": "10000",
            "MAILER_SIGNUP__DOMAIN_PER_HOUR": "10000",
        }
        process = site.start("serve", "--port", str(port))
        # A pipe that nobody reads is full some time, and then the process waits.
        log = threading.Thread(target=lambda: list(process.stderr), name="log")
        log.start()
        try:
            assert process.stdout.readline().startswith("Serving on ")
            yield Town(site, relay, friend, other, pages)
        finally:
            process.terminate()
            process.wait(timeout=30)
            log.join(timeout=10)
            process.stdout.close()
            let_go()
            process.stderr.close()
