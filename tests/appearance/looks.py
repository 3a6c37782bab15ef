"""A mail in Chromium, as different readers see it: the looks, what is wrong with each, and screenshots for people."""

import base64
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, Route

from mailer.demo.pictures import draw

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--font-render-hinting=none"),
)
PAINTED = 3.0  # contrast that pixels must show: thin letters never reach their own colour
STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL)
SCHEME = re.compile(r'<meta name="(supported-)?color-schemes?"[^>]*>')
FRAME = re.compile(r'<div [^>]*role="article".*</div>', re.DOTALL)
DIRECTION = re.compile(r' dir="(rtl|ltr|auto)"')
INVERTED = (
    "<style>html{filter:invert(1) hue-rotate(180deg);background:#fff}img{filter:invert(1) hue-rotate(180deg)}</style>"
)


def unchanged(html: str) -> str:
    return html


def without_style(html: str) -> str:
    """As a mail program shows it that drops style elements, those of the conditional comments too."""
    return STYLE.sub("", html)


def without_scheme(html: str) -> str:
    """As it is where a mail program doesn't hear of `color-scheme`, and so recolours."""
    return SCHEME.sub("", without_style(html))


def in_webmail(html: str) -> str:
    """The frame alone inside a page of somebody else's: no head, no style element, no `dir` (GMX)."""
    inner = DIRECTION.sub("", FRAME.search(without_scheme(html))[0])
    page = "body{margin:0;font:13px/1.2 Arial;color:#222;background:#fff}p{margin:1em 0}table{font-size:13px}"
    return f"<!DOCTYPE html><html lang='en'><head><style>{page}</style></head><body>{inner}</body></html>"


def inverted(html: str) -> str:
    return without_style(html).replace("</head>", f"{INVERTED}</head>")


@dataclass(frozen=True, slots=True)
class Look:
    """How a mail is looked at. `width`: of the window, in pixels of the page. `forced`: the mail program recolours,
    which styles don't tell and pixels do: 'darkened' or 'inverted'."""

    width: int = 800
    scale: float = 1
    dark: bool = False
    images: bool = True
    change: Callable[[str], str] = unchanged
    forced: str = ""


LOOKS = {
    "light": Look(),
    "dark": Look(dark=True),
    "375 px": Look(width=375),
    "375 px dark": Look(width=375, dark=True),
    "320 px": Look(width=320),  # WCAG 2.2, 1.4.10: 1280 at 400 %
    "200 %": Look(width=640, scale=2),  # a window of 1280
    "images off": Look(images=False),
    "images off 375 px dark": Look(width=375, images=False, dark=True),
    "no style": Look(change=without_style),
    "no style 375 px dark": Look(width=375, change=without_style, dark=True),
    "webmail": Look(change=in_webmail),
    "forced dark": Look(width=375, scale=2, change=without_scheme, forced="darkened"),
    "inverted": Look(width=375, scale=2, change=inverted, forced="inverted"),
}

BLANK = Look(width=1)


def chromium_path(playwright: Playwright) -> str:
    """The browser: MAILER_CHROMIUM, else one on the path, else playwright's own. Raises FileNotFoundError."""
    named = os.environ.get("MAILER_CHROMIUM", "")
    found = [named] if named else [*filter(None, map(shutil.which, NAMES)), playwright.chromium.executable_path]
    for path in found:
        if Path(path).exists():
            return path
    raise FileNotFoundError("There is no Chromium here. `make test-mail` says how to get it.")


def start(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=chromium_path(playwright), args=list(FLAGS))


class Window:
    """Chromium, with one page for each look that is asked for: opening a page takes longer than showing a mail."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self._pages: dict[Look, Page] = {}

    def show(self, html: str, look: Look) -> Page:
        """The mail as it looks then. Nothing is asked of the network: pictures are drawn here, all else is refused."""
        page = self.page(look)
        page.set_content(look.change(html), wait_until="load")
        return page

    @contextmanager
    def fresh(self, look: Look, **more: Any) -> Iterator[Page]:
        """A page with nothing of others in it, which may ask the network. `more`: as playwright's `new_context`."""
        context = self.browser.new_context(**_as_seen(look), **more)
        try:
            yield context.new_page()
        finally:
            context.close()

    def page(self, look: Look) -> Page:
        return self._pages.get(look) or self._pages.setdefault(look, self._opened(look))

    def _opened(self, look: Look) -> Page:
        context = self.browser.new_context(**_as_seen(look))
        context.route("**/*", lambda route: _answer(route, images=look.images))
        page = context.new_page()
        if look.forced == "darkened":
            context.new_cdp_session(page).send("Emulation.setAutoDarkModeOverride", {"enabled": True})
        return page


def complaints(window: Window, html: str, look: Look, *, rtl: bool = False) -> list[str]:
    """What is wrong with the mail in this look, in sentences; empty where all holds."""
    page = window.show(html, look)
    found = page.evaluate(_script("measure.js"), {"rtl": rtl, "imagesOff": not look.images})
    if look.forced or not look.images:
        # What no style tells: how a picture's words are painted, and how a mail program recolours.
        faint = [place for place in pixels(page, look, window.page(BLANK)) if place["contrast"] < PAINTED]
        found += [f"{place['text']!r} shows a contrast of {place['contrast']:.2f} as painted" for place in faint]
    return found


def pixels(page: Page, look: Look, darkroom: Page) -> list[dict[str, float | str]]:
    """The contrast that is really seen of each text, the lowest first."""
    places = page.evaluate(_script("places.js"))
    shot = base64.b64encode(page.screenshot(full_page=True)).decode("ascii")
    return darkroom.evaluate(_script("darkroom.js"), {"shot": shot, "scale": look.scale, "places": places})


def keep_screenshot(window: Window, mail: str, look: str) -> None:
    """What the window shows in this look, for people: into the folder MAILER_SCREENSHOTS, where that is set."""
    keep_screenshot_of(window.page(LOOKS[look]), f"{mail} {look}")


def keep_screenshot_of(page: Page, name: str) -> None:
    """The same of any page."""
    folder = os.environ.get("MAILER_SCREENSHOTS", "")
    if folder:
        file = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()
        page.screenshot(path=Path(folder) / f"{file}.png", full_page=True)


def _as_seen(look: Look) -> dict[str, Any]:
    return {
        "viewport": {"width": look.width, "height": 800},
        "device_scale_factor": look.scale,
        "color_scheme": "dark" if look.dark else "light",
    }


def _answer(route: Route, *, images: bool) -> None:
    if images and route.request.resource_type == "image":
        route.fulfill(body=_picture(), content_type="image/png")
    else:
        route.abort()


@cache
def _picture() -> bytes:
    return draw("cells", "teal", 1)


@cache
def _script(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
