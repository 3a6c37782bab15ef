"""The inbox's page: a list of the mails that came, and each mail as HTML, as text, its headers and its source.

Everything is a link with its choice in the query, so that it works without script and by keyboard alone.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from jinja2 import Environment

from mailer.demo.inbox import Inbox, Received
from mailer.demo.later import Later
from mailer.demo.letter import preview, read_head, read_letter
from mailer.demo.pageserver import PAGE_POLICY, Page, Pages, Server, serve, templates

A_PAGE = 50
KB = 1_000
PACES = ("daily", "weekly", "monthly")
LONGEST_SOURCE = 512 * 1024
VIEWS = ("html", "text", "headers", "source")
SCHEMES = ("light", "dark")
WIDTHS = ("desktop", "phone")

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_MAIL = re.compile(r"/mails/(?P<id>[1-9][0-9]{0,8})(?P<what>|/frame|\.eml)")

# A mail runs no script, sends no form and fetches nothing but pictures of this machine (the sample site's). Its links
# open in a new tab. The header holds the sandbox as well, for when the frame's address is opened by itself.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
FRAME_POLICY = (
    "default-src 'none'; script-src 'none'; style-src 'unsafe-inline'; "
    "img-src http://127.0.0.1:* http://localhost:* data:; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors 'self'; sandbox {SANDBOX}"
)


@dataclass(frozen=True, slots=True)
class Look:
    """How a mail is looked at; what a query says wrongly is taken for the first choice."""

    view: str
    scheme: str
    width: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Look":
        return cls(_choice(query, "view", VIEWS), _choice(query, "scheme", SCHEMES), _choice(query, "width", WIDTHS))

    def link(self, number: int, **changes: str) -> str:
        wanted = {"view": self.view, "scheme": self.scheme, "width": self.width} | changes
        usual = {"view": VIEWS[0], "scheme": SCHEMES[0], "width": WIDTHS[0]}
        query = urlencode({key: value for key, value in wanted.items() if value != usual[key]})
        return f"/mails/{number}" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class Line:
    """One mail in the list."""

    id: int
    subject: str
    sender: str
    to: str
    cadence: str
    received_at: datetime
    size: str


def serve_inbox(
    inbox: Inbox, *, site_url: str = "", later: Later | None = None, host: str = "127.0.0.1", port: int = 0
) -> Server:
    """The inbox's page over HTTP: `/` and `/mails/<id>`. `site_url`: where the sample site is, for a link to it.

    `later`: what sends the next digests, for buttons that ask for them.
    """
    looks = templates()
    looks.globals.update(site_url=site_url, sandbox=SANDBOX)
    looks.filters["clock"] = lambda moment: f"{moment:%H:%M:%S}"
    looks.filters["hour"] = lambda moment: f"{moment:%H:%M}"
    looks.filters["weekday"] = lambda moment: f"{moment:%A}"
    return serve(lambda _: _pages(inbox, looks, later), host, port, forms=_forms(later) if later else None)


def _forms(later: Later) -> Pages:
    def answer(path: str, fields: Mapping[str, str]) -> Page:
        if path != "/next":
            return Page(b"There is no such form.", "text/plain; charset=utf-8", 404)
        later.send(fields.get("cadence", ""))
        return Page(b"", status=303, headers={"Location": "/"})

    return answer


def _pages(inbox: Inbox, looks: Environment, later: Later | None) -> Pages:
    def answer(path: str, query: Mapping[str, str]) -> Page:
        if path == "/":
            return _list(inbox, looks, query, later)
        if path == "/look.css":
            return Page(looks.get_template("look.css").render().encode(), "text/css; charset=utf-8")
        asked = _MAIL.fullmatch(path)
        mail = inbox.find(int(asked["id"])) if asked else None
        if asked is None or mail is None:
            return _html(looks, "inbox_missing.html", status=404, kept=bool(inbox.messages))
        if asked["what"] == ".eml":
            attachment = {"Content-Disposition": f'attachment; filename="mail-{mail.id}.eml"'}
            return Page(mail.data, "message/rfc822", headers=attachment)
        if asked["what"] == "/frame":
            html = preview(read_letter(mail.data).html or "", _choice(query, "scheme", SCHEMES))
            return Page(html.encode("utf-8", "replace"), policy=FRAME_POLICY)
        return _mail(inbox, looks, mail, Look.of(query))

    return answer


def _list(inbox: Inbox, looks: Environment, query: Mapping[str, str], later: Later | None) -> Page:
    mails = inbox.messages[::-1]
    counts = Counter(mail.cadence for mail in mails)
    cadence = query.get("cadence", "")
    if cadence:
        mails = [mail for mail in mails if mail.cadence == cadence]
    pages = max(1, -(-len(mails) // A_PAGE))
    asked = query.get("page", "")
    page = min(int(asked), pages) if _NUMBER.fullmatch(asked) else 1
    page_of_it = _html(
        looks,
        "inbox_list.html",
        now=later.now() if later else None,
        coming=later.coming() if later else (),
        said=later.said if later else "",
        lines=[_line(mail) for mail in mails[(page - 1) * A_PAGE : page * A_PAGE]],
        cadence=cadence,
        counts=[(name, counts[name]) for name in sorted(counts, key=_pace) if name],
        kept=counts.total(),
        total=inbox.total,
        page=page,
        pages=pages,
    )
    return replace(page_of_it, policy=PAGE_POLICY.replace("form-action 'none'", "form-action 'self'"))


def _mail(inbox: Inbox, looks: Environment, mail: Received, look: Look) -> Page:
    letter = read_letter(mail.data)
    if look.view == "html" and letter.html is None:
        look = Look("text" if letter.text is not None else "source", look.scheme, look.width)
    return _html(
        looks,
        "inbox_mail.html",
        line=_line(mail),
        letter=letter,
        look=look,
        mail=mail,
        source=mail.data[:LONGEST_SOURCE].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}"),
        cut=len(mail.data) > LONGEST_SOURCE,
        newer=inbox.find(mail.id + 1),
        older=inbox.find(mail.id - 1),
    )


def _pace(cadence: str) -> tuple[int, str]:
    """The shipped cadences from quick to slow, any others after them by name."""
    return (PACES.index(cadence) if cadence in PACES else len(PACES)), cadence


def _line(mail: Received) -> Line:
    head = read_head(mail.data)
    return Line(
        id=mail.id,
        subject=head.field("Subject").strip() or "(no subject)",
        sender=head.sender or mail.sender or "(nobody)",
        to=", ".join(mail.recipients),
        cadence=mail.cadence,
        received_at=mail.received_at,
        size=_size(len(mail.data)),
    )


def _size(octets: int) -> str:
    return f"{octets} B" if octets < KB else f"{octets / KB:,.0f} KB"


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    asked = query.get(name, "")
    return asked if asked in choices else choices[0]


def _html(looks: Environment, template: str, *, status: int = 200, **context: object) -> Page:
    return Page(looks.get_template(template).render(**context).encode("utf-8", "replace"), status=status)
