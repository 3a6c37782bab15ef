"""Leaving: the one-click route that mailbox providers press, and the page that people do."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from mailer.core.cadence import slower_than, zone_named
from mailer.core.consent import Circumstances
from mailer.core.leaving_page import PAUSE, REASONS, UnsubscribePage
from mailer.core.subscription import State, Subscriber
from mailer.core.tokens import Claim, Purpose, open_token
from mailer.errors import InputError, Refused
from mailer.flows import subscribing
from mailer.store import subscribers
from mailer.web.desk import AtDesk, Desk
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
)

router = APIRouter()

_LISTENING = frozenset({State.ACTIVE, State.PAUSED})
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
    claim, reader = await _whose(desk, token)
    if claim is None:
        return _shown(desk, request, None, "wrong", lang)
    if reader is None or reader.state not in _LISTENING:
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
    claim, reader = await _whose(desk, token)
    if claim is None:
        return _shown(desk, request, None, "wrong", lang)
    match do:
        case "again" | "reason" if reader is not None and reader.state in _LISTENING:
            # They have come back meanwhile: nothing of it would be true.
            return await unsubscribe_page(token, desk, request, lang)
        case "again":
            return await _again(desk, request, claim, reader, lang)
        case "reason":
            return await _reason(desk, request, claim, reader, reason, text, lang)
        case "instead" | "pause" if reader is not None and reader.state in _LISTENING:
            return await _keep(desk, request, reader, cadence if do == "instead" else "", lang)
        case _:
            return await _leave(desk, request, claim, reader, lang)


async def _whose(desk: Desk, token: str) -> tuple[Claim | None, Subscriber | None]:
    claim = open_token(token, Purpose.LEAVE, desk.parts.keys())
    return claim, await desk.database.read(subscribers.of_id, claim.subscriber) if claim else None


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
    now = desk.parts.clock()
    until = now + timedelta(days=PAUSE)
    if cadence and cadence not in desk.parts.cadences():
        return _shown(desk, request, reader, "ask", lang)
    wish = subscribing.Wish(cadence=cadence) if cadence else subscribing.Wish(pause_until=_morning(desk, reader, until))
    how = _how(desk, request, reader, lang)
    tell = desk.parts.settings.signup.changed
    try:
        kept = await subscribing.choose(desk.database, reader.id, wish, now=now, about=how, tell=tell)
    except (InputError, Refused):  # they left in this moment
        return _shown(desk, request, reader, "gone", lang)
    desk.wake()
    return _shown(desk, request, kept, "instead" if cadence else "paused", lang)


def _morning(desk: Desk, reader: Subscriber, moment: datetime) -> datetime:
    """The beginning of that day, where the reader is."""
    zone = zone_named(reader.timezone or desk.parts.settings.site.timezone)
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


async def _again(desk: Desk, request: Request, claim: Claim, reader: Subscriber | None, lang: str) -> HTMLResponse:
    """Undo: not by this press, but by a new confirmation."""
    asked = await subscribing.ask_again(
        desk.database,
        claim.subscriber,
        cadences=tuple(desk.parts.cadences()),
        preselected=desk.parts.settings.preselected(),
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
    if reader is not None and reader.state in _LISTENING:  # they have come back meanwhile
        return _shown(desk, request, reader, "ask", lang)
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
    zone = zone_named(reader.timezone or desk.parts.settings.site.timezone)
    page = UnsubscribePage(
        state=state,
        address=reader.email,
        cadence=reader.cadence,
        slower=slower_than(desk.parts.cadences(), reader.cadence),
        pause=reader.state is State.ACTIVE,
        until=reader.paused_until.astimezone(zone).date() if reader.paused_until else None,
        next=coming(desk, reader),
        paused_until=paused_until(desk, reader),
    )
    return show(desk, page, language)
