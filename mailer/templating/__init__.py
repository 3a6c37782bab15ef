"""Templates: our own and the operator's in front of them, from a digest to finished HTML and text.

A mail is a folder `email/<mail>/` of `subject.txt`, `body.html` and `body.txt`. Templates run in Jinja's sandbox,
what they show of others is escaped, and a name that isn't there is an error, not an empty place. Each mail has one
language; its own sentences are English, `_("…")`, and come out of that language's catalogue.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mailer.core.catalogue import faults, missing
from mailer.core.digest import Digest, Layout, lay_out
from mailer.core.live import Source, Stencil
from mailer.core.message import BODY_SLOTS
from mailer.core.note import lay_out_notice
from mailer.core.notice import Notice
from mailer.core.words import Words
from mailer.errors import TemplateError
from mailer.templating import catalogues, extraction
from mailer.templating.checking import SAMPLE, asked_for, asks_who_reads, complaints, reached
from mailer.templating.overrides import PARTS, Entry, Shelf, idle, our_folder, read_folder
from mailer.templating.press import Press
from mailer.templating.rendering import Rendered, Renderer
from mailer.templating.subject import make_subject

__all__ = ["Press", "Rendered", "Templates", "ThemeOptions"]


def _https_or_nothing(url: str) -> str:
    if url and not (urlsplit(url).scheme == "https" and urlsplit(url).netloc):
        raise ValueError("must be an https:// address, or '' for none: mail programs don't show other pictures")
    return url


class ThemeOptions(BaseModel):
    """The table [theme]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accent: str = Field(
        default="#0B5F6B",
        pattern=r"^#[0-9A-Fa-f]{6}$",
        description="Colour of links, as #RRGGBB. It is made darker or lighter until it can be read in light and dark.",
    )
    logo: Annotated[str, AfterValidator(_https_or_nothing)] = Field(
        default="",
        description="https address of a picture, shown 40 pixels high in place of the site's name. '' shows the name.",
    )
    templates: Path | None = Field(
        default=None,
        description="Folder whose files replace ours of the same name, such as email/digest/body.html; `mailer "
        "templates eject` copies ours there, docs/themes.md says what they are given. Sentences of its own are "
        "translated by locale/<language>/LC_MESSAGES/mailer.po in it.",
    )


class Templates:
    """The templates under one theme, all of it read and tried out at once.

    `warnings`: files of the theme that do nothing, a sentence each. Raises TemplateError, a line for each complaint
    with its file and line, where the operator's folder isn't there or one of its templates can't be a mail's.
    """

    def __init__(self, options: ThemeOptions) -> None:
        own = {} if options.templates is None else read_folder(options.templates)
        self._options = options
        self._shelf = Shelf(own.values())
        self._renderer = Renderer(self._shelf, accent=options.accent, logo=options.logo)
        self._own_catalogues = () if options.templates is None else (options.templates / "locale",)
        self._catalogues = (*self._own_catalogues, catalogues.OURS)
        self.languages = catalogues.tags(self._catalogues)
        self._words: dict[str, Words] = {}
        self._frozen_words: dict[str, tuple[str, ...]] = {}
        self.warnings: tuple[str, ...] = ()
        if own:
            self._check(own)

    def _check(self, own: Mapping[str, Source]) -> None:
        """Nothing is planned or sent with a theme that would fail half-way."""
        found = complaints(self._renderer, own, self.words(catalogues.SOURCE))
        if found:
            raise TemplateError("\n".join(found))
        used = {name for name in own if name in self._shelf.ours}
        self.warnings = tuple(idle(own.values(), reached(self._renderer, used or self._shelf.ours)))

    def words(self, language: str) -> Words:
        """The words of one of `languages`, or English. Raises TemplateError where its catalogue is broken."""
        if language not in self._words:
            known = language if language in self.languages else catalogues.SOURCE
            self._words[language] = catalogues.words_of(known, self._catalogues)
        return self._words[language]

    def untranslated(self, language: str) -> tuple[int, list[str]]:
        """How many sentences there are to say in a language, and what is wrong with how it says them: where, what.

        An operator's templates count, and their own catalogues. Raises TemplateError where a file can't be read.
        """
        own = self._options.templates
        ours = extraction.sentences_of_rules() + extraction.sentences_of_templates(our_folder())
        theirs = [] if own is None else extraction.sentences_of_templates(own)
        everything = {sentence.key: sentence for sentence in [*theirs, *ours]}
        read = {path: catalogues.read_catalogue(path) for path in catalogues.files(language, self._catalogues)}
        found = list(missing(read.values(), everything.values(), language))
        for path, catalogue in read.items():
            wanted = ours if path.is_relative_to(catalogues.OURS) else everything.values()
            found += faults(catalogue, wanted, str(path))
        return len(everything), found

    def render_digest(self, digest: Digest, *, mark: str) -> Rendered:
        """The digest as subject, HTML and text, with marks for the slots `leave`, `manage` and `since`.

        Raises TemplateError with file and line where a template is broken, Refused where an article has `mark` in it.
        """
        words = self.words(digest.language)
        page = lay_out(digest, words)
        if digest.subject:
            own = make_subject(digest.subject, page, len(digest.articles) + digest.more, digest.cadence)
            page = replace(page, subject=own or page.subject)
        reader = SAMPLE if self.live else None
        rendered = self._renderer.mail("digest", page, words, mark, reader)
        return replace(rendered, stencil=self._stencil(digest, page, mark)) if self.live else rendered

    def render_notice(self, notice: Notice, *, mark: str) -> Rendered:
        """A notice, as `render_digest` does a digest.

        Only `welcome`, `already` and `changed` have the reader's own slots, `moved` that for the preferences.
        """
        words = self.words(notice.language)
        page = lay_out_notice(notice, words)
        return self._renderer.mail(page.kind, page, words, mark)

    @cached_property
    def live(self) -> bool:
        """Whether the theme's digest asks who reads it, so that it is rendered for each reader."""
        return bool(self._shelf.own) and asks_who_reads(self._renderer, "digest")

    def inventory(self) -> list[Entry]:
        """Every template of a mail, ours or the operator's, by name."""
        own = {source.name: source for source in self._shelf.own}
        found = []
        for name in sorted({*own, *self._shelf.ours}):
            source, tree = reached(self._renderer, [name])[name]
            personal = tuple(sorted(asked_for(tree) & {*BODY_SLOTS, "reader"}))
            found.append(Entry(name, source.path, name in own, name in self._shelf.ours, personal))
        return found

    def _stencil(self, digest: Digest, page: Layout, mark: str) -> Stencil:
        """All that a digest's later copies are rendered from."""
        return Stencil(
            sources=self._sources,
            page=page,
            catalogues=self._binaries(page.language),
            accent=self._options.accent,
            logo=self._options.logo,
            mark=mark,
            cadence=digest.cadence,
            topics=dict(digest.topics),
        )

    @cached_property
    def _sources(self) -> tuple[Source, ...]:
        """All that a digest is made of."""
        names = [f"email/digest/{part}" for part in PARTS]
        return tuple(source for _, (source, _) in sorted(reached(self._renderer, names).items()))

    def _binaries(self, language: str) -> tuple[str, ...]:
        if language not in self._frozen_words:
            binaries = catalogues.binaries_of(language, self._catalogues)
            self._frozen_words[language] = tuple(b64encode(binary).decode("ascii") for binary in binaries)
        return self._frozen_words[language]
