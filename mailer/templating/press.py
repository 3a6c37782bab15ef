"""A reader's copy of any variant: one that is compiled is filled in, a live one is rendered for them."""

from base64 import b64decode
from functools import lru_cache

from mailer.core.delivery import Claimed
from mailer.core.live import Live, Reader, Source
from mailer.core.message import Compiled, Mail, compile_mail
from mailer.core.personal import Stationery
from mailer.core.subscription import Subscriber
from mailer.core.words import Words
from mailer.templating import catalogues
from mailer.templating.overrides import Shelf
from mailer.templating.rendering import Renderer

_KEPT = 8  # themes and languages at hand


class Press:
    """Writes copies. It needs no settings: everything that a copy is made of is frozen with its variant."""

    def write(
        self, stationery: Stationery, item: Claimed, content: Compiled | Live, known: Subscriber | None = None
    ) -> Mail:
        """The mail of a delivery. `known`: its reader, for a live variant.

        Raises InputError where the address can't stand in a header, TemplateError and Refused where the theme fails on
        this reader.
        """
        if isinstance(content, Live):
            content = self.compile(content, stationery.reader(item, known, content))
        return stationery.write(item, content)

    def compile(self, live: Live, reader: Reader) -> Compiled:
        """A live mail for one reader, with the slots still open."""
        stencil = live.stencil
        rendered = _renderer(stencil.sources, stencil.accent, stencil.logo).mail(
            "digest", stencil.page, _words(live.language, stencil.catalogues), stencil.mark, reader
        )
        return compile_mail(
            headers=live.headers,
            subject=live.prefix + rendered.subject,
            html=rendered.html,
            text=rendered.text,
            mark=stencil.mark,
            date=live.date,
            boundary=live.boundary,
        )


@lru_cache(maxsize=_KEPT)
def _renderer(sources: tuple[Source, ...], accent: str, logo: str) -> Renderer:
    return Renderer(Shelf(sources, with_ours=False), accent=accent, logo=logo)


@lru_cache(maxsize=_KEPT)
def _words(language: str, binaries: tuple[str, ...]) -> Words:
    return catalogues.words_from(language, tuple(map(b64decode, binaries)))
