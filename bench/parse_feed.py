"""Parsing and storing a feed of 100 articles beside feedparser alone.

Ours is all that happens after the bytes have come: charset, dangers taken out, feedparser, each article cleaned, its
picture, language and reading time, who it is, and the transaction with its fsync. Beside it stands `feedparser.parse`
of the same bytes: as it comes, when it cleans the HTML by rules of its own and resolves links, and bare, without both,
as we call it. The articles are like those of a blog that tells its whole text: about 3 KB of HTML each.
"""

import asyncio
import io
import tempfile
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from time import perf_counter

import feedparser
from table import show

from mailer.core.feed import read_feed, take_in
from mailer.store import articles
from mailer.store.database import Database
from mailer.store.upgrade import upgrade

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
URL = "https://site.example/feed"
COUNT = 100
ROUNDS = 15
BARE = {"sanitize_html": False, "resolve_relative_uris": False}
PARAGRAPH = (
    "<p>Of 97 people who were treated once, <strong>33 lived five years</strong> without a relapse, and none of them "
    'took <a href="/glossary/maintenance">medicine against the disease</a> in that time; &#8220;we did not expect '
    "that&#8221;, said the study&#8217;s lead.</p>\n"
)


def feed(edition: int) -> bytes:
    """A feed of articles that no other edition has."""
    items = "".join(_item(edition * COUNT + number) for number in range(COUNT))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>Site</title><link>https://site.example</link><language>en</language>{items}</channel></rss>"
    ).encode()


def _item(number: int) -> str:
    published = format_datetime(NOW - timedelta(hours=number % COUNT))
    image = f'<img src="/p/{number}.jpg" width="1024" height="576" alt="A ward" srcset="/p/{number}-300.jpg 300w">'
    teaser = f"<p>Patient {number} slept an hour longer. Nobody knows why [&#8230;]</p>"
    return (
        f"<item><title>What {number} patients say about sleep &#038; noise</title>"
        f"<link>https://site.example/2026/11/{number}/?utm_source=rss</link>"
        f'<guid isPermaLink="false">https://site.example/?p={number}</guid>'
        f"<dc:creator><![CDATA[Ada Okoro]]></dc:creator><pubDate>{published}</pubDate>"
        f"<category><![CDATA[Sleep]]></category><category><![CDATA[Wards]]></category>"
        f"<description><![CDATA[{teaser}]]></description>"
        f"<content:encoded><![CDATA[<figure>{image}</figure>{PARAGRAPH * 8}]]></content:encoded></item>"
    )


async def ours(database: Database, body: bytes) -> float:
    """Seconds until all is stored."""
    start = perf_counter()
    document = read_feed(body, url=URL, content_type="application/rss+xml")
    drafts = take_in(document, first=True, now=NOW, back=timedelta(days=31))
    new, _ = await database.write(articles.take_in, "feed:1", drafts)
    seconds = perf_counter() - start
    if new != COUNT:
        raise SystemExit(f"{new} of {COUNT} were new")
    return seconds


def alone(body: bytes, **options: bool) -> float:
    """Seconds of feedparser on the same bytes."""
    start = perf_counter()
    found = feedparser.parse(io.BytesIO(body), **options)
    seconds = perf_counter() - start
    if len(found.entries) != COUNT:
        raise SystemExit(f"{len(found.entries)} of {COUNT} were found")
    return seconds


async def measure(folder: Path) -> list[tuple[float, float, float]]:
    """(ours, feedparser, feedparser bare), each of a feed of its own, in turn."""
    url = f"sqlite:///{folder / 'mailer.db'}"
    upgrade(url)
    with Database(url) as database:
        await ours(database, feed(0))
        alone(feed(0))
        return [
            (await ours(database, body), alone(body), alone(body, **BARE)) for body in map(feed, range(1, ROUNDS + 1))
        ]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as folder:
        taken = asyncio.run(measure(Path(folder)))
    mine, whole, bare = ([each[column] for each in taken] for column in range(3))
    show(f"parsing and storing {COUNT} articles beside feedparser alone", mine, whole, reach="<= 1.5")
    show("the same beside feedparser without cleaning HTML and resolving links", mine, bare, reach="none set")


if __name__ == "__main__":
    main()
