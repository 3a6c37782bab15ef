"""What the bad relay does on request: actions, and rules that say when.

An action is a coroutine function of a Scene. Small ones combine: `then(accept(), drop())` takes a message and hangs
up without a word, `then(normal(), raw(b"250 more\\r\\n"))` speaks out of turn, `paced(normal(), pause=1)` answers one
byte a second, `at_random(normal(), chance)` in pieces that nobody foresees.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

StageName = Literal[
    "GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "DOT", "RSET", "NOOP", "QUIT", "?"
]


class Session(Protocol):
    """What an action can make a connection do; badrelay.py has it."""

    def write(self, data: bytes) -> None: ...
    def behave(self, stage: StageName, line: bytes) -> bytes: ...
    async def secure(self) -> None: ...
    def accept(self, *, silent: bool) -> None: ...
    def take_data(self) -> None: ...
    def hang_up(self, *, reset: bool) -> None: ...
    def stop_reading(self) -> None: ...
    @property
    def closed(self) -> bool: ...
    @property
    def unread(self) -> bytes: ...


@dataclass
class Scene:
    """The moment a rule looks at. `number`: the how-manieth MAIL the relay saw; `connection`: likewise, both from 1."""

    session: Session
    stage: StageName
    line: bytes
    sender: str
    recipient: str
    number: int
    connection: int
    written: list[bytes] | None = None  # collects instead of writing, for `paced` and `at_random`

    def write(self, data: bytes) -> None:
        if self.written is None:
            self.session.write(data)
        else:
            self.written.append(data)


Action = Callable[[Scene], Awaitable[None]]
Condition = Callable[[Scene], bool]


def _always(_scene: Scene) -> bool:
    return True


@dataclass(frozen=True)
class Rule:
    """At `stage`, if `when` holds, `do`. The first rule that fits wins.

    `after`: how many fitting scenes pass first; `times`: in how many it acts, None for all; `after_bytes`: for BODY,
    how much of the body must have come.
    """

    stage: StageName
    do: Action
    when: Condition = field(default=_always)
    times: int | None = None
    after: int = 0
    after_bytes: int = 1


def recipient(address: str) -> Condition:
    """The message is for this address. Holds from RCPT on."""
    return lambda scene: scene.recipient == address


def domain(name: str) -> Condition:
    """The message is for an address there. Holds from RCPT on."""
    return lambda scene: scene.recipient.endswith("@" + name)


def nth(number: int) -> Condition:
    """The how-manieth message the relay is offered, from 1, over all connections."""
    return lambda scene: scene.number == number


def every(number: int) -> Condition:
    """Every so manieth message the relay is offered."""
    return lambda scene: scene.number % number == 0


def normal() -> Action:
    """What a good relay does here."""

    async def act(scene: Scene) -> None:
        scene.write(scene.session.behave(scene.stage, scene.line))
        if scene.stage == "STARTTLS":
            await scene.session.secure()

    return act


def say(text: str) -> Action:
    """This reply instead of the usual one, lines split by '\\n'. A 2yz or 3yz is meant: it takes the mail, say."""

    async def act(scene: Scene) -> None:
        if text[:1] in {"2", "3"}:
            scene.session.behave(scene.stage, scene.line)
        scene.write(text.replace("\n", "\r\n").encode() + b"\r\n")

    return act


def raw(data: bytes) -> Action:
    """These bytes, and the relay's own mind unchanged."""

    async def act(scene: Scene) -> None:
        scene.write(data)

    return act


def go_ahead(text: str = "354 go ahead") -> Action:
    """Asks for the message (DATA only) even where there is nobody to take it for, as RFC 2920 §3.1 warns."""

    async def act(scene: Scene) -> None:
        scene.session.take_data()
        scene.write(text.encode() + b"\r\n")

    return act


def goodbye(text: str) -> Action:
    """Says this and hangs up, as a relay does with its 421 (RFC 5321 §3.8)."""
    return then(say(text), drop())


def accept() -> Action:
    """Takes the message (DOT only), saying nothing."""

    async def act(scene: Scene) -> None:
        scene.session.accept(silent=True)

    return act


def drop(*, reset: bool = False) -> Action:
    """Closes the connection, or resets it."""

    async def act(scene: Scene) -> None:
        scene.session.hang_up(reset=reset)

    return act


def hang() -> Action:
    """Neither reads nor writes again, and keeps the connection."""

    async def act(scene: Scene) -> None:
        scene.session.stop_reading()
        await asyncio.Event().wait()

    return act


def wait(seconds: float) -> Action:
    """Lets time pass."""

    async def act(_scene: Scene) -> None:
        await asyncio.sleep(seconds)

    return act


def endless(block: bytes = b"250-more\r\n" * 1_000) -> Action:
    """Writes until the other side hangs up."""

    async def act(scene: Scene) -> None:
        while not scene.session.closed:
            scene.write(block)
            await asyncio.sleep(0)

    return act


def then(*actions: Action) -> Action:
    """One after the other."""

    async def act(scene: Scene) -> None:
        for action in actions:
            await action(scene)

    return act


def paced(action: Action, *, size: int = 1, pause: float = 0.0) -> Action:
    """What the action writes goes out in pieces of `size` bytes, `pause` seconds apart."""

    async def act(scene: Scene) -> None:
        scene.written = []
        await action(scene)
        data = b"".join(scene.written)
        scene.written = None
        for start in range(0, len(data), size):
            scene.write(data[start : start + size])
            await asyncio.sleep(pause)

    return act


def at_random(action: Action, chance: random.Random) -> Action:
    """What the action writes goes out in pieces of a size that chance draws, now and then with a turn of the loop."""

    async def act(scene: Scene) -> None:
        scene.written = []
        await action(scene)
        data = b"".join(scene.written)
        scene.written = None
        while data:
            size = chance.randint(1, len(data))
            scene.write(data[:size])
            data = data[size:]
            for _ in range(chance.choice([0, 0, 1, 4])):
                await asyncio.sleep(0)

    return act


def accept_then_drop(*, reset: bool = False) -> Action:
    """Takes the message and hangs up without a 250: the sender can't know."""
    return then(accept(), drop(reset=reset))


def delay(seconds: float) -> Action:
    """The usual, later."""
    return then(wait(seconds), normal())
