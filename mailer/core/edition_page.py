"""An edition's page on the web: one variant, with all that counts as given and nothing of any reader.

The articles are as they are now: a correction shows, and what was hidden since is gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import ClassVar
from urllib.parse import quote

from mailer.core.article import Article
from mailer.core.cadence import Cadence
from mailer.core.delivery import EditionState
from mailer.core.digest import Digest, Item, item_of
from mailer.core.frame import Site
from mailer.core.intro import Intro, read_intro
from mailer.core.page import Link, Said, Sheet, Step, sheet, step, to_site
from mailer.core.text import first_sentences, shorten
from mailer.core.words import Words, cadence_name

ARCHIVE = "/editions"
PUBLIC = frozenset({EditionState.RUNNING, EditionState.PAUSED, EditionState.DONE})
"""Of an edition in these states the mails are out, or on their way."""
MOST_SHOWN = 1_000
"""Articles on one page; more than anybody reads."""
DESCRIPTION = 200
_WEEK, _MONTH = len("2026-W48"), len("2026-11")


def edition_path(cadence: str, period: str, number: int) -> str:
    """Where a variant's page is: '/editions/weekly/2026-W48/0'."""
    return f"{ARCHIVE}/{quote(cadence, safe='')}/{quote(period, safe='')}/{number}"


def days_covered(
    cadence: Cadence | None, period: str, due: datetime, planned: datetime, zone: tzinfo
) -> tuple[date, date]:
    """First and last local day that an edition named in its mails.

    `cadence`: as it is set now; where it is gone, or its rule is another by now, the period tells. `zone`: the site's.
    """
    if cadence is not None and cadence.latest_due(due) == due and cadence.period_of(due) == period:
        return cadence.covered(due, planned)
    day, written = due.astimezone(zone).date(), planned.astimezone(zone).date()
    before, month = day - timedelta(days=1), day.replace(day=1) - timedelta(days=1)
    first, last = {
        _WEEK: (day - timedelta(days=7), before),
        _MONTH: (month.replace(day=min(day.day, month.day)), before),
    }.get(len(period), (day, day))
    return (first, written if written > day else last)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionPage:
    """One variant of an edition. `articles`: all, also those over the cap; the first is the lead; at least one.

    `covers`: first and last local day; `day`: the one it was due on. `made`: when it was put together. `more`: how many
    articles there are besides, beyond what a page shows. `topics`: id to name, as configured. `related`: older
    articles. `archived`: it may be found, and leads to other editions; `older`, `newer`: their paths, or ''. `offered`:
    the cadence can still be subscribed to.
    """

    cadence: str
    period: str
    number: int
    covers: tuple[date, date]
    day: date
    made: datetime
    articles: tuple[Article, ...]
    more: int = 0
    topics: Mapping[str, str] = field(default_factory=dict)
    intro: str = ""
    related: tuple[Article, ...] = ()
    archived: bool = False
    older: str = ""
    newer: str = ""
    offered: bool = True

    @property
    def path(self) -> str:
        return edition_path(self.cadence, self.period, self.number)


@dataclass(frozen=True, slots=True)
class NoEdition:
    """There is no such edition, or it isn't out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionSheet(Sheet):
    """An edition as its page shows it. `label`: 'Weekly · 16–22 November'; `day`: '23 November 2026'.

    `address`: of the page, absolute. `description`: what it holds, for who comes across a link to it. `items`: after
    the lead. `subscribe`: a way to get it by mail, or None. `ways`: to other editions. `indexed`: search engines may
    list it.
    """

    template: ClassVar[str] = "edition"

    label: str
    day: str
    address: str
    description: str
    lead: Item
    items: tuple[Item, ...]
    more: str
    intro: Intro | None
    related: tuple[Item, ...]
    subscribe: Link | None
    ways: tuple[Link, ...]
    indexed: bool

    @property
    def headline(self) -> str:
        """'Weekly · 16–22 November: A third of patients…'."""
        return f"{self.label}: {self.lead.title}"


def lay_out_edition(page: EditionPage, site: Site, words: Words) -> EditionSheet:
    """The page in the words of its variant's language."""
    digest = Digest(site, page.cadence, page.period, page.covers, page.articles, topics=page.topics)
    numbered = enumerate(page.articles[:MOST_SHOWN], start=1)
    items = tuple(item_of(digest, number, one, words, summarised=MOST_SHOWN) for number, one in numbered)
    related = (item_of(digest, 2, article, words, summarised=0) for article in page.related)
    lead = items[0]
    label = period_label(page.cadence, page.covers, words)
    others = " · ".join(item.title for item in items[1:4])
    return EditionSheet(
        **sheet(site, words, label),
        label=label,
        day=words.long_date(page.day),
        address=f"{site.public_url}{page.path}",
        description=first_sentences(lead.summary, DESCRIPTION) or shorten(others, DESCRIPTION),
        lead=lead,
        items=items[1:],
        more=words.more(page.more + max(0, len(page.articles) - MOST_SHOWN)),
        intro=read_intro(page.intro, site.language),
        related=tuple(item for item in related if item.link),
        subscribe=Link(by_mail(words, page.cadence), f"/subscribe?cadence={quote(page.cadence, safe='')}")
        if page.offered
        else None,
        ways=_ways(page, words) if page.archived else (),
        indexed=page.archived,
    )


def lay_out_no_edition(page: NoEdition, site: Site, words: Words) -> Step:
    """What stands at the address of an edition that isn't out."""
    del page  # it says nothing
    _ = words.catalogue.gettext
    return step(
        site,
        words,
        Said(_("This edition isn't here")),
        Said(_("It may not be out yet, or a piece of the address was lost.")),
        links=(to_site(site, words),),
    )


def period_label(cadence: str, covers: tuple[date, date], words: Words) -> str:
    """'Weekly · 16–22 November', as in the mail."""
    return f"{words.label(cadence)} · {words.period(*covers)}"


def by_mail(words: Words, cadence: str) -> str:
    """The way to get such digests."""
    _ = words.catalogue.gettext
    known = {
        "daily": _("Get the daily digest by mail"),
        "weekly": _("Get the weekly digest by mail"),
        "monthly": _("Get the monthly digest by mail"),
    }
    return known.get(cadence) or _("Get the %(cadence)s digest by mail") % {"cadence": cadence_name(cadence)}


def _ways(page: EditionPage, words: Words) -> tuple[Link, ...]:
    _ = words.catalogue.gettext
    ways = (
        Link(_("Earlier edition"), page.older),
        Link(_("Later edition"), page.newer),
        Link(_("All editions"), ARCHIVE),
    )
    return tuple(way for way in ways if way.url)
