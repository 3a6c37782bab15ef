"""`mailer feeds`: where articles come from."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mailer.cli.feed_health import ahead, editions_held, held_in_words, read_health, show_health
from mailer.cli.output import JSON, complain, counted, say, show_json, tell
from mailer.cli.session import LARGEST, NOW, parts, run
from mailer.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mailer.flows.ingesting import Added, NotAdded, Polled

app = typer.Typer(no_args_is_help=True, help="The feeds that articles come from.", rich_markup_mode=None)
ID = typer.Argument(metavar="ID", max=LARGEST)


@app.command()
def add(
    context: typer.Context,
    source: str = typer.Argument(
        metavar="URL|FILE", help="An RSS, Atom or JSON feed, or the address of a site that has one."
    ),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Add a feed and take in what it has; what is older than the longest cadence's period is known, but not mailed."""
    from mailer.flows import ingesting

    made = parts(context, now)
    added = run(made, lambda database: ingesting.add_feed(database, source, source=made.source(), now=made.clock()))
    for note in added.polled.notes:
        tell(f"{source}: {note}")
    if as_json:
        show_json(_added_document(added))
        return
    if added.page:
        say(f"{added.page} is a web page; its feed is {added.polled.feed.url}.")
    if added.others:
        say("It names others, too; add them by their addresses if you want them:")
        say(*(f"  {other.url}{f'  ({other.title})' if other.title else ''}" for other in added.others))
    say(_added_in_words(added))


