"""From a batch of articles to the compiled mail that all its readers get."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Self

from mailer.core.cadence import Cadence
from mailer.core.digest import Digest, Site, headers_of
from mailer.core.message import Compiled, compile_mail
from mailer.core.selection import Batch
from mailer.core.subscription import mail_language
from mailer.store.editions import Variant
from mailer.templating import Rendered, Templates


@dataclass(frozen=True, slots=True)
class Composer:
    """What every mail is made from, besides its articles. `topics`: id to name."""

    site: Site
    topics: Mapping[str, str]
    templates: Templates

    def speak(self, wanted: str) -> str:
        """The language a reader's mail is written in."""
        return mail_language(wanted, self.site.language, self.templates.languages)


@dataclass(frozen=True, slots=True)
class Issue:
    """Which edition a mail belongs to. `nonce`: at least 32 hexadecimal digits that nobody could foresee.

    `intro`: the editor's words, Markdown, or ''.
    """

    cadence: str
    period: str
    covers: tuple[date, date]
    date: datetime
    nonce: str
    intro: str = ""

    @classmethod
    def of(cls, cadence: Cadence, due: datetime, now: datetime, nonce: str, intro: str = "") -> Self:
        """The edition of a due instant, written now. Where that is days later, it covers what came until today."""
        first, last = cadence.covers(due)
        today = now.astimezone(cadence.zone).date()
        late = today > due.astimezone(cadence.zone).date()
        return cls(cadence.name, cadence.period_of(due), (first, today if late else last), now, nonce, intro)


@dataclass(frozen=True, slots=True)
class Composed:
    """A finished variant, as people see it and as it is sent."""

    rendered: Rendered
    compiled: Compiled
    batch: Batch

    def variant(self) -> Variant:
        """As the ledger keeps it."""
        pick = self.batch.pick
        return Variant(
            window=self.batch.window,
            language=self.batch.language,
            articles=tuple(article.seq for article in pick.articles),
            more=pick.more,
            subject=self.rendered.subject,
            content=self.compiled.pack(),
            related=tuple(article.seq for article in self.batch.related),
        )


def compose(composer: Composer, batch: Batch, issue: Issue, *, number: int = 0, test: bool = False) -> Composed:
    """Render and compile one variant. `number`: of the variant within its edition. Raises TemplateError."""
    site = composer.site
    digest = Digest(
        site=site,
        cadence=issue.cadence,
        period=issue.period,
        covers=issue.covers,
        articles=batch.pick.articles,
        more=batch.pick.more,
        language=batch.language,
        topics=composer.topics,
        intro=issue.intro,
        related=batch.related,
    )
    mark = f"{issue.nonce[:24]}{number:08d}"
    rendered = composer.templates.render_digest(digest, mark=mark)
    compiled = compile_mail(
        headers=replace(headers_of(digest), feedback=(issue.period, issue.cadence, "test" if test else "digest")),
        subject=f"[Test] {rendered.subject}" if test else rendered.subject,
        html=rendered.html,
        text=rendered.text,
        mark=mark,
        date=issue.date,
        boundary=f"{issue.nonce[8:32]}.{number}",
    )
    return Composed(rendered, compiled, batch)
