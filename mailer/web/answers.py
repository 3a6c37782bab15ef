"""Pages as answers: what a browser is told it may do with them, and whether it has them already."""

from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

from fastapi.responses import HTMLResponse

_NOTHING = {
    "default-src": "'none'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def content_policy(*, style: str = "", framed_by: Sequence[str] = (), more: Mapping[str, str] | None = None) -> str:
    """A Content-Security-Policy: no script, nothing from elsewhere, in no frame, and what is given here.

    `style`: 'sha256-…', the hash of the page's one `<style>` (CSP Level 3 §2.3.1): nothing that was smuggled into the
    page is one. `framed_by`: origins that may show it in a frame. `more`: further directives, or others in place of
    these.
    """
    policy = dict(_NOTHING)
    if style:
        policy["style-src"] = f"'{style}'"
    if framed_by:
        policy["frame-ancestors"] = " ".join(framed_by)
    return "; ".join(f"{name} {value}" for name, value in (policy | dict(more or {})).items())


def page(
    html: str,
    *,
    status: int = 200,
    style: str = "",
    framed_by: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A finished page as an answer. `headers`: have the last word. The rest as in `content_policy`."""
    policy = {"Content-Security-Policy": content_policy(style=style, framed_by=framed_by, more=more)}
    return HTMLResponse(html, status, policy | dict(headers or {}))


def is_known(asked: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether who asks has it already (RFC 9110 §13.1): by its tag, else by its date.

    `asked`: the header fields of the request; `now`: those of the answer, with an ETag.
    """
    if tags := asked.get("if-none-match", ""):
        return tags.strip() == "*" or now["ETag"] in {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    since, changed = asked.get("if-modified-since", ""), now.get("Last-Modified", "")
    try:
        return bool(since and changed) and parsedate_to_datetime(changed) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):  # no date, or one without a zone
        return False
