"""From a page, its words and a set of templates to the finished subject, HTML and text of one mail."""

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from css_inline import CSSInliner, InlineError
from jinja2 import TemplateNotFound, TemplateSyntaxError, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context

from mailer.core.colour import DARK, LIGHT, with_accent
from mailer.core.frame import Frame
from mailer.core.live import Reader, Stencil
from mailer.core.message import BODY_SLOTS, slot_mark
from mailer.core.text import COLUMNS, clean_text, columns, first_strong, wrap
from mailer.core.words import Words, date_in_words
from mailer.errors import Refused, TemplateError, TooLarge
from mailer.templating import sentences
from mailer.templating.overrides import Shelf
from mailer.templating.sandbox import MARGIN, Endless, Sandbox, nearest_filter, one_mail

# An opening tag as css-inline writes it: values in double quotes, where it leaves < and > bare. HTML allows that,
# but mail programs cut at conditional comments and filters at tags wherever they see one.
_TAG = re.compile(r"<([a-z][a-z0-9]*)((?:\s+[^\s=\"<>]+(?:=\"[^\"]*\")?)+)\s*>")
_INLINER = CSSInliner(
    keep_style_tags=True,
    remove_inlined_selectors=True,
    keep_at_rules=True,
    load_remote_stylesheets=False,
    minify_css=True,
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail before it is compiled. `html` and `text` have `slot_mark`s where a reader's own values go.

    `stencil`: what to render anew for each reader, where the theme asks who reads; then the rest is for a sample
    reader. None where all readers get the same.
    """

    subject: str
    preheader: str
    html: str
    text: str
    stencil: Stencil | None = None


class Renderer:
    """A set of templates and the colours they are shown in."""

    def __init__(self, shelf: Shelf, *, accent: str, logo: str) -> None:
        self.shelf = shelf
        self.environment = Sandbox(shelf)
        self.environment.add_filters(wrap=_wrap, direction=first_strong)
        sentences.install(self.environment)
        self._theme = {"light": with_accent(LIGHT, accent), "dark": with_accent(DARK, accent), "logo": logo}

    def mail(self, kind: str, page: Frame, words: Words, mark: str, reader: Reader | None = None) -> Rendered:
        """The mail of a kind, 'digest', with marks for the slots `leave`, `manage` and `since`.

        `reader`: who it is for, where one is to be known. Raises TemplateError with file and line, Refused where what
        others wrote has `mark` in it.
        """
        # An article that could foresee the mark could place another reader's link; a new mark ends that.
        if mark.casefold() in f"{page!r}{reader!r}".casefold():
            raise Refused("This mail's content has the mark of a reader's values in it; compile with another mark.")
        with one_mail():
            context = self.context(page, words, mark, reader)
            context["subject"] = clean_text(self.part(f"email/{kind}/subject.txt", context))
            return Rendered(
                subject=context["subject"],
                preheader=page.preheader,
                html=_inlined(f"email/{kind}/body.html", self.part(f"email/{kind}/body.html", context)),
                text=_tidy(self.part(f"email/{kind}/body.txt", context)),
            )

    def context(self, page: Frame, words: Words, mark: str, reader: Reader | None) -> dict[str, Any]:
        """What templates are given. Without a reader the name isn't there."""
        slots = {slot: slot_mark(mark, slot) for slot in BODY_SLOTS}
        known = {} if reader is None else {"reader": reader}
        return {
            **self._theme,
            "page": page,
            "words": words,
            "mark": mark,
            "marks": tuple(slots.values()),
            **slots,
            **known,
        }

    def part(self, name: str, context: Mapping[str, Any]) -> str:
        """One template. Raises TemplateError with its file and line, TooLarge where it may be due to what it shows."""
        try:
            return self.environment.get_template(name).render(context)
        except Endless as error:
            raise TooLarge(f"{self.sentence(error, name)}.") from error
        except Exception as error:  # an operator's template may raise anything
            raise TemplateError(f"{self.sentence(error, name)}.") from error

    def sentence(self, error: Exception, name: str) -> str:
        """Where a template is wrong, and how."""
        if isinstance(error, TemplateSyntaxError):
            message = str(error.message).rstrip(".")
            near = nearest_filter(message, self.environment.filters)
            return f"{error.filename or name}, line {error.lineno}: {message}{near}"
        source = self.shelf.find(name)
        place = self._place(error) or (source.path if source else name)
        if isinstance(error, TemplateNotFound):
            return f"{place}: there is no template '{error.name}'"
        if isinstance(error, RecursionError):
            return f"{place}: it goes too deep: does it include or call itself, or has it many brackets in each other?"
        if isinstance(error, SecurityError):
            return f"{place}: {str(error).rstrip('.')}"
        return f"{place}: {str(error).rstrip('.') or type(error).__name__}"

    def _place(self, error: Exception) -> str:
        """The template's file and line where it went wrong: the last of them on the way."""
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if frame.filename in self.shelf.paths]
        return f"{ours[-1].filename}, line {ours[-1].lineno}" if ours else ""


def _inlined(name: str, html: str) -> str:
    try:
        html = _INLINER.inline(html)
    except InlineError as error:
        raise TemplateError(f"{name}: its style can't be put into the elements: {error}.") from error
    html = _TAG.sub(lambda tag: f"<{tag[1]}{tag[2].replace('<', '&lt;').replace('>', '&gt;')}>", html)
    return "\n".join(filter(None, map(str.strip, html.split("\n")))) + "\n"


@pass_context
def _wrap(context: Context, text: str, first: str = "", rest: str = "") -> str:
    """Lines of at most 72 columns. A date that comes later takes as much room as the longest date."""
    if max(len(first), len(rest)) > MARGIN:
        raise SecurityError(f"wrap takes at most {MARGIN} characters before a line")
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
