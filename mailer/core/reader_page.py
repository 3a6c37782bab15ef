"""The pages behind mailed links that ask one thing: confirm, never write again, change of address, erase, other pace.

Each is a question with one button, and what came of it. Addresses are given whole and shown masked.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from mailer.core import page_sentences, sentences
from mailer.core.frame import Site
from mailer.core.page import Button, Link, Said, Step, cut_link, step, to_site
from mailer.core.signup_page import no_mail
from mailer.core.subscription import mask
from mailer.core.text import clean_text
from mailer.core.words import Words, cadence_name

FORM = "/subscribe"
"""The path of the form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPage:
    """Behind the link of a confirmation. `first`: when the first digest comes, in the reader's time zone, or None.

    `ask`; `done`; `already` confirmed; `expired`, which can be sent again, `sent`; `stale`, of an earlier subscription;
    `wrong`. Posts `do`: 'confirm' or 'send'.
    """

    state: Literal["ask", "done", "already", "expired", "sent", "stale", "wrong"]
    address: str = ""
    cadence: str = ""
    first: datetime | None = None
    preferences_url: str = ""
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverPage:
    """Behind 'Never write to this address again'. Posts `do`: 'never'."""

    state: Literal["ask", "done", "wrong"]
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPage:
    """Behind the link that a new address gets. `taken`: it has a subscription of its own. Posts `do`: 'move'.

    `preferences_url`: shown once the address is theirs; before, whoever reads there may be a stranger.
    """

    state: Literal["ask", "done", "expired", "taken", "stale", "wrong"]
    address: str = ""
    new_address: str = ""
    preferences_url: str = ""
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePage:
    """Behind the link that confirms an erasure. `preferences_url`: of who is on the list. Posts `do`: 'erase'."""

    state: Literal["ask", "done", "expired", "stale", "wrong"]
    address: str = ""
    preferences_url: str = ""
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class InsteadPage:
    """'Weekly instead'. `now`, `to`: cadences. `next`: when the next digest comes at the new pace, in the reader's time
    zone. `paused_until`: the local day on which digests come again, or None. `same`: it is their pace already; `gone`:
    they are not subscribed. Posts `do`: 'instead'.
    """

    state: Literal["ask", "done", "same", "gone", "wrong"]
    now: str = ""
    to: str = ""
    next: datetime | None = None
    paused_until: date | None = None
    preferences_url: str = ""


def lay_out_confirm(page: ConfirmPage, site: Site, words: Words) -> Step:
    """One sentence and one button, or what came of it."""
    _ = words.catalogue.gettext
    name = clean_text(site.name)
    preferences = _link(_("Change what you get"), page.preferences_url)
    match page.state:
        case "ask":
            said = Said(
                page_sentences.digest_to(words, page.cadence),
                {"site": name, "cadence": cadence_name(page.cadence)},
                mask(page.address),
            )
            button = Button(_("Confirm subscription"), {"do": "confirm"}, focused=True)
            return step(site, words, Said(_("Confirm your subscription")), said, buttons=(button,))
        case "done":
            first = Said(sentences.first_digest(words, page.cadence), due(page.first, words, page.cadence))
            heading = Said(_("You are subscribed"))
            return step(site, words, heading, *_known(page.first, first), links=preferences, done=True)
        case "already":
            said = Said(_("There is nothing more to do."))
            return step(site, words, Said(_("Already confirmed")), said, links=preferences)
        case "expired":
            return step(
                site,
                words,
                old_link(words, page.days),
                Said(_("We can send a new one to %(address)s."), address=mask(page.address)),
                buttons=(Button(_("Send a new one"), {"do": "send"}, focused=True),),
            )
        case "sent":
            return sent_again(page.address, site, words)
        case "stale":
            return earlier(site, words, (Link(_("Subscribe again"), FORM),))
        case "wrong":
            return cut_link(site, words)


def sent_again(address: str, site: Site, words: Words) -> Step:
    """A new confirmation was asked for. Whether one goes out is not told: limits and wishes may be against it."""
    _ = words.catalogue.gettext
    look = Said(
        _("Look for a mail from %(site)s at %(address)s and press Confirm subscription."),
        {"site": clean_text(site.name)},
        mask(address),
    )
    return step(site, words, Said(_("One step left: check your inbox")), look, Said(no_mail(words)), done=True)


def earlier(site: Site, words: Words, links: tuple[Link, ...] = ()) -> Step:
    """A link of a subscription that has ended since. `links`: where to go from there."""
    _ = words.catalogue.gettext
    return step(
        site,
        words,
        Said(_("This link is from an earlier subscription")),
        Said(_("It changes nothing any more.")),
        links=links,
    )


def lay_out_never(page: NeverPage, site: Site, words: Words) -> Step:
    """To forbid us to write, for good."""
    _ = words.catalogue.gettext
    name = {"site": clean_text(site.name)}
    match page.state:
        case "ask":
            said = Said(
                _("%(site)s then writes to %(address)s no more, whoever fills in the form."), name, mask(page.address)
            )
            button = Button(_("Never write again"), {"do": "never"}, focused=True)
            return step(site, words, Said(_("Never write to this address again?")), said, buttons=(button,))
        case "done":
            said = Said(_("Should you change your mind, write to %(site)s: only there it can be allowed again."), name)
            heading = Said(_("We will never write to this address again"))
            return step(site, words, heading, said, done=True)
        case "wrong":
            return cut_link(site, words)


