"""`mailer send` as a whole command beside what else could send: the figures of bench/README.md, by the same names.

Sizes hang together: of 100,000 readers (`--readers`) rates are taken, ten times as many are the many whose cost and
memory stand beside a tenth, and whose restart stands beside a hundredth; half goes to the relay that answers late.
What was found is kept in results.json, unless there were fewer readers, in which case `--results` names another file.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from figures import RESULTS, figure, record
from prepared import LARGE, SMALL
from rates import against_delay, against_loop, against_source
from scale import growth, restart

READERS = 100_000
NAMES = ("30kb", "10kb", "loop", "cost", "restart", "late")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`rounds`: of the rates; the long runs have three at most. `results`: where they are kept, if at all."""

    readers: int
    rounds: int
    results: Path | None

    @property
    def few_rounds(self) -> int:
        return min(self.rounds, 3)

    def keep(self, name: str, found: tuple[list[float], str]) -> None:
        """One figure of one run."""
        if self.results is not None:
            record(name, *found, file=self.results)


def reach(name: str) -> str:
    """As the printed table writes it."""
    return figure(name).asked


def run(name: str, wanted: Wanted, folder: Path) -> None:
    """Measure and print, and keep it."""
    readers, many = wanted.readers, wanted.readers * 10
    measure: dict[str, Callable[[], tuple[list[float], str]]] = {
        "30kb": lambda: against_source(folder, LARGE, readers, wanted.rounds, reach(name)),
        "10kb": lambda: against_source(folder, SMALL, readers, wanted.rounds, reach(name)),
        "loop": lambda: against_loop(folder, LARGE, readers, wanted.rounds, reach(name)),
        "restart": lambda: restart(folder, LARGE, (readers // 100, many), wanted.rounds, reach(name)),
        "late": lambda: against_delay(folder, LARGE, readers // 2, wanted.few_rounds, reach(name)),
    }
    if name == "cost":
        asked = (reach("cost"), reach("memory"))
        cost, memory, details = growth(folder, LARGE, (readers // 10, many), wanted.few_rounds, asked)
        wanted.keep("cost", (cost, details[0]))
        wanted.keep("memory", (memory, details[1]))
        return
    wanted.keep(name, measure[name]())


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=READERS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=NAMES, action="append", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--results", type=Path, help="keep what was found there, whatever the count")
    said = parser.parse_args()
    if said.readers < 1_000:
        parser.error("--readers must be 1,000 or more: a hundredth of them is one side of a figure")
    results = said.results or (RESULTS if said.readers >= READERS else None)
    # So that a bench that is stopped ends its processes and removes its folders, as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in said.only or NAMES:
        print(f"- {name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="mailer-bench-") as folder:
            run(name, Wanted(said.readers, said.rounds, results), Path(folder))
    if results is None:
        print(f"Nothing was kept: fewer than {READERS:,} readers.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
