"""What each mail that is no digest is told: confirm, welcome, already, changed, goodbye, move, moved, copy, erase.

Each goes to one reader, once. Nothing that a visitor typed stands in them: a form must not be a way to make us say
something to a stranger. What a reader wrote of themselves stands in `copy` and `moved`, which go to nobody else.
"""

from dataclasses import dataclass
from datetime import date, datetime

from mailer.core.frame import Site
from mailer.core.message import Headers

Pairs = tuple[tuple[str, str], ...]
"""Of what we hold about a reader: each a label, or when, and a value."""


@dataclass(frozen=True, slots=True)
class Confirm:
    """Somebody asked for a subscription. `asked`: the local day they did. URLs are absolute and theirs alone.

    `never_url`: where this address can forbid us to write again. `days`: how long `confirm_url` works.
    """

    site: Site
    cadence: str
    asked: date
    confirm_url: str
    never_url: str
    days: int = 7
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Welcome:
    """A reader has confirmed. `first`: when their first digest is due, in the time zone they shall read it in.

    `latest_url`: where the latest digest is on the web, absolute, or ''.
    """

    site: Site
    cadence: str
    first: datetime
    language: str = "en"
    latest_url: str = ""


@dataclass(frozen=True, slots=True)
class Already:
    """Somebody asked for a subscription with an address that has one. `asked`: the local day they did."""

    site: Site
    cadence: str
    asked: date
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Changed:
    """A reader chose anew. `next`: when their next digest is due, as in Welcome.

    `topics`: the names of those they get now; () is all, None says nothing of them. `paused_until`: the local day on
    which digests come again, or None.
    """

    site: Site
    cadence: str
    next: datetime
    topics: tuple[str, ...] | None = None
    paused_until: date | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Goodbye:
    """A reader has left. `subscribe_url`: where they can come back."""

    site: Site
    cadence: str
    subscribe_url: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Move:
    """A reader asked that their digest come to this address instead. `days`: how long `confirm_url` works.

    `never_url`: where this address can forbid us to write again, or ''.
    """

    site: Site
    cadence: str
    confirm_url: str
    days: int = 7
    language: str = "en"
    never_url: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """A reader's digest goes to another address; the one before is told. `new_address`: masked, 'a***@example.org'."""

    site: Site
    cadence: str
    new_address: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Copy:
    """A reader asked what we hold about them. `facts`: label and value, in words.

    `events`: what happened, in order: of each when and what, then label and value of what else is kept of it.
    """

    site: Site
    cadence: str
    facts: Pairs
    events: tuple[Pairs, ...] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Erase:
    """Somebody asked that all we hold about an address be erased. `days`: how long `erase_url` works."""

    site: Site
    cadence: str
    erase_url: str
    days: int = 7
    language: str = "en"


Notice = Confirm | Welcome | Already | Changed | Goodbye | Move | Moved | Copy | Erase


def headers_of_notice(notice: Notice) -> Headers:
    """The header fields of a notice.

    RFC 8058 is for list mail: who hasn't confirmed, or has left, is on no list that a button could take them off. Nor
    may one press of it end a subscription in answer to a mail about an address, a copy or an erasure.
    """
    site = notice.site
    kind = type(notice).__name__.lower()
    return Headers(
        from_name=site.from_name,
        from_address=site.from_address,
        list_name=site.name,
        list_id=site.list_id,
        public_url=site.public_url,
        feedback=("notice", notice.cadence, kind),
        reply_to=site.reply_to,
        language=notice.language,
        archive=site.archive,
        to_a_list=isinstance(notice, Welcome | Already | Changed),
    )