def lay_out_address(page: AddressPage, site: Site, words: Words) -> Step:
    """To take a new address into use."""
    _ = words.catalogue.gettext
    preferences = _link(_("Change what you get"), page.preferences_url)
    match page.state:
        case "ask":
            said = Said(
                _("From then on the digests of %(site)s go to %(address)s."),
                {"site": clean_text(site.name)},
                mask(page.new_address),
            )
            button = Button(_("Use this address"), {"do": "move"}, focused=True)
            return step(site, words, Said(_("Use this address?")), said, buttons=(button,))
        case "done":
            said = Said(_("Your digests now go to %(address)s."), address=mask(page.new_address))
            late = Said(_("A digest that left before may still arrive at the old one."))
            return step(site, words, Said(_("Your address is changed")), said, late, links=preferences, done=True)
        case "expired":
            return _expired(page.days, "", site, words)
        case "taken":
            said = Said(
                _("%(address)s has a subscription of its own. Nothing has changed."), address=mask(page.new_address)
            )
            return step(site, words, Said(_("This address is in use")), said)
        case "stale":
            return earlier(site, words)
        case "wrong":
            return cut_link(site, words)


def lay_out_erase(page: ErasePage, site: Site, words: Words) -> Step:
    """To have all forgotten. The one button here that can't be undone, so it isn't focused."""
    _ = words.catalogue.gettext
    name = {"site": clean_text(site.name)}
    match page.state:
        case "ask":
            return step(
                site,
                words,
                Said(_("Erase everything about you?")),
                Said(
                    _("%(site)s then forgets %(address)s: the subscription, your choices and what was sent to you."),
                    name,
                    mask(page.address),
                ),
                Said(_("What stays is a code that nobody can read the address from, so that no list brings it back.")),
                Said(_("This can't be undone.")),
                buttons=(Button(_("Erase everything"), {"do": "erase"}, kind="final"),),
                links=_link(_("Keep my subscription"), page.preferences_url),
            )
        case "done":
            said = Said(sentences.no_more(words))
            return step(site, words, Said(_("Everything about you is erased")), said, done=True)
        case "expired":
            return _expired(page.days, page.preferences_url, site, words)
        case "stale":
            return earlier(site, words)
        case "wrong":
            return cut_link(site, words)


def lay_out_instead(page: InsteadPage, site: Site, words: Words) -> Step:
    """To slow down, or speed up, by one press."""
    _ = words.catalogue.gettext
    own = {"cadence": page_sentences.own_name(page.to)}
    preferences = _link(_("Change what you get"), page.preferences_url)
    place = {"site": clean_text(site.name)}
    paused = in_a_pause(page.paused_until, words)
    match page.state:
        case "ask":
            now = Said(sentences.now_get(words, page.now), {**place, "cadence": cadence_name(page.now)})
            next_ = _known(page.next, Said(page_sentences.once_pressed(words, page.to), due(page.next, words, page.to)))
            label = page_sentences.change_to(words, page.to) % own
            button = Button(label, {"do": "instead"}, focused=True)
            heading = Said(page_sentences.instead(words, page.to), own)
            return step(site, words, heading, now, *(paused or next_), buttons=(button,), links=preferences)
        case "done" | "same":
            heading = Said(sentences.now_get(words, page.to), {**place, "cadence": cadence_name(page.to)})
            next_ = _known(page.next, Said(sentences.next_digest(words), due(page.next, words, page.to)))
            done = page.state == "done"
            return step(site, words, heading, *(paused or next_), links=preferences, done=done)
        case "gone":
            return not_subscribed(site, words)
        case "wrong":
            return cut_link(site, words)


def not_subscribed(site: Site, words: Words) -> Step:
    """Somebody who has left, or of whom nothing is known any more."""
    _ = words.catalogue.gettext
    name = clean_text(site.name)
    return step(
        site,
        words,
        Said(_("You are not subscribed")),
        Said(_("This link's subscription to %(site)s has ended."), {"site": name}),
        links=(Link(_("Subscribe again"), FORM), to_site(site, words)),
    )


def old_link(words: Words, days: int) -> Said:
    """That a link has lived too long."""
    said = words.catalogue.ngettext("This link is older than %(num)s day", "This link is older than %(num)s days", days)
    return Said(said, {"num": words.number(days)})


def due(at: datetime | None, words: Words, cadence: str) -> dict[str, str]:
    """The places of a sentence on when a digest comes; {} where that isn't known."""
    if at is None:
        return {}
    return {"date": words.day(at), "time": words.clock(at), "cadence": cadence_name(cadence)}


def in_a_pause(until: date | None, words: Words) -> tuple[Said, ...]:
    """That no digest comes before that local day; nothing where there is no pause."""
    return (Said(sentences.paused(words), {"date": words.long_date(until)}),) if until else ()


def _expired(days: int, preferences_url: str, site: Site, words: Words) -> Step:
    """A link that was asked for on the preference page, and lived too long."""
    _ = words.catalogue.gettext
    said = Said(_("Ask for a new one where you asked for this one: by “Change how often” in a digest."))
    links = _link(_("Change what you get"), preferences_url)
    return step(site, words, old_link(words, days), said, links=links)


def _known(at: datetime | None, said: Said) -> tuple[Said, ...]:
    return (said,) if at else ()


def _link(label: str, url: str) -> tuple[Link, ...]:
    return (Link(label, url),) if url else ()
