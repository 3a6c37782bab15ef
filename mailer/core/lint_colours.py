"""Whether a mail's text can be read: its contrast, computed in light and dark, and its size."""

from collections.abc import Iterator
from functools import lru_cache

from mailer.core.colour import READABLE, contrast
from mailer.core.lint_page import Page, Run
from mailer.core.lint_rules import Finding, more_places, shown
from mailer.core.lint_sheet import Look
from mailer.core.lint_style import Style, looks, styles

LARGE_READABLE = 3.0  # WCAG 2.2, 1.4.3: for large text
_LARGE, _LARGE_BOLD = 24, 18.66  # pixels: 18 and 14 points
SMALLEST, FAR_TOO_SMALL = 14, 11.5  # pixels

_contrast = lru_cache(maxsize=1024)(contrast)


def visible(page: Page, style: list[Style]) -> Iterator[Run]:
    """The runs that a reader sees, blank ones among them."""
    return (run for run in page.runs if not style[run.element.number].hidden)


def readable(page: Page, light: list[Style]) -> Iterator[Finding]:
    """Contrast in each look that the mail has, and the size of text. `light`: its styles in light."""
    for look in looks(page):
        yield from _contrasts(page, light if look == "light" else styles(page, look), look)
    phone = styles(page, "phone") if any("max-width" in css for _, css in page.styles) else light
    yield from _sizes(page, light, phone)


def _contrasts(page: Page, style: list[Style], look: Look) -> Iterator[Finding]:
    """One finding for each pair of colours, at its first place, with the most that is needed at any."""
    places: dict[tuple[str, str], list[Run]] = {}
    needed: dict[tuple[str, str], float] = {}
    for run in visible(page, style):
        seen = style[run.element.number]
        if not seen.colour or not seen.ground:
            continue
        large = seen.size >= (_LARGE_BOLD if seen.bold else _LARGE)
        wanted = LARGE_READABLE if large else READABLE
        if _contrast(seen.colour, seen.ground) < wanted and any(map(str.isalnum, run.text)):
            pair = (seen.colour, seen.ground)
            places.setdefault(pair, []).append(run)
            needed[pair] = max(wanted, needed.get(pair, 0))
    for (colour, ground), runs in places.items():
        yield Finding(
            "contrast",
            "error",
            f"HTML line {runs[0].line}",
            f"in {look}, {shown(runs[0].text)} is {colour} on {ground}{more_places(len(runs) - 1)}: a contrast of "
            f"{int(_contrast(colour, ground) * 100) / 100:.2f} where {needed[colour, ground]} is needed; "
            "choose a colour further from its ground.",
        )


def _sizes(page: Page, light: list[Style], phone: list[Style]) -> Iterator[Finding]:
    places: dict[float, list[Run]] = {}
    for run in visible(page, light):
        size = min(light[run.element.number].size, phone[run.element.number].size)
        if size < SMALLEST and any(map(str.isalnum, run.text)):
            places.setdefault(size, []).append(run)
    for size, runs in places.items():
        yield Finding(
            "text-size",
            "error" if size < FAR_TOO_SMALL else "warning",
            f"HTML line {runs[0].line}",
            f"{shown(runs[0].text)} is {size:.4g} px high{more_places(len(runs) - 1)}; "
            f"{SMALLEST} px can be read without zooming.",
        )
