"""The page where a reader changes what they get: pace, topics, time, language, a pause, another address, an end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import ClassVar, Literal

from mailer.core import page_sentences, sentences
from mailer.core.cadence import Cadence
from mailer.core.frame import Site
from mailer.core.page import Button, Link, Said, Sheet, Step, cut_link, sheet, shown_address, step
from mailer.core.reader_page import FORM, due, in_a_pause
from mailer.core.signup_page import RADIOS, Choice, Option, choices_of, options_of, zone_options
from mailer.core.subscription import mask
from mailer.core.text import clean_text
from mailer.core.words import Words, language_name

WEEKS = (2, 4, 8)
"""The pauses that take one press."""
LONGEST_PAUSE = 365  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePage:
    """Behind 'Change how often'. `address`: whole, shown masked. What they get now, or what was typed where that can't
    be taken: then `errors` has the field ('cadence', 'topics', 'timezone', 'hour', 'language', 'until', 'address')
    and a code of `page_sentences.mistake`.

    `today`: their local day. `chosen`: ids of topics, () is all. `timezone`, `language`: '' is the site's. `hour`: 0 to
    23, None is as it comes. `paused_until`: the local day on which digests come again, or None. `changed`: what was
    just done; 'enough' is a copy or an erasure that was asked for too often today. `next`: when the next digest comes,
    in their time zone. `gone`: they are not subscribed.

    Posts `do`: 'save' with `cadence`, `topics`, `timezone`, `hour` ('' or 0 to 23), `language`; 'pause' with `weeks`,
    or with `until` (an ISO date); 'resume'; 'move' with `address`; 'copy'; 'erase'.
    """

    state: Literal["shown", "gone", "wrong"]
    address: str = ""
    today: date | None = None
    cadences: tuple[Cadence, ...] = ()
    cadence: str = ""
    topics: Mapping[str, str] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    timezone: str = ""
    site_timezone: str = "UTC"
    hour: int | None = None
    languages: tuple[str, ...] = ()
    language: str = ""
    paused_until: date | None = None
    until: str = ""
    new_address: str = ""
    changed: Literal["", "saved", "paused", "resumed", "move", "copy", "erase", "enough"] = ""
    next: datetime | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    unsubscribe_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences(Sheet):
    """A PreferencePage as it is shown. `news`: what was just done. `paused`: until when, or None.

    `tomorrow`, `latest`: ISO dates that a pause may end on. `errors`: field to sentence; `focus`: the first of them.
    """

    template: ClassVar[str] = "preferences"

    heading: Said
    whose: Said
    news: tuple[Said, ...]
    choices: tuple[Choice, ...]
    radios: bool
    topics: tuple[Option, ...]
    zones: tuple[Option, ...]
    hours: tuple[Option, ...]
    languages: tuple[Option, ...]
    paused: Said | None
    pauses: tuple[Button, ...]
    until: str
    tomorrow: str
    latest: str
    new_address: str
    errors: Mapping[str, str]
    focus: str
    unsubscribe_url: str


def lay_out_preferences(page: PreferencePage, site: Site, words: Words) -> Step | Preferences:
    """All that can be changed, or why nothing can."""
    if page.state == "wrong":
        return cut_link(site, words)
    _ = words.catalogue.gettext
    name = {"site": clean_text(site.name)}
    if page.state == "gone":
        return step(
            site,
            words,
            Said(_("You are not subscribed")),
            Said(_("You get no digests of %(site)s now, so there is nothing to change."), name),
            links=(Link(_("Subscribe again"), FORM),),
        )
    heading = Said(_("What you get from %(site)s"), name)
    fields = ("cadence", "topics", "timezone", "hour", "language", "until", "address")
    return Preferences(
        **sheet(site, words, str(heading), wrong=bool(page.errors)),
        heading=heading,
        whose=Said(page_sentences.for_address(words), address=mask(page.address)),
        news=_news(page, words),
        choices=choices_of(page.cadences, page.cadence, words),
        radios=len(page.cadences) <= RADIOS,
        topics=options_of(page.topics, page.chosen),
        zones=zone_options(page.timezone, page.site_timezone, words),
        hours=hour_options(page.hour, words),
        languages=_languages(page, site, words),
        paused=next(iter(in_a_pause(page.paused_until, words)), None),
        pauses=_pauses(words),
        until=page.until,
        tomorrow=_in_days(page.today, 1),
        latest=_in_days(page.today, LONGEST_PAUSE),
        new_address=shown_address(page.new_address),
        errors={name: page_sentences.mistake(words, code) for name, code in page.errors.items()},
        focus=next((name for name in fields if name in page.errors), ""),
        unsubscribe_url=page.unsubscribe_url,
    )


def _news(page: PreferencePage, words: Words) -> tuple[Said, ...]:
    """What was done, and what comes of it."""
    _ = words.catalogue.gettext
    next_ = (Said(sentences.next_digest(words), due(page.next, words, page.cadence)),) if page.next else ()
    match page.changed:
        case "saved":
            return (Said(_("Saved.")), *(in_a_pause(page.paused_until, words) or next_))
        case "paused":
            return (Said(_("Saved.")), *in_a_pause(page.paused_until, words))
        case "resumed":
            return (Said(_("Your pause has ended.")), *next_)
        case "move":
            return (
                Said(_("Look for a mail at %(address)s and open its link."), address=shown_address(page.new_address)),
                Said(_("Until then nothing changes.")),
                Said(page_sentences.none_comes(words)),
            )
        case "copy":
            return (Said(_("A mail with what we hold about you is on its way.")),)
        case "erase":
            return (
                Said(_("Look for a mail at %(address)s and open its link."), address=mask(page.address)),
                Said(_("Until then nothing is erased.")),
            )
        case "enough":
            return (Said(_("You had several of these mails today. Try again tomorrow.")),)
        case "":
            return ()


def _pauses(words: Words) -> tuple[Button, ...]:
    return tuple(
        Button(
            words.catalogue.ngettext("%(num)s week", "%(num)s weeks", weeks) % {"num": words.number(weeks)},
            {"do": "pause", "weeks": str(weeks)},
            kind="plain",
        )
        for weeks in WEEKS
    )


def _languages(page: PreferencePage, site: Site, words: Words) -> tuple[Option, ...]:
    """The site's own first. One that mails aren't written in stays, so that saving the rest doesn't change it."""
    _ = words.catalogue.gettext
    own = _("As the site: %(language)s") % {"language": language_name(site.language)}
    known = (*page.languages, *({page.language} - {*page.languages, ""}))
    tags = sorted(known, key=lambda tag: language_name(tag).casefold())
    return (
        Option("", own, not page.language),
        *(Option(tag, language_name(tag), tag == page.language) for tag in tags),
    )


def hour_options(chosen: int | None, words: Words) -> tuple[Option, ...]:
    """As it comes, and the hours of a day."""
    _ = words.catalogue.gettext
    hours = (Option(str(hour), words.clock(time(hour)), hour == chosen) for hour in range(24))
    return (Option("", _("As it comes"), chosen is None), *hours)


def _in_days(today: date | None, days: int) -> str:
    return (today + timedelta(days=days)).isoformat() if today else ""
