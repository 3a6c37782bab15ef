"""Fetching feeds from a real server that behaves, misbehaves, or shouldn't be asked at all."""

import gzip
import itertools
import os
import socket
import time
import zlib
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import ValidationError

from mailer.errors import FeedError
from mailer.feeds import FeedOptions, Fetched, fetch, is_public, read_file
from tests.faults.badfeeds import BadFeeds, Page, gzipped, redirect
from tests.faults.certificate import make_certificate

BODY = b"<rss><channel><title>T</title></channel></rss>"
OURS = FeedOptions(allow_private=True, timeout=timedelta(seconds=5), max_bytes=100_000)
SHORT = OURS.model_copy(update={"timeout": timedelta(seconds=0.2)})
STRANGE = FeedOptions(timeout=timedelta(seconds=5))


@pytest.fixture
def server() -> Iterator[BadFeeds]:
    with BadFeeds() as feeds:
        yield feeds


async def refusal(url: str, options: FeedOptions = OURS, **validators: str) -> str:
    """The one sentence of the error, without the address it begins with."""
    with pytest.raises(FeedError) as caught:
        await fetch(url, options=options, **validators)
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1
    assert sentence.startswith(url)
    return sentence.removeprefix(url).strip()


async def test_a_feed_comes_with_its_validators_and_its_type(server):
    server.pages["/feed"] = Page(
        BODY, etag='"one"', last_modified="Mon, 23 Nov 2026 07:00:00 GMT", content_type="application/atom+xml"
    )
    assert await fetch(f"{server.url}/feed", options=OURS, site="https://site.example") == Fetched(
        "changed", BODY, '"one"', "Mon, 23 Nov 2026 07:00:00 GMT", "application/atom+xml", f"{server.url}/feed"
    )
    (asked,) = server.asked
    assert asked.headers["user-agent"] == "mailer/0.1.0 (+https://site.example)"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["accept-encoding"] == "gzip"
    assert "cookie" not in asked.headers


@pytest.mark.parametrize(
    ("page", "validators"),
    [
        (Page(BODY, etag='W/"x"'), {"etag": 'W/"x"'}),
        (Page(BODY, last_modified="Mon, 23 Nov 2026 07:00:00 GMT"), {"last_modified": "Mon, 23 Nov 2026 07:00:00 GMT"}),
    ],
)
async def test_a_feed_that_did_not_change_is_not_sent_again(server, page, validators):
    server.pages["/feed"] = page
    again = await fetch(f"{server.url}/feed", options=OURS, **validators)
    assert again == Fetched("unchanged", final_url=f"{server.url}/feed", **validators)


async def test_validators_of_a_server_that_no_header_may_hold_are_not_kept_and_not_sent(server):
    server.pages["/feed"] = Page(BODY, etag='"' + "x" * 600 + '"')
    assert (await fetch(f"{server.url}/feed", options=OURS)).etag == ""
    await fetch(f"{server.url}/feed", options=OURS, etag="a\r\nX-Evil: 1", last_modified="ü")
    assert not {"if-none-match", "if-modified-since", "x-evil"} & server.asked[-1].headers.keys()


async def test_gone_is_an_answer_and_other_states_are_errors(server):
    url = f"{server.url}/feed"
    server.pages["/feed"] = Page(status=410)
    assert (await fetch(url, options=OURS)).status == "gone"
    for page, sentence in [
        (Page(status=404), "answered 404 Not Found."),
        (Page(status=500), "answered 500 Internal Server Error."),
        (
            Page(status=503, headers={"Retry-After": "90"}),
            "answered 503 Service Unavailable and asks to come back in 90 s.",
        ),
        (Page(status=304), "answered 304 Not Modified."),
        (Page(status=206), "answered 206 Partial Content."),
        (Page(status=799), "answered 799."),
        (Page(status=302), "redirects to nowhere (status 302 without an address)."),
    ]:
        server.pages["/feed"] = page
        assert await refusal(url) == sentence


