"""Lint: a sound mail is clean, each fault is found by its rule alone, and no bytes make it stumble."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.core.digest import headers_of
from mailer.core.lint import RULES, Finding, addresses_of, lint_mail
from mailer.core.message import compile_mail, slot_value, to_value, token_value
from mailer.templating import Templates, ThemeOptions
from tests.mail.broken import ANCHOR, BROKEN, IMG, UNSUBSCRIBE, both, header, html, text
from tests.mail.letters import HEADER, HTML, TEXT, TOKEN, crlf, letter
from tests.mail.samples import BOUNDARY, DATE, DRAFTS, MARK, digest

GOLDENS = sorted((Path(__file__).parents[1] / "mail" / "golden").glob("**/*.eml"))
MAILS = Path(__file__).parents[1] / "fixtures" / "mails"
FAULTS = {name: (data, kind) for kind, mails in BROKEN.items() for name, data in mails.items()}


def found(data: bytes) -> set[tuple[str, str]]:
    return {(finding.rule, finding.level) for finding in lint_mail(data)}


def test_a_sound_mail_is_clean():
    assert [str(finding) for finding in lint_mail(letter())] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_by_its_rule_and_by_no_other(fault):
    data, kind = FAULTS[fault]
    assert data != letter()
    assert found(data) == {kind}, [str(finding) for finding in lint_mail(data)]


def test_every_rule_has_a_mail_that_breaks_it_at_each_of_its_levels():
    # A dead link is found by asking for it, a mail over 10 MB is not worth making.
    assert {(rule, level) for rule, levels in RULES.items() for level in levels if rule != "dead-link"} == set(BROKEN)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_finding_is_one_sentence_that_says_where(fault):
    for finding in lint_mail(FAULTS[fault][0]):
        assert re.match(
            r"(message|text|HTML|header( line \d+| [\w-]+)?|part [\w/]+|(HTML |text )?line \d+|HTML <title>): \S",
            str(finding),
        )
        assert str(finding).endswith(".")
        assert len(str(finding).splitlines()) == 1
        assert len(finding.message) < 260


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_every_mail_of_ours_is_clean(path):
    assert [str(finding) for finding in lint_mail(path.read_bytes())] == []


@pytest.mark.parametrize(
    "accent", ["#0B5F6B", "#FFE600", "#14213D", "#808080", "#FFFFFF", "#000000", "#FF0000", "#00FF7F"]
)
def test_an_operators_accent_is_readable_in_light_and_dark(accent):
    assert [str(finding) for finding in lint_mail(_ours(ThemeOptions(accent=accent)))] == []


@pytest.mark.parametrize("drafts", [DRAFTS[:1], DRAFTS[3:4] * 3, DRAFTS * 3], ids=["one", "arabic", "twenty"])
def test_short_long_and_right_to_left_digests_have_no_errors(drafts):
    findings = lint_mail(_ours(ThemeOptions(), *drafts))
    assert [str(finding) for finding in findings if finding.level == "error"] == []


def _ours(theme: ThemeOptions, *drafts) -> bytes:
    sample = digest(*drafts)
    mail = Templates(theme).render_digest(sample, mark=MARK)
    compiled = compile_mail(
        headers=headers_of(sample),
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        mark=MARK,
        date=DATE,
        boundary=BOUNDARY,
    )
    return compiled.build(
        {
            "to": to_value("ada@reader.example", "Ada Løvelace"),
            "message_id": b"01jd9w7v.42@site.example",
            "leave": token_value(TOKEN),
            "manage": token_value("bWFuYWdlLTQy.w5Zt1JcXq8RfV3mYh0KsB7uNpLa2DgTiEo9yHkQvWxE"),
            "since": slot_value("on 3 October 2026"),
        }
    )


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(lambda: html("#0B5F6B", "rgb(11, 95, 107)"), id="a colour in rgb()"),
        pytest.param(
            lambda: html('"https://site.example/lungs.png"', '"http://127.0.0.1:8000/lungs.png"'), id="loopback"
        ),
        pytest.param(lambda: html('alt="Drawing of lungs"', 'alt=""'), id="an empty alt"),
        pytest.param(lambda: html(IMG, f'<a href="https://site.example/p">{IMG}</a>'), id="a picture's link"),
        pytest.param(lambda: html("Mia's site", "<b>Mia's</b>\n site"), id="text in pieces"),
        pytest.param(
            lambda: html(ANCHOR, ANCHOR + ' <a href="mailto:?body=x" style="color:inherit">Share by mail</a>'),
            id="mailto",
        ),
        pytest.param(lambda: html("<h1>", "<!--[if mso]><table><tr><td><![endif]--><h1>"), id="Outlook's comments"),
        pytest.param(lambda: html("<h1>", "<![if !mso]><h1>"), id="Outlook's declarations"),
        pytest.param(
            lambda: html("early peak.", "early peak at https://x.example/" + "a" * 90 + "."), id="a bare address"
        ),
        pytest.param(
            lambda: text("early peak.", "early peak https://x.example/" + "a" * 90), id="a long address in the text"
        ),
        pytest.param(lambda: both("early peak", "early { 50 % } of None"), id="words like code"),
        pytest.param(
            lambda: letter(html=HTML.replace("early", "&lt;b&gt; &amp;amp;"), text=TEXT.replace("early", "<b> &amp;")),
            id="an article about HTML",
        ),
        pytest.param(
            lambda: header("Subject: Lungs", "Subject: =?utf-8?b?R3LDtsOfZQ==?= =?utf-8?q?_und?=\n Lungs"),
            id="encoded words",
        ),
        pytest.param(
            lambda: header("To: ada@", "To: =?utf-8?q?Ada_L=C3=B8?= <ada@").replace(
                b"reader.example\r\nSub", b"reader.example>\r\nSub"
            ),
            id="a name in a field",
        ),
        pytest.param(lambda: header("To:", "Received: from x\n by y\nReturn-Path: <x@y.example>\nTo:"), id="received"),
        pytest.param(
            lambda: header("<https://news", "<mailto:leave@site.example>,\n <https://news"), id="mailto beside https"
        ),
        pytest.param(
            lambda: html(
                'class="text" style="font-size:16px"', 'class="text" style="font:bold 24px Arial;color:#767676"'
            ),
            id="large text needs less",
        ),
        pytest.param(
            lambda: html("<h1>", '<p style="display:none;color:#fff">never seen</p><h1>'),
            id="hidden text has no contrast",
        ),
        pytest.param(lambda: html("<table", "<p>a<p>b<table"), id="unclosed paragraphs"),
    ],
)
def test_what_is_right_is_not_complained_about(same: Callable[[], bytes]):
    assert [str(finding) for finding in lint_mail(same())] == []


@pytest.mark.parametrize(
    ("name", "errors", "warnings"),
    [
        ("buttondown-like", "contrast", "auto-submitted header-fold link-text text-size"),
        (
            "mailchimp-like",
            "lang",
            "auto-submitted dir header-fold image-size style-block tables text-columns text-links text-size",
        ),
        (
            "substack-like",
            "contrast lang link-text text-links text-size text-titles",
            "auto-submitted dir encoding layout preheader text-columns text-links text-size",
        ),
        ("nested-related", "contrast headings lang title", "dir preheader text-size"),
        ("text-only", "one-click", "auto-submitted header-fold"),
        (
            "html-only",
            "active-content alt contrast headings image-source lang link-target link-text parts placeholder title",
            "auto-submitted dir header-fold image-size link-target link-text preheader subject tables",
        ),
    ],
)
def test_mails_of_other_makers_have_the_faults_that_they_have_and_no_others(name, errors, warnings):
    findings = lint_mail(crlf((MAILS / f"{name}.eml").read_bytes()))

    assert {finding.rule for finding in findings if finding.level == "error"} == set(errors.split())
    assert {finding.rule for finding in findings if finding.level == "warning"} == set(warnings.split())


def test_a_confirmation_needs_no_way_out_and_no_one_click():
    head = re.sub(r"^List-.*\n", "", HEADER, flags=re.MULTILINE)
    body = HTML.replace(UNSUBSCRIBE, "https://news.site.example/confirm/x").replace(
        ">Unsubscribe<", ">Confirm subscription<"
    )
    words = TEXT.replace(UNSUBSCRIBE, "https://news.site.example/confirm/x").replace("Unsubscribe", "Confirm")

    assert found(letter(header=head, html=body, text=words)) == set()


def test_of_many_alike_ten_are_shown_and_the_rest_counted():
    findings = lint_mail(html("<h1>", '<img src="https://site.example/x.png" width="1" height="1">' * 37 + "<h1>"))

    assert len(findings) == 10
    assert str(findings[-1]).endswith("And 27 more.")


def test_one_pair_of_colours_is_one_finding():
    (finding,) = lint_mail(letter(html=HTML.replace("color:#0B5F6B", "color:#AAAAAA").replace("#129DB0", "#AAAAAA")))

    assert finding == Finding(
        "contrast",
        "error",
        "HTML line 19",
        "in light, 'Unsubscribe' is #AAAAAA on #FFFFFF, and so in 3 more places: "
        "a contrast of 2.32 where 4.5 is needed; choose a colour further from its ground.",
    )


def test_findings_of_others_texts_can_not_move_the_cursor_or_break_the_line():
    for finding in lint_mail(html("early", "{{\x1b[31m\u202e evil }}")):
        assert str(finding).isprintable()


def test_addresses_are_told_once_and_those_of_a_reader_are_known():
    asked = addresses_of(letter())

    assert [(one.url, one.personal) for one in asked] == [
        (UNSUBSCRIBE, True),
        ("https://site.example/lungs", False),
        ("https://site.example/gut", False),
        ("https://site.example", False),
        ("https://site.example/lungs.png", False),
    ]
    assert asked[0].where == "HTML line 19"


PIECES = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b"\x00",
            b"\xff",
            b" ",
            b":",
            b"=?",
            b"?=",
            b"?q?",
            b"?b?",
            b"<",
            b">",
            b"</",
            b"<!--",
        ),
        *(
            b"<![",
            b"]]>",
            b"<!",
            b"<?",
            b"&#",
            b"&amp;",
            b"{{",
            b"}}",
            b"{",
            b"}",
            b";",
            b"(",
            b'"',
            b"'",
            b"=",
            b"--=_b",
        ),
        *(b"Content-Type: multipart/mixed; boundary=", b"Content-Type: message/rfc822\r\n\r\n", b"charset=rot13"),
        *(b"charset=undefined", b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: uuencode\r\n"),
        *(
            b"Subject:",
            b"From:",
            b"List-Id:",
            b"List-Unsubscribe: <http://[",
            b"Date: 99 99 99999999999",
            b"Message-ID:",
        ),
        *(b"<table>", b"<td>", b'<a href="http://[::">', b"<img src=//>", b"<style>", b"@media", b'style="', b"color:"),
        *(b"rgb(9999999999999999,0,0)", b"#12345", b"font-size:9999999999999999999em", b"<title>", b"<svg>", b"<h1>"),
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES | st.binary(max_size=8), max_size=40).map(b"".join)))
@example(b"")
@example(b"From: x\r\n\r\n<![evil[>")
@example(b"Content-Type: text/html\r\n\r\n<![evil[x]]>")
@example(b"Content-Type: text/html; charset=unicode_escape\r\n\r\n\\d")
def test_any_bytes_are_a_mail_with_findings(data):
    findings = lint_mail(data)

    assert findings
    assert all(finding.level in RULES[finding.rule] for finding in findings)
    addresses_of(data)


@given(st.lists(PIECES | st.binary(max_size=8), max_size=30).map(b"".join), st.integers(0, len(letter())))
def test_a_mail_with_anything_put_into_it_makes_nothing_stumble(piece, at):
    data = letter()
    for finding in lint_mail(data[:at] + piece + data[at:]):
        assert finding.level in RULES[finding.rule]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<div>" * 100_000, id="deep elements"),
        pytest.param(b"<b>" * 50_000 + b"</i>" * 50_000, id="ends of nothing"),
        pytest.param(b"<p>" + b"x" * 3_000_000, id="three megabytes"),
        pytest.param(b"<p style='" + b"(" * 200_000 + b"'>x", id="open brackets"),
        pytest.param(b"{" * 200_000, id="open braces"),
        pytest.param(b"a-" * 200_000, id="like marks"),
        pytest.param(b"&" * 200_000, id="like entities"),
        pytest.param(b"<a href=x " + b"a=b " * 100_000, id="an endless tag"),
    ],
)
def test_a_hostile_mail_has_findings_before_anybody_grows_old(data):
    """Work that grows with the square of a mail would hang here."""
    assert lint_mail(b"Content-Type: text/html\r\n\r\n" + data)


def test_parts_within_parts_without_end_are_a_finding():
    data = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (at, at) for at in range(3_000))

    assert ("unreadable", "error") in found(crlf(HEADER.encode()) + data)
