"""HTTP on a real connection: bounds on a request's head and body, and what a visitor who exceeds them is told."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from fastapi import Request

from mailer.web import hardening, protocol, serving

GET = b"GET /healthz HTTP/1.1\r\nHost: mailer.example\r\n\r\n"


@pytest.fixture
async def port(app) -> AsyncIterator[int]:
    """Where the pages are served as `mailer serve` does it."""

    @app.post("/form")
    async def form(request: Request) -> int:
        return len(await request.body())

    started = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = serving._Server(serving._options(app), started.set)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await asyncio.wait_for(started.wait(), 10)
        yield listener.getsockname()[1]
        server.should_exit = True
        await asyncio.wait_for(running, 10)


async def _tell(port: int, *parts: bytes, pause: float = 0.02) -> bytes:
    """Send these parts with pauses between. Returns what is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = bytearray()
    reading = asyncio.create_task(_collect(reader, answered))
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
    await asyncio.wait_for(reading, 10)
    writer.close()
    return bytes(answered)


async def _collect(reader: asyncio.StreamReader, answered: bytearray) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(65536):
            answered += chunk


def _closing(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def test_an_answer_says_nothing_of_what_made_it(port):
    answered = await _tell(port, _closing(GET))

    assert answered.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answered.endswith(b"\r\n\r\nok")
    assert b"server:" not in answered.lower()
    assert b"uvicorn" not in answered.lower()
    assert b"x-content-type-options: nosniff" in answered


async def test_head_has_the_length_and_no_body(port):
    answered = await _tell(port, _closing(GET.replace(b"GET", b"HEAD")))

    assert b"content-length: 2\r\n" in answered
    assert answered.endswith(b"\r\n\r\n")


async def test_requests_that_are_sent_at_once_are_answered_in_turn(port):
    answered = await _tell(port, GET + GET + _closing(GET))

    assert answered.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-Many: a\r\n" * 4000 + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"a" * 40_000,
    ],
    ids=["path", "field", "fields", "endless"],
)
@pytest.mark.parametrize("pieces", [1, 10])
async def test_a_head_of_more_than_32_kilobytes_is_refused(port, head, pieces):
    size = len(head) // pieces + 1
    answered = await _tell(port, *(head[begin : begin + size] for begin in range(0, len(head), size)))

    assert answered.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in answered


async def test_a_head_of_less_is_read(port):
    answered = await _tell(port, _closing(GET.replace(b"Host", b"X-Long: " + b"a" * 30_000 + b"\r\nHost")))

    assert answered.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("sent", [[], [b"GET /hea"], [GET, b"GET /he"], [b"GET /", *[b"a"] * 30]])
async def test_a_head_that_does_not_come_is_not_waited_for(port, monkeypatch, sent):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    began = asyncio.get_running_loop().time()

    answered = await _tell(port, *sent)

    assert 0.2 < asyncio.get_running_loop().time() - began < 3
    assert answered.count(b"HTTP/1.1 200") == (1 if GET in sent else 0)


async def test_a_connection_that_is_kept_open_is_not_cut_off_by_the_bound_on_heads(port, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)

    answered = await _tell(port, GET, GET, _closing(GET), pause=0.4)

    assert answered.count(b"HTTP/1.1 200 OK") == 3


async def test_a_body_that_trickles_is_given_up(port, monkeypatch):
    monkeypatch.setattr(hardening, "BODY_SECONDS", 0.3)
    head = b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"

    answered = await _tell(port, head, *[b"x"] * 30)

    assert answered.startswith(b"HTTP/1.1 408 Request Timeout")
    assert b"connection: close" in answered


@pytest.mark.parametrize("size", [65_537, 900_000])
@pytest.mark.parametrize("chunked", [True, False])
async def test_whoever_sends_too_much_hears_so(port, size, chunked):
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size) if chunked else b"x" * size
    request = b"POST /form HTTP/1.1\r\nHost: x\r\n%b\r\nConnection: close\r\n\r\n" % length

    answered = await _tell(port, request + body)

    assert answered.startswith(b"HTTP/1.1 413 ")


async def test_whoever_announces_far_too_much_is_not_listened_to(port):
    answered = await _tell(port, b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")

    assert answered.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answered


async def test_whoever_sends_without_end_is_cut_off(port):
    sent = 0

    async def pour() -> None:
        nonlocal sent
        while sent < 200_000_000:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /form HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(ConnectionError):
        await pour()

    assert sent < 50_000_000
    writer.close()


@pytest.mark.parametrize(
    "request_",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"NONSENSE / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"],
)
async def test_what_is_no_http_is_refused_and_the_next_visitor_is_answered(port, request_):
    refused = await _tell(port, request_)

    assert refused.startswith(b"HTTP/1.1 400 ")
    assert (await _tell(port, _closing(GET))).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
async def test_a_connection_is_not_turned_into_anything_else(port, upgrade):
    request = _closing(GET.replace(b"\r\n\r\n", b"\r\nUpgrade: " + upgrade + b"\r\n\r\n"))

    assert (await _tell(port, request)).startswith(b"HTTP/1.1 200")
