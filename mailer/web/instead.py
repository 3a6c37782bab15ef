"""'Weekly instead': the press in a digest that slows it down."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from mailer.core.reader_page import InsteadPage
from mailer.core.subscription import Subscriber
from mailer.core.tokens import Claim
from mailer.flows.subscribing import Wish
from mailer.web.desk import AtDesk, Desk
from mailer.web.own_link import choose, cut, holds, pressed, whose
from mailer.web.visitor import (
    LanguageAsked,
    LanguageSent,
    coming,
    gone,
    language_of,
    paused_until,
    preferences_url,
    show,
)

router = APIRouter()


@router.get("/instead/{cadence}/{token}", response_class=HTMLResponse)
async def instead_page(
    cadence: str, token: str, desk: AtDesk, request: Request, lang: LanguageAsked = ""
) -> HTMLResponse:
    """Whether to get it at another pace."""
    claim, reader = await whose(desk, token)
    return _instead(desk, request, claim, reader, cadence, lang)


@router.post("/instead/{cadence}/{token}", response_class=HTMLResponse)
async def instead(cadence: str, token: str, desk: AtDesk, request: Request, lang: LanguageSent = "") -> HTMLResponse:
    """Get it at another pace."""
    claim, reader = await whose(desk, token)
    asks = _instead(desk, request, claim, reader, cadence, lang)
    if reader is None or not holds(claim, reader) or cadence not in desk.parts.cadences() or reader.cadence == cadence:
        return asks
    kept = await choose(desk, reader, Wish(cadence=cadence), pressed(desk, request, reader, lang))
    return asks if kept is None else _instead(desk, request, claim, kept, cadence, lang, before=reader.cadence)


def _instead(
    desk: Desk,
    request: Request,
    claim: Claim | None,
    reader: Subscriber | None,
    cadence: str,
    lang: str,
    *,
    before: str = "",
) -> HTMLResponse:
    """`before`: the pace until now, where it was changed."""
    language = language_of(desk, request, lang, reader.language if reader else "")
    if claim is None or cadence not in desk.parts.cadences():
        return show(desk, InsteadPage(state="wrong", now="", to=""), language, status=404)
    ended = cut(desk, request, claim, reader, lang)
    if ended is not None or reader is None:
        return ended or gone(desk, request, lang)
    state: Literal["ask", "done", "same"] = "done" if before else "same" if reader.cadence == cadence else "ask"
    page = InsteadPage(
        state=state,
        now=before or reader.cadence,
        to=cadence,
        next=coming(desk, reader, cadence),
        paused_until=paused_until(desk, reader),
        preferences_url=preferences_url(desk, reader),
    )
    return show(desk, page, language)
