"""`mailer serve`: the pages that readers see, and the mail that they ask for."""

import typer

from mailer.cli.session import parts


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("serve")(serve)


def serve(
    context: typer.Context,
    host: str | None = typer.Option(None, "--host", help="Listen on this address instead of [web] host."),
    port: int | None = typer.Option(
        None, "--port", min=0, max=65535, help="Listen on this port instead of [web] port; 0 is any free one."
    ),
) -> None:
    """Serve the pages for readers, and send what is in the outbox, until Ctrl-C.

    New editions are still made by `mailer send`, which works beside it. Exit codes: 0 stopped as asked; 1 it could not
    start; 2 wrong settings or options.
    """
    from mailer.cli.output import say
    from mailer.web.serving import serve_pages

    made = parts(context)
    made.refuse_to_send()
    web, public = made.settings.web, made.settings.site_value().public_url
    serve_pages(
        made,
        host=web.host if host is None else host,
        port=web.port if port is None else port,
        ready=lambda address: say(f"Serving on {address} for {public}"),
    )
