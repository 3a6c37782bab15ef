"""Who a subscriber is, and the rules of addresses, states and interests."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from email_validator import EmailNotValidError, validate_email


class State(StrEnum):
    """Where a subscription stands. Only `active` is mailed digests."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


GONE = frozenset({State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED})
"""States that no `add` and no import ever revives."""


@dataclass(frozen=True, slots=True)
class Interests:
    """A set of topics that readers share. No topics means all."""

    id: int
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One reader. `joined_at`: when the consent in force was given. `given`: the newest article seq they have had."""

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


# Exactly the plain addresses that the full check accepts unchanged but for their case: dot-atoms of
# letters, digits and a few signs, and a host name that ends in letters. Everything else takes the long way.
_PLAIN = re.compile(
    r"(?=[^@]{1,64}@)[a-z0-9_+\-]+(?:\.[a-z0-9_+\-]+)*"
    r"@(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z"
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z")


def clean_address(text: str) -> str:
    """The address as it is stored and compared: trimmed, lower case, its domain in ASCII (RFC 5891).

    Raises ValueError with a sentence where it is no address that mail can be sent to.
    """
    lowered = text.strip().lower()
    if _PLAIN.match(lowered):
        return lowered
    try:
        # RFC 5321 §4.5.3.1.1 allows 64 octets before the @; without `strict` the library lets 65 pass.
        found = validate_email(
            lowered, check_deliverability=False, strict=True, allow_domain_literal=False, globally_deliverable=False
        )
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    domain = found.ascii_domain.lower()
    if "." not in domain and domain != "localhost":
        raise ValueError(f"The part after the @-sign, {domain}, has no dot.")
    return f"{found.local_part.lower()}@{domain}"


def clean_topics(wanted: Iterable[str], offered: Mapping[str, str]) -> tuple[str, ...]:
    """Topic ids, sorted and unique. `offered`: id to name; either is accepted, in any case.

    Raises ValueError with a sentence that lists what is offered.
    """
    names = {name.casefold(): key for key, name in offered.items()} | {key.casefold(): key for key in offered}
    found = set()
    for topic in (item.strip() for item in wanted):
        if not topic:
            continue
        if topic.casefold() not in names:
            allowed = ", ".join(offered) if offered else "none, [topics] is empty"
            raise ValueError(f"'{topic}' is not a topic of this site; there are: {allowed}")
        found.add(names[topic.casefold()])
    return tuple(sorted(found))


def clean_language(text: str) -> str:
    """A BCP 47 tag such as 'de' or 'pt-BR', or ''. Raises ValueError with a sentence."""
    tag = text.strip().replace("_", "-")
    if tag and not _LANGUAGE.match(tag[:3].lower() + tag[3:]):
        raise ValueError(f"'{tag}' is not a language tag such as 'en' or 'pt-BR'")
    return tag


def mail_language(wanted: str, site: str, offered: frozenset[str]) -> str:
    """The language a reader's mail is written in: theirs, else the site's, else English."""
    for tag in (wanted, wanted.split("-")[0], site, site.split("-")[0]):
        if tag in offered:
            return tag
    return "en"
