"""The script that draws the form in a page of somebody else's. `api` tells it what to draw and takes what is sent."""

from hashlib import sha256

from fastapi import APIRouter, Request
from fastapi.responses import Response

from mailer.templating.embed import embed_script
from mailer.web.answers import is_known

router = APIRouter()

_KEPT = {
    "Cache-Control": "public, max-age=300",
    # It is the same for everyone and says nothing of anybody. Who may show the form is for /api to say.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@router.get(
    "/embed.js",
    response_class=Response,
    responses={
        200: {"description": "The script.", "content": {"text/javascript": {}}},
        304: {"description": "It is as it was."},
    },
)
async def script(request: Request) -> Response:
    """The script for `<script src>`."""
    body = embed_script()
    headers = _KEPT | {"ETag": f'"{sha256(body).hexdigest()[:32]}"'}
    if is_known(request.headers, headers):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="text/javascript")
