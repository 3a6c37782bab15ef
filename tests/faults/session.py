"""One connection to the bad relay: the dialogue of a good SMTP server, with a place for a rule at each step."""

import asyncio
import base64
import re
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.faults.behaviour import Action, Rule, Scene, StageName, normal

_PATH = re.compile(rb"(?:FROM|TO):\s*<([^>]*)>", re.IGNORECASE)
# How servers that can be fooled into SMTP smuggling see the end of the data.
_LENIENT_END = re.compile(rb"(?:\r\n|\r|\n)\.(?:\r\n|\r|\n)")
_VERBS: dict[bytes, StageName] = {
    b"EHLO": "EHLO",
    b"HELO": "EHLO",
    b"STARTTLS": "STARTTLS",
    b"AUTH": "AUTH",
    b"MAIL": "MAIL",
    b"RCPT": "RCPT",
    b"DATA": "DATA",
    b"RSET": "RSET",
    b"NOOP": "NOOP",
    b"QUIT": "QUIT",
}
_REPLIES: dict[StageName, bytes] = {
    "GREETING": b"220 badrelay ESMTP\r\n",
    "STARTTLS": b"220 2.0.0 go ahead\r\n",
    "BODY": b"",
    "DOT": b"250 2.0.0 accepted\r\n",
    "RSET": b"250 2.0.0 forgotten\r\n",
    "NOOP": b"250 2.0.0 here\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
    "?": b"500 5.5.2 no such command\r\n",
}


class StrayBytes(AssertionError):
    """A sender wrote part of a message where it was not asked to."""


@dataclass(frozen=True)
class Line:
    """One command line as it came, and whether it came through TLS."""

    connection: int
    tls: bool
    text: bytes


@dataclass(frozen=True)
class Piece:
    """Bytes as one read of the socket found them. What one write brought is never split over two, if it is small."""

    connection: int
    data: bytes


class Relay(Protocol):
    """What a connection needs of its server; badrelay.py has it and says what each means."""

    certificate: ssl.SSLContext | None
    tls: str
    secret: tuple[str, str] | None
    offers: Sequence[str]
    max_connections: int | None
    lenient: bool
    keep: bool
    grouped: bool
    lines: deque[Line]
    pieces: list[Piece]
    connections: int
    messages: int
    mistakes: list[BaseException]
    open: "set[Session]"

    def rules(self, stage: StageName) -> list[Rule]: ...
    def fires(self, rule: Rule, scene: Scene) -> bool: ...
    def take(self, recipients: Sequence[str], data: bytes, connection: int, began: float, *, silent: bool) -> None: ...
    def leave(self, session: "Session") -> None: ...