@pytest.mark.parametrize(
    ("statuses", "permanent"),
    [([301], True), ([308, 301], True), ([302], False), ([301, 307], False), ([303, 301], False)],
)
async def test_an_address_is_only_changed_for_good_where_every_redirect_says_so(server, statuses, permanent):
    for at, status in enumerate(statuses):
        server.pages[f"/{at}"] = redirect(f"/{at + 1}", status)
    server.pages[f"/{len(statuses)}"] = Page(BODY, etag='"e"')
    last = f"{server.url}/{len(statuses)}"
    for validators in ({}, {"etag": '"e"'}):
        found = await fetch(f"{server.url}/0", options=OURS, **validators)
        assert (found.final_url, found.permanent_url) == (last, last if permanent else "")


async def test_redirects_end_somewhere(server):
    server.pages["/a"] = redirect("/b")
    server.pages["/b"] = redirect(f"{server.url}/a#top")
    assert await refusal(f"{server.url}/a") == f"redirects in a circle; it comes back to {server.url}/a."
    for at in range(9):
        server.pages[f"/{at}"] = redirect(f"/{at + 1}")
    assert await refusal(f"{server.url}/0") == "redirects more than 5 times."
    server.pages["/9"] = Page(BODY)
    assert (await fetch(f"{server.url}/4", options=OURS)).body == BODY


async def test_no_cookie_goes_from_one_hop_to_the_next(server):
    server.pages["/a"] = Page(status=302, headers={"Location": "/b", "Set-Cookie": "who=me; Path=/"})
    server.pages["/b"] = Page(BODY)
    await fetch(f"{server.url}/a", options=OURS)
    assert all("cookie" not in asked.headers for asked in server.asked)


async def test_gzip_is_undone(server):
    url = f"{server.url}/feed"
    for page in [
        gzipped(BODY),
        Page(gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]), headers={"Content-Encoding": "x-gzip"}),
        Page(gzip.compress(BODY) + b"\x00" * 9, headers={"Content-Encoding": "GZIP"}),
        Page(BODY, headers={"Content-Encoding": "identity"}),
    ]:
        server.pages["/feed"] = page
        assert (await fetch(url, options=OURS)).body == BODY


async def test_what_is_packed_wrongly_is_refused(server):
    url = f"{server.url}/feed"
    whole = gzip.compress(BODY)
    for body, coding, sentence in [
        (whole[:-9], "gzip", "broke off: its gzip stream has no end."),
        (BODY, "gzip", "was sent as a broken gzip stream."),
        (b"", "gzip", "broke off: its gzip stream has no end."),
        (whole[:20] + b"xxxx" + whole[24:], "gzip", "was sent as a broken gzip stream."),
        (gzip.compress(b"") * 200, "gzip", "was sent as a broken gzip stream."),
        (zlib.compress(BODY), "br", "was sent packed as 'br', which was not asked for."),
    ]:
        server.pages["/feed"] = Page(body, headers={"Content-Encoding": coding})
        assert await refusal(url) == sentence


async def test_what_is_too_large_is_not_read_to_its_end(server):
    url, sentence = f"{server.url}/feed", "has more than 100000 bytes; raise max_bytes under [feeds] if that is right."
    for page in [
        Page(b"x" * 100_001),
        Page(b"x", claim=10**12),
        Page(chunks=itertools.repeat(b"x" * 1000)),
        gzipped(b"\x00" * 50_000_000),
        gzipped(b"\x00" * 100_001),
    ]:
        server.pages["/feed"] = page
        assert await refusal(url) == sentence
    server.pages["/feed"] = gzipped(b"x" * 100_000)
    assert len((await fetch(url, options=OURS)).body) == 100_000


