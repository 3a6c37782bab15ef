"""`mailer --help` beside `python -c pass`, whole processes."""

import subprocess
import sys
from time import perf_counter

from table import show

ROUNDS = 15


def seconds(command: list[str]) -> float:
    """How long the command took."""
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def main() -> None:
    """Print the table."""
    ours, theirs = [sys.executable, "-m", "mailer", "--help"], [sys.executable, "-c", "pass"]
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    show("mailer --help beside python -c pass", [a for a, _ in pairs], [b for _, b in pairs], reach="<= 20")


if __name__ == "__main__":
    main()
