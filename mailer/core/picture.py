"""Which picture stands for an article, and where it is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

_LINK_LIMIT = 2_000
_SMALLEST = 50  # pixels: below are counters, spacers and icons
LARGEST = 20_000
"""Pixels of a side: more is a slip of the source, or a bomb for the program that shows it."""
_LEAD_WIDTH = 536  # look.md §3, as are shape and kind: what differs is not shown
_SHARP_WIDTH = 1_072  # fills the lead on a screen with two dots a pixel; more is only longer to load
_SHOWN = ("image/jpeg", "image/png")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an article. Width and height are pixels, 0 where the source doesn't say."""

    url: str
    alt: str = ""
    width: int = 0
    height: int = 0
    media_type: str = ""


def absolute(address: str, base: str = "") -> str:
    """An http or https URL, resolved against `base` and fit to be printed; '' where it is no such address."""
    bare = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", "", address).strip()
    if not bare:
        return ""
    try:
        parts = urlsplit(urljoin(base, bare))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            return ""
    except ValueError:
        return ""
    if re.search(r"[\s<>\"'\\^`{|}]", parts.netloc):
        return ""
    # A link ends at the first space where a mail program finds it by itself; parameters stay as they are.
    path, query, fragment = (quote(part, safe="!#$%&'()*+,/:;=?@[]~") for part in parts[2:])
    url = parts._replace(path=path, query=query, fragment=fragment).geturl()
    return url if len(url) <= _LINK_LIMIT else ""


def pixels(written: str) -> int:
    """'640' and '640px' are 640; everything else is unknown: 0."""
    found = re.fullmatch(r"\s*(\d{1,5})(?:\.0+)?\s*(?:px)?\s*", written, re.IGNORECASE | re.ASCII)
    size = int(found[1]) if found else 0
    return size if size <= LARGEST else 0


def may_be_lead(picture: Picture) -> bool:
    """Whether a digest would show it, were its size known and right; where it leads is not looked at."""
    return not (picture.width and picture.height) and picture.media_type in ("", "image/jpg", *_SHOWN)


def in_srcset(picture: Picture, srcset: str) -> Picture:
    """The one of a picture's sizes (HTML's `srcset`) that suits a lead: sharp where there is one, else the largest.

    Its own width and height, where both are known, tell the shape, which all sizes share.
    """
    offered = [Picture(url, width=pixels(width)) for url, width in _CANDIDATE.findall(srcset)]
    if picture.url and (picture.width or not offered):
        offered.append(picture)
    best = best_size_first(offered)[0] if offered else picture
    if not (picture.width and picture.height and best.width):
        return replace(picture, url=best.url, width=0, height=0) if best.url != picture.url else picture
    return replace(picture, url=best.url, width=best.width, height=round(best.width * picture.height / picture.width))


def best_size_first(pictures: Iterable[Picture]) -> list[Picture]:
    """One picture in several sizes: the smallest that is sharp first, then from the largest down, unknown ones last."""
    return sorted(pictures, key=lambda picture: (picture.width < _SHARP_WIDTH, abs(picture.width - _SHARP_WIDTH)))


def choose(pictures: Iterable[Picture], base: str) -> Picture | None:
    """The first that can be a lead as it is; else that is wide enough; else that may be one, were its size known.

    Else the first; None without any.

    What is said of one address in several places is joined.
    """
    found: dict[str, Picture] = {}
    for picture in pictures:
        url = absolute(picture.url, base)
        if not url or _is_tiny(picture) or _NO_PICTURE.search(url):
            continue
        seen = found.setdefault(url, Picture(url, media_type=_media_type(picture, url)))
        sized = seen if seen.width and seen.height else replace(seen, width=picture.width, height=picture.height)
        found[url] = replace(sized, alt=seen.alt or picture.alt)
    return min(found.values(), key=_rank, default=None)


def _rank(picture: Picture) -> int:
    if picture.width < _LEAD_WIDTH or not picture.height:
        return 2 if may_be_lead(picture) else 3
    shaped = 4 * picture.height <= 3 * picture.width and picture.width <= 2 * picture.height
    return 0 if shaped and picture.media_type in _SHOWN and picture.url.startswith("https:") else 1


_CANDIDATE = re.compile(r"(\S+)\s+(\d{1,5})w\s*(?:,|\Z)")
# Faces beside a name, letters drawn as pictures, counters, and the buttons of services.
_NO_PICTURE = re.compile(
    r"gravatar\.com/(?:avatar|blavatar)/|/images/core/emoji/|/wp-includes/images/smilies/|/twemoji/"
    r"|//(?:pixel|stats)\.(?:wp|wordpress)\.com/|/medium\.com/_/stat|//feeds\.feedburner\.com/~|/wp-content/plugins/"
    r"|//(?:www\.)?(?:google-analytics|facebook|paypal(?:objects)?)\.com/",
    re.IGNORECASE,
)


def _is_tiny(picture: Picture) -> bool:
    return 0 < picture.width < _SMALLEST or 0 < picture.height < _SMALLEST


_KINDS = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "svg": "image/svg+xml",
}


def _media_type(picture: Picture, url: str) -> str:
    said = picture.media_type.partition(";")[0].strip().lower()
    if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,80}", said):
        return said
    return _KINDS.get(urlsplit(url).path.rpartition(".")[2].lower(), "")