class Session(asyncio.Protocol):
    """One connection. Works its input off command by command; while an action runs, the input waits.

    So commands may come in one write (RFC 2920 §3.2), and each gets its reply in its turn.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set by connection_made
        self._number = 0
        self._tls = False
        self._signed_in = relay.secret is None
        self._input = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._more: Callable[[bytes], bytes] | None = None  # takes the next line of an AUTH dialogue
        self._in_body = False
        self._asked: list[Rule] = []
        self._scanned = 0
        self._message = b""
        self._taken = False
        self._last: StageName = "GREETING"
        self._held = b""  # replies kept back until the commands that came together are all answered
        self._forget()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        if self._number:  # again, after STARTTLS
            return
        relay = self._relay
        relay.connections += 1
        self._number = relay.connections
        self._tls = relay.tls == "implicit"
        relay.open.add(self)
        if relay.max_connections is not None and len(relay.open) > relay.max_connections:
            self.write(b"421 4.7.0 too many connections\r\n")
            self._transport.close()
            return
        self._answer("GREETING", b"")

    def data_received(self, data: bytes) -> None:
        if self._relay.keep:
            self._relay.pieces.append(Piece(self._number, data))
        self._input += data
        if self._task is None:
            self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.leave(self)
        if self._task:
            self._task.cancel()

    # What actions call

    @property
    def closed(self) -> bool:
        return self._transport.is_closing()

    @property
    def unread(self) -> bytes:
        """What came and was not looked at yet."""
        return bytes(self._input)

    def write(self, data: bytes) -> None:
        if self._relay.grouped and not self._in_body and b"\n" in self._input:
            self._held += data
        elif not self._transport.is_closing():
            self._transport.write(self._held + data)
            self._held = b""

    def stop_reading(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            # Or the kernel would go on taking megabytes, more or fewer from one machine to the next.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self._transport.pause_reading()

    def hang_up(self, *, reset: bool) -> None:
        if self._held and not self._transport.is_closing():
            self._transport.write(self._held)
            self._held = b""
        if reset:
            sock = self._transport.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.close()

    def accept(self, *, silent: bool = False) -> None:
        if not self._taken:
            self._taken = True
            self._relay.take(self._recipients, self._message, self._number, self._began, silent=silent)

    def take_data(self) -> None:
        """What comes now is a message, up to its dot."""
        self._in_body, self._asked, self._taken, self._scanned = True, [], False, 0

    async def secure(self) -> None:
        assert self._relay.certificate
        self._input.clear()
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport, self, self._relay.certificate, server_side=True
            )
        except OSError:  # the client did not like what it saw
            transport = None
        if transport is None or transport.is_closing():
            self._transport.abort()
            self._relay.leave(self)  # asyncio calls no connection_lost for a handshake that failed
            return
        self._transport = transport
        self._tls = True
        self._forget()

    def behave(self, stage: StageName, line: bytes) -> bytes:
        """What a good relay does with this: changes its state and returns its reply."""
        match stage:
            case "EHLO":
                self._forget()
                return self._ehlo()
            case "AUTH":
                return self._auth(line)
            case "MAIL" | "RCPT" | "DATA":
                return self._transaction(stage, line)
            case "DOT":
                if not self._recipients:
                    return b"554 5.5.1 no valid recipients\r\n"
                self.accept()
            case "RSET":
                self._forget()
            case "QUIT":
                asyncio.get_running_loop().call_soon(lambda: self.hang_up(reset=False))
        return _REPLIES[stage]

    # The dialogue

    def _forget(self) -> None:
        self._sender: str | None = None
        self._began = 0.0  # when MAIL came
        self._recipients: list[str] = []
        self._to = ""  # of the last RCPT, also where it was refused

    def _work(self) -> None:
        while self._task is None and not self._transport.is_closing():
            if self._in_body:
                if not self._take_body():
                    return
            elif (end := self._input.find(b"\r\n")) >= 0:
                line = bytes(self._input[:end])
                del self._input[: end + 2]
                self._relay.lines.append(Line(self._number, self._tls, line))
                self._command(line)
            else:
                break
        if self._held and self._task is None:
            self.write(b"")

    def _command(self, line: bytes) -> None:
        if self._more:
            more, self._more = self._more, None
            self.write(more(line))
            return
        stage = _VERBS.get(line.split(b" ", 1)[0].upper(), "?")
        if stage == "STARTTLS" and (self._tls or self._relay.tls != "starttls"):
            stage = "?"
        if stage == "MAIL":
            self._relay.messages += 1
        if stage == "?" and self._last == "DATA":
            # A body, or a dot, though nobody said 354: nothing that a rule wants could excuse it.
            self._relay.mistakes.append(StrayBytes(line[:80]))
        if stage == "RCPT":
            self._to = _address(line)
        self._last = stage
        self._answer(stage, line)

    def _answer(self, stage: StageName, line: bytes) -> None:
        """By a rule if there is one for it, otherwise as a good relay would."""
        rules = self._relay.rules(stage)
        scene = self._scene(stage, line) if rules or stage == "STARTTLS" else None
        if scene is None:
            self._reply(stage, line)
        elif rule := next((rule for rule in rules if self._relay.fires(rule, scene)), None):
            self._perform(rule.do, scene)
        elif stage == "STARTTLS":
            self._perform(normal(), scene)
        else:
            self._reply(stage, line)

    def _reply(self, stage: StageName, line: bytes) -> None:
        self.write(self.behave(stage, line))
        if stage == "DOT":
            self._forget()

    def _scene(self, stage: StageName, line: bytes) -> Scene:
        return Scene(self, stage, line, self._sender or "", self._to, self._relay.messages, self._number)

    def _perform(self, action: Action, scene: Scene) -> None:
        async def act() -> None:
            try:
                await action(scene)
            except Exception as mistake:  # noqa: BLE001  # whatever it is, the test shall see it
                self._relay.mistakes.append(mistake)
            self._task = None
            # The message that was answered is over, whatever was said of it.
            if scene.stage == "DOT":
                self._forget()
            self._work()

        self._task = asyncio.get_running_loop().create_task(act())

    def _body_acted(self) -> bool:
        """Begins what a rule wants in the middle of this body; each rule is asked once a message."""
        for rule in self._relay.rules("BODY"):
            if rule not in self._asked and len(self._input) >= rule.after_bytes:
                self._asked.append(rule)
                scene = self._scene("BODY", b"")
                if self._relay.fires(rule, scene):
                    self._perform(rule.do, scene)
                    return True
        return False

    def _take_body(self) -> bool:
        """Takes the message out of the input when it is all there; False where it must wait."""
        if self._body_acted():
            return False
        start, end = self._find_end()
        if start < 0:
            self._scanned = max(0, len(self._input) - 4)
            return False
        self._last = "DOT"
        self._message = bytes(self._input[:start]).replace(b"\r\n..", b"\r\n.").removeprefix(b".")
        del self._input[:end]
        self._in_body = False
        self._answer("DOT", b"")
        return True

    def _find_end(self) -> tuple[int, int]:
        """Where the message ends and where what follows it begins; (-1, -1) where it doesn't end yet."""
        if self._relay.lenient:
            found = _LENIENT_END.search(self._input)
            return (found.start() + 2, found.end()) if found else (-1, -1)
        if self._input.startswith(b".\r\n"):
            return 0, 3
        at = self._input.find(b"\r\n.\r\n", self._scanned)
        return (at + 2, at + 5) if at >= 0 else (-1, -1)

    def _ehlo(self) -> bytes:
        lines = ["badrelay", *self._relay.offers]
        if self._relay.tls == "starttls" and not self._tls:
            lines.append("STARTTLS")
        if self._relay.secret:
            lines.append("AUTH PLAIN LOGIN")
        return b"".join(
            f"250{'-' if index < len(lines) - 1 else ' '}{line}\r\n".encode() for index, line in enumerate(lines)
        )

    def _transaction(self, stage: StageName, line: bytes) -> bytes:
        if not self._signed_in:
            return b"530 5.7.0 sign in first\r\n"
        if stage == "MAIL":
            if self._sender is not None:
                return b"503 5.5.1 a transaction is open\r\n"
            self._sender, self._began = _address(line), time.time()
            return b"250 2.1.0 sender ok\r\n"
        if self._sender is None:
            return b"503 5.5.1 MAIL first\r\n"
        if stage == "RCPT":
            self._recipients.append(_address(line))
            return b"250 2.1.5 recipient ok\r\n"
        if not self._recipients:
            return b"503 5.5.1 RCPT first\r\n"
        self.take_data()
        return b"354 go ahead\r\n"

    def _auth(self, line: bytes) -> bytes:
        if not self._relay.secret:
            return b"503 5.5.1 no need\r\n"
        name, password = (part.encode() for part in self._relay.secret)
        parts = line.split(b" ")
        first = parts[2] if len(parts) > 2 else b""
        if parts[1].upper() == b"PLAIN":
            return self._judge(base64.b64decode(first) == b"\0" + name + b"\0" + password)
        if parts[1].upper() != b"LOGIN":
            return b"504 5.5.4 not that way\r\n"
        self._more = lambda second: self._judge((base64.b64decode(first), base64.b64decode(second)) == (name, password))
        return b"334 UGFzc3dvcmQ6\r\n"

    def _judge(self, right: bool) -> bytes:
        self._signed_in = right
        return b"235 2.7.0 welcome\r\n" if right else b"535 5.7.8 wrong name or password\r\n"


def _address(line: bytes) -> str:
    found = _PATH.search(line)
    return found[1].decode(errors="replace") if found else ""
