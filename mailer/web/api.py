"""The form as JSON: what `embed.js` draws it from, and what a site's own script or server may ask.

A browser lets other sites' scripts read the answers only where [web] embed_origins names them (CORS).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from mailer.core.colour import DARK, LIGHT, with_accent
from mailer.core.page_sentences import mistake, sending
from mailer.core.signup_page import SignupDone, lay_out_signup, lay_out_signup_done
from mailer.errors import StoreError
from mailer.web.desk import AtDesk, Desk
from mailer.web.signup import Filled, check, form_of, form_time_for, join, read_there
from mailer.web.visitor import LanguageAsked, about, is_friend, language_of, next_digest, shared

router = APIRouter(
    prefix="/api", responses={"4XX": {"description": "What is wrong.", "content": {"application/json": {}}}}
)

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "3600",
}


class ChoiceOut(BaseModel):
    """A pace: its name, how it is called, when it comes, and whether it is ticked."""

    name: str
    label: str
    sentence: str
    checked: bool


class TopicOut(BaseModel):
    """A topic: its id, and its name."""

    id: str
    name: str


class FormOut(BaseModel):
    """All that a sign-up form shows, in one language. `form_time`: to be sent back, 2 s to 24 h later.

    `accent`: the site's colour, made so that it can be read on white; `accent_dark`: on a dark ground.
    """

    language: str
    direction: str
    heading: str
    what: str
    email_label: str
    question: str
    choices: list[ChoiceOut]
    topics: list[TopicOut]
    topics_label: str
    topics_hint: str
    button: str
    sending: str
    privacy: str
    privacy_url: str
    privacy_label: str
    accent: str
    accent_dark: str
    form_time: str
    mistakes: dict[str, str]


class SignupIn(BaseModel):
    """A form filled in. `website` stays empty: robots fill it. `source`: the page that the form stands on."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(default="", max_length=1000)
    cadence: str = Field(default="", max_length=100)
    topics: list[str] = Field(default=[], max_length=100)
    timezone: str = Field(default="", max_length=100)
    language: str = Field(default="", max_length=40)
    form_time: str = Field(default="", max_length=200, description="From GET /api/form; 2 seconds to 24 hours old.")
    website: str = Field(default="", max_length=1000)
    source: str = Field(default="", max_length=2000)


class SignupOut(BaseModel):
    """What to say, whatever is known of the address. `first`: when the first digest would come. `again`: on the button
    that leads back to the form.
    """

    status: str
    heading: str
    paragraphs: list[str]
    again: str
    first: datetime


class WrongOut(BaseModel):
    """What is wrong: by field, a sentence. `form_time`: to send with the next try; a fresh one where it was stale.

    Where it was no form at all there is `error` alone.
    """

    error: str
    errors: dict[str, str] = {}
    form_time: str = ""


@router.options("/form", include_in_schema=False)
@router.options("/subscribe", include_in_schema=False)
async def preflight(desk: AtDesk, request: Request) -> Response:
    """Whether a script of another site may ask (CORS)."""
    allowed = is_friend(desk, request)
    return Response(status_code=204, headers=shared(desk, request) | (_PREFLIGHT if allowed else {}))


@router.get("/form", response_model=FormOut)
async def form(
    desk: AtDesk, request: Request, lang: LanguageAsked = "", cadence: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """What the form shows. `?cadence=` ticks that one, where it is offered."""
    language = language_of(desk, request, lang)
    words = desk.parts.composer().templates.words(language)
    site = desk.parts.settings.site_value()
    shown = lay_out_signup(form_of(desk, Filled(cadence=cadence), zones=False), site, words)
    _ = words.catalogue.gettext
    found = FormOut(
        language=shown.language,
        direction=shown.direction,
        heading=str(shown.heading),
        what=str(shown.what),
        email_label=_("Email address"),
        question=_("How often would you like updates?"),
        choices=[
            ChoiceOut(name=one.name, label=one.label, sentence=one.sentence, checked=one.checked)
            for one in shown.choices
        ],
        topics=[TopicOut(id=one.value, name=one.label) for one in shown.topics],
        topics_label=_("Topics"),
        topics_hint=_("None ticked means all."),
        button=_("Subscribe"),
        sending=sending(words),
        privacy=_("We respect your privacy and send nothing else. Unsubscribe at any time."),
        privacy_url=shown.privacy_url,
        privacy_label=_("Privacy"),
        accent=with_accent(LIGHT, site.accent).accent,
        accent_dark=with_accent(DARK, site.accent).accent,
        form_time=shown.form_time,
        mistakes={code: mistake(words, code) for code in ("empty", "format", "pace", "stale", "server")},
    )
    return JSONResponse(found.model_dump(mode="json"), headers=shared(desk, request))


@router.post("/subscribe", response_model=SignupOut, responses={422: {"model": WrongOut}, 503: {"model": WrongOut}})
async def subscribe(filled: SignupIn, desk: AtDesk, request: Request) -> Response:
    """Ask for a subscription. The owner of the address is asked to confirm; the answer never tells what is known."""
    if request.headers.get("origin") and not is_friend(desk, request):
        return JSONResponse({"error": "This site is not in [web] embed_origins."}, 403, shared(desk, request))
    language = language_of(desk, request, filled.language)
    sent = Filled(**filled.model_dump(exclude={"language", "source"}))
    wanted, errors = check(desk, sent, language)
    if wanted is None:
        return _wrong(desk, request, filled, language, errors, 422)
    if not filled.website:
        route = "script" if request.headers.get("origin") else "api"
        source = filled.source or request.headers.get("referer", "")
        text = read_there(desk, language) if route == "script" else ""  # a form of one's own has one's own words
        how = about(request, route, language=language, source=source, text=text)
        try:
            await join(desk, request, wanted, how)
        except StoreError:
            return _wrong(desk, request, filled, language, {"form": "server"}, 503)
    words = desk.parts.composer().templates.words(language)
    first = next_digest(desk, wanted.cadence, wanted.timezone) or desk.parts.clock()
    done = lay_out_signup_done(
        SignupDone(email=filled.email.strip(), cadence=wanted.cadence, first=first),
        desk.parts.settings.site_value(),
        words,
    )
    said = SignupOut(
        status="confirm",
        heading=str(done.heading),
        paragraphs=[str(line) for line in done.said],
        again=done.links[0].label,
        first=first,
    )
    return JSONResponse(said.model_dump(mode="json"), headers=shared(desk, request))


def _wrong(
    desk: Desk, request: Request, filled: SignupIn, language: str, errors: Mapping[str, str], status: int
) -> Response:
    words = desk.parts.composer().templates.words(language)
    told = {field: mistake(words, code) for field, code in errors.items()}
    said = WrongOut(
        error=" ".join(f"{one.removesuffix('.')}." for one in told.values()),
        errors=told,
        form_time=form_time_for(desk, filled.form_time),
    )
    return JSONResponse(said.model_dump(), status, shared(desk, request))
