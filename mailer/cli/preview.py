"""`mailer preview`: the mail as it would go out, in files."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mailer.cli.output import JSON, counted, say, show_json, tell
from mailer.cli.session import NOW, parts, run

if TYPE_CHECKING:
    from mailer.core.message import Mail
    from mailer.flows.planning import Cost, Preview
    from mailer.wiring import Parts


def register(app: typer.Typer) -> None:
    """Put the command on the program."""
    app.command("preview")(preview)


def preview(
    context: typer.Context,
    cadence: str = typer.Option("", "--cadence", help="daily, weekly, monthly, or one of your own."),
    now: str | None = NOW,
    reader: str | None = typer.Option(None, "--as", metavar="ADDRESS", help="What this reader gets."),
    mail: str = typer.Option(
        "digest",
        "--mail",
        metavar="NAME",
        help="digest, confirm, welcome, already, changed, goodbye, move, moved, copy or erase.",
    ),
    language: str = typer.Option("", "--language", metavar="TAG", help="Of a mail that is no digest; else the site's."),
    variants: bool = typer.Option(False, "--variants", help="How many different mails there are, and what each costs."),
    out: Path = typer.Option(Path("preview"), "--out", metavar="DIR", help="Where the files go."),
    as_json: bool = JSON,
) -> None:
    """Write the digest that is due, or another mail, into files.

    digest.html, digest.txt and digest.eml, the bytes as they would go out. Nothing is sent or kept.
    """
    from mailer.cli.variants import show_variants
    from mailer.errors import Misuse

    made = parts(context, now)
    _check(mail, language, reader, variants=variants)
    if mail == "digest" and not cadence:
        raise Misuse(f"Which digest? Give --cadence, one of: {', '.join(made.cadences())}.")
    if mail != "digest":
        _sample(made, cadence, mail, language, out, as_json=as_json)
        return
    if variants:
        show_variants(made, cadence, as_json=as_json)
        return
    _digest(made, cadence, _clean(reader), out, as_json=as_json)


def _clean(reader: str | None) -> str | None:
    """Raises Misuse."""
    from mailer.core.subscription import clean_address
    from mailer.errors import Misuse

    try:
        return None if reader is None else clean_address(reader)
    except ValueError as error:
        raise Misuse(f"--as {reader}: {error}") from None


def _digest(made: "Parts", cadence: str, reader: str | None, out: Path, *, as_json: bool) -> None:
    """The digest that is due, of `reader` or of most readers."""
    from mailer.flows import planning

    composer = made.composer()
    tell(*composer.templates.warnings)
    found = run(
        made,
        lambda database: planning.preview(
            database,
            made.cadence(cadence),
            now=made.clock(),
            composer=composer,
            stationery=made.stationery(),
            keys=made.keys(),
            nonce=made.draw(),
            reader=reader,
        ),
    )
    paths = [] if found is None else write_mail(out, "digest", found.mail)
    if as_json:
        show_json({"cadence": cadence, **({} if found is None else _document(found)), "files": paths})
    elif found is None:
        say("There is nothing new: no digest would go out.")
    else:
        more = f" and {found.more} more" if found.more else ""
        say(
            f"Subject: {found.subject}",
            f"{counted(found.articles, 'article')}{more}, {len(found.mail.data):,} bytes",
            *([_coming(made, cadence, found)] if found.frozen else []),
            *([found.warning] if found.warning else []),
            *([_cost_in_words(found.cost)] if found.cost else []),
            *paths,
        )


def _document(found: "Preview") -> dict[str, object]:
    return {
        "period": found.period,
        "subject": found.subject,
        "articles": found.articles,
        "more": found.more,
        "bytes": len(found.mail.data),
        "frozen": found.frozen,
        "state": found.state,
        "warning": found.warning or None,
        "per_reader_ms": round(found.cost.rendered * 1000, 2) if found.cost else None,
    }


def _coming(made: "Parts", cadence: str, found: "Preview") -> str:
    """Where what is due is made already: how to see what an editor can still change."""
    due = made.cadence(cadence).next_due(made.clock())
    return f"Made already ({found.state}): these are its bytes. The coming one: --now {due:%Y-%m-%dT%H:%MZ}"


def _cost_in_words(cost: "Cost") -> str:
    times = cost.rendered / cost.filled_in
    return (
        f"Rendered for each reader, because the theme asks who reads (`reader`): {cost.rendered * 1000:.1f} ms each, "
        f"{times:,.0f} times a mail that is the same for all."
    )


def _check(mail: str, language: str, reader: str | None, *, variants: bool) -> None:
    """Raises Misuse for options that say nothing together."""
    from mailer.errors import Misuse

    if mail != "digest" and (reader is not None or variants):
        raise Misuse("--as and --variants are about the digest; leave --mail out.")
    if mail == "digest" and language:
        raise Misuse("--language is for the other mails: a digest is in its readers' languages. See one: --as ADDRESS")
    if variants and reader is not None:
        raise Misuse("--variants is about all readers, --as about one; give one of them.")


def _sample(made: "Parts", cadence: str, name: str, language: str, out: Path, *, as_json: bool) -> None:
    """One of the other mails, as a reader of this cadence would get it now."""
    from email import message_from_bytes, policy

    from mailer.errors import Misuse
    from mailer.flows import noticing

    if name not in noticing.KINDS:
        raise Misuse(f"There is no mail '{name}'; there are: digest, {', '.join(noticing.KINDS)}.")
    composer, cadence = made.composer(), cadence or made.settings.preselected()
    mail = noticing.sample(
        name,
        site=composer.site,
        cadence=made.cadence(cadence),
        templates=composer.templates,
        stationery=made.stationery(),
        now=made.clock(),
        nonce=made.draw(),
        language=language,
    )
    paths = write_mail(out, name, mail)
    subject = str(message_from_bytes(mail.data, policy=policy.default)["Subject"])
    if as_json:
        show_json({"mail": name, "cadence": cadence, "subject": subject, "bytes": len(mail.data), "files": paths})
    else:
        say(f"Subject: {subject}", f"{len(mail.data):,} bytes", *paths)


def write_mail(out: Path, name: str, mail: "Mail") -> list[str]:
    """A mail as `name`.eml, .html and .txt in a folder. Returns their paths. Raises InputError."""
    from email import message_from_bytes, policy

    from mailer.errors import InputError

    message = message_from_bytes(mail.data, policy=policy.default)
    files = {f"{name}.eml": mail.data}
    for ending, kind in (("html", "html"), ("txt", "plain")):
        content = message.get_body((kind,)).get_content()  # type: ignore[union-attr]  # every mail has both
        files[f"{name}.{ending}"] = content.replace("\r\n", "\n").encode()
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            (out / file).write_bytes(data)
    except OSError as error:
        raise InputError(f"{error.filename} can't be written: {error.strerror}.") from None
    return [str(out / file) for file in files]
