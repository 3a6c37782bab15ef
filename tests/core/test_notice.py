from dataclasses import replace
from datetime import date

import pytest

from mailer.core.note import lay_out_notice
from mailer.core.notice import Changed, Copy, Move, Moved, headers_of_notice
from tests.mail.samples import EVENTS, FACTS, MONDAY, ODD_TITLES, SITE, notices


def said(notice):
    page = lay_out_notice(notice)
    places = page.places | {"topics": " + ".join(page.places.get("topics", ()))}
    return [sentence % places for sentence in page.sentences]


def test_what_each_notice_says():
    assert {kind: said(notice) for kind, notice in notices().items()} == {
        "confirm": ["Someone, we hope you, asked Mia's Feed for its weekly digest on 23 November 2026."],
        "welcome": [
            "Your first weekly digest comes on Monday 30 November at about 7:00, if there is something new.",
            "You can change how often it comes, or leave, at any time: the links are in every mail.",
        ],
        "changed": [
            "You now get Mia's Feed monthly.",
            "Your next digest comes on Monday 30 November at about 7:00, if there is something new.",
            "Topics: Oncology + Lung health.",
        ],
        "goodbye": ["No more digests come. One that left before may still arrive."],
        "already": [
            "You already have a weekly subscription to Mia's Feed.",
            (
                "Someone, we hope you, asked for a subscription with this address on 23 November 2026. "
                "Nothing has changed."
            ),
        ],
        "move": ["Someone, we hope you, asked that their weekly digest of Mia's Feed come to this address."],
        "moved": [
            "Your weekly digest of Mia's Feed now goes to a***@example.org, and no longer to this address.",
        ],
        "copy": ["You asked Mia's Feed for a copy of what it holds about you. Here it is."],
        "erase": [
            "Someone, we hope you, asked Mia's Feed to erase all it holds about this address.",
            "Erasing can't be undone, and no more digests come. One that left before may still arrive.",
            "A code stays that is made from the address and doesn't show it, so that no old list brings it back.",
        ],
    }


def test_a_pause_says_when_it_ends_and_all_topics_are_said_to_be_all():
    assert said(Changed(SITE, "weekend_news", MONDAY, (), date(2026, 12, 23))) == [
        "Your digests pause until 23 December 2026. What is new by then is in the first one after it.",
        "You now get the weekend news digest of Mia's Feed.",
        "You get articles on all topics.",
    ]


def test_nothing_is_said_of_topics_where_there_are_none_to_choose_from():
    assert len(said(Changed(SITE, "daily", MONDAY))) == 2


@pytest.mark.parametrize("kind", notices())
def test_what_an_inbox_shows_behind_the_subject_is_neither_short_nor_long(kind):
    assert 40 <= len(lay_out_notice(notices()[kind]).preheader) <= 110


@pytest.mark.parametrize("name", ["100 % news", "%(date)s", "{{ x }}", "%s %d %%"])
def test_a_site_may_have_any_name(name):
    page = lay_out_notice(replace(notices()["confirm"], site=replace(SITE, name=name)))
    assert name in page.preheader


def test_only_a_reader_on_the_list_can_be_taken_off_it_by_one_click():
    on_a_list = {kind: headers_of_notice(notice).to_a_list for kind, notice in notices().items()}
    assert {kind for kind, there in on_a_list.items() if there} == {"welcome", "already", "changed"}
    assert headers_of_notice(notices()["welcome"]).feedback == ("notice", "weekly", "welcome")


def test_a_cadence_of_the_operators_own_goes_by_its_name():
    own = [replace(notice, cadence="weekend_news") for kind, notice in notices().items() if kind in ("already", "move")]
    assert [said(notice)[0] for notice in [*own, Moved(SITE, "weekend_news", "a***@example.org")]] == [
        "You are already subscribed to the weekend news digest of Mia's Feed.",
        "Someone, we hope you, asked that their weekend news digest of Mia's Feed come to this address.",
        "Your weekend news digest of Mia's Feed now goes to a***@example.org, and no longer to this address.",
    ]


def test_what_a_reader_is_told_of_themselves_is_whole_and_in_order():
    page = lay_out_notice(Copy(SITE, "weekly", FACTS, EVENTS))
    assert (page.facts, page.events, page.earlier) == (FACTS, EVENTS, 0)


def test_of_a_long_record_the_latest_fifty_are_shown_and_the_others_counted():
    page = lay_out_notice(Copy(SITE, "weekly", FACTS, tuple(((str(number), "changed"),) for number in range(80))))
    assert page.earlier == 30
    assert [when for ((when, _),) in page.events] == [str(number) for number in range(30, 80)]


@pytest.mark.parametrize("name", ODD_TITLES)
def test_no_odd_value_stands_in_a_mail_as_it_came(name):
    odd = ODD_TITLES[name]
    page = lay_out_notice(Copy(SITE, "weekly", ((odd, odd),), (((odd, odd),),)))
    ((label, value),) = page.facts
    assert page.events == (page.facts,)
    assert len(label) <= 60
    assert len(value) <= 2000
    assert not set("\r\n\x00\u202e\u2028") & set(label + value + str(lay_out_notice(Moved(SITE, "weekly", odd)).places))


def test_a_mail_to_an_address_that_may_be_a_strangers_says_nothing_but_who_asks():
    page = lay_out_notice(Move(SITE, "weekly", "https://news.site.example/address/x"))
    assert page.places == {"site": "Mia's Feed", "cadence": "weekly"}
    assert page.never_url == ""
