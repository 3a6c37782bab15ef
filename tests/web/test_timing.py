"""How long a form takes tells nothing of its address: the same transactions, and about the same time."""

import statistics
import time
from collections import defaultdict

import pytest
from sqlalchemy import event, func, insert, select, update

from mailer.core.signup import Outcome
from mailer.store import signups
from mailer.store.tables import signup_attempts, subscribers, suppressions
from tests.flows.readers_side import fingerprints
from tests.stories import MONDAY, change, join
from tests.web.house import MANY, House

ROUNDS = 200
FACTOR = 1.5
"""Between the quickest and the slowest kind of address; on a quiet machine it is less."""


@pytest.fixture
async def house(database, clock):
    async with House(database, clock, **MANY) as made:
        await join(database, "active", "paused", "gone", "bounced")
        await change(database, "paused", state="paused")
        await change(database, "gone", state="unsubscribed")
        await change(database, "bounced", state="bounced")
        for name, reason in (("never", "asked_never"), ("bounced", "bounced")):
            email = f"{name}@example.com"
            values = {"email": email, "fingerprint": fingerprints(email)[0], "reason": reason, "at": MONDAY}
            await database.write(lambda c, values=values: c.execute(insert(suppressions).values(**values)).rowcount)
        await made.form("pending@example.com")
        yield made


KINDS = ("unknown", "pending", "active", "paused", "gone", "bounced", "never")


def email(kind: str, turn: int) -> str:
    return f"{kind}{turn}@example.com" if kind == "unknown" else f"{kind}@example.com"


@pytest.mark.parametrize("route", ["form", "script"])
async def test_each_form_is_one_write_and_no_read_whatever_is_known_of_its_address(database, house, route):
    begun = []

    def note(name):
        return lambda _connection: begun.append(name)

    listeners = [(database._writes, note("write")), (database._reads, note("read"))]
    for engine, heard in listeners:
        event.listen(engine, "begin", heard)
    found = {}
    for turn in range(2):  # the second time a reader has been told already
        for kind in KINDS:
            begun.clear()
            assert (await getattr(house, route)(email(kind, turn))).status_code == 200
            found[kind, turn] = tuple(begun)
    for engine, heard in listeners:
        event.remove(engine, "begin", heard)
    assert set(found.values()) == {("write",)}, found


async def test_known_and_unknown_addresses_take_about_the_same_time(database, house):
    """200 of each in turn, so that whatever else the machine does falls on all of them alike."""
    measured = ("unknown", "pending", "active", "told", "gone")
    await _readers(database)
    took = defaultdict(list)
    for turn in range(ROUNDS):
        first = turn % len(measured)
        for kind in (*measured[first:], *measured[:first]):
            began = time.perf_counter()
            answer = await house.form(f"{kind}{turn}@example.com")
            took[kind].append(time.perf_counter() - began)
            assert answer.status_code == 200
    medians = {kind: statistics.median(times) for kind, times in took.items()}
    print({kind: f"{median * 1000:.2f} ms" for kind, median in medians.items()})  # noqa: T201  # seen with -s
    assert max(medians.values()) <= FACTOR * min(medians.values()), medians
    asked = select(signup_attempts.c.outcome, func.count()).group_by(signup_attempts.c.outcome)
    outcomes = dict(await database.read(lambda c: [tuple(row) for row in c.execute(asked)]))
    assert outcomes == {"confirm": 1 + 3 * ROUNDS, "already": 2 * ROUNDS, "quiet": ROUNDS}


async def _readers(database):
    """As many of each kind as there are rounds."""
    states = {"pending": "pending", "active": "active", "told": "active", "gone": "unsubscribed"}
    for kind in states:
        await join(database, *(f"{kind}{turn}" for turn in range(ROUNDS)))

    def stand(connection):
        for kind, state in states.items():
            these = subscribers.c.email.like(f"{kind}%")
            connection.execute(update(subscribers).where(these).values(state=state))
        for turn in range(ROUNDS):
            mark = fingerprints(f"told{turn}@example.com")[0]
            signups.note(connection, mark, "192.0.2.1", "example.com", Outcome.ALREADY, MONDAY)

    await database.write(stand)
