import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.intro import LONGEST, read_intro
from mailer.core.text import columns
from tests.mail.samples import INTRO, ODD_TITLES


def test_the_editors_words_as_html_and_as_text():
    intro = read_intro(INTRO)
    assert intro.html == (
        '<p class="body intro">Good morning. This week <strong>one dose</strong> makes headlines; '
        '<a href="https://site.example/guide" class="accent">our guide</a> still holds.</p>\n'
        '<ul class="body intro list">\n<li>Sleep is next week</li>\n'
        '<li>Write to <a href="mailto:mia@site.example" class="accent">Mia</a></li>\n</ul>'
    )
    assert intro.text == (
        "Good morning. This week one dose makes headlines; our guide still holds.\n"
        "https://site.example/guide\n\n"
        "• Sleep is next week\n"
        "• Write to Mia\n"
        "  mailto:mia@site.example"
    )
    assert (intro.direction, intro.script) == ("ltr", "")


@pytest.mark.parametrize("nothing", ["", "  \n \n", "---", "***", "![](https://x.example/a.png)", "\u200b"])
def test_where_nothing_is_said_there_is_no_intro(nothing):
    assert read_intro(nothing) is None


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Big", '<p class="body intro strong">Big</p>'),
        ("Big\n===", '<p class="body intro strong">Big</p>'),
        ("<b>x</b> & y", '<p class="body intro">&lt;b&gt;x&lt;/b&gt; &amp; y</p>'),
        ("<script>alert(1)</script>", '<p class="body intro">&lt;script&gt;alert(1)&lt;/script&gt;</p>'),
        ("[x](http://x.example)", '<p class="body intro">x</p>'),
        ("[x](//x.example)", '<p class="body intro">x</p>'),
        ("[x](https://user:secret@x.example)", '<p class="body intro">x</p>'),
        ("[x](mailto:a@b.example?bcc=c%0d@x)", '<p class="body intro">x</p>'),
        ("![a picture](https://x.example/a.png)", '<p class="body intro">a picture</p>'),
        ("> said", '<p class="body intro">said</p>'),
        ("one  \ntwo", '<p class="body intro">one<br>\ntwo</p>'),
        ("one\\\ntwo", '<p class="body intro">one<br>\ntwo</p>'),
    ],
)
def test_what_a_mail_should_not_hold_becomes_plain_words(markdown, html):
    assert read_intro(markdown).html == html


def test_a_script_address_never_becomes_a_link():
    for url in ("javascript:alert(1)", "data:text/html,x", "vbscript:x", "JAVASCRIPT:alert(1)", "&#106;avascript:x"):
        assert "<a" not in read_intro(f"[x]({url}) [y]: {url}\n\n<{url}>").html


def test_lists_keep_their_numbers_and_their_indent():
    assert read_intro("3. three\n4. four\n   * below\n\nAfter").text == "3. three\n4. four\n  • below\n\nAfter"


def test_an_intro_runs_in_its_own_direction():
    intro = read_intro("صباح الخير **بكم**")
    assert (intro.direction, intro.script) == ("rtl", "ar")


def test_an_intro_has_an_end():
    intro = read_intro("word " * 5_000)
    assert len(intro.html) < LONGEST + 100
    assert intro.text.endswith("…")


@pytest.mark.parametrize("name", ODD_TITLES)
def test_no_odd_text_breaks_an_intro(name):
    odd = ODD_TITLES[name]
    for markdown in (odd, f"* {odd}", f"[{odd}](https://x.example)", f"[x]({odd})", f"# {odd}"):
        intro = read_intro(markdown)
        if intro:
            assert re.findall(r"</?([a-z]+)", re.sub(r"&\w+;", "", intro.html)) != []
            assert set(re.findall(r"<([a-z]+)", intro.html)) <= {"p", "ul", "ol", "li", "a", "strong", "em", "br"}
            assert all(columns(line) <= 72 or "https://" in line for line in intro.text.split("\n"))


@given(st.text(alphabet="ab *_[]()<>!#-+`~\\\n\t1.:/&\"'=|hps", max_size=300))
def test_any_markdown_gives_html_of_the_few_elements_that_are_allowed(markdown):
    intro = read_intro(markdown)
    assert intro is None or set(re.findall(r"<([a-z]+)", intro.html)) <= {
        *("p", "ul", "ol", "li", "a", "strong", "em", "br"),
    }
