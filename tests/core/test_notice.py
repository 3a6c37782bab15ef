from dataclasses import replace
from datetime import date

import pytest

from mailer.core.notice import Changed, headers_of_notice, lay_out_notice
from tests.mail.samples import MONDAY, SITE, notices


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
    }


def test_a_pause_says_when_it_ends_and_all_topics_are_said_to_be_all():
    assert said(Changed(SITE, "weekend_news", MONDAY, (), date(2026, 12, 23))) == [
        "You now get the weekend news digest of Mia's Feed.",
        "Your digests pause until 23 December 2026. What is new by then is in the first one after it.",
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
    assert on_a_list == {"confirm": False, "welcome": True, "changed": True, "goodbye": False}
    assert headers_of_notice(notices()["welcome"]).feedback == ("notice", "weekly", "welcome")
