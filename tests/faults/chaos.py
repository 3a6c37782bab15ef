"""`make chaos`: kill the sender again and again at random, let it finish, and count what every reader got.

A real site, sent from by the real command, to the project's own bad relay, which lives in a process of its own and
writes down each copy before it says so. A seed decides the moments: how many messages into a run, or how far into its
start (its planning, for a new edition), and there, how many milliseconds later; with one sender or two; whether time
has passed since the last kill, so that doubts and retries are due; whether the relay dies as well. The same seed makes
the same schedule. What the machine does with it is never twice the same, which is the point.

    python -m tests.faults.chaos --kills 1000 --seed 7
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.site import INIT, Site, mailer
from tests.faults.badrelay import BadRelayProcess
from tests.faults.launcher import Child, Launcher
from tests.faults.tally import Stretch, Tally, reckon

FIRST = datetime(2026, 11, 23, 8, tzinfo=UTC)
PER_EDITION = 20
"""Kills until the edition may end and a new one begins."""
CONNECTIONS = 10
"""K: permits outstanding at once, one for each connection."""
SCRIPTS = (
    "slow-dot-every-7th",
    "accept-then-drop-every-211th",
    "drop-dot-every-223rd",
    "drop-body-every-227th",
    "defer-every-53rd",
    "refuse-gone",
)
OFFERS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
PATIENCE = 15.0
"""Seconds after which a run that gets nowhere is killed where it stands."""
TRIES = 12
"""Runs that an edition may take to end once nobody kills it any more."""


@dataclass(frozen=True)
class Moment:
    """When a run is killed, and what else happens. `share`: how far into its start, or into what is left to send."""

    early: bool
    share: float
    pause: float  # seconds
    minutes: int  # passed since the last kill
    second: bool
    relay: bool


def moments(seed: int) -> Iterator[Moment]:
    """The schedule."""
    chance = random.Random(seed)
    while True:
        yield Moment(
            early=chance.random() < 0.25,
            share=chance.random(),
            pause=chance.random() * 0.03,
            minutes=chance.choice((0, 0, 0, 1, 7)),
            second=chance.random() < 0.08,
            relay=chance.random() < 0.05,
        )


class Chaos:
    """One trial. `kills`: of senders, done so far; `relay_kills`: of the relay."""

    def __init__(self, folder: Path, launcher: Launcher, relay: BadRelayProcess, readers: int, seed: int) -> None:
        ended = mailer(*INIT, folder=folder)
        assert ended.code == 0, ended.all
        self.site = Site(folder, relay.port)
        self.site.environ |= {"MAILER_SMTP__CONNECTIONS": str(CONNECTIONS), "MAILER_DELIVERY__IN_DOUBT_AFTER": "1s"}
        self.readers = readers
        self.kills = self.relay_kills = self.editions = 0
        self.stretches = [Stretch(0.0)]
        self.now = FIRST
        self._launcher, self._relay = launcher, relay
        self._moments = moments(seed)
        self._to_first_copy = 0.3  # seconds from a run's start, as it was last seen
        self._read = self._taken = 0
        gone = [f"reader{number}@gone.example" for number in range(readers // 100)]
        self.site.join(*gone, *(f"reader{number}" for number in range(readers - len(gone))))

    def run(self, kills: int) -> None:
        """Kill so often; each edition comes to its end."""
        while self.kills < kills:
            self._publish()
            goal, before = min(kills, self.kills + PER_EDITION), self._copies()
            while self.kills < goal and self._kill_once(next(self._moments), before, goal - self.kills):
                self._check_sum()
            self._finish()

    def _publish(self) -> None:
        """News, and the next week's edition is due."""
        self.now = FIRST + timedelta(weeks=self.editions)
        self.editions += 1
        yesterday = (self.now - timedelta(days=1)).isoformat()
        self.site.publish(*({"id": f"a{self.editions}-{n}", "published": yesterday} for n in range(3)), now=yesterday)

    def _start(self) -> Child:
        now = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
        words = ("send", "--cadence", "weekly", "--now", now)
        return self._launcher.start(*words, folder=self.site.folder, environ=self.site.surroundings)

    def _begin(self) -> Child:
        """A run, and its own stretch in the tally: no MAIL is so quick after its start."""
        child = self._start()
        self.stretches.append(Stretch(time.time() + 0.03))
        return child

    def _kill_once(self, moment: Moment, before: int, left: int) -> bool:
        """Start, wait for the moment, kill. False: the edition was through before it came."""
        self.now += timedelta(minutes=moment.minutes)
        fresh = self._copies() == before
        child = self._begin()
        other = self._start() if moment.second else None
        rest = self.readers - (self._copies() - before)
        if moment.early or (fresh and moment.share < 0.7):
            time.sleep(moment.share * self._to_first_copy)
        else:
            self._wait(child, 1 + int(moment.share * max(0, rest) / (left + 1)))
        time.sleep(moment.pause)
        if moment.relay:
            self._kill_relay(moment.pause * 10)
        through = not self._kill(child)
        if other is not None:
            self._wait(other, 1 + int(moment.share * 40), seconds=1.0)
            self._kill(other)
        self._quieten()
        return not (through and child.code == 0 and not self._open())

    def _kill(self, child: Child) -> bool:
        """Whether it had not ended yet."""
        child.kill()
        child.wait()
        hit = child.code == -9
        self.kills += hit
        self.stretches[-1].kills += hit
        return hit

    def _kill_relay(self, pause: float) -> None:
        self._relay.kill()
        self.relay_kills += 1
        self.stretches[-1].kills += 1
        self._relay.__enter__()
        time.sleep(pause)

    def _quieten(self) -> None:
        """What is still on its way from the dead to the relay belongs to their stretch, and is waited for."""
        end = time.monotonic() + 5
        while self._relay.connections and time.monotonic() < end:
            time.sleep(0.002)

    def _wait(self, child: Child, more: int, seconds: float = PATIENCE) -> None:
        """Until the relay has taken so many more, or the run has ended."""
        before, began = self._copies(), time.monotonic()
        while (taken := self._copies() - before) < more and child.poll() is None:
            if time.monotonic() > began + seconds:
                return
            if not taken:
                self._to_first_copy = min(1.0, max(0.1, time.monotonic() - began))
            time.sleep(0.002)

    def _finish(self) -> None:
        """Let it send what is left, hour after hour."""
        for _ in range(TRIES):
            self.now += timedelta(minutes=40)
            code, _out, err = self._begin().wait()
            if code not in {0, 1, 3} or "Traceback" in err:
                raise SystemExit(f"a run that nobody killed ended with {code}: {err}")
            if not self._open():
                return

    def _open(self) -> int:
        return int(self.site.ask("SELECT count(*) FROM editions WHERE done_at IS NULL AND planned > 0")[0][0])

    def _check_sum(self) -> None:
        """Each edition is there with all its deliveries, or not at all."""
        rows = "SELECT e.id, e.planned, count(d.id) FROM editions e LEFT JOIN deliveries d ON d.edition_id = e.id"
        torn = [row for row in self.site.ask(f"{rows} GROUP BY e.id") if row[1] != row[2]]
        if torn:
            raise SystemExit(f"after kill {self.kills} an edition is torn: {torn}")

    def _copies(self) -> int:
        """Lines of the relay's log, counted on from the last look."""
        if self._relay.log.exists():
            with self._relay.log.open("rb") as log:
                log.seek(self._read)
                new = log.read()
            self._read += len(new)
            self._taken += new.count(b"\n")
        return self._taken

    def tally(self) -> Tally:
        return reckon(self.site.database, self._relay.read_log(), self.stretches, "site.example")

    def faults(self, tally: Tally) -> list[str]:
        """Every promise that was broken, a sentence each."""
        found = tally.faults(CONNECTIONS, self.kills + self.relay_kills)
        verified = self.site.run("verify")
        found += [f"`mailer verify`: {verified.all}"] if verified.code else []
        unplanned = "SELECT count(*) FROM editions WHERE planned < ?"
        regular = self.readers - self.readers // 100
        found += ["an edition leaves readers out"] if self.site.ask(unplanned, regular) != [(0,)] else []
        found += (
            ["an edition is missing"] if self.site.ask("SELECT count(*) FROM editions") != [(self.editions,)] else []
        )
        return found


