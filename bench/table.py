"""How a bench shows its figures."""

from collections.abc import Callable, Sequence
from statistics import median


def in_seconds(seconds: float) -> str:
    """Seconds, or microseconds where they are few."""
    return f"{seconds:9.3f} s" if seconds >= 0.01 else f"{seconds * 1e6:9.1f} µs"


def in_megabytes(size: float) -> str:
    """Of a number of bytes."""
    return f"{size / 1e6:9.1f} MB"


def show(
    title: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    reach: str,
    higher: bool = False,
    written: Callable[[float], str] = in_seconds,
) -> list[float]:
    """Print the pairwise ratios, and return them. `ours`, `theirs`: seconds of the same work, taken in turn.

    `higher`: the figure is theirs ÷ ours (how many times as fast), else ours ÷ theirs (how many times as long).
    """
    taken = [(b / a if higher else a / b) for a, b in zip(ours, theirs, strict=True)]
    ratios = sorted(taken)
    print(title)
    print(f"  ours    {written(min(ours))}  median {written(median(ours))}")
    print(f"  beside  {written(min(theirs))}  median {written(median(theirs))}")
    print(
        f"  ratio   min {ratios[0]:.2f}  median {median(ratios):.2f}  max {ratios[-1]:.2f}   (reach: {reach})",
        flush=True,
    )
    return taken
