"""Planning an edition: which one is due, what each reader gets, and writing it down once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailer.core.cadence import Cadence
from mailer.core.delivery import HoldReason
from mailer.core.personal import Stationery
from mailer.core.selection import Arrangement
from mailer.core.tokens import key_id
from mailer.errors import StoreError
from mailer.flows.planning.composing import Composer
from mailer.flows.planning.gate import Gate
from mailer.flows.planning.preview import Cost, Preview, preview, queue_test_copy
from mailer.flows.planning.prospect import Prospect, coming, look_ahead
from mailer.flows.planning.specimens import Specimen, frozen_specimens, proofs, specimens
from mailer.store import plans
from mailer.store.database import Database
from mailer.store.editions import Edition

__all__ = [
    "Composer",
    "Cost",
    "Planned",
    "Preview",
    "Prospect",
    "Specimen",
    "coming",
    "frozen_specimens",
    "look_ahead",
    "plan",
    "preview",
    "queue_test_copy",
    "specimens",
]

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Planned:
    """How planning ended. `edition` is None where the cadence has no readers. `fresh`: made by this very call."""

    edition: Edition | None
    fresh: bool
    due: datetime
    period: str
    next_due: datetime
    held_back: bool = False


async def plan(
    database: Database,
    cadence: Cadence,
    *,
    now: datetime,
    composer: Composer,
    keys: Sequence[str],
    draw: Callable[[], str],
    max_age: timedelta,
    lint_holds: bool = False,
) -> Planned:
    """Make the edition that is due, unless it is made already. Raises TemplateError, StoreError.

    `keys`: the last signs. `draw`: 32 hexadecimal digits that nobody could foresee. `lint_holds`: whether an edition
    with an error in one of its mails is held.
    """
    for _ in range(_TRIES):
        prospect = await look_ahead(database, cadence, now=now, composer=composer)
        arrangement = prospect.arrangement
        outcome = (prospect.due, prospect.period, prospect.next_due)
        if prospect.made is not None or arrangement is None:
            return Planned(prospect.made, False, *outcome)
        if not arrangement.shares:
            return Planned(None, False, *outcome)
        intent = _intent(prospect, arrangement, now, composer, keys, draw(), max_age, Gate(lint_holds))
        try:
            made = await database.write(plans.write, intent)
        except plans.Outdated:
            continue  # somebody subscribed, or the editor wrote, between the look and the write
        if made is not None:
            held_back = not arrangement.batches and any(share.held_back for share in arrangement.shares)
            return Planned(made, True, *outcome, held_back=held_back)
    raise StoreError(f"The {cadence.name} readers changed {_TRIES} times while planning. Run this again.")


def _intent(
    prospect: Prospect,
    arrangement: Arrangement,
    now: datetime,
    composer: Composer,
    keys: Sequence[str],
    nonce: str,
    max_age: timedelta,
    gate: Gate,
) -> plans.Plan:
    """Everything that is frozen with the edition."""
    stationery = Stationery(sender=composer.site.from_address, keys=keys, zone=UTC, today=now.date())
    frozen = []
    for proof in proofs(prospect, now=now, composer=composer, stationery=stationery, keys=keys, nonce=nonce):
        gate.look_at(proof.mail, proof.told, proof.composed.warning if proof.composed.dropped else "")
        frozen.append(proof.composed.variant())
    storm = any(batch.pick.doubtful for batch in arrangement.batches)
    return plans.Plan(
        cadence=prospect.cadence.name,
        period=prospect.period,
        due_at=prospect.due,
        planned_at=now,
        expires_at=min(now + max_age, prospect.next_due),
        retry_until=now + max_age,
        lo=arrangement.lo,
        hi=arrangement.hi,
        since=arrangement.since,
        nonce=nonce,
        key_id=key_id(keys[-1]),
        variants=tuple(frozen),
        shares=arrangement.shares,
        intro=prospect.intro,
        findings=gate.findings,
        held=HoldReason.GUID_STORM if storm else gate.verdict,
        draft=prospect.draft.changed_at if prospect.draft else None,
    )
