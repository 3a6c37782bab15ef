"""Asking whether a page is there: HEAD, then GET, its content unread, and only where feeds may be fetched from."""

import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mailer.core.lint import Asked
from mailer.errors import FeedError
from mailer.feeds import FeedOptions, probe
from mailer.flows.linting import AT_ONCE, MOST, probe_links
from tests.faults.badfeeds import BadFeeds, Page, redirect

OURS = FeedOptions(allow_private=True, timeout=timedelta(seconds=5), max_bytes=1_000)


class Web(ThreadingHTTPServer):
    """Answers HEAD and GET, each with its own status; remembers both, and how many came at once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = {"HEAD": 200, "GET": 200}
        self.asked: list[tuple[str, str]] = []
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def _answer(self) -> None:
        web = self.server
        with web.lock:
            web.asked.append((self.command, self.path))
            web.now += 1
            web.most = max(web.most, web.now)
        threading.Event().wait(0.01)
        with web.lock:
            web.now -= 1
        self.send_response(web.statuses[self.command])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def feeds() -> Iterator[BadFeeds]:
    with BadFeeds() as server:
        yield server


async def test_a_page_that_is_there_is_asked_once_with_head(web):
    assert await probe(f"{web.url}/a", options=OURS) == 200
    assert web.asked == [("HEAD", "/a")]


@pytest.mark.parametrize(
    ("head", "get", "status"), [(405, 200, 200), (403, 200, 200), (404, 404, 404), (500, 410, 410)]
)
async def test_a_server_without_an_answer_to_head_is_asked_with_get(web, head, get, status):
    web.statuses |= {"HEAD": head, "GET": get}

    assert await probe(f"{web.url}/a", options=OURS) == status
    assert [method for method, _ in web.asked] == ["HEAD", "GET"]


async def test_what_a_page_holds_is_not_read(feeds):
    feeds.pages["/endless"] = Page(chunks=itertools.repeat(b"x" * 10_000), announce=False)
    feeds.pages["/large"] = Page(b"x" * 100_000)

    assert await probe(f"{feeds.url}/endless", options=OURS) == 200
    assert await probe(f"{feeds.url}/large", options=OURS) == 200


async def test_redirects_are_followed_as_far_as_feeds_are(feeds):
    feeds.pages |= {"/old": redirect("/new"), "/new": Page(b"x"), "/circle": redirect("/circle")}

    assert await probe(f"{feeds.url}/old", options=OURS) == 200
    with pytest.raises(FeedError, match="in a circle"):
        await probe(f"{feeds.url}/circle", options=OURS)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://[::1]/", "http://10.0.0.1/", "http://0x7f000001/", "http://169.254.169.254/x"],
)
async def test_private_addresses_are_not_asked(url):
    with pytest.raises(FeedError, match="not a public address"):
        await probe(url, options=FeedOptions())


@pytest.mark.parametrize(
    "url", ["ftp://site.example/", "file:///etc/passwd", "http://", "http://a b/", "", "http://u:p@h/"]
)
async def test_what_is_no_web_page_is_an_error_in_one_sentence(url):
    with pytest.raises(FeedError) as caught:
        await probe(url, options=OURS)
    assert len(str(caught.value).splitlines()) == 1


async def test_a_server_that_says_nothing_is_not_waited_for(feeds):
    feeds.pages["/slow"] = Page(b"x", wait=5)
    with pytest.raises(FeedError, match="did not answer"):
        await probe(f"{feeds.url}/slow", options=OURS.model_copy(update={"timeout": timedelta(seconds=0.2)}))


async def test_many_links_are_asked_once_each_some_at_a_time_and_not_without_end(web):
    many = [Asked(f"{web.url}/{number}", "HTML line 1", personal=False) for number in range(MOST + 50)]

    probed = await probe_links([*many, *many], options=OURS)

    assert (dict(probed.dead), probed.asked, probed.skipped) == ({}, MOST, 50)
    assert len(web.asked) == len(set(web.asked)) == MOST
    assert web.most <= AT_ONCE


async def test_a_readers_own_links_are_never_asked_for(web):
    probed = await probe_links([Asked(f"{web.url}/unsubscribe/x", "HTML line 1", personal=True)], options=OURS)

    assert (probed.asked, probed.skipped, web.asked) == (0, 1, [])
