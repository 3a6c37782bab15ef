"""By which terms two texts are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.terms import terms_of, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vaccine", "Vaccines"),
        ("vaccinated", "vaccination"),
        ("therapy", "therapies"),
        ("virus", "viruses"),
        ("Alzheimer", "Alzheimer's"),
        ("clinic", "clinical"),
        ("baby", "babies"),
        ("infection", "infected"),
        ("Impfung", "Impfungen"),
        ("Krankenhaus", "Krankenhäuser"),
        ("Arzt", "Ärzte"),
        ("vacuna", "vacunación"),
        ("niño", "niños"),
        ("infección", "infecciones"),
        ("Straße", "STRASSE"),
        ("Ｃｏｖｉｄ", "covid"),
        ("الصحة", "صحة"),
        ("مدرسة", "المدرسة"),
    ],
)
def test_forms_of_a_word_are_one_term(one, other):
    assert terms_of(one) & terms_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("liver", "lives"), ("organ", "orange"), ("cell", "cellar"), ("patient", "patent"), ("rash", "rat")],
)
def test_other_words_are_other_terms(one, other):
    assert not terms_of(one) & terms_of(other)


@pytest.mark.parametrize("text", ["", "and the of", "und nicht für", "pero también los", "2026 97 %", "— … !", "x"])
def test_what_says_nothing_is_no_term(text):
    assert terms_of(text) == frozenset()


@pytest.mark.parametrize(
    ("one", "other"), [("肺がんの検診", "肺がん"), ("北京大学", "大学生"), ("예방접종을", "예방접종")]
)
def test_texts_without_spaces_are_compared_by_pairs_of_characters(one, other):
    assert terms_of(one) & terms_of(other)


def test_vowels_that_are_written_as_marks_stay_in_their_words():
    assert words_of("हिन्दी में समाचार।") == ["हिन्दी", "में", "समाचार"]


@given(st.text())
def test_any_text_has_terms_of_some_kind(text):
    assert all(terms_of(text))
    assert terms_of(text) == terms_of(f" {text}\n")
