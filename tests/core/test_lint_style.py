"""What lint takes an element to look like: the cascade, as browsers have it."""

import pytest

from mailer.core.lint_page import lines_of, read_page
from mailer.core.lint_style import looks, styles

DARK = "@media (prefers-color-scheme:dark){%s}"


def seen(html, look="light"):
    """The style of the element around the last text that isn't blank."""
    page = read_page(html)
    run = [run for run in page.runs if not run.text.isspace()][-1]
    return styles(page, look)[run.element.number]


@pytest.mark.parametrize(
    ("html", "colour", "ground"),
    [
        ("x", "#000000", "#FFFFFF"),
        ('<a href="https://x.example">x</a>', "#0000EE", "#FFFFFF"),
        ('<p style="color:#123456">x', "#123456", "#FFFFFF"),
        ('<p style="COLOR: #123">x', "#112233", "#FFFFFF"),
        ('<p style="color:red;color:blue">x', "#0000FF", "#FFFFFF"),
        ('<p style="color:red!important;color:blue">x', "#FF0000", "#FFFFFF"),
        ('<p style="color:red"><b>x</b></p>', "#FF0000", "#FFFFFF"),
        ('<p style="color:red">y</p><p>x', "#000000", "#FFFFFF"),
        ('<p style="color:red">y<p>x', "#000000", "#FFFFFF"),
        ('<p style="color:red"><a href="#" style="color:inherit">x</a>', "#FF0000", "#FFFFFF"),
        ('<td bgcolor="navy"><font color="#ffffff">x', "#FFFFFF", "#000080"),
        ('<td bgcolor="000080" style="background-color:#111111">x', "#000000", "#111111"),
        ('<td style="background:#EEE url(x.png) no-repeat">x', "#000000", "#EEEEEE"),
        ('<td bgcolor="#EEEEEE" style="background:url(x.png)">x', "#000000", "#EEEEEE"),
        ('<td bgcolor="#EEEEEE"><p style="background:none">x', "#000000", "#EEEEEE"),
        ('<p style="background-color:rgba(0,0,0,.5)">x', "#000000", "#808080"),
        ('<p style="color:rgb(255, 0, 0)">x', "#FF0000", "#FFFFFF"),
        ('<p style="color:var(--x)">x', "", "#FFFFFF"),
        ("<style>p{color:red}</style><p>x", "#FF0000", "#FFFFFF"),
        ("<style>p{color:red}.a{color:blue}</style><p class=a>x", "#0000FF", "#FFFFFF"),
        ("<style>.a{color:blue}p{color:red}</style><p class=a>x", "#0000FF", "#FFFFFF"),
        ("<style>#i{color:blue}p.a.b{color:red}</style><p id=i class='a b'>x", "#0000FF", "#FFFFFF"),
        ("<style>p{color:red}p{color:blue}</style><p>x", "#0000FF", "#FFFFFF"),
        ("<style>p{color:red}</style><p style='color:blue'>x", "#0000FF", "#FFFFFF"),
        ("<style>p{color:red!important}</style><p style='color:blue'>x", "#FF0000", "#FFFFFF"),
        ("<style>h1,p{color:red}</style><p>x", "#FF0000", "#FFFFFF"),
        ("<style>div p{color:red}</style><p>x", "#000000", "#FFFFFF"),
        ("<style>div p{color:red}</style><div><b><p>x", "#FF0000", "#FFFFFF"),
        ("<style>div>p{color:red}</style><div><b><p>x", "#000000", "#FFFFFF"),
        ("<style>p:hover,p[x]{color:red}</style><p>x", "#000000", "#FFFFFF"),
        ("<style>/* p{color:red} */</style><p>x", "#000000", "#FFFFFF"),
        ("<style>@media print{p{color:red}}</style><p>x", "#000000", "#FFFFFF"),
        ("<style>@media screen{p{color:red}}</style><p>x", "#FF0000", "#FFFFFF"),
        ("<style>@media (max-width:500px){p{color:red}}</style><p>x", "#000000", "#FFFFFF"),
        (f"<style>{DARK % 'p{color:red}'}</style><p>x", "#000000", "#FFFFFF"),
        ("<style>@media (prefers-color-scheme:light){p{color:red}}</style><p>x", "#FF0000", "#FFFFFF"),
        ("<p>x<style>p{color:red", "#000000", "#FFFFFF"),
    ],
)
def test_colours_in_light(html, colour, ground):
    style = seen(html)

    assert (style.colour, style.ground) == (colour, ground)


