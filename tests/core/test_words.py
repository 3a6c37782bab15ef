from datetime import date, time

import pytest

from mailer.core.sentences import why
from mailer.core.words import ENGLISH, Words, cadence_name, date_in_words, locale_of


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 11, 23), date(2026, 11, 23), "Monday 23 November"),
        (date(2026, 11, 16), date(2026, 11, 22), "16–22 November"),
        (date(2026, 11, 30), date(2026, 12, 6), "30 November – 6 December"),
        (date(2025, 12, 22), date(2026, 1, 4), "22 December 2025 – 4 January 2026"),
        (date(2026, 11, 1), date(2026, 11, 30), "November 2026"),
        (date(2024, 2, 1), date(2024, 2, 29), "February 2024"),
        (date(2026, 12, 1), date(2026, 12, 31), "December 2026"),
        (date(2026, 11, 1), date(2026, 11, 29), "1–29 November"),
    ],
)
def test_a_period_in_words(first, last, words):
    assert ENGLISH.period(first, last) == words


@pytest.mark.parametrize(
    ("cadence", "label", "name"),
    [
        ("weekly", "Weekly", "weekly"),
        ("daily", "Daily", "daily"),
        ("monthly", "Monthly", "monthly"),
        ("weekend_news", "Weekend news", "weekend news"),
        ("IVF-monthly", "IVF monthly", "IVF monthly"),
    ],
)
def test_a_cadence_in_words(cadence, label, name):
    assert ENGLISH.label(cadence) == label
    assert cadence_name(cadence) == name


def test_why_a_reader_gets_a_digest_names_a_cadence_of_the_operators_own():
    assert why(ENGLISH, "weekly") % {"date": "3 October 2026"} == (
        "Why you get this: on 3 October 2026 you asked for a weekly digest."
    )
    assert why(ENGLISH, "weekend_news") % {"date": "3 October 2026", "cadence": cadence_name("weekend_news")} == (
        "Why you get this: on 3 October 2026 you asked for the weekend news digest."
    )


def test_minutes_and_what_is_left_in_words():
    assert ENGLISH.minutes(2) == "2 min read"
    assert ENGLISH.minutes(0) == ""
    assert ENGLISH.more(1204) == "and 1,204 more on the site"
    assert ENGLISH.more(0) == ""


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "3 October 2026"),
        ("en-GB", "3 October 2026"),
        ("de", "3. Oktober 2026"),
        ("de-AT", "3. Oktober 2026"),
        ("es", "3 de octubre de 2026"),
        ("ar", "3 أكتوبر 2026"),
        ("ja", "2026年10月3日"),
        ("xx", "3 October 2026"),
        ("not a tag", "3 October 2026"),
    ],
)
def test_a_date_as_its_language_writes_it(language, words):
    assert date_in_words(date(2026, 10, 3), language) == words


def test_english_dates_and_times_are_those_of_the_world_not_of_america():
    assert ENGLISH.day(date(2026, 11, 30)) == "Monday 30 November"
    assert ENGLISH.clock(time(7, 0)) == "7:00"
    assert str(locale_of("en")) == "en_001"


def test_the_direction_and_the_fonts_go_by_the_language():
    assert [Words(tag).direction for tag in ("en", "ar", "he", "fa", "de")] == ["ltr", "rtl", "rtl", "rtl", "ltr"]
    assert [Words(tag).script for tag in ("en", "ar", "he", "fa", "de")] == ["", "ar", "he", "ar", ""]
