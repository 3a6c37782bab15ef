"""What mails say of a subscription, in whole sentences: one for each pace, so that a language can bend what it must.

A cadence of the operator's own goes by its name. Places like %(date)s are filled by a template.
"""

from mailer.core.words import Words


def why(words: Words, cadence: str) -> str:
    """Why a reader gets a digest; %(date)s is the day they asked, %(cadence)s the name of the operator's own."""
    _ = words.catalogue.gettext
    return {
        "daily": _("Why you get this: on %(date)s you asked for a daily digest."),
        "weekly": _("Why you get this: on %(date)s you asked for a weekly digest."),
        "monthly": _("Why you get this: on %(date)s you asked for a monthly digest."),
    }.get(cadence) or _("Why you get this: on %(date)s you asked for the %(cadence)s digest.")


def asked(words: Words, cadence: str) -> str:
    """Who asked for a subscription, as far as anybody knows; with %(site)s, %(date)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("Someone, we hope you, asked %(site)s for its daily digest on %(date)s."),
        "weekly": _("Someone, we hope you, asked %(site)s for its weekly digest on %(date)s."),
        "monthly": _("Someone, we hope you, asked %(site)s for its monthly digest on %(date)s."),
    }.get(cadence) or _("Someone, we hope you, asked %(site)s for its %(cadence)s digest on %(date)s.")


def instead(words: Words, cadence: str) -> str:
    """What a press changes a reader's pace to; %(cadence)s is the label of the operator's own."""
    _ = words.catalogue.gettext
    # Nothing comes more often than daily, so that nothing is slowed down to it.
    return {
        "weekly": _("Weekly instead"),
        "monthly": _("Monthly instead"),
    }.get(cadence) or _("%(cadence)s instead")


def first_digest(words: Words, cadence: str) -> str:
    """When the first digest comes; with %(date)s, %(time)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("Your first daily digest comes on %(date)s at about %(time)s, if there is something new."),
        "weekly": _("Your first weekly digest comes on %(date)s at about %(time)s, if there is something new."),
        "monthly": _("Your first monthly digest comes on %(date)s at about %(time)s, if there is something new."),
    }.get(cadence) or _("Your first %(cadence)s digest comes on %(date)s at about %(time)s, if there is something new.")


def now_get(words: Words, cadence: str) -> str:
    """What a reader gets from now on; with %(site)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("You now get %(site)s daily."),
        "weekly": _("You now get %(site)s weekly."),
        "monthly": _("You now get %(site)s monthly."),
    }.get(cadence) or _("You now get the %(cadence)s digest of %(site)s.")


def subscribed(words: Words, cadence: str) -> str:
    """That a reader has a subscription, also in a pause of it; with %(site)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("You already have a daily subscription to %(site)s."),
        "weekly": _("You already have a weekly subscription to %(site)s."),
        "monthly": _("You already have a monthly subscription to %(site)s."),
    }.get(cadence) or _("You are already subscribed to the %(cadence)s digest of %(site)s.")


def nothing_changed(words: Words) -> str:
    """Why a reader hears that they are subscribed; with %(date)s."""
    _ = words.catalogue.gettext
    return _("Someone, we hope you, asked for a subscription with this address on %(date)s. Nothing has changed.")


def next_digest(words: Words) -> str:
    """When the next digest comes; with %(date)s, %(time)s."""
    _ = words.catalogue.gettext
    return _("Your next digest comes on %(date)s at about %(time)s, if there is something new.")


def paused(words: Words) -> str:
    """What happens in a pause; with %(date)s."""
    _ = words.catalogue.gettext
    return _("Your digests pause until %(date)s. What is new by then is in the first one after it.")


def topics(words: Words) -> str:
    """Which topics a reader gets; with %(topics)s."""
    return words.catalogue.gettext("Topics: %(topics)s.")


def all_topics(words: Words) -> str:
    """That a reader gets them all."""
    return words.catalogue.gettext("You get articles on all topics.")


def at_any_time(words: Words) -> str:
    """That nothing binds a reader."""
    _ = words.catalogue.gettext
    return _("You can change how often it comes, or leave, at any time: the links are in every mail.")


def no_more(words: Words) -> str:
    """What a reader who has left gets from now on."""
    return words.catalogue.gettext("No more digests come. One that left before may still arrive.")


def asked_to_move(words: Words, cadence: str) -> str:
    """Who asked that a digest come to another address; with %(site)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("Someone, we hope you, asked that their daily digest of %(site)s come to this address."),
        "weekly": _("Someone, we hope you, asked that their weekly digest of %(site)s come to this address."),
        "monthly": _("Someone, we hope you, asked that their monthly digest of %(site)s come to this address."),
    }.get(cadence) or _("Someone, we hope you, asked that their %(cadence)s digest of %(site)s come to this address.")


def moved(words: Words, cadence: str) -> str:
    """Where a reader's digest goes from now on; with %(site)s, %(address)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("Your daily digest of %(site)s now goes to %(address)s, and no longer to this address."),
        "weekly": _("Your weekly digest of %(site)s now goes to %(address)s, and no longer to this address."),
        "monthly": _("Your monthly digest of %(site)s now goes to %(address)s, and no longer to this address."),
    }.get(cadence) or _("Your %(cadence)s digest of %(site)s now goes to %(address)s, and no longer to this address.")


def asked_for_a_copy(words: Words) -> str:
    """Why a reader is told what is held about them; with %(site)s."""
    return words.catalogue.gettext("You asked %(site)s for a copy of what it holds about you. Here it is.")


def asked_to_erase(words: Words) -> str:
    """Who asked for an erasure; with %(site)s."""
    _ = words.catalogue.gettext
    return _("Someone, we hope you, asked %(site)s to erase all it holds about this address.")


def for_good(words: Words) -> str:
    """What an erasure does."""
    _ = words.catalogue.gettext
    return _("Erasing can't be undone, and no more digests come. One that left before may still arrive.")


def what_stays(words: Words) -> str:
    """What of an address outlives its erasure."""
    _ = words.catalogue.gettext
    return _("A code stays that is made from the address and doesn't show it, so that no old list brings it back.")