@pytest.mark.parametrize(
    ("html", "colour"),
    [
        (f"<style>{DARK % 'p{color:red}'}</style><p>x", "#FF0000"),
        (f"<style>{DARK % 'p{color:red}'}</style><p style='color:blue'>x", "#0000FF"),
        (f"<style>{DARK % 'p{color:red!important}'}</style><p style='color:blue'>x", "#FF0000"),
        ("<style>@media (prefers-color-scheme: light){p{color:red}}</style><p>x", "#FFFFFF"),
        ("<style>@media ( prefers-color-scheme : dark ) {p{color:red}}</style><p>x", "#FF0000"),
        ("x", "#FFFFFF"),
    ],
)
def test_colours_in_the_dark(html, colour):
    assert seen(html, "dark").colour == colour


@pytest.mark.parametrize(
    ("html", "size", "bold"),
    [
        ("x", 16, False),
        ("<h1>x", 32, True),
        ("<b>x", 16, True),
        ("<h2 style='font-weight:normal'>x", 24, False),
        ("<p style='font-weight:600'>x", 16, True),
        ("<p style='font-size:12pt'>x", 16, False),
        ("<p style='font-size:20px'><span style='font-size:80%'>x", 16, False),
        ("<p style='font-size:20px'><span style='font-size:1.2em'>x", 24, False),
        ("<p style='font-size:20px'><span style='font-size:1rem'>x", 16, False),
        ("<p style='font:bold 18px/1.5 Arial'>x", 18, True),
        ("<p style='font-size:calc(1px)'>x", 16, False),
        ("<font size=2>x", 13, False),
        ("<p style='font-size:small'>x", 13, False),
    ],
)
def test_sizes(html, size, bold):
    style = seen(html)

    assert (round(style.size, 3), style.bold) == (size, bold)


@pytest.mark.parametrize(
    ("style", "hidden"),
    [
        ("display:none", True),
        ("visibility:hidden", True),
        ("opacity:0", True),
        ("max-height:0;overflow:hidden", True),
        ("max-height:0px;overflow:hidden", True),
        ("max-height:0", False),
        ("opacity:.9", False),
        ("mso-hide:all", False),
    ],
)
def test_what_is_hidden_hides_what_is_in_it(style, hidden):
    assert seen(f'<div style="{style}"><p>x').hidden is hidden


@pytest.mark.parametrize(
    ("html", "dark"),
    [
        ("x", False),
        ('<meta name="color-scheme" content="light only">', False),
        ('<meta name="color-scheme" content="light dark">', True),
        (f"<style>{DARK % 'p{color:red}'}</style>", True),
    ],
)
def test_a_mail_has_a_dark_look_where_it_speaks_of_one(html, dark):
    assert ("dark" in looks(read_page(html))) is dark


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<p>one<b>two</b> three</p>four", ["onetwo three", "four"]),
        ("a<br>b<br/>c", ["a", "b", "c"]),
        ("<table><tr><td>a<td>b<tr><td>c</table>d", ["a", "b", "c", "d"]),
        ("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>", ["a", "b", "c", "d"]),
        ("<style>p{}</style><title>t</title><script>s</script>a<!-- b -->c", ["ac"]),
        ("a <img alt='picture'> b", ["a picture b"]),
        ("&lt;b&gt; &amp; &nbsp;x", ["<b> & x"]),
        ("</div></p>a</table>b", ["a", "b"]),
    ],
)
def test_the_lines_of_a_page(html, lines):
    assert lines_of(read_page(html).runs) == lines
