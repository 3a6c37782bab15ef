"""The language of short texts, and how long they take to read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.core.language import detect_language, reading_minutes


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "A quiet ward sleeps better. Nurses handed out earplugs at nine in the evening, and it was all they did.",
            "en",
        ),
        ("Wann Fieber nützt und wann nicht. Wer es immer senkt, nimmt es dem Körper aus der Hand.", "de"),
        ("Dormir mejor en el hospital. Los tapones para los oídos alargaron el sueño casi una hora.", "es"),
        ("Sommeil à l’hôpital. Boire, c’est la première règle, et les autres sont moins connues.", "fr"),
        ("Dormire meglio. I tappi per le orecchie hanno allungato il sonno di quasi un'ora, e non è poco.", "it"),
        ("Dormir melhor no hospital. Os tampões prolongaram o sono dos doentes em quase uma hora.", "pt"),
        ("Beter slapen in het ziekenhuis. Met oordopjes sliepen ze bijna een uur langer dan zonder.", "nl"),
        ("Influensan kommer tidigare i år. Det är framför allt barn som blir sjuka.", "sv"),
        ("Grypa przyszła wcześniej niż zwykle. Najczęściej chorują dzieci, a szczepionek jest za mało.", "pl"),
        ("متى تفيد الحمى ومتى تضر: هذه أداة من أدوات الجسم، وهي في أكثر الأيام نافعة له", "ar"),
        ("خواب بهتر در بیمارستان: این کار خواب را نزدیک به یک ساعت طولانی‌تر کرد و است", "fa"),
        ("שינה טובה יותר בבית החולים", "he"),
        ("病院でよく眠るには。耳栓を配った。", "ja"),
        ("医院里怎样睡得更好。发放耳塞后,睡眠延长了。", "zh"),
        ("병원에서 더 잘 자는 법", "ko"),
        ("Как лучше спать в больнице: это стоило немного, и не так сложно, как кажется", "ru"),
        ("Як краще спати в лікарні: це коштує небагато, та не так складно, як здається", "uk"),
        ("Καλύτερος ύπνος στο νοσοκομείο", "el"),
    ],
)
def test_a_headline_and_a_sentence_are_enough(text, language):
    assert detect_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ozempic",
        "Pfizer, Moderna, Novavax",
        "BMJ 2026;393:e081234",
        "IL-6 & TNF-α",
        "Podcast #112: Ada Okoro",
        "Tokyo Marathon 2026",
        "de la",  # as Spanish as it is French
        "東京 Marathon runners, sponsors",
        "\x00\ud800 \U0010ffff",
    ],
)
def test_a_text_that_is_too_short_or_odd_stays_unknown_rather_than_wrong(text):
    assert detect_language(text) == ""


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_has_a_language_or_none(text):
    assert detect_language(text) == detect_language(text)


@pytest.mark.parametrize(
    ("text", "language", "minutes"),
    [
        ("", "en", 0),
        ("Just a few words here.", "en", 0),
        ("word " * 30, "en", 1),
        ("word " * 228 * 4, "en-GB", 4),
        ("Wort " * 179 * 4, "de", 4),
        ("كلمة " * 138 * 4, "ar", 4),
        ("word " * 184 * 4, "", 4),
        ("字" * 255 * 3, "zh-Hans", 3),
        ("かな" * 357, "ja", 2),
        ("かな" * 357, "", 2),
        ("字" * 255 + " word" * 184, "", 2),
    ],
)
def test_reading_time_is_by_words_and_language_and_by_characters_where_there_are_no_words(text, language, minutes):
    assert reading_minutes(text, language) == minutes