async def test_the_time_is_for_the_whole_fetch_however_slowly_it_drips(server):
    url = f"{server.url}/feed"
    server.pages["/slow"] = Page(BODY, wait=0.15)
    for page in [
        Page(BODY, wait=5),
        Page(BODY * 9, drip=0.05),
        Page(BODY, claim=len(BODY) + 1, headers={"Connection": "keep-alive"}, drip=0.05),
        Page(status=302, wait=0.15, headers={"Location": "/slow"}),
    ]:
        server.pages["/feed"] = page
        start = time.monotonic()
        assert await refusal(url, SHORT) == "did not answer in full within 0.2s."
        assert time.monotonic() - start < 2


async def test_a_body_that_breaks_off_is_no_feed(server):
    server.pages["/feed"] = Page(BODY, claim=len(BODY) + 1)
    sentence = await refusal(f"{server.url}/feed")
    assert sentence == "can't be fetched: the connection broke off, or what came is not HTTP."


async def test_who_does_not_answer_is_named():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/feed"
        assert await refusal(url) == "can't be fetched: nothing answers there."
    assert await refusal("http://no-such-name.invalid/") == (
        "can't be fetched: the name no-such-name.invalid was not found."
    )


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    with BadFeeds(make_certificate(tmp_path).server) as server:
        server.pages["/feed"] = Page(BODY)
        sentence = await refusal(f"{server.url}/feed")
        assert sentence == "can't be fetched: its certificate is not valid (self-signed certificate)."
        assert server.asked == []


async def test_the_certificate_is_checked_against_the_name_and_not_against_the_address(tmp_path, monkeypatch):
    for host, accepted in (("localhost", True), ("127.0.0.1", False)):
        certificate = make_certificate(tmp_path, host=host)
        monkeypatch.setattr("mailer.feeds._trust", lambda trusted=certificate.client: trusted)
        with BadFeeds(certificate.server) as server:
            server.pages["/feed"] = Page(BODY)
            url = f"https://localhost:{server.port}/feed"
            if accepted:
                assert (await fetch(url, options=OURS)).body == BODY
                assert server.asked[0].headers["host"] == f"localhost:{server.port}"
            else:
                assert "its certificate is not valid" in await refusal(url)


async def test_tls_spoken_to_a_plain_server_is_said(server):
    assert "no secure connection" in await refusal(server.url.replace("http:", "https:") + "/feed")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0.0.0.0",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fd00::1]",
    ],
)
async def test_what_is_not_public_is_not_asked(server, host):
    sentence = await refusal(f"http://{host}:{server.port}/feed", STRANGE)
    assert "which is not a public address" in sentence or "was not found" in sentence
    assert server.asked == []


PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::", "64:ff9b::808:808"]
NOT_PUBLIC = [
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.31.255.255", "192.0.0.8", "192.0.2.1"),
    *("192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1"),
    *("2001::1", "2001:db8::1", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
]


@pytest.mark.parametrize(("address", "public"), [(a, True) for a in PUBLIC] + [(a, False) for a in NOT_PUBLIC])
def test_public_is_what_the_internet_routes(address, public):
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("file:///etc/passwd", "is not an http or https address."),
        ("ftp://site.example/feed", "is not an http or https address."),
        ("//site.example/feed", "is not an http or https address."),
        ("http://", "is not an http or https address."),
        ("http://site.example:99999/", "is not an http or https address."),
        ("feed.xml", "is not an http or https address."),
        ("http://[::1", "can't be fetched: that is not a web address."),
        ("http://a\x00b/", "can't be fetched: that is not a web address."),
        (
            "http://site.example@127.0.0.1/",
            "has a user name in its address; feeds that need signing in can't be fetched.",
        ),
        (
            "http://site.example\\@127.0.0.1/",
            "has a user name in its address; feeds that need signing in can't be fetched.",
        ),
        ("http://" + "a" * 70 + ".example/", "was not found."),
    ],
)
async def test_what_is_no_web_address_is_said_so(url, sentence):
    assert (await refusal(url)).endswith(sentence)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("file:///etc/passwd", "is not an http or https address."),
        ("gopher://127.0.0.1/", "is not an http or https address."),
        ("http://user:pw@site.example/", "has a user name in its address"),
        ("http://[::1", "that is not a web address"),
        ("http://169.254.169.254/latest/meta-data/", "leads to 169.254.169.254, which is not a public address"),
        ("http://10.0.0.1/", "leads to 10.0.0.1, which is not a public address"),
        ("//[::ffff:10.0.0.1]/", "leads to ::ffff:10.0.0.1, which is not a public address"),
    ],
)
async def test_each_redirect_is_checked_again(server, monkeypatch, target, sentence):
    # This machine's own address stands for a public one: the first hop is allowed, the second must be looked at anew.
    monkeypatch.setattr("mailer.feeds.is_public", lambda address: address == "127.0.0.1" or is_public(address))
    server.pages["/feed"] = redirect(target)
    said = await refusal(f"{server.url}/feed", STRANGE)
    assert sentence in said
    assert len(server.asked) == 1


