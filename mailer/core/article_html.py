"""HTML as feeds bring it, read to what a mail may hold: plain text, and the pictures in it. No markup gets further."""

import html
import re
import unicodedata
from dataclasses import dataclass

import nh3

# What an honest article stays far below. nh3 builds a tree, and a tree nested without end costs quadratic time.
_MOST_TAGS = 5_000
_MOST_CHARACTERS = 500_000


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_BREAKING = _names(
    "address article aside blockquote br caption center dd details div dl dt figure footer h1 h2 h3 h4 h5",
    "h6 header hr li main nav ol p section summary table tbody td tfoot th thead tr ul",
)
_DROPPED = _names(
    "applet audio button canvas embed figcaption head iframe map math noscript object pre script select style svg",
    "template textarea title video",
)
_INLINE = _names(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark meter q rp rt ruby s samp",
    "small span strike strong sub sup time tt u var wbr html body meta link form input picture source",
)
_KNOWN = "|".join(sorted(_BREAKING | _DROPPED | _INLINE, key=len, reverse=True))

_KNOWN_TAG = re.compile(rf"<(?:/?(?:{_KNOWN})(?=[\s/>])|!--|!\[CDATA\[)", re.IGNORECASE)
_OTHER_LESS_THAN = re.compile(rf"<(?!/?(?:{_KNOWN})[\s/>]|!--|!\[CDATA\[)", re.IGNORECASE)
_ESCAPED_TAG = re.compile(
    r"\s*&lt;(?:p|div|h[1-6]|figure|img|br|ul|ol|table|blockquote|section|article)\b", re.IGNORECASE
)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL)

# nh3 has closed every tag and quoted every value; in text it leaves no '<'.
_TAG = re.compile(r"<[^>\"]*(?:\"[^\"]*\"[^>\"]*)*>")
_IMAGE = re.compile(r"<img((?: [a-z-]+=\"[^\"]*\")*)>")
_ATTRIBUTE = re.compile(r" ([a-z-]+)=\"([^\"]*)\"")
# Where scripts that load pictures late keep the address; `src` is a placeholder then.
_SOURCES = ("data-lazy-src", "data-src", "data-original", "src")
_SETS = ("data-lazy-srcset", "data-srcset", "srcset")
_LONGEST_EMOJI = 12  # code points: a family of four, in skin tones

_KEPT = set(_BREAKING | {"img"})
_CLEANED = set(_DROPPED)
_ATTRIBUTES = {"img": {"alt", "width", "height", *_SOURCES, *_SETS}}
_SCHEMES = {"http", "https"}


@dataclass(frozen=True, slots=True)
class Image:
    """An <img> as it stands in the text: `src` perhaps relative, `width`, `height` and `srcset` as written."""

    src: str
    alt: str = ""
    width: str = ""
    height: str = ""
    srcset: str = ""


def read_html(source: str) -> tuple[str, tuple[Image, ...]]:
    """The text of an HTML fragment on one line, entities undone once, and its images in order.

    Scripts, styles, captions, code and embedded things go with their content; whatever breaks a line becomes a space,
    and a headline ends with a full stop. An emoji that was drawn as a picture is a letter again.
    """
    if "<" not in source:
        return " ".join(html.unescape(source[:_MOST_CHARACTERS]).split()), ()
    safe = nh3.clean(
        _bounded(_without_oddities(_CDATA.sub(r"\1", source))),
        tags=_KEPT,
        clean_content_tags=_CLEANED,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        strip_comments=True,
        link_rel=None,
    )
    images: list[Image] = []

    def letter(found: re.Match[str]) -> str:
        image = _image(found[1])
        if _is_emoji(image.alt):
            return image.alt
        if image.src or image.srcset:
            images.append(image)
        return " "

    text = html.unescape(_TAG.sub(" ", _IMAGE.sub(letter, _HEADLINE_END.sub(_full_stop, safe))))
    return " ".join(text.split()), tuple(images)


# Journals write JATS; the sanitizer takes its <sec> and <list> for MathML's and drops what is in them.
_JATS = re.compile(r"<(/?)(?:sec|list|(st))(?=[\s>])")
# Drupal writes title, user and date into the text, too.
_DRUPAL = re.compile(
    r"<span class=\"field field--name-(?:title|uid|created)[^>]*>(?:[^<]|<(?!/?span)|<span[^>]*>[^<]*</span>)*</span>"
)


def _without_oddities(source: str) -> str:
    if "field--name-" in source:
        source = _DRUPAL.sub(" ", source)
    if "<sec" in source or "<list" in source:
        source = _JATS.sub(lambda found: f"<{found[1]}{'h4' if found[2] else 'div'}", source)
    return source


_HEADLINE_END = re.compile(r"([\w)\"'”’»])\s*(</h[1-6]>)")


def _full_stop(found: re.Match[str]) -> str:
    return found[1] + ("。" if found[1] >= "\u3040" else ".") + found[2]


def was_escaped_twice(source: str) -> bool:
    """Whether what should be HTML is the text of HTML: it begins with an escaped element and has no other."""
    return "<" not in source and _ESCAPED_TAG.match(source) is not None


def plain(source: str) -> str:
    """The text of an HTML fragment on one line."""
    return read_html(source)[0]


def plain_if_marked_up(text: str) -> str:
    """The same for text that may or may not be HTML, as titles are: '<' counts as a tag only before an element's name.

    Entities are undone once in either case.
    """
    if not _KNOWN_TAG.search(text):
        return html.unescape(text)
    return plain(_OTHER_LESS_THAN.sub("&lt;", text))


def _bounded(source: str) -> str:
    parts = source[:_MOST_CHARACTERS].split("<", _MOST_TAGS)
    return "<".join(parts[:_MOST_TAGS])


def _image(attributes: str) -> Image:
    told = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(attributes)}
    return Image(
        src=next((told[name] for name in _SOURCES if told.get(name)), ""),
        alt=told.get("alt", ""),
        width=told.get("width", ""),
        height=told.get("height", ""),
        srcset=next((told[name] for name in _SETS if told.get(name)), ""),
    )


def _is_emoji(alt: str) -> bool:
    return 0 < len(alt) <= _LONGEST_EMOJI and unicodedata.category(alt[0]) in ("So", "Sk") and not alt.isascii()
