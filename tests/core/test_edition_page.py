"""An edition's page: all its articles, which days it names, where it is; the archive and its feed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import feedparser
import pytest

from mailer.core.article import Article, Draft
from mailer.core.edition_archive import IN_FEED, ArchivePage, atom_feed, lay_out_archive
from mailer.core.edition_page import MOST_SHOWN, EditionPage, days_covered, edition_path, lay_out_edition
from mailer.core.feed import read_feed
from mailer.core.words import ENGLISH
from tests.mail.samples import DRAFTS, INTRO, RELATED, SITE, articles
from tests.page_samples import edition as sample
from tests.stories import cadence

MADE = datetime(2026, 11, 23, 7, 0, 30, tzinfo=UTC)
HOSTILE = '</title><script>alert(1)</script>" onload="x" &amp; ]]> \x00\x0b\x1f\u202e'


def edition(*drafts: Draft, **changes: object) -> EditionPage:
    return sample(**{"articles": articles(*(drafts or DRAFTS))} | changes)


def laid_out(page: EditionPage):
    return lay_out_edition(page, SITE, ENGLISH)


def test_every_article_is_on_the_page_with_its_summary_and_the_lead_has_its_picture():
    page = laid_out(edition(*[replace(DRAFTS[0], guid=str(at)) for at in range(30)]))
    assert len(page.items) == 29
    assert all(item.summary.startswith("One infusion") for item in (page.lead, *page.items))
    assert page.lead.picture.width == 536
    assert not any(item.picture for item in page.items)


def test_its_label_is_the_mails():
    page = laid_out(edition())
    assert (page.label, page.day) == ("Weekly · 16–22 November", "23 November 2026")
    assert page.headline == f"Weekly · 16–22 November: {DRAFTS[0].title}"


def test_what_is_beyond_a_page_is_counted():
    many = tuple(Article(at, "feed:1", DRAFTS[1]) for at in range(MOST_SHOWN + 3))
    page = laid_out(edition(articles=many, more=2))
    assert len(page.items) == MOST_SHOWN - 1
    assert page.more == "and 5 more on the site"
    assert laid_out(edition()).more == ""


def test_other_editions_are_led_to_only_from_an_archive():
    lonely = laid_out(edition(older="/a", newer="/b"))
    assert (lonely.ways, lonely.indexed) == ((), False)
    archived = laid_out(edition(older="/a", archived=True))
    assert [(way.label, way.url) for way in archived.ways] == [("Earlier edition", "/a"), ("All editions", "/editions")]
    assert archived.indexed


def test_it_leads_to_the_form_with_its_pace_while_there_is_such_a_pace():
    assert laid_out(edition()).subscribe.url == "/subscribe?cadence=weekly"
    assert laid_out(edition(cadence="own & co")).subscribe.url == "/subscribe?cadence=own%20%26%20co"
    assert laid_out(edition(offered=False)).subscribe is None


def test_an_address_is_quoted_whole():
    assert edition_path("weekly", "2026-W48", 0) == "/editions/weekly/2026-W48/0"
    assert edition_path("a/b?c", "ü", 12) == "/editions/a%2Fb%3Fc/%C3%BC/12"


@pytest.mark.parametrize(
    ("pace", "period", "due", "days"),
    [
        ("weekly", "2026-W48", datetime(2026, 11, 23, 7, tzinfo=UTC), (date(2026, 11, 16), date(2026, 11, 22))),
        ("daily", "2026-11-23", datetime(2026, 11, 23, 7, tzinfo=UTC), (date(2026, 11, 23), date(2026, 11, 23))),
        ("monthly", "2026-12", datetime(2026, 12, 1, 7, tzinfo=UTC), (date(2026, 11, 1), date(2026, 11, 30))),
    ],
)
def test_the_days_are_those_of_the_mail_also_when_the_cadence_is_gone_or_another(pace, period, due, days):
    zone = ZoneInfo("UTC")
    assert days_covered(cadence(pace), period, due, due, zone) == days
    assert days_covered(None, period, due, due, zone) == days
    assert days_covered(cadence(pace, when="day 17 20:00"), period, due, due, zone) == days
    late = due + timedelta(days=3)
    assert days_covered(cadence(pace), period, due, late, zone) == (days[0], late.date())
    assert days_covered(None, period, due, late, zone) == (days[0], late.date())


def test_the_month_before_the_31st_begins_on_its_own_last_day():
    due = datetime(2026, 3, 31, 7, tzinfo=UTC)
    assert days_covered(None, "2026-03", due, due, ZoneInfo("UTC")) == (date(2026, 2, 28), date(2026, 3, 30))


def test_the_archive_lists_editions_and_leads_on():
    pages = (edition(), edition(*DRAFTS[4:5], cadence="daily", covers=(date(2026, 11, 20), date(2026, 11, 20))))
    sheet = lay_out_archive(ArchivePage(editions=pages, number=2, last=3), SITE, ENGLISH)
    assert str(sheet.heading) == "Editions of Mia's Feed"
    assert [one.about for one in sheet.listed] == ["23 November 2026 · 7 articles", "23 November 2026 · 1 article"]
    assert sheet.listed[1].label == "Daily · Friday 20 November"
    assert sheet.listed[1].lead.language == "de"
    assert [way.url for way in sheet.ways] == ["/editions", "/editions?page=3"]
    assert lay_out_archive(ArchivePage(editions=()), SITE, ENGLISH).ways == ()


# --- the feed


def test_the_feed_says_what_rfc_4287_asks_for():
    body = atom_feed([edition(intro=INTRO), edition(period="2026-W47", made=MADE - timedelta(days=7))], SITE, ENGLISH)
    found = feedparser.parse(body)
    assert not found.bozo
    assert (found.version, found.feed.title) == ("atom10", "Editions of Mia's Feed")
    assert (found.feed.id, found.feed.updated) == (
        "https://news.site.example/editions/feed.xml",
        "2026-11-23T07:00:30Z",
    )
    assert {(link.rel, link.href) for link in found.feed.links} == {
        ("self", "https://news.site.example/editions/feed.xml"),
        ("alternate", "https://news.site.example/editions"),
    }
    assert found.feed.author == "Mia's Feed"
    first, second = found.entries
    assert first.title == f"Weekly · 16–22 November: {DRAFTS[0].title}"
    assert first.link == "https://news.site.example/editions/weekly/2026-W48/0"
    assert (first.id, second.id) == (
        "https://news.site.example/editions/weekly/2026-W48",
        "https://news.site.example/editions/weekly/2026-W47",
    )
    assert (first.updated, first.published) == ("2026-11-23T07:00:30Z", "2026-11-23T07:00:30Z")
    assert first.summary.startswith("One infusion")
    assert first.content[0].type == "text/html"
    assert all(draft.title in first.content[0].value for draft in DRAFTS)
    assert "<strong>one dose</strong>" in first.content[0].value


def test_our_own_reader_takes_the_feed_without_a_complaint():
    found = read_feed(atom_feed([edition()], SITE, ENGLISH), url="https://news.site.example/editions/feed.xml")
    assert found.problems == ()
    assert [draft.link for draft in found.drafts] == ["https://news.site.example/editions/weekly/2026-W48/0"]
    assert found.drafts[0].published == MADE


def test_the_feed_has_the_newest_twenty_and_an_empty_one_is_a_feed():
    many = [edition(period=f"2026-W{week}", made=MADE - timedelta(weeks=week)) for week in range(10, 40)]
    assert len(feedparser.parse(atom_feed(many, SITE, ENGLISH)).entries) == IN_FEED
    empty = feedparser.parse(atom_feed([], SITE, ENGLISH))
    assert (empty.bozo, empty.version, empty.entries) == (False, "atom10", [])


def test_the_same_editions_give_the_same_bytes_and_a_correction_others():
    assert atom_feed([edition()], SITE, ENGLISH) == atom_feed([edition()], SITE, ENGLISH)
    mended = edition(replace(DRAFTS[0], title="Mended"), *DRAFTS[1:])
    assert atom_feed([mended], SITE, ENGLISH) != atom_feed([edition()], SITE, ENGLISH)


def test_hostile_titles_stay_text_in_the_feed():
    bad = replace(DRAFTS[0], title=HOSTILE, summary=HOSTILE, link="javascript:alert(1)")
    site = replace(SITE, name=HOSTILE)
    body = atom_feed([edition(bad, intro="<script>alert(1)</script>", related=RELATED)], site, ENGLISH)
    found = feedparser.parse(body)
    assert not found.bozo
    assert b"<script" not in body
    assert b"javascript:" not in body
    assert "<script" not in found.entries[0].content[0].value
