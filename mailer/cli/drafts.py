"""`mailer editions draft`: an intro and an order of articles, kept for the coming edition."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.output import say, show_json, when
from mailer.cli.session import LARGEST, run
from mailer.errors import InputError, Misuse

if TYPE_CHECKING:
    from mailer.core.article import Article
    from mailer.flows.planning import Prospect
    from mailer.wiring import Parts

MOST_SHOWN = 20
"""Articles of the coming edition that are listed."""


def change_draft(
    made: "Parts", cadence: str, *, intro: str | None, intro_file: Path | None, order: str | None, clear: bool
) -> None:
    """Write what is given into the draft; nothing where nothing is. Raises Misuse, InputError, NotFound."""
    from mailer.flows import editing

    if intro is not None and intro_file is not None:
        raise Misuse("--intro and --intro-file are two ways to say the same; give one of them.")
    if clear and not (intro is None and intro_file is None and order is None):
        raise Misuse("--clear forgets the draft; it goes with no other option.")
    if clear:
        run(made, lambda database: editing.drop_draft(database, cadence))
        return
    words = _read(intro_file) if intro_file is not None else intro
    seqs = None if order is None else _numbers(order)
    if words is not None or seqs is not None:
        run(
            made,
            lambda database: editing.keep_draft(database, cadence, now=made.clock(), intro=words, order=seqs),
        )


def show_draft(made: "Parts", cadence: str, *, as_json: bool) -> None:
    """What the coming edition would hold now, and what is kept for it."""
    from mailer.flows import planning
    from mailer.store import articles

    chosen = made.cadence(cadence)
    prospect = run(made, lambda database: planning.coming(database, chosen, now=made.clock(), composer=made.composer()))
    if as_json:
        show_json(_document(prospect))
        return
    zone = made.settings.site.timezone
    say(f"The coming {cadence} edition, {prospect.period}, is due {when(prospect.due, zone)}.", "")
    draft = prospect.draft
    say(*(draft.intro.split("\n") if draft and draft.intro else ["No intro."]), "")
    listed = _articles(prospect)
    for number, article in enumerate(listed[:MOST_SHOWN], start=1):
        kept = " *" if draft and article.seq in draft.articles else ""
        say(f"{number:>3}. [{article.seq}] {article.draft.title}{kept}")
    if len(listed) > MOST_SHOWN:
        say(f"     and {len(listed) - MOST_SHOWN} more")
    if not listed:
        say("Nothing new yet.")
    if draft and draft.articles:
        absent = [seq for seq in draft.articles if seq not in {article.seq for article in listed}]
        say("", "* put there by you")
        if absent:
            found = run(made, lambda database: database.read(articles.by_seq, absent))
            say(f"Not in it as it stands now: {', '.join(f'{one.seq} ({_why_absent(one)})' for one in found)}.")
    moment = f"{prospect.due:%Y-%m-%dT%H:%MZ}"
    say("", f"See it: mailer preview --cadence {cadence} --now {moment}")


def _articles(prospect: "Prospect") -> Sequence[Any]:
    """Of the largest variant, which is what most readers get."""
    batches = prospect.arrangement.batches if prospect.arrangement else ()
    return max(batches, key=lambda batch: batch.readers).pick.articles if batches else ()


def _why_absent(article: "Article") -> str:
    if article.hidden:
        return "hidden"
    return "known, never mailed" if article.known else "not due to most readers"


def _document(prospect: "Prospect") -> dict[str, Any]:
    draft = prospect.draft
    return {
        "cadence": prospect.cadence.name,
        "period": prospect.period,
        "due_at": prospect.due,
        "intro": draft.intro if draft else "",
        "order": list(draft.articles) if draft else [],
        "changed_at": draft.changed_at if draft else None,
        "articles": [{"id": article.seq, "title": article.draft.title} for article in _articles(prospect)],
    }


def _read(path: Path) -> str:
    """The text of a file, or of standard input for '-'."""
    try:
        if str(path) == "-":
            return typer.get_text_stream("stdin").read()
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text.") from None


def _numbers(written: str) -> list[int]:
    parts = [part.strip() for part in written.split(",") if part.strip()]
    wrong = [part for part in parts if not part.isdecimal() or not 0 < int(part) <= LARGEST]
    if wrong:
        raise Misuse(f"--order {written}: {wrong[0]!r} is no article's id. Write ids like 12,7,9; '' for no order.")
    return [int(part) for part in parts]
