"""`mailer feeds`: where articles come from."""

import typer

from mailer.cli.output import JSON, complain, counted, say, show_json, show_table, tell, when
from mailer.cli.session import LARGEST, NOW, parts, run

app = typer.Typer(no_args_is_help=True, help="The feeds that articles come from.", rich_markup_mode=None)


@app.command()
def add(
    context: typer.Context,
    source: str = typer.Argument(metavar="URL|FILE", help="An RSS, Atom or JSON feed."),
    now: str | None = NOW,
    as_json: bool = JSON,
) -> None:
    """Add a feed and take in what it has; what is older than the longest cadence's period is known, but not mailed."""
    from mailer.flows import ingesting

    made = parts(context, now)
    polled, fresh = run(
        made, lambda database: ingesting.add_feed(database, source, source=made.source(), now=made.clock())
    )
    for note in polled.notes:
        tell(f"{source}: {note}")
    if as_json:
        show_json(
            {
                "id": polled.feed.id,
                "url": polled.feed.url,
                "added": fresh,
                "new": polled.new,
                "known": polled.known,
                "changed": polled.changed,
            }
        )
        return
    known = f", {polled.known:,} of them old or undated: known, but never mailed" if polled.known else ""
    if fresh:
        say(f"Added feed {polled.feed.id}: {counted(polled.new, 'article')} taken in{known}.")
    else:
        say(f"Feed {polled.feed.id} is there already: {counted(polled.new, 'new article')}{known}.")


@app.command("list")
def list_feeds(context: typer.Context, as_json: bool = JSON) -> None:
    """Show the feeds and how they are."""
    from mailer.store import articles, feeds

    made = parts(context)
    found = run(
        made,
        lambda database: database.read(
            lambda connection: [(feed, articles.count(connection, feed.origin)) for feed in feeds.every(connection)]
        ),
    )
    if as_json:
        show_json(
            [
                {
                    "id": feed.id,
                    "url": feed.url,
                    "title": feed.title,
                    "articles": count,
                    "last_poll": feed.polled_at,
                    "last_success": feed.ok_at,
                    "problem": feed.problem or None,
                }
                for feed, count in found
            ]
        )
        return
    zone = made.settings.site.timezone
    show_table(
        ("Id", "Title", "Articles", "Last success", "State", "Address"),
        [
            (feed.id, feed.title, count, when(feed.ok_at, zone), feed.problem or "well", feed.url)
            for feed, count in found
        ],
        empty="No feeds yet. Add one: mailer feeds add URL",
    )


@app.command()
def remove(context: typer.Context, feed: int = typer.Argument(metavar="ID", max=LARGEST), as_json: bool = JSON) -> None:
    """Poll a feed no more. Its articles stay; added again, it goes on where it was."""
    from mailer.flows import ingesting

    run(parts(context), lambda database: ingesting.remove_feed(database, feed))
    if as_json:
        show_json({"id": feed, "removed": True})
    else:
        say(f"Removed feed {feed}. Its articles stay.")


@app.command()
def poll(context: typer.Context, now: str | None = NOW, as_json: bool = JSON) -> None:
    """Ask every feed for what is new. Exit code 1 where one could not be read; the others are."""
    from mailer.flows import ingesting

    made = parts(context, now)
    polled = run(made, lambda database: ingesting.poll(database, source=made.source(), now=made.clock()))
    for one in polled:
        for note in one.notes:
            tell(f"Feed {one.feed.id}: {note}")
    if as_json:
        show_json(
            [
                {
                    "id": one.feed.id,
                    "url": one.feed.url,
                    "new": one.new,
                    "changed": one.changed,
                    "problem": one.problem or None,
                }
                for one in polled
            ]
        )
    else:
        for one in polled:
            if one.problem:
                complain(f"feed {one.feed.id}: {one.problem}")
            else:
                say(f"Feed {one.feed.id}, {one.feed.title or one.feed.url}: {one.new} new, {one.changed} changed.")
        if not polled:
            say("No feeds yet. Add one: mailer feeds add URL")
    if any(one.problem for one in polled):
        raise typer.Exit(1)
