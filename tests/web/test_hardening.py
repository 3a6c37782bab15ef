"""What holds on every route: headers, HEAD and OPTIONS, who asks, bounds on bodies, errors without echo."""

import asyncio
import re

import httpx
import pytest
import structlog
from fastapi import Form, HTTPException, Request
from fastapi.responses import HTMLResponse

from mailer.errors import TemplateError
from mailer.web import hardening
from mailer.web.answers import content_policy, page
from mailer.wiring import Parts
from tests.web.conftest import PROXY

SAFE = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
POLICY = "content-security-policy"


@pytest.fixture(autouse=True)
def routes(app):
    """Pages as others will hang there."""

    @app.get("/page/{token}")
    async def shown(token: str) -> HTMLResponse:
        return page("<style>p{}</style><p>hello", style="sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y=")

    @app.post("/page/{token}")
    async def posted(token: str, request: Request) -> int:
        return len(await request.body())

    @app.post("/form")
    async def filled(email: str = Form()) -> str:
        return email

    @app.get("/client")
    async def client(request: Request) -> str:
        return request.state.client

    @app.get("/archive")
    async def archive() -> HTMLResponse:
        return page("", headers={"Cache-Control": "public, max-age=300", "X-Robots-Tag": "all"})

    @app.get("/framed")
    async def embed() -> HTMLResponse:
        return page("", framed_by=["https://www.example.org"])

    @app.get("/refused/{status}")
    async def refused(status: int) -> str:
        raise HTTPException(status, "said by somebody else")

    @app.get("/broken")
    async def broken() -> str:
        raise RuntimeError("ann@example.com")

    @app.get("/api/broken")
    async def broken_api() -> str:
        raise RuntimeError("ann@example.com")


def _safe(answer: httpx.Response, **others: str) -> None:
    """It has every header, with these in place of the usual ones; and no cookie, and no version of anything."""
    wanted = {name.lower(): value for name, value in SAFE.items()}
    wanted |= {name.lower().replace("_", "-"): value for name, value in others.items()}
    found = {name: answer.headers.get(name, "") for name in wanted}
    if "content-security-policy" not in {name.replace("_", "-") for name in others}:
        # A page has one style besides, by its hash.
        policy = found["content-security-policy"]
        found[POLICY] = re.sub(r"; style-src 'sha256-[^']{44}'$", "", policy)
    assert found == wanted
    assert not {"set-cookie", "server", "x-powered-by"} & set(answer.headers)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("OPTIONS", "/healthz", 405),
        ("POST", "/healthz", 405),
        ("GET", "/openapi.json", 200),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("GET", "/healthz/", 404),
        ("GET", "/nothing", 404),
        ("GET", "/%ff%00", 404),
        ("PURGE", "/healthz", 405),
        ("GET", "/api/nothing", 404),
        ("GET", "/refused/403", 403),
    ],
)
async def test_every_answer_keeps_itself_out_of_caches_indexes_and_frames(visit, method, path, status):
    answer = await visit(method, path)

    assert answer.status_code == status
    _safe(answer)


@pytest.mark.parametrize("path", ["/broken", "/api/broken"])
async def test_an_unforeseen_error_is_a_safe_answer_too_and_says_nothing_of_itself(visit, path):
    answer = await visit("GET", path)

    assert answer.status_code == 500
    _safe(answer)
    assert re.search("Something went wrong (?:here|on our side)", answer.text)
    assert "ann@" not in answer.text


async def test_where_even_the_page_of_an_error_can_t_be_made_there_is_a_sentence(visit, desk, monkeypatch):
    def broken(self):
        raise TemplateError("web/page.html, line 3: no such filter")

    monkeypatch.setattr(Parts, "pages", broken)

    for path in ("/broken", "/nothing"):
        answer = await visit("GET", path)

        assert answer.status_code == 500
        assert answer.text == "Something went wrong on our side. Please try again in a few minutes."
        _safe(answer)


async def test_head_is_get_without_the_body(visit):
    shown, head = await visit("GET", "/page/t"), await visit("HEAD", "/page/t")

    assert head.content == b""
    assert head.status_code == shown.status_code
    assert head.headers == shown.headers


async def test_options_says_what_there_is_and_does_nothing(visit):
    answer = await visit("OPTIONS", "/healthz")

    assert answer.headers["allow"] == "GET, HEAD"


async def test_a_route_has_the_last_word_on_its_headers(visit):
    policy = SAFE["content-security-policy"]
    _safe(await visit("GET", "/archive"), cache_control="public, max-age=300", x_robots_tag="all")
    framed = policy.replace("ancestors 'none'", "ancestors https://www.example.org")
    _safe(await visit("GET", "/framed"), content_security_policy=framed)
    # echo -n 'p{}' | openssl dgst -sha256 -binary | base64
    styled = f"{policy}; style-src 'sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y='"
    _safe(await visit("GET", "/page/t"), content_security_policy=styled)


