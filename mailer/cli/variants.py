"""`mailer preview --variants`: how many different mails an edition has, who gets which, and what each costs."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from mailer.cli.output import counted, say, show_json, show_table
from mailer.cli.session import run
from mailer.flows import planning
from mailer.flows.planning import Prospect, Specimen
from mailer.store.database import Database
from mailer.wiring import Parts

MOST_SHOWN = 50
"""Variants that are listed on a terminal, those of the most readers first; the sum is over all."""


def show_variants(made: Parts, cadence: str, *, as_json: bool) -> None:
    """Every variant of the edition that is due: made already, or as planning would make it. Keeps nothing."""
    chosen = made.cadence(cadence)

    async def look(database: Database) -> tuple[Prospect, list[dict[str, Any]]]:
        prospect = await planning.look_ahead(database, chosen, now=made.clock(), composer=made.composer())
        if prospect.made is not None:
            edition, stationery = prospect.made, made.stationery()
            return prospect, await database.read(
                lambda connection: _measured(planning.frozen_specimens(connection, edition, stationery))
            )
        found = planning.specimens(
            prospect,
            now=made.clock(),
            composer=made.composer(),
            stationery=made.stationery(),
            keys=made.keys(),
            nonce=made.draw(),
        )
        return prospect, _measured(found)

    prospect, found = run(made, look)
    readers, milliseconds = sum(one["readers"] for one in found), sum(one["milliseconds"] for one in found)
    if as_json:
        show_json(
            {
                "cadence": cadence,
                "period": prospect.period,
                "frozen": prospect.made is not None,
                "readers": readers,
                "milliseconds": round(milliseconds, 1),
                "variants": found,
            }
        )
        return
    if not found:
        say("There is nothing new: no digest would go out.")
        return
    shown = sorted(found, key=lambda one: -one["readers"])[:MOST_SHOWN]
    show_table(
        ("Readers", "Articles", "More", "Language", "KB", "ms", "Subject"),
        [
            (
                one["readers"],
                one["articles"],
                one["more"],
                one["language"],
                f"{one['bytes'] / 1000:.1f}",
                f"{one['milliseconds']:.1f}",
                one["subject"],
            )
            for one in shown
        ],
        empty="",
    )
    rest = f" ({len(found) - len(shown)} more are not listed)" if len(found) > len(shown) else ""
    say("", f"{counted(len(found), 'variant')} for {counted(readers, 'reader')}{rest}. {_cost(prospect, milliseconds)}")
    if any(one["per_reader"] for one in found):
        each = max(one["per_reader_ms"] for one in found)
        total = sum(one["per_reader_ms"] * one["readers"] for one in found) / 1000
        say(f"Each copy is rendered, as the theme asks who reads: {each:.1f} ms each, {total:,.1f} s for all.")


def _cost(prospect: Prospect, milliseconds: float) -> str:
    if prospect.made is not None:
        return "They are made already; planning composed each of them once."
    return f"Composing them takes {milliseconds / 1000:.2f} s, once, however many readers each has."


def _measured(specimens: Iterator[Specimen]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    started = perf_counter()
    for one in specimens:
        ended = perf_counter()
        found.append(
            {
                "readers": one.readers,
                "language": one.language,
                "subject": one.subject,
                "articles": one.articles,
                "more": one.more,
                "bytes": len(one.mail.data),
                "per_reader": one.live,
                "per_reader_ms": round(one.seconds * 1000, 2),
                "milliseconds": round((ended - started) * 1000, 2),
            }
        )
        started = perf_counter()
    return found