@app.command("import")
def import_opml(
    context: typer.Context,
    file: Path = typer.Argument(metavar="FILE.opml", help="A list of feeds, as feed readers export it."),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Add every feed of an OPML file. Exit code 1 where one could not be added; the others are."""
    from mailer.flows import ingesting

    made = parts(context, now)
    found = run(made, lambda database: ingesting.import_feeds(database, file, source=made.source(), now=made.clock()))
    if as_json:
        show_json([{"address": one.address} | _added_document(one) for one in found])
    else:
        for one in found:
            if isinstance(one, ingesting.Added):
                say(f"{one.address}: {_added_in_words(one)}")
            else:
                complain(one.problem)
    failed = sum(isinstance(one, ingesting.NotAdded) for one in found)
    if not as_json:
        fresh = sum(isinstance(one, ingesting.Added) and one.fresh for one in found)
        there = len(found) - fresh - failed
        say(f"{counted(fresh, 'feed')} added, {there:,} there already, {failed:,} failed.")
    if failed:
        raise typer.Exit(1)


@app.command()
def export(
    context: typer.Context,
    out: Path | None = typer.Option(None, "--out", metavar="FILE", help="Where to. Default: standard output."),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Write the feeds as an OPML file, which feed readers and `mailer feeds import` take."""
    from mailer.core.opml import Outline, write_opml
    from mailer.store import feeds

    if out is None and as_json:
        raise InputError("--json and the OPML both want standard output; name a file with --out.")
    made = parts(context, now)
    found = run(made, lambda database: database.read(feeds.every))
    web = [feed for feed in found if feed.url.lower().startswith(("http://", "https://"))]
    written = write_opml(
        f"Feeds of {made.settings.site.name}",
        (Outline(feed.url, feed.title, feed.home) for feed in web),
        now=made.clock(),
    )
    left_out = len(found) - len(web)
    if left_out and not as_json:
        tell(f"Left out, because no other program can read them: {counted(left_out, 'feed')} in files of this machine.")
    if out is None:
        sys.stdout.write(written)
        return
    try:
        out.write_text(written, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} can't be written: {error.strerror}.") from None
    if as_json:
        show_json({"file": str(out), "feeds": len(web), "left_out": left_out})
    else:
        say(f"Wrote {counted(len(web), 'feed')} to {out}.")


@app.command("list")
def list_feeds(context: typer.Context, now: str | None = NOW, as_json: bool = JSON) -> None:
    """Show the feeds and how they are: what is wrong in words, and what waits for your word."""
    made = parts(context, now)
    found, editions = run(made, lambda database: database.read(read_health))
    if as_json:
        show_json([one.document() for one in found])
    else:
        show_health(found, editions, now=made.clock(), zone=made.settings.site.timezone)


@app.command()
def remove(context: typer.Context, feed: int = ID, as_json: bool = JSON) -> None:
    """Poll a feed no more. Its articles stay; added again, it goes on where it was."""
    from mailer.flows import ingesting

    run(parts(context), lambda database: ingesting.remove_feed(database, feed))
    if as_json:
        show_json({"id": feed, "removed": True})
    else:
        say(f"Removed feed {feed}. Its articles stay.")


@app.command()
def accept(context: typer.Context, feed: int = ID, as_json: bool = JSON) -> None:
    """The articles of this feed that are held are news: the coming editions hold them."""
    count, editions = _judge(context, feed, news=True)
    if as_json:
        show_json({"id": feed, "accepted": count, "editions_held": editions})
        return
    say(f"{counted(count, 'article')} of feed {feed} accepted as news." if count else _nothing_held(feed))
    say(*(f"Edition {edition} is held until you send it: mailer editions send {edition}" for edition in editions))


@app.command()
def refuse(context: typer.Context, feed: int = ID, as_json: bool = JSON) -> None:
    """The articles of this feed that are held are old ones: no digest has them as news."""
    count, editions = _judge(context, feed, news=False)
    if as_json:
        show_json({"id": feed, "refused": count, "editions_held": editions})
        return
    say(
        f"{counted(count, 'article')} of feed {feed} count as old: no digest has them as news."
        if count
        else _nothing_held(feed)
    )
    for edition in editions:
        say(f"Edition {edition} was made with them and is held; to make it anew: mailer editions skip {edition} --anew")


@app.command()
def poll(
    context: typer.Context,
    due: bool = typer.Option(
        False, "--due", help="Only feeds whose time has come, by each one's own rhythm: for cron, every few minutes."
    ),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Ask every feed for what is new. Exit code 1 where one could not be read; the others are."""
    from mailer.flows import ingesting

    made = parts(context, now)
    polled = run(made, lambda database: ingesting.poll(database, source=made.source(), now=made.clock(), due=due))
    for one in polled:
        for note in one.notes:
            tell(f"Feed {one.feed.id}: {note}")
    if as_json:
        show_json([_polled_document(one) for one in polled])
    else:
        for one in polled:
            _show_polled(one)
        if not polled:
            say("No feeds yet. Add one: mailer feeds add URL")
        if due:
            _show_waiting(polled, made.clock())
    if any(one.problem for one in polled):
        raise typer.Exit(1)


def _show_polled(one: "Polled") -> None:
    if not one.asked:
        return
    if one.problem:
        complain(f"feed {one.feed.id}: {one.problem}")
        return
    say(f"Feed {one.feed.id}, {one.feed.name}: {one.new} new, {one.changed} changed.")
    if one.held:
        tell(held_in_words(one.feed, one.held))


def _show_waiting(polled: "Sequence[Polled]", now: "datetime") -> None:
    waiting = [one.feed for one in polled if not one.asked and not one.feed.gone]
    gone = [str(one.feed.id) for one in polled if not one.asked and one.feed.gone]
    if waiting:
        moments = [feed.next_poll_at for feed in waiting if feed.next_poll_at]
        verb = "is" if len(waiting) == 1 else "are"
        say(f"{counted(len(waiting), 'feed')} {verb} not due yet, the next {ahead(min(moments, default=None), now)}.")
    if gone:
        say(f"Gone, and asked by hand only: feed {', '.join(gone)}.")


def _judge(context: typer.Context, feed: int, *, news: bool) -> tuple[int, list[int]]:
    """(how many articles were judged, the editions that are still held for such articles)."""
    from mailer.flows import ingesting

    made = parts(context)
    count = run(made, lambda database: ingesting.judge_held(database, feed, news=news))
    return count, run(made, lambda database: database.read(editions_held))


def _nothing_held(feed: int) -> str:
    return f"No article of feed {feed} is held."


def _polled_document(one: "Polled") -> dict[str, Any]:
    return {
        "id": one.feed.id,
        "url": one.feed.url,
        "asked": one.asked,
        "new": one.new,
        "changed": one.changed,
        "held": len(one.held),
        "problem": one.problem or None,
        "notes": one.notes,
        "next_poll": one.feed.next_poll_at,
    }


def _added_document(one: "Added | NotAdded") -> dict[str, Any]:
    from mailer.flows.ingesting import NotAdded

    if isinstance(one, NotAdded):
        return {"added": False, "problem": one.problem}
    return {
        "id": one.polled.feed.id,
        "url": one.polled.feed.url,
        "added": one.fresh,
        "new": one.polled.new,
        "known": one.polled.known,
        "changed": one.polled.changed,
        "page": one.page or None,
        "others": [{"url": other.url, "title": other.title} for other in one.others],
    }


def _added_in_words(one: "Added") -> str:
    polled = one.polled
    known = f", {polled.known:,} of them old or undated: known, but never mailed" if polled.known else ""
    if one.fresh:
        return f"Added feed {polled.feed.id}: {counted(polled.new, 'article')} taken in{known}."
    if not polled.asked:
        return f"Feed {polled.feed.id} is there already."
    return f"Feed {polled.feed.id} is there already: {counted(polled.new, 'new article')}{known}."
