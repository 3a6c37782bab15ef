"""The ledger's words and rules: the states of a delivery, answers and verdicts, and when it is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mailer.core.duration import Duration


class DeliveryOptions(BaseModel):
    """How hard a delivery is tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_doubt_after: Duration = Field(
        timedelta(minutes=30),
        description="How long a message may be in doubt (the relay may have it, but never said so) before it is "
        "tried once more. Longer than your relay takes to deliver or bounce.",
    )
    in_doubt: Literal["retry", "hold"] = Field(
        "retry",
        description="What happens then: retry sends a second copy, once; hold waits for you.",
    )
    lease: Duration = Field(
        timedelta(minutes=5),
        gt=timedelta(0),
        description="How long a worker on PostgreSQL may keep what it claimed. Takes effect with a later release.",
    )
    reply_timeout: Duration = Field(
        timedelta(seconds=600),
        gt=timedelta(0),
        description="How long to wait for the relay's answer after a message's end (RFC 5321 §4.5.3.2.6: 10 minutes).",
    )
    max_age: Duration = Field(
        timedelta(hours=48),
        gt=timedelta(0),
        description="How long after planning a digest is still tried; then it expires and its articles come next time.",
    )
    lint: Literal["warn", "hold"] = Field(
        "warn",
        description="What happens to an edition in whose mails `mailer lint` finds an error before the first one "
        "leaves: warn says so and sends; hold waits for you, `mailer editions send` or `skip`.",
    )


class DeliveryState(StrEnum):
    """Where a delivery stands. `docs/ARCHITECTURE.md` draws the arrows."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENDING = "sending"
    DEFERRED = "deferred"
    IN_DOUBT = "in_doubt"
    IN_DOUBT_HELD = "in_doubt_held"
    ACCEPTED = "accepted"
    FAILED = "failed"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    RENDER_FAILED = "render_failed"


UNFINISHED = frozenset(
    {
        DeliveryState.PENDING,
        DeliveryState.CLAIMED,
        DeliveryState.SENDING,
        DeliveryState.DEFERRED,
        DeliveryState.IN_DOUBT,
    }
)
"""States that an edition waits for before it is done."""

GIVEN = frozenset({DeliveryState.ACCEPTED, DeliveryState.SENDING, DeliveryState.IN_DOUBT, DeliveryState.IN_DOUBT_HELD})
"""States in which the reader has, or may have, the edition: its articles are not offered again."""

NOT_ON_THE_WIRE = frozenset({DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.DEFERRED})
"""States in which nothing can have reached the reader that is not known."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery taken for sending: all that its message needs besides its variant.

    `address`: where it goes. `subscriber` is 0 and `joined_at` None for a test copy. `nonce`, `key_id`: what its
    Message-ID and its links are made from. `doubts`: how often it was in doubt; such a one is sent alone.
    """

    id: int
    edition: int | None
    variant: int
    subscriber: int
    generation: int
    address: str
    joined_at: datetime | None
    attempts: int
    waits: int
    expires_at: datetime
    nonce: str
    key_id: str
    doubts: int = 0


class EditionState(StrEnum):
    """Where an edition stands."""

    PLANNING = "planning"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    EMPTY = "empty"
    COALESCED = "coalesced"
    CANCELLED = "cancelled"
    HELD = "held"


class HoldReason(StrEnum):
    """Why an edition waits for a person's word: `mailer editions send` lets it go, `mailer editions skip` doesn't."""

    GUID_STORM = "guid_storm"  # a feed changed the ids of all its articles: are they news?
    LINT = "lint"  # the gate found an error in one of its mails


class Stage(StrEnum):
    """Where in the dialogue with the relay an answer was given, in the order of the dialogue."""

    CONNECT = "connect"  # name look-up and TCP
    TLS = "tls"
    GREETING = "greeting"
    EHLO = "ehlo"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  # the message's bytes, before the final dot was handed to the transport
    DOT = "dot"  # the final dot was handed over: from here on, silence means doubt


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the server. `enhanced`: '5.1.1' (RFC 3463) or ''. `text`: its lines, one space between."""

    code: int
    enhanced: str = ""
    text: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one try ended. `reply` is None where no parsable reply came; then `trouble` says why in words.

    `settled`: the next try would end the same, as long as settings and relay stay what they are.
    """

    stage: Stage
    reply: Reply | None = None
    trouble: str = ""
    settled: bool = False

    def __str__(self) -> str:
        return str(self.reply) if self.reply else self.trouble


class Blame(StrEnum):
    """Whose trouble it is: what must not be held against anybody else."""

    NOBODY = "nobody"
    READER = "reader"  # this address
    DOMAIN = "domain"  # the recipient's provider slows us
    RELAY = "relay"  # our relay, or the way to it
    OURS = "ours"  # our credentials, our policy, our message


class Slow(StrEnum):
    """How much slower whoever is blamed wants its mail. `core.pacing` says what comes of it."""

    NOTHING = "nothing"
    HALVE = "halve"  # half as much at once
    THROTTLE = "throttle"  # a pause, then one message a minute


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means.

    `state`: where the delivery goes. `reason`: one word for counting. `costs`: whether it uses up an attempt.
    `greylisted`: retry soon, this reader alone. `hard_bounce`: the address is dead and is mailed no more.
    `slows`: what `blame` asks for. `refused`: by policy, which the breaker counts.
    """

    state: DeliveryState
    reason: str
    blame: Blame = Blame.NOBODY
    costs: bool = False
    greylisted: bool = False
    hard_bounce: bool = False
    slows: Slow = Slow.NOTHING
    refused: bool = False


_GREYLIST_MINUTES = (5, 15, 30)
_BACKOFF_MINUTES = (5, 10, 20, 40, 80, 120)
JITTER = 0.1


def backoff(verdict: Verdict, *, attempts: int, waits: int, chance: float) -> timedelta:
    """How long to wait before the next try.

    `attempts`: tries that counted, this one included; `waits`: those that did not. `chance`: 0 to 1, spreads ±10 %.
    """
    minutes = _GREYLIST_MINUTES if verdict.greylisted else _BACKOFF_MINUTES
    turn = attempts if verdict.costs else waits
    base = minutes[min(max(turn, 1), len(minutes)) - 1]
    return timedelta(minutes=base) * (1 - JITTER + 2 * JITTER * chance)
