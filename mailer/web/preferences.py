"""The reader's own page, behind the signed link in every mail."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict

from mailer.core.preference_page import LONGEST_PAUSE, WEEKS, PreferencePage
from mailer.core.subscription import Subscriber, clean_address, clean_timezone, clean_topics
from mailer.core.tokens import Claim, Purpose, seal
from mailer.flows import subscribing
from mailer.flows.subscribing import CADENCES_OWN, Wish
from mailer.web.desk import AtDesk, Desk
from mailer.web.own_link import choose, cut, morning, own, pressed, whose
from mailer.web.visitor import LanguageAsked, coming, language_of, network_of, paused_until, show, zone_of

router = APIRouter()

_HOURS = {str(hour): hour for hour in range(24)} | {"": CADENCES_OWN}


class Typed(BaseModel):
    """What the page sends: `do` is the button, the rest what its form holds."""

    model_config = ConfigDict(frozen=True)

    do: str = ""
    cadence: str = ""
    topics: list[str] = []
    timezone: str = ""
    hour: str = ""
    language: str = ""
    weeks: str = ""
    until: str = ""
    address: str = ""
    lang: str = ""


Changed = Literal["", "saved", "paused", "resumed", "move", "copy", "erase", "enough"]


@router.get("/preferences/{token}", response_class=HTMLResponse)
async def preference_page(token: str, desk: AtDesk, request: Request, lang: LanguageAsked = "") -> HTMLResponse:
    """What a reader gets, and all they can change of it."""
    claim, reader = await whose(desk, token)
    return cut(desk, request, claim, reader, lang) or _shown(desk, request, own(reader), lang)


@router.post("/preferences/{token}", response_class=HTMLResponse)
async def preferences(token: str, desk: AtDesk, request: Request, typed: Annotated[Typed, Form()]) -> HTMLResponse:
    """Change it."""
    lang = typed.lang
    claim, found = await whose(desk, token)
    ended = cut(desk, request, claim, found, lang)
    if ended is not None:
        return ended
    reader = own(found)
    match typed.do:
        case "save":
            return await _save(desk, request, reader, typed)
        case "pause":
            return await _pause(desk, request, reader, typed)
        case "resume":
            kept = await choose(desk, reader, Wish(resume=True), pressed(desk, request, reader, lang))
            return _shown(desk, request, kept or reader, lang, changed="resumed" if kept else "")
        case "move":
            return await _move(desk, request, reader, typed)
        case "copy" | "erase" as asked:
            ask = subscribing.ask_for_copy if asked == "copy" else subscribing.ask_to_be_erased
            how = pressed(desk, request, reader, lang)
            mailed = await ask(desk.database, reader, now=desk.parts.clock(), about=how)
            desk.wake()
            changed: Changed = "enough" if not mailed else "copy" if asked == "copy" else "erase"
            return _shown(desk, request, reader, lang, changed=changed)
        case _:  # no button of this page: nothing was done
            return _shown(desk, request, reader, lang, status=422)


async def _save(desk: Desk, request: Request, reader: Subscriber, typed: Typed) -> HTMLResponse:
    topics, timezone, lang = tuple(typed.topics), typed.timezone, typed.lang
    errors = dict[str, str]()
    offered = desk.parts.composer().templates.languages
    if typed.cadence not in desk.parts.cadences():
        errors["cadence"] = "pace"
    try:
        topics = clean_topics(topics, desk.parts.settings.topics)
    except ValueError:
        errors["topics"] = "topics"
    try:
        timezone = clean_timezone(timezone)
    except ValueError:
        errors["timezone"] = "timezone"
    if typed.hour not in _HOURS:
        errors["hour"] = "hour"
    if typed.language and typed.language not in offered:
        errors["language"] = "language"
    if errors:
        as_typed = replace(reader, cadence=typed.cadence, topics=topics)
        return _shown(desk, request, as_typed, lang, errors=errors, status=422)
    hour = _HOURS[typed.hour]
    wish = Wish(cadence=typed.cadence, topics=topics, timezone=timezone, language=typed.language, hour=hour)
    kept = await choose(desk, reader, wish, pressed(desk, request, reader, lang))
    # Read in the language that they have just chosen.
    spoken = typed.language if kept is not None and kept.language != reader.language else lang
    return _shown(desk, request, kept or reader, spoken, changed="saved" if kept else "")


async def _pause(desk: Desk, request: Request, reader: Subscriber, typed: Typed) -> HTMLResponse:
    lang = typed.lang
    today = _today(desk, reader)
    day = _day(typed.weeks or typed.until, today)
    if day is None or not today < day <= today + timedelta(days=LONGEST_PAUSE):
        return _shown(desk, request, reader, lang, errors={"until": "until"}, until=typed.until, status=422)
    wish = Wish(pause_until=morning(desk, reader, day))
    kept = await choose(desk, reader, wish, pressed(desk, request, reader, lang))
    return _shown(desk, request, kept or reader, lang, changed="paused" if kept else "")


def _today(desk: Desk, reader: Subscriber) -> date:
    """What day it is where the reader is."""
    return desk.parts.clock().astimezone(zone_of(desk, reader.timezone)).date()


def _day(length: str, today: date) -> date | None:
    """The first day after a pause of so many weeks, or that is named."""
    if length in map(str, WEEKS):
        return today + timedelta(weeks=int(length))
    try:
        return date.fromisoformat(length)
    except ValueError:
        return None


async def _move(desk: Desk, request: Request, reader: Subscriber, typed: Typed) -> HTMLResponse:
    lang, wanted = typed.lang, typed.address
    try:
        address = clean_address(wanted)
    except ValueError:
        code = "format" if wanted.strip() else "empty"
        return _shown(desk, request, reader, lang, errors={"address": code}, new_address=wanted, status=422)
    if address == reader.email:
        return _shown(desk, request, reader, lang, errors={"address": "same"}, new_address=wanted, status=422)
    await subscribing.ask_to_move(
        desk.database,
        reader,
        address,
        now=desk.parts.clock(),
        about=pressed(desk, request, reader, lang),
        network=network_of(request),
        options=desk.parts.settings.signup,
        fingerprints=desk.parts.fingerprints,
    )
    desk.wake()
    return _shown(desk, request, reader, lang, changed="move", new_address=wanted)


def _shown(
    desk: Desk,
    request: Request,
    reader: Subscriber,
    lang: str,
    *,
    changed: Changed = "",
    errors: Mapping[str, str] | None = None,
    until: str = "",
    new_address: str = "",
    status: int = 200,
) -> HTMLResponse:
    settings = desk.parts.settings
    leave = seal(Claim(reader.id, reader.generation), Purpose.LEAVE, desk.parts.keys()[-1])
    page = PreferencePage(
        state="shown",
        address=reader.email,
        today=_today(desk, reader),
        cadences=tuple(desk.parts.cadences().values()),
        cadence=reader.cadence,
        topics=settings.topics,
        chosen=reader.topics,
        timezone=reader.timezone,
        site_timezone=settings.site.timezone,
        hour=reader.hour,
        languages=tuple(sorted(desk.parts.composer().templates.languages)),
        language=reader.language,
        paused_until=paused_until(desk, reader),
        until=until,
        new_address=new_address,
        changed=changed,
        next=coming(desk, reader),
        errors=errors or {},
        unsubscribe_url=f"/unsubscribe/{leave}",
    )
    return show(desk, page, language_of(desk, request, lang, reader.language), status=status)
