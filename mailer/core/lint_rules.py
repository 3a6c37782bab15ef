"""What a finished mail is held to: the names of the rules, how bad each is, and what a finding looks like.

`docs/lint.md` says of each rule why it is one and how to mend what it finds; a test holds that page to this list.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mailer.core.text import clean_text

Level = Literal["error", "warning"]

ERROR: tuple[Level, ...] = ("error",)
WARNING: tuple[Level, ...] = ("warning",)
BOTH: tuple[Level, ...] = ("error", "warning")

# In the order of the page: the message as bytes, its header, its HTML, its links, its text part.
RULES: Mapping[str, tuple[Level, ...]] = {
    "unreadable": ERROR,
    "line-ends": BOTH,
    "line-length": ERROR,
    "size": BOTH,
    "parts": ERROR,
    "encoding": WARNING,
    "header-once": ERROR,
    "header-form": ERROR,
    "header-size": ERROR,
    "header-fold": WARNING,
    "encoded-word": ERROR,
    "return-path": ERROR,
    "list-id": ERROR,
    "one-click": ERROR,
    "auto-submitted": WARNING,
    "subject": BOTH,
    "preheader": BOTH,
    "placeholder": ERROR,
    "lang": BOTH,
    "dir": WARNING,
    "title": ERROR,
    "headings": BOTH,
    "tables": WARNING,
    "alt": ERROR,
    "image-source": BOTH,
    "image-size": WARNING,
    "active-content": ERROR,
    "web-font": WARNING,
    "layout": WARNING,
    "style-block": WARNING,
    "contrast": ERROR,
    "text-size": BOTH,
    "link-target": BOTH,
    "link-text": BOTH,
    "unsubscribe-link": BOTH,
    "postal-address": WARNING,
    "text-titles": ERROR,
    "text-links": BOTH,
    "text-columns": WARNING,
    "text-markup": ERROR,
    "dead-link": BOTH,
}

SHOWN = 10  # findings of one rule at one level; a mail with more of a kind is not read more carefully for it
_COUNTS = re.compile(r", and so in [\d,]+ more places?| And [\d,]+ more\.|[\d,.]+ KB|[\d,]+ columns")
_CUT = 60  # characters of a mail's own text in a finding


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a mail. `where`: 'HTML line 12', 'header Subject', 'text line 3', 'message'.

    `rule`: one of RULES. `message`: what is wrong and what to do, one line that ends with a stop.
    """

    rule: str
    level: Level
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def shown(text: str) -> str:
    """Somebody's text within a finding: one line, in quotes, cut."""
    return f"'{clean_text(text, _CUT)}'"


def shown_tag(tag: str, attributes: Mapping[str, str], *names: str) -> str:
    """An element by its start tag and those of its attributes that tell it from others: `<img src="…">`."""
    told = "".join(f' {name}="{clean_text(attributes[name], _CUT)}"' for name in names if name in attributes)
    return f"<{clean_text(tag, _CUT)}{told}>"


def at_most(findings: list[Finding]) -> tuple[Finding, ...]:
    """The first ten of each rule and level; the tenth says how many more there are."""
    found: dict[tuple[str, Level], list[Finding]] = {}
    for finding in findings:
        found.setdefault((finding.rule, finding.level), []).append(finding)
    kept = []
    for kind in found.values():
        last = kind[SHOWN - 1 : SHOWN]
        rest = len(kind) - SHOWN
        if rest > 0:
            last = [Finding(one.rule, one.level, one.where, f"{one.message} And {rest:,} more.") for one in last]
        kept += kind[: SHOWN - 1] + last
    return tuple(kept)


def gathered(found: Iterable[tuple[str, Iterable[Finding]]]) -> tuple[tuple[Finding, tuple[str, ...]], ...]:
    """What was found in several mails, each once, with the names of the mails that have it, errors first.

    `found`: by a mail's name. A line or a count may differ from mail to mail; those of the first are told.
    """
    first: dict[tuple[str, str, str], Finding] = {}
    names: dict[tuple[str, str, str], dict[str, None]] = {}
    for name, findings in found:
        for finding in findings:
            key = (finding.rule, finding.level, _COUNTS.sub("", finding.message))
            first.setdefault(key, finding)
            names.setdefault(key, {})[name] = None
    order = sorted(first, key=lambda key: first[key].level != "error")
    return tuple((first[key], tuple(names[key])) for key in order)


def more_places(count: int) -> str:
    """', and so in 4 more places', '' where there are no more."""
    return f", and so in {count:,} more place{'s' if count > 1 else ''}" if count else ""


def squeezed(text: str) -> str:
    """The text without white space and without what nobody sees, to compare it however its lines were broken."""
    return re.sub(r"[\s\u00ad\u200b-\u200f\u2060\ufeff\u034f]+", "", text).casefold()
