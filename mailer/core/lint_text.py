"""A mail's text part, held to saying what its HTML says; and what either shows that no reader should see."""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from urllib.parse import unquote

from mailer.core.lint_colours import visible
from mailer.core.lint_header import decoded
from mailer.core.lint_letter import Letter
from mailer.core.lint_links import Link, is_for_leaving
from mailer.core.lint_page import Page, lines_of
from mailer.core.lint_rules import Finding, shown, squeezed
from mailer.core.lint_style import Style
from mailer.core.text import columns, shorten

WIDEST = 78  # columns of the text part
SHORTEST_PREHEADER, LONGEST_PREHEADER = 40, 110
_URL = re.compile(r"https?://[^\s<>\"]+")
_MARKUP = re.compile(
    r"&(?:[A-Za-z]{2,8}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});|"
    r"</?(?:a|b|body|br|div|em|font|h[1-6]|html|i|img|li|p|span|strong|style|table|td|tr|ul)(?:\s[^<>]*)?/?>"
)
_PLACEHOLDER = re.compile(
    r"\{\{[^{}\n]{0,80}\}\}|\{\{|\}\}|\{%|%\}|%\([A-Za-z_]\w*\)[sdif]|\*\|[A-Za-z0-9_:.]{1,60}\|\*|"
    r"%%[A-Za-z_][\w.]{1,60}%%|\[object Object\]|(?<![A-Za-z0-9])([A-Za-z0-9]{16,64})-[a-z_]{2,20}-\1(?![A-Za-z0-9])"
)
_NOTHING = frozenset({"None", "undefined", "null", "NaN", "nil"})
_VIEW_IN_BROWSER = re.compile(
    r"\b(?:view|read|open|see|display)\s+(?:(?:this|the|it|our|e-?mail|mail|message|newsletter|issue|as|a|an|on|in|your)"
    r"\s+){0,6}(?:browser|online|web ?page|on the web)\b|\b(?:im|in your|in deinem|in ihrem) browser\b|"
    r"\bver .{0,30}\bnavegador|\bdans (?:votre|le) navigateur|المتصفح",
    re.IGNORECASE,
)
_PADDING = re.compile("[\u034f\u00ad\u200b-\u200f\u2007\u2060\ufeff\u00a0\u2800]+")


def check_text(letter: Letter, page: Page | None, links: Sequence[Link], light: list[Style]) -> Iterator[Finding]:
    """Every rule of the text part. `page`: of the HTML, None where there is none."""
    text = letter.text
    if text is None:
        return
    yield from _columns(text)
    yield from _markup(text, page)
    if page is not None:
        yield from _titles(text, page, light)
        yield from _links(text, links, letter)
    elif letter.is_from_a_list and not any(is_for_leaving(line, line, letter) for line in text.split("\n")):
        yield Finding("unsubscribe-link", "error", "text", "it doesn't say how to unsubscribe; write the link into it.")


def check_preheader(page: Page, light: list[Style]) -> Iterator[Finding]:
    """What mail programs show beside the subject: a hidden text of our own, else what comes first."""
    seen = {id(run) for run in visible(page, light) if not run.text.isspace()}
    before = list(takewhile(lambda run: id(run) not in seen, page.runs))
    hidden = [run for run in before if light[run.element.number].hidden and not run.text.isspace()]
    own = " ".join(_PADDING.sub(" ", "".join(run.text for run in hidden)).split())
    first = (hidden or page.runs[len(before) :])[:1]
    where = f"HTML line {first[0].line}" if first else "HTML"
    begins = shorten(" ".join(lines_of(visible(page, light)))[:400], LONGEST_PREHEADER)
    if _VIEW_IN_BROWSER.search(own or begins):
        yield Finding(
            "preheader",
            "error",
            where,
            f"{shown(own or begins)} is what is shown beside the subject; say what the mail is about instead.",
        )
    elif not own:
        yield Finding(
            "preheader",
            "warning",
            where,
            f"there is none, so that {shown(begins)} is shown beside the subject; "
            f"begin with a hidden text of {SHORTEST_PREHEADER} to {LONGEST_PREHEADER} characters.",
        )
    elif not SHORTEST_PREHEADER <= len(own) <= LONGEST_PREHEADER:
        yield Finding(
            "preheader",
            "warning",
            where,
            f"{shown(own)} has {len(own)} characters; {SHORTEST_PREHEADER} to {LONGEST_PREHEADER} fill the line "
            "beside the subject.",
        )


