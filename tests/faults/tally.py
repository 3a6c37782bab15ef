"""What came of it all: the relay's log beside the ledger, delivery by delivery."""

import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from mailer.core.personal import message_id
from tests.faults.badrelay import Accepted

SETTLED = {"accepted", "failed", "skipped", "expired", "render_failed", "in_doubt_held"}


@dataclass
class Stretch:
    """From the start of one run to the start of the next. `began`: seconds since the epoch, before its first MAIL."""

    began: float
    kills: int = 0  # of senders and of the relay
    extra: int = 0  # second copies of what was first taken here

    def most_for_one_kill(self) -> int:
        return -(-self.extra // max(1, self.kills))


@dataclass
class Tally:
    """`lost`: served by the ledger, or by nobody's word, and no copy. `named`: not served, with a reason.

    `extra`: copies beyond the first. `by_relay`: of these, what the relay's own script caused: it took a first copy
    and hung up without a word. `worst`: most copies of one Message-ID. `changed`: Message-IDs whose copies differ.
    `strangers`: copies that no delivery stands for, or that went to somebody else.
    """

    copies: int = 0
    extra: int = 0
    by_relay: int = 0
    worst: int = 0
    lost: int = 0
    named: int = 0
    held: int = 0
    held_unserved: int = 0
    unfinished: int = 0
    changed: int = 0
    strangers: int = 0
    stretches: list[Stretch] = field(default_factory=list)

    def most_for_one_kill(self) -> int:
        return max((stretch.most_for_one_kill() for stretch in self.stretches), default=0)

    def faults(self, connections: int, kills: int) -> list[str]:
        """What broke a promise, a sentence each. `kills`: of senders and of the relay."""
        broken = [one for one in self.stretches if one.extra > connections * one.kills]
        found = {
            f"{self.lost} lost": self.lost > 0,
            f"{self.unfinished} unfinished at the end": self.unfinished > 0,
            f"a reader got {self.worst} copies": self.worst > 2,
            f"{self.extra - self.by_relay} extra copies": self.extra - self.by_relay > connections * kills,
            f"{self.changed} second copies differ from the first": self.changed > 0,
            f"{self.strangers} copies that no delivery stands for": self.strangers > 0,
            f"{len(broken)} runs with more extra copies than permits: {broken}": bool(broken),
        }
        return [sentence for sentence, true in found.items() if true]


def reckon(database: Path, log: Sequence[Accepted], stretches: Sequence[Stretch], domain: str) -> Tally:
    """`domain`: of the sender's address. Fills in the stretches' extra copies."""
    tally = Tally(copies=len(log), stretches=list(stretches))
    taken: dict[str, list[Accepted]] = defaultdict(list)
    for one in log:
        taken[one.message_id].append(one)
    for address, state, identity in _deliveries(database, domain):
        copies = taken.pop(identity, [])
        tally.worst = max(tally.worst, len(copies))
        tally.strangers += sum(copy.recipient != address for copy in copies)
        tally.changed += len({copy.sha256 for copy in copies}) > 1
        tally.unfinished += state not in SETTLED
        tally.lost += not copies and (state == "accepted" or state not in SETTLED)
        tally.named += state in SETTLED - {"accepted"}
        tally.held += state == "in_doubt_held"
        tally.held_unserved += state == "in_doubt_held" and not copies
        _count_extra(tally, copies)
    tally.strangers += sum(len(copies) for copies in taken.values())
    return tally


def _count_extra(tally: Tally, copies: Sequence[Accepted]) -> None:
    for first, _second in pairwise(copies):
        tally.extra += 1
        if first.silent:
            tally.by_relay += 1
        else:
            begun = [stretch.began for stretch in tally.stretches]
            tally.stretches[max(0, bisect_right(begun, first.began) - 1)].extra += 1


def _deliveries(database: Path, domain: str) -> list[tuple[str, str, str]]:
    """Address, state and Message-ID of each."""
    connection = sqlite3.connect(database)
    rows = connection.execute(
        "SELECT d.id, s.email, d.state, e.nonce FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id "
        "JOIN editions e ON e.id = d.edition_id"
    ).fetchall()
    connection.close()
    return [(email, state, f"<{message_id(number, nonce, domain)}>") for number, email, state, nonce in rows]
