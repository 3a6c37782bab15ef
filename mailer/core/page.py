"""The reader's pages, whatever is on them: whose they are, in which language, what they say and what can be pressed.

A page of one question and its answers is a `Step`; pages with a form of their own add to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from mailer.core.frame import Site, imprint_of
from mailer.core.link import web_address
from mailer.core.text import Direction, clean_text, first_strong
from mailer.core.words import Words

LONGEST_ADDRESS = 254


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence in the page's language and what goes into its places. `address`: what goes into %(address)s.

    An address has a field of its own since it is always set apart: it runs from left to right in every language.
    """

    sentence: str
    places: Mapping[str, str] = field(default_factory=dict)
    address: str = ""

    def __str__(self) -> str:
        return self.sentence % {**self.places, "address": self.address}


@dataclass(frozen=True, slots=True)
class Button:
    """A form of one button, which posts `fields` to the path `action`; '' is the page's own address.

    `kind`: 'main' is what the page is about, 'plain' something else, 'final' can't be undone.
    """

    label: str
    fields: Mapping[str, str]
    action: str = ""
    kind: Literal["main", "plain", "final"] = "main"
    focused: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A way on. `url`: a path, or absolute."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What every page shows besides its own matter. `title`: of the window, without the site's name.

    `frame`: it stands inside somebody else's page, so it has nothing around its box. `status`: of HTTP.
    """

    template: ClassVar[str] = "base"

    site_name: str
    site_url: str
    title: str
    tagline: str = ""
    imprint: tuple[str, ...] = ()
    language: str = "en"
    direction: Direction = "ltr"
    frame: bool = False

    @property
    def site_direction(self) -> Direction:
        return first_strong(self.site_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Sheet):
    """A question with a button, or what came of one. `said`: a paragraph each.

    `done`: something was done, so it is told as news (`role=status`).
    """

    template: ClassVar[str] = "step"

    heading: Said
    said: tuple[Said, ...] = ()
    buttons: tuple[Button, ...] = ()
    links: tuple[Link, ...] = ()
    done: bool = False


def sheet(site: Site, words: Words, title: str, *, wrong: bool = False, frame: bool = False) -> dict[str, Any]:
    """The fields of a Sheet that a site and a language decide. `wrong`: something was filled in that can't be."""
    name = clean_text(site.name)
    _ = words.catalogue.gettext
    return {
        "site_name": name,
        "site_url": web_address(site.url),
        "title": _("Error: %(title)s") % {"title": title} if wrong else title,
        "tagline": clean_text(site.tagline),
        "imprint": imprint_of(name, site.postal_address),
        "language": words.language,
        "direction": words.direction,
        "frame": frame,
    }


def step(site: Site, words: Words, heading: Said, *said: Said, frame: bool = False, **rest: Any) -> Step:
    """A Step whose heading is the window's title, too."""
    return Step(**sheet(site, words, str(heading), frame=frame), heading=heading, said=said, **rest)


def shown_address(address: str) -> str:
    """An address as it was typed, fit to be shown: one line, nothing hidden, nothing that turns what stands around."""
    return clean_text(address, LONGEST_ADDRESS)


def cut_link(site: Site, words: Words) -> Step:
    """A link that isn't genuine: cut off or changed on its way."""
    _ = words.catalogue.gettext
    return step(
        site,
        words,
        Said(_("This link doesn't work")),
        Said(_("Perhaps a piece of it was lost. Open it in the mail once more, or copy all of it.")),
        links=(to_site(site, words),),
    )


def to_site(site: Site, words: Words) -> Link:
    """The way back to the publication."""
    _ = words.catalogue.gettext
    return Link(_("Go to %(site)s") % {"site": clean_text(site.name)}, web_address(site.url))
