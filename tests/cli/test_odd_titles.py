"""Whatever a title holds, the subject and the body are clean, and the run goes through (standards.md, The message)."""

import re

import pytest

from tests.cli.site import MONDAY

TITLES = {
    "controls": ("A\x01\x07\x1b[31mB\x7fC", "A[31mBC"),
    "line breaks": ("One\r\nBcc: evil@example.com\r\n\r\nTwo", "One Bcc: evil@example.com Two"),
    "separators": ("A\u2028B\u2029C\x85D\x0bE\x0cF\x1cG", "A B C D E F G"),
    "nul": ("Nu\x00ll", "Null"),
    "bidi": ("Safe \u202egnp.exe\u2066 end", "Safe gnp.exe end"),
    "long": ("word " * 2000, None),
    "endless": ("x" * 10_000, None),
    "template": ("{{ 7*7 }} {% raw %}{# no #}", "{{ 7*7 }} {% raw %}{# no #}"),
    "html": ("<b>Bold</b> &amp; <script>alert(1)</script>5 < 6", None),
    "emoji": ("Party 🎉 👩‍👩‍👧 🏳️‍🌈", "Party 🎉 👩‍👩‍👧 🏳️‍🌈"),
    "right to left": ("שלום עולם", "שלום עולם"),
    "arabic": ("مرحبا بالعالم", "مرحبا بالعالم"),
    "japanese": ("日本語の見出し", "日本語の見出し"),
    "encoded word": ("=?utf-8?q?Fake?=", "=?utf-8?q?Fake?="),
    "surrogate": ("Lone \ud800 one", None),
    "combining": ("Z" + "\u0301" * 500, None),
    "quotes": ('"Quoted", <a@b.example> (x)', None),
    "dot": (".", "."),
    "from": ("From the archive", "From the archive"),
}


@pytest.mark.parametrize("case", TITLES)
def test_a_title_is_cleaned_and_the_mail_is_whole(site, relay, case):
    title, wanted = TITLES[case]
    site.publish({"id": "odd", "title": title, "author": title, "topics": [title]})
    site.join("ann")

    ended = site.did("send", "--cadence", "weekly", "--now", MONDAY)

    assert "1 accepted" in ended.out
    data, mail = relay.bytes_to("ann@example.com"), relay.mail_to("ann@example.com")
    subject = str(mail["Subject"])
    assert subject.strip()
    assert len(subject) <= 200
    if wanted is not None:
        assert re.sub(r"\s+", " ", subject) == wanted
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", subject)
    assert mail["Bcc"] is None
    assert mail.defects == []
    assert {part.get_content_type() for part in mail.iter_parts()} == {"text/plain", "text/html"}
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\x00", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head = data.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    written = re.search(rb"^Subject:.*(?:\r\n[ \t].*)*", head, re.MULTILINE)
    assert written
    assert max(map(len, written[0].split(b"\r\n"))) <= 78
    html = mail.get_body(("html",)).get_content()
    assert "<script" not in html
    assert "49" not in subject
    for part in ("html", "plain"):
        body = mail.get_body((part,)).get_content()
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]", body)
        if wanted is not None and part == "plain":
            assert wanted.split()[0] in body


def test_all_odd_titles_go_out_in_one_digest(site, relay):
    site.configure("[cadence.weekly]\nmax_articles = 50")
    site.publish(*({"id": f"odd{number}", "title": title} for number, (title, _) in enumerate(TITLES.values())))
    site.join("ann")

    site.did("send", "--cadence", "weekly", "--now", MONDAY)

    mail = relay.mail_to("ann@example.com")
    text, html = (mail.get_body((part,)).get_content() for part in ("plain", "html"))
    for number in range(len(TITLES)):
        assert f"https://site.example/odd{number}" in text
        assert f"https://site.example/odd{number}" in html
    assert len(relay.bytes_to("ann@example.com")) < 150_000


def test_odd_words_about_the_site_and_the_reader_break_nothing(site, relay):
    site.publish("one")
    site.write("r.csv", 'email,cadence,name\nann@example.com,weekly,"{{ 7*7 }} <b>Ann</b>"\n')
    site.did("subscribers", "import", "r.csv", "--confirmed", "--consent", "asked")

    site.did("send", "--cadence", "weekly", "--now", MONDAY, MAILER_SITE__NAME='Mia\'s "Feed" <x> {{ 7*7 }} 🎉')

    mail = relay.mail_to("ann@example.com")
    assert mail.defects == []
    assert mail["From"].addresses[0].addr_spec == "digest@site.example"
    assert "{{ 7*7 }}" in mail["From"].addresses[0].display_name
