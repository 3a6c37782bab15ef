"""Lint of a mail of about 60 KB, beside what no lint can do without: parsing the message and its HTML."""

from datetime import UTC, date, datetime
from email import message_from_bytes
from html.parser import HTMLParser
from time import perf_counter

from table import show

from mailer.core.article import Article, Draft
from mailer.core.digest import Digest, Site, headers_of
from mailer.core.lint import lint_mail
from mailer.core.message import compile_mail
from mailer.templating import Templates, ThemeOptions

MARK = "abcdefghijklmnop"
ROUNDS = 30
ARTICLES = 38


def a_mail() -> bytes:
    """A digest of many articles."""
    site = Site(
        name="Mia's Feed",
        url="https://site.example",
        from_name="Mia's Feed",
        from_address="digest@site.example",
        public_url="https://news.site.example",
        list_id="digest.site.example",
        postal_address="12 Harbour Street\nDublin",
    )
    articles = tuple(
        Article(
            number,
            "feed:1",
            Draft(
                guid=str(number),
                title=f"A third of patients live {number + 2} years without relapse after a single dose",
                link=f"https://site.example/articles/{number}",
                summary="One infusion, no maintenance therapy: of 97 people, 33 percent had no relapse.",
                minutes=3,
            ),
        )
        for number in range(ARTICLES)
    )
    digest = Digest(site, "weekly", "2026-W47", (date(2026, 11, 16), date(2026, 11, 22)), articles)
    mail = Templates(ThemeOptions()).render_digest(digest, mark=MARK)
    compiled = compile_mail(
        headers=headers_of(digest),
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        mark=MARK,
        date=datetime(2026, 11, 23, 7, tzinfo=UTC),
        boundary="3f9c1d7a5b20e846",
    )
    values = {
        "to": b"ada@reader.example",
        "message_id": b"1.x@site.example",
        "leave": b"bGVhdmUtNDI.QH7qk3ZyVx5mT0cWb2RfN8uJpLs1EaGdHiYo4nKvXtM",
        "manage": b"bWFuYWdlLTQy.w5Zt1JcXq8RfV3mYh0KsB7uNpLa2DgTiEo9yHkQvWxE",
        "since": b"on 3 October 2026",
    }
    return compiled.build(values)


def linted(data: bytes) -> float:
    """Seconds."""
    start = perf_counter()
    lint_mail(data)
    return perf_counter() - start


def parsed(data: bytes) -> float:
    """Seconds."""
    start = perf_counter()
    for part in message_from_bytes(data).walk():
        if part.get_content_type() == "text/html":
            HTMLParser().feed(bytes(part.get_payload(decode=True)).decode())
    return perf_counter() - start


def main() -> None:
    """Print the table."""
    data = a_mail()
    pairs = [(linted(data), parsed(data)) for _ in range(ROUNDS)]
    show(
        f"lint of {len(data) / 1000:.0f} KB beside parsing it",
        [one for one, _ in pairs],
        [other for _, other in pairs],
        reach="<= 8, and ours <= 0.050 s",
    )


if __name__ == "__main__":
    main()
