"""`mailer lint`: what is wrong with a mail, before its readers find it. A gate: its exit code tells."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.output import JSON, counted, say, show_json, tell
from mailer.cli.session import NOW, parts, run

if TYPE_CHECKING:
    from mailer.core.lint import Finding
    from mailer.feeds import FeedOptions
    from mailer.flows.planning import Specimen
    from mailer.store.database import Database
    from mailer.wiring import Parts

LARGEST = 20_000_000
"""Bytes of a file that is looked into. Mailboxes refuse mails that are larger."""
_NAMED = 10  # mails that are told by name
_WIDTH = 78
_MARGIN = "    "


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("lint")(lint)


@dataclass(frozen=True, slots=True)
class _Lot:
    """The mails that were looked at, by a name each, and what was found, each finding with the mails that have it.

    `asked`, `skipped`: how many addresses were asked for, and how many were not because they are a reader's own.
    """

    mails: tuple[tuple[str, bytes], ...]
    found: tuple[tuple[Finding, tuple[str, ...]], ...]
    asked: int = 0
    skipped: int = 0

    def count(self, level: str) -> int:
        return sum(finding.level == level for finding, _ in self.found)


def lint(
    context: typer.Context,
    file: Path | None = typer.Argument(None, metavar="FILE.eml", help="A mail as it is sent, or as it was kept."),
    cadence: str | None = typer.Option(None, "--cadence", help="Instead of a file: the digests that are due."),
    now: str | None = NOW,
    online: bool = typer.Option(False, "--online", help="Ask whether links and pictures are there."),
    strict: bool = typer.Option(False, "--strict", help="Let warnings count as errors."),
    as_json: bool = JSON,
) -> None:
    """Look for what is wrong with a mail.

    Size, headers, one-click, contrast in light and dark, alt texts, links, a text part that says the same, and more:
    docs/lint.md has every rule. Exit codes: 0 nothing or only warnings, 1 errors, 2 the mail could not be looked at.
    Nothing is sent or kept.
    """
    from mailer.errors import Misuse

    if (file is None) == (cadence is None):
        raise Misuse("Name a file or --cadence, one of the two: `mailer lint digest.eml`.")
    told: tuple[str, ...] = ()
    if file is not None:
        mails: Sequence[tuple[str, bytes]] = ((str(file), _read(file)),)
    else:
        mails, told, note = _due(parts(context, now), cadence or "")
        if note and not as_json:
            tell(note)
    lot = _looked_at(mails, told, *(_asking(context) if online else (None, "")))
    if as_json:
        show_json(_document(lot))
    else:
        say(*_lines(lot))
    if lot.count("error") or (strict and lot.count("warning")):
        raise typer.Exit(1)


def _read(file: Path) -> bytes:
    """Raises Misuse where it is no readable file: exit code 1 is for what was found in one."""
    from mailer.errors import Misuse

    try:
        if not file.is_file():
            raise Misuse(f"{file}: there is no such file." if not file.exists() else f"{file} is not a file.")
        if file.stat().st_size > LARGEST:
            raise Misuse(f"{file} has more than {LARGEST // 1_000_000} MB; that is no mail that anybody would take.")
        return file.read_bytes()
    except (OSError, ValueError) as error:
        raise Misuse(f"{file} can't be read: {getattr(error, 'strerror', None) or error}.") from None


def _due(made: Parts, cadence: str) -> tuple[tuple[tuple[str, bytes], ...], tuple[str, ...], str]:
    """Every mail of the edition that is due, made or as planning would make it, each with a name; none: nothing is.

    Without readers it is the mail that a reader of the future would get. Beside them the texts they are made of, and
    what to know where the edition is made already.
    """
    from mailer.flows import planning

    chosen, stationery, composer = made.cadence(cadence), made.stationery(), made.composer()
    drawn: dict[str, Any] = {"now": made.clock(), "keys": made.keys(), "nonce": made.draw()}

    async def look(database: Database) -> tuple[tuple[tuple[str, bytes], ...], tuple[str, ...], str]:
        prospect = await planning.look_ahead(database, chosen, now=drawn["now"], composer=composer)
        edition, note = prospect.made, ""
        if edition is not None:
            coming = f"{prospect.next_due:%Y-%m-%dT%H:%MZ}"
            note = f"{cadence} {prospect.period} is made already. The coming one: --now {coming}"
            found = await database.read(
                lambda connection: [*planning.frozen_specimens(connection, edition, stationery)]
            )
        else:
            found = [*planning.specimens(prospect, composer=composer, stationery=stationery, **drawn)]
        if not found and edition is None:
            sample = await planning.preview(database, chosen, composer=composer, stationery=stationery, **drawn)
            if sample is None:
                return (), (), note
            return ((f"{cadence} {sample.period}: {sample.subject}", sample.mail.data),), sample.told, note
        mails = tuple(
            (f"{cadence} {prospect.period}{_variant(number, found)}: {one.subject}", one.mail.data)
            for number, one in enumerate(found, start=1)
        )
        return mails, tuple(text for one in found for text in one.told), note

    return run(made, look)


def _variant(number: int, all_of_them: Sequence[Specimen]) -> str:
    if len(all_of_them) == 1:
        return ""
    one = all_of_them[number - 1]
    return f", variant {number} ({one.language}, {counted(one.readers, 'reader')})"


def _asking(context: typer.Context) -> tuple[FeedOptions, str]:
    """How the web is asked, and for which site. A file can be looked at where there are no settings."""
    from mailer.config.reading import FILE_VARIABLE
    from mailer.feeds import FeedOptions

    if context.obj is None and FILE_VARIABLE not in os.environ and not Path("config.toml").exists():
        return FeedOptions(), ""
    settings = parts(context).settings
    return settings.feeds, settings.site.url


def _looked_at(mails: Sequence[tuple[str, bytes]], told: Sequence[str], options: FeedOptions | None, site: str) -> _Lot:
    """Lint every mail. `told`: the texts they are made of. `options`: how to ask for what they link to, None: don't."""
    import asyncio

    from mailer.core.lint import addresses_of, gathered, lint_mail
    from mailer.flows.linting import probe_links

    found: list[tuple[str, Sequence[Finding]]] = [(name, lint_mail(data, told)) for name, data in mails]
    asked = skipped = 0
    if options is not None:
        held = {name: addresses_of(data) for name, data in mails}
        probed = asyncio.run(probe_links([one for some in held.values() for one in some], options=options, site=site))
        asked, skipped = probed.asked, probed.skipped
        found += [
            (name, [probed.dead[one.url] for one in some if one.url in probed.dead]) for name, some in held.items()
        ]
    return _Lot(tuple(mails), gathered(found), asked, skipped)


