"""What a theme costs that asks who reads: a copy rendered for its reader beside one filled in from a compiled mail.

Both make the whole message of the digest that `compile_variant` composes, twenty articles, for one reader after
another, from what the ledger keeps. The theme is ours with one line that greets by name.
"""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from zoneinfo import ZoneInfo

from compile_variant import ISSUE, SITE, batch
from table import show

from mailer.core.delivery import Claimed
from mailer.core.live import unpack
from mailer.core.personal import Stationery
from mailer.core.subscription import State, Subscriber
from mailer.core.tokens import key_id
from mailer.flows.planning.composing import Composer, compose
from mailer.templating import Press, Templates, ThemeOptions

KEY = "k" * 40
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
GREETING = (
    '{% extends "ours/email/digest/body.html" %}'
    '{% block tagline %}<p class="body">Dear {{ reader.name }},</p>{{ super() }}{% endblock %}'
)
LIVE, COMPILED, ROUNDS = 30, 3_000, 7


def packed(theme: Path | None) -> bytes:
    """The digest as the ledger keeps it."""
    templates = Templates(ThemeOptions(templates=theme))
    return compose(Composer(SITE, {}, templates), batch(1), ISSUE).variant().content


def seconds_each(content: bytes, count: int) -> float:
    """Seconds for one reader's copy, of many."""
    stationery = Stationery(sender="d@site.example", keys=(KEY,), zone=ZoneInfo("UTC"), today=NOW.date())
    press, mail = Press(), unpack(content)
    start = process_time()
    for number in range(1, count + 1):
        address = f"reader{number}@example.com"
        known = Subscriber(number, address, State.ACTIVE, "weekly", NOW, name=f"Reader {number}")
        item = Claimed(number, 1, 1, number, 1, address, NOW, 0, 0, NOW, "0123456789abcdef", key_id(KEY))
        press.write(stationery, item, mail, known)
    return (process_time() - start) / count


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "email" / "digest" / "body.html"
        file.parent.mkdir(parents=True)
        file.write_text(GREETING, encoding="utf-8")
        live, compiled = packed(Path(folder)), packed(None)
    seconds_each(live, 3)
    pairs = [(seconds_each(live, LIVE), seconds_each(compiled, COMPILED)) for _ in range(ROUNDS)]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    print(f"{min(ours) * 1000:.1f} ms for each reader, {1 / min(ours):,.0f} readers a second on one core")
    print(f"kept in the ledger: {len(live):,} bytes; compiled {len(compiled):,}")
    show("seconds for one reader's copy, rendered beside filled in", ours, theirs, reach="none: it is said, not asked")


if __name__ == "__main__":
    main()
