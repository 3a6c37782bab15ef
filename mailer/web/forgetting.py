"""Behind the link of a mail that asks whether all of a reader shall be erased."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from mailer.core.confirmation import Standing
from mailer.core.reader_page import ErasePage
from mailer.core.tokens import Purpose, open_wish
from mailer.flows import erasing, subscribing
from mailer.flows.subscribing import Pressed
from mailer.web.desk import AtDesk, Desk
from mailer.web.visitor import LanguageAsked, LanguageSent, language_of, preferences_url, show

router = APIRouter()


@router.get("/erase/{token}", response_class=HTMLResponse)
async def erase_page(token: str, desk: AtDesk, request: Request, lang: LanguageAsked = "") -> HTMLResponse:
    """Whether to be forgotten."""
    pressed = await _look_up(desk, token)
    return _erase(desk, request, pressed, pressed.standing, lang)


@router.post("/erase/{token}", response_class=HTMLResponse)
async def erase(token: str, desk: AtDesk, request: Request, lang: LanguageSent = "") -> HTMLResponse:
    """Forget a reader."""
    pressed = await _look_up(desk, token)
    if pressed.standing is not Standing.ASK or pressed.reader is None:
        return _erase(desk, request, pressed, pressed.standing, lang)
    await erasing.erase(desk.database, pressed.reader.id, now=desk.parts.clock(), fingerprints=desk.parts.fingerprints)
    return _erase(desk, request, pressed, Standing.DONE, lang)


async def _look_up(desk: Desk, token: str) -> Pressed:
    days = desk.parts.settings.signup.link_days
    wish = open_wish(token, Purpose.ERASE, desk.parts.keys())
    return await subscribing.look_up(desk.database, wish, "erase", now=desk.parts.clock(), days=days)


def _erase(desk: Desk, request: Request, pressed: Pressed, standing: Standing, lang: str) -> HTMLResponse:
    reader = pressed.reader
    language = language_of(desk, request, lang, reader.language if reader else "")
    if reader is None and pressed.genuine:
        # Its number was given to nobody else: whoever pressed it is erased.
        return show(desk, ErasePage(state="done"), language)
    if reader is None:
        return show(desk, ErasePage(state="wrong"), language, status=404)
    there = standing in {Standing.ASK, Standing.EXPIRED}
    page = ErasePage(
        state=standing.value,
        address=reader.email,
        preferences_url=preferences_url(desk, reader) if there else "",
        days=desk.parts.settings.signup.link_days,
    )
    return show(desk, page, language)
