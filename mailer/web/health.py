"""Whether this process is alive, and whether it is of use: for a supervisor, and for whoever sends it visitors."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

router = APIRouter()


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """The process answers. Touches nothing."""
    return "ok"
