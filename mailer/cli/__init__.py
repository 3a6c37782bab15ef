"""The command line. A command parses, calls one flow, shows, and says how it ended by its exit code.

A command imports what it runs, so that `mailer --help` answers at once.
"""

import sys

import typer

from mailer import __version__
from mailer.cli import articles, config, demo, editions, feeds, preview, send, setup, subscribers, verify
from mailer.cli.output import complain
from mailer.errors import MailerError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
setup.register(app)
app.add_typer(config.app, name="config")
app.add_typer(feeds.app, name="feeds")
app.add_typer(articles.app, name="articles")
app.add_typer(subscribers.app, name="subscribers")
app.add_typer(editions.app, name="editions")
send.register(app)
preview.register(app)
verify.register(app)
demo.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mailer {__version__}")
        raise typer.Exit


@app.callback()
def mailer(
    context: typer.Context,
    config_file: str = typer.Option(
        "", "--config", metavar="FILE", help="Settings file. Default: $MAILER_CONFIG, else ./config.toml."
    ),
    version: bool = typer.Option(  # noqa: ARG001  # typer calls it for us
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Self-hosted newsletter subscriptions and digests at the pace each reader chose."""
    context.obj = config_file


def main() -> None:
    """The console script `mailer`."""
    try:
        app()
    except MailerError as error:
        complain(str(error), as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        sys.stderr.close()
        sys.exit(141)
