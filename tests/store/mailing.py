"""Mails that are wanted, on their way into the outbox."""

from dataclasses import replace
from datetime import timedelta

from mailer.store import notices
from mailer.store.notices import Posted, Wanted
from tests.stories import DAY, MONDAY

HOUR = timedelta(hours=1)


async def waiting(database, now=MONDAY, *, per_hour=100, limit=50):
    return await database.read(notices.waiting, now=now, throttled_per_hour=per_hour, limit=limit)


def posted(wanted: Wanted, **given) -> Posted:
    made = Posted(wanted, "en", "A subject", b"content", None, "ab" * 16, "key", MONDAY + DAY)
    return replace(made, **given)
