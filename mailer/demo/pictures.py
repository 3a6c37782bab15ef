"""The drawn pictures of the sample publication: calm shapes for its subjects, each article's its own."""

import math
import random
from collections.abc import Callable
from functools import cache

from mailer.demo.canvas import HEIGHT, WIDTH, Canvas, Curve, Spans


def _wave(height: float, swing: float, length: float, shift: float) -> Curve:
    return lambda x: height + swing * math.sin(x / length + shift)


def _below(curve: Curve, by: float) -> Curve:
    return lambda x: curve(x) + by


def _bar(left: float, right: float) -> Spans:
    return lambda _: [(left, right)]


def _glow(canvas: Canvas, x: float, y: float, r: float, tone: int) -> None:
    """Soft light around a point."""
    for step in range(16):
        canvas.disc(x, y, r * (1 - step / 16), tone, 4)


def cells(canvas: Canvas, chance: random.Random) -> None:
    """One large cell among smaller ones, each with its nucleus; the bright ones are the visitors."""
    x, y, r = chance.uniform(620, 760), chance.uniform(240, 320), chance.uniform(190, 225)
    _glow(canvas, x, y, r * 1.8, 150)
    canvas.blob(x, y, r, chance, 150, 60)
    canvas.blob(x, y, r * 0.93, chance, 120, 70)
    canvas.blob(x + r * 0.15, y - r * 0.08, r * 0.45, chance, 60, 70)
    canvas.disc(x + r * 0.22, y - r * 0.14, r * 0.13, 185, 70)
    for _ in range(16):
        turn, far = chance.uniform(0, math.tau), chance.uniform(1.25, 3.0)
        size = chance.uniform(16, 52)
        cx, cy = x + math.cos(turn) * r * far, y + math.sin(turn) * r * far * 0.75
        canvas.blob(cx, cy, size, chance, 165, 45)
        canvas.blob(cx, cy, size * 0.5, chance, 75, 55)
    for _ in range(9):
        turn = chance.uniform(math.pi * 0.55, math.pi * 1.6)
        canvas.disc(x + math.cos(turn) * r * 1.12, y + math.sin(turn) * r * 1.12, chance.uniform(9, 15), 255)


def microbes(canvas: Canvas, chance: random.Random) -> None:
    """Rods and grains in a slow current."""
    for _ in range(4):
        height, swing, shift = chance.uniform(60, 480), chance.uniform(20, 45), chance.uniform(0, math.tau)
        width = chance.uniform(50, 110)
        canvas.band(_wave(height, swing, 210, shift), _wave(height + width, swing, 170, shift), 120, 25)
    for _ in range(44):
        x, y, size = chance.uniform(-20, WIDTH), chance.uniform(-20, HEIGHT), chance.uniform(12, 34)
        tone, cover = chance.choice(((180, 55), (150, 60), (225, 60), (110, 70)))
        canvas.ellipse(x, y, size * 0.75, size * 1.5, tone, cover, lean=chance.uniform(-0.9, 0.9))
    for _ in range(26):
        canvas.disc(chance.uniform(0, WIDTH), chance.uniform(0, HEIGHT), chance.uniform(4, 9), 255)


def ribs(canvas: Canvas, chance: random.Random) -> None:
    """A chest from the front: arches on both sides of a bright line, lungs behind them."""
    middle = WIDTH / 2
    shift = chance.uniform(-12, 12)
    _glow(canvas, middle, 300, 420, 150)
    for side in (-1, 1):
        canvas.ellipse(middle + side * 150, 300 + shift, 118, 225, 200, 55, lean=side * 0.16)
        canvas.ellipse(middle + side * 158, 320 + shift, 82, 170, 228, 45, lean=side * 0.16)
    for i in range(7):
        y, reach = 70 + i * 66, 330 - abs(i - 3) * 22

        def arch(x: float, y: float = y, reach: float = reach) -> float:
            t = abs(x - middle) / reach
            return y + 60 * t * t if t < 1 else HEIGHT + 1.0

        canvas.band(arch, _below(arch, 17), 60, 62)
    canvas.fill(_bar(middle - 9, middle + 9), 30, 520, 244, 90)


def breath(canvas: Canvas, chance: random.Random) -> None:
    """Layers of air, and a sun or moon over them."""
    x, y = chance.uniform(220, 860), chance.uniform(110, 190)
    _glow(canvas, x, y, 330, 200)
    canvas.disc(x, y, chance.uniform(52, 74), 255)
    base, long = chance.uniform(170, 220), chance.uniform(150, 230)
    for i in range(6):
        phase, tall = chance.uniform(0, math.tau), chance.uniform(24, 46)

        def crest(at: float, i: int = i, phase: float = phase, tall: float = tall) -> float:
            return base + i * 62 + tall * math.sin(at / (long - i * 12) + phase) + 8 * math.sin(at / 61 + phase * 2)

        canvas.band(crest, lambda _: float(HEIGHT), (200, 165, 130, 95, 60, 30)[i], 62)


