"""`mailer demo`: see it work, with nothing set up."""

import typer

from mailer.cli.output import JSON, complain, say, show_json, tell


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("demo")(demo)


def demo(
    once: bool = typer.Option(False, "--once", help="Send, check that every reader got one digest, and end."),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Port of the inbox page. Default: any free one."),
    as_json: bool = JSON,
) -> None:
    """See it work: a sample site with its sign-up form, and a local inbox.

    Serves the site, sends its digests to the inbox, and shows that in the browser, where you may subscribe, too.
    Nothing leaves this machine, and nothing stays on it. Without a terminal it ends by itself, as with --once.
    """
    import asyncio
    import logging
    import sys

    from mailer import telemetry
    from mailer.cli.progress import watched
    from mailer.demo.show import show
    from mailer.web.serving import pages_beside

    telemetry.configure(level=logging.WARNING)  # what goes well is said in the demo's own words
    stay = not (once or as_json) and sys.stdout.isatty()
    try:
        shown = asyncio.run(show(say=say if stay else tell, watch=watched, serve=pages_beside, stay=stay, port=port))
    except KeyboardInterrupt:
        say("")
        return
    except OSError as error:
        complain(f"--port {port}: {error.strerror}. Choose another, or leave it out.")
        raise typer.Exit(1) from None
    if as_json:
        show_json(
            {"readers": shown.readers, "articles": shown.articles, "digests": shown.digests, "wrong": shown.wrong}
        )
    for sentence in shown.wrong:
        complain(sentence)
    if shown.wrong:
        raise typer.Exit(1)
    if not as_json:
        counts = f"{shown.readers} readers, {shown.articles} articles, {shown.digests} digests"
        say(f"{counts}: every reader got exactly one.")
