"""A line for each request: what was asked for and how it ended, by route and not by path, which holds tokens."""

from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailer.core.network import shortened

log = structlog.get_logger(__name__)


class AccessLog:
    """Writes `request method=GET route=/confirm/{token} status=200 ms=3.1 client=192.0.2.0` when an answer is out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            log.info(
                "request",
                method=scope.get("mailer.method", scope["method"]),
                route=getattr(scope.get("route"), "path", "none"),
                status=status or "left",
                ms=round((perf_counter() - began) * 1000, 1),
                client=shortened(scope["state"]["client"]),
            )
