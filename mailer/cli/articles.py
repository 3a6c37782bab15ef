"""`mailer articles`: what the digests are made of."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.output import JSON, complain, say, show_json, show_table, when
from mailer.cli.session import LARGEST, NOW, parts, run

if TYPE_CHECKING:
    from mailer.core.article import Article

app = typer.Typer(no_args_is_help=True, help="The articles that digests are made of.", rich_markup_mode=None)

ID = typer.Argument(metavar="ID", max=LARGEST)


@app.command("import")
def import_articles(
    context: typer.Context,
    file: Path = typer.Argument(metavar="FILE", help="JSON, JSON Lines, CSV, JSON Feed or Markdown (front matter)."),
    archive: bool = typer.Option(False, "--archive", help="Keep them as known: they are never mailed."),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Take in the articles of a file. What can't be read is listed, the rest goes in; then the exit code is 1."""
    from mailer.flows import ingesting

    made = parts(context, now)
    done = run(made, lambda database: ingesting.import_articles(database, file, archive=archive, now=made.clock()))
    if as_json:
        show_json({"new": done.new, "changed": done.changed, "refused": done.refused})
    else:
        say(f"{done.new} new, {done.changed} changed, {len(done.refused)} refused.")
        for sentence in done.refused:
            complain(sentence)
    if done.refused:
        raise typer.Exit(1)


@app.command("list")
def list_articles(
    context: typer.Context,
    limit: int = typer.Option(50, "--limit", min=1, max=LARGEST, help="How many, the newest first."),
    as_json: bool = JSON,
) -> None:
    """Show the articles, the last taken in first."""
    from mailer.store import articles

    made = parts(context)
    found = run(made, lambda database: database.read(articles.latest, limit))
    if as_json:
        show_json([_document(article) for article in found])
        return
    zone = made.settings.site.timezone
    show_table(
        ("Id", "Published", "Topics", "State", "Title"),
        [
            (item.seq, when(item.draft.published, zone), ", ".join(item.draft.topics), _state(item), item.draft.title)
            for item in found
        ],
        empty="No articles yet. Add a feed: mailer feeds add URL",
    )


@app.command()
def show(context: typer.Context, article: int = ID, as_json: bool = JSON) -> None:
    """Show one article as it was taken in."""
    from mailer.errors import NotFound
    from mailer.store import articles

    made = parts(context)
    found = run(made, lambda database: database.read(articles.by_seq, [article]))
    if not found:
        raise NotFound(f"There is no article {article}. `mailer articles list` shows them.")
    document = _document(found[0])
    if as_json:
        show_json(document)
        return
    document["published"] = when(found[0].draft.published, made.settings.site.timezone)
    picture = found[0].draft.picture
    document["image"] = picture.url if picture else ""
    for key, value in document.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        shown = ("no", "yes")[shown] if isinstance(shown, bool) else shown
        say(f"{key:<12}{shown}".rstrip())


@app.command()
def hide(
    context: typer.Context,
    article: int = ID,
    off: bool = typer.Option(False, "--off", help="The same as unhide."),
    as_json: bool = JSON,
) -> None:
    """Keep an article out of editions that are not planned yet."""
    _hide(context, article, off=off, as_json=as_json)


@app.command()
def unhide(context: typer.Context, article: int = ID, as_json: bool = JSON) -> None:
    """Hide an article no more."""
    _hide(context, article, off=True, as_json=as_json)


@app.command()
def pin(
    context: typer.Context,
    article: int = ID,
    off: bool = typer.Option(False, "--off", help="The same as unpin."),
    as_json: bool = JSON,
) -> None:
    """Put an article on top of the next edition of each cadence."""
    _pin(context, article, off=off, as_json=as_json)


@app.command()
def unpin(context: typer.Context, article: int = ID, as_json: bool = JSON) -> None:
    """Take the pin off an article."""
    _pin(context, article, off=True, as_json=as_json)


def _hide(context: typer.Context, article: int, *, off: bool, as_json: bool) -> None:
    from mailer.flows import editing

    run(parts(context), lambda database: editing.hide(database, article, hidden=not off))
    sentence = "An edition whose window it is in may have it." if off else "It is in no edition planned from now on."
    _done(article, "hidden", sentence, off=off, as_json=as_json)


def _pin(context: typer.Context, article: int, *, off: bool, as_json: bool) -> None:
    from mailer.flows import editing
    from mailer.store import articles

    made = parts(context)
    run(made, lambda database: editing.pin(database, article, [] if off else list(made.cadences())))
    sentence = "It has its usual place again." if off else "It leads the next edition of each cadence that has it."
    [there] = run(made, lambda database: database.read(articles.by_seq, [article]))
    if there.hidden and not off:
        sentence = f"But it is hidden, so no edition has it: mailer articles unhide {article}"
    _done(article, "pinned", sentence, off=off, as_json=as_json)


def _done(article: int, word: str, sentence: str, *, off: bool, as_json: bool) -> None:
    if as_json:
        show_json({"id": article, word: not off})
    else:
        say(f"Article {article} is {'no longer ' if off else ''}{word}. {sentence}")


def _state(article: "Article") -> str:
    if article.hidden:
        return "hidden"
    if article.known:
        return "known"
    if article.storm:
        return "held"
    return "pinned" if article.pins else ""


def _document(article: "Article") -> dict[str, Any]:
    draft = article.draft
    picture = draft.picture
    return {
        "id": article.seq,
        "origin": article.origin,
        "guid": draft.guid,
        "title": draft.title,
        "url": draft.link,
        "published": draft.published,
        "author": draft.author,
        "topics": list(draft.topics),
        "language": draft.language,
        "minutes": draft.minutes,
        "image": {"url": picture.url, "alt": picture.alt, "width": picture.width, "height": picture.height}
        if picture
        else None,
        "hidden": article.hidden,
        "known": article.known,
        "held": article.storm,
        "pinned": list(article.pins),
        "summary": draft.summary,
    }
