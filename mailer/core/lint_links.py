"""A mail's links: where they lead, what they are called, and that the one for leaving is found."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from urllib.parse import unquote, urlsplit

from mailer.core.link import is_loopback, web_address
from mailer.core.lint_colours import visible
from mailer.core.lint_header import scheme_of
from mailer.core.lint_letter import Letter
from mailer.core.lint_page import Element, Page, lines_of
from mailer.core.lint_rules import Finding, shown, shown_tag
from mailer.core.lint_style import Style

TOP, END = 1_000, 1_500  # characters of visible text from the start and to the end
_OTHER_SCHEMES = frozenset({"mailto", "tel", "sms"})
_SAYS_NOTHING = frozenset(
    {
        *("here", "click here", "click", "this", "this link", "link", "more", "read more", "learn more"),
        *("see more", "details", "continue", "continue reading", "hier", "hier klicken", "klicken sie hier"),
        *("mehr", "mehr lesen", "weiterlesen", "weiter", "mehr erfahren", "aquí", "haz clic aquí"),
        *("haga clic aquí", "clic aquí", "más", "leer más", "ver más", "seguir leyendo", "saber más", "ici"),
        *("cliquez ici", "lire la suite", "en savoir plus", "plus", "هنا", "اضغط هنا", "انقر هنا"),
        *("المزيد", "اقرأ المزيد"),
    }
)
_LEAVING = re.compile(
    r"unsubscribe|opt[ _-]?out|abmeld|abbestell|austragen|darse de baja|baja de|cancelar (?:la |tu |mi )?suscripci|"
    r"désabonn|désinscri|disiscriv|afmeld|uitschrijv|إلغاء الاشتراك|ألغ الاشتراك",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"unsub|opt-?out|one-click|preferences|manage|confirm|subscri|abmeld|token=|signature=", re.IGNORECASE
)
_TOKEN = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=[^0-9]*[0-9])[A-Za-z0-9_.~%-]{24,}\Z")
_SHORTEST_SECRET = 8
_LONGEST_FIELD = 2_000  # characters in which a reader's token is looked for
_OWNERS_LINES = 8  # at a mail's end, among which its sender's address is looked for
_SENTENCE = re.compile(r"(?:\S+\s+){7,}\S+[.!?。؟…]\Z")
_NO_ADDRESS = re.compile(r"©.*?\d{4}|\b(?:19|20)\d{2}\b|https?://\S+|\S+@\S+|\d+[–-]\d+|\b\d{1,2}[:.]\d{2}\b")


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the HTML part. `text`: what it is called, alt texts included. `only_picture`: it has no other text."""

    element: Element
    href: str
    text: str
    only_picture: bool
    in_heading: bool

    @property
    def where(self) -> str:
        return f"HTML line {self.element.line}"

    @property
    def is_web(self) -> bool:
        return scheme_of(self.href) in ("http", "https")

    def shown(self) -> str:
        return f"the link {shown(self.text)}" if self.text else shown_tag("a", self.element.attributes, "href")


def links_of(page: Page) -> tuple[Link, ...]:
    """Every `a` that leads somewhere, or should."""
    return tuple(
        Link(
            element,
            re.sub(r"[\t\n\r]", "", element.attributes.get("href", "")).strip(),
            page.text_of(element),
            only_picture=all(
                run.element.tag == "img" or run.text.isspace()
                for run in page.runs[element.first_run : element.after_runs]
            ),
            in_heading=any(re.fullmatch("h[1-6]", one.tag) for one in element.ancestors())
            or any(re.fullmatch("h[1-6]", one.tag) for one in page.within(element)),
        )
        for element in page.named("a", "area")
        if "href" in element.attributes or not {"name", "id"} & element.attributes.keys()
    )


def secret_of(letter: Letter) -> str:
    """The reader's token: what the one-click address ends with, '' where there is none."""
    found = re.search(r"<https?://[^>]*?([^/=?&<>]+)>", letter.value("List-Unsubscribe")[:_LONGEST_FIELD])
    return found[1] if found and len(found[1]) >= _SHORTEST_SECRET else ""


def is_for_leaving(href: str, text: str, letter: Letter) -> bool:
    """Whether a link unsubscribes: it has the one-click address's token, or it says so."""
    secret = secret_of(letter)
    return (secret != "" and secret in href) or bool(_LEAVING.search(unquote(href)) or _LEAVING.search(text))


