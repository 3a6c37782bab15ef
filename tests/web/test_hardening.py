"""What holds on every route."""

import pytest


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health_is_answered_with_headers_that_keep_a_page_to_itself(visit, method):
    answer = await visit(method, "/healthz")

    assert answer.status_code == 200
    assert answer.text == ("ok" if method == "GET" else "")
    assert answer.headers["content-length"] == "2"
    assert {name: answer.headers[name] for name in SAFE} == SAFE


SAFE = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
