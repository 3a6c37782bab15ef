"""A scripted SMTP server that misbehaves on request and counts every copy it takes.

    async with BadRelay([Rule("RCPT", say("550 5.1.1 unknown"), when=recipient("bob@example.org"))]) as relay:
        ... relay.port ... relay.copies["ann@example.org"]

Each acceptance is counted, and written to the log, before its 250 goes out: the count is never behind the truth.
Without rules it is a plain, quick relay. As a process of its own: `python -m tests.faults.badrelay --help`.
"""

import argparse
import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.behaviour import (
    Action,
    Rule,
    Scene,
    StageName,
    accept,
    accept_then_drop,
    at_random,
    delay,
    domain,
    drop,
    endless,
    every,
    go_ahead,
    goodbye,
    hang,
    normal,
    nth,
    paced,
    raw,
    recipient,
    say,
    then,
    wait,
)
from tests.faults.session import Line, Piece, Session, StrayBytes

__all__ = [
    "OFFERS",
    "PIPELINED",
    "Accepted",
    "Action",
    "BadRelay",
    "BadRelayProcess",
    "Line",
    "Piece",
    "Rule",
    "Scene",
    "StrayBytes",
    "accept",
    "accept_then_drop",
    "at_random",
    "delay",
    "domain",
    "drop",
    "endless",
    "every",
    "go_ahead",
    "goodbye",
    "hang",
    "normal",
    "nth",
    "paced",
    "raw",
    "recipient",
    "say",
    "then",
    "wait",
]

