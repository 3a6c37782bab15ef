"""What of an article gets in, and how it is cleaned on the way."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.core.article import (
    SUMMARY_LIMIT,
    TITLE_LIMIT,
    Entry,
    Picture,
    absolute,
    clean,
    instant,
    language_tag,
    one_line,
    plain,
)

WHOLE = "One infusion, no maintenance therapy. " * 40


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("A &amp; B", "A & B"),
        ("AT&T and R&D", "AT&T and R&D"),
        ("Q&amp;amp;A", "Q&A"),
        ("It&amp;#8217;s", "It’s"),
        ("if x<y then z>y", "if x<y then z>y"),
        ("Use <T> in Rust", "Use <T> in Rust"),
        ("The &lt;b&gt; element", "The <b> element"),
        ("<b>Bold</b> and <EM>loud</EM>", "Bold and loud"),
        ("<script>alert(1)</script>News", "News"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
        ("<style>p{}</style>Plain <!-- hidden --> text", "Plain text"),
        ("<![CDATA[Wrapped <i>twice</i>]]>", "Wrapped twice"),
        ("{{ 7*7 }} {% raw %} ${x}", "{{ 7*7 }} {% raw %} ${x}"),
        ("one\r\nBcc: all@example.org", "one Bcc: all@example.org"),
        ("one\u2028two\u2029three\x85four\x0bfive", "one two three four five"),
        ("nul\x00l and bell\x07", "null and bell"),
        ("evil\u202etxt.exe\u2066x\u2069", "eviltxt.exex"),
        ("a lone \ud800 surrogate", "a lone surrogate"),
        ("  padded \t and  spread ", "padded and spread"),
        ("👨‍👩‍👧 family, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 flag", "👨‍👩‍👧 family, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 flag"),
        ("مرحبا بالعالم", "مرحبا بالعالم"),
        ("", ""),
        ("<p></p>", ""),
    ],
)
def test_a_title_is_one_line_of_plain_text(written, kept):
    assert clean(Entry(title=written)).title == kept


def test_a_title_of_ten_thousand_characters_is_cut_at_a_word():
    title = clean(Entry(title="word " * 2000)).title
    assert len(title) <= TITLE_LIMIT
    assert title.endswith("word…")


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[])))
def test_no_title_breaks_a_line_or_can_not_be_encoded(text):
    title = one_line(text, TITLE_LIMIT)
    assert len(title.splitlines()) <= 1
    assert title == title.strip()
    assert len(title.encode()) >= len(title)
    assert len(title) <= TITLE_LIMIT


def test_a_summary_is_text_without_scripts_styles_and_markup():
    summary = clean(
        Entry(
            title="t",
            summary="<h2>Head</h2><p>First &amp; second.</p><script>var a='<p>';</script><style>p{x}</style>"
            "<ul><li>one</li><li>two</li></ul><!--[if mso]>hidden<![endif]--><svg><text>s</text></svg>",
        )
    ).summary
    assert summary == "Head. First & second. one two"


def test_a_long_summary_ends_with_a_sentence():
    summary = clean(Entry(title="t", summary=WHOLE)).summary
    assert len(summary) <= SUMMARY_LIMIT
    assert summary.endswith("therapy.")


def test_a_summary_that_is_one_endless_sentence_ends_with_a_word():
    summary = clean(Entry(title="t", summary="infusion " * 100)).summary
    assert len(summary) <= SUMMARY_LIMIT
    assert summary.endswith("infusion…")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("<p>Slept longer [&#8230;]</p><p>The post <a href='/'>T</a> appeared first on <a>S</a>.</p>", "Slept longer…"),
        ("Slept longer [...]", "Slept longer…"),
        ("The post office moved.", "The post office moved."),
    ],
)
def test_what_a_blog_writes_below_each_excerpt_goes(written, kept):
    assert clean(Entry(title="t", summary=written)).summary == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Slept longer. Read more »", "Slept longer."),
        ("Länger geschlafen. <p>Der Beitrag <a>T</a> erschien zuerst auf <a>S</a>.</p>", "Länger geschlafen."),
        ("Dormi mieux. <p>L’article <a>T</a> est apparu en premier sur <a>S</a>.</p>", "Dormi mieux."),
        ("よく眠れた。続きを読む", "よく眠れた。"),
        ("<p>Two pills.</p><p>12 posts - 9 participants</p><p>Read full topic</p>", "Two pills."),
        ("arXiv:2611.01234v2 Announce Type: replace-cross Abstract: We count.", "We count."),
        ("<h1>A ward at night</h1><p>Nobody sleeps.</p>", "Nobody sleeps."),
        ("A ward at night is loud.", "A ward at night is loud."),
        (
            "<p>Nobody sleeps.</p><p>A ward at night was originally published in S on Medium, where.</p>",
            "Nobody sleeps.",
        ),
        ("&lt;p&gt;It&#8217;s late.&lt;/p&gt;", "It’s late."),
        ("&lt;p&gt;It&amp;#8217;s late &amp;amp; dark.&lt;/p&gt;", "It’s late & dark."),
        ("<p>The &lt;p&gt; element, explained.</p>", "The <p> element, explained."),
        ("<p>Write &amp;lt; for it.</p>", "Write &lt; for it."),
        ("<![CDATA[<p>Wrapped</p>]]><![CDATA[twice]]>", "Wrapped twice"),
        ("<p>Cold <img src='x.png' alt='🤧' class='wp-smiley'> season</p>", "Cold 🤧 season"),
        (
            "<sec><st>Aim</st><p>To sleep.</p></sec><sec><st>Result</st><p>We did.</p></sec>",
            "Aim. To sleep. Result. We did.",
        ),
        ("<figure><img src='a.png'><figcaption>Photo: A</figcaption></figure><p>News.</p>", "News."),
        (
            "Half of $n = 4 \\times 10^6$ took $\\beta_2$-agonists for $5 and $6.",
            "Half of n = 4 × 10⁶ took β₂-agonists for $5 and $6.",
        ),
        ("It is $\\frac{a}{b}$.", "It is $\\frac{a}{b}$."),
    ],
)
def test_a_summary_begins_and_ends_with_the_authors_own_words(written, kept):
    assert clean(Entry(title="A ward at night", summary=written)).summary == kept


def test_without_a_summary_the_text_begins_one():
    assert clean(Entry(title="t", content="<p>Whole text.</p>")).summary == "Whole text."


@pytest.mark.parametrize(
    ("entry", "title", "summary"),
    [
        (Entry(summary="First sentence. Second one. " + WHOLE), "First sentence. Second one.", "One infusion"),
        (Entry(summary="<p>Only this.</p>"), "Only this.", ""),
        (Entry(title="<img src=x>", content="From the text. " * 9), "From the text.", "From the text."),
        (Entry(), "", ""),
    ],
)
def test_an_article_without_a_title_takes_its_first_words(entry, title, summary):
    draft = clean(entry)
    assert draft.title.startswith(title)
    assert len(draft.title) <= 80
    assert draft.summary.startswith(summary)
    assert bool(draft.title) == bool(title)


@pytest.mark.parametrize(
    ("entry", "minutes"),
    [
        (Entry(title="t", summary="A teaser of more than ten words, which says nothing about how long it is."), 0),
        (Entry(title="t", summary="word " * 690), 4),
        (Entry(title="t", summary="word " * 690, language="en-US"), 3),
        (Entry(title="t", summary="short", content="<p>word</p>" * 460, language="es"), 2),
    ],
)
def test_reading_time_is_only_said_where_the_whole_text_is_there(entry, minutes):
    assert clean(entry).minutes == minutes


@pytest.mark.parametrize(
    ("address", "base", "url"),
    [
        ("https://a.example/x?utm_source=rss&b=1#top", "", "https://a.example/x?utm_source=rss&b=1#top"),
        ("/x y", "https://a.example/dir/", "https://a.example/x%20y"),
        ("more.html", "https://a.example/dir/", "https://a.example/dir/more.html"),
        ("//cdn.example/p.jpg", "https://a.example/", "https://cdn.example/p.jpg"),
        ("https://a.example/später?q=ü", "", "https://a.example/sp%C3%A4ter?q=%C3%BC"),
        ("https://a.example/a\r\nb", "", "https://a.example/ab"),
        ('https://a.example/"><b>', "", "https://a.example/%22%3E%3Cb%3E"),
        ("  https://a.example/  ", "", "https://a.example/"),
        ("relative", "", ""),
        ("relative", "/var/feeds/feed.xml", ""),
        ("javascript:alert(1)", "https://a.example/", ""),
        ("java\nscript:alert(1)", "https://a.example/", ""),
        ("data:text/html,x", "https://a.example/", ""),
        ("mailto:a@a.example", "https://a.example/", ""),
        ("file:///etc/passwd", "https://a.example/", ""),
        ("http://[::1", "https://a.example/", ""),
        ("http://a.example:99999/", "", ""),
        ('http://a"onload="x.example/', "", ""),
        ("https://", "", ""),
        ("https://a.example/" + "x" * 3000, "", ""),
        ("", "https://a.example/", ""),
    ],
)
def test_links_are_absolute_web_addresses_or_nothing(address, base, url):
    assert absolute(address, base) == url


BIG, SMALL = 'width="1200" height="630"', 'width="300" height="200"'


@pytest.mark.parametrize(
    ("pictures", "content", "url"),
    [
        ([Picture("https://a.example/e.jpg")], "", "https://a.example/e.jpg"),
        ([Picture("/e.jpg")], "", "https://a.example/e.jpg"),
        ([Picture("javascript:x"), Picture("https://a.example/2.jpg")], "", "https://a.example/2.jpg"),
        ([Picture("https://a.example/px.gif", width=1, height=1)], "", None),
        ([], f"<p>x<img src='/in.jpg' {BIG}></p>", "https://a.example/in.jpg"),
        ([], "<img src='/unknown-size.jpg'>", "https://a.example/unknown-size.jpg"),
        ([], f"<img src='/unknown-size.jpg'><img src='/in.jpg' {BIG}>", "https://a.example/in.jpg"),
        ([Picture("https://a.example/e.jpg")], "<img src='/unknown-size.jpg'>", "https://a.example/e.jpg"),
        ([Picture("https://a.example/e.webp")], "<img src='/unknown-size.jpg'>", "https://a.example/unknown-size.jpg"),
        ([Picture("https://a.example/s.jpg", "", 300, 200)], "<img src='/p.jpg'>", "https://a.example/p.jpg"),
        ([], f"<img src='data:image/png;base64,xx' {BIG}>", None),
        ([], "<img src='/pixel.gif' width=1 height=1>" + f"<img src='/in.jpg' {SMALL}>", "https://a.example/in.jpg"),
        ([], f"<script><img src='/s.jpg' {BIG}></script>", None),
        ([Picture("https://a.example/e.jpg")], f"<img src='/in.jpg' {SMALL}>", "https://a.example/e.jpg"),
        ([Picture("https://a.example/e.jpg")], f"<img src='/in.jpg' {BIG}>", "https://a.example/in.jpg"),
    ],
)
def test_the_picture_is_the_first_that_fills_a_lead_else_the_first(pictures, content, url):
    picture = clean(Entry(title="t", base="https://a.example/post", content=content, pictures=tuple(pictures))).picture
    assert (picture.url if picture else None) == url


@pytest.mark.parametrize(
    ("image", "url", "size"),
    [
        (
            'src="/s.jpg" width="300" height="200" srcset="/m.jpg 768w, /l.jpg 1200w, /x.jpg 4000w"',
            "l.jpg",
            (1200, 800),
        ),
        ('src="/s.jpg" width="300" height="200" srcset="/m.jpg 768w, /n.jpg 600w"', "m.jpg", (768, 512)),
        ('src="/l.jpg" width="1024" height="576" srcset="/s.jpg 300w"', "l.jpg", (1024, 576)),
        ('src="data:image/gif;base64,R0" data-src="/late.jpg" width="800" height="450"', "late.jpg", (800, 450)),
        ('src="/d.jpg" width="800" height="450" srcset="/d2.jpg 2x"', "d.jpg", (800, 450)),
        ('src="/o.jpg" width="800" height="450" srcset="nonsense, 12w, , w"', "o.jpg", (800, 450)),
    ],
)
def test_of_the_sizes_of_a_picture_the_one_for_a_lead_is_taken(image, url, size):
    picture = clean(Entry(title="t", base="https://a.example/", content=f"<img {image}>")).picture
    assert (picture.url, (picture.width, picture.height)) == (f"https://a.example/{url}", size)


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        (
            Picture("https://a.example/tall.jpg", "", 800, 1200),
            Picture("https://a.example/b.jpg", "", 800, 500),
            "b.jpg",
        ),
        (Picture("https://a.example/a.webp", "", 800, 500), Picture("https://a.example/b.jpg", "", 800, 500), "b.jpg"),
        (Picture("http://a.example/a.jpg", "", 800, 500), Picture("https://a.example/b.jpg", "", 800, 500), "b.jpg"),
        (
            Picture("https://a.example/tall.jpg", "", 800, 1200),
            Picture("https://a.example/s.jpg", "", 90, 60),
            "tall.jpg",
        ),
        (Picture("https://0.gravatar.com/avatar/1?s=96"), Picture("https://a.example/b.jpg"), "b.jpg"),
    ],
)
def test_a_picture_that_can_be_a_lead_comes_before_one_that_can_not(first, second, taken):
    picture = clean(Entry(title="t", pictures=(first, second))).picture
    assert picture.url.endswith(taken)


def test_what_is_said_of_one_picture_in_two_places_is_joined():
    picture = clean(
        Entry(
            title="t",
            base="https://a.example/",
            pictures=(Picture("https://a.example/e.png"),),
            content='<img src="/e.png" width="1200px" height="630" alt="A &quot;ward&quot; <at> night">',
        )
    ).picture
    assert picture == Picture("https://a.example/e.png", 'A "ward" <at> night', 1200, 630, "image/png")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Ada Okoro", "Ada Okoro"),
        ("ada@site.example (Ada Okoro)", "Ada Okoro"),
        ("Ada Okoro <ada@site.example>", "Ada Okoro"),
        ("ada@site.example", ""),
        ("<b>Ada</b> &amp; Tom", "Ada & Tom"),
        ("Ada (the elder)", "Ada (the elder)"),
        ("@ada_o Ada Okoro", "Ada Okoro"),
        ("webmaster", ""),
        ("A. Ito, B. Ek, C. Roy, D. Lam", "A. Ito, B. Ek, C. Roy, D. Lam"),
        ("A. Ito, B. Ek, C. Roy, D. Lam, E. Fox", "A. Ito, B. Ek, C. Roy et al."),
    ],
)
def test_an_author_is_a_name_without_an_address(written, name):
    assert clean(Entry(title="t", author=written)).author == name


def test_topics_are_plain_once_each_and_at_most_twenty():
    topics = clean(Entry(title="t", topics=("Lung &amp; heart", "ONCOLOGY", "oncology", " ", "<b>Sleep</b>"))).topics
    assert topics == ("Lung & heart", "ONCOLOGY", "Sleep")
    assert len(clean(Entry(title="t", topics=tuple(map(str, range(50))))).topics) == 20


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("en", "en"),
        ("en_US", "en-US"),
        ("EN-us", "en-US"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("de_DE.UTF-8", "de-DE"),
        ("es-419", "es-419"),
        ("English", ""),
        ("und", ""),
        ("x-klingon", ""),
        ("e", ""),
        ("<b>", ""),
        ("", ""),
    ],
)
def test_a_language_is_a_tag_or_unknown(written, tag):
    assert language_tag(written) == tag


def test_sound_and_film_have_no_reading_time():
    assert clean(Entry(title="t", content="word " * 690, recorded=True)).minutes == 0


def test_a_language_that_nobody_says_is_found_in_the_text_and_one_that_is_said_stands():
    words = "Fieber ist ein Werkzeug, und wer es immer senkt, nimmt es dem Körper aus der Hand."
    assert clean(Entry(title="Fieber", summary=words)).language == "de"
    assert clean(Entry(title="Fieber", summary="Kurz.", content=f"<p>{words}</p>")).language == "de"
    assert clean(Entry(title="Fieber", summary=words, language="de_AT")).language == "de-AT"
    assert clean(Entry(title="Fieber", summary="38,5 °C")).language == ""


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-23T07:00:00+01:00", datetime(2026, 11, 23, 6, tzinfo=UTC)),
        ("2026-11-23T07:00:00Z", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("2026-11-23 07:00", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 07:00:00 +0100", datetime(2026, 11, 23, 6, tzinfo=UTC)),
        ("23 Nov 2026 07:00:00 GMT", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 07:00:00 -0000", datetime(2026, 11, 23, 7, tzinfo=UTC)),
    ],
)
def test_dates_are_read_and_told_in_utc(written, utc):
    assert instant(written) == utc


@settings(deadline=None)
@given(st.text())
def test_what_is_no_date_is_said_so(text):
    with suppress(ValueError):
        assert instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("published", "kept"),
    [
        (datetime(2026, 11, 23, 7, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 11, 23, 6, tzinfo=UTC)),
        (datetime(1970, 1, 1, tzinfo=UTC), None),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), None),
        (datetime(2099, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_date_that_means_none_is_none_and_a_future_one_is_kept(published, kept):
    assert clean(Entry(title="t", published=published)).published == kept


def test_the_id_is_the_sources_own_else_the_link_else_made_of_title_and_date():
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    assert clean(Entry(guid=" tag:x\n ", title="t", link="https://a.example/")).guid == "tag:x"
    assert clean(Entry(title="t", link="https://a.example/1")).guid == "https://a.example/1"
    made = clean(Entry(title="t", published=moment)).guid
    assert made == clean(Entry(title="<b>t</b>", published=moment)).guid
    assert made != clean(Entry(title="u", published=moment)).guid
    assert clean(Entry(guid="g" * 9999, title="t")).guid.startswith("sha256:")


@settings(deadline=None)
@given(
    st.builds(
        Entry,
        guid=st.text(),
        title=st.text(),
        link=st.text(),
        base=st.text(),
        summary=st.text(),
        content=st.text(st.sampled_from("<>/pimgsrc=\"' &;#x1a!-[]")),
        author=st.text(),
        pictures=st.tuples(st.builds(Picture, url=st.text(), alt=st.text())),
        topics=st.tuples(st.text()),
        language=st.text(),
    )
)
def test_anything_can_be_cleaned(entry):
    draft = clean(entry)
    for text in (draft.guid, draft.title, draft.link, draft.summary, draft.author, draft.language, *draft.topics):
        assert len(text.splitlines()) <= 1
        assert len(text.encode()) >= len(text)


def test_markup_nested_without_end_takes_no_time():
    assert plain("<ul><li>" * 100_000 + "deep") == ""
    assert plain("<p>shallow</p>" * 10) == " ".join(["shallow"] * 10)


@pytest.mark.parametrize(
    ("excerpt", "kept"),
    [
        ("The first is whole. The second one is cut right in the [&hellip;]", "The first is whole."),
        ("One is whole. Two is whole. A third is cut [...]", "One is whole. Two is whole."),
        ("There is no whole sentence in this [&#8230;]", "There is no whole sentence in this…"),
        ("Dr. Ada said that the ward was [&hellip;]", "Dr. Ada said that the ward was…"),
        ("Nothing is cut here.", "Nothing is cut here."),
    ],
)
def test_an_excerpt_that_breaks_off_ends_with_a_whole_sentence(excerpt, kept):
    assert clean(Entry(guid="a", title="Title", link="https://site.example/a", summary=excerpt)).summary == kept
