"""The pages on a real database, asked without a network between."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mailer.config import Settings
from mailer.web.app import make_app
from mailer.web.desk import Desk
from mailer.wiring import Clock, Parts

PROXY = "10.0.0.1"
SETTINGS: dict[str, Any] = {
    "site": {
        "name": "Mia's Feed",
        "url": "https://site.example",
        "from_address": "digest@site.example",
        "postal_address": "12 Harbour Street, Dublin",
    },
    "web": {"public_url": "https://mailer.example", "trusted_proxies": [PROXY]},
    "security": {"secret_keys": ["k" * 32]},
}


@pytest.fixture
def woken() -> list[str]:
    """Grows each time a page wakes the mail loop."""
    return []


@pytest.fixture(scope="session")
def parts() -> Parts:
    """Made once: reading and compiling the templates takes longer than a test."""
    return Parts(Settings(**SETTINGS), Clock())


@pytest.fixture
def desk(parts, database, woken) -> Desk:
    return Desk(parts, database, lambda: woken.append("woken"))


@pytest.fixture
def app(desk) -> FastAPI:
    return make_app(desk)


@pytest.fixture
async def visit(app) -> AsyncIterator[Callable[..., Any]]:
    """`await visit(method, path, …)`: one request to the pages, as httpx makes it."""
    transport = httpx.ASGITransport(app, client=(PROXY, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="https://mailer.example") as client:
        yield client.request