def test_a_policy_can_be_widened_by_name():
    assert content_policy(more={"img-src": "https:", "form-action": "'none'"}) == (
        "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; img-src https:"
    )


async def test_an_error_is_a_page_for_people_and_json_under_api(visit):
    shown, told = await visit("GET", "/nothing"), await visit("GET", "/api/nothing")

    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert re.search("<h1[^>]*>There is nothing here</h1>", shown.text)
    assert told.json() == {"error": "There is no such page."}


async def test_what_was_typed_and_what_others_said_is_not_echoed(visit):
    answers = [
        await visit("POST", "/form", data={"mail": "ann@example.com"}),
        await visit("GET", "/refused/ann@example.com"),
        await visit("GET", "/refused/418"),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 418]
    for answer in answers:
        assert "ann@" not in answer.text
        assert "somebody else" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "mailer.example:1"])
async def test_no_answer_is_made_from_the_host_that_was_named(visit, host):
    asked = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    for path in ("/page/t/", "/healthz/", "/nothing"):
        answer = await visit("GET", path, headers=asked)

        assert answer.status_code == 404
        assert "evil" not in str(answer.headers) + answer.text


@pytest.mark.parametrize(
    ("sent", "status"),
    [(0, 200), (65536, 200), (65537, 413), (500_000, 413), (2_000_000, 413)],
)
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_has_64_kilobytes_at_most(visit, sent, status, announced):
    async def parts():
        for begin in range(0, sent, 10_000):
            yield b"x" * min(10_000, sent - begin)

    answer = await visit("POST", "/page/t", content=b"x" * sent if announced else parts())

    assert answer.status_code == status
    _safe(answer)
    if status == 200:
        assert answer.json() == sent
    # What was not read would be taken for the next request.
    assert answer.headers.get("connection") == ("close" if sent > hardening.READ_ON else None)


async def test_bounds_hold_where_nothing_reads_a_body(visit):
    assert (await visit("GET", "/page/t", content=b"x" * 65537)).status_code == 413
    assert (await visit("GET", "/nothing", content=b"x" * 65537)).status_code == 413


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5000, "²"])
async def test_a_length_that_is_none_is_not_believed(visit, length):
    answer = await visit("POST", "/page/t", content=b"abc", headers={"Content-Length": length.encode()})

    assert answer.status_code == (413 if length.startswith("9") else 200)


async def test_a_body_that_never_ends_is_given_up(app, monkeypatch):
    answered: list[dict] = []

    async def forever():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message):
        answered.append(message)

    monkeypatch.setattr(hardening, "BODY_SECONDS", 0.1)
    scope = {"type": "http", "method": "POST", "path": "/page/t", "headers": [], "query_string": b"", "client": None}
    await asyncio.wait_for(app(scope, forever, send), 5)

    assert answered[0]["status"] == 408
    assert (b"connection", b"close") in answered[0]["headers"]


async def test_a_visitor_who_leaves_while_sending_is_no_error(app):
    answered: list[dict] = []

    async def gone():
        return {"type": "http.disconnect"}

    async def send(message):
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": "/page/t", "headers": [], "query_string": b"", "client": None}
    await app(scope, gone, send)

    assert answered == []


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [([], PROXY), (["198.51.100.7"], "198.51.100.7"), (["203.0.113.9", "198.51.100.7"], "198.51.100.7")],
)
async def test_a_page_knows_who_asks(visit, forwarded, client):
    answer = await visit("GET", "/client", headers=[("X-Forwarded-For", one) for one in forwarded])

    assert answer.json() == client


@pytest.mark.parametrize(("peer", "warned"), [("127.0.0.1", 1), ("172.17.0.1", 1), (PROXY, 0), ("8.8.8.8", 0)])
async def test_a_proxy_that_nobody_named_is_said_once(app, peer, warned):
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://mailer.example") as client:
        with structlog.testing.capture_logs() as logged:
            for _ in range(3):
                answer = await client.get("/client", headers={"X-Forwarded-For": "203.0.113.9"})

    assert answer.json() == ("203.0.113.9" if peer == PROXY else peer)
    warnings = [line for line in logged if line["log_level"] == "warning"]
    assert len(warnings) == warned
    assert all("[web] trusted_proxies" in line["event"] and line["proxy"] == peer for line in warnings)


async def test_the_document_of_the_pages_says_that_their_errors_are_pages(visit):
    document = (await visit("GET", "/openapi.json")).json()

    answers = document["paths"]["/form"]["post"]["responses"]
    assert set(answers) == {"200", "4XX"}
    assert set(answers["4XX"]["content"]) == {"text/html"}
