"""What somebody asked for and the owner of a mailbox has to confirm, and what a link to it may still do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

from mailer.core.subscription import LISTENING, State, Subscriber
from mailer.core.tokens import Wish

Kind = Literal["join", "move", "erase"]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One wish. `cadence`, `timezone`, `language`, `topics`: what was chosen, of a 'join'.

    `generation`: of the reader's consent when it was asked. `address`: which mailbox is asked; of a 'move' the new one.
    """

    id: int
    kind: Kind
    subscriber: int
    generation: int
    asked_at: datetime
    cadence: str
    timezone: str
    language: str
    topics: tuple[str, ...]
    address: str
    confirmed_at: datetime | None


class Standing(StrEnum):
    """What a link may still do."""

    ASK = "ask"  # it may be confirmed
    DONE = "done"  # it was, and holds
    EXPIRED = "expired"
    STALE = "stale"  # of an earlier consent: the reader has left since
    WRONG = "wrong"  # there is nothing it stands for


def standing(
    wish: Wish | None, found: Confirmation | None, reader: Subscriber | None, *, now: datetime, days: int
) -> Standing:
    """What a link may do. `wish`: of its token; `found`, `reader`: what it stands for; `days`: how long it works."""
    if wish is None or found is None or reader is None:
        return Standing.WRONG
    holds = reader.generation == found.generation == wish.generation
    listening = reader.state in LISTENING
    if found.kind == "join" and holds and listening:
        return Standing.DONE
    if found.confirmed_at is not None:
        return Standing.DONE if holds and found.kind != "join" else Standing.STALE
    if not holds or reader.state is State.COMPLAINED or (found.kind != "join" and not listening):
        return Standing.STALE
    issued = datetime.fromtimestamp(wish.issued, UTC)
    return Standing.EXPIRED if now - issued > timedelta(days=days) else Standing.ASK
