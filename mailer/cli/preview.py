"""`mailer preview`: the mail as it would go out, in files."""

from pathlib import Path

import typer

from mailer.cli.output import JSON, say, show_json
from mailer.cli.session import NOW, parts, run


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("preview")(preview)


def preview(
    context: typer.Context,
    cadence: str = typer.Option(..., "--cadence", help="daily, weekly, monthly, or one of your own."),
    now: str = NOW,
    reader: str = typer.Option("", "--as", metavar="ADDRESS", help="What this reader gets."),
    out: Path = typer.Option(Path("preview"), "--out", metavar="DIR", help="Where the files go."),
    as_json: bool = JSON,
) -> None:
    """Write digest.html, digest.txt and digest.eml: the bytes as they would go out. Nothing is sent or kept."""
    from email import message_from_bytes, policy

    from mailer.core.subscription import clean_address
    from mailer.errors import InputError
    from mailer.flows import planning

    made = parts(context, now)
    if reader:
        try:
            reader = clean_address(reader)
        except ValueError as error:
            raise InputError(f"--as {reader}: {error}") from None
    found = run(
        made,
        lambda database: planning.preview(
            database,
            made.cadence(cadence),
            now=made.clock(),
            composer=made.composer(),
            stationery=made.stationery(),
            keys=made.keys(),
            nonce=made.draw(),
            reader=reader or None,
        ),
    )
    if found is None:
        if as_json:
            show_json({"cadence": cadence, "files": []})
        else:
            say("There is nothing new: no digest would go out.")
        return
    message = message_from_bytes(found.mail.data, policy=policy.default)
    files = {
        "digest.html": str(message.get_body(("html",)).get_content()).encode(),  # type: ignore[union-attr]
        "digest.txt": str(message.get_body(("plain",)).get_content()).encode(),  # type: ignore[union-attr]
        "digest.eml": found.mail.data,
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (out / name).write_bytes(data)
    except OSError as error:
        raise InputError(f"{error.filename} can't be written: {error.strerror}.") from None
    paths = [str(out / name) for name in files]
    if as_json:
        show_json(
            {
                "cadence": cadence,
                "period": found.period,
                "subject": found.subject,
                "articles": found.articles,
                "more": found.more,
                "bytes": len(found.mail.data),
                "frozen": found.frozen,
                "files": paths,
            }
        )
        return
    more = f" and {found.more} more" if found.more else ""
    say(f"Subject: {found.subject}", f"{found.articles} articles{more}, {len(found.mail.data):,} bytes", *paths)
