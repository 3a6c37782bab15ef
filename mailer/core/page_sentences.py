"""What pages say of a subscription, in whole sentences: one for each pace, so that a language can bend what it must.

A cadence of the operator's own goes by its name, %(cadence)s.
"""

from mailer.core.cadence import Cadence, Pace
from mailer.core.words import Words, cadence_name

LAST_DAY = 31


def when_sentence(cadence: Cadence, words: Words) -> str:
    """When a cadence comes, as its rule says: 'Mondays at 7:00, the week in one mail'."""
    _ = words.catalogue.gettext
    rule, at = cadence.rule, {"time": words.clock(cadence.rule.at)}
    match rule.pace:
        case Pace.DAILY if 5 <= rule.at.hour < 11:  # noqa: PLR2004 the hours of a morning
            return _("Mornings, when there is something new")
        case Pace.DAILY:
            return _("Every day at %(time)s, when there is something new") % at
        case Pace.WEEKLY:
            return _week(words, min(rule.weekdays)) % at
        case Pace.SEVERAL:
            days = words.listed(tuple(words.weekday(day) for day in sorted(rule.weekdays)))
            said = _("%(days)s at %(time)s, when there is something new") % {"days": days, **at}
            return said[:1].upper() + said[1:]
    if rule.day == 1:
        return _("On the 1st, the month in one mail")
    if rule.day == LAST_DAY:
        return _("On the last day of the month, the month in one mail")
    return _("On day %(day)s, the month in one mail") % {"day": words.number(rule.day)}


def _week(words: Words, weekday: int) -> str:
    _ = words.catalogue.gettext
    return (
        _("Mondays at %(time)s, the week in one mail"),
        _("Tuesdays at %(time)s, the week in one mail"),
        _("Wednesdays at %(time)s, the week in one mail"),
        _("Thursdays at %(time)s, the week in one mail"),
        _("Fridays at %(time)s, the week in one mail"),
        _("Saturdays at %(time)s, the week in one mail"),
        _("Sundays at %(time)s, the week in one mail"),
    )[weekday]


def digest_to(words: Words, cadence: str) -> str:
    """What a press would bring; with %(site)s, %(address)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("A daily digest of %(site)s to %(address)s."),
        "weekly": _("A weekly digest of %(site)s to %(address)s."),
        "monthly": _("A monthly digest of %(site)s to %(address)s."),
    }.get(cadence) or _("The %(cadence)s digest of %(site)s to %(address)s.")


def gets(words: Words, cadence: str) -> str:
    """What an address gets; with %(address)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("%(address)s gets the daily digest."),
        "weekly": _("%(address)s gets the weekly digest."),
        "monthly": _("%(address)s gets the monthly digest."),
    }.get(cadence) or _("%(address)s gets the %(cadence)s digest.")


def then_first(words: Words, cadence: str) -> str:
    """When the first digest comes once it is confirmed; with %(date)s, %(time)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("Then your first daily digest comes on %(date)s at about %(time)s, if there is something new."),
        "weekly": _("Then your first weekly digest comes on %(date)s at about %(time)s, if there is something new."),
        "monthly": _("Then your first monthly digest comes on %(date)s at about %(time)s, if there is something new."),
    }.get(cadence) or _(
        "Then your first %(cadence)s digest comes on %(date)s at about %(time)s, if there is something new."
    )


def instead(words: Words, cadence: str) -> str:
    """The question whether to change pace; perhaps with %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("Daily instead?"),
        "weekly": _("Weekly instead?"),
        "monthly": _("Monthly instead?"),
    }.get(cadence) or _("%(cadence)s instead?")


def change_to(words: Words, cadence: str) -> str:
    """On the button that does; perhaps with %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _("Daily instead"),
        "weekly": _("Weekly instead"),
        "monthly": _("Monthly instead"),
    }.get(cadence) or _("%(cadence)s instead")


def once_pressed(words: Words, cadence: str) -> str:
    """What the button of a change of pace brings, and when; with %(date)s, %(time)s, perhaps %(cadence)s."""
    _ = words.catalogue.gettext
    return {
        "daily": _(
            "Press the button, and it comes daily, next on %(date)s at about %(time)s, if there is something new."
        ),
        "weekly": _(
            "Press the button, and it comes weekly, next on %(date)s at about %(time)s, if there is something new."
        ),
        "monthly": _(
            "Press the button, and it comes monthly, next on %(date)s at about %(time)s, if there is something new."
        ),
    }.get(cadence) or _(
        "Press the button, and the %(cadence)s digest comes, next on %(date)s at about %(time)s, "
        "if there is something new."
    )


def mistake(words: Words, code: str) -> str:
    """What is wrong with what was filled in, by its code: a key of the table below."""
    _ = words.catalogue.gettext
    return {
        "empty": _("Enter your email address"),
        "format": _("Enter an email address in the correct format, like name@example.com"),
        "pace": _("Choose how often you would like updates"),
        "stale": _("This form was open over a day. Press Subscribe again."),
        "again": _("Not sent yet: that was very quick, or the form came from elsewhere. Press Subscribe once more."),
        "server": _("We could not save this. Try again in a minute."),
        "topics": _("Choose topics from the list"),
        "timezone": _("Choose a time zone from the list"),
        "hour": _("Choose an hour from the list"),
        "language": _("Choose a language from the list"),
        "until": _("Choose a date after today, at most a year from now"),
        "same": _("The digests go to this address already"),
    }[code]


def none_comes(words: Words) -> str:
    """Why a new address may get no mail: true of every address, so that it tells nothing of one."""
    return words.catalogue.gettext(
        "None comes if that address has a subscription of its own, had too many mails lately, "
        "or asked us never to write."
    )


def sending(words: Words) -> str:
    """What stands on the button while a form is on its way; only where a script sends it."""
    return words.catalogue.gettext("Subscribing...")


def own_name(cadence: str) -> str:
    """What stands for %(cadence)s where it begins a sentence: with its first letter up."""
    name = cadence_name(cadence)
    return name[:1].upper() + name[1:]


def for_address(words: Words) -> str:
    """Whose choices these are; with %(address)s."""
    return words.catalogue.gettext("For %(address)s.")
