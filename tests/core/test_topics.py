"""Which topics a label means."""

import pytest

from mailer.core.subscription import clean_topics
from mailer.core.topics import fold, listed, mistaken_for_another

TOPICS = {
    "lungs": "Lung health",
    "heart": "Heart",
    "streets": "Straße",
    "drugs": "İlaç",
    "food": "Éclairs",
    "asia": "肺",
}


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["Lung Health"], {"lungs"}),
        (["LUNGS", "heart", "Heart"], {"lungs", "heart"}),
        (["gardening"], set()),
        ([], set()),
        (["gardening", "lung health"], {"lungs"}),
        (["lung\u00a0health"], {"lungs"}),
        (["Ｈｅａｒｔ"], {"heart"}),
        (["STRASSE"], {"streets"}),
        (["ilaç"], {"drugs"}),
        (["İLAÇ"], {"drugs"}),
        (["ILAÇ"], {"drugs"}),
        (["e\u0301clairs"], {"food"}),
        (["肺"], {"asia"}),
        (["lung"], set()),
    ],
)
def test_a_label_is_an_id_or_a_name_in_any_case_and_script(labels, found):
    assert listed(labels, TOPICS) == found


def test_what_a_reader_chooses_is_understood_as_what_an_article_is_labelled_with():
    assert clean_topics(["strasse", "ILAÇ", "LUNGS"], TOPICS) == ("drugs", "lungs", "streets")


def test_an_id_goes_before_the_name_of_another_topic():
    assert listed(["heart"], {"heart": "Lungs", "lungs": "Heart"}) == {"heart"}


@pytest.mark.parametrize(
    ("offered", "pair"),
    [
        (TOPICS, None),
        ({}, None),
        ({"sleep": "Sleep"}, None),
        ({"a": "Sleep", "b": "Heart", "c": "SLEEP"}, ("a", "c")),
        ({"sleep": "Rest", "b": "Sleep"}, ("sleep", "b")),
        ({"a": "Straße", "b": "strasse"}, ("a", "b")),
    ],
)
def test_topics_that_one_label_could_mean_are_found(offered, pair):
    assert mistaken_for_another(offered) == pair


@pytest.mark.parametrize("label", ["İ", "ß", "ﬁ", "Ω", "ς", "ı", "", "ａ　ｂ"])
def test_folding_twice_changes_nothing(label):
    assert fold(fold(label)) == fold(label)
