import email
import email.policy
import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from pydantic import ValidationError

from mailer.core.colour import READABLE, contrast
from mailer.core.digest import headers_of, lay_out
from mailer.core.message import compile_mail, slot_mark, slot_value, to_value, token_value
from mailer.core.text import clean_text, columns
from mailer.errors import Refused, TemplateError
from mailer.templating import Templates, ThemeOptions
from tests.mail.samples import (
    BOUNDARY,
    DATE,
    DRAFTS,
    INTRO,
    MARK,
    ODD_TITLES,
    ON_THE_WEB,
    RELATED,
    SITE,
    digest,
    notices,
)

OURS = Templates(ThemeOptions())
LEAD = DRAFTS[0]
VOID = {"meta", "img", "br", "link", "hr", "input"}


def rendered(*drafts, **changes):
    return OURS.render_digest(digest(*drafts, **changes), mark=MARK)


class Page(HTMLParser):
    """The elements of a page with their own and inherited colours, and the text in each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.dark = self._dark_rules(html)
        self.open: list[dict] = []
        self.elements: list[dict] = []
        self.feed(html)
        self.close()

    @staticmethod
    def _dark_rules(html: str) -> dict[str, dict[str, str]]:
        block = re.search(r"@media \(prefers-color-scheme:dark\)\{(.*?)\n\}", html, re.DOTALL)[1]
        rules: dict[str, dict[str, str]] = {}
        for selectors, body in re.findall(r"([^{}]+)\{([^}]*)\}", block):
            for selector in selectors.split(","):
                rules.setdefault(selector.strip().lstrip("."), {}).update(
                    re.findall(r"([a-z-]+):(#[0-9A-F]{6})!important", body)
                )
        return rules

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        parent = self.open[-1] if self.open else {"light": {}, "dark": {}}
        style = dict(re.findall(r"([a-z-]+):\s*([^;]+)", given.get("style") or ""))
        own = {key: style[key] for key in ("color", "background-color") if key in style}
        dark = dict(own)
        for name in (given.get("class") or "").split():
            dark |= {k: v for k, v in self.dark.get(name, {}).items() if k in ("color", "background-color")}
        element = {
            "tag": tag,
            "attrs": given,
            "style": style,
            "light": parent["light"] | own,
            "dark": parent["dark"] | dark,
            "text": "",
            "inside": [*parent.get("inside", []), tag],
        }
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        while self.open and self.open.pop()["tag"] != tag:
            pass

    def handle_data(self, data):
        if self.open:
            self.open[-1]["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def words(self):
        return [e for e in self.elements if e["text"].strip() and not {"style", "title"} & set(e["inside"])]


# What a reader sees.


def test_the_digest_shows_every_article_in_both_parts_in_order():
    mail = rendered(more=8)
    page = lay_out(digest())
    shown = [element["text"].strip() for element in Page(mail.html).all("a")]
    assert [text for text in shown if text in {item.title for item in page.items}] == [e.title for e in page.items]
    assert re.findall(r"^(\d+)\. ", mail.text, re.MULTILINE) == [str(e.number) for e in page.items]
    for item in page.items:
        assert item.link in mail.text
        assert item.link.replace("&", "&amp;") in mail.html
    assert "and 8 more on the site: https://site.example\n" in mail.text


def test_slowing_down_and_leaving_stand_at_the_top_and_at_the_end_of_both_parts():
    mail = rendered()
    for part in (mail.html, mail.text):
        for link in (f"preferences/{slot_mark(MARK, 'manage')}", f"unsubscribe/{slot_mark(MARK, 'leave')}"):
            assert part.count(f"https://news.site.example/{link}") == 2
            assert part.index(link) < part.index("A third of patients live five", part.index("Weekly"))
        assert f"Why you get this: on {slot_mark(MARK, 'since')} you asked for a weekly digest." in part
        assert "12 Harbour Street" in part


def test_the_text_part_is_as_the_sample_of_the_look():
    page = rendered(LEAD, DRAFTS[6])
    assert page.text.replace(slot_mark(MARK, "manage"), "M").replace(slot_mark(MARK, "leave"), "L").replace(
        slot_mark(MARK, "since"), "3 October 2026"
    ) == (
        "Mia's Feed\n"
        "Weekly · 16–22 November\n"
        "Change how often: https://news.site.example/preferences/M\n"
        "Unsubscribe: https://news.site.example/unsubscribe/L\n"
        "\n"
        "1. A third of patients live five years without relapse after a single\n"
        "   CAR-T dose\n"
        "   Oncology · 2 min read\n"
        "\n"
        "   One infusion, no maintenance therapy: of 97 people with multiple\n"
        "   myeloma, 33 percent had no relapse in five years. The researchers are\n"
        "   careful with the word cure.\n"
        "   https://site.example/car-t\n"
        "\n"
        "2. How to read a headline about risk\n"
        "   2 min read\n"
        "   https://site.example/risk\n"
        "\n"
        "Why you get this: on 3 October 2026 you asked for a weekly digest.\n"
        "Change how often: https://news.site.example/preferences/M\n"
        "Unsubscribe: https://news.site.example/unsubscribe/L\n"
        "\n"
        "Mia's Feed\n"
        "12 Harbour Street\n"
        "Dublin D02 X285, Ireland\n"
    )


@pytest.mark.parametrize("name", ODD_TITLES)
def test_no_line_of_the_text_part_is_wider_than_72_columns_but_for_a_url(name):
    odd = replace(LEAD, title=ODD_TITLES[name], summary=ODD_TITLES[name])
    text = rendered(odd, odd, cadence="a_rather_long_name_of_a_cadence_of_our_own").text
    text = text.replace(slot_mark(MARK, "since"), "30 September 2026")
    wide = [line for line in text.split("\n") if columns(line) > 72]
    assert all(re.search(r"https://\S+$", line) for line in wide)
    assert "\n\n\n" not in text


def test_the_preheader_is_real_words_that_are_not_seen_in_the_mail():
    first = next(e for e in Page(rendered().html).all("div") if "display" in e["style"])
    assert first["style"]["display"] == "none"
    assert first["text"] == lay_out(digest()).preheader


def test_a_picture_has_its_size_and_links_only_with_words():
    with_words = Page(rendered().html).all("img")
    assert [(e["attrs"]["width"], e["attrs"]["height"], e["attrs"]["alt"]) for e in with_words] == [
        ("536", "280", "Drawing: a large cell among smaller ones")
    ]
    assert "a" in with_words[0]["inside"]
    silent = Page(rendered(replace(LEAD, picture=replace(LEAD.picture, alt=""))).html).all("img")
    assert silent[0]["attrs"]["alt"] == ""
    assert "a" not in silent[0]["inside"]


def test_a_logo_stands_for_the_name_on_a_plate_of_its_own():
    html = Templates(ThemeOptions(logo="https://site.example/logo.png")).render_digest(digest(), mark=MARK).html
    logo = Page(html).all("img")[0]
    assert logo["attrs"]["alt"] == "Mia's Feed"
    assert "h1" in logo["inside"]
    assert logo["dark"] | {} == logo["light"] | {"color": "#1A1D20", "background-color": "#FFFFFF"}


def test_the_editors_words_stand_between_the_masthead_and_the_lead_in_both_parts():
    mail = rendered(intro=INTRO)
    for part in (mail.html, mail.text):
        assert part.index("16–22 November") < part.index("Good morning.") < part.rindex("A third of patients")
    assert "<strong>one dose</strong>" in mail.html
    assert "• Write to Mia\n  mailto:mia@site.example\n\n1. A third" in mail.text


def test_related_reading_is_links_with_titles_and_nothing_where_there_is_none():
    mail = rendered(LEAD, related=RELATED)
    assert [e["text"] for e in Page(mail.html).all("h2")][-1] == "Related reading"
    for part in (mail.html, mail.text):
        assert part.index("Related reading") < part.rindex("Lungs are at their best") < part.index("Why you get this")
        assert "https://site.example/lungs" in part
    assert "Related reading" not in rendered().html + rendered().text


def test_the_lead_can_be_shared_by_a_mail_and_the_text_part_needs_no_link_for_that():
    mail = rendered()
    (share,) = (e for e in Page(mail.html).all("a") if e["text"] == "Share")
    assert share["attrs"]["href"].startswith("mailto:?subject=A%20third%20of%20patients")
    assert "mailto:?" not in mail.text


def test_a_digest_that_is_on_the_web_says_where_and_offers_slower_paces():
    mail = rendered(more=8, **ON_THE_WEB)
    page, manage = ON_THE_WEB["web_url"], slot_mark(MARK, "manage")
    links = [(e["text"].strip(), e["attrs"]["href"]) for e in Page(mail.html).all("a")]
    assert [link for link in links if link[1] == page or "/instead/" in link[1]] == [
        ("and 8 more on the site", page),
        ("Share this edition on the web", page),
        ("Read on the web", page),
        ("Monthly instead", f"https://news.site.example/instead/monthly/{manage}"),
        ("Harbour news instead", f"https://news.site.example/instead/harbour_news/{manage}"),
    ]
    assert f"and 8 more on the site: {page}\n" in mail.text
    assert (
        f"Monthly instead: https://news.site.example/instead/monthly/{manage}\n"
        f"Harbour news instead: https://news.site.example/instead/harbour_news/{manage}\n"
        f"Read on the web: {page}\n\nMia's Feed\n"
    ) in mail.text


def test_a_digest_that_is_not_on_the_web_doesnt_speak_of_it():
    mail = rendered(more=8)
    assert not [word for word in ("on the web", "instead", "/editions") if word in mail.html + mail.text]


# The other mails.


@pytest.mark.parametrize("kind", notices())
@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_notice_says_the_same_in_both_parts(kind, language):
    mail = OURS.render_notice(notices(language)[kind], mark=MARK)
    page = Page(mail.html)
    body = html.unescape(re.sub(r"<[^>]+>", "", mail.html.replace("<br>", " ").partition("</style>\n</head>")[2]))
    for paragraph in re.split(r"\n\n|:\s+https?://\S+\n*", mail.text):
        assert " ".join(paragraph.split()) in " ".join(body.split())
    assert [e["attrs"]["href"] for e in page.all("a") if e["attrs"]["href"] not in mail.text] == []
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == 1
    assert page.all("title")[0]["text"] == mail.subject


def test_a_confirmation_has_one_button_its_address_in_the_open_and_a_way_never_to_hear_of_us_again():
    notice = notices()["confirm"]
    mail = OURS.render_notice(notice, mark=MARK)
    links = [(e["attrs"]["href"], e["text"].strip()) for e in Page(mail.html).all("a")]
    assert links == [
        (notice.confirm_url, "Confirm subscription"),
        (notice.confirm_url, ""),  # its words are the address itself, in a span
        (notice.never_url, "Never write to this address again"),
    ]
    assert mail.subject == "Confirm your subscription to Mia's Feed"
    assert "The link works for 7 days." in mail.text
    assert MARK not in mail.html + mail.text


@pytest.mark.parametrize(("kind", "press"), [("move", "Confirm new address"), ("erase", "Erase everything")])
def test_what_an_address_asked_for_is_one_press_away_and_not_done_without(kind, press):
    notice = notices()[kind]
    mail = OURS.render_notice(notice, mark=MARK)
    asks = notice.confirm_url if kind == "move" else notice.erase_url
    links = [(e["attrs"]["href"], e["text"].strip()) for e in Page(mail.html).all("a")]
    assert links[:2] == [(asks, press), (asks, "")]
    assert "Not you? Do nothing: nothing changes." in mail.text
    assert MARK not in mail.html + mail.text


def test_a_move_without_a_way_never_to_hear_of_us_doesnt_speak_of_one():
    mail = OURS.render_notice(replace(notices()["move"], never_url=""), mark=MARK)
    assert "Never" not in mail.html + mail.text
    assert "nothing changes.\n\nMia's Feed\n12 Harbour" in mail.text


def test_a_welcome_leads_to_the_latest_digest_where_there_is_one():
    with_one = notices()["welcome"]
    links = [e["attrs"]["href"] for e in Page(OURS.render_notice(with_one, mark=MARK).html).all("a")]
    assert links[0] == with_one.latest_url
    bare = OURS.render_notice(replace(with_one, latest_url=""), mark=MARK)
    assert "latest" not in bare.html + bare.text
    assert f"in every mail.\n\nChange how often: {SITE.public_url}/preferences/" in bare.text


def test_what_we_hold_about_a_reader_is_a_line_each_and_cannot_become_markup():
    facts, events = (
        (("Name", "<b>Ada</b> {{ leave }}"), ("الاسم", "أدا")),
        ((("3 October 2026", "asked"), ("Page", "<i>")),),
    )
    mail = OURS.render_notice(replace(notices()["copy"], facts=facts, events=events), mark=MARK)
    assert "\nName: <b>Ada</b> {{ leave }}\nالاسم: أدا\n\nWhat happened with your subscription\n\n3 Oct" in mail.text
    assert "\n3 October 2026: asked\n   Page: <i>\n" in mail.text
    assert "&lt;b&gt;Ada&lt;/b&gt; {{ leave }}</span>" in mail.html
    assert "&lt;i&gt;</span>" in mail.html
    assert 'dir="rtl"' in mail.html
    without = OURS.render_notice(replace(notices()["copy"], events=()), mark=MARK)
    assert "What happened" not in without.html + without.text
    long = OURS.render_notice(replace(notices()["copy"], events=events * 51), mark=MARK)
    assert "1 earlier entry is not shown." in long.html
    assert "1 earlier entry is not shown." in long.text


@pytest.mark.parametrize("kind", notices())
@pytest.mark.parametrize("accent", ["#0B5F6B", "#FFE600", "#14213D", "#FFFFFF", "#000000", "#808080"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_of_a_notice_can_be_read(kind, accent, scheme):
    mail = Templates(ThemeOptions(accent=accent)).render_notice(notices()[kind], mark=MARK)
    for element in Page(mail.html).words():
        colours = element[scheme]
        assert contrast(colours["color"], colours["background-color"]) >= READABLE, element


def test_a_name_that_runs_the_other_way_stands_in_a_span_of_its_own():
    html = OURS.render_notice(notices("ar")["changed"], mark=MARK).html
    # The style says it again for mail programs that drop `dir`.
    span = '<span dir="ltr" style="direction:ltr;unicode-bidi:embed">'
    assert f"يصلك {span}Mia's Feed</span> الآن" in html.replace("&#39;", "'")
    assert f"{span}Oncology</span> و{span}Lung health</span>" in html
    same_way = OURS.render_notice(notices()["welcome"], mark=MARK).html
    assert "<span" not in same_way.split("<h2")[1].split("rule")[0]


# How it is made.


def test_each_article_turns_as_a_whole_and_says_its_language():
    tables = [e for e in Page(rendered().html).all("table") if "lang" in e["attrs"]]
    assert [(e["attrs"]["lang"], e["attrs"]["dir"]) for e in tables] == [
        ("en", "ltr"), ("en", "ltr"), ("en", "ltr"), ("ar", "rtl"), ("de", "ltr"), ("ja", "ltr"), ("en", "ltr"),
    ]  # fmt: skip
    assert [e["style"]["direction"] for e in tables] == [e["attrs"]["dir"] for e in tables]
    assert tables[3]["style"]["text-align"] == "right"


@pytest.mark.parametrize("accent", ["#0B5F6B", "#FFE600", "#14213D", "#FFFFFF", "#000000", "#808080"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_in_light_and_dark(accent, scheme):
    mail = Templates(ThemeOptions(accent=accent)).render_digest(digest(more=3, intro=INTRO, related=RELATED), mark=MARK)
    words = Page(mail.html).words()
    assert len(words) > 30
    for element in words:
        colours = element[scheme]
        assert contrast(colours["color"], colours["background-color"]) >= READABLE, element


def test_no_text_is_below_14_pixels_and_every_colour_has_six_digits():
    html = rendered().html
    assert min(int(size) for size in re.findall(r"font-size:\s*(\d+)px", html)) >= 14
    assert all(len(colour) == 7 for colour in re.findall(r"#[0-9A-Fa-f]+\b(?=[;\"!])", html))


def test_the_structure_is_what_readers_with_screen_readers_need():
    page = Page(rendered().html)
    assert page.all("html")[0]["attrs"]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == len(DRAFTS)
    assert all(e["attrs"]["role"] == "presentation" for e in page.all("table"))
    frame = page.all("div")[0]["attrs"]
    assert (frame["role"], frame["aria-label"], frame["dir"]) == (
        "article",
        "Mia's Feed, Weekly, 16–22 November",
        "ltr",
    )
    assert page.all("title")[0]["text"]


def test_nothing_stands_in_it_that_mail_programs_drop_or_fear():
    html = rendered().html
    assert not re.search(r"<(script|form|iframe|link|object|svg)\b|javascript:|data:|@import|@font-face|http://", html)
    assert not re.search(r"display:\s*(flex|grid)|var\(|object-fit|rgb\(", html)
    styles = re.findall(r"<style[^>]*>(.*?)</style>", re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL), re.DOTALL)
    assert sum(map(len, styles)) < 16 * 1024
    assert not any("/*" in style for style in styles)
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") == 3


def test_style_is_written_into_the_elements_and_the_rules_for_phones_and_dark_screens_stay():
    html = rendered().html
    assert "@media (max-width:619px)" in html
    assert "@media (prefers-color-scheme:dark)" in html
    bare = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    assert "font-family:Georgia,serif" in bare
    assert "'Segoe UI'" in bare
    assert "{{" not in html


def test_the_same_digest_renders_the_same():
    assert rendered() == rendered()


def test_twenty_long_articles_stay_below_what_gmail_shows():
    long = replace(
        LEAD, title="Größe " * 30, summary="Ein Satz über die Größe. " * 20, link="https://x.example/" + "a" * 90
    )
    mail = rendered(*[long] * 20, more=9)
    data = compile_mail(
        headers=headers_of(digest()),
        subject="x",
        html=mail.html,
        text=mail.text,
        mark=MARK,
        date=DATE,
        boundary=BOUNDARY,
    )
    assert sum(map(len, data.segments)) < 90 * 1024


# What a feed brings.


@pytest.mark.parametrize("name", ODD_TITLES)
def test_every_odd_title_is_shown_and_never_run(name):
    odd = ODD_TITLES[name]
    sample = digest(replace(LEAD, title=odd, summary=odd, topics=(odd,), picture=replace(LEAD.picture, alt=odd)), LEAD)
    mail = OURS.render_digest(sample, mark=MARK)
    page = Page(mail.html)
    title = lay_out(sample).lead.title
    assert next(e["text"] for e in page.all("a") if "h2" in e["inside"]) == title
    assert page.all("img")[0]["attrs"]["alt"] == clean_text(odd)
    # No value of an attribute looks like a tag or a comment either.
    assert "<script" not in mail.html
    assert mail.html.count("<!--") == 3
    assert page.all("script") == []
    assert page.all("b") == []
    data = compile_mail(
        headers=headers_of(sample),
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        mark=MARK,
        date=DATE,
        boundary=BOUNDARY,
    ).build(
        {
            "to": to_value("ada@reader.example"),
            "message_id": b"1@site.example",
            "leave": token_value("leave"),
            "manage": token_value("manage"),
            "since": slot_value("3 October 2026"),
        }
    )
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert message["Subject"] == lay_out(sample).subject
    assert message["Bcc"] is None
    assert not message.defects
    assert message.get_body(("html",)).get_content().count('/unsubscribe/leave"') == 2
    assert re.sub(r"\s", "", title) in re.sub(r"\s", "", message.get_body(("plain",)).get_content())


def test_an_article_cannot_place_a_readers_link():
    forged = replace(LEAD, title=f"See {slot_mark(MARK, 'leave')}")
    with pytest.raises(Refused, match="another mark"):
        rendered(forged)
    hidden = replace(LEAD, summary=MARK[:5] + "\u200b" + MARK[5:])
    with pytest.raises(Refused, match="another mark"):
        rendered(hidden)


# The operator's own.


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"accent": "teal"}, "accent"),
        ({"accent": "#0B5F6"}, "accent"),
        ({"accent": "#0B5F6B\n"}, "accent"),
        ({"logo": "http://site.example/logo.png"}, "https"),
        ({"logo": "logo.png"}, "https"),
        ({"colour": "#000000"}, "colour"),
    ],
)
def test_a_wrong_theme_is_refused(given, complaint):
    with pytest.raises(ValidationError, match=complaint):
        ThemeOptions(**given)


def test_every_setting_of_the_theme_is_described():
    assert all(field.description for field in ThemeOptions.model_fields.values())


def themed(folder, name, text):
    path = folder / "email" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Templates(ThemeOptions(templates=folder))


def test_a_file_of_the_operator_replaces_ours_and_may_extend_the_frame(tmp_path):
    row = "<tr><td>Own: {{ page.lead.title }}</td></tr>"
    own = f'{{% extends "email/_base/body.html" %}}{{% block content %}}{row}{{% endblock %}}'
    mail = themed(tmp_path, "digest/body.html", own).render_digest(digest(replace(LEAD, title="<i>x</i>")), mark=MARK)
    assert "Own: &lt;i&gt;x&lt;/i&gt;" in mail.html
    assert mail.text == rendered(replace(LEAD, title="<i>x</i>")).text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("line\n{% if %}", r"digest/body\.txt, line 2: Expected an expression"),
        ("line\n\n{{ page.nothing }}", r"digest/body\.txt, line 3: .*has no attribute 'nothing'"),
        ("{{ unknown }}", r"digest/body\.txt, line 1: 'unknown' is undefined"),
        ("\n{{ 1 / 0 }}", r"digest/body\.txt, line 2: division by zero"),
        ("{{ page.__class__.__mro__ }}", r"digest/body\.txt, line 1: .*unsafe"),
        ('{% extends "email/_base/none.txt" %}', r"there is no template 'email/_base/none\.txt'"),
        ("{% for x in range(1000000000) %}{% endfor %}", r"digest/body\.txt, line 1: Range too big"),
    ],
)
def test_a_broken_template_says_where_it_is_broken(tmp_path, text, complaint):
    with pytest.raises(TemplateError, match=complaint):
        themed(tmp_path, "digest/body.txt", text).render_digest(digest(), mark=MARK)


def test_a_template_that_is_not_utf_8_says_so(tmp_path):
    themed(tmp_path, "digest/body.txt", "x")
    (tmp_path / "email/digest/body.txt").write_bytes(b"x\n\xff\xfe")
    with pytest.raises(TemplateError, match=r"digest/body\.txt, line 2: not UTF-8 text"):
        Templates(ThemeOptions(templates=tmp_path))


def test_a_folder_that_is_not_there_says_so(tmp_path):
    with pytest.raises(TemplateError, match=r"theme\.templates"):
        Templates(ThemeOptions(templates=tmp_path / "none"))


def test_the_site_may_have_any_name():
    for name in ODD_TITLES.values():
        mail = rendered(site=replace(SITE, name=name, postal_address=name))
        assert "<script>" not in mail.html