def is_personal(url: str, letter: Letter) -> bool:
    """Whether an address is one reader's own, which nobody else may ask for: for leaving, preferences, with a token."""
    secret = secret_of(letter)
    parts = urlsplit(url)
    pieces = re.split(r"[/?&=]", f"{parts.path}?{parts.query}")
    return (
        (secret != "" and secret in url)
        or _PERSONAL.search(f"{parts.path}?{parts.query}") is not None
        or any(map(_TOKEN.match, pieces))
    )


def check_links(page: Page, links: Sequence[Link], letter: Letter, light: list[Style]) -> Iterator[Finding]:
    """Every rule of links in the HTML part."""
    for link in sorted({link.href: link for link in reversed(links)}.values(), key=_in_order):
        yield from _target(link, letter)
    for link in links:
        if not light[link.element.number].hidden:
            yield from _text(link)
    if letter.is_from_a_list:
        yield from _leaving(page, links, letter, light)
        yield from _postal_address(page, light)


def _in_order(link: Link) -> int:
    return link.element.number


def _target(link: Link, letter: Letter) -> Iterator[Finding]:
    scheme = scheme_of(link.href)
    if scheme in _OTHER_SCHEMES or scheme in ("data", "javascript", "vbscript"):  # those are active content
        return
    if scheme not in ("http", "https"):
        yield _bad_target(link, "leads nowhere: a mail's links need the whole address, https:// included")
    elif not web_address(link.href):
        yield _bad_target(link, "leads to no web address, or hides where it leads")
    elif scheme == "http" and not is_loopback(link.href):
        if is_personal(link.href, letter):
            yield _bad_target(link, "is a reader's own and not https, so that others on the way can use it")
        else:
            yield Finding(
                "link-target",
                "warning",
                link.where,
                f"{link.shown()} ({shown(link.href)}) is not https; others on the way see what is read.",
            )


def _bad_target(link: Link, why: str) -> Finding:
    return Finding("link-target", "error", link.where, f"{link.shown()} ({shown(link.href)}) {why}.")


def _text(link: Link) -> Iterator[Finding]:
    if not link.text:
        yield Finding(
            "link-text",
            "error",
            link.where,
            f"{link.shown()} has no text, nor a picture with an alt; a screen reader reads its address out.",
        )
    elif link.text.casefold().strip(" .…!»›→>") in _SAYS_NOTHING:
        yield Finding(
            "link-text",
            "warning",
            link.where,
            f"{link.shown()} doesn't say where it leads when it is read alone; name what is there.",
        )


def _leaving(page: Page, links: Sequence[Link], letter: Letter, light: list[Style]) -> Iterator[Finding]:
    """Near the top, where it is found without scrolling, and at the end, where everybody looks for it."""
    lengths = [0 if light[run.element.number].hidden else len(" ".join(run.text.split())) for run in page.runs]
    before = [0, *accumulate(lengths)]
    places = [
        before[link.element.first_run]
        for link in links
        if not light[link.element.number].hidden and is_for_leaving(link.href, link.text, letter)
    ]
    if not places:
        yield Finding(
            "unsubscribe-link",
            "error",
            "HTML",
            "no link to unsubscribe is seen in it; without one, readers press 'spam' instead.",
        )
        return
    if min(places) > TOP:
        yield _no_way_out("near the top, within the first screen")
    if before[-1] - max(places) > END:
        yield _no_way_out("at the end, where everybody looks for it")


def _no_way_out(place: str) -> Finding:
    return Finding("unsubscribe-link", "warning", "HTML", f"there is no link to unsubscribe {place}; put one there.")


def _postal_address(page: Page, light: list[Style]) -> Iterator[Finding]:
    """What can be told: among the last lines, a short one with a figure that is no year, date or time."""
    outside = (run for run in visible(page, light) if all(one.tag != "a" for one in run.element.ancestors()))
    last = lines_of(outside)[-_OWNERS_LINES:]
    if not any(_is_like_an_address(line) for line in last):
        yield Finding(
            "postal-address",
            "warning",
            "HTML",
            "no postal address is seen at its end; CAN-SPAM and CASL want the sender's in every mail to a list.",
        )


def _is_like_an_address(line: str) -> bool:
    return not _SENTENCE.search(line) and re.search(r"\d", _NO_ADDRESS.sub("", line)) is not None
