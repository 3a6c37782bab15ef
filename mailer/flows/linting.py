"""`mailer lint --online`: whether what a mail links to and shows is there, asked politely and once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from mailer.core.lint import Asked, Finding
from mailer.errors import FeedError
from mailer.feeds import FeedOptions, probe

AT_ONCE = 8  # addresses that are asked at the same time
MOST = 200  # addresses of one mail that are asked; the digests we write have fewer
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


@dataclass(frozen=True, slots=True)
class Probed:
    """What asking brought. `dead`: by address, what is wrong with it. `asked`, `skipped`: how many addresses."""

    dead: Mapping[str, Finding]
    asked: int
    skipped: int


async def probe_links(addresses: Sequence[Asked], *, options: FeedOptions, site: str = "") -> Probed:
    """Ask for each address once, eight at a time, and report what isn't there. Never raises for what a server does.

    A reader's own addresses (to leave, to change the pace, with a token) are never asked for. `site`: the operator's,
    for the User-Agent.
    """
    asked = list({one.url: one for one in addresses if not one.personal}.values())[:MOST]
    room = asyncio.Semaphore(AT_ONCE)

    async def ask(one: Asked) -> Finding | None:
        async with room:
            return await _ask(one, options, site)

    found = await asyncio.gather(*map(ask, asked))
    dead = {one.url: finding for one, finding in zip(asked, found, strict=True) if finding is not None}
    return Probed(dead, len(asked), len({one.url for one in addresses}) - len(asked))


async def _ask(one: Asked, options: FeedOptions, site: str) -> Finding | None:
    try:
        status = await probe(one.url, options=options, site=site)
    except FeedError as error:
        return Finding("dead-link", "error", one.where, str(error))
    if status < HTTPStatus.BAD_REQUEST:
        return None
    if status in _GONE:
        return Finding("dead-link", "error", one.where, f"{one.url} answers {status}: it is not there; mend the link.")
    # Many servers refuse whoever is no browser, and errors of theirs pass.
    return Finding("dead-link", "warning", one.where, f"{one.url} answers {status}; look whether it is there.")
