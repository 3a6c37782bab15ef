"""Where a site's feed is: named in its page's head, or at one of the usual addresses."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from mailer.core.article import absolute, one_line
from mailer.core.feed_source import decode

_MOST_LINKS = 20
_HEAD = 500_000  # characters of a page that are looked at; its links to feeds stand in its head
_TITLE_LIMIT = 100
_TYPES = {"application/rss+xml", "application/atom+xml", "application/feed+json"}
_USUAL = ("feed", "feed.xml", "rss.xml", "atom.xml", "index.xml", "feed.json")

_TAG = re.compile(r"<(link|base)\b([^<>]{0,2000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z-]{1,20})\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_COMMENTS = re.compile(r"comment|kommentar|comentario|commenti\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FeedLink:
    """A feed that a page names. `title`: what the page calls it, or ''."""

    url: str
    title: str = ""

    @property
    def is_of_comments(self) -> bool:
        return bool(_COMMENTS.search(self.title) or _COMMENTS.search(urlsplit(self.url).path))


def is_page(body: bytes, content_type: str) -> bool:
    """Whether what came, and is no feed, is a web page that may name one."""
    if content_type.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml"):
        return True
    return bool(_PAGE.search(decode(body[:_HEAD], content_type)[0]))


def feeds_named(body: bytes, *, url: str, content_type: str = "") -> tuple[FeedLink, ...]:
    """The feeds that a page names, in its order, those of comments last. `url`: where the page came from."""
    found: dict[str, FeedLink] = {}
    base = url
    for name, attributes in _tags(_without_comments(decode(body, content_type)[0][:_HEAD])):
        href = attributes.get("href", "").strip()
        if name == "base" and base == url and href:
            base = absolute(href, url) or url
        elif name == "link" and _leads_to_a_feed(attributes):
            link = FeedLink(absolute(href, base) if href else "", one_line(attributes.get("title", ""), _TITLE_LIMIT))
            if link.url:
                found.setdefault(link.url, link)
    return tuple(sorted(found.values(), key=lambda link: link.is_of_comments)[:_MOST_LINKS])


def usual_places(url: str) -> tuple[str, ...]:
    """Where a site's feed often is: beside its page, then at the site's root."""
    here = url if urlsplit(url).path.endswith("/") else f"{url.partition('?')[0].partition('#')[0]}/"
    return tuple(dict.fromkeys(urljoin(start, name) for start in (here, urljoin(url, "/")) for name in _USUAL))


def _leads_to_a_feed(attributes: dict[str, str]) -> bool:
    relations = set(attributes.get("rel", "").lower().split())
    kind = attributes.get("type", "").partition(";")[0].strip().lower()
    return bool(relations & {"alternate", "feed"}) and kind in _TYPES


def _tags(page: str) -> Iterator[tuple[str, dict[str, str]]]:
    for tag in _TAG.finditer(page):
        attributes: dict[str, str] = {}
        for name, *values in _ATTRIBUTE.findall(tag[2]):
            attributes.setdefault(name.lower(), html.unescape(next(filter(None, values), "")))
        yield tag[1].lower(), attributes


def _without_comments(page: str) -> str:
    kept, at = [], 0
    while (opened := page.find("<!--", at)) >= 0 and (closed := page.find("-->", opened + 4)) >= 0:
        kept.append(page[at:opened])
        at = closed + 3
    return "".join((*kept, page[at:]))
