"""The form: on its own page, in a frame, and as a bare form on somebody else's page."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict

from mailer.core.consent import Circumstances
from mailer.core.signup import OLDEST, YOUNGEST, Outcome
from mailer.core.signup_page import SignupDone, SignupPage, wording
from mailer.core.subscription import Newcomer, clean_address, clean_timezone, clean_topics
from mailer.core.tokens import open_form, seal_form
from mailer.errors import StoreError
from mailer.flows import subscribing
from mailer.web.desk import AtDesk, Desk
from mailer.web.errors import IN_WORDS
from mailer.web.visitor import LanguageAsked, about, is_friend, language_of, network_of, next_digest, show

router = APIRouter()
log = structlog.get_logger(__name__)

_LONGEST = 1000  # characters of an address that are handed on


class Filled(BaseModel):
    """A form as it was sent in. `website`: a field that people don't see; robots fill it. `lang`: it was read in."""

    model_config = ConfigDict(frozen=True)

    email: str = ""
    cadence: str = ""
    topics: list[str] = []
    timezone: str = ""
    form_time: str = ""
    website: str = ""
    lang: str = ""


@router.get("/", response_class=RedirectResponse, status_code=303)
async def front_door() -> RedirectResponse:
    """Whoever opens the bare address wants the form."""
    return RedirectResponse("/subscribe", 303)


@router.get("/subscribe", response_class=HTMLResponse)
async def subscribe_page(
    desk: AtDesk, request: Request, lang: LanguageAsked = "", cadence: Annotated[str, Query(max_length=64)] = ""
) -> HTMLResponse:
    """The form on a page of its own. `?cadence=` ticks that one."""
    return show(desk, form_of(desk, Filled(cadence=cadence)), language_of(desk, request, lang))


@router.get("/embed", response_class=HTMLResponse)
async def embed_page(
    desk: AtDesk, request: Request, lang: LanguageAsked = "", cadence: Annotated[str, Query(max_length=64)] = ""
) -> HTMLResponse:
    """The form for a frame on the sites of [web] embed_origins."""
    page = form_of(desk, Filled(cadence=cadence), frame=_frame_on(request.headers.get("referer", "")))
    return show(desk, page, language_of(desk, request, lang), frame=True)


@router.post("/subscribe", response_class=HTMLResponse, responses={422: IN_WORDS["4XX"], 503: IN_WORDS["4XX"]})
async def subscribe(desk: AtDesk, request: Request, filled: Annotated[Filled, Form()]) -> HTMLResponse:
    """Take the form. Whatever is known of the address, the answer is the same."""
    return await _take(desk, request, filled)


@router.post("/embed", response_class=HTMLResponse, responses={422: IN_WORDS["4XX"], 503: IN_WORDS["4XX"]})
async def subscribe_in_frame(
    desk: AtDesk, request: Request, filled: Annotated[Filled, Form()], on: Annotated[str, Query(max_length=2000)] = ""
) -> HTMLResponse:
    """The same from the frame. `?on=`: the page that the frame stands on."""
    return await _take(desk, request, filled, frame=_frame_on(on), on=on)


async def _take(desk: Desk, request: Request, filled: Filled, *, frame: str = "", on: str = "") -> HTMLResponse:
    """`frame`: the path that a form in a frame is posted to, else ''."""
    language = language_of(desk, request, filled.lang)
    bare = not filled.form_time and is_friend(desk, request)
    wanted, errors = check(desk, filled, language, bare=bare)
    if wanted is None:
        return show(desk, form_of(desk, filled, errors, frame=frame), language, status=422, frame=bool(frame))
    if not filled.website:
        route = "html" if bare else "frame" if frame else "page"
        own = f"{desk.parts.settings.site_value().public_url}{request.url.path}"
        source = request.headers.get("referer", "") if bare else on or own
        # Around a form of their own the words are theirs: nobody knows them here.
        text = "" if bare else read_there(desk, language)
        how = about(request, route, language=language, source=source, text=text)
        try:
            await join(desk, request, wanted, how)
        except StoreError:
            again = form_of(desk, filled, {"form": "server"}, frame=frame)
            return show(desk, again, language, status=503, frame=bool(frame))
    return show(desk, _done(desk, filled, wanted, frame=bool(frame)), language, frame=bool(frame))


def _frame_on(page: str) -> str:
    """Where a form in a frame is posted to: it has to say itself which page it stands on, its own posts don't."""
    return f"/embed?{urlencode({'on': page[:_LONGEST]})}" if page else "/embed"


