"""A canvas that draws PNG pictures with the standard library alone.

A picture is one plane of tones (a byte per pixel). Shapes are blended into it row by row, and a palette of 256
colours turns tones into the look's colours at the end. So everything is quick, smooth at its edges, and small.
"""

import math
import random
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache

WIDTH, HEIGHT = 1072, 560  # twice the 536 × 280 of a digest, for dense screens

# Dark to light; the last stop is the accent that only the brightest marks reach.
RAMPS = {
    "teal": ("#08363D", "#0B5F6B", "#2A8A96", "#8FC4C9", "#F3F5F6", "#E9B755"),
    "sea": ("#0A2B3D", "#0B4F6B", "#129DB0", "#8CCBD6", "#F3F5F6", "#7FD39C"),
    "leaf": ("#0C3320", "#1B6B3A", "#4E9C68", "#A9D3B5", "#F3F5F6", "#E9B755"),
    "rose": ("#3C1518", "#83302B", "#B9605A", "#E2B1AB", "#F6F1EF", "#129DB0"),
    "sand": ("#38290A", "#7A5200", "#B98D3A", "#DFC79A", "#F6F3EC", "#0B5F6B"),
    "slate": ("#16191C", "#3A4147", "#78818A", "#B7BEC4", "#F3F5F6", "#E9B755"),
}
_STOPS = (0, 70, 120, 180, 232, 255)
_SUB = 4  # lines looked at inside one row of pixels, for smooth edges

Spans = Callable[[float], Sequence[tuple[float, float]]]
Curve = Callable[[float], float]


