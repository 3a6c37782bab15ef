"""`mailer send --dry-run`: what would be sent to how many. Imported by the command when it runs."""

from collections.abc import Mapping
from typing import Any

from mailer.cli.outcomes import NO_STATES
from mailer.cli.output import counted, say, show_json, when
from mailer.cli.session import run
from mailer.core.delivery import DeliveryState
from mailer.core.selection import Arrangement
from mailer.flows import planning
from mailer.flows.planning import Prospect
from mailer.store import stats
from mailer.store.database import Database
from mailer.wiring import Parts


def rehearse(made: Parts, cadence: str | None, *, as_json: bool) -> None:
    """Say what would be sent to how many."""
    chosen = made.chosen(cadence)

    async def look(database: Database) -> list[tuple[Prospect, Mapping[str, int]]]:
        composer = made.composer().without_related()
        found = []
        for one in chosen:
            prospect = await planning.look_ahead(database, one, now=made.clock(), composer=composer)
            states = await database.read(stats.states, prospect.made.id) if prospect.made else NO_STATES
            found.append((prospect, states))
        return found

    found = run(made, look)
    if as_json:
        documents = [_prospect_document(prospect, states) for prospect, states in found]
        show_json(documents[0] if cadence else {"editions": documents})
        return
    for prospect, _ in found:
        say(_prospect_in_words(prospect, made.settings.site.timezone))


def _prospect_in_words(prospect: Prospect, zone: str) -> str:
    name = f"{prospect.cadence.name} {prospect.period}"
    due = f"The next one is due {when(prospect.next_due, zone)}."
    if prospect.made is not None:
        return f"{name}: made already ({prospect.made.state}, {counted(prospect.made.planned, 'reader')}). {due}"
    arrangement = prospect.arrangement
    if arrangement is None or not arrangement.batches:
        return f"{name}: {_why_nothing(arrangement)}, so nothing would be sent. {due}"
    lines = [f"{name}: would go to {counted(arrangement.readers, 'reader')}. Due since {when(prospect.due, zone)}."]
    for batch in arrangement.batches:
        lines.append(f"  {counted(batch.readers, 'reader')}, {counted(batch.pick.total, 'article')}:")
        lines += [f"    {article.draft.title}" for article in batch.pick.articles[:5]]
        if batch.pick.total > 5:  # noqa: PLR2004  # enough to know it by
            lines.append(f"    and {batch.pick.total - 5} more")
    return "\n".join(lines)


def _why_nothing(arrangement: Arrangement | None) -> str:
    if arrangement is None or not arrangement.shares:
        return "no active reader"
    if any(share.held_back for share in arrangement.shares):
        return "fewer new articles than min_articles"
    return "nothing new"


def _prospect_document(prospect: Prospect, states: Mapping[str, int]) -> dict[str, Any]:
    arrangement = prospect.arrangement
    planned = prospect.made.planned if prospect.made else (arrangement.readers if arrangement else 0)
    batches = arrangement.batches if arrangement else ()
    return {
        "cadence": prospect.cadence.name,
        "period": prospect.period,
        "state": prospect.made.state if prospect.made else ("planning" if batches else "empty"),
        "planned": planned,
        **(states if prospect.made else {**NO_STATES, DeliveryState.PENDING.value: planned}),
        "due_at": prospect.due,
        "next_due": prospect.next_due,
        "dry_run": True,
        "variants": [
            {
                "readers": batch.readers,
                "articles": [article.seq for article in batch.pick.articles],
                "more": batch.pick.more,
            }
            for batch in batches
        ],
    }
