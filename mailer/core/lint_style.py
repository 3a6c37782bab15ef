"""What an element of a mail looks like: the cascade of attributes, style elements and style attributes, for each look.

| look | which @media blocks apply |
|---|---|
| `light` | none but `prefers-color-scheme:light` |
| `dark` | `prefers-color-scheme:dark` |
| `phone` | `max-width` |
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from mailer.core.lint_page import Element, Page
from mailer.core.lint_sheet import Look, Sheet

_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\Z", re.IGNORECASE)
_RGB = re.compile(r"rgba?\(\s*(\d+)\s*[, ]\s*(\d+)\s*[, ]\s*(\d+)\s*(?:[,/]\s*(0|1|0?\.\d+|\d+%)\s*)?\)\Z")
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(px|pt|em|rem|%)?\Z")
_NAMES_OF_COLOURS = (
    "black:000000 silver:C0C0C0 gray:808080 grey:808080 white:FFFFFF maroon:800000 red:FF0000 purple:800080 "
    "fuchsia:FF00FF green:008000 lime:00FF00 olive:808000 yellow:FFFF00 navy:000080 blue:0000FF teal:008080 "
    "aqua:00FFFF orange:FFA500 darkgray:A9A9A9 darkgrey:A9A9A9 dimgray:696969 dimgrey:696969 lightgray:D3D3D3 "
    "lightgrey:D3D3D3 gainsboro:DCDCDC whitesmoke:F5F5F5 snow:FFFAFA ivory:FFFFF0"
)
_NAMED = {name: f"#{value}" for name, _, value in (pair.partition(":") for pair in _NAMES_OF_COLOURS.split())}
_KEYWORD_SIZES = {"xx-small": 9, "x-small": 10, "small": 13, "medium": 16, "large": 18, "x-large": 24, "xx-large": 32}
_FONT_SIZES = {"1": 10, "2": 13, "3": 16, "4": 18, "5": 24, "6": 32, "7": 48}  # of <font size>
_TAG_SIZES = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h5": 0.83, "h6": 0.67, "small": 0.83, "sub": 0.83, "sup": 0.83}
_BOLD_TAGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "b", "strong", "th"})
_BOLD = 600  # font-weight
_PX = {"px": 1.0, "pt": 4 / 3, "rem": 16.0, None: 1.0}


@dataclass(frozen=True, slots=True)
class Style:
    """As it is seen. `colour`, `ground`: '#RRGGBB', '' where they can't be told. `size`: of the text, pixels."""

    colour: str
    ground: str
    size: float = 16
    bold: bool = False
    hidden: bool = False


# Of a mail that says nothing: a browser's own colours. A dark ground only where the mail says that it can be dark.
_PAPER: Mapping[Look, tuple[Style, str]] = {
    "light": (Style("#000000", "#FFFFFF"), "#0000EE"),
    "phone": (Style("#000000", "#FFFFFF"), "#0000EE"),
    "dark": (Style("#FFFFFF", "#121212"), "#9E9EFF"),
}


def styles(page: Page, look: Look) -> list[Style]:
    """The style of each element, by its number."""
    sheet = Sheet([css for _, css in page.styles], look)
    paper, link = _PAPER[look]
    found = [paper]
    for element in page.elements[1:]:
        above = found[element.parent.number] if element.parent else paper
        found.append(_resolved(element, above, sheet.declared(element), link))
    return found


def looks(page: Page) -> tuple[Look, ...]:
    """Light, and dark where the mail speaks of it: what else becomes of it in the dark is the mail program's doing."""
    speaks = any("prefers-color-scheme" in css for _, css in page.styles) or any(
        "dark" in meta.attributes.get("content", "") for meta in page.named("meta") if _is_colour_scheme(meta)
    )
    return ("light", "dark") if speaks else ("light",)


def _is_colour_scheme(meta: Element) -> bool:
    return meta.attributes.get("name", "").lower() in ("color-scheme", "supported-color-schemes")


