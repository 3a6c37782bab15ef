"""`mailer demo`: a sample site, its feed, readers of three cadences, and their digests in a local inbox."""

import asyncio
import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailer.config import parse, write_config
from mailer.core.subscription import Newcomer
from mailer.demo.inbox import Inbox
from mailer.demo.inbox_page import serve_inbox
from mailer.demo.later import DemoClock, Later
from mailer.demo.publication import NAME, TAGLINE, Publication, serve_site
from mailer.errors import MailerError
from mailer.flows.delivering import Report, Run
from mailer.flows.ingesting import add_feed
from mailer.flows.subscribing import add
from mailer.store import editions, stats
from mailer.store.database import Database
from mailer.store.upgrade import upgrade
from mailer.wiring import Parts, draw

STATEMENT = "sample reader of the demo"
READERS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("ada", "daily", ()),
    ("blake", "daily", ()),
    ("chidi", "daily", ()),
    ("daniela", "weekly", ()),
    ("emre", "weekly", ()),
    ("fatima", "weekly", ()),
    ("grace", "weekly", ("oncology",)),
    ("hiro", "weekly", ("nutrition", "transplantation")),
    ("ines", "monthly", ()),
    ("jonas", "monthly", ()),
    ("kavya", "monthly", ("immunology", "oncology")),
    ("lucia", "monthly", ("lung-health",)),
)
"""Who reads the sample site: (name, cadence, topics)."""

Watch = Callable[[Database, Run, Report], AbstractAsyncContextManager[None]]
Serve = Callable[[Parts, Database, socket.socket], AbstractAsyncContextManager[None]]
UNLIMITED = 1_000_000
"""Sign-ups that one machine may try: it is the visitor's own."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo did. `wrong`: a sentence for each reader who didn't get exactly one digest."""

    articles: int
    digests: int
    readers: int
    wrong: tuple[str, ...]


async def show(*, say: Callable[[str], None], watch: Watch, serve: Serve, stay: bool, port: int) -> Shown:
    """Run the demo. `stay`: leave the pages up until cancelled. `port`: of the inbox page, 0 for any.

    `say` hears what goes on; `watch` shows the sending; `serve` has the reader's pages on a socket while its block
    lasts. Raises MailerError where a step fails.
    """
    publication, clock = Publication(datetime.now(UTC)), DemoClock()
    inbox = Inbox(clock=lambda: datetime.now().astimezone())
    await inbox.start()
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            serve_site(publication, signup_url=_url_of(listener)) as site,
            tempfile.TemporaryDirectory(prefix="mailer-demo-") as folder,
        ):
            made = _parts(Path(folder), publication, site.url, _url_of(listener), inbox.port, clock)
            upgrade(made.settings.store.url)
            with (
                made.open_database() as database,
                serve_inbox(
                    inbox, site_url=site.url, later=Later(made, database, publication, clock), port=port
                ) as page,
            ):
                say(f"The sample site is at {site.url}")
                articles = await _fill(made, database, site.url, say)
                await _send(made, database, watch, say)
                shown = Shown(articles, inbox.total, len(READERS), await _wrong(database, inbox))
                if stay:
                    if not shown.wrong:
                        say(f"{shown.readers} readers, {shown.digests} digests: every reader got exactly one.")
                    async with serve(made, database, listener):
                        say(f"Subscribe yourself, below any article: {site.url}{publication.articles[0].path}")
                        say(f"The inbox is at {page.url}")
                        say("Ctrl-C ends the demo.")
                        await asyncio.Event().wait()
            return shown
    finally:
        await inbox.stop()


def _url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _parts(
    folder: Path, publication: Publication, site_url: str, pages_url: str, smtp_port: int, clock: DemoClock
) -> Parts:
    """The demo is a site like any other, with settings of its own."""
    text = write_config(
        {
            "site": {
                "name": NAME,
                "tagline": TAGLINE,
                "url": site_url,
                "from_address": "digest@mias-feed.example",
                "postal_address": "Mia's Feed, 12 Harbour Lane, Port Example",
                "list_id": "digest.mias-feed.example",
            },
            "smtp": {"host": "127.0.0.1", "port": smtp_port, "security": "none", "connections": 4},
            "feeds": {"allow_private": True},
            "topics": publication.topics,
            "web": {"public_url": pages_url, "embed_origins": [site_url]},
            "signup": {
                "what": "Health and wellness in your inbox.",
                "address_pause": "0s",
                **dict.fromkeys(("address_per_day", "address_per_month"), UNLIMITED),
                **dict.fromkeys(("network_per_hour", "network_per_day", "domain_per_hour", "burst"), UNLIMITED),
            },
        },
        secret_keys=[draw() * 2],
    )
    return Parts(parse(text, folder / "config.toml", {}), clock)


async def _fill(made: Parts, database: Database, site_url: str, say: Callable[[str], None]) -> int:
    """Articles from the site's feed, and the readers. Returns how many articles."""
    now = made.clock()
    added = await add_feed(database, f"{site_url}/feed.xml", source=made.source(), now=now)
    say(f"Took {added.polled.new} articles from its feed.")
    for name, cadence, topics in READERS:
        await add(
            database,
            Newcomer(f"{name}@readers.example", cadence, topics=topics),
            now=now,
            statement=STATEMENT,
            fingerprints=made.fingerprints,
        )
    by_cadence = Counter(cadence for _, cadence, _ in READERS)
    say("Readers: " + ", ".join(f"{count} {cadence}" for cadence, count in by_cadence.items()) + ".")
    return added.polled.new


async def _send(made: Parts, database: Database, watch: Watch, say: Callable[[str], None]) -> None:
    """Daily, weekly and monthly, as `mailer send --cadence …` does."""
    for cadence in made.cadences().values():
        planned = await made.plan(database, cadence)
        if planned.edition is None:
            continue
        report, run = Report(), Run(edition=planned.edition.id)
        async with watch(database, run, report):
            await made.drain(database, run, report=report, stop=asyncio.Event(), note="mailer demo", tell=say)
        if report.down:
            raise MailerError(f"The demo's own inbox can't be reached: {report.down}.")
        say(f"Sent {cadence.name} {planned.period}: {report.sent} digests.")


async def _wrong(database: Database, inbox: Inbox) -> tuple[str, ...]:
    """Who did not get exactly one digest, by the inbox; and what the ledger thinks otherwise."""
    copies = Counter(address for mail in inbox.messages for address in mail.recipients)
    found = [
        f"{name}@readers.example got {copies[f'{name}@readers.example']} digests"
        for name, _, _ in READERS
        if copies[f"{name}@readers.example"] != 1
    ]
    for edition in await database.read(editions.latest, 10):
        states = await database.read(stats.states, edition.id)
        if states["accepted"] != edition.planned:
            found.append(f"{edition.cadence} {edition.period}: {states['accepted']} of {edition.planned} accepted")
    return tuple(found)
