"""Who asks, as far as it matters: their language, how they came, and the page they are shown."""

import re
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse

from mailer.core.cadence import Cadence, zone_named
from mailer.core.consent import Circumstances
from mailer.core.leaving_page import UnsubscribePage
from mailer.core.network import counted_network
from mailer.core.subscription import Subscriber, mail_language
from mailer.core.tokens import Claim, Purpose, seal
from mailer.templating.pages import Page
from mailer.web.answers import page
from mailer.web.desk import Desk

_LONGEST = 200  # characters of an Accept-Language that are looked at
_TAG = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")

LanguageAsked = Annotated[str, Query(alias="lang", max_length=40)]
"""`?lang=de` of a page's address."""
LanguageSent = Annotated[str, Form(alias="lang", max_length=40)]
"""The same in a form: the language that the page was read in."""
Do = Annotated[str, Form(alias="do", max_length=20)]
"""Which button of a page was pressed."""


def language_of(desk: Desk, request: Request, *wanted: str) -> str:
    """The language of a page: the first of `wanted` that there are words in, then what the browser likes, else ours."""
    offered = desk.parts.composer().templates.languages
    known = {tag.lower(): tag for tag in offered}
    for tag in (*wanted, *_accepted(request)):
        for form in (tag.lower(), tag.lower().partition("-")[0]):
            if form in known:
                return known[form]
    return mail_language("", desk.parts.settings.site.language, offered)


def _accepted(request: Request) -> list[str]:
    """The tags of Accept-Language, the best first (RFC 9110 §12.5.4)."""
    found = []
    for place, part in enumerate(request.headers.get("accept-language", "")[:_LONGEST].split(",")):
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if _TAG.fullmatch(tag) and quality > 0:
            found.append((-quality, place, tag.lower()))
    return [tag for _, _, tag in sorted(found)]


def show(desk: Desk, shown: Page, language: str, *, status: int = 200, frame: bool = False) -> HTMLResponse:
    """A page as an answer. `frame`: the sites of [web] embed_origins may show it in one."""
    pages = desk.parts.pages()
    origins = desk.parts.settings.web.embed_origins if frame else ()
    return page(pages.render(shown, language), status=status, style=pages.style_hash, framed_by=origins)


def gone(desk: Desk, request: Request, lang: str) -> HTMLResponse:
    """Behind a genuine link whose reader was erased, or forgotten since they never confirmed: nobody is subscribed."""
    return show(desk, UnsubscribePage(state="gone"), language_of(desk, request, lang))


def about(request: Request, route: str, *, language: str = "", source: str = "", text: str = "") -> Circumstances:
    """What is kept of how somebody came to press a button."""
    agent = request.headers.get("user-agent", "")
    return Circumstances.of(route, source=source, text=text, language=language, ip=request.state.client, agent=agent)


def network_of(request: Request) -> str:
    """The network that forms are counted by, '' where it isn't known."""
    return counted_network(request.state.client) if request.state.client else ""


def is_friend(desk: Desk, request: Request) -> bool:
    """Whether a page of a site in [web] embed_origins, or one of ours, sent this. The browser says so, not the page."""
    origin = request.headers.get("origin", "")
    public = urlsplit(desk.parts.settings.site_value().public_url)
    return origin in {*desk.parts.settings.web.embed_origins, f"{public.scheme}://{public.netloc}"}


def shared(desk: Desk, request: Request) -> dict[str, str]:
    """Who may read an answer under /api/. It differs from site to site, so nobody may keep it for another (CORS)."""
    origin = request.headers.get("origin", "")
    return {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origin} if is_friend(desk, request) else {})


def preferences_url(desk: Desk, reader: Subscriber) -> str:
    """The path of a reader's own page."""
    return f"/preferences/{seal(Claim(reader.id, reader.generation), Purpose.MANAGE, desk.parts.keys()[-1])}"


def zone_of(desk: Desk, timezone: str) -> ZoneInfo:
    """A reader's time zone, the site's where they chose none."""
    return zone_named(timezone or desk.parts.settings.site.timezone)


def paused_until(desk: Desk, reader: Subscriber) -> date | None:
    """The reader's local day on which digests come again, None where they come now."""
    if reader.paused_until is None or reader.paused_until <= desk.parts.clock():
        return None
    return reader.paused_until.astimezone(zone_of(desk, reader.timezone)).date()


def coming(desk: Desk, reader: Subscriber, cadence: str = "") -> datetime | None:
    """When a reader's next digest is due, at another pace where one is given. None in a pause."""
    return None if paused_until(desk, reader) else next_digest(desk, cadence or reader.cadence, reader.timezone)


def next_digest(desk: Desk, cadence: str, timezone: str) -> datetime | None:
    """When the next digest of a cadence is due, in a reader's time zone; None where it is offered no more."""
    known: Cadence | None = desk.parts.cadences().get(cadence)
    return known.next_due(desk.parts.clock()).astimezone(zone_of(desk, timezone)) if known else None
