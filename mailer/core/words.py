"""The words of a mail in one language: dates, numbers, plurals and paces.

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

    def weekday(self, number: int) -> str:
        """'Monday' of 0."""
        return self._dated(_A_MONDAY + timedelta(days=number), "EEEE")

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

    def _dated(self, day: date, pattern: str) -> str:
        return _plain_spaces(format_date(day, pattern, locale=locale_of(self.language)))


ENGLISH = Words()
_A_MONDAY = date(2026, 11, 23)


def date_in_words(day: date, language: str = "en") -> str:
    """'3 October 2026', as that language writes it. Needs no catalogue."""
    return _plain_spaces(format_date(day, "long", locale=locale_of(language)))


def cadence_name(cadence: str) -> str:
    """'weekend news' of 'weekend_news'."""
    return clean_text(re.sub(r"[_-]+", " ", cadence), 40)


def language_name(tag: str) -> str:
    """A language as its own speakers write it, with its first letter up: 'Deutsch', 'Español'."""
    locale = locale_of(tag)
    known = locale.language == tag.partition("-")[0].lower()
    name = (locale.get_language_name() if known else "") or tag
    return name[:1].upper() + name[1:]


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
