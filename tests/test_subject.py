"""An operator's own subject."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.digest import lay_out
from mailer.templating import Templates, ThemeOptions
from mailer.templating.subject import LONGEST, check_subject, make_subject
from tests.mail.samples import DRAFTS, MARK, ODD_TITLES, digest

OURS = "{{ lead.title }}{% if rest %} and {{ rest }} more{% endif %}"
LEAD = DRAFTS[0]
TEMPLATES = Templates(ThemeOptions())


def subject(template, *drafts, **changes):
    return TEMPLATES.render_digest(digest(*drafts, subject=check_subject(template), **changes), mark=MARK).subject


@pytest.mark.parametrize(
    ("template", "written"),
    [
        (OURS, "A third of patients live five years without… and 14 more"),
        ("{{ site }}, {{ period }}", "Mia's Feed, 16–22 November"),
        ("{{ label }}: {{ total }} articles", "Weekly: 15 articles"),
        ("{{ cadence | upper }}", "WEEKLY"),
        ("{{ lead.title | truncate(20) }}", "A third of…"),
        ("{{ 'One' if total == 1 else 'Many' }}", "Many"),
        ("{{ rest + 1 - total }}", "0"),
        ("{{ site ~ '!' }}", "Mia's Feed!"),
        ("  {{ site }}\n\n  on   {{ period }} ", "Mia's Feed on 16–22 November"),
        ("Plain words", "Plain words"),
        ("100 % {{ site }}", "100 % Mia's Feed"),
    ],
)
def test_a_subject_says_what_its_template_says(template, written):
    assert subject(template, more=8).replace("...", "…") == written


def test_the_title_element_of_the_mail_is_the_subject():
    mail = TEMPLATES.render_digest(digest(subject="{{ site }} & more"), mark=MARK)
    assert "<title>Mia&#39;s Feed &amp; more</title>" in mail.html.replace("'", "&#39;")


def test_one_article_alone():
    assert subject(OURS, replace(LEAD, title="Short news")) == "Short news"


def test_a_subject_speaks_the_language_of_its_mail():
    assert subject("{{ label }}, {{ period }}", language="de") == "Wöchentlich, 16.–22. November"


def test_a_long_headline_gives_way_to_what_stands_behind_it():
    for length in range(1, 141):
        written = subject(OURS, replace(LEAD, title="word " * (length // 5) + "x" * (length % 5 + 1)), LEAD)
        assert written.endswith(" and 1 more")
        assert len(written) <= 60


def test_what_no_headline_can_make_shorter_is_cut():
    assert len(subject("{{ site }} " * 25)) <= LONGEST
    assert len(subject("a" * 300)) <= LONGEST


@pytest.mark.parametrize("template", ["", "{{ '' }}", "{% if rest > 99 %}x{% endif %}", "{# nothing #}", " \n "])
def test_an_empty_subject_is_the_headline(template):
    assert subject(template) == lay_out(digest()).subject


@pytest.mark.parametrize("name", ODD_TITLES)
def test_an_odd_headline_is_shown_and_never_run(name):
    odd = ODD_TITLES[name]
    written = subject(OURS, replace(LEAD, title=odd), LEAD)
    assert written.endswith(" and 1 more")
    assert written == " ".join(written.split(" "))
    assert written.isprintable() or name in ("emoji", "joiners in Persian", "right to left")
    assert len(written) <= LONGEST
    if name == "template syntax":
        assert written == "{{ leave }}{% raise %}{# gone #}${x} and 1 more"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{ lead.titel }}", "knows nothing called 'lead.titel'; there are: lead.title, rest"),
        ("{{ leed }}", "knows nothing called 'leed'; there are: lead.title"),
        ("{{ lead.title", "is no template"),
        ("{% if rest %}", "is no template"),
        ("{{ lead.__class__ }}", "knows nothing called 'lead.__class__'"),
        ("{{ lead['__class__'] }}", "can't use 'getitem'"),
        ("{{ lead.title.upper() }}", "can't use 'call'|knows nothing called '.upper'"),
        ("{{ range(10**9) }}", "can't use 'call'|knows nothing called 'range'"),
        ("{% for i in range(10**9) %}x{% endfor %}", "can't use 'for'"),
        ("{{ 'a' * 10**9 }}", "can't use 'mul'"),
        ("{{ 10 ** 10 ** 10 }}", "can't use 'pow'"),
        ("{{ '%1000000000d' % 1 }}", "can't use 'mod'"),
        ("{{ [1] }}", "can't use 'list'"),
        ("{% set x = 1 %}", "can't use 'assign'"),
        ("{% macro x() %}{% endmacro %}", "can't use 'macro'"),
        ("{% include 'email/digest/subject.txt' %}", "can't use 'include'"),
        ("{{ lead.title | replace('', lead.title) }}", "can't use the filter 'replace'"),
        ("{{ lead.title | center(1000000000) }}", "can't use the filter 'center'"),
        ("{{ lead.title + 1 }}", "can't be written"),
        ("{{ rest | truncate('x') }}", "can't be written"),
        ("x" * 301, "at most 300 characters, not 301"),
        ("{{ " + "(" * 140 + "rest" + ")" * 140 + " }}", "too many brackets"),
    ],
)
def test_what_could_go_wrong_in_a_run_is_refused_before_it(template, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_subject(template)


@given(st.text(alphabet="{}%#|.()'\"~+-*<>= \nadeilrstx019", max_size=80))
def test_any_text_is_a_subject_or_refused_with_a_sentence(text):
    try:
        check_subject(text)
    except ValueError:
        return
    assert len(make_subject(text, lay_out(digest()), 9, "weekly")) <= LONGEST
