"""How a bench shows its figures."""

from collections.abc import Sequence
from statistics import median


def show(title: str, ours: Sequence[float], theirs: Sequence[float], *, reach: str, higher: bool = False) -> None:
    """Print the pairwise ratios. `ours`, `theirs`: seconds of the same work, taken in turn.

    `higher`: the figure is theirs ÷ ours (how many times as fast), else ours ÷ theirs (how many times as long).
    """
    ratios = sorted((b / a if higher else a / b) for a, b in zip(ours, theirs, strict=True))
    print(title)
    print(f"  ours    {min(ours):9.4f} s  median {median(ours):9.4f} s")
    print(f"  beside  {min(theirs):9.4f} s  median {median(theirs):9.4f} s")
    print(f"  ratio   min {ratios[0]:.2f}  median {median(ratios):.2f}  max {ratios[-1]:.2f}   (reach: {reach})")
