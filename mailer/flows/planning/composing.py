"""From a batch of articles to the compiled mail that all its readers get."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Self

from mailer.core.cadence import Cadence
from mailer.core.digest import Digest, Site, headers_of
from mailer.core.edition_page import edition_path
from mailer.core.live import Live
from mailer.core.message import Compiled, Headers, compile_mail
from mailer.core.selection import Batch
from mailer.core.size import LARGEST, WARNING, octets
from mailer.core.subscription import mail_language
from mailer.errors import TooLarge
from mailer.store.editions import Variant
from mailer.templating import Press, Rendered, Templates

PRESS = Press()
"""Copies to look at come off it, as those that are sent come off the sender's."""


@dataclass(frozen=True, slots=True)
class Composer:
    """What every mail is made from, besides its articles. `topics`: id to name. `related`: how many, at most.

    `slower`: by cadence, those that come less often, the nearest first.
    """

    site: Site
    topics: Mapping[str, str]
    templates: Templates
    related: int = 0
    slower: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def speak(self, wanted: str) -> str:
        """The language a reader's mail is written in."""
        return mail_language(wanted, self.site.language, self.templates.languages)

    def without_related(self) -> Self:
        """The same for a look at what goes to whom: no mail is composed, so nobody asks what is related."""
        return replace(self, related=0)


@dataclass(frozen=True, slots=True)
class Issue:
    """Which edition a mail belongs to. `nonce`: at least 32 hexadecimal digits that nobody could foresee.

    `intro`: the editor's words, Markdown, or ''. `subject`: the operator's template for it, or ''.
    """

    cadence: str
    period: str
    covers: tuple[date, date]
    date: datetime
    nonce: str
    intro: str = ""
    subject: str = ""

    @classmethod
    def of(cls, cadence: Cadence, due: datetime, now: datetime, nonce: str, intro: str = "") -> Self:
        """The edition of a due instant, written now."""
        return cls(cadence.name, cadence.period_of(due), cadence.covered(due, now), now, nonce, intro, cadence.subject)


@dataclass(frozen=True, slots=True)
class Composed:
    """A finished variant, as people see it and as it is sent.

    `batch`: its articles, those left out to keep it short among those `over`. `size`: octets of the HTML part in a
    reader's copy. `dropped`: how many articles were left out for that. `content`: what copies are made from; of a live
    mail, `rendered` and `size` are a sample reader's.
    """

    rendered: Rendered
    content: Compiled | Live
    batch: Batch
    size: int = 0
    dropped: int = 0
    number: int = 0

    @property
    def warning(self) -> str:
        """What to know of its size, a sentence; '' where it is well below what mail programs show."""
        kilobytes = f"{self.size / 1000:.0f} KB"
        if self.dropped:
            count = "1 article was" if self.dropped == 1 else f"{self.dropped} articles were"
            return f"{count} left to 'and more on the site', or the HTML part would be too large; it has {kilobytes}."
        if self.size > WARNING:
            return (
                f"The HTML part has {kilobytes}; over {LARGEST // 1000} KB it is shortened, over 102 KB Gmail cuts it."
            )
        return ""

    def variant(self) -> Variant:
        """As the ledger keeps it."""
        pick = self.batch.pick
        return Variant(
            window=self.batch.window,
            language=self.batch.language,
            articles=tuple(article.seq for article in pick.articles),
            more=pick.more,
            subject=self.rendered.subject,
            content=self.content.pack(),
            related=tuple(article.seq for article in self.batch.related),
            number=self.number,
            over=pick.over,
        )


def compose(composer: Composer, batch: Batch, issue: Issue, *, number: int = 0, test: bool = False) -> Composed:
    """Render and compile one variant, not larger than mail programs show. `number`: of the variant in its edition.

    Raises TemplateError.
    """
    mark = f"{issue.nonce[:24]}{number:08d}"
    digest = Digest(
        site=composer.site,
        cadence=issue.cadence,
        period=issue.period,
        covers=issue.covers,
        articles=batch.pick.articles,
        more=batch.pick.more,
        language=batch.language,
        topics=composer.topics,
        intro=issue.intro,
        related=batch.related,
        subject=issue.subject,
        web_url=f"{composer.site.public_url}{edition_path(issue.cadence, issue.period, number)}",
        slower=composer.slower.get(issue.cadence, ()),
    )
    digest, rendered = _fitting(composer.templates, digest, mark)
    content = _content(
        rendered,
        replace(headers_of(digest), feedback=(issue.period, issue.cadence, "test" if test else "digest")),
        prefix="[Test] " if test else "",
        mark=mark,
        date=issue.date,
        boundary=f"{issue.nonce[8:32]}.{number}",
    )
    left_out = tuple(article.seq for article in batch.pick.articles[len(digest.articles) :])
    pick = replace(batch.pick, articles=digest.articles, more=digest.more, over=left_out + batch.pick.over)
    shown = replace(batch, pick=pick, related=digest.related)
    return Composed(rendered, content, shown, octets(rendered.html, mark), len(left_out), number)


def _content(
    rendered: Rendered, headers: Headers, *, prefix: str, mark: str, date: datetime, boundary: str
) -> Compiled | Live:
    """What the copies of a rendered mail are made from."""
    if rendered.stencil is not None:
        return Live(rendered.stencil, headers, date, boundary, prefix)
    return compile_mail(
        headers=headers,
        subject=prefix + rendered.subject,
        html=rendered.html,
        text=rendered.text,
        mark=mark,
        date=date,
        boundary=boundary,
    )


def _fitting(templates: Templates, digest: Digest, mark: str) -> tuple[Digest, Rendered]:
    """The digest with as many of its articles as fit, the others counted in `more`, and how it looks.

    Where not even the lead fits, the related articles go, too.
    """
    rendered = _within(templates, digest, mark)
    if rendered is not None:
        return digest, rendered
    for whole in (digest, replace(digest, related=())):
        found = None
        fits, over = 0, len(whole.articles) + (not whole.related)
        while over - fits > 1:
            count = (fits + over) // 2
            shorter = replace(whole, articles=whole.articles[:count], more=whole.more + len(whole.articles) - count)
            rendered = _within(templates, shorter, mark)
            if rendered is None:
                over = count
            else:
                fits, found = count, (shorter, rendered)
        if found:
            return found
    return shorter, templates.render_digest(shorter, mark=mark)


def _within(templates: Templates, digest: Digest, mark: str) -> Rendered | None:
    """How the digest looks, where that is not too large to be shown."""
    try:
        rendered = templates.render_digest(digest, mark=mark)
    except TooLarge:
        return None
    return rendered if octets(rendered.html, mark) <= LARGEST else None
