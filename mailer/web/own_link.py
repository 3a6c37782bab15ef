"""Whose a signed link of a mail is, while the consent that it belongs to is in force, and the wish carried out."""

from datetime import date, datetime, time
from typing import TypeGuard

from fastapi import Request
from fastapi.responses import HTMLResponse

from mailer.core.cadence import first_instant
from mailer.core.consent import Circumstances
from mailer.core.preference_page import PreferencePage
from mailer.core.reader_page import AddressPage
from mailer.core.subscription import LISTENING, Subscriber
from mailer.core.tokens import Claim, Purpose, open_token
from mailer.errors import InputError, Refused
from mailer.flows import subscribing
from mailer.flows.subscribing import Wish
from mailer.store import subscribers
from mailer.web.desk import Desk
from mailer.web.visitor import about, language_of, show, zone_of


async def whose(desk: Desk, token: str, purpose: Purpose = Purpose.MANAGE) -> tuple[Claim | None, Subscriber | None]:
    """What a link says, None where it isn't genuine, and its reader, None where there is none any more."""
    claim = open_token(token, purpose, desk.parts.keys())
    return claim, await desk.database.read(subscribers.of_id, claim.subscriber) if claim else None


def listens(reader: Subscriber | None) -> TypeGuard[Subscriber]:
    """Whether there is a reader, and they are on the list."""
    return reader is not None and reader.state in LISTENING


def holds(claim: Claim | None, reader: Subscriber | None) -> bool:
    """Whether a link belongs to the consent in force."""
    return claim is not None and listens(reader) and claim.generation == reader.generation


def pressed(desk: Desk, request: Request, reader: Subscriber, lang: str) -> Circumstances:
    """How they came to press it; the language is that of the page, not what somebody typed."""
    return about(request, "preferences", language=language_of(desk, request, lang, reader.language))


def own(reader: Subscriber | None) -> Subscriber:
    """The reader of a link that `cut` let pass."""
    if reader is None:
        raise RuntimeError("whoever has no page was told so before")
    return reader


def cut(desk: Desk, request: Request, claim: Claim | None, reader: Subscriber | None, lang: str) -> HTMLResponse | None:
    """What to say where there is nothing to change; None where there is."""
    if holds(claim, reader):
        return None
    language = language_of(desk, request, lang, reader.language if reader else "")
    if claim is None:
        return show(desk, PreferencePage(state="wrong"), language, status=404)
    if listens(reader):
        return show(desk, AddressPage(state="stale"), language)
    return show(desk, PreferencePage(state="gone"), language)


def morning(desk: Desk, reader: Subscriber, day: date) -> datetime:
    """When a day begins where the reader is."""
    return first_instant(datetime.combine(day, time()), zone_of(desk, reader.timezone))


async def choose(desk: Desk, reader: Subscriber, wish: Wish, how: Circumstances) -> Subscriber | None:
    """Carry a wish out, and tell of it by the mail that the operator chose. None: it makes no sense any more."""
    tell = desk.parts.settings.signup.changed
    try:
        kept = await subscribing.choose(desk.database, reader.id, wish, now=desk.parts.clock(), about=how, tell=tell)
    except (InputError, Refused):
        return None
    desk.wake()
    return kept
