import re
import struct
import zlib
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import BytesIO

import feedparser
import httpx
import pytest

from mailer.demo.publication import Publication, serve_site

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def publication():
    return Publication(NOW)


@pytest.fixture(scope="module")
def site(publication):
    with serve_site(publication) as server:
        yield server


@pytest.fixture(scope="module")
def client(site):
    with httpx.Client(base_url=site.url, trust_env=False, verify=False) as client:
        yield client


class Links(HTMLParser):
    """Every address a page points to, and the ids it has."""

    def __init__(self, page: str):
        super().__init__()
        self.found, self.ids, self.images = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.found += [named[key] for key in ("href", "src") if key in named]
        self.ids += [named["id"]] if "id" in named else []
        self.images += [named] if tag == "img" else []


def crawl(client: httpx.Client) -> dict[str, httpx.Response]:
    """Every page, style and picture that can be reached from the front page by its own links."""
    seen, waiting = {}, ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        answer = seen[path] = client.get(path)
        if answer.headers["Content-Type"].startswith("text/html"):
            links = Links(answer.text).found
            waiting += [link for link in links if link.startswith("/")]
            assert all(link.startswith(("/", "#", "mailto:", "data:,")) for link in links), path
    return seen


def test_the_feed_has_every_article_once_with_its_picture(publication, site, client):
    answer = client.get("/feed.xml")
    feed = feedparser.parse(BytesIO(answer.content), response_headers=dict(answer.headers))
    assert not feed.bozo
    assert feed.feed.title == "Mia's Feed"
    assert len(feed.entries) == len(publication.articles) >= 16
    assert len({entry.id for entry in feed.entries}) == len(feed.entries)
    for entry, story in zip(feed.entries, publication.articles, strict=True):
        assert entry.title == story.headline
        assert entry.link == f"{site.url}/articles/{story.slug}"
        assert entry.author == story.author
        assert [tag.term for tag in entry.get("tags", [])] == [publication.topics[topic] for topic in story.topics]
        assert datetime(*entry.published_parsed[:6], tzinfo=UTC) == story.published
        assert entry.content[0].value.count("<p>") == len(story.paragraphs) >= 3
        (media,) = entry.media_content
        assert (media["width"], media["height"], media["type"]) == ("1072", "560", "image/png")
        assert media["url"].startswith(f"{site.url}/pictures/")


def test_an_article_keeps_its_guid_when_the_site_moves_to_another_port(publication):
    guids = [
        [entry.id for entry in feedparser.parse(BytesIO(publication.rss(base))).entries]
        for base in ("http://127.0.0.1:1", "http://127.0.0.1:2")
    ]
    assert guids[0] == guids[1]


def test_every_picture_is_a_png_of_the_said_size_and_no_two_are_alike(publication, client):
    pictures = set()
    for story in publication.articles:
        answer = client.get(story.picture_path)
        assert answer.headers["Content-Type"] == "image/png"
        assert size_of_png(answer.content) == (1072, 560)
        assert len(answer.content) < 120_000
        pictures.add(answer.content)
    assert len(pictures) == len(publication.articles)


