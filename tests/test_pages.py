"""The reader's pages as documents: escaped, without script, small, in every language and every state."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from mailer.core.signup_page import SignupDone
from mailer.templating import Templates, ThemeOptions
from mailer.templating.extraction import sentences_of_templates
from mailer.templating.overrides import our_folder
from mailer.templating.pages import Pages
from tests.mail.samples import SITE
from tests.page_samples import FIRST, LANGUAGES, PAGES, preferences, signup

TEMPLATES = Templates(ThemeOptions())
SHOWN = Pages(SITE, TEMPLATES.words)
LARGEST = 30_000
EVIL = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


class Read(HTMLParser):
    """A document as a list of its opening tags, and the texts between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_every_state_is_a_whole_document_in_every_language(name, language):
    html = SHOWN.render(PAGES[name], language)
    page = Read(html)
    assert html.startswith("<!DOCTYPE html>\n<html ")
    assert page.all("html") == [{"lang": language, "dir": "rtl" if language == "ar" else "ltr"}]
    assert [len(page.all(tag)) for tag in ("title", "h1", "main", "style")] == [1, 1, 1, 1]
    assert len(html.encode()) < LARGEST
    assert "%(" not in html


@pytest.mark.parametrize("name", PAGES)
def test_no_page_asks_for_more_than_its_own_style(name):
    html = SHOWN.render(PAGES[name], "en")
    page = Read(html)
    forbidden = {"script", "img", "link", "iframe", "object", "embed", "base", "svg", "video", "audio"}
    if name.startswith(("edition", "archive")):
        forbidden -= {"img", "link"}  # the lead's picture, and where its feed and its neighbours are
    assert forbidden.isdisjoint(tag for tag, _ in page.tags)
    assert [names for _, names in page.tags if "style" in names or any(key.startswith("on") for key in names)] == []
    assert "url(" not in html
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert SHOWN.style_hash == f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}"


@pytest.mark.parametrize("name", PAGES)
def test_every_form_posts_to_ourselves_and_hands_the_language_on(name):
    html = SHOWN.render(PAGES[name], "de")
    forms = re.findall(r"<form [^>]*>.*?</form>", html, re.DOTALL)
    assert len(forms) == html.count("<form")
    for form in forms:
        page = Read(form)
        (attributes,) = page.all("form")
        assert attributes["method"] == "post"
        assert attributes.get("action", "/").startswith("/")
        assert {"type": "hidden", "name": "lang", "value": "de"} in page.all("input")
        assert any(button["type"] == "submit" for button in page.all("button"))


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
@pytest.mark.parametrize("name", PAGES)
def test_no_english_is_left_in_a_page_of_another_language(name, language):
    texts = {text.strip() for text in Read(SHOWN.render(PAGES[name], language)).texts}
    words = TEMPLATES.words(language)
    ours = {sentence.one for sentence in sentences_of_templates(our_folder())}
    assert {text for text in texts & ours if words.catalogue.gettext(text) != text} == set()


def test_what_others_wrote_stays_text():
    site = replace(SITE, name=EVIL, tagline=EVIL, postal_address=EVIL)
    pages = Pages(site, TEMPLATES.words)
    form = signup(email=EVIL, topics={EVIL: EVIL}, form_time=EVIL, timezone=EVIL, what=EVIL, errors={"email": "format"})
    for page in (form, preferences(address=EVIL, new_address=EVIL, topics={EVIL: EVIL}, until=EVIL, timezone=EVIL)):
        plain = Read(SHOWN.render(type(page)(**_clean(page)), "en"))
        hostile = Read(pages.render(page, "en"))
        assert {tag for tag, _ in hostile.tags} == {tag for tag, _ in plain.tags}
        assert [tag for tag, _ in hostile.tags].count("img") == 0
        assert any(EVIL[:30] in text for text in hostile.texts)
    fields = {
        field["name"]: field["value"] for field in Read(pages.render(form, "en")).all("input") if "value" in field
    }
    assert fields["email"] == EVIL
    assert fields["form_time"] == EVIL


def _clean(page):
    """The same page with nothing hostile in it."""
    fields = {name: getattr(page, name) for name in page.__dataclass_fields__}
    return {
        name: {"a": "A"} if value == {EVIL: EVIL} else "x" if value == EVIL else value for name, value in fields.items()
    }


def test_a_privacy_link_is_one_to_the_web_or_none():
    for url in ("javascript:alert(1)", "data:text/html,x", "//evil.example", "/privacy"):
        assert Read(SHOWN.render(signup(privacy_url=url), "en")).all("a") == [
            {"href": "https://site.example", "dir": "ltr"}
        ]


def test_an_address_stands_apart_in_a_language_that_runs_the_other_way():
    html = SHOWN.render(SignupDone(email="ada@site.example", cadence="weekly", first=FIRST), "ar")
    assert '<bdi dir="ltr">ada@site.example</bdi>' in html
    assert '<span dir="ltr">Mia&#39;s Feed</span>' in html


def test_the_field_that_traps_machines_is_out_of_the_way_of_people():
    html = SHOWN.render(signup(), "en")
    (trap,) = [field for field in Read(html).all("input") if field["name"] == "website"]
    assert (trap["tabindex"], trap["autocomplete"]) == ("-1", "off")
    assert re.search(r'<div class="away" aria-hidden="true">\s*<label for="website">', html)
    assert "display: none" not in html.partition("@media print")[0]


@pytest.mark.parametrize(("name", "field"), [("signup, format", "email"), ("signup, pace of six", "cadence")])
def test_a_field_that_is_wrong_says_so_to_every_reader(name, field):
    html = SHOWN.render(PAGES[name], "en")
    marked = [names for _, names in Read(html).tags if names.get("aria-invalid") == "true"]
    assert [(names["name"], names["aria-describedby"]) for names in marked] == [(field, f"{field}-error")]
    assert "autofocus" in marked[0]
    assert re.search(
        rf'<label [^>]*>[^<]*</label>\n<p class="error" id="{field}-error">[^<]+</p>\n<(input|select) ', html
    )
    assert "<title>Error: Stay updated with Mia&#39;s Feed</title>" in html


def test_a_frame_has_nothing_around_its_box():
    page = Read(SHOWN.render(PAGES["signup in a frame"], "en"))
    assert page.all("body") == [{"class": "frame"}]
    assert page.all("header") + page.all("footer") == []
    assert [form["action"] for form in page.all("form")] == ["/embed"]


def test_the_operators_accent_is_made_readable_and_changes_the_hash():
    yellow = Pages(replace(SITE, accent="#FFE600"), TEMPLATES.words)
    html = yellow.render(PAGES["signup"], "en")
    assert "--accent: #7A6E00" in html
    assert "--accent: #FFE600" in html
    assert yellow.style_hash != SHOWN.style_hash


def test_a_language_that_nobody_translated_is_english():
    html = SHOWN.render(PAGES["confirm, ask"], "sv")
    assert '<html lang="en" dir="ltr">' in html
    assert "Confirm subscription" in html


def test_many_topics_still_make_a_page_of_its_size():
    topics = {f"topic-{number}": f"Some topic of the {number}th kind" for number in range(12)}
    assert len(SHOWN.render(preferences(topics=topics, changed="saved"), "ar").encode()) < LARGEST
