"""Two links to one article compare equal, two articles never do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.core.article import canonical_link

PLAIN = "https://site.example/2026/ward"


@pytest.mark.parametrize(
    "written",
    [
        "http://site.example/2026/ward",
        "https://www.site.example/2026/ward/",
        "HTTPS://Site.EXAMPLE:443/2026/ward",
        "http://site.example:80/2026/ward",
        "https://site.example./2026/ward",
        "https://site.example/2026/ward#comments",
        "https://site.example/2026/ward#xtor=RSS-1",
        "https://site.example/2026/ward?utm_source=rss&utm_medium=feed&utm_campaign=x",
        "https://site.example/2026/ward/?fbclid=a&gclid=b&mc_cid=c&mc_eid=d",
        "https://site.example/2026/ward?ref=newsletter.example",
        "https://site.example/2026/ward?source=rss----1a2b3c---4",
        "https://site.example/2026/ward?mtm_campaign=a&pk_kwd=b&at_medium=RSS&at_campaign=KARANGA",
        "https://site.example/2026/ward?UTM_Source=RSS",
        "https://site.example/2026/ward?",
        "https://site.example/2026/ward/amp/",
        "https://site.example/2026/ward.amp.html",
        "https://site.example/2026/ward?amp=1",
        "https://site.example/2026/ward/index.html",
        "https://site.example/2026/ward/index.php",
        "https://site.example/2026/%77ard",
        " https://site.example/2026/ward\n",
    ],
)
def test_what_differs_between_links_to_one_article_does_not_count(written):
    assert canonical_link(written) == canonical_link(PLAIN) == "site.example/2026/ward"


@pytest.mark.parametrize(
    "other",
    [
        "https://site.example/2026/Ward",
        "https://site.example/2026/ward2",
        "https://site.example/2026/ward?page=2",
        "https://site.example/2026/ward?id=utm_source",
        "https://blog.site.example/2026/ward",
        "https://site.example:8443/2026/ward",
        "https://site.example/2026%2Fward",
        "https://site.example/2026/ward#!/story/7",
        "https://site.example/2026/ward#/story/7",
        "https://site.example/2026/bamp",
    ],
)
def test_what_may_be_another_article_is_another(other):
    assert canonical_link(other) not in ("", canonical_link(PLAIN))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://site.example/?p=4711", "http://www.site.example/index.php?utm_source=rss&p=4711"),
        ("https://site.example/a?b=2&a=1", "https://site.example/a?a=1&b=2"),
        ("https://site.example/später?q=ü", "https://site.example/sp%c3%a4ter?q=%C3%BC"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("https://site.example/~ada/x", "https://site.example/%7Eada/x"),
    ],
)
def test_the_same_in_other_spellings_is_the_same(one, other):
    assert canonical_link(one) == canonical_link(other) != ""


@pytest.mark.parametrize(
    "nothing",
    [
        "",
        "https://site.example",
        "https://site.example/",
        "https://www.site.example/index.html",
        "https://site.example/?utm_source=rss#top",
        "https://site.example/amp/",
        "mailto:ada@site.example",
        "/relative/ward",
        "https:///ward",
        "http://[::1/ward",
        "http://site.example:99999/ward",
        "https://b b\u2028ü.example/ward",
    ],
)
def test_where_a_link_names_no_article_nothing_is_compared(nothing):
    assert canonical_link(nothing) == ""


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[])), st.sampled_from(["", "https://site.example/", "//", "http://"]))
def test_anything_can_be_compared_and_comparing_again_changes_nothing(text, start):
    found = canonical_link(start + text)
    found.encode()
    assert not found or canonical_link(f"https://{found}") == found
