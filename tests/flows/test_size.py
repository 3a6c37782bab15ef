"""A digest is never larger than mail programs show, whatever the articles."""

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.core.article import Article, Draft
from mailer.core.message import slot_mark
from mailer.core.selection import Batch, Pick, Window
from mailer.core.size import LARGEST, WARNING, octets
from mailer.flows.planning.composing import Issue, compose
from tests.mail.samples import MARK
from tests.stories import MONDAY, cadence, composer

ISSUE = Issue.of(cadence("weekly"), MONDAY, MONDAY, "0123456789abcdef" * 2)
LINK = "https://site.example/" + "a" * 100
LONG = Draft(
    "long", "Größe & Maß " * 40, LINK, "Ein Satz über die Größe & das Maß. " * 40, topics=("Übermaß",), minutes=3
)


def composed(drafts, *, more=0, related=(), intro=""):
    articles = tuple(Article(at + 1, "feed:1", draft) for at, draft in enumerate(drafts))
    batch = Batch(Pick(articles, more, over=tuple(range(5_000, 5_000 + more))), Window(0, 999), "en", 1)
    if related:
        batch = replace(batch, related=tuple(Article(900 + at, "feed:1", draft) for at, draft in enumerate(related)))
    return compose(composer(), batch, replace(ISSUE, intro=intro))


def holds(made, count, more=0):
    """The sum holds, both parts show the same articles, and the HTML part fits."""
    pick = made.batch.pick
    assert made.size <= LARGEST
    assert len(pick.articles) + pick.more == count + more
    assert made.dropped == count - len(pick.articles)
    assert made.variant().articles == tuple(range(1, len(pick.articles) + 1))
    assert made.variant().more == pick.more
    assert made.variant().over == (*range(len(pick.articles) + 1, count + 1), *range(5_000, 5_000 + more))
    assert len(re.findall(r"^ *(\d+)\. ", made.rendered.text, re.MULTILINE)) >= len(pick.articles)
    assert made.rendered.html.count("<h2") == len(pick.articles) + bool(made.batch.related)


def test_a_usual_digest_loses_nothing_and_gets_no_warning():
    made = composed([replace(LONG, title="Short", summary="Short.", guid=str(at)) for at in range(20)])
    holds(made, 20)
    assert (made.dropped, made.warning) == (0, "")


def test_a_digest_that_would_be_too_large_leaves_its_last_articles_to_the_site():
    made = composed([replace(LONG, guid=str(at)) for at in range(100)], more=3)
    holds(made, 100, 3)
    assert 0 < made.dropped < 100
    assert made.size > LARGEST - 2_000
    shown, rest = len(made.batch.pick.articles), made.batch.pick.more
    for part in (made.rendered.html, made.rendered.text):
        assert f"and {rest} more on the site" in part
    assert f"\n{shown}. " in made.rendered.text
    assert f"\n{shown + 1}. " not in made.rendered.text
    assert f"{made.dropped} articles were left to" in made.warning


def test_a_digest_that_is_nearly_too_large_is_warned_of():
    for count in range(30, 100):
        made = composed([replace(LONG, guid=str(at)) for at in range(count)])
        if made.size > WARNING:
            break
    assert made.dropped == 0
    assert made.warning.startswith("The HTML part has 9")


def test_where_not_even_the_lead_fits_the_related_articles_go():
    heavy = "https://site.example/?" + "&" * 1_900
    made = composed([replace(LONG, link=heavy)], related=[replace(LONG, link=heavy, guid=str(at)) for at in range(20)])
    holds(made, 1)
    assert made.batch.related == ()
    assert made.variant().related == ()


def test_the_size_is_that_of_a_readers_copy_with_the_longest_links():
    html = f"<a href='{slot_mark(MARK, 'leave')}'>ä</a> {slot_mark(MARK, 'since')}"
    assert octets(html, MARK) == len("<a href=''></a> ") + 2 + 75 + 75


texts = st.text(max_size=300) | st.sampled_from(
    ["&" * 500, "<" * 500, '"' * 500, "ü" * 500, "文" * 500, "\U0001f600" * 500]
)
drafts = st.builds(
    Draft,
    guid=st.uuids().map(str),
    title=texts,
    link=st.sampled_from([LINK, "https://site.example/?" + "&" * 1_900, "https://site.example/" + "ü" * 300, ""]),
    summary=texts,
    topics=st.lists(st.text(max_size=60), max_size=2).map(tuple),
    language=st.sampled_from(["", "ar", "ja"]),
    minutes=st.integers(0, 99),
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(drafts, min_size=1, max_size=4), st.integers(0, 999), st.lists(drafts, max_size=4))
def test_any_hundred_articles_fit(some, more, related):
    made = composed((some * 100)[:100], more=more, related=related)
    assert made.size <= LARGEST
    assert len(made.batch.pick.articles) + made.batch.pick.more == 100 + more
    assert len(made.batch.pick.articles) >= 1


@pytest.mark.parametrize("char", ["&", "'", "\U0001f600", "文"])
def test_a_hundred_of_the_heaviest_titles_fit(char):
    heavy = replace(LONG, title=char * 500, summary=char * 600, link="https://site.example/?" + "&" * 1_900)
    made = composed([heavy] * 100, intro=char * 4_000)
    assert made.size <= LARGEST


def test_an_edition_names_its_page_and_the_slower_paces_of_its_readers():
    own = replace(composer(), slower={"our own/pace": ("monthly",)})
    batch = Batch(Pick((Article(1, "feed:1", LONG),), 0), Window(0, 999), "en", 1)
    made = compose(own, batch, replace(ISSUE, cadence="our own/pace"), number=3)
    page = f"{own.site.public_url}/editions/our%20own%2Fpace/2026-W48/3"
    assert f"Read on the web: {page}\n" in made.rendered.text
    assert "Monthly instead: " in made.rendered.text
    assert f'href="{page}"' in made.rendered.html
    assert "instead" not in compose(own, batch, ISSUE).rendered.text
