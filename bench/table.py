"""How a bench shows its figures."""

from collections.abc import Sequence
from statistics import median


def show(title: str, ours: Sequence[float], theirs: Sequence[float], *, reach: str, higher: bool = False) -> None:
    """Print the pairwise ratios. `ours`, `theirs`: seconds of the same work, taken in turn.

    `higher`: the figure is theirs ÷ ours (how many times as fast), else ours ÷ theirs (how many times as long).
    """
    ratios = sorted((b / a if higher else a / b) for a, b in zip(ours, theirs, strict=True))
    print(title)
    print(f"  ours    {_short(min(ours))}  median {_short(median(ours))}")
    print(f"  beside  {_short(min(theirs))}  median {_short(median(theirs))}")
    print(f"  ratio   min {ratios[0]:.2f}  median {median(ratios):.2f}  max {ratios[-1]:.2f}   (reach: {reach})")


def _short(seconds: float) -> str:
    """Seconds, or microseconds where they are few."""
    return f"{seconds:9.3f} s" if seconds >= 0.001 else f"{seconds * 1e6:9.1f} µs"
