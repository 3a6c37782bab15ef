"""Sentences in templates: `_("…")` and `{% trans %}` in the mail's language, and places filled with what others wrote.

One set of functions serves all languages: each looks up the words that the mail is being rendered with.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

from mailer.core.text import first_strong
from mailer.core.words import Words
from mailer.templating.sandbox import check_places


def install(environment: SandboxedEnvironment) -> None:
    """Give templates `_`, `gettext`, `ngettext`, `pgettext`, `npgettext`, `{% trans %}` and the filter `fill`.

    A render must have `words` (core.words.Words) in its context, and under `marks` what stands for later values.
    """
    environment.add_extension("jinja2.ext.i18n")
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension's own attribute
    environment.globals |= {
        "_": _gettext,
        "gettext": _gettext,
        "ngettext": _ngettext,
        "pgettext": _pgettext,
        "npgettext": _npgettext,
    }
    environment.filters["fill"] = _fill


@pass_context
def _fill(context: Context, sentence: str, **values: object) -> str:
    """A translated sentence with its places filled. Numbers and lists are written as the language does.

    In HTML, text is escaped, and what runs the other way stands in a span of its own (look.md §3).
    """
    words: Words = context["words"]
    check_places(sentence, values)
    if context.eval_ctx.autoescape:
        return Markup(sentence) % {key: _in_html(context, words, value) for key, value in values.items()}  # noqa: S704 a catalogue's own sentence; `messages check` finds markup in it
    return sentence % _in_text(words, values)


@pass_context
def _gettext(context: Context, message: str, /, **values: object) -> str:
    words: Words = context["words"]
    return _fill(context, words.catalogue.gettext(message), **values)


@pass_context
def _ngettext(context: Context, one: str, many: str, num: int, /, **values: object) -> str:
    words: Words = context["words"]
    return _fill(context, words.catalogue.ngettext(one, many, num), **{"num": num, **values})


@pass_context
def _pgettext(context: Context, about: str, message: str, /, **values: object) -> str:
    words: Words = context["words"]
    return _fill(context, str(words.catalogue.pgettext(about, message)), **values)


@pass_context
def _npgettext(context: Context, about: str, one: str, many: str, num: int, /, **values: object) -> str:
    words: Words = context["words"]
    return _fill(context, str(words.catalogue.npgettext(about, one, many, num)), **{"num": num, **values})


def _in_text(words: Words, values: Mapping[str, object]) -> dict[str, Any]:
    return {
        key: words.listed(tuple(map(str, value))) if isinstance(value, tuple) else _number(words, value)
        for key, value in values.items()
    }


def _in_html(context: Context, words: Words, value: object) -> object:
    if isinstance(value, tuple):
        return Markup(words.listed(tuple(str(_in_html(context, words, name)) for name in value)))  # noqa: S704 each was escaped
    plain = _number(words, value)
    if not isinstance(plain, str) or isinstance(plain, Markup) or plain in context.get("marks", ()):
        return plain
    direction = first_strong(plain)
    if direction == words.direction:
        return escape(plain)
    return Markup('<span dir="{}">{}</span>').format(direction, plain)


def _number(words: Words, value: object) -> object:
    return words.number(value) if isinstance(value, int) and not isinstance(value, bool) else value
