"""The style elements of a mail: which of their rules apply to an element in a look, and what they and it declare.

It knows selectors of tags, classes and ids, alone or within each other; others are left out, as most mail programs do.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from mailer.core.lint_page import Element

Look = Literal["light", "dark", "phone"]

_COMPOUND = re.compile(r"([A-Za-z][A-Za-z0-9]*|\*)?((?:[.#][A-Za-z_-][\w-]*)*)\Z")
_DECLARATION = re.compile(r"([-\w]+)\s*:\s*((?:\([^)]*\)|\"[^\"]*\"|'[^']*'|[^;])+)")
_WANTED = frozenset(
    {
        *("color", "background", "background-color", "font", "font-size", "font-weight", "display", "visibility"),
        *("opacity", "max-height", "height", "overflow"),
    }
)
_LONGEST = 4_000  # characters of one element's declarations that are read


@dataclass(frozen=True, slots=True)
class _Rule:
    """`chain`: the element's own compound first, then those of elements around it; '>' means its very parent."""

    chain: tuple[tuple[str, str, frozenset[str]], ...]
    weight: tuple[int, int, int]
    declared: tuple[tuple[str, str, bool], ...]
    media: str


def declarations(style: str) -> dict[str, str]:
    """A style attribute as property to value, both in small letters."""
    return {name: value for name, value, _ in _declarations(style)}


def blocks(css: str) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Every rule of a style element: the @-rules around it, its selectors, its declarations."""
    around: list[str] = []
    selectors, body = "", ""
    inside = False
    for piece in re.finditer(r"([^{};]*)([{};]|\Z)", re.sub(r"/\*.*?(?:\*/|\Z)|<!--|-->", " ", css, flags=re.DOTALL)):
        prelude, sign = piece[1].strip(), piece[2]
        if sign == "{" and (prelude.startswith("@") or inside):
            around.append(prelude)
        elif sign == "{":
            selectors, body, inside = prelude, "", True
        elif inside:
            body += prelude + sign
            if sign == "}":
                yield tuple(around), selectors, body[:-1]
                inside = False
        elif sign == "}" and around:
            around.pop()


class Sheet:
    """What all style elements say in one look. Rules are found by what an element has: its tag, id, or a class."""

    def __init__(self, styles: Sequence[str], look: Look) -> None:
        rules = [rule for css in styles for rule in _rules(css) if _applies(rule.media, look)]
        self._rules: dict[str, list[tuple[int, _Rule]]] = {}
        for order, rule in enumerate(rules):
            _, tag, marks = rule.chain[0]
            self._rules.setdefault(min(marks, default=tag or "*"), []).append((order, rule))

    def declared(self, element: Element) -> dict[str, str]:
        """What applies to an element, weakest first: the sheet, its style attribute, then the same with !important."""
        marks = _marks(element)
        found = [
            (rule.weight, order, rule)
            for key in ("*", element.tag, *marks)
            for order, rule in self._rules.get(key, ())
            if _matches(rule, element, marks)
        ]
        found.sort(key=lambda one: one[:2])
        own = _declarations(element.attributes.get("style", ""))
        plain: dict[str, str] = {}
        strong: dict[str, str] = {}
        for declared in (*(rule.declared for *_, rule in found), own):
            for name, value, important in declared:
                if name in _WANTED:
                    (strong if important else plain)[_longhand(name)] = value
        return plain | strong


def _longhand(name: str) -> str:
    return "background-color" if name == "background" else name


def _marks(element: Element) -> frozenset[str]:
    classes = element.attributes.get("class", "").split()
    identity = element.attributes.get("id", "")
    return frozenset([*(f".{name}" for name in classes), *([f"#{identity}"] if identity else [])])


def _matches(rule: _Rule, element: Element, marks: frozenset[str]) -> bool:
    _, tag, wanted = rule.chain[0]
    if not (wanted <= marks and tag in ("", "*", element.tag)):
        return False
    here = element
    for joint, above_tag, above in rule.chain[1:]:
        candidates = list(here.ancestors())[1:]
        for candidate in candidates[:1] if joint == ">" else candidates:
            if above <= _marks(candidate) and above_tag in ("", "*", candidate.tag):
                here = candidate
                break
        else:
            return False
    return True


@lru_cache(maxsize=256)
def _rules(css: str) -> tuple[_Rule, ...]:
    found = []
    for around, selectors, body in blocks(css):
        declared = _declarations(body)
        if any(name in _WANTED for name, _, _ in declared):
            found += [
                _Rule(chain, _weight(chain), declared, " and ".join(around))
                for chain in map(_chain, selectors.split(","))
                if chain
            ]
    return tuple(found)


def _chain(selector: str) -> tuple[tuple[str, str, frozenset[str]], ...]:
    """A selector from its end to its beginning; () where there is more to it than tags, classes and ids."""
    chain: list[tuple[str, str, frozenset[str]]] = []
    joint = ""
    for word in reversed(selector.replace(">", " > ").split()):
        if word == ">":
            joint = ">"
            continue
        compound = _COMPOUND.match(word)
        if compound is None:
            return ()
        chain.append((joint, (compound[1] or "").lower(), frozenset(re.findall(r"[.#][\w-]+", compound[2]))))
        joint = ""
    return tuple(chain)


def _weight(chain: Sequence[tuple[str, str, frozenset[str]]]) -> tuple[int, int, int]:
    marks = [mark for _, _, found in chain for mark in found]
    ids = sum(mark.startswith("#") for mark in marks)
    return ids, len(marks) - ids, sum(tag not in ("", "*") for _, tag, _ in chain)


def _applies(media: str, look: Look) -> bool:
    words = re.sub(r"\s+", "", media.lower())
    if "@" in words and "@media" not in words:
        return False
    if "prefers-color-scheme:" in words:
        wanted = "dark" if "prefers-color-scheme:dark" in words else "light"
        return (wanted == "dark") == (look == "dark") and "width" not in words
    if "max-width" in words:
        return look == "phone"
    return re.sub("@media|only|screen|all|and|,", "", words) == ""


@lru_cache(maxsize=4096)
def _declarations(style: str) -> tuple[tuple[str, str, bool], ...]:
    found = []
    for name, given in _DECLARATION.findall(style[:_LONGEST]):
        value, important, _ = given.strip().lower().partition("!")
        found.append((name.lower(), value.strip(), bool(important)))
    return tuple(found)
