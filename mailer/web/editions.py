"""The editions that are out, for anybody: each variant on a page of its own, their list, and its feed.

Nothing of who reads them is asked or shown. Unless there is an archive, a page is for who has its address.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from email.utils import format_datetime
from hashlib import sha256
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import Connection

from mailer.core.cadence import zone_named
from mailer.core.edition_archive import IN_FEED, PER_PAGE, ArchivePage, atom_feed
from mailer.core.edition_page import (
    MOST_SHOWN,
    EditionPage,
    EditionSheet,
    NoEdition,
    days_covered,
    lay_out_edition,
)
from mailer.store import articles, published
from mailer.store.published import Published
from mailer.web.answers import is_known, page
from mailer.web.desk import AtDesk, Desk
from mailer.wiring import Parts

router = APIRouter()

_NAME = re.compile(r"[\w-]{1,64}")
_NUMBER = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_FOUND = {"Cache-Control": "public, max-age=300", "X-Robots-Tag": "all"}
_ATOM = "application/atom+xml; charset=utf-8"


@router.get("/editions", response_class=HTMLResponse)
async def archive(desk: AtDesk, asked: Annotated[str, Query(alias="page")] = "1") -> Response:
    """The editions that are out, the newest first; `?page=2` goes on."""
    if not desk.parts.settings.web.archive or not _NUMBER.fullmatch(asked) or asked == "0":
        return _missing(desk)
    found = await desk.database.read(_listed, desk.parts, int(asked))
    return _missing(desk) if found is None else _answer(desk, found, headers=_FOUND)


@router.get("/editions/feed.xml", response_class=Response, responses={200: {"content": {"application/atom+xml": {}}}})
async def feed(desk: AtDesk, request: Request) -> Response:
    """The newest editions as an Atom feed."""
    parts = desk.parts
    if not parts.settings.web.archive:
        return _missing(desk)
    found = await desk.database.read(_newest, parts)
    words = parts.composer().templates.words(_language(parts))
    body = atom_feed([told for _, told in found], parts.settings.site_value(), words)
    headers = {**_FOUND, "ETag": f'"{sha256(body).hexdigest()[:32]}"'}
    if found:
        headers["Last-Modified"] = format_datetime(max(one.changed for one, _ in found), usegmt=True)
    if is_known(request.headers, headers):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=_ATOM)


@router.get("/editions/{cadence}/{period}", response_class=HTMLResponse)
async def edition(cadence: str, period: str, desk: AtDesk) -> Response:
    """The first variant of an edition."""
    return await _edition(desk, cadence, period, "0")


@router.get("/editions/{cadence}/{period}/{number}", response_class=HTMLResponse)
async def variant(cadence: str, period: str, number: str, desk: AtDesk) -> Response:
    """One variant of an edition."""
    return await _edition(desk, cadence, period, number)


async def _edition(desk: Desk, cadence: str, period: str, number: str) -> Response:
    if not (_NAME.fullmatch(cadence) and _NAME.fullmatch(period) and _NUMBER.fullmatch(number)):
        return _missing(desk)
    found = await desk.database.read(_read, desk.parts, cadence, period, int(number))
    if found is None:
        return _missing(desk)
    one, told = found
    parts = desk.parts
    words = parts.composer().templates.words(one.language)
    shown = _without_strangers(lay_out_edition(told, parts.settings.site_value(), words), parts.settings.site.url)
    return page(
        parts.pages().show(shown, words),
        style=parts.pages().style_hash,
        more=_pictures(shown),
        headers=_FOUND if told.archived else {},
    )


def _read(
    connection: Connection, parts: Parts, cadence: str, period: str, number: int
) -> tuple[Published, EditionPage] | None:
    """What a page shows of a variant, in one snapshot; None where it isn't out, or nothing of it is to be seen."""
    one = published.find(connection, cadence, period, number)
    if one is None:
        return None
    older, newer = published.beside(connection, one) if parts.settings.web.archive else (None, None)
    told = _told(connection, parts, one, older=older.path if older else "", newer=newer.path if newer else "")
    return None if told is None else (one, told)


def _listed(connection: Connection, parts: Parts, number: int) -> ArchivePage | None:
    """A page of the archive; None beyond the last."""
    last = max(1, -(-published.count(connection) // PER_PAGE))
    if number > last:
        return None
    offset = (number - 1) * PER_PAGE
    found = published.latest(connection, _language(parts), limit=PER_PAGE, offset=offset)
    told = (_told(connection, parts, one) for one in found)
    return ArchivePage(editions=tuple(one for one in told if one is not None), number=number, last=last)


def _newest(connection: Connection, parts: Parts) -> list[tuple[Published, EditionPage]]:
    found = published.latest(connection, _language(parts), limit=IN_FEED)
    told = ((one, _told(connection, parts, one)) for one in found)
    return [(one, page_of_it) for one, page_of_it in told if page_of_it is not None]


def _told(
    connection: Connection, parts: Parts, one: Published, *, older: str = "", newer: str = ""
) -> EditionPage | None:
    """A variant as it may be seen now, without what was hidden since; None where nothing is left."""
    found = tuple(each for each in articles.by_seq(connection, one.articles[:MOST_SHOWN]) if not each.hidden)
    if not found:
        return None
    settings, cadence = parts.settings, parts.cadences().get(one.cadence)
    zone = zone_named(settings.site.timezone) if cadence is None else cadence.zone
    return EditionPage(
        cadence=one.cadence,
        period=one.period,
        number=one.number,
        covers=days_covered(cadence, one.period, one.due_at, one.planned_at, zone),
        day=one.due_at.astimezone(zone).date(),
        made=one.planned_at,
        articles=found,
        more=one.unnamed + max(0, len(one.articles) - MOST_SHOWN),
        topics=settings.topics,
        intro=one.intro,
        related=tuple(each for each in articles.by_seq(connection, one.related) if not each.hidden),
        archived=settings.web.archive,
        older=older,
        newer=newer,
        offered=cadence is not None,
    )


def _language(parts: Parts) -> str:
    """The language of what isn't an edition's own: the site's."""
    return parts.composer().speak("")


def _missing(desk: Desk) -> Response:
    return _answer(desk, NoEdition(), status=404)


def _answer(
    desk: Desk, shown: NoEdition | ArchivePage, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A page in the site's language."""
    pages = desk.parts.pages()
    html = pages.render(shown, _language(desk.parts))
    return page(html, status=status, style=pages.style_hash, headers=headers)


def _without_strangers(shown: EditionSheet, site_url: str) -> EditionSheet:
    """The page without a picture of another site: nobody else shall learn who reads here."""
    own = (urlsplit(site_url).hostname or "").removeprefix("www.")
    picture = shown.lead.picture
    host = (urlsplit(picture.url).hostname or "") if picture else own
    return shown if host == own or host.endswith(f".{own}") else replace(shown, lead=replace(shown.lead, picture=None))


def _pictures(shown: EditionSheet) -> dict[str, str]:
    """The one origin that a picture comes from, for the page's policy.

    Of the picture as it was laid out: what a feed wrote might say more in a policy than an origin.
    """
    if shown.lead.picture is None:
        return {}
    parts = urlsplit(shown.lead.picture.url)
    return {"img-src": f"{parts.scheme}://{parts.netloc}"}
