"""The catalogues: complete, alike in their places, and asked for nothing they don't have."""

import json
import re
from datetime import date, time
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from typer.testing import CliRunner

from mailer.cli import app
from mailer.core.digest import lay_out
from mailer.core.message import slot_mark
from mailer.errors import TemplateError
from mailer.templating import Templates, ThemeOptions
from mailer.templating.catalogues import OURS
from mailer.templating.extraction import sentences_of_rules, sentences_of_templates
from tests.mail.samples import MARK, digest

TEMPLATES = Templates(ThemeOptions())
ROOT = Path(__file__).parent.parent
LANGUAGES = ("ar", "de", "es")


def test_mails_speak_four_languages():
    assert TEMPLATES.languages == {"en", *LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_every_sentence_and_no_other(language):
    count, complaints = TEMPLATES.untranslated(language)
    assert complaints == []
    assert count > 20


def test_the_template_for_translators_is_what_the_code_says():
    """`make messages` writes it anew."""
    with (OURS / "mailer.pot").open("rb") as file:
        written = {
            (message.context or "", *([message.id] if isinstance(message.id, str) else message.id))
            for message in read_po(file)
            if message.id
        }
    said = {
        (sentence.context, sentence.one, *filter(None, [sentence.many]))
        for sentence in [*sentences_of_rules(), *sentences_of_templates(ROOT / "templates")]
    }
    assert written == said


@pytest.mark.parametrize(
    ("language", "plurals"),
    [
        ("de", {1: "und 1 weiterer auf der Website", 2: "und 2 weitere auf der Website"}),
        ("es", {1: "y 1 más en el sitio", 1204: "y 1.204 más en el sitio"}),
        (
            "ar",
            {
                1: "ومقال آخر على الموقع",
                2: "ومقالان آخران على الموقع",
                3: "و3 مقالات أخرى على الموقع",
                10: "و10 مقالات أخرى على الموقع",
                11: "و11 مقالًا آخر على الموقع",
                99: "و99 مقالًا آخر على الموقع",
                100: "و100 مقال آخر على الموقع",
                102: "و102 مقال آخر على الموقع",
            },
        ),
    ],
)
def test_plurals_are_those_of_the_language(language, plurals):
    words = TEMPLATES.words(language)
    assert {number: words.more(number) for number in plurals} == plurals


@pytest.mark.parametrize(
    ("language", "day", "clock", "week", "month"),
    [
        ("de", "Montag, 30. November", "7:00", "16.–22. November", "November 2026"),
        ("es", "lunes 30 de noviembre", "7:00", "16–22 de noviembre", "noviembre de 2026"),
        ("ar", "الاثنين 30 نوفمبر", "7:00 ص", "16–22 نوفمبر", "نوفمبر 2026"),
    ],
)
def test_days_and_periods_are_written_as_the_language_does(language, day, clock, week, month):
    words = TEMPLATES.words(language)
    assert words.day(date(2026, 11, 30)) == day
    assert words.clock(time(7, 0)) == clock
    assert words.period(date(2026, 11, 16), date(2026, 11, 22)) == week
    assert words.period(date(2026, 11, 1), date(2026, 11, 30)) == month


def test_an_arabic_mail_runs_from_right_to_left_as_a_whole_and_a_foreign_item_in_its_own_direction():
    mail = TEMPLATES.render_digest(digest(language="ar", more=3), mark=MARK)
    assert '<html lang="ar" dir="rtl"' in mail.html
    frame = re.search(r'<div [^>]*role="article"[^>]*>', mail.html)[0]
    assert 'lang="ar" dir="rtl"' in frame
    assert re.search(r"direction:\s*rtl", frame)
    assert re.search(r"text-align:\s*right", frame)
    (foreign,) = set(re.findall(r'<table [^>]*lang="de"[^>]*>', mail.html))
    assert 'dir="ltr"' in foreign
    assert re.search(r"text-align:\s*left", foreign)
    assert f"لماذا تصلك هذه الرسالة: طلبت في {slot_mark(MARK, 'since')} ملخصًا أسبوعيًا." in mail.html
    assert "و3 مقالات أخرى على الموقع: https://site.example\n" in mail.text
    assert "Weekly" not in mail.html + mail.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_english_is_left_in_a_mail_of_another_language(language):
    sample = digest(language=language, more=3)
    mail = TEMPLATES.render_digest(sample, mark=MARK)
    words = [sentence.one for sentence in sentences_of_templates(ROOT / "templates") if len(sentence.one) > 5]
    assert [word for word in words if word in mail.html + mail.text] == []
    assert lay_out(sample, TEMPLATES.words(language)).language == language


def test_a_mail_in_a_language_that_nobody_translated_is_english():
    assert "Weekly" in TEMPLATES.render_digest(digest(language="sv"), mark=MARK).text


# An operator's own.


def catalogue(folder: Path, language: str, text: str) -> Templates:
    path = folder / "locale" / language / "LC_MESSAGES" / "mailer.po"
    path.parent.mkdir(parents=True)
    head = f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: {language}\\n"\n\n'
    path.write_text(head + text, encoding="utf-8")
    return Templates(ThemeOptions(templates=folder))


def own_template(folder: Path, text: str) -> None:
    path = folder / "email" / "digest" / "body.txt"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


OWN = '{{ _("Good morning, %(site)s", site=page.site_name) }} {{ _("Unsubscribe") }}'


def test_a_sentence_of_an_operators_template_falls_back_to_english_and_is_named(tmp_path):
    own_template(tmp_path, OWN)
    templates = Templates(ThemeOptions(templates=tmp_path))
    assert templates.render_digest(digest(language="de"), mark=MARK).text == "Good morning, Mia's Feed Abbestellen\n"
    _, complaints = templates.untranslated("de")
    assert complaints == ["email/digest/body.txt, line 1: \"Good morning, %(site)s\" has no words in 'de' yet."]


def test_an_operators_catalogue_adds_to_ours_and_goes_before_it(tmp_path):
    own_template(tmp_path, OWN)
    templates = catalogue(
        tmp_path,
        "de",
        'msgid "Good morning, %(site)s"\nmsgstr "Guten Morgen, %(site)s"\n\nmsgid "Unsubscribe"\nmsgstr "Abmelden"\n',
    )
    assert templates.render_digest(digest(language="de"), mark=MARK).text == "Guten Morgen, Mia's Feed Abmelden\n"
    assert templates.untranslated("de")[1] == []


def test_an_operator_may_add_a_language(tmp_path):
    templates = catalogue(tmp_path, "sv", 'msgid "Unsubscribe"\nmsgstr "Avsluta prenumerationen"\n')
    assert "sv" in templates.languages
    text = templates.render_digest(digest(language="sv"), mark=MARK).text
    assert "Avsluta prenumerationen: https://" in text
    assert "Change how often: https://" in text
    assert any('"Change how often" has no words' in complaint for complaint in templates.untranslated("sv")[1])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('#, fuzzy\nmsgid "Unsubscribe"\nmsgstr "Weg"\n', 'line 7: "Unsubscribe" is marked as fuzzy'),
        ('msgid "Nobody says this"\nmsgstr "Weg"\n', 'line 6: "Nobody says this" is obsolete'),
        ('#~ msgid "Gone"\n#~ msgstr "Weg"\n', '"Gone" is obsolete'),
        (
            'msgid "Why you get this: on %(date)s you asked for a daily digest."\nmsgstr "Täglich"\n',
            "lacks: %(date)s",
        ),
        ('msgid "Unsubscribe"\nmsgstr "Weg von %(site)s"\n', "has a place that is not in the English: %(site)s"),
        ('msgid "Unsubscribe"\nmsgstr "100 %"\n', "a % that begins no place"),
        ('msgid "Unsubscribe"\nmsgstr "<b>Weg</b>"\n', "must be plain text"),
        ('msgctxt "date pattern"\nmsgid "d MMMM"\nmsgstr "\'d"\n', "is a pattern of CLDR's"),
        (
            'msgid "%(num)s min read"\nmsgid_plural "%(num)s min read"\nmsgstr[0] "1"\nmsgstr[1] "viele"\n',
            "lacks: %(num)s",
        ),
        ('msgid "%(num)s min read"\nmsgstr "%(num)s Min."\n', "has a plural in our words only"),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_named_with_its_line(tmp_path, text, complaint):
    _, complaints = catalogue(tmp_path, "de", text).untranslated("de")
    assert any(complaint in found for found in complaints), complaints
    assert all("mailer.po" in found for found in complaints)


@pytest.mark.parametrize(
    ("language", "text", "complaint"),
    [
        ("de", 'msgid "Unsubscribe"\nmsgstr Weg\n', r"mailer\.po, line \d+"),
        ("klingon", 'msgid "Unsubscribe"\nmsgstr "x"\n', "there is no language 'klingon'"),
    ],
)
def test_a_catalogue_that_cant_be_read_says_so(tmp_path, language, text, complaint):
    templates = catalogue(tmp_path, language, text)
    with pytest.raises(TemplateError, match=complaint):
        templates.words(language)


# The command.


def test_the_command_counts_and_complains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAILER_CONFIG", raising=False)
    run = CliRunner().invoke(app, ["messages", "check", "--json"])
    assert run.exit_code == 0
    said = json.loads(run.stdout)
    assert said["ok"]
    assert sorted(said["languages"]) == list(LANGUAGES)
    own_template(tmp_path / "theme", OWN)
    (tmp_path / "config.toml").write_text(
        '[site]\nname = "Mia"\nurl = "https://site.example"\nfrom_address = "d@site.example"\n'
        f'[theme]\ntemplates = "{tmp_path / "theme"}"\n'
    )
    run = CliRunner().invoke(app, ["messages", "check", "--language", "es"])
    assert run.exit_code == 1
    assert "es: " in run.stdout
    assert "1 complaint." in run.stdout
    assert "has no words in 'es' yet" in run.stderr
