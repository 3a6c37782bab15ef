"""A site's feed is found from its page, however that is written, or from where feeds usually are."""

import time

import pytest

from mailer.core.feed_discovery import FeedLink, feeds_named, is_page, usual_places

URL = "https://site.example/blog/"
RSS = 'rel="alternate" type="application/rss+xml"'


def named(head: str, url: str = URL) -> list[str]:
    return [link.url for link in feeds_named(f"<html><head>{head}</head><body></body></html>".encode(), url=url)]


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (f'<link {RSS} href="https://site.example/feed.xml">', ["https://site.example/feed.xml"]),
        (f'<link {RSS} href="/feed.xml"/>', ["https://site.example/feed.xml"]),
        (f'<link {RSS} href="feed.xml">', ["https://site.example/blog/feed.xml"]),
        (f'<link {RSS} href="//feeds.example/a?x=1&amp;y=2">', ["https://feeds.example/a?x=1&y=2"]),
        (f'<base href="/de/"><link {RSS} href="feed.xml">', ["https://site.example/de/feed.xml"]),
        (f'<base target="_top"><link {RSS} href="feed.xml">', ["https://site.example/blog/feed.xml"]),
        ("<LINK REL=ALTERNATE TYPE=application/atom+xml HREF=/atom>", ["https://site.example/atom"]),
        ("<link href='/f' type='application/feed+json' rel='alternate home'>", ["https://site.example/f"]),
        ('<link rel="feed" type="application/rss+xml; charset=utf-8" href="/f">', ["https://site.example/f"]),
        (f'<link\n  {RSS}\n  href="/f"\n>', ["https://site.example/f"]),
        (f'<link {RSS} href="/f"><link {RSS} href="/f">', ["https://site.example/f"]),
        (f'<!-- <link {RSS} href="/old"> --><link {RSS} href="/f">', ["https://site.example/f"]),
        (f'<link {RSS} href="/f"><!-- never closed', ["https://site.example/f"]),
        (f'<link {RSS} href="">', []),
        (f"<link {RSS}>", []),
        (f'<link {RSS} href="file:///etc/passwd"><link {RSS} href="javascript:alert(1)">', []),
        ('<link rel="alternate" type="application/json" href="/wp-json/">', []),
        ('<link rel="alternate" hreflang="de" href="/de/">', []),
        ('<link rel="stylesheet" type="application/rss+xml" href="/x">', []),
        ("<p>Hello</p>", []),
        ("", []),
    ],
)
def test_feeds_are_named_in_a_page(head, found):
    assert named(head) == found


@pytest.mark.parametrize(
    "comments",
    [
        f'<link {RSS} title="Harbour &raquo; Comments Feed" href="/c">',
        f'<link {RSS} href="/comments/feed/">',
        f'<link {RSS} title="Kommentar-Feed" href="/c">',
        f'<link {RSS} title="Comentarios" href="/c">',
    ],
)
def test_a_feed_of_comments_comes_last(comments):
    found = feeds_named(f'{comments}<link {RSS} title="Harbour &amp; Sons" href="/f">'.encode(), url=URL)
    assert found[0] == FeedLink("https://site.example/f", "Harbour & Sons")
    assert found[1].is_of_comments


def test_no_more_than_twenty_feeds_are_looked_at():
    assert len(named("".join(f'<link {RSS} href="/{n}">' for n in range(100)))) == 20


@pytest.mark.parametrize("part", ["<link ", "<!--", '<link rel="', "<base href=", "<link rel=a ", '"', "<link a=" * 2])
def test_a_page_that_never_ends_takes_no_time(part):
    start = time.process_time()
    feeds_named((part * 1_000_000).encode(), url=URL)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("body", "content_type", "page"),
    [
        (b"<!DOCTYPE html><p>Hello", "", True),
        (b"<p>Hello", "text/html; charset=utf-8", True),
        (b"\n<html lang=de>", "application/xml", True),
        ("<html>".encode("utf-16"), "", True),
        (b"Not found", "text/plain", False),
        (b'{"a": 1}', "application/json", False),
        (b"<rss><broken", "application/rss+xml", False),
        (b"", "", False),
    ],
)
def test_what_is_a_page_is_told_from_what_is_not(body, content_type, page):
    assert is_page(body, content_type) is page


def test_usual_places_are_beside_the_page_and_at_the_root_each_once():
    names = ["feed", "feed.xml", "rss.xml", "atom.xml", "index.xml", "feed.json"]
    assert usual_places("https://site.example/blog?x=1#top") == tuple(
        f"https://site.example/{folder}{name}" for folder in ("blog/", "") for name in names
    )
    assert usual_places("https://site.example") == tuple(f"https://site.example/{name}" for name in names)
