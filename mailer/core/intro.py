"""The editor's own words above a digest: a little Markdown, as safe HTML and as plain text.

Paragraphs, emphasis, lists and links to https or mailto addresses. A heading becomes a bold line, because the articles
under it have the headings; pictures are left out; raw HTML is shown as it is written.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mailer.core.link import web_address
from mailer.core.script import script_of
from mailer.core.text import COLUMNS, Direction, clean_text, first_strong, shorten, wrap

LONGEST = 4_000  # characters: about a page and a half
_MAILTO = re.compile(r"mailto:[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+(\?[A-Za-z0-9%&=._+-]*)?")
_CLASSES = {"p": "body intro", "ul": "body intro list", "ol": "body intro list", "a": "accent"}

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": False}).disable(
    ["html_block", "html_inline", "code", "fence", "backticks"]
)


@dataclass(frozen=True, slots=True)
class Intro:
    """`html`: paragraphs and lists, allowed to stand as they are. `text`: lines of at most 72 columns, URLs whole."""

    html: str
    text: str
    direction: Direction
    script: str


def read_intro(markdown: str, language: str = "") -> Intro | None:
    """The words as both parts of a mail show them; None where there are none. Never raises.

    At most 4,000 characters count. `language`: of the site, a BCP 47 tag.
    """
    tokens = [_kept(token) for token in _MARKDOWN.parse(shorten(_clean(markdown), LONGEST)) if token.type != "hr"]
    text = _text(tokens)
    if not text:
        return None
    html = nh3.clean(
        _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}),
        tags={"p", "ul", "ol", "li", "a", "strong", "em", "br"},
        attributes={"a": {"href", "class"}, "p": {"class"}, "ul": {"class"}, "ol": {"class", "start"}},
        url_schemes={"https", "mailto"},
        link_rel=None,
    )
    return Intro(html.strip(), text, first_strong(text), script_of(text, language))


def _clean(markdown: str) -> str:
    """Line by line, because a line's end means something here, and so do an indent and two spaces at the end."""
    cleaned = []
    for line in markdown.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        indent = " " * min(len(line) - len(line.lstrip(" ")), 8)
        cleaned.append(indent + clean_text(line, LONGEST) + ("  " if line.endswith("  ") else ""))
    return "\n".join(cleaned)


def _kept(token: Token) -> Token:
    """The token as a mail may show it."""
    if token.type.startswith("heading_"):
        token.tag = "p"
    if token.type.startswith("blockquote_"):
        token.hidden = True
    if token.nesting == 1 and token.tag in _CLASSES:
        token.attrSet("class", _CLASSES[token.tag] + (" strong" if token.type == "heading_open" else ""))
    token.children = _inline(token.children or []) if token.type == "inline" else None
    return token


def _inline(tokens: Sequence[Token]) -> list[Token]:
    """The links that a mail may have, and pictures by their words."""
    kept: list[Token] = []
    allowed: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            url = str(token.attrGet("href") or "")
            url = web_address(url) if url.startswith("https:") else url if _MAILTO.fullmatch(url) else ""
            allowed.append(bool(url))
            token.attrs = {"href": url, "class": _CLASSES["a"]}
            if not url:
                continue
        elif token.type == "link_close" and not allowed.pop():
            continue
        elif token.type == "image":
            token = Token("text", "", 0, content=token.content)  # noqa: PLW2901 it takes its place
        kept.append(token)
    return kept


def _text(tokens: Sequence[Token]) -> str:
    """Each paragraph in lines, followed by the addresses of its links; the items of a list close together."""
    text = ""
    lists: list[int] = []  # the number that comes next, or 0 for dots
    together = False
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            lists.append(int(token.attrGet("start") or 1) if token.type.startswith("ordered") else 0)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
            together = bool(lists)
        elif token.type == "inline":
            first = rest = "  " * len(lists)
            if lists:
                first = first[2:] + (f"{lists[-1]}. " if lists[-1] else "• ")
                rest = " " * len(first)
                lists[-1] += lists[-1] > 0
            lines = _lines(token.children or [], first, rest)
            text += ("\n" if together else "\n\n") + lines if lines and text else lines
            together = bool(lists)
    return text


def _lines(tokens: Sequence[Token], first: str, rest: str) -> str:
    words = "".join(
        token.content if token.type == "text" else " " if token.type in ("softbreak", "hardbreak") else ""
        for token in tokens
    )
    urls = [str(token.attrGet("href")) for token in tokens if token.type == "link_open"]
    urls = [url for url in dict.fromkeys(urls) if url not in words]
    if not words.strip():
        return ""
    return "\n".join([wrap(words.strip(), COLUMNS, first=first, rest=rest), *(f"{rest}{url}" for url in urls)])
