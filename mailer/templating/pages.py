"""The reader's pages: from a frozen value of core to a whole HTML document, in the reader's language.

Every page holds one inline `<style>`, the same on all of them, and nothing else that a Content-Security-Policy would
have to allow: no script, no picture, no font, no style attribute. `style_hash` is what allows it.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from jinja2 import FileSystemLoader
from markupsafe import Markup

from mailer.core.colour import DARK, LIGHT, with_accent
from mailer.core.edition_archive import ArchivePage, lay_out_archive
from mailer.core.edition_page import EditionPage, NoEdition, lay_out_edition, lay_out_no_edition
from mailer.core.error_page import ErrorPage, lay_out_error
from mailer.core.frame import Site
from mailer.core.leaving_page import UnsubscribePage, lay_out_unsubscribe
from mailer.core.page import Sheet
from mailer.core.preference_page import PreferencePage, lay_out_preferences
from mailer.core.reader_page import (
    AddressPage,
    ConfirmPage,
    ErasePage,
    InsteadPage,
    NeverPage,
    lay_out_address,
    lay_out_confirm,
    lay_out_erase,
    lay_out_instead,
    lay_out_never,
)
from mailer.core.signup_page import SignupDone, SignupPage, lay_out_signup, lay_out_signup_done
from mailer.core.words import Words
from mailer.templating import sentences
from mailer.templating.overrides import our_folder
from mailer.templating.sandbox import Sandbox, one_mail

Page = (
    SignupPage
    | SignupDone
    | ConfirmPage
    | NeverPage
    | UnsubscribePage
    | PreferencePage
    | InsteadPage
    | AddressPage
    | ErasePage
    | EditionPage
    | NoEdition
    | ArchivePage
    | ErrorPage
)

_LAYOUTS: dict[type, Callable[[Any, Site, Words], Sheet]] = {
    SignupPage: lay_out_signup,
    SignupDone: lay_out_signup_done,
    ConfirmPage: lay_out_confirm,
    NeverPage: lay_out_never,
    UnsubscribePage: lay_out_unsubscribe,
    PreferencePage: lay_out_preferences,
    InsteadPage: lay_out_instead,
    AddressPage: lay_out_address,
    ErasePage: lay_out_erase,
    EditionPage: lay_out_edition,
    NoEdition: lay_out_no_edition,
    ArchivePage: lay_out_archive,
    ErrorPage: lay_out_error,
}
"""One more page is one more line here, with a template `web/reader/<its sheet's template>.html`."""


class Pages:
    """The pages of a site. `words`: the words of a language, as `Templates.words` gives them.

    `style_hash`: of the style, as a policy names it: 'sha256-…', without quotation marks.
    """

    def __init__(self, site: Site, words: Callable[[str], Words]) -> None:
        self._site = site
        self._words = words
        self._environment = Sandbox(FileSystemLoader(our_folder()))
        sentences.install(self._environment)
        theme = {"light": with_accent(LIGHT, site.accent), "dark": with_accent(DARK, site.accent)}
        style = self._environment.get_template("web/reader/style.css").render(theme)
        self._style = Markup(_tightened(style))  # noqa: S704 our own file and colours that were checked
        self.style_hash = f"sha256-{b64encode(sha256(self._style.encode()).digest()).decode('ascii')}"

    def render(self, page: Page, language: str) -> str:
        """A whole document in one of the languages there are words in, else in English."""
        words = self._words(language)
        return self.show(_LAYOUTS[type(page)](page, self._site, words), words)

    def show(self, sheet: Sheet, words: Words) -> str:
        """A page that was laid out."""
        template = self._environment.get_template(f"web/reader/{sheet.template}.html")
        with one_mail():
            return template.render(page=sheet, words=words, style=self._style)


def _tightened(style: str) -> str:
    """Without comments, indents and breaks."""
    return " ".join(re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL).split())