@cache
def _blend(tone: int, percent: int) -> bytes:
    """For each tone below, the tone that results when `tone` covers it by `percent`."""
    return bytes((below * (100 - percent) + tone * percent + 50) // 100 for below in range(256))


class Canvas:
    """A plane of tones, 0 (darkest) to 255, with shapes to blend into it. Lengths in pixels, `cover` in per cent."""

    def __init__(self, top: int, bottom: int) -> None:
        steps = (top + (bottom - top) * y // (HEIGHT - 1) for y in range(HEIGHT))
        self.rows = [bytearray([tone]) * WIDTH for tone in steps]

    def fill(self, spans: Spans, y0: float, y1: float, tone: int, cover: int = 100) -> None:
        """Blend a shape in. `spans(y)` gives its stretches (x from, x to) at height y, always as many of them."""
        for y in range(max(0, math.floor(y0)), min(HEIGHT, math.ceil(y1))):
            lines = [spans(y + (i + 0.5) / _SUB) for i in range(_SUB)]
            for stretch in zip(*lines, strict=True):
                _fill_row(self.rows[y], stretch, tone, cover)

    def disc(self, x: float, y: float, r: float, tone: int, cover: int = 100) -> None:
        self.ellipse(x, y, r, r, tone, cover)

    def ellipse(self, x: float, y: float, rx: float, ry: float, tone: int, cover: int = 100, lean: float = 0) -> None:
        """`lean`: how far the shape shears sideways per pixel down."""

        def spans(at: float) -> list[tuple[float, float]]:
            t = 1 - ((at - y) / ry) ** 2
            half = rx * math.sqrt(t) if t > 0 else 0
            middle = x + lean * (at - y)
            return [(middle - half, middle + half)]

        self.fill(spans, y - ry, y + ry, tone, cover)

    def ring(self, x: float, y: float, r: float, width: float, tone: int, cover: int = 100) -> None:
        """A circle of radius `r` to the outer edge, `width` thick."""
        inner = r - width

        def spans(at: float) -> list[tuple[float, float]]:
            outside, inside = r * r - (at - y) ** 2, inner * inner - (at - y) ** 2
            far = math.sqrt(outside) if outside > 0 else 0
            near = math.sqrt(inside) if inside > 0 else 0
            return [(x - far, x - near), (x + near, x + far)]

        self.fill(spans, y - r, y + r, tone, cover)

    def blob(self, x: float, y: float, r: float, chance: random.Random, tone: int, cover: int = 100) -> None:
        """A cell's outline: a circle that breathes in and out a little, never twice alike."""
        waves = [(k, chance.uniform(0.02, 0.075) / k * 2, chance.uniform(0, math.tau)) for k in (2, 3, 5)]

        def reach(angle: float) -> float:
            return r * (1 + sum(size * math.sin(k * angle + shift) for k, size, shift in waves))

        def spans(at: float) -> list[tuple[float, float]]:
            dy = max(-1.0, min(1.0, (at - y) / r))
            half = math.sqrt(1 - dy * dy)
            left, right = reach(math.atan2(dy, -half)), reach(math.atan2(dy, half))
            return [(x - half * left, x + half * right)]

        self.fill(spans, y - r, y + r, tone, cover)

    def band(self, upper: Curve, lower: Curve, tone: int, cover: int) -> None:
        """Everything between two curves y(x), from edge to edge: waves, vessels, breath."""
        plane = bytearray().join(self.rows)
        table = _blend(tone, cover)
        for x in range(WIDTH):
            top, low = max(0.0, upper(x + 0.5)), min(float(HEIGHT), lower(x + 0.5))
            if low <= top:
                continue
            first, last = math.ceil(top), math.floor(low)
            if first < last:
                column = slice(first * WIDTH + x, (last - 1) * WIDTH + x + 1, WIDTH)
                plane[column] = plane[column].translate(table)
            for row, part in ((first - 1, first - top), (last, low - last)):
                if part > 0 and 0 <= row < HEIGHT:
                    at = row * WIDTH + x
                    plane[at] = _blend(tone, round(cover * part))[plane[at]]
        self.rows = [plane[y * WIDTH : (y + 1) * WIDTH] for y in range(HEIGHT)]

    def png(self, ramp: str) -> bytes:
        """The picture as a PNG with a palette of 256 colours."""
        raw = b"".join(b"\0" + row for row in self.rows)
        return _png(raw, _palette(RAMPS[ramp]))


def _fill_row(row: bytearray, stretch: Sequence[tuple[float, float]], tone: int, cover: int) -> None:
    """Blend one stretch of one row: whole pixels at once, the pixels at its ends by the part that is covered."""
    starts, ends = [max(0.0, a) for a, _ in stretch], [min(float(WIDTH), b) for _, b in stretch]
    first, last = math.floor(min(starts)), math.ceil(max(ends))
    if last <= first:
        return
    whole_from, whole_to = math.ceil(max(starts)), math.floor(min(ends))
    edges: Iterable[int] = range(first, last)
    if whole_from < whole_to:
        row[whole_from:whole_to] = row[whole_from:whole_to].translate(_blend(tone, cover))
        edges = (*range(first, whole_from), *range(whole_to, last))
    lines = list(zip(starts, ends, strict=True))
    for x in edges:
        part = 0.0
        for start, end in lines:
            # Where the time of a drawing goes: a call of min() or max() would be the larger half of it.
            inside = (end if end < x + 1 else x + 1) - (start if start > x else x)  # noqa: FURB136 - see above
            part += inside if inside > 0 else 0  # noqa: FURB136 - the same
        percent = round(cover * part / _SUB)
        row[x] = (row[x] * (100 - percent) + tone * percent + 50) // 100


def _palette(ramp: Sequence[str]) -> bytes:
    """256 colours, evenly between the stops of a ramp."""
    colours = [bytes.fromhex(stop[1:]) for stop in ramp]
    table = bytearray()
    for low, high, dark, light in zip(_STOPS, _STOPS[1:], colours, colours[1:], strict=False):
        for tone in range(low, high):
            table += bytes(a + (b - a) * (tone - low) // (high - low) for a, b in zip(dark, light, strict=True))
    return bytes(table + colours[-1])


def _png(raw: bytes, palette: bytes) -> bytes:
    """PNG (ISO/IEC 15948): 8 bits a pixel, colour type 3, one IDAT."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    parts = (
        chunk(b"IHDR", header),
        chunk(b"PLTE", palette),
        chunk(b"IDAT", zlib.compress(raw, 6)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
