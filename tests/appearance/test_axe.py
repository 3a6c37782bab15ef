"""axe-core finds nothing: WCAG 2.2 A and AA and its best practices, in light and in dark."""

import json
from functools import cache

import pytest

from tests.appearance.looks import HERE, LOOKS
from tests.appearance.mails import MAILS, mail

OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    "rules": {
        "region": {"enabled": False},  # a mail is a part of its program's page, which has the landmarks
        "landmark-one-main": {"enabled": False},  # the same
    },
}


@cache
def axe() -> str:
    return (HERE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(window, html, look):
    """Each rule that is broken, and where."""
    page = window.show(html, LOOKS[look])
    page.evaluate(axe())
    found = page.evaluate(f"axe.run(document, {json.dumps(OPTIONS)})")
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("name", MAILS)
def test_axe_finds_nothing(window, name, look):
    found = violations(window, mail(name).html, look)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ("image-alt", ' alt="', ' data-alt="'),
        ("html-has-lang", "<html ", "<html data-"),
        ("document-title", "<title>", "<title></title><title>"),
        ("page-has-heading-one", "<h1", "<h6"),
    ],
)
def test_axe_tells_a_broken_mail(window, rule, right, wrong):
    html = mail("digest").html.replace(right, wrong).replace('data-lang="en"', "", 1)
    assert any(found.startswith(f"{rule}: ") for found in violations(window, html, "light"))


def test_axe_tells_pale_on_white(window):
    html = mail("digest").html.replace("#1A1D20", "#DDDDDD")
    assert any(found.startswith("color-contrast: ") for found in violations(window, html, "light"))
