from dataclasses import replace

import pytest

from mailer.core.article import Picture
from mailer.core.digest import headers_of, lay_out
from mailer.core.link import web_address
from mailer.core.script import script_of
from tests.mail.samples import DRAFTS, ODD_TITLES, PICTURE, SITE, articles, digest

LEAD = DRAFTS[0]


def lead_of(**changes):
    return lay_out(digest(replace(LEAD, **changes))).lead


def test_the_subject_is_the_headline_of_the_lead_cut_at_a_word():
    page = lay_out(digest())
    assert page.subject == "A third of patients live five years without relapse after a…"
    assert len(page.subject) <= 60
    assert lay_out(digest(replace(LEAD, title="Short news"))).subject == "Short news"


def test_the_preheader_is_the_next_three_headlines():
    preheader = lay_out(digest(*DRAFTS[:2], DRAFTS[6])).preheader
    assert preheader == (
        "Why chemotherapy is harder on some people: part of the answer lives in the gut · How to read a headline about…"
    )
    assert len(preheader) <= 110


def test_an_article_that_stands_alone_has_its_summary_as_preheader():
    assert lay_out(digest(replace(LEAD, summary="One sentence. Two."))).preheader == "One sentence. Two."


def test_the_first_six_have_a_summary_and_the_others_a_title():
    page = lay_out(digest(*[replace(LEAD, guid=str(at)) for at in range(20)], more=8))
    assert [len(part) for part in (page.summarised, page.titled)] == [5, 14]
    assert all(item.summary for item in page.summarised)
    assert not any(item.summary for item in page.titled)
    assert [item.number for item in page.items] == list(range(1, 21))
    assert page.more == "and 8 more on the site"


def test_summaries_are_cut_shorter_below_the_lead():
    text = "This sentence has exactly fifty-one letters in all. " * 9
    page = lay_out(digest(replace(LEAD, summary=text), replace(LEAD, summary=text)))
    assert len(page.lead.summary) == 207
    assert len(page.summarised[0].summary) == 155


def test_a_digest_without_articles_is_no_mail():
    with pytest.raises(ValueError, match="without articles"):
        lay_out(digest(articles=()))


def test_what_is_unknown_is_left_out():
    assert lead_of(topics=(), minutes=0).meta == ()
    assert lead_of(topics=()).meta == ("2 min read",)
    assert lead_of(summary="").summary == ""


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        (("oncology",), "Oncology"),
        (("LUNG HEALTH",), "Lung health"),
        (("Lung-Health",), "Lung health"),
        (("Cancer research",), "Cancer research"),
        (("Cancer research", "oncology"), "Oncology"),
        (("\u200b", "Cancer"), "Cancer"),
    ],
)
def test_a_topic_goes_by_its_name_on_the_site_else_as_it_is_written(labels, label):
    assert lead_of(topics=labels).meta[0] == label


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        (PICTURE, True),
        (replace(PICTURE, url="https://x.example/a.jpeg?w=1"), True),
        (replace(PICTURE, url="https://x.example/a", media_type="image/jpeg"), True),
        (replace(PICTURE, url="http://127.0.0.1:8025/a.png"), True),
        (replace(PICTURE, url="http://localhost:8025/a.png"), True),
        (replace(PICTURE, url="http://x.example/a.png"), False),
        (replace(PICTURE, url="http://127.0.0.1.x.example/a.png"), False),
        (replace(PICTURE, url="https://x.example/a.webp"), False),
        (replace(PICTURE, url="https://x.example/a.png", media_type="image/webp"), False),
        (replace(PICTURE, url="https://x.example/a"), False),
        (replace(PICTURE, url="data:image/png;base64,AAAA"), False),
        (replace(PICTURE, width=0, height=0), False),
        (replace(PICTURE, width=535, height=300), False),
        (replace(PICTURE, width=536, height=402), True),
        (replace(PICTURE, width=536, height=403), False),
        (replace(PICTURE, width=600, height=300), True),
        (replace(PICTURE, width=600, height=299), False),
        (replace(PICTURE, width=600, height=-300), False),
        (None, False),
    ],
)
def test_only_a_picture_that_every_mail_program_shows_well_is_shown(picture, shown):
    found = lead_of(picture=picture).picture
    assert (found is not None) == shown
    if found:
        assert found.width == 536
        assert 268 <= found.height <= 402


def test_only_the_lead_has_a_picture():
    assert [item.picture is not None for item in lay_out(digest(LEAD, LEAD, LEAD)).items] == [True, False, False]


