"""Every reader's page in every state: in Chromium it fits, can be read and hit; axe and html-validate find nothing."""

import json
from functools import cache

import pytest

from mailer.templating import Templates, ThemeOptions
from mailer.templating.pages import Pages
from tests.appearance.looks import HERE, LOOKS, keep_screenshot
from tests.appearance.node import run
from tests.appearance.test_axe import OPTIONS, axe
from tests.mail.samples import SITE
from tests.page_samples import LANGUAGES, PAGES

RIGHT_TO_LEFT = frozenset({"ar"})
SEEN = ("light", "dark", "375 px", "375 px dark", "320 px", "200 %")
AS_A_PAGE = {**OPTIONS, "rules": {}}
"""A page has the landmarks that a mail leaves to its program."""


@cache
def shown(name: str, language: str = "en") -> str:
    return pages().render(PAGES[name], language)


@cache
def pages() -> Pages:
    return Pages(SITE, Templates(ThemeOptions()).words)


@cache
def script(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def complaints(window, html, look, *, rtl=False):
    """What is wrong with a page in this look, with all that can be opened opened."""
    page = window.show(html, LOOKS[look])
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = page.evaluate(script("measure.js"), {"rtl": rtl, "imagesOff": False, "whole": True})
    return found + page.evaluate(script("measure_form.js"))


def violations(window, html, look):
    """Each rule of axe's that is broken, and where."""
    page = window.show(html, LOOKS[look])
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate(axe())
    found = page.evaluate(f"axe.run(document, {json.dumps(AS_A_PAGE)})")
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize("look", SEEN)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_can_be_read_and_hit(window, name, look):
    found = complaints(window, shown(name), look)
    keep_screenshot(window, f"page {name}", look)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("look", ["light", "320 px"])
@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_in_every_language(window, name, language, look):
    found = complaints(window, shown(name, language), look, rtl=language in RIGHT_TO_LEFT)
    keep_screenshot(window, f"page {name} {language}", look)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("look", "language"), [("light", "en"), ("dark", "en"), ("light", "ar")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(window, name, look, language):
    found = violations(window, shown(name, language), look)
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def judged(tmp_path_factory):
    broken = shown("signup")
    files = {f"{name} {language}": shown(name, language).encode() for name in PAGES for language in ("en", "ar")}
    files["broken: no label"] = broken.replace('<label for="email">Email address</label>', "").encode()
    files["broken: unclosed"] = broken.replace("</h1>", "").encode()
    return run("validate_page.mjs", files, tmp_path_factory.mktemp("validate"))


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("name", PAGES)
def test_html_validate_finds_nothing(judged, name, language):
    assert judged[f"{name} {language}"] == []


# The judges themselves.


@pytest.mark.parametrize(
    ("name", "rule"), [("broken: no label", "input-missing-label"), ("broken: unclosed", "close-order")]
)
def test_broken_markup_is_told(judged, name, rule):
    assert any(f" {rule}: " in message for message in judged[name]), judged[name]


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("min-height: 48px; width: 100%; padding: 11px 24px", "min-height: 0", "px high"),
        ("min-height: 44px; padding-block: 10px; }", "}", "px high"),
        ("inset: 0", "inset: auto", "can't be ticked"),
        ("inset-inline-start: -9999px", "inset-inline-start: 9px", "can be seen"),
        ('tabindex="-1"', 'tabindex="0"', "can be reached"),
        ("--text: #1A1D20", "--text: #DDDDDD", "a contrast of"),
        ("max-width: 34rem", "width: 60rem", "scrolls sideways"),
    ],
)
def test_a_broken_page_is_told(window, right, wrong, complaint):
    html = shown("signup").replace(right, wrong)
    assert html != shown("signup")
    assert any(complaint in found for found in complaints(window, html, "375 px"))


@pytest.mark.parametrize(
    ("name", "focused"),
    [
        ("confirm, ask", "Confirm subscription"),
        ("never, ask", "Never write again"),
        ("unsubscribe, ask", "Unsubscribe"),
        ("instead, ask", "Weekly instead"),
        ("address, ask", "Use this address"),
        ("signup, stale", "Subscribe"),
    ],
)
def test_the_one_button_is_focused_already_and_seen_to_be(window, name, focused):
    page = window.page(LOOKS["light"]).context.new_page()
    page.route("https://site.example/**", lambda route: route.fulfill(body=shown(name), content_type="text/html"))
    page.goto("https://site.example/")
    page.wait_for_selector(":focus", timeout=5_000)  # a browser does it when it paints
    assert page.evaluate("document.activeElement.textContent") == focused
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.close()


def test_what_is_final_and_what_nobody_asked_for_is_not_focused(window):
    for name in ("erase, ask", "signup", "preferences"):
        page = window.page(LOOKS["light"]).context.new_page()
        page.set_content(shown(name))
        assert page.evaluate("document.activeElement.tagName") == "BODY"
        page.close()
