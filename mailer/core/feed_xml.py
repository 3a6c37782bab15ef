"""RSS, RDF and Atom: what feedparser finds, after everything it must never see was taken out."""

import html
import io
import re
from calendar import timegm
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax import SAXParseException

import feedparser

from mailer.core.article import Entry, Picture, absolute, pixels
from mailer.core.feed_source import Source
from mailer.core.picture import best_size_first
from mailer.core.polling import asked_minutes
from mailer.errors import FeedError

_LONGEST_PROLOG = 100_000
_LONGEST_TTL = 7 * 24 * 60

_SPACE = re.compile(r"\s+")
_DOCTYPE = re.compile(r"<!DOCTYPE(?:\"[^\"]*\"|'[^']*'|[^\"'\[>])*+([\[>])", re.IGNORECASE)
_ELEMENT = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*))")
_ROOTS = {"rss", "feed", "rdf"}
_PAGE = re.compile(r"<(?:!doctype\s+)?html\b", re.IGNORECASE)

# XML 1.0 §2.2: no document may hold these, not even by number; one of them would cost the strict parser.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LAST_CHARACTER = 0x10FFFF
_BY_NUMBER = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_BARE_AMPERSAND = re.compile(
    r"(<!\[CDATA\[.*?\]\]>)|&(?!#\d{1,8};|#[xX][0-9a-fA-F]{1,8};|[A-Za-z][A-Za-z0-9]{1,31};)", re.DOTALL
)
# feedparser's pattern for an author's mail address takes quadratic time on one endless word.
_ENDLESS = re.compile(r"(?<![A-Za-z0-9_.+-])[A-Za-z0-9_.+-]{1000,}")
# Media RSS: the description of a picture is its alternative text; feedparser would take it for the article's.
_ALTERNATIVE = re.compile(r"<(/?)media:(?:description|text)\b[^<>]*?(/?)>")

_CLOSED_ARTICLE = re.compile(r"</(?:\w+:)?(?:item|entry)\s*>", re.IGNORECASE)
_OPENED_ARTICLE = re.compile(r"<(?:\w+:)?(?:item|entry)[\s>]", re.IGNORECASE)


