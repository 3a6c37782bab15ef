"""Whole runs over real connections to the bad relay: what is due, the way to the relay, and how it must end."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import update

from mailer.core.message import Compiled
from mailer.flows import delivering
from mailer.flows.delivering import line
from mailer.smtp import Relay, RelayOptions
from mailer.store import editions as edition_store
from mailer.store.database import Database
from mailer.store.tables import variants
from tests.faults.badrelay import BadRelay
from tests.stories import join, make_edition, publish, sums_hold


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A relay that is down is found to be so in no time."""
    monkeypatch.setattr(line.Line.__init__, "__defaults__", (0.001,))
    monkeypatch.setattr(delivering, "KNOCK", 0.01)


def way_to(relay: BadRelay, *, port: int = 0, reply_timeout: float = 5.0, patience: float = 5.0, **options) -> Relay:
    """`patience`: seconds for anything but the reply to the dot. `tls_context`: as Relay takes it."""
    tls_context = options.pop("tls_context", None)
    return Relay(
        RelayOptions(**({"host": "127.0.0.1", "port": port or relay.port, "security": "none"} | options)),
        reply_timeout=reply_timeout,
        connect_timeout=patience,
        command_timeout=patience,
        tls_context=tls_context,
    )


async def due(database: Database, *names: str) -> int:
    """An edition of two articles for these readers, in this order. Returns its id."""
    await publish(database, "a", "b")
    await join(database, *names)
    return (await make_edition(database)).edition.id


def many(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


async def rewrite(database: Database, change: Callable[[bytes], bytes]) -> None:
    """What the planned message ends with is changed."""
    packed = (await database.read(edition_store.variants_of, 1))[0].content
    compiled = Compiled.unpack(packed)
    changed = replace(compiled, segments=(*compiled.segments[:-1], change(compiled.segments[-1])))
    await database.write(lambda c: c.execute(update(variants).values(content=changed.pack())).rowcount)


async def enlarge(database: Database, size: int) -> None:
    """The planned message becomes larger than any socket holds."""
    await rewrite(database, lambda end: end + b"\r\n" + (b"x" * 76 + b"\r\n") * (size // 78))


async def ends(database: Database, relay: BadRelay, states: dict[str, int], copies: dict[int, int]) -> None:
    """The sum and the count. `copies`: how many readers have so many."""
    assert await sums_hold(database) == states
    assert Counter(relay.copies.values()) == copies
