"""The colours of mails and pages, and how an operator's accent is made readable on them.

Every pair of text and ground has a contrast of 4.5 or more (WCAG 2.2, 1.4.3), in light and in dark.
"""

import colorsys
from dataclasses import dataclass, replace

READABLE = 4.5
_GREY = 24  # channels this close to each other carry no hue worth keeping


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by their use, each '#RRGGBB'. Text colours stand on canvas and tint, `controls` only edges fields."""

    canvas: str
    tint: str
    text: str
    muted: str
    accent: str
    error: str
    ok: str
    warn: str
    controls: str
    hairline: str


LIGHT = Palette(
    canvas="#FFFFFF",
    tint="#F3F5F6",
    text="#1A1D20",
    muted="#545B62",
    accent="#0B5F6B",
    error="#B3261E",
    ok="#1B6B3A",
    warn="#7A5200",
    controls="#78818A",
    hairline="#D3D8DC",
)
DARK = Palette(
    canvas="#16191C",
    tint="#21262A",
    text="#E8EBED",
    muted="#A7B0B8",
    accent="#129DB0",
    error="#FF9A90",
    ok="#7FD39C",
    warn="#E9B755",
    controls="#838D96",
    hairline="#3A4147",
)


def with_accent(palette: Palette, accent: str) -> Palette:
    """The palette with the operator's accent, '#RRGGBB', made readable on its canvas and tint.

    Hue and saturation stay; lightness goes down on a light ground and up on a dark one, 1 % at a time.
    An accent without a hue becomes the colour of text.
    """
    channels = _channels(accent)
    if max(channels) - min(channels) <= _GREY:
        return replace(palette, accent=palette.text)
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in channels))
    step = -0.01 if luminance(palette.canvas) > luminance(palette.text) else 0.01
    found = accent.upper()
    while min(contrast(found, palette.canvas), contrast(found, palette.tint)) < READABLE:
        lightness = min(1.0, max(0.0, lightness + step))
        found = "#" + "".join(f"{round(c * 255):02X}" for c in colorsys.hls_to_rgb(hue, lightness, saturation))
    return replace(palette, accent=found)


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2, 'contrast ratio')."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of '#RRGGBB', 0 to 1 (WCAG 2.2, 'relative luminance')."""
    linear = (c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in _channels(colour))  # noqa: PLR2004 - the figures of the standard's formula
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