OFFERS = ("SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
PIPELINED = ("PIPELINING", *OFFERS, "DSN")

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Accepted:
    """One message taken for one recipient. `time`, and `began` of its MAIL: seconds since the epoch.

    `data`: '' unless bodies are kept; `sha256` of it always. `silent`: taken by `accept()`, which answers nothing.
    """

    recipient: str
    message_id: str
    time: float
    connection: int
    data: bytes = b""
    began: float = 0.0
    sha256: str = ""
    silent: bool = False


class BadRelay:
    """The server; an async context manager. Listens on 127.0.0.1.

    `copies`: messages taken by recipient. `accepted`: the same in order. `lines`: the last commands it was given.
    `keep`: bodies are kept, and every read of a socket in `pieces`. `grouped`: what commands that came together are
    answered goes out in one write. A body, or a dot, that nobody asked for with a 354 fails the test at the end.
    `tls`: 'starttls' offers it, 'implicit' speaks it from the first byte; needs `certificate`. `secret`: (name,
    password), then mail is taken from nobody else. `offers`: EHLO lines beside STARTTLS and AUTH. `lenient`: sees an
    end of data wherever a dot stands alone between any kind of line ends.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        log: Path | None = None,
        certificate: ssl.SSLContext | None = None,
        tls: str = "",
        secret: tuple[str, str] | None = None,
        offers: Sequence[str] = OFFERS,
        max_connections: int | None = None,
        keep: bool = False,
        lenient: bool = False,
        grouped: bool = False,
        port: int = 0,
    ) -> None:
        self.copies: Counter[str] = Counter()
        self.accepted: list[Accepted] = []
        self.lines: deque[Line] = deque(maxlen=10_000)
        self.connections = 0  # opened since the start
        self.open: set[Session] = set()
        self.messages = 0  # MAIL commands seen
        self.port = port
        self.certificate = certificate
        self.tls = tls
        self.secret = secret
        self.offers = offers
        self.max_connections = max_connections
        self.keep = keep
        self.lenient = lenient
        self.grouped = grouped
        self.pieces: list[Piece] = []
        self.mistakes: list[BaseException] = []  # exceptions of actions: a test's own fault, raised at the end
        self._last_left = asyncio.Event()
        self._rules: dict[StageName, list[Rule]] = {}
        for rule in rules:
            self._rules.setdefault(rule.stage, []).append(rule)
        self._met: Counter[int] = Counter()
        self._log_path = log
        self._log = -1
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self._log_path:
            self._log = os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Session(self),
            "127.0.0.1",
            self.port,
            ssl=self.certificate if self.tls == "implicit" else None,
            backlog=256,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _exc: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for session in list(self.open):
            session.hang_up(reset=True)
        if self.open:
            self._last_left.clear()
            await self._last_left.wait()
        await self._server.wait_closed()
        if self._log >= 0:
            os.close(self._log)
        if self.mistakes:
            raise self.mistakes[0]

    def leave(self, session: "Session") -> None:
        """The session's connection is gone."""
        self.open.discard(session)
        if not self.open:
            self._last_left.set()

    def rules(self, stage: StageName) -> list[Rule]:
        """The rules about this stage, in their order."""
        return self._rules.get(stage, [])

    def fires(self, rule: Rule, scene: Scene) -> bool:
        """Whether the rule acts now; counts its times."""
        if not rule.when(scene):
            return False
        self._met[id(rule)] += 1
        met = self._met[id(rule)] - rule.after
        return met > 0 and (rule.times is None or met <= rule.times)

    def take(
        self, recipients: Sequence[str], data: bytes, connection: int, began: float, *, silent: bool = False
    ) -> None:
        """Counts and logs one message for each of its recipients."""
        head = data[: data.find(b"\r\n\r\n") + 2] if b"\r\n\r\n" in data else data
        found = _MESSAGE_ID.search(head)
        message_id = found[1].decode(errors="replace") if found else ""
        kept, digest = data if self.keep else b"", sha256(data).hexdigest()
        for address in recipients:
            taken = Accepted(address, message_id, time.time(), connection, kept, began, digest, silent)
            self.copies[address] += 1
            self.accepted.append(taken)
            if self._log >= 0:
                record = asdict(taken)
                del record["data"]
                os.write(self._log, json.dumps(record).encode() + b"\n")


SCRIPTS: dict[str, Callable[[], Rule]] = {
    "slow-dot": lambda: Rule("DOT", delay(0.02)),
    "slow-rcpt": lambda: Rule("RCPT", delay(0.02)),
    "accept-then-drop-first": lambda: Rule("DOT", accept_then_drop(), times=1),
    "accept-then-drop-every-100th": lambda: Rule("DOT", accept_then_drop(), when=every(100)),
    "drop-dot-first": lambda: Rule("DOT", drop(), times=1),
    "drop-dot-every-100th": lambda: Rule("DOT", drop(), when=every(100)),
    "drop-body-every-100th": lambda: Rule("BODY", drop(), when=every(100)),
    "defer-every-10th": lambda: Rule("RCPT", say("451 4.3.0 try later"), when=every(10)),
    "refuse-every-10th": lambda: Rule("RCPT", say("550 5.1.1 user unknown"), when=every(10)),
    "endless-rcpt-2nd": lambda: Rule("RCPT", endless(), when=nth(2)),
    "endless-line-rcpt-2nd": lambda: Rule("RCPT", endless(b"x" * 9_000), when=nth(2)),
    "endless-dot-2nd": lambda: Rule("DOT", then(accept(), endless()), when=nth(2)),
    "huge-dot-2nd": lambda: Rule("DOT", then(accept(), raw(b"250-" + b"x" * 10_000_000 + b"\r\n")), when=nth(2)),
    "binary-dot-2nd": lambda: Rule("DOT", then(accept(), endless(bytes(range(256)) * 40)), when=nth(2)),
    "hang-dot": lambda: Rule("DOT", hang()),
    "accept-then-hang": lambda: Rule("DOT", then(accept(), hang())),
    # Numbers without a common divisor, so that each gets its turn beside the others.
    "slow-dot-every-7th": lambda: Rule("DOT", delay(0.02), when=every(7)),
    "accept-then-drop-every-211th": lambda: Rule("DOT", accept_then_drop(), when=every(211)),
    "drop-dot-every-223rd": lambda: Rule("DOT", drop(), when=every(223)),
    "drop-body-every-227th": lambda: Rule("BODY", drop(), when=every(227)),
    "defer-every-53rd": lambda: Rule("RCPT", say("451 4.2.0 try later"), when=every(53)),
    "refuse-gone": lambda: Rule("RCPT", say("550 5.1.1 user unknown"), when=domain("gone.example")),
}


class BadRelayProcess:
    """The server in a process of its own, so that senders can be killed and the count survives them.

    A context manager. `scripts`: names in SCRIPTS. `log`: kept and continued where it exists, so that a relay that is
    started again on the same `port` goes on counting. `offers`: instead of the usual EHLO lines.
    """

    def __init__(self, log: Path, *scripts: str, port: int = 0, offers: Sequence[str] = ()) -> None:
        self.log = log
        self.port = port
        self._offers = offers
        self._scripts = scripts
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.faults.badrelay", "--leash", "--port", str(self.port)]
        command += ["--log", str(self.log.resolve())]
        for script in self._scripts:
            command += ["--script", script]
        for offer in self._offers:
            command += ["--offer", offer]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the bad relay did not start: {' '.join(command)}")
        self.port = int(line)
        self._idle = 0
        self._idle = self.connections
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _exc: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """As if its power failed. It may be entered again."""
        assert self._process
        self._process.kill()
        self._process.communicate()

    @property
    def connections(self) -> int:
        """How many are open, by the kernel's word: at 0 it has taken whatever was on its way to it."""
        assert self._process
        found = -self._idle
        for file in Path(f"/proc/{self._process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed while we look
                found += str(file.readlink()).startswith("socket:")
        return found

    def read_log(self) -> list[Accepted]:
        """Every acceptance so far, in order. A last line that is only half written is left for the next time."""
        if not self.log.exists():
            return []
        whole = self.log.read_bytes().rpartition(b"\n")[0]
        return [Accepted(**json.loads(line)) for line in whole.splitlines()]

    @property
    def copies(self) -> Counter[str]:
        """Messages taken, by recipient."""
        return Counter(taken.recipient for taken in self.read_log())


async def _serve(arguments: argparse.Namespace) -> None:
    rules = [SCRIPTS[name]() for name in arguments.script]
    offers = {"offers": arguments.offer} if arguments.offer else {}
    async with BadRelay(rules, log=arguments.log, port=arguments.port, **offers) as relay:
        print(relay.port, flush=True)  # noqa: T201  # the port is this command's output
        if arguments.leash:
            await asyncio.to_thread(sys.stdin.buffer.read)
        else:
            await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted bad SMTP server. Prints its port.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, help="each acceptance is appended here as a line of JSON")
    parser.add_argument("--script", action="append", default=[], choices=sorted(SCRIPTS))
    parser.add_argument("--offer", action="append", default=[], help="an EHLO line, instead of the usual ones")
    parser.add_argument("--leash", action="store_true", help="end when standard input ends")
    try:
        asyncio.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
