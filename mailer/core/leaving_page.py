"""The page where a reader leaves: one button first, slower paces below it; afterwards a way back and a reason."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Literal

from mailer.core import page_sentences
from mailer.core.frame import Site
from mailer.core.page import Button, Link, Said, Step, cut_link, sheet, step
from mailer.core.reader_page import FORM, InsteadPage, in_a_pause, lay_out_instead, not_subscribed, sent_again
from mailer.core.signup_page import Option
from mailer.core.subscription import mask
from mailer.core.text import clean_text
from mailer.core.words import Words, cadence_name

REASONS = ("often", "seldom", "other", "unread", "unasked", "else")
"""What a reader may give as a reason; the sentences are below."""
LONGEST_REASON = 300
PAUSE = 30
"""Days of the pause that is offered instead of leaving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribePage:
    """Behind 'Unsubscribe'. `slower`: cadences that come less often than theirs, the nearest first.

    `ask`; `older`, a link of an earlier subscription, which asks too; `done`; `thanks`, for a reason; `again`, a
    confirmation was asked for; `paused`, `instead` now at `cadence`; `gone`: nothing is subscribed;
    `wrong`. `next`: when the next digest comes, in the reader's time zone. `paused_until`: the local day on which
    digests come again, or None. `pause`: whether one is offered. Posts `do`:
    'leave', 'instead' with `cadence`, 'pause' with `days`, 'again', or 'reason' with `reason` and `text`.
    """

    state: Literal["ask", "older", "done", "thanks", "again", "paused", "instead", "gone", "wrong"]
    address: str = ""
    cadence: str = ""
    slower: tuple[str, ...] = ()
    pause: bool = True
    next: datetime | None = None
    paused_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving(Step):
    """An UnsubscribePage as it is shown. `instead`: what is offered below. `reasons`: asked for afterwards."""

    template: ClassVar[str] = "unsubscribe"

    instead: tuple[Button, ...] = ()
    reasons: tuple[Option, ...] = ()
    longest: int = LONGEST_REASON


def lay_out_unsubscribe(page: UnsubscribePage, site: Site, words: Words) -> Step:
    """First the button, then all else."""
    _ = words.catalogue.gettext
    match page.state:
        case "ask" | "older":
            return _question(page, site, words)
        case "done":
            late = Said(_("A digest that left before may still arrive."))
            heading = Said(_("You are unsubscribed"))
            return Leaving(
                **sheet(site, words, str(heading)),
                heading=heading,
                said=(late,),
                buttons=(Button(_("Subscribe again"), {"do": "again"}, kind="plain"),),
                done=True,
                reasons=reasons_of(words),
            )
        case "thanks":
            return step(
                site,
                words,
                Said(_("Thank you")),
                Said(_("You are unsubscribed. A digest that left before may still arrive.")),
                links=(Link(_("Subscribe again"), FORM),),
                done=True,
            )
        case "again":
            return sent_again(page.address, site, words)
        case "paused" | "instead":
            return _kept(page, site, words)
        case "gone":
            return not_subscribed(site, words)
        case "wrong":
            return cut_link(site, words)


def _kept(page: UnsubscribePage, site: Site, words: Words) -> Step:
    """They stay, less often or later."""
    _ = words.catalogue.gettext
    if page.state == "paused":
        return step(site, words, Said(_("Your digests pause")), *in_a_pause(page.paused_until, words), done=True)
    now = InsteadPage(state="done", to=page.cadence, next=page.next, paused_until=page.paused_until)
    return lay_out_instead(now, site, words)


def _question(page: UnsubscribePage, site: Site, words: Words) -> Leaving:
    _ = words.catalogue.gettext
    heading = Said(_("Unsubscribe from %(site)s?"), {"site": clean_text(site.name)})
    gets = Said(page_sentences.gets(words, page.cadence), {"cadence": cadence_name(page.cadence)}, mask(page.address))
    older = Said(_("This link is from an earlier subscription. You have subscribed again since."))
    slower = tuple(
        Button(
            page_sentences.change_to(words, name) % {"cadence": page_sentences.own_name(name)},
            {"do": "instead", "cadence": name},
            kind="plain",
        )
        for name in page.slower
    )
    pause = words.catalogue.ngettext("Pause for %(num)s day", "Pause for %(num)s days", PAUSE)
    rest = Button(pause % {"num": words.number(PAUSE)}, {"do": "pause", "days": str(PAUSE)}, kind="plain")
    return Leaving(
        **sheet(site, words, str(heading)),
        heading=heading,
        said=(*((older,) if page.state == "older" else ()), gets, *in_a_pause(page.paused_until, words)),
        buttons=(Button(_("Unsubscribe"), {"do": "leave"}, focused=True),),
        instead=(*slower, rest) if page.pause else slower,
    )


def reasons_of(words: Words) -> tuple[Option, ...]:
    """What may be given as a reason, in a language."""
    _ = words.catalogue.gettext
    told = (
        _("It comes too often"),
        _("It comes too seldom"),
        _("It isn't what I expected"),
        _("I don't get to read it"),
        _("I never asked for it"),
        _("Something else"),
    )
    return tuple(Option(key, label) for key, label in zip(REASONS, told, strict=True))