def size_of_png(data: bytes) -> tuple[int, int]:
    """Width and height, after its checksums and the number of its pixels were checked."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 3, 0, 0, 0]
    assert len(chunks[b"PLTE"]) == 3 * 256
    assert len(zlib.decompress(chunks[b"IDAT"])) == height * (width + 1)
    return width, height


def test_all_links_of_all_pages_lead_somewhere(publication, client):
    pages = crawl(client)
    assert {answer.status_code for answer in pages.values()} == {200}
    assert {story.path for story in publication.articles} <= set(pages)
    assert {f"/topics/{topic}" for topic in publication.topics} <= set(pages)
    for answer in pages.values():
        if answer.headers["Content-Type"].startswith("text/html"):
            links = Links(answer.text)
            assert {link[1:] for link in links.found if link.startswith("#")} <= set(links.ids)
            assert all("alt" in image for image in links.images)
            assert answer.text.count("<h1") == 1


def test_an_article_page_has_what_the_reference_page_has_in_its_order(publication, client):
    story = publication.articles[0]
    page = client.get(story.path).text
    told = [
        "Mia&#39;s Feed</a>",
        "Medical news and research, told plainly",
        f"<h1>{story.headline}</h1>",
        'aria-label="Breadcrumb"',
        "Share by email",
        'class="summary"',
        "2 min read",
        *story.paragraphs,
        "Related Articles",
    ]
    places = [page.index(piece) for piece in told]
    assert places == sorted(places)
    related = page[places[-1] :]
    assert len(re.findall(r"<li><a href=\"/articles/[a-z0-9-]+\">[^<]+</a>\s*<p>[^<]+[.?!]</p></li>", related)) == 4
    assert story.path not in related
    assert "<form" not in page
    assert "<script" not in page


@pytest.mark.parametrize(("within", "least"), [(1, 3), (7, 6), (30, 13), (35, 16)])
def test_articles_lie_over_the_five_weeks_before_now(publication, within, least):
    recent = [story for story in publication.articles if NOW - timedelta(days=within) <= story.published < NOW]
    assert len(recent) >= least


def test_there_are_articles_of_every_topic_and_one_without(publication):
    assert {topic for story in publication.articles for topic in story.topics} == set(publication.topics)
    assert any(not story.topics for story in publication.articles)


def test_a_feed_that_did_not_change_is_answered_with_304(client):
    first = client.get("/feed.xml")
    tag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    cases = [
        ({"If-None-Match": tag}, 304),
        ({"If-None-Match": f'"other", W/{tag}'}, 304),
        ({"If-None-Match": '"other"', "If-Modified-Since": modified}, 200),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
    ]
    for headers, status in cases:
        answer = client.get("/feed.xml", headers=headers)
        assert answer.status_code == status, headers
        assert bool(answer.content) == (status == 200)


def test_head_answers_like_get_without_a_body(client):
    got, head = (client.request(method, "/") for method in ("GET", "HEAD"))
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(got.content))


@pytest.mark.parametrize(
    "path", ["/articles/nothing", "/topics/", "/pictures/x.png", "/articles/", "/%00", "/feed.xml/"]
)
def test_an_unknown_address_gets_a_page_that_says_so(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "This page does not exist" in answer.text


def test_a_publication_may_be_dated_in_any_time_zone():
    now = datetime.fromisoformat("2026-11-23T07:00:00+14:00")
    with serve_site(Publication(now)) as server:
        answer = httpx.get(f"{server.url}/feed.xml", trust_env=False)
    assert answer.headers["Last-Modified"] == "Sun, 22 Nov 2026 14:00:00 GMT"


def test_as_time_goes_on_articles_come_out_that_nobody_has_seen_under_that_name():
    told = Publication(NOW)
    for days in range(1, 9):
        told.go_on(NOW + timedelta(days=days))
    assert len(told.articles) == len(Publication(NOW).articles) + 8 * 3
    assert [story.published for story in told.articles] == sorted(
        (story.published for story in told.articles), reverse=True
    )
    for unique in ("slug", "headline", "path"):
        assert len({getattr(story, unique) for story in told.articles}) == len(told.articles)
    with serve_site(told) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get(told.articles[0].path).status_code == 200
        assert client.get(told.articles[0].picture_path).headers["Content-Type"] == "image/png"
        assert len(feedparser.parse(BytesIO(client.get("/feed.xml").content)).entries) == len(told.articles)


def test_the_form_stands_between_the_article_and_the_related_ones_where_the_pages_are_told(publication):
    with serve_site(publication, signup_url="http://127.0.0.1:9") as server:
        answer = httpx.get(server.url + publication.articles[0].path, trust_env=False)
        front = httpx.get(server.url, trust_env=False)
    places = [answer.text.index(part) for part in ("</article>", "<mailer-signup>", "/embed.js", "Related Articles")]
    assert places == sorted(places)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src http://127.0.0.1:9; connect-src http://127.0.0.1:9" in policy
    assert "script-src" not in front.headers["Content-Security-Policy"]


def test_the_five_subjects_of_the_reference_page_are_told_in_five_paragraphs_and_two_minutes(publication):
    five = publication.articles[:5]
    assert [(len(story.paragraphs), story.minutes) for story in five] == [(5, 2)] * 5