def read_xml(text: str, url: str) -> Source:
    """What an RSS, RDF or Atom document holds. Raises FeedError naming `url` where it is none or not a safe one."""
    start, root = _root(text, url)
    body, problems = _whole(text[start:], root, url)
    # As many lines as were cut, so that a parser's line numbers are the file's; without a declaration of our own,
    # feedparser would put one there on a line of its own.
    body = '<?xml version="1.0"?>' + "\n" * text.count("\n", 0, start) + _defused(body)
    try:
        found = feedparser.parse(
            io.BytesIO(body.encode()),
            # No content-location: a guid that is no URL would be joined to it and change when the feed moves.
            response_headers={"content-type": "application/xml; charset=utf-8"},
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except Exception as failed:  # noqa: BLE001 its loose parser raises whatever broken markup leads it to
        raise FeedError(f"{url} can't be read: its XML is broken ({type(failed).__name__}).") from None
    if found.bozo:
        wrong = _in_words(found.get("bozo_exception"))
        if not found.entries:
            raise FeedError(f"{url} can't be read: {wrong}.")
        problems = (*problems, f"It is not well-formed ({wrong}); read as far as it goes.")
    return _source(found, url, problems)


def _root(text: str, url: str) -> tuple[int, str]:
    """Where the root element begins, and its name. What stands before it is not handed on: no DOCTYPE, no entity."""
    at, end = 0, min(len(text), _LONGEST_PROLOG)
    while 0 <= at < end:
        if (beyond := _beyond_nothing(text, at)) > at:
            at = beyond
        elif text[at : at + 9].upper() == "<!DOCTYPE":
            doctype = _DOCTYPE.match(text, at, end)
            if doctype is None or doctype[1] == "[":
                raise FeedError(f"{url} is refused: its DOCTYPE declares things of its own, which no feed needs.")
            at = doctype.end()
        elif text[at : at + 8].upper() == "<!ENTITY":
            raise FeedError(f"{url} is refused: it declares XML entities, which no feed needs.")
        elif (element := _ELEMENT.match(text, at)) and element[2].lower() in _ROOTS:
            return at, element[1]
        elif element and element[2].lower() == "html":
            break
        else:
            at = text.find("<", at + 1)
    if _PAGE.search(text[:_LONGEST_PROLOG]):
        raise FeedError(f"{url} is a web page, not a feed; look on that page for the address of its RSS or Atom feed.")
    raise FeedError(f"{url} is not a feed: neither RSS, Atom nor JSON Feed was found in it.")


def _beyond_nothing(text: str, at: int) -> int:
    """Past white space, a processing instruction or a comment; `at` itself where there is none."""
    for opening, closing in (("<!--", "-->"), ("<?", "?>")):
        if text.startswith(opening, at):
            closed = text.find(closing, at)
            return closed + len(closing) if closed >= 0 else len(text)
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _whole(body: str, root: str, url: str) -> tuple[str, tuple[str, ...]]:
    """Without the half article at the end of a document that broke off: half a headline must not be mailed."""
    if re.search(rf"</{re.escape(root)}\s*>", body) or re.match(rf"<{re.escape(root)}[^<>]*/>", body):
        return body, ()
    last = None
    for last in _CLOSED_ARTICLE.finditer(body):  # noqa: B007 the last one is wanted
        pass
    if last is None:
        raise FeedError(f"{url} can't be read: it breaks off before the end of its first article.")
    kept = body[: last.end()]
    channel = "</channel>" if "<channel" in kept and "</channel>" not in kept else ""
    half = " the half article there was left out." if _OPENED_ARTICLE.search(body, last.end()) else ""
    return f"{kept}{channel}</{root}>", (
        f"It breaks off before its end;{half}" if half else "It breaks off before its end.",
    )


def _defused(body: str) -> str:
    legal = _BY_NUMBER.sub(_legal_number, _ILLEGAL.sub("", body))
    # In '?a=1&lang=en' the parser would find the entity for '⟨'.
    legal = _BARE_AMPERSAND.sub(lambda found: found[1] or "&amp;", legal)
    return _ALTERNATIVE.sub(r"<\1media:alternative\2>", _ENDLESS.sub("", legal))


def _legal_number(found: re.Match[str]) -> str:
    digits, base = (found[1], 16) if found[1] else (found[2], 10)
    if len(digits) > 8:  # noqa: PLR2004 with leading zeros; Unicode has seven decimal digits
        return ""
    number = int(digits, base)
    return "" if number > _LAST_CHARACTER or _ILLEGAL.match(chr(number)) else found[0]


def _in_words(failed: object) -> str:
    if isinstance(failed, SAXParseException):
        return f"line {failed.getLineNumber()}: {failed.getMessage()}"
    return str(failed).strip().rstrip(".") or "its XML is broken"


def _source(found: Any, url: str, problems: tuple[str, ...]) -> Source:
    about = found.feed
    home = absolute(_text(about, "link"), url)
    ttl = asked_minutes(_text(about, "ttl"), _text(about, "sy_updateperiod"), _text(about, "sy_updatefrequency"))
    # RFC 4287 §4.2.1: an Atom feed's author is that of each entry without one; RSS has no such rule.
    atom = str(found.version).startswith("atom")
    author = _author(about) if atom else ""
    # Atom's addresses start from the document (RFC 3986 §5.1), RSS's, by usage, from the site it names.
    start = url if absolute(url) and (atom or not home) else home
    entries = tuple(_entry(item, start=start, author=author, feed=about, atom=atom) for item in found.entries)
    undated = tuple(
        f"article {number} has a date that can't be read ({_text(item, 'published')[:60]!r}); it counts as undated."
        for number, item in enumerate(found.entries, 1)
        if _text(item, "published") and not item.get("published_parsed")
    )
    return Source(
        title=_text(about, "title"),
        home=home,
        language=_text(about, "language"),
        ttl_minutes=ttl if ttl is None or ttl <= _LONGEST_TTL else None,
        entries=entries,
        problems=problems + undated,
    )


def _entry(item: Any, *, start: str, author: str, feed: Any, atom: bool) -> Entry:
    own_id = _text(item, "id")
    # FeedBurner keeps the article's own address beside the one that counts readers.
    link = absolute(_text(item, "feedburner_origlink") or _text(item, "link"), start) or absolute(own_id)
    recordings = [told for told in (*item.get("links", ()), *item.get("media_content", ())) if _is_recording(told)]
    if not link and recordings:
        link = absolute(_text(recordings[0], "href") or _text(recordings[0], "url"), start)
    # Of several the longest is the article: podcasts have the teaser there, too.
    content: Mapping[str, Any] = max(item.get("content", ()), key=lambda part: len(_text(part, "value")), default={})
    summary, text = _markup(item, "summary", atom=atom), _markup(content, "value", atom=atom)
    alternative = _text(item, "media_alternative")
    if not summary.strip() and not text.strip():
        summary, alternative = _escaped_unless_marked_up(alternative), ""  # a film has nothing else to say
    titled: Mapping[str, Any] = item.get("title_detail") or {}
    return Entry(
        guid=own_id,
        title=_markup(item, "title", atom=atom),
        link=link,
        # xml:base where it is said; else an article's pictures are found from its own page.
        base=absolute(_text(content, "base"), start) or link or start,
        summary=summary,
        content=text,
        author=_author(item) or author,
        pictures=tuple(_pictures(item, alternative)),
        topics=tuple(_text(tag, "label") or _text(tag, "term") for tag in item.get("tags", ())),
        published=_instant(item),
        language=_text(item, "language") or _text(titled, "language") or _text(feed, "language"),
        recorded=bool(recordings),
    )


def _markup(where: Mapping[str, Any], name: str, *, atom: bool) -> str:
    """The field as HTML. RSS's always is; Atom's plain text (RFC 4287 §3.1.1.1) is where it plainly is meant so."""
    written = _text(where, name)
    told: Mapping[str, Any] = where if name == "value" else where.get(f"{name}_detail") or {}
    plain = atom and _text(told, "type") == "text/plain"
    return _escaped_unless_marked_up(written) if plain else written


def _escaped_unless_marked_up(written: str) -> str:
    return written if _MARKED_UP.search(written) else html.escape(written, quote=False)


def _is_recording(told: Mapping[str, Any]) -> bool:
    kind, medium = _text(told, "type"), _text(told, "medium")
    return kind.startswith(("audio/", "video/", "application/x-shockwave-flash")) or medium in ("audio", "video")


def _text(where: Mapping[str, Any], name: str) -> str:
    value = where.get(name)
    return value if isinstance(value, str) else ""


def _author(where: Any) -> str:
    names = [_text(author, "name").strip() for author in where.get("authors", ())]
    return ", ".join(dict.fromkeys(name for name in names if name))


def _instant(item: Any) -> datetime | None:
    # Asking for 'updated' where only 'published' is there makes feedparser warn.
    parsed = item.get("published_parsed") or (item.get("updated_parsed") if "updated_parsed" in item else None)
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError):
        return None


