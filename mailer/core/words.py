"""Dates, periods and paces in words. English only: all words of a mail are here or in a template's sentence."""

import re
from datetime import date, timedelta

from mailer.core.text import clean_text

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def date_in_words(day: date) -> str:
    """'3 October 2026'."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def since_in_words(day: date) -> str:
    """The slot `since`: 'on 3 October 2026'."""
    return f"on {date_in_words(day)}"


def period_in_words(first: date, last: date) -> str:
    """'Monday 23 November', '16–22 November', '30 November – 6 December', 'November 2026'; years where they differ."""
    start, end = f"{first.day} {_MONTHS[first.month - 1]}", f"{last.day} {_MONTHS[last.month - 1]}"
    if first == last:
        return f"{_DAYS[first.weekday()]} {start}"
    if first.year != last.year:
        return f"{start} {first.year} – {end} {last.year}"
    if first.month != last.month:
        return f"{start} – {end}"
    whole_month = first.day == 1 and (last + timedelta(days=1)).month != last.month
    return f"{_MONTHS[first.month - 1]} {first.year}" if whole_month else f"{first.day}–{end}"


def cadence_label(cadence: str) -> str:
    """'Weekly'; the name of a cadence of the operator's own, with its first letter up."""
    name = _cadence_name(cadence)
    return name[:1].upper() + name[1:]


def asked_for(cadence: str) -> str:
    """'a weekly digest'; 'the weekend news digest' for a cadence of the operator's own."""
    return f"{'a' if cadence in ('daily', 'weekly', 'monthly') else 'the'} {_cadence_name(cadence)} digest"


def minutes_in_words(minutes: int) -> str:
    """'2 min read', or '' where it isn't known."""
    return f"{minutes} min read" if minutes > 0 else ""


def more_in_words(more: int) -> str:
    """'and 8 more on the site', or '' where all are shown."""
    return f"and {more:,} more on the site" if more > 0 else ""


def _cadence_name(cadence: str) -> str:
    return clean_text(re.sub(r"[_-]+", " ", cadence), 40)
