"""The pages while a digest goes to 100,000 readers, beside the same pages alone: p99 of one-click and of sign-up.

`mailer serve` and `mailer send` are processes of their own, as is the relay. Requests come at a steady pace, each on a
connection of its own, whether or not the last one has been answered. Each round asks first alone, then while the send
runs; the send is stopped after it and goes on in the next. A sign-up makes a confirmation mail, a one-click a goodbye,
in both halves. Bytes of the pages are printed below.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from urllib.parse import urlencode

from prepared import INIT, ROOT
from relays import fast_relay, free_port
from table import show

from mailer.core.tokens import Claim, Purpose, seal, seal_form

KEY = "a key for measuring with and for nothing else"
OPEN = {"MAILER_SIGNUP__DOMAIN_PER_HOUR": "10000000", "MAILER_SIGNUP__BURST": "10000000"}
"""Limits that so many visitors would meet."""


class Site:
    """A site in a folder, its server and its sender."""

    def __init__(self, folder: Path, relay: int, readers: int) -> None:
        self.folder, self.readers = folder, readers
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environ = os.environ | OPEN | {"MAILER_WEB__TRUSTED_PROXIES": "127.0.0.1"}
        self._environ |= {"PYTHONPATH": str(ROOT), "MAILER_SMTP__PORT": str(relay), "MAILER_SMTP__CONNECTIONS": "10"}
        self._environ |= {"MAILER_SECURITY__SECRET_KEYS": KEY, "MAILER_WEB__PUBLIC_URL": self.url}
        yesterday = datetime.now(UTC) - timedelta(days=1)
        articles = [
            {
                "id": f"a{n}",
                "url": f"https://site.example/{n}",
                "title": f"Article {n}",
                "summary": "Some words. " * 20,
                "published": yesterday.isoformat(),
            }
            for n in range(10)
        ]
        (folder / "articles.json").write_text(json.dumps(articles), encoding="utf-8")
        rows = "".join(f"reader{number}@example.com\n" for number in range(readers))
        (folder / "readers.csv").write_text("email\n" + rows, encoding="ascii")
        self._do(*INIT)
        self._do("articles", "import", "articles.json", "--now", yesterday.isoformat())
        self._do("subscribers", "import", "readers.csv", "--cadence", "weekly", "--confirmed", "--consent", "a bench")

    def _start(self, *words: str, said: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "mailer", *words]
        return subprocess.Popen(command, cwd=self.folder, env=self._environ, stdout=said, stderr=subprocess.DEVNULL)

    def _do(self, *words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "mailer", *words],
            cwd=self.folder,
            env=self._environ,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    @contextmanager
    def serving(self) -> Iterator[None]:
        """`mailer serve` answers."""
        process = self._start("serve", "--port", str(self.port), said=subprocess.PIPE)
        assert process.stdout
        if not process.stdout.readline():
            raise SystemExit("`mailer serve` did not start")
        try:
            yield
        finally:
            _end(process)
            process.stdout.close()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """`mailer send` is in the middle of its run. Says at the end how quick it was."""
        self._write("UPDATE editions SET state = 'running' WHERE state = 'paused'")
        process = self._start("send", "--cadence", "weekly")
        before = self.accepted()
        while self.accepted() < before + 500:
            if process.poll() is not None:
                raise SystemExit("the send was over: more readers are needed")
            time.sleep(0.05)
        began, taken = perf_counter(), self.accepted()
        try:
            yield
        finally:
            if process.poll() is not None:
                raise SystemExit("the send was over before the requests: more readers are needed")
            rate = (self.accepted() - taken) / (perf_counter() - began)
            print(f"  a send at {rate:,.0f} a second", flush=True)
            _end(process)
            # Or the server would go on with it by itself, and never be alone.
            self._write("UPDATE editions SET state = 'paused' WHERE state = 'running'")

    def _write(self, change: str) -> None:
        with sqlite3.connect(self.folder / "mailer.db", timeout=30) as connection:
            connection.execute(change)
        connection.close()

    def accepted(self) -> int:
        """How many digests have left. Counted by the index of what has not: counting the rest would take long."""
        connection = sqlite3.connect(self.folder / "mailer.db")
        left = connection.execute(
            "SELECT (SELECT count(*) FROM deliveries WHERE state = 'pending') + "
            "(SELECT count(*) FROM deliveries WHERE state IN ('claimed', 'sending'))"
        ).fetchone()[0]
        planned = connection.execute("SELECT coalesce(sum(planned), 0) FROM editions").fetchone()[0]
        connection.close()
        return int(planned - left) if planned else 0

    def asked(self) -> int:
        """How many were asked to confirm."""
        connection = sqlite3.connect(self.folder / "mailer.db")
        found = connection.execute("SELECT count(*) FROM notices WHERE kind = 'confirm'").fetchone()[0]
        connection.close()
        return int(found)

    def quiet(self) -> None:
        """Wait until every mail that was asked for has left."""
        patience = perf_counter() + 120
        while perf_counter() < patience:
            connection = sqlite3.connect(self.folder / "mailer.db")
            waiting = connection.execute(
                "SELECT (SELECT count(*) FROM notices WHERE delivery_id IS NULL AND dropped = '') + "
                "(SELECT count(*) FROM deliveries WHERE edition_id IS NULL AND state = 'pending')"
            ).fetchone()[0]
            connection.close()
            if not waiting:
                return
            time.sleep(0.1)
        raise SystemExit("the mails that were asked for don't leave")


class Visitors:
    """They press 'unsubscribe' and fill in forms, nobody twice, each from an address of their own."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._leaver = site.readers  # the last ones: their digests still wait
        self.joined = 0
        self._asked = 0

    async def come(self, count: int, pace: float) -> tuple[list[float], list[float]]:
        """So many of each kind, `pace` of each kind a second. Returns the seconds of each answer, sorted."""
        leaving, joining = [], []
        began = perf_counter()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / pace - perf_counter()))
            leaving.append(asyncio.create_task(self._leave()))
            await asyncio.sleep(max(0.0, began + (number + 0.5) / pace - perf_counter()))
            joining.append(asyncio.create_task(self._join()))
        return sorted(await asyncio.gather(*leaving)), sorted(await asyncio.gather(*joining))

    async def _leave(self) -> float:
        token = seal(Claim(self._leaver, 1), Purpose.LEAVE, KEY)
        self._leaver -= 1
        return await self._post(f"/one-click/{token}", {"List-Unsubscribe": "One-Click"})

    async def _join(self) -> float:
        self.joined += 1
        shown = seal_form(datetime.now(UTC) - timedelta(minutes=5), KEY)
        form = {"email": f"visitor{self.joined}@example.com", "cadence": "weekly", "form_time": shown}
        return await self._post("/subscribe", form)

    async def _post(self, path: str, fields: dict[str, str]) -> float:
        body = urlencode(fields)
        self._asked += 1
        client = f"198.18.{self._asked // 250}.{self._asked % 250}"  # RFC 2544: addresses for measuring with
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        asked = (
            f"{head}X-Forwarded-For: {client}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{body}".encode()
        )
        began = perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._site.port)
        writer.write(asked)
        answer = await reader.read()
        seconds = perf_counter() - began
        writer.close()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"POST {path.split('/')[1]} was answered {answer[:40]!r}")
        return seconds


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def _p99(seconds: Sequence[float]) -> float:
    return seconds[len(seconds) * 99 // 100]


def _print_sizes(site: Site) -> None:
    """Of what readers load, uncompressed."""
    leave, manage = (seal(Claim(1, 1), purpose, KEY) for purpose in (Purpose.LEAVE, Purpose.MANAGE))
    for name, path in (
        ("embed.js", "/embed.js"),
        ("the form", "/subscribe"),
        ("the form in a frame", "/embed"),
        ("leaving", f"/unsubscribe/{leave}"),
        ("preferences", f"/preferences/{manage}"),
    ):
        with socket.create_connection(("127.0.0.1", site.port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        found = f"{len(body):,} bytes" if head.split()[1] == b"200" else f"answered {head.split()[1].decode()}"
        print(f"  {name}: {found}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--readers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=300, help="of each kind in each half of a round")
    parser.add_argument("--pace", type=float, default=30.0, help="of each kind a second")
    wanted = parser.parse_args()
    pairs: dict[str, list[tuple[float, float]]] = {"one-click": [], "sign-up": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailer-bench-")))
        site = Site(folder, stack.enter_context(fast_relay()), wanted.readers)
        stack.enter_context(site.serving())
        visitors = Visitors(site)
        asyncio.run(visitors.come(20, wanted.pace))
        for _ in range(wanted.rounds):
            site.quiet()
            alone = asyncio.run(visitors.come(wanted.requests, wanted.pace))
            site.quiet()
            with site.sending():
                beside = asyncio.run(visitors.come(wanted.requests, wanted.pace))
            for found, a, b in zip(pairs.values(), beside, alone, strict=True):
                found.append((_p99(a), _p99(b)))
        if site.asked() != visitors.joined:
            raise SystemExit(f"of {visitors.joined} forms {site.asked()} were taken: a limit was met")
        for name, found in pairs.items():
            title = f"p99 of {name} while a send to {wanted.readers:,} runs, beside the same alone"
            show(title, [a for a, _ in found], [b for _, b in found], reach="<= 5")
        _print_sizes(site)


if __name__ == "__main__":
    main()
