"""The mails that are not digests, ready for the outbox: confirm, welcome, changed, goodbye and the others."""

from datetime import datetime

from mailer.core.cadence import Cadence
from mailer.core.delivery import Claimed
from mailer.core.frame import Site
from mailer.core.message import Compiled, Mail, compile_mail
from mailer.core.notice import (
    Already,
    Changed,
    Confirm,
    Copy,
    Erase,
    Goodbye,
    Move,
    Moved,
    Notice,
    Welcome,
    headers_of_notice,
)
from mailer.core.personal import Stationery
from mailer.core.subscription import mail_language
from mailer.errors import Misuse
from mailer.templating import Templates

KINDS = ("confirm", "welcome", "already", "changed", "goodbye", "move", "moved", "copy", "erase")
SAMPLE = "reader@example.com"
"""Whom a sample goes to."""


def compile_notice(templates: Templates, notice: Notice, *, now: datetime, nonce: str) -> tuple[str, Compiled]:
    """The subject, and the mail with slots for what the outbox knows: address, Message-ID, the reader's links.

    `nonce`: at least 32 hexadecimal digits that nobody could foresee. Raises TemplateError.
    """
    mark = f"{nonce[:24]}{0:08d}"
    rendered = templates.render_notice(notice, mark=mark)
    compiled = compile_mail(
        headers=headers_of_notice(notice),
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        mark=mark,
        date=now,
        boundary=f"{nonce[8:32]}.0",
    )
    return rendered.subject, compiled


def sample(
    kind: str,
    *,
    site: Site,
    cadence: Cadence,
    templates: Templates,
    stationery: Stationery,
    now: datetime,
    nonce: str,
    language: str = "",
) -> Mail:
    """A mail of that kind as a reader of `cadence` would get it now, with links that open nothing. Writes nothing.

    Raises Misuse for a kind or a language that isn't there, TemplateError.
    """
    if kind not in KINDS:
        raise Misuse(f"There is no mail '{kind}'; there are: {', '.join(KINDS)}.")
    if language and language not in templates.languages:
        raise Misuse(f"Mails are not written in '{language}'; there are: {', '.join(sorted(templates.languages))}.")
    spoken = language or mail_language("", site.language, templates.languages)
    notice = _notice(kind, site, cadence, now, spoken)
    _, compiled = compile_notice(templates, notice, now=now, nonce=nonce)
    reader = Claimed(
        id=0,
        edition=None,
        variant=0,
        subscriber=0,
        generation=0,
        address=SAMPLE,
        joined_at=now,
        attempts=0,
        waits=0,
        expires_at=now,
        nonce=nonce,
        key_id="",
    )
    return stationery.write(reader, compiled)


def _notice(kind: str, site: Site, cadence: Cadence, now: datetime, language: str) -> Notice:
    due = cadence.next_due(now).astimezone(cadence.zone)
    today = now.astimezone(cadence.zone).date()
    pages, never = site.public_url, f"{site.public_url}/never/sample"
    match kind:
        case "confirm":
            return Confirm(site, cadence.name, today, f"{pages}/confirm/sample", never, language=language)
        case "welcome":
            return Welcome(site, cadence.name, due, language, f"{pages}/editions/weekly/2026-W48")
        case "already":
            return Already(site, cadence.name, today, language)
        case "changed":
            return Changed(site, cadence.name, due, language=language)
        case "goodbye":
            return Goodbye(site, cadence.name, f"{pages}/subscribe", language)
        case "move":
            return Move(site, cadence.name, f"{pages}/address/sample", language=language, never_url=never)
        case "moved":
            return Moved(site, cadence.name, "a***@example.org", language)
        case "copy":
            return Copy(
                site, cadence.name, (("Email", SAMPLE),), (((f"{now:%Y-%m-%d %H:%M}", "subscribe"),),), language
            )
        case _:
            return Erase(site, cadence.name, f"{pages}/erase/sample", language=language)