def _document(lot: _Lot) -> dict[str, object]:
    return {
        "findings": [
            {
                "rule": finding.rule,
                "level": finding.level,
                "where": finding.where,
                "message": finding.message,
                "mails": list(names),
            }
            for finding, names in lot.found
        ],
        "errors": lot.count("error"),
        "warnings": lot.count("warning"),
        "mails": [{"name": name, "bytes": len(data)} for name, data in lot.mails],
        "asked": lot.asked,
        "skipped": lot.skipped,
    }


def _lines(lot: _Lot) -> Iterable[str]:
    from mailer.core.text import wrap

    if not lot.mails:
        yield "There is nothing new: no digest would go out."
        return
    for name, data in lot.mails[:_NAMED]:
        yield wrap(f"{name} ({len(data):,} bytes)", _WIDTH, rest=_MARGIN)
    if len(lot.mails) > _NAMED:
        yield f"and {len(lot.mails) - _NAMED:,} mails more"
    for level, title in (("error", "Errors"), ("warning", "Warnings")):
        found = [(finding, names) for finding, names in lot.found if finding.level == level]
        if found:
            yield f"\n{title}"
        for finding, names in found:
            part = f" (in {len(names)} of {len(lot.mails)} mails)" if len(lot.mails) > 1 else ""
            yield f"\n{finding.rule} · {finding.where}{part}"
            yield wrap(_sentence(finding.message), _WIDTH, first=_MARGIN, rest=_MARGIN)
    yield ""
    if lot.asked or lot.skipped:
        own = f"; {lot.skipped:,} not, as only their reader may" if lot.skipped else ""
        yield f"{counted(lot.asked, 'address was', 'addresses were')} asked for{own}."
    errors, warnings = lot.count("error"), lot.count("warning")
    if errors or warnings:
        yield f"{counted(errors, 'error')}, {counted(warnings, 'warning')}. Each rule: docs/lint.md"
    else:
        yield "Nothing to mend."


def _sentence(message: str) -> str:
    """The message as it stands alone: with a capital, unless it begins with an address."""
    return message if message.startswith(("http://", "https://")) else message[:1].upper() + message[1:]
