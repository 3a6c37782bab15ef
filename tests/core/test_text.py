import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.text import clean_text, columns, first_sentences, first_strong, shorten, wrap
from tests.mail.samples import ODD_TITLES

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  a \t b  ", "a b"),
        ("a\r\nb\u2028c\u2029d\x85e", "a b c d e"),
        ("a\x00b\x07c\x7fd\x9fe", "abcde"),
        ("e\u0301", "é"),
        ("x\u202eabc\u202c\u2066y\u2069", "xabcy"),
        ("a\u200bb\u00adc\ufeffd\u2060e", "abcde"),
        ("a\ud800b\udfff", "ab"),
        ("a\u200db\u200cc", "abc"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("👩🏽\u200d🔬", "👩🏽\u200d🔬"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("English\u200f", "English"),
        ("עברית C++\u200e", "עברית C++\u200e"),
        ("Vraiment\u202f?", "Vraiment\u202f?"),
        ("a \u00a0 b", "a b"),
        ("🏴\U000e0067\U000e0062\U000e007f x\U000e0062", "🏴\U000e0067\U000e0062\U000e007f x"),
        ("\u200b\x00", ""),
    ],
)
def test_text_of_others_is_cleaned(raw, clean):
    assert clean_text(raw) == clean


def test_text_is_cut_at_a_word():
    assert clean_text("one two three four", 12) == "one two…"
    assert clean_text("one two, three four", 12) == "one two…"
    assert clean_text("one two", 7) == "one two"


def test_a_cut_never_parts_what_is_seen_as_one_character():
    assert shorten("aaaa👩\u200d👩\u200d👧", 8) == "aaaa…"
    assert shorten("aaaa🇩🇪x", 6) == "aaaa…"
    assert shorten("ab" + "x\u0301" * 3, 6) == "abx\u0301…"


@given(ANY_TEXT, st.integers(1, 300))
def test_cleaned_text_is_one_short_line_that_can_be_encoded(raw, limit):
    text = clean_text(raw, limit)
    assert len(text) <= limit
    assert text == text.strip()
    text.encode()
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert unicodedata.is_normalized("NFC", text)


@pytest.mark.parametrize("name", ODD_TITLES)
def test_odd_titles_are_cleaned_quickly_and_the_same_when_cleaned_again(name):
    text = clean_text(ODD_TITLES[name])
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("First one. Second one. Third one is long.", 25, "First one. Second one."),
        ("All of it fits.", 25, "All of it fits."),
        ("No. A sentence that is far too long to fit here.", 30, "No. A sentence that is far…"),
        ("They asked Dr. Okafor about it. Then they left the room.", 40, "They asked Dr. Okafor about it."),
        ("A rate of 3.5 percent is what they found. And more of it.", 45, "A rate of 3.5 percent is what they found."),
        ("„So ist es.“ Dann kam der Rest des Textes.", 20, "„So ist es.“"),
        ("これは文です。もう一つの文がここにある。", 12, "これは文です。"),
    ],
)
def test_a_summary_ends_with_a_sentence_where_it_can(text, limit, cut):
    assert first_sentences(text, limit) == cut


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("He was seen by Dr. Okoro at the clinic.", " Then he went home to his garden."),
        ("Am 3. Mai beginnt die Studie in Ulm.", " Danach wird z. B. In Wien weitergemacht."),
        ("Rund 1,2 Mio. Menschen sind betroffen.", " Die Kassen rechnen mit mehr."),
        ("See Fig. 2 and Smith et al. 2024 for it.", " Nothing else was found there at all."),
        ("“We did not expect that, she said.”", " Ten others agreed with her on it."),
        ("Elle a dit : « C’est assez. »", " Les autres sont partis sans un mot."),
        ("La OMS pide calma a la Sra. Ruiz.", " ¿Cuánta agua hay que beber cada día?"),
        ("彼女は「もう十分だ。ありがとう」と言った。", "その後、患者は静かに眠りについたという。"),
        ("发放耳塞后，患者睡得更久。", "护士们说，她们没有想到会这样。"),
        ("هل تفيد الحمى أم تضر؟", " سأل الأطباء أنفسهم هذا السؤال كثيرا."),
        ("यह काम करता है।", " कोई और तरीका नहीं मिला था।"),
        ("It works (as of v. 2.0. In beta).", " But nobody has tried it for long."),
        ("Is it really over now?!", " Nobody can say so for certain today."),
    ],
)
def test_a_sentence_ends_where_a_reader_would_say_so(first, rest):
    for limit in range(len(first), len(first + rest)):
        assert first_sentences(first + rest, limit) == first


@pytest.mark.parametrize(
    ("text", "direction"),
    [("abc", "ltr"), ("שלום", "rtl"), ("97 مريضا", "rtl"), ("CAR-T علاج", "ltr"), ("123", "ltr"), ("", "ltr")],
)
def test_the_first_strong_letter_gives_the_direction(text, direction):
    assert first_strong(text) == direction


def test_lines_are_filled_and_indented():
    title = "A third of patients live five years without relapse after a single CAR-T dose"
    assert wrap(title, 72, first="1. ", rest="   ") == (
        "1. A third of patients live five years without relapse after a single\n   CAR-T dose"
    )


def test_wide_characters_count_two_and_a_line_never_begins_with_their_full_stop():
    lines = wrap("あ" * 35 + "。" + "い" * 40, 72).split("\n")
    assert [columns(line) for line in lines] == [72, 72, 8]
    assert wrap("あ" * 36 + "。", 72).split("\n")[1] == "あ。"


def test_a_url_in_running_text_stays_whole():
    url = "https://site.example/" + "x" * 90
    assert url in wrap(f"See {url} for more.", 72).split("\n")


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Z"), include_characters=" ")), st.integers(20, 80))
def test_wrapping_loses_nothing_and_keeps_to_the_width(raw, width):
    text = clean_text(raw.replace("http", ""), 500)
    lines = wrap(text, width, first="1. ", rest="   ").split("\n")
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == ("1." + text).replace(" ", "")
