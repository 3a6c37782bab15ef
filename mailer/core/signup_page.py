"""The form where a visitor subscribes, on a page of its own or in a frame, and what it says afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from mailer.core import page_sentences
from mailer.core.cadence import Cadence
from mailer.core.frame import Site
from mailer.core.link import web_address
from mailer.core.page import Link, Said, Sheet, Step, sheet, shown_address, step
from mailer.core.text import clean_text
from mailer.core.time_zone import zones
from mailer.core.words import Words, cadence_name

RADIOS = 5
"""Up to so many choices stand below each other; more are a list to open (look.md §7)."""
_NAME = 40  # characters of a topic's name


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupPage:
    """The form. What was typed comes back in it: `email`, `cadence`, `chosen` topics, `timezone`.

    `cadences`: those offered, in order. `cadence`: the name of the one that is ticked; '' is none. `topics`: id to
    name. `form_time`: signed text, handed back as it is. `what`: the operator's sentence on what arrives.
    `site_timezone`: where it is given, the form asks for a time zone and '' means that one; else `timezone` is handed
    back unseen. `errors`: a field, or 'form', to a code of `page_sentences.mistake`. `action`: where it is posted.
    """

    cadences: tuple[Cadence, ...]
    form_time: str
    cadence: str = ""
    email: str = ""
    topics: Mapping[str, str] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    timezone: str = ""
    site_timezone: str = ""
    what: str = ""
    privacy_url: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    frame: bool = False
    action: str = "/subscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupDone:
    """What is said to every visitor, whatever is known of the address. `email`: as it was typed.

    `first`: when the first digest would come, in the time zone it shall be read in. `again_url`: back to the form.
    """

    email: str
    cadence: str
    first: datetime
    again_url: str = "/subscribe"
    frame: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A pace: `name` as the settings have it, 'Weekly', and when it comes."""

    name: str
    label: str
    sentence: str
    checked: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One of a list: what is posted and what is read."""

    value: str
    label: str
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupForm(Sheet):
    """A SignupPage as it is shown. `errors`: field to sentence. `focus`: the field to begin at, or ''."""

    template: ClassVar[str] = "signup"

    heading: Said
    what: Said
    action: str
    form_time: str
    email: str
    choices: tuple[Choice, ...]
    radios: bool
    topics: tuple[Option, ...]
    timezone: str
    zones: tuple[Option, ...]
    privacy_url: str
    errors: Mapping[str, str]
    focus: str


def lay_out_signup(page: SignupPage, site: Site, words: Words) -> SignupForm:
    """The form in a language."""
    _ = words.catalogue.gettext
    name = clean_text(site.name)
    heading = Said(_("Stay updated with %(site)s"), {"site": name})
    what = Said("%(what)s", {"what": clean_text(page.what)}) if page.what.strip() else None
    return SignupForm(
        **sheet(site, words, str(heading), wrong=bool(page.errors), frame=page.frame),
        heading=heading,
        what=what or Said(_("What is new on %(site)s, in your inbox."), {"site": name}),
        action=page.action,
        form_time=page.form_time,
        email=shown_address(page.email),
        choices=choices_of(page.cadences, page.cadence, words),
        radios=len(page.cadences) <= RADIOS,
        topics=options_of(page.topics, page.chosen),
        timezone=page.timezone,
        zones=zone_options(page.timezone, page.site_timezone, words) if page.site_timezone else (),
        privacy_url=web_address(page.privacy_url),
        errors={name: page_sentences.mistake(words, code) for name, code in page.errors.items()},
        focus=next((name for name in ("email", "cadence", "topics", "timezone", "form") if name in page.errors), ""),
    )


def lay_out_signup_done(page: SignupDone, site: Site, words: Words) -> Step:
    """What to do now, what comes then, and what to do if nothing comes."""
    _ = words.catalogue.gettext
    name = clean_text(site.name)
    then = {"date": words.day(page.first), "time": words.clock(page.first), "cadence": cadence_name(page.cadence)}
    return step(
        site,
        words,
        Said(_("One step left: check your inbox")),
        Said(
            _("Look for a mail from %(site)s at %(address)s and press Confirm subscription."),
            {"site": name},
            shown_address(page.email),
        ),
        Said(page_sentences.then_first(words, page.cadence), then),
        Said(no_mail(words)),
        links=(Link(_("Try again"), page.again_url),),
        frame=page.frame,
        done=True,
    )


def no_mail(words: Words) -> str:
    """What it may be when a confirmation doesn't come: true for everyone, so that it tells nothing of an address."""
    return words.catalogue.gettext(
        "No mail in ten minutes? Look in spam or try again. "
        "If you get it already, or asked us never to write, none may come."
    )


def wording(page: SignupPage, site: Site, words: Words) -> str:
    """What a visitor reads before they press, line by line: the proof of what they agreed to."""
    _ = words.catalogue.gettext
    form = lay_out_signup(page, site, words)
    choices = (f"{choice.label}: {choice.sentence}" for choice in form.choices)
    lines = (
        form.heading,
        form.what,
        _("How often would you like updates?"),
        *choices,
        _("We respect your privacy and send nothing else. Unsubscribe at any time."),
        form.privacy_url,
    )
    return "\n".join(filter(None, map(str, lines)))


def choices_of(cadences: tuple[Cadence, ...], chosen: str, words: Words) -> tuple[Choice, ...]:
    """The paces offered, each with when it comes."""
    return tuple(
        Choice(one.name, words.label(one.name), page_sentences.when_sentence(one, words), one.name == chosen)
        for one in cadences
    )


def options_of(offered: Mapping[str, str], chosen: tuple[str, ...]) -> tuple[Option, ...]:
    """Topics as a list to tick. `offered`: id to name."""
    return tuple(Option(key, clean_text(name, _NAME), key in chosen) for key, name in offered.items())


def zone_options(chosen: str, default: str, words: Words) -> tuple[Option, ...]:
    """Time zones to choose from, the site's first, which is ''. One that isn't listed stays while it is chosen."""
    _ = words.catalogue.gettext
    own = _("As the site: %(zone)s") % {"zone": default}
    known = zones()
    names = known if chosen in known or not chosen else (chosen, *known)
    return (Option("", own, not chosen), *(Option(name, name, name == chosen) for name in names))
