"""An edition that is held, in words: why it waits, and the commands that let it go or refuse it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mailer.core.delivery import EditionState, HoldReason

if TYPE_CHECKING:
    from mailer.store.editions import Edition

_WHY = {
    HoldReason.GUID_STORM: "a feed changed the ids of all its articles, so what looks new here may be old",
    HoldReason.LINT: "lint found an error in it",
}


def why_held(edition: "Edition") -> str:
    """'held: lint found an error in it'."""
    return f"held: {_WHY[HoldReason(edition.reason)]}" if edition.reason in _WHY else "held"


def found_in_words(edition: "Edition") -> "Iterable[str]":
    """A line where lint found errors in its mails, and one on their size; none where there is nothing to know."""
    errors = [finding for finding in edition.findings if finding.startswith("error ")]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        name = f"{edition.cadence} {edition.period}"
        yield f"{name}: lint found {errors[0]}{more}"
        if edition.state != EditionState.HELD:
            yield f"  look    mailer editions show {edition.id}"
    for finding in edition.findings:
        if finding.startswith("warning size"):
            yield f"{edition.cadence} {edition.period}: {finding}"


def held_in_words(editions: "Iterable[Edition]") -> "Iterable[str]":
    """For each held edition why it waits, what was found, and what to do."""
    for edition in editions:
        yield f"{edition.cadence} {edition.period} is {why_held(edition)}. Nothing of it is sent before you say so:"
        yield f"  look    mailer editions show {edition.id}"
        yield f"  send    mailer editions send {edition.id}"
        yield f"  refuse  mailer editions skip {edition.id}"
        yield f"  anew    mailer editions skip {edition.id} --anew"
