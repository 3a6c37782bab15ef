"""The proof of a consent: what is kept of what a browser says."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.consent import Circumstances


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("https://site.example/articles/lungs", "https://site.example/articles/lungs"),
        # What may name its visitor goes: login, query, fragment.
        ("https://site.example/a?email=ann@example.com#ann", "https://site.example/a"),
        ("https://ann:secret@site.example:8443/a", "https://site.example:8443/a"),
        ("http://site.example", "http://site.example"),
        (" https://site.example/a ", "https://site.example/a"),
        ("https://site.example/a\x00\u202eb", "https://site.example/a b"),
        ("", ""),
        ("about:blank", ""),
        ("android-app://com.example/x", ""),
        ("javascript:alert(1)", ""),
        ("/only/a/path", ""),
        ("https://", ""),
        ("https://[", ""),
    ],
)
def test_the_page_a_form_stood_on_is_kept_without_its_visitor(said, kept):
    found = Circumstances.of("html", source=said).source
    assert found.replace(" ", "") == kept.replace(" ", "")
    assert not {"?", "#"} & set(found)


def test_a_browsers_name_and_a_page_are_cut():
    found = Circumstances.of("page", agent="x\n" * 5000, source="https://site.example/" + "a" * 5000)
    assert len(found.agent) <= 200
    assert len(found.source) <= 200
    assert "\n" not in found.agent


@given(source=st.text(max_size=200), agent=st.text(max_size=300))
def test_nothing_a_browser_says_makes_it_raise_or_can_not_be_kept(source, agent):
    found = Circumstances.of("page", source=source, agent=agent)
    assert len(found.agent.encode()) <= 4 * 200
    assert len(found.source.encode()) <= 4 * 200


def test_a_wording_has_a_name_of_its_own_and_none_has_none():
    one, other = Circumstances("page", text="Weekly, please."), Circumstances("frame", text="Weekly, please!")
    assert one.text_version == hashlib.sha256(b"Weekly, please.").hexdigest()[:12]
    assert one.text_version != other.text_version
    assert one.text_version == Circumstances("api", text="Weekly, please.", language="de").text_version
    assert Circumstances("link").text_version == ""


def test_everything_else_is_kept_as_it_is():
    given_ = {"route": "api", "language": "de", "ip": "2001:db8::7", "text": "read\nthere"}
    found = Circumstances.of(**given_)
    assert {name: getattr(found, name) for name in given_} == given_