def _resolved(element: Element, above: Style, declared: Mapping[str, str], link: str) -> Style:
    attributes = element.attributes
    bold = above.bold or element.tag in _BOLD_TAGS
    size = above.size * _TAG_SIZES.get(element.tag, 1)
    colour, ground = above.colour, _over(attributes.get("bgcolor", ""), above.ground)
    if element.tag == "a" and "href" in attributes:
        colour = link
    elif element.tag == "font":
        colour, size = _over(attributes.get("color", ""), colour), _FONT_SIZES.get(attributes.get("size", ""), size)
    elif element.tag == "body":
        colour = _over(attributes.get("text", ""), colour)
    if not declared:
        return replace(above, colour=colour, ground=ground, size=size, bold=bold, hidden=_hides(element, above))
    if "background-color" in declared:
        ground = _over(_colour_in(declared["background-color"]), ground)
    if "color" in declared:
        value = declared["color"]
        colour = above.colour if value in ("inherit", "currentcolor") else _over(value, ground if "(" in value else "")
    size = _size(declared.get("font-size", ""), above.size, size)
    weight = declared.get("font-weight", "")
    bold = (weight == "bold" or (weight.isdecimal() and int(weight[:4]) >= _BOLD)) if weight else bold
    if "font" in declared:
        bold = bool(re.search(r"\b(?:bold|[6-9]00)\b", declared["font"]))
        size = max(_size(word.partition("/")[0], above.size, 0) for word in f"{declared['font']} 0".split()) or size
    return Style(colour, ground, size, bold, hidden=_hides(element, above) or _is_hidden(declared))


def _hides(element: Element, above: Style) -> bool:
    return above.hidden or "hidden" in element.attributes or element.tag in ("head", "noscript")


def _is_hidden(declared: Mapping[str, str]) -> bool:
    cut = "hidden" in declared.get("overflow", "") and any(
        re.fullmatch(r"[01](?:px)?", declared.get(name, "")) for name in ("max-height", "height")
    )
    return (
        declared.get("display") == "none"
        or declared.get("visibility") == "hidden"
        or re.fullmatch(r"0?\.?0+", declared.get("opacity", "")) is not None
        or cut
    )


def _size(value: str, above: float, otherwise: float) -> float:
    if value in _KEYWORD_SIZES:
        return _KEYWORD_SIZES[value]
    if value in ("smaller", "larger"):
        return above * (5 / 6 if value == "smaller" else 6 / 5)
    found = _SIZE.match(value)
    if not found:
        return otherwise
    number = float(found[1][:12])
    if found[2] in ("em", "%"):
        return above * number / (1 if found[2] == "em" else 100)
    return number * _PX[found[2]]


def _colour_in(background: str) -> str:
    """The colour of a background's shorthand; of one that has a picture, what is seen without it."""
    for word in re.findall(r"rgba?\([^)]*\)|\w+\([^)]*\)|[^\s()]+", background):
        if word.startswith(("#", "rgb")) or word in _NAMED or word == "transparent":
            return str(word)
    return "transparent" if re.match(r"none|url\(|inherit|initial|unset", background) else background


@lru_cache(maxsize=1024)
def _over(value: str, ground: str) -> str:
    """A colour as '#RRGGBB', seen on its ground; the ground itself where none is named, '' where it can't be told."""
    value = value.strip().lower()
    if value in ("", "transparent", "inherit", "initial", "unset", "none"):
        return ground
    if value in _NAMED:
        return _NAMED[value]
    if re.fullmatch("[0-9a-f]{6}", value):  # bgcolor takes it so
        value = f"#{value}"
    if _HEX.match(value):
        digits = value[1:] if len(value) > 5 else "".join(2 * digit for digit in value[1:])  # noqa: PLR2004 of #RGBA
        channels = [int(digits[at : at + 2], 16) for at in range(0, len(digits), 2)]
        return _blended(channels[:3], channels[3] / 255 if len(channels) > 3 else 1, ground)  # noqa: PLR2004 with alpha
    rgb = _RGB.match(value)
    if rgb is None:
        return ""
    share = rgb[4] or "1"
    alpha = float(share[:-1]) / 100 if share.endswith("%") else float(share)
    return _blended([min(int(channel[:4]), 255) for channel in rgb.groups()[:3]], alpha, ground)


def _blended(channels: Sequence[int], alpha: float, ground: str) -> str:
    if alpha < 1:
        if not ground:
            return ""
        below = [int(ground[at : at + 2], 16) for at in (1, 3, 5)]
        channels = [round(one * alpha + other * (1 - alpha)) for one, other in zip(channels, below, strict=True)]
    return "#" + "".join(f"{channel:02X}" for channel in channels)
