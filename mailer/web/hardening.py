"""What holds on every route, whatever it does: bounds on what is read, headers on what is answered, HEAD, who asks.

Each is a layer around the application (ASGI), so that no route can forget it. `app.make_app` puts them together.
"""

import asyncio
from collections.abc import Sequence

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailer.core.network import client_address, is_near, is_within
from mailer.web.answers import content_policy
from mailer.web.errors import SENTENCES, error_answer

LARGEST_BODY = 64 * 1024
"""Bytes of a body. The longest form, with every topic, has a tenth of it."""
READ_ON = 1024 * 1024
"""Bytes that are read and dropped of a larger one, so that its sender hears why: many send all before they listen."""
BODY_SECONDS = 10.0
"""How long a body may take, all of it."""

SAFE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": content_policy(),
}
"""On every answer that doesn't say otherwise itself."""

log = structlog.get_logger(__name__)


class SafeHeaders:
    """Headers that keep a page out of caches, indexes, frames and referrers. A route's own value has the last word."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, safely)


class Head:
    """HEAD is GET without the body (RFC 9110 §9.3.2), on every route that has GET."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") != "HEAD":
            await self.app(scope, receive, send)
            return

        async def headers_only(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET", "mailer.method": "HEAD"}, receive, headers_only)


class Client:
    """`request.state.client`: the visitor's address, '' where it is none.

    X-Forwarded-For counts where the connection comes from a proxy of ours; X-Forwarded-Host and -Proto never do.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self.app = app
        self.trusted = tuple(trusted)
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer = (scope.get("client") or ("",))[0]
            forwarded = Headers(scope=scope).getlist("x-forwarded-for")
            if forwarded and not self._warned:
                self._warn(peer)
            scope.setdefault("state", {})["client"] = client_address(peer, forwarded, self.trusted)
        await self.app(scope, receive, send)

    def _warn(self, peer: str) -> None:
        """A proxy that nobody named makes all its visitors one."""
        if is_near(peer) and not is_within(peer, self.trusted):
            self._warned = True
            log.warning(
                "Requests come through a proxy that is not in [web] trusted_proxies: all visitors count as one. "
                "Add its address there.",
                proxy=peer,
            )


class Body:
    """Reads the body before anything else happens: not too much of it, and not for too long."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body, whole = await self._read(scope, receive)
        except TimeoutError:
            await error_answer(Request(scope), 408, {"Connection": "close"})(scope, receive, send)
            return
        if body is None:  # the visitor has gone
            return
        if len(body) > LARGEST_BODY:
            close = {} if whole else {"Connection": "close"}
            await error_answer(Request(scope), 413, close)(scope, receive, send)
            return
        handed = False

        async def once() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, once, send)

    async def _read(self, scope: Scope, receive: Receive) -> tuple[bytes | None, bool]:
        """The body, cut off a byte after the bound, None where the visitor left; whether all of it was read."""
        announced = Headers(scope=scope).get("content-length", "")
        # Python refuses to read a number of thousands of digits.
        if announced.isdecimal() and int(announced[:20]) > READ_ON:
            return bytes(LARGEST_BODY + 1), False
        kept, read, more = bytearray(), 0, True
        while more and read <= READ_ON:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None, False
            part = message.get("body", b"")
            read += len(part)
            kept += part[: LARGEST_BODY + 1 - len(kept)]
            more = message.get("more_body", False)
        return bytes(kept), not more


class Unforeseen:
    """An error that nobody foresaw: written to the log without what the visitor sent, answered with a page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception:
            if scope["type"] != "http" or started:
                raise
            log.exception("A page could not be made.")
            await _sorry(Request(scope))(scope, receive, send)


def _sorry(request: Request) -> Response:
    """The page that says so, and where that one can't be made either, a sentence."""
    try:
        return error_answer(request, 500)
    except Exception:
        log.exception("Nor could the page that says so.")
        return PlainTextResponse(SENTENCES[500], 500)
