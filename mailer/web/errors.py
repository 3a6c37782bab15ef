"""What a visitor sees where something went wrong: one sentence, and nothing of what they sent."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from mailer.core.error_page import ErrorPage
from mailer.web.desk import desk_of
from mailer.web.visitor import language_of, shared, show

SENTENCES: Mapping[int, str] = {
    404: "There is no such page.",
    405: "This page can't be asked for in that way.",
    408: "It took too long until everything was here. Please try again.",
    413: "That is more than this page takes.",
    422: "Something is missing, or is not as it should be.",
    500: "Something went wrong on our side. Please try again in a few minutes.",
    503: "This is not possible right now. Please try again in a few minutes.",
}

IN_WORDS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "A page that says what is wrong.", "content": {"text/html": {}}},
}
"""What the OpenAPI document says of a page that can't be had."""


def handle_errors(app: FastAPI) -> None:
    """Answer what routing and reading of forms refuse. What is unforeseen is `hardening.Unforeseen`'s."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)


def error_answer(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that ends here: JSON under /api/, else a page."""
    sentence = SENTENCES.get(status) or f"{HTTPStatus(status).phrase}."
    if "app" not in request.scope:  # outside of the application there are no pages
        return PlainTextResponse(sentence, status, dict(headers or {}))
    desk = desk_of(request)
    if request.scope["path"].startswith("/api/"):
        return JSONResponse({"error": sentence}, status, shared(desk, request) | dict(headers or {}))
    framed = request.scope["path"] == "/embed"
    answer = show(desk, ErrorPage(status, frame=framed), language_of(desk, request), status=status, frame=framed)
    answer.headers.update(headers or {})
    return answer


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # it is registered for nothing else
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return error_answer(request, error.status_code, headers)


def _allowed(request: Request) -> set[str]:
    """Every method of the page that was asked for (RFC 9110 §10.2.1); routing names those of one handler alone."""
    handlers = (route for route in _flat(request.app.routes) if route.matches(request.scope)[0] is not Match.NONE)
    found = {method for route in handlers for method in getattr(route, "methods", None) or ()}
    return found | {"HEAD"} if "GET" in found else found  # `hardening.Head` answers it (RFC 9110 §9.3.2)


def _flat(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """The handlers, those of the groups among them: newer FastAPI keeps a group whole."""
    for route in routes:
        group = getattr(route, "original_router", None)
        yield from _flat(group.routes) if group else (route,)


async def _unreadable(request: Request, error: Exception) -> Response:
    del error  # it holds what was typed
    return error_answer(request, HTTPStatus.UNPROCESSABLE_ENTITY.value)
