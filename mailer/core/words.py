"""The words of a mail in one language: dates, numbers, plurals, paces and the sentences that go with them.

Dates and numbers are CLDR's, by Babel; sentences come from a catalogue whose keys are the English sentences. What an
operator or a feed wrote is never translated. A sentence may have places like %(date)s, which a template fills.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.support import NullTranslations

from mailer.core.script import script_of_language
from mailer.core.text import Direction, clean_text

PACES = ("daily", "weekly", "monthly")
"""The cadences that every language has words for; those of the operator's own go by their names."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail is said with. `language`: a BCP 47 tag. `catalogue`: English to that language, by gettext."""

    language: str = "en"
    catalogue: NullTranslations = field(default_factory=NullTranslations, compare=False)

    @property
    def direction(self) -> Direction:
        return "rtl" if locale_of(self.language).text_direction == "rtl" else "ltr"

    @property
    def script(self) -> str:
        """The fonts that the words around the articles need, as `script_of` names them."""
        return script_of_language(self.language)

    def long_date(self, day: date) -> str:
        """'3 October 2026'."""
        return date_in_words(day, self.language)

    def day(self, day: date) -> str:
        """'Monday 23 November'."""
        return self._dated(day, str(self.catalogue.pgettext("date pattern", "EEEE d MMMM")))

    def clock(self, at: time | datetime) -> str:
        """'7:00'."""
        pattern = str(self.catalogue.pgettext("time pattern", "H:mm"))
        return _plain_spaces(format_time(at, pattern, locale=locale_of(self.language)))

    def period(self, first: date, last: date) -> str:
        """'Monday 23 November', '16–22 November', '30 November – 6 December', 'November 2026'; years where they differ.

        Each day reads on its own, so that the two stay apart where words run from right to left.
        """
        short, said = str(self.catalogue.pgettext("date pattern", "d MMMM")), self._dated
        if first == last:
            return self.day(first)
        if first.year != last.year:
            return f"{self.long_date(first)} – {self.long_date(last)}"
        if first.month != last.month:
            return f"{said(first, short)} – {said(last, short)}"
        if first.day == 1 and (last + timedelta(days=1)).month != last.month:
            return said(first, str(self.catalogue.pgettext("date pattern", "MMMM y")))
        opening = str(self.catalogue.pgettext("date pattern, of the first day in '16–22 November'", "d"))
        return f"{said(first, opening)}–{said(last, short)}"

    def number(self, number: int) -> str:
        """'1,204'."""
        return str(format_decimal(number, locale=locale_of(self.language)))

    def listed(self, names: tuple[str, ...]) -> str:
        """'Oncology, Nutrition and Sleep'."""
        return format_list(names, locale=locale_of(self.language))

    def label(self, cadence: str) -> str:
        """'Weekly'; the name of a cadence of the operator's own, with its first letter up."""
        _ = self.catalogue.gettext
        name = cadence_name(cadence)
        known = {"daily": _("Daily"), "weekly": _("Weekly"), "monthly": _("Monthly")}
        return known.get(cadence) or name[:1].upper() + name[1:]

    def minutes(self, minutes: int) -> str:
        """'2 min read', or '' where it isn't known."""
        if minutes <= 0:
            return ""
        said = self.catalogue.ngettext("%(num)s min read", "%(num)s min read", minutes)
        return said % {"num": self.number(minutes)}

    def more(self, more: int) -> str:
        """'and 8 more on the site', or '' where all are shown."""
        if more <= 0:
            return ""
        said = self.catalogue.ngettext("and %(num)s more on the site", "and %(num)s more on the site", more)
        return said % {"num": self.number(more)}

    def untitled(self) -> str:
        """What stands for the title of an article that has none."""
        return self.catalogue.gettext("Untitled")

    def why(self, cadence: str) -> str:
        """Why a reader gets a digest; %(date)s is the day they asked, %(cadence)s the name of the operator's own."""
        _ = self.catalogue.gettext
        return {
            "daily": _("Why you get this: on %(date)s you asked for a daily digest."),
            "weekly": _("Why you get this: on %(date)s you asked for a weekly digest."),
            "monthly": _("Why you get this: on %(date)s you asked for a monthly digest."),
        }.get(cadence) or _("Why you get this: on %(date)s you asked for the %(cadence)s digest.")

    def asked(self, cadence: str) -> str:
        """Who asked for a subscription, as far as anybody knows; with %(site)s, %(date)s, perhaps %(cadence)s."""
        _ = self.catalogue.gettext
        return {
            "daily": _("Someone, we hope you, asked %(site)s for its daily digest on %(date)s."),
            "weekly": _("Someone, we hope you, asked %(site)s for its weekly digest on %(date)s."),
            "monthly": _("Someone, we hope you, asked %(site)s for its monthly digest on %(date)s."),
        }.get(cadence) or _("Someone, we hope you, asked %(site)s for its %(cadence)s digest on %(date)s.")

    def first_digest(self, cadence: str) -> str:
        """When the first digest comes; with %(date)s, %(time)s, perhaps %(cadence)s."""
        _ = self.catalogue.gettext
        return {
            "daily": _("Your first daily digest comes on %(date)s at about %(time)s, if there is something new."),
            "weekly": _("Your first weekly digest comes on %(date)s at about %(time)s, if there is something new."),
            "monthly": _("Your first monthly digest comes on %(date)s at about %(time)s, if there is something new."),
        }.get(cadence) or _(
            "Your first %(cadence)s digest comes on %(date)s at about %(time)s, if there is something new."
        )

    def now_get(self, cadence: str) -> str:
        """What a reader gets from now on; with %(site)s, perhaps %(cadence)s."""
        _ = self.catalogue.gettext
        return {
            "daily": _("You now get %(site)s daily."),
            "weekly": _("You now get %(site)s weekly."),
            "monthly": _("You now get %(site)s monthly."),
        }.get(cadence) or _("You now get the %(cadence)s digest of %(site)s.")

    def next_digest(self) -> str:
        """When the next digest comes; with %(date)s, %(time)s."""
        _ = self.catalogue.gettext
        return _("Your next digest comes on %(date)s at about %(time)s, if there is something new.")

    def paused(self) -> str:
        """What happens in a pause; with %(date)s."""
        _ = self.catalogue.gettext
        return _("Your digests pause until %(date)s. What is new by then is in the first one after it.")

    def topics(self) -> str:
        """Which topics a reader gets; with %(topics)s."""
        return self.catalogue.gettext("Topics: %(topics)s.")

    def all_topics(self) -> str:
        """That a reader gets them all."""
        return self.catalogue.gettext("You get articles on all topics.")

    def at_any_time(self) -> str:
        """That nothing binds a reader."""
        _ = self.catalogue.gettext
        return _("You can change how often it comes, or leave, at any time: the links are in every mail.")

    def no_more(self) -> str:
        """What a reader who has left gets from now on."""
        return self.catalogue.gettext("No more digests come. One that left before may still arrive.")

    def _dated(self, day: date, pattern: str) -> str:
        return _plain_spaces(format_date(day, pattern, locale=locale_of(self.language)))


ENGLISH = Words()


def date_in_words(day: date, language: str = "en") -> str:
    """'3 October 2026', as that language writes it. Needs no catalogue."""
    return _plain_spaces(format_date(day, "long", locale=locale_of(language)))


def cadence_name(cadence: str) -> str:
    """'weekend news' of 'weekend_news'."""
    return clean_text(re.sub(r"[_-]+", " ", cadence), 40)


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """What Babel knows of a language; English as the world writes it where it knows nothing.

    Arabic has Western digits, as CLDR's default for 'ar' is: a date then looks like the numbers in headlines.
    """
    try:
        found = Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en", "001")
    # 'en' alone would be American: 'October 3, 2026'.
    return Locale("en", "001") if str(found) == "en" else found


def _plain_spaces(text: str) -> str:
    """Without the thin and unbreakable spaces and the marks of direction that CLDR sprinkles in some languages."""
    return re.sub("[\u00a0\u2009\u202f]", " ", re.sub("[\u200e\u200f\u061c]", "", text))
