"""The list of the editions that are out: as a page, and as an Atom feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar
from xml.etree import ElementTree as ET

from mailer.core.digest import Digest, Item, item_of
from mailer.core.edition_page import ARCHIVE, EditionPage, EditionSheet, lay_out_edition, period_label
from mailer.core.frame import Site
from mailer.core.page import Link, Said, Sheet, sheet
from mailer.core.text import clean_text
from mailer.core.words import Words

FEED = f"{ARCHIVE}/feed.xml"
IN_FEED = 20
PER_PAGE = 20
_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePage:
    """One page of the archive, the newest editions first. `number`: from 1; `last`: how many pages there are."""

    editions: tuple[EditionPage, ...]
    number: int = 1
    last: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An edition in the archive: where it is, what its mail was about. `about`: day and number of articles."""

    label: str
    path: str
    lead: Item
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSheet(Sheet):
    """The archive as it is shown. `ways`: to newer and older editions. `address`: of this page, absolute."""

    template: ClassVar[str] = "archive"

    heading: Said
    address: str
    feed: str
    listed: tuple[Listed, ...]
    ways: tuple[Link, ...]


def lay_out_archive(page: ArchivePage, site: Site, words: Words) -> ArchiveSheet:
    """The page in the site's words; headlines as they were written."""
    _ = words.catalogue.gettext
    heading = Said(_("Editions of %(site)s"), {"site": clean_text(site.name)})
    newer = Link(_("Newer editions"), page_path(page.number - 1) if page.number > 1 else "")
    older = Link(_("Older editions"), page_path(page.number + 1) if page.number < page.last else "")
    return ArchiveSheet(
        **sheet(site, words, str(heading)),
        heading=heading,
        address=f"{site.public_url}{page_path(page.number)}",
        feed=FEED,
        listed=tuple(_listed(edition, site, words) for edition in page.editions),
        ways=tuple(way for way in (newer, older) if way.url),
    )


def page_path(number: int) -> str:
    """Where a page of the archive is."""
    return ARCHIVE if number == 1 else f"{ARCHIVE}?page={number}"


def _listed(page: EditionPage, site: Site, words: Words) -> Listed:
    digest = Digest(site, page.cadence, page.period, page.covers, page.articles, topics=page.topics)
    count = len(page.articles)
    articles = words.catalogue.ngettext("%(num)s article", "%(num)s articles", count) % {"num": words.number(count)}
    return Listed(
        label=period_label(page.cadence, page.covers, words),
        path=page.path,
        lead=item_of(digest, 1, page.articles[0], words),
        about=f"{words.long_date(page.day)} · {articles}",
    )


def atom_feed(editions: Sequence[EditionPage], site: Site, words: Words) -> bytes:
    """The newest editions as RFC 4287 has it, UTF-8, in the site's words. The same editions give the same bytes."""
    address = f"{site.public_url}{FEED}"
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": words.language})
    _add(feed, "title", words.catalogue.gettext("Editions of %(site)s") % {"site": clean_text(site.name)})
    _add(feed, "id", address)
    _add(feed, "updated", _moment(max((page.made for page in editions), default=datetime(2000, 1, 1, tzinfo=UTC))))
    _add(feed, "link", rel="self", type="application/atom+xml", href=address)
    _add(feed, "link", rel="alternate", type="text/html", href=f"{site.public_url}{ARCHIVE}")
    _add(_add(feed, "author"), "name", clean_text(site.name))
    for page in editions[:IN_FEED]:
        _add_entry(feed, page, site, words)
    ET.indent(feed, "")
    found: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return found + b"\n"


def _add_entry(feed: ET.Element, page: EditionPage, site: Site, words: Words) -> None:
    shown = lay_out_edition(page, site, words)
    entry = _add(feed, "entry")
    _add(entry, "title", shown.headline)
    # Without the variant's number: which variant stands for the edition may change with the site's language.
    _add(entry, "id", f"{site.public_url}{page.path.rpartition('/')[0]}")
    _add(entry, "updated", _moment(page.made))
    _add(entry, "published", _moment(page.made))
    _add(entry, "link", rel="alternate", type="text/html", href=shown.address)
    if shown.description:
        _add(entry, "summary", shown.description)
    _add(entry, "content", _content(shown), type="html")


def _content(shown: EditionSheet) -> str:
    """The editor's words and the articles' list, as HTML."""
    page = ET.Element("div")
    articles = ET.SubElement(page, "ul")
    for item in (shown.lead, *shown.items):
        line = ET.SubElement(articles, "li", lang=item.language, dir=item.direction)
        title = ET.SubElement(line, "a", href=item.link) if item.link else ET.SubElement(line, "b")
        title.text = item.title
        if item.summary:
            ET.SubElement(line, "br").tail = item.summary
    more = ET.SubElement(page, "p") if shown.more else None
    if more is not None:
        more.text = shown.more
    return (shown.intro.html if shown.intro else "") + ET.tostring(page, encoding="unicode", method="html")


def _moment(at: datetime) -> str:
    """RFC 3339, in whole seconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, name, attributes)
    made.text = text
    return made