_MARKED_UP = re.compile(r"</[a-z][a-z0-9]*\s*>|<(?:br|img|hr)\b", re.IGNORECASE)
_PICTURE_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif)(?:[?#]|\Z)", re.IGNORECASE)


def _pictures(item: Any, alternative: str) -> Iterator[Picture]:
    """Enclosures, then Media RSS, then the picture of a podcast's episode. Alternative text: of the last one told."""
    for told in item.get("links", ()):
        if told.get("rel") == "enclosure" and _is_picture(told):
            yield _picture(told, alternative)
    media = [_picture(told, alternative) for told in item.get("media_content", ()) if _is_picture(told)]
    yield from best_size_first(media)
    yield from best_size_first(_picture(told, alternative) for told in item.get("media_thumbnail", ()))
    image = item.get("image")
    if isinstance(image, Mapping) and _text(image, "href"):
        yield Picture(_text(image, "href"))


def _is_picture(told: Mapping[str, Any]) -> bool:
    kind = _text(told, "type")
    if not kind and not _text(told, "medium"):
        return bool(_PICTURE_FILE.search(_text(told, "href") or _text(told, "url")))
    return kind.startswith("image/") or _text(told, "medium") == "image"


def _picture(told: Mapping[str, Any], alternative: str) -> Picture:
    width, height = pixels(_text(told, "width")), pixels(_text(told, "height"))
    return Picture(_text(told, "href") or _text(told, "url"), alternative, width, height, _text(told, "type"))
