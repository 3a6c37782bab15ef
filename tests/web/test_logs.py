"""What is logged of readers: routes and shortened addresses; no token, no address, wherever they stood."""

import asyncio
import io
import json
import logging

import httpx
import pytest
import structlog
from fastapi import Form, Request
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mailer import telemetry
from mailer.core.tokens import Claim, Purpose, Wish, seal, seal_form, seal_wish
from tests.stories import MONDAY
from tests.web.conftest import PROXY

KEY = "k" * 32
TOKENS = (
    seal(Claim(17, 1), Purpose.LEAVE, KEY),
    seal_wish(Wish(4, 2, 1795419600), Purpose.CONFIRM, KEY),
    seal_form(MONDAY, KEY),
)
ADDRESSES = ("ann.reader@example.com", "Ben+news@mail.example.org", "jörg@bücher.example")
VISITOR = "203.0.113.77"
REAL = ("confirm", "never", "preferences", "unsubscribe", "one-click", "instead/weekly")
PLANTED = (
    *TOKENS,
    *(token.rpartition(".")[2] for token in TOKENS),
    *(address.rpartition("@")[0] for address in ADDRESSES),
    VISITOR,
)


@pytest.fixture(params=[False, True], ids=["text", "json"])
def heard(request):
    """What is logged, as `mailer serve` does it."""
    root, ours = logging.getLogger(), logging.getLogger("mailer")
    before = root.handlers[:], root.level, ours.level
    out = io.StringIO()
    telemetry.configure(out, json=request.param)
    yield out
    structlog.reset_defaults()
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


@pytest.fixture(autouse=True)
def routes(app):
    @app.get("/trial/{token}")
    async def shown(token: str) -> str:
        return token

    @app.post("/trial")
    async def filled(email: str = Form()) -> str:
        return email

    @app.get("/broken/{token}")
    async def broken(token: str, request: Request) -> str:
        raise RuntimeError(f"{request.url} of {ADDRESSES}") from ValueError(request.headers["x-address"], token)

    @app.get("/database/{token}")
    async def database(token: str, request: Request) -> str:
        def work(connection):
            connection.execute(text("SELECT :address FROM nowhere"), {"address": ADDRESSES[0]})

        return await request.app.state.desk.database.write(work)


async def _walk(app) -> None:
    """A reader's life, with mishaps."""
    transport = httpx.ASGITransport(app, client=(PROXY, 1))
    headers = {"X-Forwarded-For": VISITOR, "Referer": f"https://x.example/{TOKENS[0]}", "X-Address": ADDRESSES[1]}
    async with httpx.AsyncClient(transport=transport, base_url="https://mailer.example", headers=headers) as client:
        for token in TOKENS:
            for path in ("trial", "broken", "database", "nowhere", *REAL):
                for method in ("GET", "HEAD", "POST"):
                    await client.request(method, f"/{path}/{token}", params={"email": ADDRESSES[1], "t": token})
        for address in ADDRESSES:
            await client.post("/trial", data={"email": address})
            await client.post("/trial", data={"mail": address})
            await client.post("/trial", content=address.encode(), headers={"Content-Type": "multipart/form-data"})
            await client.post("/subscribe", data={"email": address, "cadence": "weekly", "shown": TOKENS[2]})
            await client.get(f"/{address}")


async def test_a_readers_life_leaves_no_token_and_no_address_in_the_log(app, heard):
    await _walk(app)

    said = heard.getvalue()
    assert [planted for planted in PLANTED if planted in said] == []
    assert "/trial/{token}" in said
    assert "203.0.113.0" in said
    assert "Traceback" in said
    assert "RuntimeError" in said


async def test_a_request_is_a_line_with_its_route_and_how_it_ended(app, heard):
    transport = httpx.ASGITransport(app, client=("198.51.100.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://mailer.example") as client:
        await client.head(f"/trial/{TOKENS[0]}")
        await client.get("/nowhere")

    lines = heard.getvalue().splitlines()
    assert len(lines) == 2
    if lines[0].startswith("{"):
        first, second = map(json.loads, lines)
        assert {"method": "HEAD", "route": "/trial/{token}", "status": 200, "client": "198.51.100.0"}.items() <= (
            first.items()
        )
        assert 0 <= first["ms"] < 5000
        assert (second["route"], second["status"]) == ("none", 404)
    else:
        for part in ("method=HEAD", "route=/trial/{token}", "status=200", "client=198.51.100.0"):
            assert part in lines[0]


async def test_what_other_libraries_log_goes_through_the_same_filter(heard):
    error = RuntimeError(f"/unsubscribe/{TOKENS[0]} of {ADDRESSES[0]}")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application for %s", ADDRESSES[1], exc_info=error)
    logging.getLogger("asyncio").error("task of %s with %s", ADDRESSES[2], TOKENS[1])
    structlog.get_logger("mailer.any").warning("told", who=ADDRESSES, link={"t": TOKENS[2]}, data=ADDRESSES[0].encode())

    said = heard.getvalue()
    assert [planted for planted in PLANTED if planted in said] == []
    assert said.count("RuntimeError: ") == 1
    assert "a…@example.com" in said


async def test_a_name_in_the_program_is_not_taken_for_a_token(heard):
    log = structlog.get_logger("mailer.any")
    log.info("request_validation_exception_handler took mailer.flows.delivering.permits.Permits", ms=3.25)

    assert "request_validation_exception_handler took mailer.flows.delivering.permits.Permits" in heard.getvalue()
    assert "3.25" in heard.getvalue()


async def test_a_database_error_does_not_show_what_was_asked(database):
    def work(connection):
        connection.execute(text("SELECT :address FROM nowhere"), {"address": ADDRESSES[0]})

    with pytest.raises(Exception) as error:
        await database.read(work)

    assert not isinstance(error.value, DBAPIError)
    assert ADDRESSES[0] not in f"{error.value!r} {error.value.__cause__!r} {error.value.__context__!r}"


def test_an_address_is_masked_so_that_it_can_be_recognised():
    assert telemetry.masked("ann.reader@example.com") == "a…@example.com"
    assert telemetry.masked("@") == "…@"


async def test_requests_at_once_don_t_mix_up_their_lines(app, heard):
    transport = httpx.ASGITransport(app, client=("198.51.100.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://mailer.example") as client:
        await asyncio.gather(*(client.get("/healthz") for _ in range(20)))

    assert len(heard.getvalue().splitlines()) == 20