async def test_the_address_that_was_checked_is_the_one_that_is_asked(server, monkeypatch):
    # A name server that answers differently the second time (DNS rebinding) is not asked a second time.
    looked_up = []
    real = socket.getaddrinfo

    def once(host, *args, **kwargs):
        looked_up.append(host)
        return real("127.0.0.1" if host == "feed.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    server.pages["/feed"] = Page(BODY)
    await fetch(f"http://feed.example:{server.port}/feed", options=OURS)
    assert looked_up.count("feed.example") == 1
    assert server.asked[0].headers["host"] == f"feed.example:{server.port}"


async def test_the_second_address_of_a_name_is_tried_where_the_first_is_dead(server, monkeypatch):
    def two(host, port, *args, **kwargs):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in (("127.0.0.2", "127.0.0.1") if "example" in host else (host,))]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    server.pages["/feed"] = Page(BODY)
    assert (await fetch(f"http://feed.example:{server.port}/feed", options=OURS)).body == BODY


async def test_a_proxy_of_the_environment_is_not_used(server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.pages["/feed"] = Page(BODY)
    assert (await fetch(f"{server.url}/feed", options=OURS)).body == BODY


def test_a_feed_in_a_file_is_read_and_known_again_until_it_changes(tmp_path):
    path = tmp_path / "feed.xml"
    path.write_bytes(BODY)
    first = read_file(str(path), options=OURS)
    assert (first.status, first.body, first.final_url) == ("changed", BODY, str(path))
    assert read_file(str(path), etag=first.etag, options=OURS).status == "unchanged"
    path.write_bytes(BODY + b" ")
    assert read_file(str(path), etag=first.etag, options=OURS).status == "changed"


def test_what_is_no_readable_file_is_said_so(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 100_001)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name, sentence in [
        ("missing", "can't be read: No such file or directory."),
        ("large", "has more than 100000 bytes; raise max_bytes under [feeds] if that is right."),
        ("pipe", "is not a file; name the file that holds the feed."),
        ("device", "is not a file; name the file that holds the feed."),
        (".", "can't be read: Is a directory."),
        ("nul\x00", "can't be read: embedded null byte."),
    ]:
        with pytest.raises(FeedError) as caught:
            read_file(f"{tmp_path}/{name}", options=OURS)
        assert str(caught.value) == f"{tmp_path}/{name} {sentence}"


def test_the_options_take_seconds_in_words_and_have_limits():
    assert FeedOptions() == FeedOptions(allow_private=False, timeout="10s", max_bytes=5_000_000)
    assert FeedOptions(timeout=2.5).timeout == timedelta(seconds=2.5)
    for wrong in ({"timeout": 0}, {"timeout": "1h"}, {"max_bytes": 1}, {"max_bytes": 10**9}, {"proxy": "x"}):
        with pytest.raises(ValidationError):
            FeedOptions(**wrong)
    assert all(field.description for field in FeedOptions.model_fields.values())
