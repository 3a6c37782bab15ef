"""The command line. A command parses, calls one flow, shows, and says how it ended by its exit code.

A command imports what it runs, so that `mailer --help` answers at once.
"""

import gc
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import typer

from mailer import __version__
from mailer.cli import (
    articles,
    config,
    controls,
    deliveries,
    demo,
    dkim,
    editions,
    feeds,
    keys,
    lint,
    messages,
    preview,
    reader_records,
    send,
    serve,
    setup,
    status,
    subscriber_files,
    subscribers,
    templates,
    verify,
)
from mailer.cli.output import complain, show_json
from mailer.errors import OUT_OF_FILES, TOO_MANY_FILES, MailerError

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
subscriber_files.register(subscribers.app)
reader_records.register(subscribers.app)
app.add_typer(subscribers.app, name="subscribers")
controls.register(editions.app)
app.add_typer(editions.app, name="editions")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(keys.app, name="keys")
app.add_typer(dkim.app, name="dkim")
app.add_typer(messages.app, name="messages")
app.add_typer(templates.app, name="templates")
send.register(app)
serve.register(app)
preview.register(app)
lint.register(app)
verify.register(app)
status.register(app)
demo.register(app)

# What typer raises for a wrong option; it has had its own copy of the class since 0.2x, so it is found by a child.
_Misuse: Any = typer.BadParameter.__bases__[0]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mailer {__version__}")
        raise typer.Exit


@app.callback()
def mailer(
    context: typer.Context,
    config_file: str | None = typer.Option(
        None, "--config", metavar="FILE", help="Settings file. Default: $MAILER_CONFIG, else ./config.toml."
    ),
    version: bool = typer.Option(  # noqa: ARG001  # typer calls it for us
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Self-hosted newsletter subscriptions and digests at the pace each reader chose."""
    context.obj = config_file


def main() -> None:
    """The console script `mailer`."""
    # What is imported stays. Looking through it again and again took a tenth of the time of a command.
    gc.set_threshold(50_000, 20, 20)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  # for as long as the program runs
    if isinstance(sys.stdout, TextIOWrapper):
        # A title has letters that the terminal's encoding may lack.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(_run(as_json="--json" in sys.argv))


def _run(*, as_json: bool) -> int:
    """Run the command. Returns the exit code; every deliberate error, and what a machine may refuse, is a sentence."""
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except MailerError as error:
        complain(str(error), as_json=as_json)
        return error.exit_code
    except _Misuse as error:
        if as_json:
            show_json({"error": error.format_message()})
        error.show()
        return int(error.exit_code)
    except typer.Abort:
        complain("Stopped; nothing was changed.", as_json=as_json)
        return 1
    except UnicodeEncodeError as error:
        complain(f"{error.object!r} is not UTF-8 text.", as_json=as_json)
        return 1
    except BrokenPipeError:  # whoever read our output has gone; there is nobody to tell
        _drop_output()
        return 1
    except OSError as error:
        if error.errno in OUT_OF_FILES:
            complain(TOO_MANY_FILES, as_json=as_json)
            return 1
        _drop_output()
        complain(f"{error.filename or 'Standard output'}: {error.strerror}.")
        return 1
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """What could not be written must not be tried again, and fail again, when the program ends."""
    if isinstance(sys.stdout, TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
