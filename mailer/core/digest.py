"""What a digest holds, before any template sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mailer.core.article import Article


@dataclass(frozen=True, slots=True)
class Site:
    """The publication a mail speaks for, as its settings say. URLs are absolute, without a trailing slash."""

    name: str
    url: str
    from_name: str
    from_address: str
    public_url: str
    list_id: str
    tagline: str = ""
    reply_to: str = ""
    postal_address: str = ""
    language: str = "en"
    accent: str = "#0B5F6B"
    logo: str = ""


@dataclass(frozen=True, slots=True)
class Digest:
    """One variant of one edition: the same for every reader of it.

    `covers`: first and last local day of what it covers. `articles`: in order, the first is the lead, already
    capped; `more`: how many stayed over the cap. `topics`: id to name, as configured.
    """

    site: Site
    cadence: str
    period: str
    covers: tuple[date, date]
    articles: tuple[Article, ...]
    more: int = 0
    language: str = "en"
    topics: Mapping[str, str] = field(default_factory=dict)
