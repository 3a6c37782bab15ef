"""What a hundred and a thousand times as many readers change: cost of a message, peak memory, a restart."""

import subprocess
import time
from pathlib import Path
from statistics import median

from prepared import Mail, Prepared, start
from rates import CONNECTIONS
from relays import fast_relay, own_relay
from spent import Spent
from table import in_megabytes, show

FEW = 10
REPEATS = 3
"""Of the short runs in each round, since they are the noisier ones."""


def growth(
    folder: Path, mail: Mail, sizes: tuple[int, int], rounds: int, reaches: tuple[str, str]
) -> tuple[list[float], list[float], tuple[str, str]]:
    """Processor time of a message and peak memory, of many readers beside few, and a sentence on each.

    `sizes`: few, many.
    """
    few, many = sizes
    large, small, start_up = (Prepared(folder, mail, readers) for readers in (many, few, FEW))
    costs: tuple[list[float], list[float]] = ([], [])
    whole: tuple[list[float], list[float]] = ([], [])
    peaks: tuple[list[float], list[float]] = ([], [])
    with fast_relay() as port:
        for number in range(rounds):
            print(f"  round {number + 1} of {rounds}", flush=True)
            begun = median(start_up.send(port).cpu for _ in range(REPEATS))
            for side, spents in enumerate(([large.send(port)], [small.send(port) for _ in range(REPEATS)])):
                readers = (many, few)[side]
                cpu = median(spent.cpu for spent in spents)
                costs[side].append((cpu - begun) / (readers - FEW))
                whole[side].append(cpu / readers)
                peaks[side].append(median(spent.memory for spent in spents))
                _say(readers, spents[0], costs[side][-1])
    sides = f"to {many:,} readers beside {few:,}"
    all_in = show(f"processor time of a message of the whole command, {sides}", *whole, reach="none: start-up is in it")
    cost = show(f"processor time of a message without start-up, {sides}", *costs, reach=reaches[0])
    memory = show(f"peak memory, {sides}", *peaks, reach=reaches[1], written=in_megabytes)
    details = f"{many:,} and {few:,} readers, {median(costs[0]) * 1e6:.0f} and {median(costs[1]) * 1e6:.0f} µs"
    return cost, memory, (f"{details}; {median(all_in):.2f} with start-up", f"{many:,} and {few:,} readers")


def restart(folder: Path, mail: Mail, sizes: tuple[int, int], rounds: int, reach: str) -> tuple[list[float], str]:
    """After a SIGKILL midway: from the start of the process to the relay's first MAIL."""
    few, many = sizes
    waits: tuple[list[float], list[float]] = ([], [])
    held = min(500, max(CONNECTIONS, few // 10))
    sites = [Prepared(folder, mail, waiting + held) for waiting in (many, few)]
    for site in sites:
        site.kill_midway(held)
    for number in range(rounds):
        for side, site in enumerate(sites):
            waits[side].append(_first_mail(site))
        print(f"  round {number + 1} of {rounds}: {waits[0][-1]:.2f} s and {waits[1][-1]:.2f} s", flush=True)
    title = f"restart to the first message, {many:,} waiting beside {few:,}"
    return show(title, *waits, reach=reach), f"{many:,} and {few:,} waiting"


def _first_mail(site: Prepared) -> float:
    with own_relay("--stamp") as relay, site.copy() as folder:
        began = time.monotonic()
        process: subprocess.Popen[bytes] = start(folder, site.environ(relay.port))
        try:
            return float(relay.line(600, process).removeprefix("first ")) - began
        finally:
            process.kill()
            process.wait()


def _say(readers: int, spent: Spent, cost: float) -> None:
    rate = readers / spent.seconds
    print(
        f"    {readers:,} readers: {rate:,.0f} a second, {cost * 1e6:.0f} µs of processor time each without start-up, "
        f"{in_megabytes(spent.memory).strip()}",
        flush=True,
    )
