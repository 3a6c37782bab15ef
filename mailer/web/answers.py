"""Pages as answers, and what a browser is told it may do with them."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from fastapi.responses import HTMLResponse

_NOTHING = {
    "default-src": "'none'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def content_policy(
    *, styles: Sequence[str] = (), framed_by: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> str:
    """A Content-Security-Policy: no script, nothing from elsewhere, in no frame, and what is given here.

    `styles`: the texts of the page's `<style>` elements. `framed_by`: origins that may show it in a frame. `more`:
    further directives, or others in place of these.
    """
    policy = dict(_NOTHING)
    if styles:
        policy["style-src"] = " ".join(_hash(style) for style in styles)
    if framed_by:
        policy["frame-ancestors"] = " ".join(framed_by)
    return "; ".join(f"{name} {value}" for name, value in (policy | dict(more or {})).items())


def page(
    html: str,
    *,
    status: int = 200,
    styles: Sequence[str] = (),
    framed_by: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A finished page as an answer. `styles`, `framed_by`: as in `content_policy`. `headers`: have the last word."""
    policy = {"Content-Security-Policy": content_policy(styles=styles, framed_by=framed_by)}
    return HTMLResponse(html, status, policy | dict(headers or {}))


@lru_cache(maxsize=64)
def _hash(style: str) -> str:
    """A style by its hash (CSP Level 3 §2.3.1): nothing that was smuggled into the page is one."""
    return f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"
