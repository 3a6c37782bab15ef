"""How many messages leave in a second: beside smtp-source, a plain loop, and what a slow relay allows."""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from prepared import Mail, Prepared
from relays import fast_relay, own_relay, tool
from spent import Spent, spend
from table import show

CONNECTIONS = 40
DELAY = 0.05
_SOURCE = tool("smtp-source")
_LOOP = str(Path(__file__).with_name("plain_loop.py"))


def in_turn(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Both sides, as often as wanted; who comes first changes, since the machine is not the same after a run."""
    mine, beside = [], []
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds}", flush=True)
        if number % 2:
            beside.append(theirs())
            mine.append(ours())
        else:
            mine.append(ours())
            beside.append(theirs())
    return mine, beside


def against_source(folder: Path, mail: Mail, readers: int, rounds: int, reach: str) -> tuple[list[float], str]:
    """The whole command, with start-up and planning, beside smtp-source: as many sessions, messages and bytes."""
    site = Prepared(folder, mail, readers)
    size = site.size()
    beside = "smtp-source -d" if _SOURCE else "a loop that sends one message over and over"
    if _SOURCE:
        length = _source_length(size)
    else:
        print(f"  smtp-source is missing (Debian's postfix has it): beside stands {beside}", flush=True)
        site.preview(folder)
    print(f"  a message has {size:,} bytes", flush=True)
    with fast_relay() as port:
        costs: list[float] = []

        def ours() -> float:
            spent = site.send(port)
            costs.append(spent.cpu / readers * 1e6)
            return _each(spent, readers, "mailer")

        def theirs() -> float:
            if _SOURCE:
                return _each(_source(port, readers, CONNECTIONS, length), readers, "smtp-source")
            command = [sys.executable, _LOOP, str(port), str(readers), str(CONNECTIONS), str(folder), "--same"]
            return _each(spend(command), readers, "loop")

        taken = in_turn(rounds, ours, theirs)
    title = f"a message of `mailer send` to {readers:,} readers, {size:,} bytes, beside one of {beside}"
    details = f"{readers:,} readers, {size:,} bytes, {median(costs):.0f} µs of processor time each"
    details += "" if _SOURCE else f", beside {beside}"
    return show(title, *taken, reach=reach, higher=True), details


def against_loop(folder: Path, mail: Mail, readers: int, rounds: int, reach: str) -> tuple[list[float], str]:
    """The whole command beside a plain loop without its start-up, which sends fewer."""
    site = Prepared(folder, mail, readers)
    fewer = max(readers // 20, CONNECTIONS)
    site.preview(folder)
    with fast_relay() as port:
        command = [sys.executable, _LOOP, str(port), str(fewer), str(CONNECTIONS), str(folder)]

        def ours() -> float:
            return _each(site.send(port), readers, "mailer")

        def theirs() -> float:
            spent = spend(command)
            seconds, size = spent.said.split()
            print(f"    plain loop: {fewer / float(seconds):,.0f} a second, {size} bytes each", flush=True)
            return float(seconds) / fewer

        mine, beside = in_turn(rounds, ours, theirs)
    title = f"a message of `mailer send` to {readers:,} readers beside one of a plain loop"
    return show(title, mine, beside, reach=reach, higher=True), f"{readers:,} readers, {fewer:,} by the loop"


def against_delay(folder: Path, mail: Mail, readers: int, rounds: int, reach: str) -> tuple[list[float], str]:
    """The whole command to a relay that answers late, beside what that relay can take at most."""
    site = Prepared(folder, mail, readers)
    with own_relay("--delay", str(DELAY)) as relay:
        mine = [_each(site.send(relay.port), readers, "mailer") for _ in range(rounds)]
    title = f"a message of `mailer send` to {readers:,} readers through a relay that answers after 50 ms"
    return show(title, mine, [DELAY / CONNECTIONS] * rounds, reach=reach, higher=True), f"{readers:,} readers"


def _each(spent: Spent, count: int, name: str) -> float:
    """Seconds for one message; says more."""
    cost = spent.cpu / count * 1e6
    print(f"    {name}: {count / spent.seconds:,.0f} a second, {cost:.0f} µs of processor time each", flush=True)
    return spent.seconds / count


def _source(port: int, count: int, sessions: int, length: int) -> Spent:
    words = [_SOURCE or "smtp-source", "-d", "-s", str(sessions), "-l", str(length), "-m", str(count)]
    return spend([*words, f"127.0.0.1:{port}"])


def _source_length(size: int) -> int:
    """What to ask of smtp-source so that a message has that size on the wire: it counts without headers."""
    with own_relay() as relay:
        _source(relay.port, 2, 1, size)
        messages, taken = relay.took()
    return size - (taken // messages - size)
