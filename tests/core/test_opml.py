"""Lists of feeds are read from any feed reader, safely, and written so that any reads them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.opml import MOST_FEEDS, Outline, read_opml, write_opml
from mailer.errors import InputError

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
URL = "https://site.example/feed.xml"


def opml(body: str, head: str = "") -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>{head}<opml version="1.1"><body>{body}</body></opml>'.encode()


def refusal(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        read_opml(data, name="feeds.opml")
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1
    assert sentence.startswith("feeds.opml ")
    return sentence


def test_feeds_are_found_in_folders_each_once():
    nested = f"""
        <outline text="Health"><outline text="Lungs"><outline type="rss" text="Harbour &amp;amp; Sons" xmlUrl="{URL}"
            htmlUrl="https://site.example/"/></outline>
        <outline text="a" title="Atom" xmlurl=" https://a.example/atom "/></outline>
        <outline text="again" xmlUrl="{URL}"/><outline text="no feed" url="https://site.example"/>"""
    assert read_opml(opml(nested), name="x") == (
        Outline(URL, "Harbour & Sons", "https://site.example/"),
        Outline("https://a.example/atom", "Atom"),
    )


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_the_charset_does_not_matter(charset):
    text = (
        f'<?xml version="1.0" encoding="{charset.removesuffix("-sig")}"?>'
        + opml(f'<outline text="Größe" xmlUrl="{URL}"/>').decode().partition("?>")[2]
    )
    assert read_opml(text.encode(charset), name="x") == (Outline(URL, "Größe"),)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (opml(""), "names no feed"),
        (b"", "can't be read: line 1: no element found."),
        (b"\x00\x01", "can't be read"),
        (b'<rss version="2.0"></rss>', "is not OPML: it begins with <rss>."),
        (b'{"feeds": []}', "can't be read"),
        (opml("<outline>"), "can't be read: line 1: mismatched tag."),
        (opml("", '<!DOCTYPE opml [<!ENTITY a "aaaa">]>'), "is refused: it has a DOCTYPE"),
        (opml("", '<!DOCTYPE opml SYSTEM "file:///etc/passwd">'), "is refused: it has a DOCTYPE"),
        (opml('<outline text="&a;"/>'), "can't be read: line 1: undefined entity."),
        (opml(f'<outline xmlUrl="{"x" * 3000}"/>'), "names no feed"),
    ],
)
def test_what_is_no_list_of_feeds_is_refused_in_a_sentence(data, said):
    assert said in refusal(data)


def test_a_list_without_end_is_refused():
    many = "".join(f'<outline xmlUrl="https://site.example/{n}"/>' for n in range(MOST_FEEDS + 1))
    assert "more than 2,000 feeds" in refusal(opml(many))


def test_folders_in_folders_without_end_do_no_harm():
    depth = 100_000
    nested = "<outline>" * depth + f'<outline xmlUrl="{URL}"/>' + "</outline>" * depth
    assert read_opml(opml(nested), name="x") == (Outline(URL),)


def test_a_list_is_written_as_the_specification_wants_it():
    written = write_opml("Feeds of Größe", [Outline(URL, 'A "<title>" & more', "https://site.example/")], now=NOW)
    assert written == (
        """<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0">
  <head>
    <title>Feeds of Gr&#246;&#223;e</title>
    <dateCreated>Mon, 23 Nov 2026 07:00:00 +0000</dateCreated>
  </head>
  <body>
    <outline text="A &quot;&lt;title&gt;&quot; &amp; more" title="A &quot;&lt;title&gt;&quot; &amp; more" """
        """type="rss" xmlUrl="https://site.example/feed.xml" htmlUrl="https://site.example/" />
  </body>
</opml>
"""
    )


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_what_is_written_can_be_read_whatever_the_titles(titles):
    feeds = [Outline(f"https://site.example/{n}", title) for n, title in enumerate(titles)]
    written = write_opml("T", feeds, now=NOW)
    assert written.isascii()
    assert [feed.url for feed in read_opml(written.encode(), name="x")] == [feed.url for feed in feeds]