def test_a_picture_keeps_its_shape():
    assert lead_of().picture == Picture(PICTURE.url, PICTURE.alt, 536, 280)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://site.example/a?b=c&d=%20e#f", "https://site.example/a?b=c&d=%20e#f"),
        ("HTTPS://site.example", "https://site.example"),
        ("https://site.example/größe und mehr", "https://site.example/gr%C3%B6%C3%9Fe%20und%20mehr"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ('https://site.example/"><script>', "https://site.example/%22%3E%3Cscript%3E"),
        ("https://site.example/a\r\nb", "https://site.example/ab"),
        ("https://site.example/\ud800", "https://site.example/%3F"),
        ("https://user:secret@site.example/", ""),
        ("https://good.example@site.example/", ""),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("file:///etc/passwd", ""),
        ("//site.example/a", ""),
        ("/relative", ""),
        ("https://[::1", ""),
        ("https://☃☃☃☃.☃/", ""),
        ("", ""),
    ],
)
def test_a_link_is_a_plain_web_address_or_none(url, written):
    assert web_address(url) == written


@pytest.mark.parametrize(
    ("title", "language", "item"),
    [
        ("English words", "", ("ltr", "en", "")),
        ("Deutsche Wörter", "de", ("ltr", "de", "")),
        ("Привет", "ru", ("ltr", "ru", "")),
        ("دراسة جديدة", "", ("rtl", "ar", "ar")),
        ("مطالعه جدید", "fa", ("rtl", "fa", "ar")),
        ("חיסון אישי", "en", ("rtl", "he", "he")),
        ("CAR-T細胞療法で再発なし", "", ("ltr", "ja", "ja")),
        ("多发性骨髓瘤", "", ("ltr", "zh", "zh")),
        ("多発性骨髄腫", "ja", ("ltr", "ja", "ja")),
        ("다발골수종", "", ("ltr", "ko", "ko")),
        ("English words", "ar", ("ltr", "und", "")),
        ("हिन्दी शब्द", "hi", ("ltr", "hi", "other")),
        ("English words", 'en" onload="', ("ltr", "und", "")),
    ],
)
def test_an_article_has_its_own_direction_language_and_fonts(title, language, item):
    lead = lead_of(title=title, language=language)
    assert (lead.direction, lead.language, lead.script) == item
    assert script_of(title, language) == item[2]


@pytest.mark.parametrize("name", ODD_TITLES)
def test_no_odd_title_breaks_a_layout(name):
    odd = ODD_TITLES[name]
    page = lay_out(digest(replace(LEAD, title=odd, summary=odd, topics=(odd,), link=odd, language=odd)))
    assert page.subject
    assert len(page.lead.title) <= 140
    assert len(page.lead.summary) <= 220
    assert page.lead.link == ""


def test_related_articles_are_shown_by_title_and_only_those_that_can_be_opened():
    page = lay_out(digest(related=articles(DRAFTS[1], replace(DRAFTS[2], link="javascript:x"), DRAFTS[3])))
    assert [item.title for item in page.related] == [DRAFTS[1].title, DRAFTS[3].title]
    assert [item.summary for item in page.related] == ["", ""]
    assert "ar" in lay_out(digest(LEAD, related=articles(DRAFTS[3]))).scripts


def test_an_article_is_shared_by_a_mail_with_its_title_and_address():
    page = lay_out(digest(replace(LEAD, title="Tea & milk? 50 %", link="https://site.example/a?b=c&d=e")))
    assert page.share == (
        "mailto:?subject=Tea%20%26%20milk%3F%2050%20%25&body=https%3A%2F%2Fsite.example%2Fa%3Fb%3Dc%26d%3De"
    )
    assert lay_out(digest(replace(LEAD, link=""))).share == ""


def test_a_digest_offers_the_two_paces_next_to_its_own():
    page = lay_out(digest(cadence="daily", slower=("weekly", "a/b news?", "monthly")))
    assert [(other.path, other.words % {"cadence": other.label}) for other in page.slower] == [
        ("weekly", "Weekly instead"),
        ("a%2Fb%20news%3F", "A/b news? instead"),
    ]
    assert lay_out(digest()).slower == ()


def test_what_stays_over_is_on_the_digests_page_else_on_the_site():
    page = "https://news.site.example/editions/weekly/2026-W47/0"
    assert lay_out(digest(web_url=page)).more_url == page
    assert lay_out(digest()).more_url == SITE.url


def test_the_imprint_names_the_site_once():
    assert lay_out(digest()).imprint == ("Mia's Feed", "12 Harbour Street", "Dublin D02 X285, Ireland")
    named = replace(SITE, postal_address="Mia's Feed Ltd, 12 Harbour Street")
    assert lay_out(digest(site=named)).imprint == ("Mia's Feed Ltd, 12 Harbour Street",)


def test_the_header_fields_are_those_of_the_site_and_the_edition():
    headers = headers_of(digest())
    assert headers.feedback == ("2026-W47", "weekly", "digest")
    assert headers.list_id == SITE.list_id
