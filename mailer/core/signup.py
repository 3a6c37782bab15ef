"""What becomes of a form that was sent in: the limits that keep it from being used against others.

Whatever is decided, the visitor sees the same page: it must not tell who reads what.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mailer.core.duration import Duration
from mailer.core.subscription import LISTENING, State

YOUNGEST, OLDEST = timedelta(seconds=2), timedelta(hours=24)
"""How old a form may be when it is sent in: nobody fills it in faster, and nobody waits longer."""
BOUNCE_REST = timedelta(days=30)
"""After a bounce, a new sign-up is taken again."""
ALREADY_EVERY = timedelta(days=30)
"""A reader hears at most once in so long that they are subscribed already."""
_BIG = frozenset(
    {
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "aol.com"),
        *("icloud.com", "me.com", "mac.com", "gmx.de", "gmx.net", "web.de", "t-online.de", "freenet.de", "proton.me"),
        *(
            "protonmail.com",
            "mail.ru",
            "yandex.ru",
            "qq.com",
            "163.com",
            "126.com",
            "orange.fr",
            "free.fr",
            "libero.it",
        ),
    }
)


def _lowered(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in names)


def _web_address(url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        raise ValueError("must be an address on the web, or '' for none")
    return url


class SignupOptions(BaseModel):
    """The table [signup]. A field's description is its comment in config.example.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cadence: str = Field(
        default="",
        description="The choice that is preselected on the form. Empty: weekly.",
    )
    what: str = Field(
        default="",
        description="One sentence on what arrives, under the form's heading. Empty: 'What is new on …, in your inbox.'",
    )
    privacy_url: Annotated[str, AfterValidator(_web_address)] = Field(
        default="", description="Your privacy notice; the form links there. Empty: no link."
    )
    welcome: bool = Field(default=True, description="Whether a reader who has confirmed gets a mail that says so.")
    changed: bool = Field(
        default=True, description="Whether a reader who changed something on their page gets a mail that says so."
    )
    goodbye: bool = Field(default=True, description="Whether a reader who has left gets a last mail that says so.")
    link_days: int = Field(default=7, ge=1, le=30, description="How many days the link in a confirmation mail works.")
    address_pause: Duration = Field(
        default=timedelta(minutes=15), description="One address gets at most one confirmation mail in this time."
    )
    address_per_day: int = Field(default=3, ge=1, description="And at most so many in 24 hours,")
    address_per_month: int = Field(default=5, ge=1, description="and so many in 30 days.")
    network_per_hour: int = Field(
        default=5,
        ge=1,
        description="From one IP address (of IPv6: one /64) at most so many sign-ups are taken in an hour; the others "
        "see the same page and get no mail. Behind a proxy, [web] trusted_proxies must name it, or all visitors are "
        "one.",
    )
    network_per_day: int = Field(default=20, ge=1, description="And so many in 24 hours.")
    domain_per_hour: int = Field(
        default=20, ge=1, description="At most so many confirmation mails go to one domain in an hour."
    )
    big_domains: Annotated[tuple[str, ...], AfterValidator(_lowered)] = Field(
        default=(),
        description="Domains, besides the well-known ones, of providers with so many users that this isn't asked of "
        "them.",
    )
    burst: int = Field(
        default=200,
        ge=1,
        description="With more confirmation mails than this in burst_within the form is being abused: further ones are "
        "held until you release or discard them. `mailer status` says so.",
    )
    burst_within: Duration = Field(default=timedelta(minutes=10), gt=timedelta(0), description="See burst.")
    operator_per_hour: int = Field(
        default=100,
        ge=1,
        description="`mailer subscribers add` and `import` without --confirmed: so many confirmation mails an hour.",
    )


class Outcome(StrEnum):
    """What comes of a form. The last ones send nothing."""

    CONFIRM = "confirm"
    HELD = "held"  # a confirmation that waits for the operator
    ALREADY = "already"  # a reader: told that they are
    QUIET = "quiet"  # a reader, told lately
    BARRED = "barred"  # must not be mailed
    NETWORK = "network"  # too many from there
    ADDRESS = "address"  # too many to there
    DOMAIN = "domain"  # too many to that provider
    ROBOT = "robot"


MAILED = frozenset({Outcome.CONFIRM, Outcome.HELD})
"""Outcomes that count as a confirmation mail."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What there was before. `address_…`, `domain_hour`, `burst`: confirmation mails; `network_…`: forms sent in.

    `holding`: confirmations are being held. `told_already`: they heard lately that they are subscribed.
    """

    address_pause: int = 0
    address_day: int = 0
    address_month: int = 0
    network_hour: int = 0
    network_day: int = 0
    domain_hour: int = 0
    burst: int = 0
    holding: bool = False
    told_already: bool = False


def decide(
    state: State | None,
    barred: str,
    bounced_at: datetime | None,
    domain: str,
    counts: Counts,
    *,
    options: SignupOptions,
    now: datetime,
) -> Outcome:
    """What comes of a form.

    `state`: of the address, None where it is unknown. `barred`: why it is suppressed, or ''. `bounced_at`: when it was
    suppressed for bouncing. `domain`: of the address.
    """
    if counts.network_hour >= options.network_per_hour or counts.network_day >= options.network_per_day:
        return Outcome.NETWORK
    if is_barred(barred, bounced_at, now) or state is State.COMPLAINED:
        return Outcome.BARRED
    if state in LISTENING:
        return Outcome.QUIET if counts.told_already else Outcome.ALREADY
    if (
        counts.address_pause
        or counts.address_day >= options.address_per_day
        or counts.address_month >= options.address_per_month
    ):
        return Outcome.ADDRESS
    if domain not in _BIG and domain not in options.big_domains and counts.domain_hour >= options.domain_per_hour:
        return Outcome.DOMAIN
    if counts.holding or counts.burst >= options.burst:
        return Outcome.HELD
    return Outcome.CONFIRM


def is_barred(reason: str, since: datetime | None, now: datetime) -> bool:
    """Whether a suppression keeps somebody from signing up again: not for ever after a bounce, not after an erasure.

    An erased reader asked to be forgotten, not to be kept out: only an import or a restore must not bring them back.
    """
    if reason == State.BOUNCED:
        return since is None or now - since < BOUNCE_REST
    return reason not in {"", "erased"}


def decide_to_move(outcome: Outcome, state: State | None, barred: str) -> Outcome:
    """What comes of it where the address shall be a reader's new one. `outcome`, `state`, `barred`: as in `decide`.

    One that has a subscription, or had one, is not theirs to take, and nobody is told which. Anybody can make a pending
    one, so that stands in nobody's way.
    """
    if barred:
        return Outcome.BARRED
    free = state is None or state is State.PENDING
    return outcome if free or outcome in {Outcome.NETWORK, Outcome.BARRED} else Outcome.QUIET
