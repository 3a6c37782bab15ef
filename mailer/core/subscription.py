"""Who a subscriber is, and the rules of addresses, states and interests."""

import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from email_validator import EmailNotValidError, validate_email

from mailer.core.cadence import zone_named
from mailer.core.text import clean_text
from mailer.core.topics import fold, ids_by_label


class State(StrEnum):
    """Where a subscription stands. Only `active` is mailed digests."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


LISTENING = frozenset({State.ACTIVE, State.PAUSED})
"""States of who is on the list: their consent is in force."""
GONE = frozenset({State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED})
"""States that no `add` and no import ever revives."""


@dataclass(frozen=True, slots=True)
class Interests:
    """A set of topics that readers share. No topics means all."""

    id: int
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One reader. `joined_at`: when the consent in force was given. `given`: the newest article seq they have had.

    `generation`: of that consent. `hour`: of their day, 0 to 23, when they want their mail; None is the cadence's own.
    """

    id: int
    email: str
    state: State
    cadence: str
    joined_at: datetime
    name: str = ""
    timezone: str = ""
    language: str = ""
    topics: tuple[str, ...] = ()
    generation: int = 1
    hour: int | None = None
    given: int | None = None
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A reader about to be taken in, already checked. `email` as `clean_address` returns it."""

    email: str
    cadence: str
    name: str = ""
    timezone: str = ""
    language: str = ""
    topics: tuple[str, ...] = ()


# Only addresses that the full check accepts and returns unchanged; a test holds this. Dot-atoms of letters, digits and
# a few signs; labels without '--' in third place (Punycode and what is reserved beside it, RFC 5890 §2.3.1); no names
# of special use (RFC 6761), which the full check refuses with a sentence. Everything else takes the long way.
_PLAIN = re.compile(
    r"(?=.{6,254}\Z)(?=[^@]{1,64}@)[a-z0-9_+\-]+(?:\.[a-z0-9_+\-]+)*"
    r"@(?=.{4,253}\Z)(?:(?!..--)[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.)+"
    r"(?!(?:arpa|invalid|local|localhost|onion)\Z)[a-z]{2,63}\Z"
)
_LONGEST = 254  # octets, RFC 5321 §4.5.3.1.3 with erratum 1690 of RFC 3696
_LONGEST_NAME = 200
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z")


def clean_address(text: str) -> str:
    """The address as it is stored and compared: trimmed, lower case, its domain in ASCII (RFC 5891).

    Raises ValueError with a sentence where it is no address that mail can be sent to.
    """
    lowered = text.strip().lower()
    if _PLAIN.match(lowered):
        return lowered
    if len(lowered) > _LONGEST:
        raise ValueError(f"The email address is too long ({len(lowered)} characters, {_LONGEST} are allowed).")
    try:
        # RFC 5321 §4.5.3.1.1 allows 64 octets before the @; without `strict` the library lets 65 pass.
        # `test_environment` lets .test through (RFC 2606 §2), where a site is tried out on a relay of its own.
        found = validate_email(lowered, check_deliverability=False, strict=True, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    domain = found.ascii_domain.lower()
    if "." not in domain:
        raise ValueError(f"The part after the @-sign, {domain}, has no dot.")
    return f"{found.local_part.lower()}@{domain}"


def mask(address: str) -> str:
    """'a***@example.org': enough for its owner to know it again. What is masked already stays as it is."""
    name, _, domain = clean_text(address, _LONGEST).rpartition("@")
    return f"{name[:1]}***@{domain}"


def clean_cadence(text: str, offered: Iterable[str]) -> str:
    """The name of a cadence as the settings write it, found in any case.

    Raises ValueError with a sentence that lists what is offered.
    """
    names = {name.casefold(): name for name in offered}
    found = names.get(text.strip().casefold())
    if found is None:
        raise ValueError(
            f"{reprlib.repr(text.strip())} is no cadence of this site; there are: {', '.join(names.values())}"
        )
    return found


def clean_timezone(text: str) -> str:
    """An IANA name such as 'Europe/Berlin', or '' for the site's. Raises ValueError with a sentence."""
    name = text.strip()
    return zone_named(name).key if name else ""


def clean_name(text: str) -> str:
    """A reader's name as one line of visible text, at most 200 characters."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_NAME:
        return " ".join(text.split())  # what `clean_text` makes of it, 30 times as fast
    return clean_text(text, _LONGEST_NAME)


def clean_topics(wanted: Iterable[str], offered: Mapping[str, str]) -> tuple[str, ...]:
    """Topic ids, sorted and unique. `offered`: id to name; either is accepted, in any case.

    Raises ValueError with a sentence that lists what is offered.
    """
    known = ids_by_label(offered)
    found = set()
    for topic in (item.strip() for item in wanted):
        if not topic:
            continue
        if fold(topic) not in known:
            allowed = ", ".join(offered) if offered else "none, [topics] is empty"
            raise ValueError(f"'{topic}' is not a topic of this site; there are: {allowed}")
        found.add(known[fold(topic)])
    return tuple(sorted(found))


def clean_language(text: str) -> str:
    """A BCP 47 tag such as 'de' or 'pt-BR', or ''. Raises ValueError with a sentence."""
    tag = text.strip().replace("_", "-")
    if tag and not _LANGUAGE.match(tag[:3].lower() + tag[3:]):
        raise ValueError(f"'{tag}' is not a language tag such as 'en' or 'pt-BR'")
    return tag


def mail_language(wanted: str, site: str, offered: frozenset[str]) -> str:
    """The language a reader's mail is written in: theirs, else the site's, else English."""
    for tag in (wanted, wanted.split("-", maxsplit=1)[0], site, site.split("-", maxsplit=1)[0]):
        if tag in offered:
            return tag
    return "en"
