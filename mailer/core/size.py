"""How large a mail's HTML may be: Gmail hides what comes after 102 KB, and the way to unsubscribe with it."""

import re

from mailer.core.message import slot_mark

WARNING, LARGEST = 90_000, 95_000
"""Octets of the HTML part as UTF-8, before quoted-printable, with every reader's values in it."""
_LONGEST_VALUE = "x" * 75  # a token; a date is shorter


def octets(html: str, mark: str) -> int:
    """What a rendered HTML part takes in any reader's copy, at most."""
    return len(re.sub(slot_mark(mark, "[a-z_]+"), _LONGEST_VALUE, html).encode("utf-8", "replace"))
