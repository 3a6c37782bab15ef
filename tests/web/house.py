"""The whole house: pages, post room and a relay on one database, by a clock that stands; and visitors."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Self, cast

import httpx

from mailer.config import Settings
from mailer.core.tokens import Claim, Purpose, seal, seal_form
from mailer.store.database import Database
from mailer.web.app import make_app
from mailer.web.desk import Desk
from mailer.wiring import Clock as RealClock
from mailer.wiring import Parts
from tests.flows.readers_side import Side
from tests.stories import KEY, TOPICS, Clock

PROXY = "10.0.0.1"
FRIEND = "https://www.site.example"
PUBLIC = "https://mail.site.example"
SETTINGS: dict[str, Any] = {
    "site": {
        "name": "Mia's Feed",
        "url": "https://site.example",
        "from_address": "digest@site.example",
        "postal_address": "12 Harbour Street, Dublin",
    },
    "web": {"public_url": PUBLIC, "trusted_proxies": [PROXY], "embed_origins": [FRIEND]},
    "security": {"secret_keys": [KEY]},
    "topics": TOPICS,
}
MANY = {
    "network_per_hour": 10_000,
    "network_per_day": 10_000,
    "address_pause": "0s",
    "address_per_day": 10_000,
    "address_per_month": 10_000,
    "domain_per_hour": 10_000,
    "burst": 10_000,
}
"""[signup] without limits, where something else is asked."""


@cache
def _parts(**signup: Any) -> Parts:
    """Made once: reading and compiling the templates takes longer than a test."""
    return Parts(Settings(**SETTINGS, signup=signup), RealClock())


class House(Side):
    """What visitors and readers do by the pages. `signup`: settings of that table."""

    def __init__(self, database: Database, clock: Clock, **signup: Any) -> None:
        super().__init__(database, clock)
        shared = _parts(**signup)
        self.parts = Parts(shared.settings, cast("RealClock", clock))
        self.parts.__dict__["_composer"] = shared.composer()
        self.parts.__dict__["_pages"] = shared.pages()
        self.options = shared.settings.signup
        self.woken = 0
        self.app = make_app(Desk(self.parts, database, self._wake))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app, client=(PROXY, 4711)), base_url=PUBLIC)

    def _wake(self) -> None:
        self.woken += 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._client.aclose()

    async def post(self) -> int:
        return await self.parts.post(self.database)

    async def visit(self, method: str, path: str, *, ip: str = "198.51.100.7", **request: Any) -> httpx.Response:
        """One request of a visitor, through our proxy."""
        headers = {"X-Forwarded-For": ip} | dict(request.pop("headers", {}))
        answer = await self._client.request(method, path, headers=headers, **request)
        never(answer)
        return answer

    async def get(self, path: str, **request: Any) -> httpx.Response:
        return await self.visit("GET", path, **request)

    def form_time(self, age: timedelta = timedelta(seconds=30)) -> str:
        return seal_form(self.clock() - age, KEY)

    def filled(self, email: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A form as a person fills it in."""
        return {"email": email, "cadence": "weekly", "form_time": self.form_time(), **fields}

    async def form(self, email: str = "ann@example.com", *, to: str = "/subscribe", **request: Any) -> httpx.Response:
        """The form is sent in. `fields`: of it; the rest as `visit` takes it."""
        fields = request.pop("fields", {})
        return await self.visit("POST", to, data=self.filled(email, fields), **request)

    async def script(self, email: str = "ann@example.com", **request: Any) -> httpx.Response:
        """The same as JSON."""
        fields = request.pop("fields", {})
        return await self.visit("POST", "/api/subscribe", json=self.filled(email, fields), **request)

    async def press_on(self, path: str, fields: Mapping[str, str] | None = None, **request: Any) -> httpx.Response:
        """A button of a page."""
        return await self.visit("POST", path, data=dict(fields or {}), **request)

    def link(self, page: str, purpose: Purpose, *, subscriber: int = 1, generation: int = 1) -> str:
        return f"/{page}/{seal(Claim(subscriber, generation), purpose, KEY)}"

    async def leave_link(self, name: str = "ann", page: str = "unsubscribe") -> str:
        reader = await self.reader(name)
        return self.link(page, Purpose.LEAVE, subscriber=reader.id, generation=reader.generation)

    async def own_link(self, name: str = "ann", page: str = "preferences") -> str:
        reader = await self.reader(name)
        return self.link(page, Purpose.MANAGE, subscriber=reader.id, generation=reader.generation)


def never(answer: httpx.Response) -> None:
    """What no answer ever does: set a cookie, lead elsewhere, name an address in an address, be kept or framed."""
    assert "set-cookie" not in answer.headers
    assert "@" not in answer.headers.get("location", "")
    assert "%40" not in answer.headers.get("location", "")
    assert not answer.headers.get("location", "/").startswith(("http", "//"))
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    framed = answer.request.url.path == "/embed"
    assert (f"frame-ancestors {FRIEND}" if framed else "frame-ancestors 'none'") in policy
    if answer.headers.get("content-type", "").startswith("text/html") and answer.text:
        assert "<script" not in answer.text
        assert " src=" not in answer.text
        assert set(re.findall(r'<link rel="([a-z ]+)"', answer.text)) <= {"canonical", "alternate"}
        assert "@import" not in answer.text
        assert "url(" not in answer.text


def masked(answer: httpx.Response, email: str) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    """An answer whole, with nothing replaced but the address itself."""
    return answer.status_code, tuple(answer.headers.raw), answer.content.replace(email.encode(), b"THE ADDRESS")
