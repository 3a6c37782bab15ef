"""Topics: what a site offers, and which of them a label means."""

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import combinations

# Both Turkish letters are told apart from 'i' by nothing but the dot, which other languages' upper case drops or adds.
_ONE_I = str.maketrans({"ı": "i", "\u0307": None})


def fold(label: str) -> str:
    """A label as it is compared: in any case, composed or not, wide or narrow, with whatever spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold().translate(_ONE_I))
    return " ".join(folded.split())


def ids_by_label(offered: Mapping[str, str]) -> dict[str, str]:
    """From a folded id or name to the id. `offered`: id to name. An id goes before another's name."""
    return {fold(name): key for key, name in offered.items()} | {fold(key): key for key in offered}


def listed(labels: Iterable[str], offered: Mapping[str, str]) -> frozenset[str]:
    """The ids of the topics offered that are among an article's labels; a label is an id or a name."""
    return _listed(tuple(labels), tuple(offered.items()))


@lru_cache(maxsize=10_000)  # asked for each article and each group of readers
def _listed(labels: tuple[str, ...], offered: tuple[tuple[str, str], ...]) -> frozenset[str]:
    known = ids_by_label(dict(offered))
    return frozenset(known[folded] for folded in map(fold, labels) if folded in known)


def mistaken_for_another(offered: Mapping[str, str]) -> tuple[str, str] | None:
    """The ids of two topics that one label could mean, or None."""
    for (key, name), (other, other_name) in combinations(offered.items(), 2):
        if {fold(key), fold(name)} & {fold(other), fold(other_name)}:
            return key, other
    return None