def two(canvas: Canvas, chance: random.Random) -> None:
    """Two bodies that overlap, and the vessel that joins them."""
    y, r = chance.uniform(262, 298), chance.uniform(178, 205)
    left, right = 536 - r * chance.uniform(0.52, 0.66), 536 + r * chance.uniform(0.52, 0.66)
    _glow(canvas, 536, y, 430, 160)
    for x, tone in ((left, 185), (right, 232)):
        canvas.disc(x, y, r, tone, 48)
        canvas.ring(x, y, r * 1.22, 3, 200, 60)
        canvas.ring(x, y, r * 1.42, 2, 190, 35)
    phase, swing = chance.uniform(0, math.tau), chance.uniform(36, 64)

    def vessel(x: float) -> float:
        return y + swing * math.sin(x / 150 + phase) * math.exp(-(((x - 536) / 520) ** 2))

    canvas.band(_below(vessel, -15), _below(vessel, 15), 45, 62)
    canvas.band(_below(vessel, -3), _below(vessel, 3), 255, 100)
    for x in (left, right):
        canvas.disc(x, vessel(x), 30, 45, 80)
        canvas.disc(x, vessel(x), 15, 255)


def seeds(canvas: Canvas, chance: random.Random) -> None:
    """A flower head: seeds on a spiral, from the light middle outwards."""
    x, y = chance.uniform(380, 700), chance.uniform(255, 305)
    _glow(canvas, x, y, 520, 150)
    golden, spread = math.pi * (3 - math.sqrt(5)), chance.uniform(19, 24)
    turn = chance.uniform(0, math.tau)
    for i in range(330, 0, -1):
        far = spread * math.sqrt(i)
        at = (x + far * math.cos(i * golden + turn), y + far * math.sin(i * golden + turn))
        size = 4.5 + far / 34
        bright = i % 13 == 0
        canvas.disc(*at, size, 255 if bright else (232, 205, 180, 150)[min(3, i // 85)], 100 if bright else 82)


def leaves(canvas: Canvas, chance: random.Random) -> None:
    """Stems with pairs of leaves that rise from below."""
    for layer, (tone, flower) in enumerate(((105, 105), (150, 150), (205, 255))):
        for stem in range(5):
            x = 90 + stem * 225 + layer * 70 + chance.uniform(-30, 30)
            top = 90 + layer * 80 + chance.uniform(-40, 60)
            canvas.ellipse(x, (top + HEIGHT) / 2 + 40, 3, (HEIGHT - top) / 2 + 40, tone, 85)
            for i in range(int((HEIGHT - top) / 58) + 1):
                size, down = 26 + i * 5, top + 20 + i * 58
                for side in (-1, 1):
                    canvas.ellipse(x + side * size, down, size * 0.62, size * 0.72, tone, 62, lean=-side * 0.75)
            canvas.disc(x, top, 9, flower, 90)


def crowd(canvas: Canvas, chance: random.Random) -> None:
    """A hundred and more people as dots, some of them marked: what a risk looks like."""
    across, down = 19, 9
    marked = set(chance.sample(range(across * down), chance.randint(7, 12)))
    for i in range(across * down):
        x, y = 86 + i % across * 50, 80 + i // across * 50
        if i in marked:
            canvas.disc(x, y, 28, 244, 16)
        canvas.disc(x, y, 16, 255 if i in marked else 155, 100 if i in marked else 55)


def shield(canvas: Canvas, chance: random.Random) -> None:
    """Rings of defence around a core; what comes from outside stays outside."""
    x, y = chance.uniform(300, 420), chance.uniform(300, 360)
    for i in range(9, 0, -1):
        canvas.disc(x, y, 60 + i * 58, (95, 120, 145, 165, 180, 192, 204, 216, 228)[9 - i], 30)
    canvas.disc(x, y, 74, 244, 90)
    canvas.blob(x, y, 34, chance, 90, 70)
    for _ in range(30):
        turn, far = chance.uniform(-1.25, 0.75), chance.uniform(330, 860)
        dot = (x + far * math.cos(turn), y + far * math.sin(turn))
        size = chance.uniform(8, 20)
        canvas.ring(*dot, size + 9, 3, 255, 70)
        canvas.disc(*dot, size, 40, 80)


def path(canvas: Canvas, chance: random.Random) -> None:
    """Columns of days that rise and fall, and a bright line through them that ends before they do."""
    count, gap = 26, WIDTH / 26
    phase, stop = chance.uniform(0, math.tau), chance.randint(15, 19)

    def height(i: float) -> float:
        return 330 - 130 * math.sin(i / 7 + phase) - 26 * math.sin(i * 1.7 + phase)

    for i in range(count):
        left, right, top = i * gap + 7, (i + 1) * gap - 7, height(i)
        canvas.fill(_bar(left, right), top, HEIGHT, 150 if i <= stop else 105, 60)
    for i in range(stop * 6):
        canvas.disc((i / 6 + 0.5) * gap, height(i / 6) - 36, 5, 244, 90)
    canvas.ring((stop + 0.5) * gap, height(stop) - 36, 26, 3, 255, 90)
    canvas.disc((stop + 0.5) * gap, height(stop) - 36, 14, 255, 100)


MOTIFS: dict[str, Callable[[Canvas, random.Random], None]] = {
    motif.__name__: motif for motif in (cells, microbes, ribs, breath, two, seeds, leaves, crowd, shield, path)
}


@cache
def draw(motif: str, ramp: str, seed: int) -> bytes:
    """The PNG of one picture, WIDTH × HEIGHT. The same arguments give the same bytes."""
    chance = random.Random(seed)  # noqa: S311 - a drawing, not a secret
    canvas = Canvas(top=chance.randint(18, 40), bottom=chance.randint(62, 92))
    MOTIFS[motif](canvas, chance)
    return canvas.png(ramp)
