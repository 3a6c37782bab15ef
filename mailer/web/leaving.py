"""Leaving: the one-click route that mailbox providers press, and the page that people do."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from mailer.core.cadence import slower_than
from mailer.core.consent import Circumstances
from mailer.core.leaving_page import PAUSE, REASONS, UnsubscribePage
from mailer.core.subscription import Subscriber
from mailer.core.tokens import Claim, Purpose, open_token
from mailer.flows import subscribing
from mailer.web.desk import AtDesk, Desk
from mailer.web.own_link import choose, listens, morning, whose
from mailer.web.visitor import (
    Do,
    LanguageAsked,
    LanguageSent,
    about,
    coming,
    language_of,
    network_of,
    paused_until,
    show,
    zone_of,
)

router = APIRouter()

_PLAIN: dict[str, Any] = {"content": {"text/plain": {}}}


@router.post("/one-click/{token}", response_class=PlainTextResponse, responses={404: _PLAIN})
async def one_click(token: str, desk: AtDesk, request: Request) -> Response:
    """RFC 8058 §3.1: unsubscribe, without cookie, login or redirect, whatever the body is, and again and again."""
    claim = open_token(token, Purpose.LEAVE, desk.parts.keys())
    if claim is None:
        return PlainTextResponse("This link is not whole. Open the one in the mail once more.\n", 404)
    how = about(request, "one-click")
    goodbye = desk.parts.settings.signup.goodbye
    await subscribing.leave_by_link(desk.database, claim, now=desk.parts.clock(), about=how, goodbye=goodbye)
    desk.wake()
    return PlainTextResponse("You are unsubscribed.\n")


@router.get("/one-click/{token}", response_class=RedirectResponse, status_code=303)
async def one_click_page(token: str) -> RedirectResponse:
    """A mail program that knows only RFC 2369 opens it as a page."""
    return RedirectResponse(f"/unsubscribe/{token}", 303)


@router.get("/unsubscribe/{token}", response_class=HTMLResponse)
async def unsubscribe_page(token: str, desk: AtDesk, request: Request, lang: LanguageAsked = "") -> HTMLResponse:
    """Whether to leave."""
    claim, reader = await whose(desk, token, Purpose.LEAVE)
    if claim is None:
        return _shown(desk, request, None, "wrong", lang)
    if not listens(reader):
        return _shown(desk, request, reader, "gone", lang)
    state: Literal["older", "ask"] = "older" if claim.generation != reader.generation else "ask"
    return _shown(desk, request, reader, state, lang)


@router.post("/unsubscribe/{token}", response_class=HTMLResponse)
async def unsubscribe(
    token: str,
    desk: AtDesk,
    request: Request,
    do: Do = "leave",
    cadence: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
    lang: LanguageSent = "",
) -> HTMLResponse:
    """Leave, or what stands below it: less often, a pause, back again, a reason."""
    claim, reader = await whose(desk, token, Purpose.LEAVE)
    if claim is None:
        return _shown(desk, request, None, "wrong", lang)
    match do:
        case "again" | "reason" if listens(reader):
            # They have come back meanwhile: nothing of it would be true.
            return await unsubscribe_page(token, desk, request, lang)
        case "again":
            return await _again(desk, request, claim, reader, lang)
        case "reason":
            return await _reason(desk, request, claim, reader, reason, text, lang)
        case "instead" | "pause" if listens(reader):
            return await _keep(desk, request, reader, cadence if do == "instead" else "", lang)
        case _:
            return await _leave(desk, request, claim, reader, lang)


def _how(desk: Desk, request: Request, reader: Subscriber | None, lang: str) -> Circumstances:
    """How they came to press it; the language is that of the page, not what somebody typed."""
    return about(request, "link", language=language_of(desk, request, lang, reader.language if reader else ""))


async def _leave(desk: Desk, request: Request, claim: Claim, reader: Subscriber | None, lang: str) -> HTMLResponse:
    how = _how(desk, request, reader, lang)
    goodbye = desk.parts.settings.signup.goodbye
    left = await subscribing.leave_by_link(desk.database, claim, now=desk.parts.clock(), about=how, goodbye=goodbye)
    desk.wake()
    return _shown(desk, request, reader, "done" if left is subscribing.Left.LEFT else "gone", lang)


async def _keep(desk: Desk, request: Request, reader: Subscriber, cadence: str, lang: str) -> HTMLResponse:
    """Another pace, or a pause where none is given."""
    if cadence and cadence not in desk.parts.cadences():
        return _shown(desk, request, reader, "ask", lang)
    later = (desk.parts.clock() + timedelta(days=PAUSE)).astimezone(zone_of(desk, reader.timezone)).date()
    wish = subscribing.Wish(cadence=cadence) if cadence else subscribing.Wish(pause_until=morning(desk, reader, later))
    kept = await choose(desk, reader, wish, _how(desk, request, reader, lang))
    if kept is None:  # they left in this moment
        return _shown(desk, request, reader, "gone", lang)
    return _shown(desk, request, kept, "instead" if cadence else "paused", lang)


async def _again(desk: Desk, request: Request, claim: Claim, reader: Subscriber | None, lang: str) -> HTMLResponse:
    """Undo: not by this press, but by a new confirmation."""
    asked = await subscribing.ask_again(
        desk.database,
        claim.subscriber,
        pace=desk.parts.pace,
        now=desk.parts.clock(),
        about=_how(desk, request, reader, lang),
        network=network_of(request),
        options=desk.parts.settings.signup,
        fingerprints=desk.parts.fingerprints,
    )
    desk.wake()
    return _shown(desk, request, reader, "gone" if asked is None else "again", lang)


async def _reason(
    desk: Desk, request: Request, claim: Claim, reader: Subscriber | None, reason: str, text: str, lang: str
) -> HTMLResponse:
    if reason in REASONS or text.strip():
        await subscribing.give_reason(
            desk.database,
            claim,
            reason=reason if reason in REASONS else "else",
            text=text,
            now=desk.parts.clock(),
            about=_how(desk, request, reader, lang),
        )
    return _shown(desk, request, reader, "thanks", lang)


def _shown(
    desk: Desk,
    request: Request,
    reader: Subscriber | None,
    state: Literal["ask", "older", "done", "thanks", "again", "paused", "instead", "gone", "wrong"],
    lang: str,
) -> HTMLResponse:
    language = language_of(desk, request, lang, reader.language if reader else "")
    if reader is None:
        return show(desk, UnsubscribePage(state=state), language, status=404 if state == "wrong" else 200)
    paused = paused_until(desk, reader)
    page = UnsubscribePage(
        state=state,
        address=reader.email,
        cadence=reader.cadence,
        slower=slower_than(desk.parts.cadences(), reader.cadence),
        pause=paused is None,
        next=coming(desk, reader),
        paused_until=paused,
    )
    return show(desk, page, language)
