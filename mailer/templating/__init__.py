"""Templates: our own and the operator's in front of them, from a digest to finished HTML and text.

A mail is a folder `email/<mail>/` of `subject.txt`, `body.html` and `body.txt`. Templates run in Jinja's sandbox,
what they show of others is escaped, and a name that isn't there is an error, not an empty place. Each mail has one
language; its own sentences are English, `_("…")`, and come out of that language's catalogue.
"""

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from css_inline import CSSInliner, InlineError
from jinja2 import FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mailer.core.catalogue import faults, missing
from mailer.core.colour import DARK, LIGHT, with_accent
from mailer.core.digest import Digest, lay_out
from mailer.core.frame import Frame
from mailer.core.message import BODY_SLOTS, slot_mark
from mailer.core.notice import Notice, lay_out_notice
from mailer.core.text import COLUMNS, clean_text, columns, first_strong, wrap
from mailer.core.words import Words, date_in_words
from mailer.errors import Refused, TemplateError
from mailer.templating import catalogues, extraction, sentences
from mailer.templating.subject import make_subject

# An opening tag as css-inline writes it: values in double quotes, where it leaves < and > bare. HTML allows that,
# but mail programs cut at conditional comments and filters at tags wherever they see one.
_TAG = re.compile(r"<([a-z][a-z0-9]*)((?:\s+[^\s=\"<>]+(?:=\"[^\"]*\")?)+)\s*>")


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
        description="Folder whose files replace ours of the same name, such as email/digest/body.html. Sentences of "
        "its own are translated by locale/<language>/LC_MESSAGES/mailer.po in it.",
    )


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail before it is compiled. `html` and `text` have `slot_mark`s where a reader's own values go."""

    subject: str
    preheader: str
    html: str
    text: str


class Templates:
    """The templates under one theme. Raises TemplateError where the operator's folder isn't there."""

    def __init__(self, options: ThemeOptions) -> None:
        folders = [_our_folder()]
        if options.templates is not None:
            if not options.templates.is_dir():
                raise TemplateError(f"theme.templates: {options.templates} is not a folder.")
            folders.insert(0, options.templates)
        self._folders = tuple(folders)
        self._catalogues = (*(folder / "locale" for folder in folders[:-1]), catalogues.OURS)
        self.languages = catalogues.tags(self._catalogues)
        self._words: dict[str, Words] = {}
        self._theme = {
            "light": with_accent(LIGHT, options.accent),
            "dark": with_accent(DARK, options.accent),
            "logo": options.logo,
        }
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folders),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"wrap": _wrap, "direction": first_strong}
        sentences.install(self._environment)
        self._inliner = CSSInliner(
            keep_style_tags=True,
            remove_inlined_selectors=True,
            keep_at_rules=True,
            load_remote_stylesheets=False,
            minify_css=True,
        )

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
        own = [folder for folder in self._folders if folder != _our_folder()]
        ours = extraction.sentences_of_rules() + extraction.sentences_of_templates(_our_folder())
        theirs = [sentence for folder in own for sentence in extraction.sentences_of_templates(folder)]
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
        return self._mail("digest", page, words, mark)

    def render_notice(self, notice: Notice, *, mark: str) -> Rendered:
        """A notice, as `render_digest` does a digest. Only `welcome` and `changed` have the reader's own slots."""
        words = self.words(notice.language)
        page = lay_out_notice(notice, words)
        return self._mail(page.kind, page, words, mark)

    def _mail(self, folder: str, page: Frame, words: Words, mark: str) -> Rendered:
        # An article that could foresee the mark could place another reader's link; a new mark ends that.
        if mark.casefold() in repr(page).casefold():
            raise Refused("This mail's content has the mark of a reader's values in it; compile with another mark.")
        slots = {slot: slot_mark(mark, slot) for slot in BODY_SLOTS}
        context = {**self._theme, "page": page, "words": words, "mark": mark, "marks": tuple(slots.values()), **slots}
        subject = clean_text(self._render(f"email/{folder}/subject.txt", context))
        context["subject"] = subject
        return Rendered(
            subject=subject,
            preheader=page.preheader,
            html=self._inlined(f"email/{folder}/body.html", context),
            text=_tidy(self._render(f"email/{folder}/body.txt", context)),
        )

    def _render(self, name: str, context: Mapping[str, Any]) -> str:
        try:
            return self._environment.get_template(name).render(context)
        except TemplateSyntaxError as error:
            raise TemplateError(f"{error.filename or name}, line {error.lineno}: {error.message}.") from error
        except TemplateNotFound as error:
            raise TemplateError(
                f"{name}: there is no template {error.name!r} in {self._folders_in_words()}."
            ) from error
        except Exception as error:  # an operator's template may raise anything
            raise TemplateError(f"{self._place(error) or name}: {error}.") from error

    def _inlined(self, name: str, context: Mapping[str, Any]) -> str:
        try:
            html = self._inliner.inline(self._render(name, context))
        except InlineError as error:
            raise TemplateError(f"{name}: its style can't be put into the elements: {error}.") from error
        html = _TAG.sub(lambda tag: f"<{tag[1]}{tag[2].replace('<', '&lt;').replace('>', '&gt;')}>", html)
        return "\n".join(filter(None, map(str.strip, html.split("\n")))) + "\n"

    def _place(self, error: Exception) -> str:
        """The template's file and line where it went wrong: the last of them on the way."""
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if any(Path(frame.filename).is_relative_to(f) for f in self._folders)]
        return f"{ours[-1].filename}, line {ours[-1].lineno}" if ours else ""

    def _folders_in_words(self) -> str:
        return " or ".join(map(str, self._folders))


def _our_folder() -> Path:
    """Inside the package in a wheel, at the top of the tree in a checkout."""
    here = Path(__file__).parent.parent
    inside = here / "templates"
    return inside if inside.is_dir() else here.parent / "templates"


@pass_context
def _wrap(context: Context, text: str, first: str = "", rest: str = "") -> str:
    """Lines of at most 72 columns. A date that comes later takes as much room as the longest date."""
    since, stand_in = context["since"], "\x00" * _longest_date(context["words"].language)
    return wrap(text.replace(since, stand_in), COLUMNS, first=first, rest=rest).replace(stand_in, since)


@lru_cache(maxsize=64)
def _longest_date(language: str) -> int:
    """The columns of the longest date of a year."""
    return max(columns(date_in_words(date(2026, month, 28), language)) for month in range(1, 13))


def _tidy(text: str) -> str:
    """No space at a line's end, no two blank lines in a row."""
    lines = "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"
