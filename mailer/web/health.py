"""Whether this process is alive, and whether it is of use: for a supervisor, and for whoever sends it visitors."""

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import Connection

from mailer.errors import MailerError
from mailer.store import due, schema
from mailer.web.desk import AtDesk, Desk

router = APIRouter()


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """The process answers. Touches nothing."""
    return "ok"


@router.get("/readyz", responses={503: {"description": "Not ready, and why.", "content": {"application/json": {}}}})
async def readyz(desk: AtDesk) -> JSONResponse:
    """The database answers and is of this version, and mail leaves."""
    reasons = await _reasons(desk)
    return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


async def _reasons(desk: Desk) -> list[str]:
    """A sentence for each thing that is not as it should be."""
    try:
        waiting = await desk.database.read(_look)
    except MailerError as error:
        return [str(error)]
    oldest = desk.parts.settings.web.ready_outbox_age
    age = desk.parts.clock() - waiting if waiting else None
    if age is None or age <= oldest:
        return []
    return [f"A mail that a reader asked for has waited for its first try for {age.total_seconds() // 60:.0f} minutes."]


def _look(connection: Connection) -> datetime | None:
    schema.check(connection)
    return due.untried_since(connection)
