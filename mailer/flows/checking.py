"""`mailer verify`: do the promises hold in the ledger?"""

from dataclasses import dataclass
from itertools import islice

from mailer.store import stats
from mailer.store.database import Database

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One promise. `found`: what breaks it, in words, the first few; none where it holds."""

    name: str
    meaning: str
    found: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.found


async def verify(database: Database) -> list[Check]:
    """Every check, in order. Unfinished deliveries break nothing."""
    damage = await database.read(stats.damage)
    checks = [Check("the database file is whole", "Restore it from a backup.", tuple(damage))]
    for name, (question, meaning) in stats.CHECKS.items():
        checks.append(Check(name, meaning, tuple(await database.read(stats.broken, question))))
    twice = await database.read(lambda connection: tuple(islice(stats.repeats(connection), _SHOWN)))
    return [*checks, Check("no reader was given an article twice", "They read it twice.", twice)]