def trial(kills: int, seed: int, readers: int, keep: Path | None = None) -> tuple[str, list[str]]:
    """Returns the table, and what broke a promise. `keep`: a file for what `bench/report.py` shows of it."""
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailer-chaos-")))
        (site := folder / "site").mkdir()
        launcher = stack.enter_context(Launcher())
        relay = stack.enter_context(BadRelayProcess(folder / "accepted.jsonl", *SCRIPTS, offers=OFFERS))
        chaos = Chaos(site, launcher, relay, readers, seed)
        chaos.run(kills)
        tally = chaos.tally()
        if keep is not None:
            figures = {
                "kills": chaos.kills,
                "lost": tally.lost,
                "extra_copies": tally.extra - tally.by_relay,
                "worst_kill": tally.most_for_one_kill(),
                "permits": CONNECTIONS,
            }
            keep.write_text(json.dumps(figures) + "\n", encoding="ascii")
        return _table(chaos, tally, seed, time.monotonic() - began), chaos.faults(tally)


def _table(chaos: Chaos, tally: Tally, seed: int, seconds: float) -> str:
    rows = {
        "kills": f"{chaos.kills:,}",
        "kills of the relay": f"{chaos.relay_kills:,}",
        "editions, of readers each": f"{chaos.editions:,} of {chaos.readers:,}",
        "copies taken": f"{tally.copies:,}",
        "lost": f"{tally.lost:,}",
        "extra copies": f"{tally.extra - tally.by_relay:,}",
        "extra copies by the relay's own hand": f"{tally.by_relay:,}",
        "most extra copies for one kill": f"{tally.most_for_one_kill():,}",
        "worst per reader": f"{tally.worst:,}",
        "in doubt held": f"{tally.held:,}",
        "of these without a copy": f"{tally.held_unserved:,}",
        "named with a reason, held ones included": f"{tally.named:,}",
        "K (connections)": f"{CONNECTIONS:,}",
        "seed": f"{seed}",
        "seconds": f"{seconds:.0f}",
    }
    return "\n".join(["| measure | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def main() -> int:
    """Print the seed at once, the table at the end. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Kill the sender at random and count the copies.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--readers", type=int, default=1_000)
    parser.add_argument("--keep", type=Path, help="write the figures that bench/README.md shows into this file")
    wanted = parser.parse_args()
    sys.stdout.write(f"seed {wanted.seed}\n")
    sys.stdout.flush()
    table, faults = trial(wanted.kills, wanted.seed, wanted.readers, wanted.keep)
    sys.stdout.write(f"{table}\n")
    for fault in faults:
        sys.stdout.write(f"BROKEN: {fault}\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
