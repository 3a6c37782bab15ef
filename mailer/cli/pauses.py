"""An edition that is paused, in words: why it waits, and the commands that go on with it or end it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailer.store.editions import Edition

_WHY = {
    "": "by hand",
    "authentication": "it is said that your mail doesn't authenticate. Check SPF, DKIM and DMARC of your domain, and "
    "the relay's user and password",
    "message_refused": "one mail after another was refused as a whole. Look at what was said, and mend it",
    "message_deferred": "one mail after another was put off as a whole. Look at what was said; they are tried again "
    "when you let it go on",
    "too_big": "its mails are larger than is accepted",
}


def why_paused(edition: "Edition") -> str:
    """'by hand'."""
    return _WHY.get(edition.reason, edition.reason)


def counts_in_words(planned: int, states: Mapping[str, int]) -> str:
    """'812 of 2,000 accepted, 5 not reached, 3 in doubt, 1,180 wait'."""
    words = [f"{states['accepted']:,} of {planned:,} accepted"]
    missed = sum(states[state] for state in ("failed", "skipped", "expired", "render_failed"))
    waiting = sum(states[state] for state in ("pending", "claimed", "deferred"))
    doubted = states["in_doubt"] + states["in_doubt_held"]
    for count, what in (
        (missed, "not reached"),
        (doubted, "in doubt"),
        (states["sending"], "on the wire"),
        (waiting, "waits" if waiting == 1 else "wait"),
    ):
        if count:
            words.append(f"{count:,} {what}")
    return ", ".join(words)


def paused_in_words(edition: "Edition", states: Mapping[str, int], said: str = "") -> Iterator[str]:
    """Why it is paused, what the relay said, and what to do."""
    name = f"{edition.cadence} {edition.period}"
    if edition.reason:
        yield f"{name} is PAUSED: {why_paused(edition)}."
    else:
        yield f"{name} is PAUSED by hand."
    yield f"  {counts_in_words(edition.planned, states)}"
    if said:
        yield f"  said    {said}"
    yield f"  look    mailer editions show {edition.id}"
    yield f"  go on   mailer editions resume {edition.id}"
    yield f"  end it  mailer editions cancel {edition.id}"
