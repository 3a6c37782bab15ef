"""How sending goes at this moment, in words and as a document: a part of `mailer status`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mailer.cli.editions import edition_document
from mailer.cli.output import counted, when
from mailer.cli.pauses import counts_in_words, paused_in_words
from mailer.cli.relays import pace_document, pace_in_words

if TYPE_CHECKING:
    from mailer.store.underway import Progress, Underway

_MOST = 10
"""Editions under way that are named."""


def paused_in_status(found: "Underway") -> Iterator[str]:
    """What is paused, and what to do."""
    for one in found.progress:
        if one.edition.state == "paused":
            yield from paused_in_words(one.edition, one.states, one.said)


def underway_in_words(
    found: "Underway", waiting: Mapping[str, int], rate: Mapping[str, int], now: datetime, zone: str
) -> Iterator[str]:
    """A line for each edition that is being sent, what the relays take, and what is in the way.

    `rate`: what each relay accepted in the last full minute.
    """
    sending = [one for one in found.progress if one.edition.state not in {"paused", "held"}]
    for one in sending[:_MOST]:
        yield _progress_in_words(one, now, zone)
    if len(sending) > _MOST:
        yield f"And {counted(len(sending) - _MOST, 'edition')} more: mailer editions list"
    if rate:
        each = ", ".join(f"{relay} {count:,}" for relay, count in rate.items())
        named = f" ({each})" if len(rate) > 1 else ""
        yield f"Rate: {sum(rate.values()):,} accepted in the last full minute{named}."
    yield from (pace_in_words(key, state, now, zone) for key, state in found.slowed.items())
    if found.domains:
        yield f"Where mail waits or failed: {', '.join(f'{name} {count:,}' for name, count in found.domains.items())}."
    if held := waiting.get("in_doubt_held"):
        yield f"Held in doubt: {counted(held, 'mail')} that may have arrived, and {_is(held)} not sent again by itself."
        yield "  look    mailer deliveries list --state in_doubt_held"
        yield "  say     mailer deliveries resolve ID accepted|again|leave"


def underway_document(found: "Underway") -> dict[str, Any]:
    """The same for programs."""
    return {
        "editions": [
            edition_document(one.edition, one.states) | {"next_at": one.next_at, "said": one.said or None}
            for one in found.progress
        ],
        "domains": dict(found.domains),
        "slowed": [pace_document(key, state) for key, state in found.slowed.items()],
    }


def _progress_in_words(one: "Progress", now: datetime, zone: str) -> str:
    edition = one.edition
    again = f". Looked at again {when(one.next_at, zone)}" if one.next_at is not None and one.next_at > now else ""
    return (
        f"{edition.cadence} {edition.period}, {edition.state}: {counts_in_words(edition.planned, one.states)}{again}."
    )


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