async def join(desk: Desk, request: Request, wanted: Newcomer, how: Circumstances) -> None:
    """Write down what was asked for. Nothing of what is known of the address comes back from here."""
    outcome = await subscribing.ask_to_join(
        desk.database,
        subscribing.Form(wanted, how, network_of(request)),
        now=desk.parts.clock(),
        options=desk.parts.settings.signup,
        fingerprints=desk.parts.fingerprints,
    )
    if outcome is Outcome.HELD:
        log.warning("Confirmation mails are held: `mailer status` says why and what to do.")
    log.info("sign-up form", outcome=outcome.value)  # the visitor's page doesn't tell
    desk.wake()


def check(
    desk: Desk, filled: Filled, language: str, *, bare: bool = False
) -> tuple[Newcomer | None, Mapping[str, str]]:
    """Who wants what, or what is wrong with the form: a code by field. `bare`: no form time is asked of it."""
    offered, errors = desk.parts.cadences(), dict[str, str]()
    topics, timezone, email = tuple[str, ...](), "", ""
    try:
        email = clean_address(filled.email)
    except ValueError:
        errors["email"] = "format" if filled.email.strip() else "empty"
    if filled.cadence not in offered:
        errors["cadence"] = "pace"
    try:
        topics = clean_topics(filled.topics, desk.parts.settings.topics)
    except ValueError:
        errors["topics"] = "topics"
    try:
        timezone = clean_timezone(filled.timezone)
    except ValueError:
        errors["timezone"] = "timezone"
    if not errors and not bare and (code := _time_code(desk, filled.form_time)):
        errors["form"] = code
    spoken = "" if language == language_of_site(desk) else language
    wanted = Newcomer(email, filled.cadence, timezone=timezone, language=spoken, topics=topics)
    return (None, errors) if errors else (wanted, {})


def language_of_site(desk: Desk) -> str:
    """The language of mails to readers who chose none."""
    return desk.parts.composer().speak("")


def _time_code(desk: Desk, form_time: str) -> str:
    """What is wrong with how long a form was open; '' where nothing is."""
    shown = open_form(form_time, desk.parts.keys())
    if shown is None:
        return "again"
    age = desk.parts.clock() - shown
    if age > OLDEST:
        return "stale"
    # One that was filled in at once may be a robot's. A second press takes a person no longer than this.
    return "again" if age < YOUNGEST else ""


def form_time_for(desk: Desk, sent: str = "") -> str:
    """What a form that is shown again says of when it was first shown; a fresh time where that is too long ago."""
    now = desk.parts.clock()
    shown = open_form(sent, desk.parts.keys()) if sent else None
    kept = shown is not None and now - shown <= OLDEST
    return sent if kept else seal_form(now, desk.parts.keys()[-1])


def form_of(
    desk: Desk, filled: Filled, errors: Mapping[str, str] | None = None, *, frame: str = "", zones: bool = True
) -> SignupPage:
    """The form with what is filled in. `frame`: as in `_take`. `zones`: it asks for a time zone, unless in a frame."""
    settings = desk.parts.settings
    return SignupPage(
        cadences=tuple(desk.parts.cadences().values()),
        form_time=form_time_for(desk, filled.form_time),
        cadence=_ticked(desk, filled, errors or {}),
        email=filled.email,
        topics=settings.topics,
        chosen=tuple(filled.topics),
        timezone=filled.timezone,
        site_timezone=settings.site.timezone if zones and not frame else "",
        what=settings.signup.what,
        privacy_url=settings.signup.privacy_url,
        errors=errors or {},
        frame=bool(frame),
        action=frame or "/subscribe",
    )


def _ticked(desk: Desk, filled: Filled, errors: Mapping[str, str]) -> str:
    """The pace that is ticked: what was chosen; none where none was; at first the operator's default."""
    return "" if "cadence" in errors else desk.parts.pace(filled.cadence)


def _done(desk: Desk, filled: Filled, wanted: Newcomer, *, frame: bool) -> SignupDone:
    first = next_digest(desk, wanted.cadence, wanted.timezone) or desk.parts.clock()
    again = "/embed" if frame else "/subscribe"
    return SignupDone(email=filled.email.strip(), cadence=wanted.cadence, first=first, again_url=again, frame=frame)


def read_there(desk: Desk, language: str) -> str:
    """What a visitor reads on the form, as the proof of what they agreed to."""
    words = desk.parts.composer().templates.words(language)
    return wording(form_of(desk, Filled(), zones=False), desk.parts.settings.site_value(), words)
