"""Behind the links of mails that ask: confirm a subscription, a new address; never write again.

Opening one shows a page with a button. Only the button does anything.
"""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from mailer.core.confirmation import Kind, Standing
from mailer.core.header import ascii_domain
from mailer.core.reader_page import AddressPage, ConfirmPage, NeverPage
from mailer.core.tokens import Purpose, Wish, open_wish
from mailer.flows import subscribing
from mailer.flows.subscribing import Pressed
from mailer.web.desk import AtDesk, Desk
from mailer.web.visitor import (
    Do,
    LanguageAsked,
    LanguageSent,
    about,
    gone,
    language_of,
    network_of,
    next_digest,
    preferences_url,
    show,
)

router = APIRouter()


@router.get("/confirm/{token}", response_class=HTMLResponse)
async def confirm_page(token: str, desk: AtDesk, request: Request, lang: LanguageAsked = "") -> HTMLResponse:
    """Whether to subscribe."""
    pressed = await _look_up(desk, token, Purpose.CONFIRM, "join")
    already = pressed.standing is Standing.DONE
    return _confirm(desk, request, pressed, "already" if already else pressed.standing.value, lang)


@router.post("/confirm/{token}", response_class=HTMLResponse)
async def confirm(token: str, desk: AtDesk, request: Request, do: Do = "", lang: LanguageSent = "") -> HTMLResponse:
    """Subscribe, or send a new link in place of one that is too old."""
    before = await _look_up(desk, token, Purpose.CONFIRM, "join")
    if do == "send":
        return await _send_again(desk, request, before, token, lang)
    if before.standing is not Standing.ASK:
        return await confirm_page(token, desk, request, lang)
    pressed = await _carry_out(desk, request, token, Purpose.CONFIRM, "join")
    desk.wake()
    state: Literal["done", "stale"] = "done" if pressed.standing is Standing.DONE else "stale"
    return _confirm(desk, request, pressed, state, lang)


@router.get("/address/{token}", response_class=HTMLResponse)
async def address_page(token: str, desk: AtDesk, request: Request, lang: LanguageAsked = "") -> HTMLResponse:
    """Whether a digest shall come to this address."""
    pressed = await _look_up(desk, token, Purpose.MOVE, "move")
    return _address(desk, request, pressed, lang)


@router.post("/address/{token}", response_class=HTMLResponse)
async def change_address(token: str, desk: AtDesk, request: Request, lang: LanguageSent = "") -> HTMLResponse:
    """Let the digest come to it."""
    pressed = await _carry_out(desk, request, token, Purpose.MOVE, "move")
    desk.wake()
    return _address(desk, request, pressed, lang)


@router.get("/never/{token}", response_class=HTMLResponse)
async def never_page(token: str, desk: AtDesk, request: Request, lang: LanguageAsked = "") -> HTMLResponse:
    """Whether we shall never write again."""
    wish = _wish(desk, token, Purpose.NEVER)
    address = await subscribing.forbidden_address(desk.database, wish) if wish else ""
    if wish and not address:
        return gone(desk, request, lang)
    return _never(desk, request, "ask" if address else "wrong", address, lang)


@router.post("/never/{token}", response_class=HTMLResponse)
async def never(token: str, desk: AtDesk, request: Request, lang: LanguageSent = "") -> HTMLResponse:
    """Never write to that address again."""
    wish = _wish(desk, token, Purpose.NEVER)
    address = await subscribing.forbidden_address(desk.database, wish) if wish else ""
    if wish is None:
        return _never(desk, request, "wrong", "", lang)
    if not address:
        return gone(desk, request, lang)
    how = about(request, "link", language=language_of(desk, request, lang))
    now, fingerprints = desk.parts.clock(), desk.parts.fingerprints
    await subscribing.forbid(desk.database, wish, now=now, about=how, fingerprints=fingerprints)
    return _never(desk, request, "done", address, lang)


def _never(
    desk: Desk, request: Request, state: Literal["ask", "done", "wrong"], address: str, lang: str
) -> HTMLResponse:
    page = NeverPage(state=state, address=address)
    return show(desk, page, language_of(desk, request, lang), status=404 if state == "wrong" else 200)


def _wish(desk: Desk, token: str, purpose: Purpose) -> Wish | None:
    return open_wish(token, purpose, desk.parts.keys())


async def _look_up(desk: Desk, token: str, purpose: Purpose, kind: Kind) -> Pressed:
    days = desk.parts.settings.signup.link_days
    wish = _wish(desk, token, purpose)
    return await subscribing.look_up(desk.database, wish, kind, now=desk.parts.clock(), days=days)


async def _carry_out(desk: Desk, request: Request, token: str, purpose: Purpose, kind: Kind) -> Pressed:
    settings = desk.parts.settings
    return await subscribing.confirm(
        desk.database,
        _wish(desk, token, purpose),
        kind,
        now=desk.parts.clock(),
        about=about(request, "link"),
        options=settings.signup,
        domain=ascii_domain(settings.site.from_address.rpartition("@")[2]),
        fingerprints=desk.parts.fingerprints,
    )


async def _send_again(desk: Desk, request: Request, pressed: Pressed, token: str, lang: str) -> HTMLResponse:
    wish = _wish(desk, token, Purpose.CONFIRM)
    if wish is None or pressed.standing is not Standing.EXPIRED:
        return await confirm_page(token, desk, request, lang)
    await subscribing.send_again(
        desk.database,
        wish,
        pace=desk.parts.pace,
        now=desk.parts.clock(),
        about=about(request, "link"),
        network=network_of(request),
        options=desk.parts.settings.signup,
        fingerprints=desk.parts.fingerprints,
    )
    desk.wake()
    return _confirm(desk, request, pressed, "sent", lang)


def _confirm(
    desk: Desk,
    request: Request,
    pressed: Pressed,
    state: Literal["ask", "done", "already", "expired", "sent", "stale", "wrong"],
    lang: str,
) -> HTMLResponse:
    reader, wish = pressed.reader, pressed.wish
    language = language_of(desk, request, lang, wish.language if wish else "")
    if pressed.genuine and (reader is None or wish is None):
        return gone(desk, request, lang)
    if reader is None or wish is None:
        return show(desk, ConfirmPage(state="wrong"), language, status=404)
    page = ConfirmPage(
        state=state,
        address=reader.email,
        cadence=wish.cadence,
        first=next_digest(desk, wish.cadence, wish.timezone),
        preferences_url=preferences_url(desk, reader) if state in {"done", "already"} else "",
        days=desk.parts.settings.signup.link_days,
    )
    return show(desk, page, language)


def _address(desk: Desk, request: Request, pressed: Pressed, lang: str) -> HTMLResponse:
    reader, wish = pressed.reader, pressed.wish
    language = language_of(desk, request, lang, reader.language if reader else "")
    if pressed.genuine and (reader is None or wish is None):
        return gone(desk, request, lang)
    if reader is None or wish is None:
        return show(desk, AddressPage(state="wrong"), language, status=404)
    done = pressed.standing is Standing.DONE
    page = AddressPage(
        state="taken" if pressed.taken else pressed.standing.value,
        address=reader.email,
        new_address=wish.address,
        preferences_url=preferences_url(desk, reader) if done else "",
        days=desk.parts.settings.signup.link_days,
    )
    return show(desk, page, language)
