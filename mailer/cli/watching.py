"""Showing the same thing again and again: in place on a terminal, else one block after another, until Ctrl-C."""

import sys
from collections.abc import Callable, Sequence
from time import monotonic, sleep

from mailer.cli.output import cleaned, say

SHARE = 10
"""What is shown is gathered at most this part of the time, so that looking never slows down what is looked at."""


def watch(gather: Callable[[], Sequence[str]], every: float) -> None:
    """Gather lines and show them, every so many seconds; where gathering takes long, less often."""
    try:
        if sys.stdout.isatty():
            _in_place(gather, every)
        else:
            _block_by_block(gather, every)
    except KeyboardInterrupt:
        return


def _in_place(gather: Callable[[], Sequence[str]], every: float) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False, emoji=False), auto_refresh=False) as live:
        while True:
            lines, pause = _gathered(gather, every)
            live.update(Text(cleaned("\n".join(lines))), refresh=True)
            sleep(pause)


def _block_by_block(gather: Callable[[], Sequence[str]], every: float) -> None:
    while True:
        lines, pause = _gathered(gather, every)
        say(*lines, "")
        sys.stdout.flush()
        sleep(pause)


def _gathered(gather: Callable[[], Sequence[str]], every: float) -> tuple[Sequence[str], float]:
    started = monotonic()
    lines = gather()
    return lines, max(every, SHARE * (monotonic() - started))