def check_placeholders(letter: Letter, page: Page | None, told: str = "") -> Iterator[Finding]:
    """What should have been filled in: in the header, in what is seen, in addresses and alt texts.

    `told`: texts that the mail is about; what looks like a placeholder there is news about one.
    """
    for field in letter.fields:
        value = decoded(field.value)
        yield from _unfilled(field.where, value, alone=field.name.lower() in ("subject", "from", "to"), told=told)
    for number, line in enumerate((letter.text or "").split("\n"), start=1):
        yield from _unfilled(f"text line {number}", line, alone=True, told=told)
    if page is None:
        return
    for run in page.runs:
        yield from _unfilled(f"HTML line {run.line}", run.text, alone=True, told=told)
    if page.title:
        yield from _unfilled("HTML <title>", page.title, alone=True, told=told)
    for element in page.elements:
        for name in ("href", "src", "title", "aria-label"):
            if name in element.attributes:
                yield from _unfilled(
                    f"HTML line {element.line}", unquote(element.attributes[name]), alone=False, told=told
                )


def _unfilled(where: str, text: str, *, alone: bool, told: str) -> Iterator[Finding]:
    found = next((one for one in _PLACEHOLDER.finditer(text) if one[0] not in told), None)
    if found or (alone and text.strip() in _NOTHING):
        what = found[0] if found else text.strip()
        yield Finding(
            "placeholder", "error", where, f"{shown(what)} was never filled in; mend the template or the data."
        )


def _columns(text: str) -> Iterator[Finding]:
    wide = [
        (number, size)
        for number, line in enumerate(text.split("\n"), start=1)
        if len(line) * 2 > WIDEST and (size := len(line) if line.isascii() else columns(line)) > WIDEST
        if not _URL.search(line)
    ]
    if wide:
        number, size = wide[0]
        more = f", and {len(wide) - 1:,} more lines are too wide" if len(wide) > 1 else ""
        yield Finding(
            "text-columns",
            "warning",
            f"text line {number}",
            f"it has {size:,} columns{more}; break lines at {WIDEST}, unless a web address is in them.",
        )


def _markup(text: str, page: Page | None) -> Iterator[Finding]:
    """Entities and tags, unless the HTML part shows them too: then an article is about them."""
    seen = "".join(run.text for run in page.runs) if page else ""
    for number, line in enumerate(text.split("\n"), start=1):
        for found in _MARKUP.finditer(_URL.sub("", line)):
            if found[0] not in seen:
                yield Finding(
                    "text-markup",
                    "error",
                    f"text line {number}",
                    f"{shown(found[0])} is HTML; here it is read as it stands: write the character or leave it out.",
                )
                break


def _titles(text: str, page: Page, light: list[Style]) -> Iterator[Finding]:
    """Every heading of the HTML, in the same order. White space is left out of it, since lines break anywhere."""
    whole, at = squeezed(text), 0
    for heading in page.named("h1", "h2", "h3", "h4", "h5", "h6"):
        title = page.text_of(heading)
        wanted = squeezed(title)
        if not wanted or light[heading.number].hidden:
            continue
        found = whole.find(wanted, at)
        if found >= 0:
            at = found + len(wanted)
            continue
        why = "stands in another place in" if wanted in whole else "is not in"
        yield Finding(
            "text-titles",
            "error",
            f"HTML line {heading.line}",
            f"the heading {shown(title)} {why} the text part; both say the same, in the same order.",
        )


def _links(text: str, links: Sequence[Link], letter: Letter) -> Iterator[Finding]:
    """Every web link of the HTML but those of pictures. An article's, and the one for leaving, are errors."""
    there = {_plain(url) for found in _URL.findall(text) for url in (found, found.rstrip(".,;:!?)]}'»"))}
    articles = {link.href for link in links if link.in_heading}
    told: set[str] = set()
    for link in links:
        if not link.is_web or link.only_picture or _plain(link.href) in there or link.href in told:
            continue
        told.add(link.href)
        needed = link.href in articles or is_for_leaving(link.href, link.text, letter)
        yield Finding(
            "text-links",
            "error" if needed else "warning",
            link.where,
            f"{link.shown()} ({shown(link.href)}) is not in the text part; readers of text can't follow it.",
        )


def _plain(url: str) -> str:
    """An address without what makes no difference: a last slash."""
    return url.removesuffix("/")
