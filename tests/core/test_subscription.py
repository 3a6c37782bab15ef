"""Addresses, cadences, zones, topics, languages and names as they come in."""

import pytest
from email_validator import validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.core.subscription import (
    _PLAIN,
    clean_address,
    clean_cadence,
    clean_language,
    clean_name,
    clean_timezone,
    clean_topics,
    mail_language,
)
from mailer.core.text import clean_text

_GOOD_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9\-]{0,6}[a-z0-9])?", fullmatch=True)
_ODD_LABEL = st.one_of(
    st.text("a-", min_size=60, max_size=65),
    st.sampled_from(["xn--bcher-kva", "xn--", "xn--a", "ab--c", "a--b", "-a", "a-", "test", "local", ""]),
)
_ODD_LOCAL = st.one_of(st.text("ab.-_+'", min_size=1, max_size=8), st.text("a.", min_size=60, max_size=66))
_ADDRESSES = st.builds(
    lambda local, labels, top: f"{local}@{'.'.join([*labels, top])}",
    st.from_regex(r"[a-z0-9_+\-]{1,9}(\.[a-z0-9_+\-]{1,6}){0,3}", fullmatch=True) | _ODD_LOCAL,
    st.lists(_GOOD_LABEL, min_size=1, max_size=4) | st.lists(_GOOD_LABEL | _ODD_LABEL, max_size=5),
    st.sampled_from(["org", "example", "co", "test", "notlocal", "a" * 63])
    | st.sampled_from(["local", "localhost", "onion", "arpa", "invalid", "c", "x1", "1", "xn--p1ai", "a" * 64]),
)


@settings(max_examples=1500)
@given(_ADDRESSES)
@example("a" * 64 + "@" + "a." * 93 + "abc")
@example("a" * 64 + "@" + "a." * 94 + "abc")
def test_what_the_fast_path_accepts_the_full_check_accepts_unchanged(address):
    if not _PLAIN.match(address):
        return
    found = validate_email(address, check_deliverability=False, strict=True, test_environment=True)
    assert found.normalized == found.ascii_email == address


@given(st.one_of(_ADDRESSES, st.builds("{}@{}".format, st.text(max_size=20), st.sampled_from(["x.org", "bücher.org"]))))
def test_a_clean_address_stays_as_it_is(text):
    try:
        once = clean_address(text)
    except ValueError:
        return
    assert clean_address(once) == once


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("  Ada@Example.ORG \t", "ada@example.org"),
        ("o'brien@example.org", "o'brien@example.org"),
        ("ada+news@mail.my-site.co", "ada+news@mail.my-site.co"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
        ("jørgen@example.org", "jørgen@example.org"),
        ("ada@site.test", "ada@site.test"),
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org"),
    ],
)
def test_an_address_is_kept_trimmed_in_lower_case_and_with_its_domain_in_ascii(given_, kept):
    assert clean_address(given_) == kept


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "@-sign"),
        ("ada", "@-sign"),
        ("@example.org", "before the @-sign"),
        ("ada@", "after the @-sign"),
        ("a" * 65 + "@example.org", "too long before the @-sign"),
        ("ada@" + "a" * 300 + ".org", "too long"),
        ("ada@localhost", "period"),
        ("ada@test", "no dot"),
        ("ada@printer.local", "special-use"),
        ("ada@192.168.0.1", "top-level domain"),
        ("ada@[192.168.0.1]", "bracketed IP"),
        ("ada@ab--c.org", "two dashes"),
        ("ada@example.org.", "end with a period"),
        ("a..da@example.org", "two periods in a row"),
        ("Ada Lovelace <ada@example.org>", "display name"),
        ('"ada l"@example.org', "Quoting"),
        ("ada@example.org\r\nBcc: all@example.org", "invalid character"),
        ("ada\x00@example.org", "invalid character"),
        ("ada@example.org> SIZE=1", "invalid character"),
        ("ada@example.org,bob@example.org", "invalid character"),
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(text, said):
    with pytest.raises(ValueError, match=said):
        clean_address(text)


def test_a_cadence_is_found_in_any_case_and_an_unknown_one_lists_what_there_is():
    assert clean_cadence(" Weekly ", ["daily", "weekly"]) == "weekly"
    with pytest.raises(ValueError, match="'hourly' is no cadence of this site; there are: daily, weekly"):
        clean_cadence("hourly", ["daily", "weekly"])


def test_a_time_zone_is_an_iana_name_or_nothing():
    assert clean_timezone(" Europe/Berlin ") == "Europe/Berlin"
    assert clean_timezone("  ") == ""
    with pytest.raises(ValueError, match="did you mean 'Europe/Berlin'"):
        clean_timezone("europe/berlin")


def test_topics_go_by_id_or_name_in_any_case_and_come_out_sorted_and_once():
    offered = {"tech": "Technology", "art": "Fine Arts"}
    assert clean_topics(["fine arts", "TECH", "", "tech "], offered) == ("art", "tech")
    with pytest.raises(ValueError, match="'music' is not a topic of this site; there are: tech, art"):
        clean_topics(["music"], offered)
    with pytest.raises(ValueError, match=r"none, \[topics\] is empty"):
        clean_topics(["music"], {})


@pytest.mark.parametrize(("text", "tag"), [("de", "de"), ("pt_BR", "pt-BR"), (" EN-gb", "EN-gb"), ("", "")])
def test_a_language_is_a_tag(text, tag):
    assert clean_language(text) == tag


@pytest.mark.parametrize("text", ["german language", "d", "de-", "дё"])
def test_what_is_no_language_is_refused(text):
    with pytest.raises(ValueError, match="is not a language tag"):
        clean_language(text)


def test_mail_is_in_the_readers_language_else_the_sites_else_english():
    offered = frozenset({"en", "de", "fr"})
    assert mail_language("de-AT", "fr", offered) == "de"
    assert mail_language("sv", "fr-CA", offered) == "fr"
    assert mail_language("", "sv", offered) == "en"


@given(st.one_of(st.text(), st.text("ab \t\x07<é", max_size=250)))
@example("a" * 201)
def test_a_name_is_cleaned_as_all_text_is(text):
    assert clean_name(text) == clean_text(text)
