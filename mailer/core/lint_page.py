"""The HTML of a mail as lint sees it: elements in their order, each with its line, and the runs of text between them.

Read as browsers read it, roughly: unclosed elements are closed where the next one says so, nothing is refused.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_SILENT = frozenset({"style", "script", "title", "template"})  # what is in them is not text on the page
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "br", "center", "dd", "div", "dl", "dt", "figure"),
        *("footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p"),
        *("pre", "section", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    }
)
_CELLS = frozenset({"td", "th"})
# An open element of the second set ends where one of the first begins, unless one of the third stands between.
_ENDS = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "table"})),
    "td": (_CELLS, frozenset({"table"})),
    "th": (_CELLS, frozenset({"table"})),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
    "tbody": (frozenset({"thead", "tbody", "tr"}), frozenset({"table"})),
    "body": (frozenset({"head"}), frozenset()),
    **dict.fromkeys(
        ("p", "div", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote"),
        (frozenset({"p"}), frozenset({"table", "div", "td", "li"})),
    ),
}
_TABLE = frozenset(["table", "tbody", "thead", "tfoot", "tr", "td", "th", "body", "html"])
_DEEPEST = 200  # what is nested deeper counts as the content of the 200th, so that no mail takes quadratic time


@dataclass(slots=True, eq=False)
class Element:
    """A start tag and where what it holds ends. `number`: its place among all elements. `line`: of the tag, from 1.

    Within it are the elements from `number + 1` to `after`, and the runs from `first_run` to `after_runs`, each
    without the last.
    """

    number: int
    tag: str
    attributes: dict[str, str]
    line: int
    parent: "Element | None"
    first_run: int
    after: int = 0
    after_runs: int = 0

    def ancestors(self) -> "Iterator[Element]":
        """Itself, its parent, and so on up."""
        here: Element | None = self
        while here is not None:
            yield here
            here = here.parent


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text in one element, or the alt text of an image. `block`: the same for what stands on one line."""

    text: str
    element: Element
    line: int
    block: int


@dataclass(frozen=True, slots=True)
class Page:
    """`title`: None where there is no such element. `styles`: what style elements hold, with the line of each.

    `trouble`: where and why it could not be read to its end, else ''.
    """

    elements: tuple[Element, ...]
    runs: tuple[Run, ...]
    title: str | None
    styles: tuple[tuple[int, str], ...]
    trouble: str = ""

    def text_of(self, element: Element) -> str:
        """The text within an element, alt texts of images included, on one line."""
        return " ".join("".join(run.text for run in self.runs[element.first_run : element.after_runs]).split())

    def within(self, element: Element) -> tuple[Element, ...]:
        """The elements inside an element, in order."""
        return self.elements[element.number + 1 : element.after]

    def named(self, *tags: str) -> Iterator[Element]:
        """All elements with one of these tags, in order."""
        return (element for element in self.elements if element.tag in tags)


def read_page(html: str) -> Page:
    """The page in any text. Never raises."""
    reader = _Reader()
    trouble = ""
    try:
        reader.feed(html)
        reader.close()
    except AssertionError as error:  # what the library's parser has instead of an error of its own
        trouble = f"line {reader.getpos()[0]} ({error})"
    return reader.page(trouble)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._elements: list[Element] = [Element(0, "", {}, 1, None, 0)]
        self._open = [self._elements[0]]
        self._runs: list[Run] = []
        self._block = 0
        self._title: list[str] | None = None
        self._styles: list[tuple[int, list[str]]] = []

    def page(self, trouble: str) -> Page:
        self._end(0)
        return Page(
            tuple(self._elements),
            tuple(self._runs),
            None if self._title is None else " ".join("".join(self._title).split()),
            tuple((line, "".join(pieces)) for line, pieces in self._styles),
            trouble,
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._make_room_for(tag)
        attributes = {name: value or "" for name, value in reversed(attrs)}  # of two alike the first counts
        element = Element(len(self._elements), tag, attributes, self.getpos()[0], self._open[-1], len(self._runs))
        self._elements.append(element)
        self._block += tag in _BLOCKS
        if tag == "img" and attributes.get("alt", "").strip():
            self._runs.append(Run(attributes["alt"], element, element.line, self._block))
        if tag == "title" and self._title is None and not any(one.tag == "svg" for one in self._open):
            self._title = []
        if tag == "style":
            self._styles.append((element.line, []))
        if tag in _VOID or len(self._open) > _DEEPEST:
            element.after, element.after_runs = len(self._elements), len(self._runs)
        else:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if ":" in tag or tag in ("path", "circle", "rect"):  # of another namespace, where '/>' does end an element
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self._block += tag in _BLOCKS
        for at in range(len(self._open) - 1, 0, -1):
            if self._open[at].tag == tag:
                self._end(at)
                return
            if self._open[at].tag in _TABLE and tag not in _TABLE:
                return

    def handle_data(self, data: str) -> None:
        here = self._open[-1]
        if here.tag == "style":
            self._styles[-1][1].append(data)
        elif here.tag == "title" and self._title is not None:
            self._title.append(data)
        elif here.tag not in _SILENT:
            self._runs.append(Run(data, here, self._line_of(data), self._block))

    def unknown_decl(self, data: str) -> None:
        """`<![if !mso]>` and the like: what stands between them is read as it is."""

    def _line_of(self, data: str) -> int:
        """The line of the first letter: a run begins with the line break behind the last tag."""
        blank = data[: len(data) - len(data.lstrip())]
        return self.getpos()[0] + blank.count("\n")

    def _make_room_for(self, tag: str) -> None:
        ended, between = _ENDS.get(tag, (frozenset(), frozenset()))
        for at in range(len(self._open) - 1, 0, -1) if ended else ():
            if self._open[at].tag in ended:
                self._end(at)
                return
            if self._open[at].tag in between:
                return

    def _end(self, at: int) -> None:
        for element in self._open[at:]:
            element.after, element.after_runs = len(self._elements), len(self._runs)
        del self._open[at:]


def lines_of(runs: Iterable[Run]) -> list[str]:
    """The text as lines: what stands in one block, with single spaces, blank ones left out."""
    lines: dict[int, list[str]] = {}
    for run in runs:
        lines.setdefault(run.block, []).append(run.text)
    return [line for line in (re.sub(r"\s+", " ", "".join(pieces)).strip() for pieces in lines.values()) if line]
