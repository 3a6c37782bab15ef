"""Lint: what is wrong with a finished mail, found before its readers find it. Bytes in, findings out.

Every mail may be asked about, not only ours; what can't be read is a finding. `docs/lint.md` has a line on each rule.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailer.core.lint_colours import readable
from mailer.core.lint_header import check_header, check_lines, check_subject
from mailer.core.lint_html import check_page
from mailer.core.lint_letter import LARGEST_PART, Letter, read_letter
from mailer.core.lint_links import check_links, is_personal, links_of
from mailer.core.lint_page import Page, read_page
from mailer.core.lint_rules import RULES, Finding, Level, at_most, gathered
from mailer.core.lint_style import styles
from mailer.core.lint_text import check_placeholders, check_preheader, check_text

__all__ = ["RULES", "Asked", "Finding", "Level", "addresses_of", "gathered", "lint_mail"]

# Bytes, thousands of them. Gmail cuts the HTML at 102 KB, and with it the footer.
LARGE_HTML, TOO_LARGE_HTML = 90_000, 95_000
LARGE_MAIL, TOO_LARGE_MAIL = 500_000, 10_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A web address in a mail, and where. `personal`: it is one reader's own, so nobody else may ask for it."""

    url: str
    where: str
    personal: bool


def lint_mail(data: bytes, told: Iterable[str] = ()) -> tuple[Finding, ...]:
    """What is wrong with a whole message, errors first, else in the order of the mail. Never raises, for any bytes.

    `told`: the texts it is made of, where they are known: a title may be about '{{ name }}'.
    At most ten findings of a rule and level; the tenth says how many more there are.
    """
    found = at_most(list(_all(data, "\n".join(told))))
    return tuple(sorted(found, key=lambda finding: finding.level != "error"))


def addresses_of(data: bytes) -> tuple[Asked, ...]:
    """The web addresses that the HTML part links to or shows pictures from, each once, in order. Never raises."""
    letter = read_letter(data)
    if letter.html is None:
        return ()
    page = read_page(letter.html)
    found = [(link.href, link.where) for link in links_of(page) if link.is_web]
    found += [(image.attributes.get("src", "").strip(), f"HTML line {image.line}") for image in page.named("img")]
    first: dict[str, str] = {}
    for url, where in found:
        if url.lower().startswith(("http://", "https://")):
            first.setdefault(url, where)
    return tuple(Asked(url, where, is_personal(url, letter)) for url, where in first.items())


def _all(data: bytes, told: str) -> Iterator[Finding]:
    letter = read_letter(data)
    yield from letter.troubles
    yield from check_lines(letter)
    if not letter.legible:
        return
    yield from _sizes(letter)
    yield from _parts(letter)
    yield from check_header(letter)
    yield from check_subject(letter)
    page = None
    if letter.html is not None:
        page = read_page(letter.html)
        yield from _whole_page(page, letter)
    else:
        yield from check_text(letter, None, (), [])
    yield from check_placeholders(letter, page, told)


def _whole_page(page: Page, letter: Letter) -> Iterator[Finding]:
    if page.trouble:
        yield Finding(
            "unreadable", "error", f"HTML {page.trouble}", "from here on it can't be read; mend what stands there."
        )
    light, links = styles(page, "light"), links_of(page)
    yield from check_preheader(page, light)
    yield from check_page(page, letter, light)
    yield from readable(page, light)
    yield from check_links(page, links, letter, light)
    yield from check_text(letter, page, links, light)


def _sizes(letter: Letter) -> Iterator[Finding]:
    html, whole = len((letter.html or "").encode(errors="replace")), len(letter.data)
    if html > LARGE_HTML:
        least = "at least " if html >= LARGEST_PART else ""
        yield Finding(
            "size",
            "error" if html > TOO_LARGE_HTML else "warning",
            "HTML",
            f"it has {least}{html / 1000:,.1f} KB; Gmail cuts at 102 KB and hides the footer: show fewer articles.",
        )
    if whole > LARGE_MAIL:
        yield Finding(
            "size",
            "error" if whole > TOO_LARGE_MAIL else "warning",
            "message",
            f"it has {whole / 1000:,.1f} KB; large mails are slow, and refused from 10 MB on: leave attachments out.",
        )


def _parts(letter: Letter) -> Iterator[Finding]:
    if letter.html is not None and letter.text is None:
        yield Finding(
            "parts",
            "error",
            "message",
            "there is no text part beside the HTML; some readers see nothing then, and filters count it as spam.",
        )
    if letter.html_first:
        yield Finding(
            "parts",
            "error",
            "message",
            "the HTML stands before the text; mail programs show the last part that they can (RFC 2046): turn them.",
        )
