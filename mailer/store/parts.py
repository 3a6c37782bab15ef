"""Long lists of values, in parts that one statement can hold."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 1000
"""Values in one statement: far below what any database allows, and more make it no quicker."""


def in_parts(values: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """The values in their order, at most `size` at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
