"""Feeds of every format and in every state of repair."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.core.article import Draft, Picture
from mailer.core.feed import FeedDocument, read_feed, take_in
from mailer.errors import FeedError

FEEDS = Path(__file__).parent.parent / "fixtures" / "feeds"
URL = "https://feeds.example/feed.xml"


def fixture(name: str) -> FeedDocument:
    return read_feed((FEEDS / name).read_bytes(), url=f"https://feeds.example/{name}")


def rss(items: str, **channel: str) -> bytes:
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in channel.items())
    return f'<rss version="2.0"><channel><title>T</title>{fields}{items}</channel></rss>'.encode()


def item(title: str = "A title", guid: str = "", **fields: str) -> str:
    inside = {"title": title, "guid": guid, **fields}
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in inside.items() if value) + "</item>"


def titles(document: FeedDocument) -> list[str]:
    return [draft.title for draft in document.drafts]


def test_a_feed_of_wordpress_is_read_with_its_text_picture_and_topics():
    feed = fixture("wordpress.xml")
    assert (feed.title, feed.home) == ("Harbour Health & Science", "https://harbour.example/")
    assert (feed.language, feed.ttl_minutes) == ("en-US", 60)
    assert feed.drafts[0] == Draft(
        guid="https://harbour.example/?p=4711",
        title="A quiet ward sleeps better: what earplugs did for 120 patients",
        link="https://harbour.example/2026/11/quiet-ward/?utm_source=rss&utm_medium=feed",
        summary="Nurses handed out earplugs at nine in the evening.",
        author="Nora Lindqvist",
        picture=Picture("https://harbour.example/uploads/ward.jpg", "A dark corridor", 1200, 800, "image/jpeg"),
        topics=("Sleep", "Hospital & Care"),
        published=datetime(2026, 11, 23, 5, 15, tzinfo=UTC),
        language="en-US",
        minutes=1,
    )


def test_media_rss_gives_the_picture_with_its_size_and_what_is_on_it():
    salt = fixture("wordpress.xml").drafts[1]
    assert salt.title == "It’s the salt, not the steak: a Q&A"
    assert salt.link == "https://harbour.example/2026/11/salt/"
    assert salt.summary == "Four answers on blood pressure."
    assert salt.picture == Picture(
        "https://cdn.harbour.example/salt.png?w=1072", "A salt cellar, seen from above", 1072, 560, "image/png"
    )


def test_what_can_not_be_used_is_left_out_and_said():
    feed = fixture("wordpress.xml")
    assert titles(feed)[2:] == ["A short note without any title."]
    assert feed.problems == (
        "article 4 has neither a title nor a text; it is left out.",
        (
            "article 5 ('The salt story, filed again') has the same id as article 2 "
            "('It’s the salt, not the steak: a Q&A'); it is left out."
        ),
    )


def test_an_atom_feed_is_read_with_its_base_its_languages_and_its_author():
    fever, less = fixture("atom.xml").drafts
    assert fever.title == "Wann Fieber nützt & wann nicht"
    assert fever.link == "https://klinik.example/blog/fieber.html"
    assert fever.picture.url == "https://klinik.example/blog/bilder/thermometer.jpg"
    assert (fever.author, fever.language, fever.topics) == ("Redaktion", "de", ("Infektion",))
    assert fever.published == datetime(2026, 11, 22, 18, tzinfo=UTC)
    assert (less.title, less.author, less.language) == ("Less is more: 3 < 5", "Tom Berg", "en")
    assert less.summary == "Three drugs instead of five. Fewer falls."
    assert less.published == datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_a_json_feed_is_read_and_its_wrong_types_count_as_missing():
    feed = fixture("feed.json")
    peak, stairs, odd = feed.drafts
    assert (feed.title, feed.home, feed.language) == ("Lung Notes", "https://lungs.example/", "en-GB")
    assert peak.author == "Femi Adeyemi, Ruth Klein"
    assert peak.picture.url == "https://lungs.example/img/peak.png"
    assert peak.published == datetime(2026, 11, 23, 6, tzinfo=UTC)
    assert (stairs.guid, stairs.link) == ("42", "https://elsewhere.example/stairs")
    assert stairs.title == "Stairs < lifts? Not for your lungs: a note on <50 steps a day."
    assert (stairs.author, stairs.language) == ("The Lung Notes desk", "en-US")
    assert (odd.title, odd.published) == ("Its title has a wrong type.", None)
    assert len(feed.problems) == 2


def test_a_json_feed_of_version_1_0_has_one_author_and_no_language():
    body = (
        b'{"version":"https://jsonfeed.org/version/1","title":"T","author":{"name":"Ada"},'
        b'"items":[{"id":"1","content_html":"<b>Bold</b> text"}]}'
    )
    (draft,) = read_feed(body, url=URL).drafts
    assert (draft.author, draft.title, draft.language) == ("Ada", "Bold text", "")


def test_a_broken_feed_gives_what_is_whole_in_it():
    feed = fixture("broken.xml")
    assert titles(feed) == ["Café hours & other cures", "A control in the title"]
    assert feed.drafts[0].link == "https://bits.example/1?a=1&b=2"
    assert "half article" in feed.problems[0]
    assert "not well-formed" in feed.problems[1]


def test_rdf_is_read():
    body = b"""<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
      xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
      <channel rdf:about="https://r.example/"><title>R</title><link>https://r.example/</link></channel>
      <item rdf:about="https://r.example/1"><title>One</title><link>https://r.example/1</link>
      <dc:date>2026-11-23T07:00:00+01:00</dc:date><dc:creator>Ada</dc:creator></item></rdf:RDF>"""
    (draft,) = read_feed(body, url=URL).drafts
    assert (draft.guid, draft.title, draft.author) == ("https://r.example/1", "One", "Ada")
    assert draft.published == datetime(2026, 11, 23, 6, tzinfo=UTC)


TEXT = "Café – 10 €"


@pytest.mark.parametrize(
    ("encoding", "declaration", "content_type"),
    [
        ("utf-8", "", ""),
        ("utf-8-sig", "", ""),
        ("utf-16", "", ""),
        ("utf-16-le", "", ""),
        ("cp1252", '<?xml version="1.0" encoding="windows-1252"?>', ""),
        ("cp1252", '<?xml version="1.0" encoding="ISO-8859-1"?>', ""),
        ("cp1252", "", "text/xml; charset=iso-8859-1"),
        ("cp1252", '<?xml version="1.0" encoding="utf-8"?>', "text/xml; charset=utf-8"),
        ("utf-8", '<?xml version="1.0" encoding="iso-8859-1"?>', "text/xml; charset=us-ascii"),
        ("utf-8", '<?xml version="1.0" encoding="no-such-thing"?>', "text/xml; charset=utf-7"),
        ("iso8859-15", '<?xml version="1.0" encoding="iso-8859-15"?>', ""),
    ],
)
def test_the_charset_is_found_even_where_it_is_declared_wrongly(encoding, declaration, content_type):
    text = TEXT if encoding != "iso8859-15" else TEXT.replace("–", "-")
    body = (declaration + rss(item(text, "1")).decode()).encode(encoding)
    assert titles(read_feed(body, url=URL, content_type=content_type)) == [text]


def test_cp1252_is_read_from_its_own_fixture():
    (draft,) = fixture("cp1252.xml").drafts
    assert draft.title == "L’été sans fièvre – dix règles"
    assert draft.summary == "“Boire”, c’est la première. Coût : 0 €."


def test_one_bad_byte_does_not_garble_the_rest():
    body = rss(item("Élan vital é à ü ö ä ß ç ñ ø å", "1") + item("bad XX byte", "2")).replace(b"XX", b"\xe9")
    feed = read_feed(body, url=URL)
    assert titles(feed)[0] == "Élan vital é à ü ö ä ß ç ñ ø å"
    assert "not valid UTF-8" in feed.problems[0]


ENTITY = '<!ENTITY x "boom">'


@pytest.mark.parametrize(
    "prolog",
    [
        f"<!DOCTYPE rss [{ENTITY}]>",
        '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!doctype rss PUBLIC "a [b" "c" [ ]>',
        f"<?xml version='1.0'?><!-- > --><!DOCTYPE rss\n[{ENTITY}]>",
        ENTITY,
        f"junk {ENTITY}",
        "<!DOCTYPE rss 'never closed",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_that_declares_entities_is_refused(prolog, encoding):
    body = (prolog + rss(item("&x;")).decode()).encode(encoding)
    with pytest.raises(FeedError, match=r"^https://feeds.example/feed.xml is refused: "):
        read_feed(body, url=URL)


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">',
        '<!DOCTYPE rss SYSTEM "file:///etc/passwd">',
        "<!-- <!DOCTYPE x [<!ENTITY a 'b'>]> -->",
        "\n\n <?xml-stylesheet href='file:///x'?>\n",
        "Warning: something failed in line 3 <br />\n",
    ],
)
def test_what_else_stands_before_a_feed_does_no_harm(prolog):
    assert titles(read_feed(prolog.encode() + rss(item("Fine")), url=URL)) == ["Fine"]


def test_an_entity_declaration_told_in_an_article_is_text():
    body = rss(item("On XXE", "1", description="<![CDATA[Beware of <code>&lt;!ENTITY x SYSTEM</code>]]>"))
    assert read_feed(body, url=URL).drafts[0].summary == "Beware of <!ENTITY x SYSTEM"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "is empty."),
        (b" \n\x00 \xef\xbb\xbf", "is not a feed"),
        (b"\xef\xbb\xbf \n", "is empty."),
        (b"<!doctype html><html><head></head></html>", "is a web page, not a feed"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'><body>x", "is a web page, not a feed"),
        (b"<opml><head/><body/></opml>", "is not a feed"),
        (b"<br>" * 9 + b"<html>", "is a web page, not a feed"),
        (b"just text", "is not a feed"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a feed"),
        (b"<svg/>", "is not a feed"),
        (b'{"items": [', r"its JSON is broken \(line 1 column 12"),
        (b'{"title": "x"}', "has no list called items"),
        (b"[1, 2]", "has no list called items"),
        (b"[" * 100_000, "its JSON is broken"),
        (b'{"items":[' + b"1" * 5000 + b"]}", "its JSON is broken"),
        (b"<rss><channel><title>T</title><item><title>Half", "breaks off before the end of its first article"),
        (b"<rss><channel><title>T", "breaks off"),
        (b"<?xml version='1.0'?>\n<rss><channel>\n<<</rss>", "can't be read: line 3: "),
    ],
)
def test_what_is_no_feed_is_said_in_one_sentence_with_its_address(body, sentence):
    with pytest.raises(FeedError, match=sentence) as caught:
        read_feed(body, url=URL)
    assert str(caught.value).startswith(URL)
    assert len(str(caught.value).splitlines()) == 1


def test_a_feed_without_articles_is_a_feed():
    assert read_feed(rss(""), url=URL).drafts == ()
    assert read_feed(b'<feed xmlns="http://www.w3.org/2005/Atom"/>', url=URL).drafts == ()


def test_no_half_article_is_taken_from_a_feed_that_broke_off():
    whole = rss(item("One", "1") + item("Two is longer", "2"))
    for end in range(whole.index(b"<item>") + 60, len(whole)):
        try:
            found = titles(read_feed(whole[:end], url=URL))
        except FeedError:
            continue
        assert found in (["One"], ["One", "Two is longer"])


@pytest.mark.parametrize(
    "number", ["&#0;", "&#x1F;", "&#xD800;", "&#1114112;", "&#99999999999999999999;", "\x07", "\ufffe"]
)
def test_a_character_that_xml_forbids_does_not_cost_the_feed(number):
    feed = read_feed(rss(item(f"Before{number}after", "1")), url=URL)
    assert titles(feed) == ["Beforeafter"]
    assert feed.problems == ()


@pytest.mark.parametrize(
    "odd",
    [
        "<![CDATA[<script>alert(1)</script>Title]]>",
        "&lt;b&gt;Title&lt;/b&gt;",
        "Ti\r\ntle",
        "Title {{ 7*7 }}",
        "\u202eTitle",
        "Title " * 2000,
        "<![CDATA[Q&amp;A]]>",
    ],
)
def test_an_odd_title_is_cleaned_and_breaks_nothing(odd):
    (title,) = titles(read_feed(rss(item(odd, "1")), url=URL))
    assert len(title.splitlines()) == 1
    assert len(title) <= 500
    assert "alert" not in title
    assert "\u202e" not in title


def test_the_id_is_the_guid_and_does_not_change_with_the_feeds_address():
    body = rss(item("One", "post-1") + item("Two", "", link="/two"), link="https://site.example/")
    first, second = (read_feed(body, url=url).drafts for url in (URL, "https://moved.example/other/feed"))
    assert [draft.guid for draft in first] == [draft.guid for draft in second] == ["post-1", "https://site.example/two"]


def test_a_date_is_published_else_updated_else_none():
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom">'
        "<entry><id>1</id><title>a</title><published>2026-01-01T00:00:00Z</published><updated>2026-02-02T00:00:00Z</updated></entry>"
        "<entry><id>2</id><title>b</title><updated>2026-02-02T00:00:00Z</updated></entry>"
        "<entry><id>3</id><title>c</title></entry>"
        "<entry><id>4</id><title>d</title><published>soon</published></entry></feed>"
    )
    feed = read_feed(atom.encode(), url=URL)
    days = [draft.published and draft.published.date().isoformat() for draft in feed.drafts]
    assert days == ["2026-01-01", "2026-02-02", None, None]
    assert feed.problems == ("article 4 has a date that can't be read ('soon'); it counts as undated.",)


def test_a_feed_in_a_file_finds_its_links_from_its_home():
    body = rss(item("One", "1", link="/one"), link="https://site.example/")
    assert read_feed(body, url="/var/feeds/feed.xml").drafts[0].link == "https://site.example/one"


def test_no_more_than_twenty_problems_are_told():
    problems = read_feed(rss("<item></item>" * 100), url=URL).problems
    assert len(problems) == 21
    assert problems[-1] == "And 80 more of this kind."


NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def draft(name: str, days_ago: float | None = None) -> Draft:
    published = None if days_ago is None else NOW - timedelta(days=days_ago)
    return Draft(guid=name, title=name, link="", published=published)


def taken(drafts: list[Draft], *, first: bool) -> list[tuple[str, bool]]:
    document = FeedDocument("T", "", "", tuple(drafts))
    return [(each.guid, known) for each, known in take_in(document, first=first, now=NOW, back=timedelta(days=31))]


MIXED = [
    draft("new", 1),
    draft("undated"),
    draft("edge", 31),
    draft("future", -400),
    draft("old", 31.001),
    draft("older", 90),
]


def test_the_first_fetch_of_a_feed_does_not_mail_its_back_catalogue():
    assert taken(MIXED, first=True) == [
        ("undated", True),
        ("older", True),
        ("old", True),
        ("edge", False),
        ("new", False),
        ("future", False),
    ]


def test_later_fetches_mail_everything_that_is_new_however_old_it_says_it_is():
    assert taken(MIXED, first=False) == [
        ("undated", False),
        ("older", False),
        ("old", False),
        ("edge", False),
        ("new", False),
        ("future", False),
    ]


def test_of_articles_with_the_same_date_the_lower_one_is_the_older():
    assert taken([draft("top", 1), draft("middle", 1), draft("bottom", 1)], first=False) == [
        ("bottom", False),
        ("middle", False),
        ("top", False),
    ]


def read_or_refuse(body: bytes, content_type: str = "") -> None:
    """Everything but a FeedError goes through."""
    with suppress(FeedError):
        for each in read_feed(body, url=URL, content_type=content_type).drafts:
            assert each.title
            assert each.guid


PIECES = [
    *(
        "<rss>",
        "</rss>",
        "<channel>",
        "<item>",
        "</item>",
        "<title>",
        "</title>",
        "<feed>",
        "<entry>",
        "</entry>",
        "</feed>",
    ),
    *(
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="//[">',
        "<link>",
        '<link href="http://[">',
        "<guid>",
        "<pubDate>",
    ),
    *(
        "<![CDATA[",
        "]]>",
        "&",
        "&#",
        "&#x",
        "&lt;",
        "&nope;",
        "<!--",
        "-->",
        "<?",
        "?>",
        "<!",
        "<",
        ">",
        "/>",
        '"',
        "'",
        "=",
        " ",
    ),
    *(
        "<content type='xhtml'>",
        "<content mode='base64'>",
        "<svg>",
        "<media:content ",
        "url='x' ",
        "<author>",
        "a@b.c",
        "(",
        ")",
    ),
    *(
        "<image>",
        "<width>",
        "<source>",
        "</source>",
        "<category>",
        "<enclosure ",
        "<dc:date>",
        "99999999999999",
        "x",
        "\n",
        "é",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        '"items"',
        ":",
        ",",
        "null",
        "1e999",
        "<georss:point>",
        "<psc:chapter ",
        "<textinput>",
        "<name>",
    ),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@example("<rss><item><georss:point>x</georss:point></item></rss>")
@example("<rss></image><width>x</width></rss>")
def test_anything_that_looks_like_a_feed_gives_a_document_or_a_feed_error(text):
    read_or_refuse(text.encode())


@settings(deadline=None)
@given(st.binary(max_size=300), st.text(max_size=40))
def test_any_bytes_give_a_document_or_a_feed_error(body, content_type):
    for whole in (body, b"<rss>" + body + b"</rss>", b'{"items":[' + body + b"]}"):
        read_or_refuse(whole, content_type)
