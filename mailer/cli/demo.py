"""`mailer demo`: see it work, with nothing set up."""

import typer

from mailer.cli.output import complain, say, tell


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("demo")(demo)


def demo(
    once: bool = typer.Option(False, "--once", help="Send, check that every reader got one digest, and end."),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Port of the inbox page. Default: any free one."),
) -> None:
    """Serve a sample site, send its digests to a local inbox, and show that inbox in the browser.

    Nothing leaves this machine, and nothing stays on it. Without a terminal it ends by itself, as with --once.
    """
    import asyncio
    import sys

    from mailer.cli.progress import watched
    from mailer.demo.show import show

    stay = not once and sys.stdout.isatty()
    try:
        shown = asyncio.run(show(say=say if stay else tell, watch=watched, stay=stay, port=port))
    except KeyboardInterrupt:
        say("")
        return
    except OSError as error:
        complain(f"--port {port}: {error.strerror}. Choose another, or leave it out.")
        raise typer.Exit(1) from None
    for sentence in shown.wrong:
        complain(sentence)
    if shown.wrong:
        raise typer.Exit(1)
    say(f"{shown.readers} readers, {shown.articles} articles, {shown.digests} digests: every reader got exactly one.")
