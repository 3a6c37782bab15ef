"""Every mail's HTML by two outside judges: html-validate, and caniemail's data on fourteen mail programs."""

import pytest

from tests.appearance.mails import MAILS, mail
from tests.appearance.node import run
from tests.appearance.support import CLIENTS, PARTIAL, UNSUPPORTED

FLEX = '<div style="display:flex;gap:8px"><p>side by side</p></div>'


@pytest.fixture(scope="session")
def pages():
    broken = mail("digest").html
    return {name: mail(name).html.encode() for name in MAILS} | {
        "broken: flex": broken.replace("</body>", f"{FLEX}</body>").encode(),
        "broken: grid in a phone's style": broken.replace(
            "</head>", "<style>@media (max-width:9px){p{display:grid}}</style></head>"
        ).encode(),
        "broken: no alt": broken.replace(' alt="', ' data-alt="').encode(),
        "broken: unclosed": broken.replace("</h1>", "").encode(),
    }


@pytest.fixture(scope="session")
def judged(pages, tmp_path_factory):
    return run("validate.mjs", pages, tmp_path_factory.mktemp("validate"))


@pytest.fixture(scope="session")
def used(pages, tmp_path_factory):
    """By mail and feature: what each program does with it, 'y', 'a #1', 'n' or 'u' for unknown."""
    return run("support.mjs", pages, tmp_path_factory.mktemp("support"))


def unsupported(features, answer):
    """Features and the programs that give this answer about them."""
    programs = {
        feature: [name for client, name in CLIENTS.items() if support.get(client, "u").startswith(answer)]
        for feature, support in features.items()
    }
    return {feature: names for feature, names in programs.items() if names}


@pytest.mark.parametrize("name", MAILS)
def test_html_validate_finds_nothing(judged, name):
    assert judged[name] == []


@pytest.mark.parametrize("name", MAILS)
def test_fourteen_programs_take_what_it_uses_or_there_is_a_reason(used, name):
    refused = unsupported(used[name], "n")
    reserved = unsupported(used[name], "a")
    assert {feature: who for feature, who in refused.items() if feature not in UNSUPPORTED} == {}
    assert {feature: who for feature, who in reserved.items() if feature not in {**UNSUPPORTED, **PARTIAL}} == {}


def test_each_reason_is_needed(used):
    refused = set().union(*(unsupported(used[name], "n") for name in MAILS))
    reserved = set().union(*(unsupported(used[name], "a") for name in MAILS))
    assert set(UNSUPPORTED) - refused == set()
    assert set(PARTIAL) - reserved == set()


def test_all_fourteen_programs_are_in_the_data(used):
    assert len(CLIENTS) == 14
    assert set(CLIENTS) <= set(used["digest"]["<table> element"])


@pytest.mark.parametrize(
    ("name", "feature"), [("broken: flex", "display:flex"), ("broken: grid in a phone's style", "display:grid")]
)
def test_a_feature_without_a_reason_is_told(used, name, feature):
    assert feature in unsupported(used[name], "n")
    assert feature not in UNSUPPORTED


@pytest.mark.parametrize(("name", "rule"), [("broken: no alt", "wcag/h37"), ("broken: unclosed", "close-order")])
def test_broken_markup_is_told(judged, name, rule):
    assert any(f" {rule}: " in message for message in judged[name]), judged[name]
