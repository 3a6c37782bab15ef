"""How large a picture is and of what kind, read from its first bytes; nothing is decoded.

A size of (0, 0) is unknown: not enough bytes, broken, of no kind that is known, or beyond what a digest could show.
"""

from collections.abc import Callable
from typing import Literal

from mailer.core.picture import LARGEST

Size = tuple[int, int]
_UNKNOWN = (0, 0)

# ITU-T T.81 table B.1: frames of every process; between them are DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # the same: markers without a segment
_END, _SCAN, _APP1 = 0xD9, 0xDA, 0xE1
_FILL = 0xFF  # T.81 §B.1.1.2: as many as one likes before a marker

_ORIENTATION, _SHORT = 0x0112, 3  # Exif 2.32 §4.6.4; TIFF 6.0 §2, types
_SIDEWAYS = range(5, 9)  # orientations whose rows are shown as columns


def size_of(data: bytes) -> Size:
    """(width, height) in pixels as the picture is shown, of a JPEG, PNG, GIF or WebP; never raises."""
    _, read = _format(data)
    width, height = read(data)
    return (width, height) if 0 < width <= LARGEST and 0 < height <= LARGEST else _UNKNOWN


def kind_of(data: bytes) -> str:
    """The media type that the bytes begin like, whatever a server or an address calls them; '' where unknown."""
    return _format(data)[0]


def _format(data: bytes) -> tuple[str, Callable[[bytes], Size]]:
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", _jpeg
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png", _png
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif", _gif
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp", _webp
    return "", lambda _: _UNKNOWN


def _jpeg(data: bytes) -> Size:
    """ITU-T T.81 §B.2.2: the first frame header. Before it come segments of any kind."""
    at, sideways = 2, False
    while at + 4 <= len(data) and data[at] == _FILL:
        marker = data[at + 1]
        if marker == _FILL:
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        length = _number(data[at + 2 : at + 4], "big")
        segment = data[at + 4 : at + 2 + length]
        if marker in _FRAMES:
            height, width = _number(segment[1:3], "big"), _number(segment[3:5], "big")
            whole = len(segment) >= 6  # noqa: PLR2004 P, Y, X, Nf
            return ((height, width) if sideways else (width, height)) if whole else _UNKNOWN
        if marker in (_END, _SCAN) or length < 2:  # noqa: PLR2004 its own two bytes count
            return _UNKNOWN
        sideways = sideways or (marker == _APP1 and _is_sideways(segment))
        at += 2 + length
    return _UNKNOWN


def _is_sideways(segment: bytes) -> bool:
    """Exif 2.32 §4.5.4: a TIFF file in an APP1 segment. TIFF 6.0 §2: its first directory, twelve bytes an entry."""
    order = _BYTE_ORDER.get(segment[6:10])
    if not segment.startswith(b"Exif\0\0") or order is None:
        return False
    tiff = segment[6:]
    first = _number(tiff[4:8], order)
    for number in range(_number(tiff[first : first + 2], order)):
        entry = tiff[first + 2 + 12 * number : first + 14 + 12 * number]
        if len(entry) < 12:  # noqa: PLR2004 it was cut off
            return False
        if _number(entry[:2], order) == _ORIENTATION:
            return _number(entry[2:4], order) == _SHORT and _number(entry[8:10], order) in _SIDEWAYS
    return False


def _png(data: bytes) -> Size:
    """W3C PNG §11.2.1: IHDR is the first chunk, after a signature of eight bytes."""
    if data[8:16] != b"\x00\x00\x00\x0dIHDR" or len(data) < 24:  # noqa: PLR2004 the end of the height
        return _UNKNOWN
    return _number(data[16:20], "big"), _number(data[20:24], "big")


def _gif(data: bytes) -> Size:
    """GIF89a §18: the logical screen."""
    return (_number(data[6:8]), _number(data[8:10])) if len(data) >= 10 else _UNKNOWN  # noqa: PLR2004


def _webp(data: bytes) -> Size:
    """RFC 9649 §2.5–2.7: the first chunk tells which of three kinds."""
    if len(data) < 30:  # noqa: PLR2004 the longest of the three headers
        return _webp_lossless(data) if data[12:16] == b"VP8L" else _UNKNOWN
    match data[12:16]:
        case b"VP8 " if not data[20] & 1 and data[23:26] == b"\x9d\x01\x2a":  # RFC 6386 §9.1: a key frame
            return _number(data[26:28]) & 0x3FFF, _number(data[28:30]) & 0x3FFF
        case b"VP8L":
            return _webp_lossless(data)
        case b"VP8X":  # §2.7.1: both less one
            return _number(data[24:27]) + 1, _number(data[27:30]) + 1
    return _UNKNOWN


def _webp_lossless(data: bytes) -> Size:
    """RFC 9649 §3.4: fourteen bits each, less one."""
    if len(data) < 25 or data[20] != 0x2F:  # noqa: PLR2004 the end of the header
        return _UNKNOWN
    bits = _number(data[21:25])
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


_BYTE_ORDER: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}


def _number(data: bytes, order: Literal["little", "big"] = "little") -> int:
    return int.from_bytes(data, order)
