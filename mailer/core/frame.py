"""What stands around every mail: whose it is, in which language, why it comes and who sends it."""

from dataclasses import dataclass
from typing import Any

from mailer.core.link import web_address
from mailer.core.script import script_of
from mailer.core.sentences import why
from mailer.core.text import Direction, clean_text, first_strong
from mailer.core.words import Words, cadence_name


@dataclass(frozen=True, slots=True)
class Site:
    """The publication a mail speaks for, as its settings say. URLs are absolute, without a trailing slash.

    `archive`: whether its editions are listed at `public_url`/editions.
    """

    name: str
    url: str
    from_name: str
    from_address: str
    public_url: str
    list_id: str
    tagline: str = ""
    reply_to: str = ""
    postal_address: str = ""
    language: str = "en"
    accent: str = "#0B5F6B"
    logo: str = ""
    archive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every mail shows besides its own matter: texts cleaned and cut, URLs ASCII, nothing left to decide.

    `language`, `direction`, `script`: of our own words. `label`: 'Weekly'. `why`: why the reader gets this, with places
    for %(date)s and %(cadence)s; `cadence` is the name that goes there. `imprint`: who sends this and from where, in
    lines. `preheader`: what an inbox shows behind the subject.
    """

    site_name: str
    site_url: str
    public_url: str
    label: str
    cadence: str
    why: str
    imprint: tuple[str, ...]
    language: str = "en"
    direction: Direction = "ltr"
    script: str = ""
    site_script: str = ""
    preheader: str = ""

    @property
    def name(self) -> str:
        """What a screen reader calls the mail."""
        return f"{self.site_name}, {self.label}"

    @property
    def scripts(self) -> frozenset[str]:
        """The scripts that need fonts of their own."""
        return frozenset({self.script, self.site_script}) - {""}

    @property
    def site_direction(self) -> Direction:
        return first_strong(self.site_name)


def frame_of(site: Site, cadence: str, words: Words) -> dict[str, Any]:
    """The fields of a Frame that a site, a cadence and a language decide."""
    name = clean_text(site.name)
    return {
        "site_name": name,
        "site_url": web_address(site.url),
        "public_url": site.public_url,
        "label": words.label(cadence),
        "cadence": cadence_name(cadence),
        "why": why(words, cadence),
        "imprint": imprint_of(name, site.postal_address),
        "language": words.language,
        "direction": words.direction,
        "script": words.script,
        "site_script": script_of(name, site.language),
    }


def imprint_of(name: str, postal_address: str) -> tuple[str, ...]:
    """The postal address in lines, after the site's name where it doesn't begin with that itself."""
    lines = tuple(filter(None, map(clean_text, postal_address.splitlines())))
    return lines if lines and lines[0].startswith(name) else (name, *lines)
