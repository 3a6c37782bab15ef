"""What is kept of an article, and the rules that clean it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an article. Width and height are pixels, 0 where the source doesn't say."""

    url: str
    alt: str = ""
    width: int = 0
    height: int = 0
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """One article as a source tells it, cleaned, before it is taken in (it has no `seq` yet).

    `guid`: the source's own stable id. `summary`: plain text. `topics`: labels as the source writes them.
    `published`: aware, UTC, or None where the source gives no date. `language`: BCP 47 tag or ''.
    `minutes`: reading time, 0 where unknown.
    """

    guid: str
    title: str
    link: str
    summary: str = ""
    author: str = ""
    picture: Picture | None = None
    topics: tuple[str, ...] = ()
    published: datetime | None = None
    language: str = ""
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Article:
    """An article that was taken in. `seq` numbers articles in the order of taking in and is their id.

    `origin`: 'feed:3' or 'import'. `known`: part of a feed's back catalogue, never mailed.
    `pins`: the cadences for whose next edition it is still pinned to the top.
    """

    seq: int
    origin: str
    draft: Draft
    hidden: bool = False
    known: bool = False
    pins: tuple[str, ...] = ()
