"""The operator's own templates: what they may do, and how a broken one says so before anything is sent."""

import os
import re
from dataclasses import replace
from time import perf_counter

import pytest

from mailer.core.live import Live, Reader, unpack
from mailer.core.message import Compiled, slot_value, to_value, token_value
from mailer.errors import InputError, Refused, TemplateError
from mailer.templating import Press, Templates, ThemeOptions
from mailer.templating.overrides import chosen, eject, our_folder, our_names
from tests.mail.samples import BOUNDARY, DATE, DRAFTS, INTRO, MARK, ON_THE_WEB, RELATED, digest, notices
from tests.mail.test_golden import headers_of

ADA = Reader("Ada", "ada@reader.example", "weekly", ("Oncology",), "en", "3 October 2026")
GRACE = replace(ADA, name="Grace <b>H</b> {{ leave }}", address="grace@reader.example")
GREETING = '{% extends "ours/email/digest/body.html" %}{% block tagline %}<p>Dear {{ reader.name }}</p>{% endblock %}'


def theme(folder, **files: str) -> Templates:
    """Templates of one's own: `digest__body__html` is email/digest/body.html."""
    for name, text in files.items():
        write(folder, "email/" + "/".join(name.split("__")[:-1]) + "." + name.split("__")[-1], text)
    return Templates(ThemeOptions(templates=folder))


def write(folder, name: str, content: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def complaint(folder, **files: str) -> str:
    with pytest.raises(TemplateError) as raised:
        theme(folder, **files)
    return str(raised.value)


# What replaces ours.


def test_one_file_replaces_ours_and_all_else_stays(tmp_path):
    ours, theirs = Templates(ThemeOptions()), theme(tmp_path, digest__subject__txt="News: {{ page.subject }}")
    mine, yours = (templates.render_digest(digest(), mark=MARK) for templates in (ours, theirs))
    assert yours.subject == f"News: {mine.subject}"
    assert (yours.text, theirs.live, theirs.warnings) == (mine.text, False, ())


def test_a_folder_replaces_the_frame_of_every_mail(tmp_path):
    frame = (
        "<html><head></head><body>{% block content %}{% endblock %}<hr>{% block footer %}{% endblock %}</body></html>"
    )
    write(tmp_path, "email/_base/body.html", frame)
    templates = Templates(ThemeOptions(templates=tmp_path))
    for notice in notices().values():
        assert templates.render_notice(notice, mark=MARK).html.startswith("<html><head></head><body>")


def test_a_file_may_change_one_block_of_the_very_template_it_replaces(tmp_path):
    own = '{% extends "ours/email/digest/body.html" %}{% block tagline %}<p>Good morning</p>{{ super() }}{% endblock %}'
    html = theme(tmp_path, digest__body__html=own).render_digest(digest(), mark=MARK).html
    assert html.index("<p>Good morning</p>") < html.index("Weekly · 16–22 November")


def test_a_theme_has_parts_of_its_own(tmp_path):
    write(tmp_path, "parts/greeting.html", "{% macro hello() %}<i>Hello</i>{% endmacro %}")
    own = (
        '{% extends "ours/email/digest/body.html" %}{% from "parts/greeting.html" import hello %}'
        "{% block tagline %}{{ hello() }}{% endblock %}"
    )
    templates = theme(tmp_path, digest__body__html=own)
    assert "<i>Hello</i>" in templates.render_digest(digest(), mark=MARK).html
    assert templates.warnings == ()


def test_an_ejected_theme_that_nobody_touched_gives_the_same_mails_byte_for_byte(tmp_path):
    eject(chosen("all"), tmp_path, force=False)
    ours, theirs = Templates(ThemeOptions()), Templates(ThemeOptions(templates=tmp_path))
    for language in ("en", "de", "ar"):
        whole = digest(more=8, intro=INTRO, related=RELATED, language=language, **ON_THE_WEB)
        assert theirs.render_digest(whole, mark=MARK) == ours.render_digest(whole, mark=MARK)
        for notice in notices(language).values():
            assert theirs.render_notice(notice, mark=MARK) == ours.render_notice(notice, mark=MARK)
    assert (theirs.live, theirs.warnings) == (False, ())


# What is wrong is said at once, with file and line.

BROKEN = {
    "a tag that doesn't end": ("line\n{% if page %}", "line 2: Unexpected end of template"),
    "a tag that isn't there": ("\n\n{% iff page %}", "line 3: Encountered unknown tag 'iff'"),
    "a misspelt filter": (
        "{{ 1 }}\n{{ page.label | uper }}",
        "line 2: No filter named 'uper'; the nearest is 'upper'.",
    ),
    "a misspelt name": ("\n{{ paeg.label }}", "line 2: 'paeg' is undefined; the nearest is 'page'."),
    "a misspelt field": (
        "{{ page.lead.titel }}",
        "line 1: 'Item' has no attribute 'titel'; the nearest is 'title'.",
    ),
    "a field of what isn't always there": (
        "\n{{ page.lead.picture.alt }}",
        "line 2: 'NoneType' has no attribute 'alt'.",
    ),
    "a field in a branch that few mails take": (
        "{% if page.more %}\n{{ page.mroe }}{% endif %}",
        "line 2: 'Layout' has no attribute 'mroe'; the nearest is 'more'.",
    ),
    "an include that isn't there": (
        '\n{% include "email/none.txt" %}',
        "line 2: there is no template 'email/none.txt'.",
    ),
    "one that includes itself": (
        '{% include "email/digest/body.txt" %}',
        "it goes too deep: does it include or call itself",
    ),
    "division by zero": ("\n\n\n{{ 1 / 0 }}", "line 4: division by zero."),
    "a class": ("{{ ''.__class__ }}", "line 1: access to '__class__' of a 'str' is unsafe."),
    "a class by a filter": ("{{ '' | attr('__class__') }}", "line 1: No filter named 'attr'"),
    "a class in brackets": ("{{ page['__class__'] }}", "line 1: access to '__class__' of a 'Layout' is unsafe."),
    "what makes the words": ("{{ words.catalogue }}", "line 1: access to 'catalogue' of a 'Words' is unsafe."),
    "the globals of a function": ("{{ range.__globals__ }}", "is unsafe."),
    "a loop that never ends": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "line 1: it does too much for a mail: a loop or a macro without end?",
    ),
    "a macro that branches for ever": (
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}\n{{ m(60) }}",
        "it does too much for a mail",
    ),
    "a giant by multiplying": ("{{ 'a' * 1000000000 }}", "line 1: it makes a text of more than 1,000,000 characters."),
    "a giant by doubling": (
        "{% set n = namespace(x='a') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "line 1: it makes a text of more than 1,000,000 characters.",
    ),
    "a giant by adding": (
        "{% set n = namespace(x='a') %}{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "line 1: it makes a text of more than 1,000,000 characters.",
    ),
    "a giant by a width": ("{{ '%999999999d' % 1 }}", "line 1: '%' is unsafe in a template."),
    "a giant by format": ("{{ '{:999999999}'.format(1) }}", "line 1: access to 'format' of a 'str' is unsafe."),
    "a giant by a filter": ("{{ 'a' | center(999999999) }}", "line 1: No filter named 'center'"),
    "a giant by joining": ("{{ range(99999) | join('aaaaaaaaaa') }}", "it makes a text of more than 1,000,000"),
    "a giant by replacing": (
        "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}",
        "it makes a text of more than 1,000,000",
    ),
    "a giant by filling": ("{{ '%(a)999999999s' | fill(a=1) }}", "a sentence has places like %(date)s"),
    "a giant by a sentence": ("{{ _('%(a)999999999s', a=1) }}", "a sentence has places like %(date)s"),
    "a giant by writing": (
        "{% for a in range(99999) %}" + "a" * 200 + "{% endfor %}",
        "it writes more than 10,000,000",
    ),
    "a slot that is changed": ("\n{{ leave | upper }}", "leave, manage or since doesn't come out whole"),
    "a power": ("{{ 9 ** 9 ** 9 ** 9 }}", "line 1: '**' is unsafe in a template."),
    "a number without end": (
        "{% set n = namespace(x=9) %}{% for a in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
        "line 1: a number is too large.",
    ),
    "a draw of lots": ("{{ [1, 2] | random }}", "line 1: No filter named 'random'"),
    "text made up": ("{{ lipsum() }}", "line 1: 'lipsum' is undefined"),
    "what is shown, changed": ("{{ page.lead.meta.append(1) }}", "line 1: 'tuple' has no attribute 'append'."),
    "brackets in each other": ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "many brackets in each other?"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_is_one_sentence_with_file_and_line_at_the_start(tmp_path, name):
    text, expected = BROKEN[name]
    began = perf_counter()
    said = complaint(tmp_path, digest__body__txt=text)
    assert said.startswith(f"{tmp_path}/email/digest/body.txt"), said
    assert expected in said
    assert "\n" not in said
    assert perf_counter() - began < 20


def test_a_slot_in_a_subject_is_found_at_the_start(tmp_path):
    assert "subject.txt: leave, manage or since doesn't" in complaint(tmp_path, digest__subject__txt="{{ since }}")


def test_every_broken_file_is_named_also_one_that_no_mail_uses(tmp_path):
    said = complaint(tmp_path, digest__body__txt="{% if %}", goodbye__body__html="\n{% for %}", spare__html="{{ }")
    assert [line.split(":")[0].removeprefix(f"{tmp_path}/email/") for line in said.split("\n")] == [
        "digest/body.txt, line 1",
        "goodbye/body.html, line 2",
        "spare.html, line 1",
    ]


def test_what_is_wrong_with_a_notice_is_found_at_the_start_too(tmp_path):
    assert "email/changed/body.txt, line 1: 'Note' has no attribute 'lead'" in complaint(
        tmp_path, changed__body__txt="{{ page.lead }}"
    )


def test_a_notice_does_not_know_its_reader_whose_words_a_stranger_may_have_typed(tmp_path):
    said = complaint(tmp_path, confirm__body__txt="Hello {{ reader.name }}")
    assert "email/confirm/body.txt, line 1: 'reader' is undefined in this mail" in said
    theme(tmp_path, confirm__body__txt="{% if reader is defined %}{{ reader.name }}{% endif %}")


def test_a_file_that_replaces_nothing_is_a_warning_with_the_nearest_name(tmp_path):
    write(tmp_path, "README.txt", "How to use {{ this")
    templates = theme(tmp_path, digest__bodi__html="x", digest__subject__txt="{{ page.subject }}", lonely__html="x")
    assert templates.warnings == (
        f"{tmp_path}/email/digest/bodi.html replaces nothing; did you mean email/digest/body.html?",
        f"{tmp_path}/email/lonely.html replaces nothing, and no template uses it.",
    )


def test_a_file_that_is_no_utf_8_says_so_with_its_line(tmp_path):
    write(tmp_path, "email/digest/body.txt", b"one\ntwo \xff")
    assert complaint(tmp_path) == f"{tmp_path}/email/digest/body.txt, line 2: not UTF-8 text. Save the file as UTF-8."


def test_a_folder_with_the_name_of_a_template_says_so(tmp_path):
    (tmp_path / "email/digest/body.html").mkdir(parents=True)
    assert complaint(tmp_path) == f"{tmp_path}/email/digest/body.html is a folder; a template is a file."


def test_a_link_out_of_the_folder_is_refused_and_one_within_it_is_a_file(tmp_path):
    folder = tmp_path / "theme"
    write(folder, "email/digest/body.txt", "{{ page.label }}")
    write(tmp_path, "secret.txt", "a secret")
    (folder / "email/digest/subject.txt").symlink_to(folder / "email/digest/body.txt")
    assert Templates(ThemeOptions(templates=folder)).render_digest(digest(), mark=MARK).subject == "Weekly"
    (folder / "email/digest/body.html").symlink_to(tmp_path / "secret.txt")
    assert complaint(folder) == f"{folder}/email/digest/body.html leads out of {folder}; put the file itself there."


def test_a_link_to_itself_or_to_nothing_is_a_sentence(tmp_path):
    write(tmp_path, "email/digest/body.txt", "x")
    (tmp_path / "email/none.html").symlink_to(tmp_path / "nothing.html")
    (tmp_path / "email/self.html").symlink_to(tmp_path / "email/self.html")
    said = complaint(tmp_path).split("\n")
    assert said[0] == f"{tmp_path}/email/none.html is not a file."
    assert said[1].startswith(f"{tmp_path}/email/self.html")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_says_so(tmp_path):
    write(tmp_path, "email/digest/body.txt", "x")
    (tmp_path / "email/digest/body.txt").chmod(0)
    assert "body.txt can't be read: Permission denied" in complaint(tmp_path)


def test_a_template_cannot_reach_files_outside(tmp_path):
    write(tmp_path, "secret.txt", "a secret")
    for name in ("../secret.txt", "/etc/passwd", "email/../../secret.txt", "ours/../../README.md"):
        said = complaint(tmp_path / "theme", digest__body__txt=f'{{% include "{name}" %}}')
        assert f"line 1: there is no template '{name}'." in said


def test_no_template_of_ours_asks_who_reads():
    assert not any("reader." in (our_folder() / name).read_text() for name in our_names())
    assert not Templates(ThemeOptions()).live


# A mail of a theme that asks who reads.


def live(templates: Templates, **changes: object) -> Live:
    rendered = templates.render_digest(digest(**changes), mark=MARK)
    assert rendered.stencil is not None
    return Live(rendered.stencil, headers_of(digest()), DATE, BOUNDARY)


def copy(mail: Live, reader: Reader) -> str:
    built = (
        Press()
        .compile(mail, reader)
        .build(
            {
                "to": to_value(reader.address),
                "message_id": b"1.abc@site.example",
                "leave": token_value("leaving"),
                "manage": token_value("managing"),
                "since": slot_value("3 October 2026"),
            }
        )
    )
    return re.sub(r"=\r\n", "", built.decode())


def test_a_theme_that_asks_who_reads_is_rendered_for_each_reader(tmp_path):
    templates = theme(tmp_path, digest__body__html=GREETING)
    assert templates.live
    mail = live(templates)
    assert "<p>Dear Ada</p>" in copy(mail, ADA)
    assert "/unsubscribe/leaving" in copy(mail, ADA)


@pytest.mark.parametrize(
    "files",
    [
        {"digest__subject__txt": "For {{ reader.name }}"},
        {"digest__body__txt": "{% if 'Oncology' in reader.topics %}Yes, {{ reader.language }}{% endif %}"},
        {"_base__body__txt": "{% for topic in reader.topics %}{{ topic }}{% endfor %}"},
        {"digest__body__txt": "{% include 'email/hi.txt' %}", "hi__txt": "{{ reader.joined }}{{ reader.cadence }}"},
        {"digest__body__txt": "{% from 'email/hi.txt' import m with context %}{{ m() }}",
         "hi__txt": "{% macro m() %}{{ reader.address }}{% endmacro %}"},
        {"digest__body__txt": "{% include 'email/' ~ 'hi' ~ '.txt' %}", "hi__txt": "{{ reader.name }}"},
    ],
    ids=["subject", "text", "frame", "include", "import", "a name that is reckoned"],
)  # fmt: skip
def test_who_reads_may_be_asked_in_any_part_and_in_what_it_includes(tmp_path, files):
    if "_base__body__txt" in files:
        files = files | {"_base__body__txt": files["_base__body__txt"] + "{% block content %}{% endblock %}"}
        files |= {f"{kind}__body__txt": "x" for kind in notices()}
    assert theme(tmp_path, **files).live


def test_what_a_reader_calls_themselves_is_shown_and_never_run(tmp_path):
    shown = copy(live(theme(tmp_path, digest__body__html=GREETING)), GRACE)
    assert "<p>Dear Grace &lt;b&gt;H&lt;/b&gt; {{ leave }}</p>" in shown


def test_a_name_with_the_mark_in_it_is_refused_for_that_reader_alone(tmp_path):
    mail = live(theme(tmp_path, digest__body__html=GREETING))
    with pytest.raises(Refused, match="mark"):
        copy(mail, replace(ADA, name=f"{MARK}-leave-{MARK}"))
    assert "Dear Ada" in copy(mail, ADA)


def test_a_live_mail_is_kept_whole_and_comes_back_the_same(tmp_path):
    write(tmp_path, "locale/de/LC_MESSAGES/mailer.po", 'msgid ""\nmsgstr ""\n\nmsgid "Dear"\nmsgstr "Liebe"\n')
    own = GREETING.replace("Dear", '{{ _("Dear") }}')
    mail = live(theme(tmp_path, digest__body__html=own), language="de", intro=INTRO, related=RELATED, more=3)
    packed = mail.pack()
    before = copy(unpack(packed), ADA)
    assert "<p>Liebe Ada</p>" in before
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert unpack(packed) == mail
    assert (packed, copy(unpack(packed), ADA)) == (mail.pack(), before)


def test_a_compiled_mail_comes_back_as_what_it_was():
    compiled = Compiled((b"a", b"b"), ("to",), "en")
    assert unpack(compiled.pack()) == compiled


def test_a_theme_that_fails_on_one_reader_says_where(tmp_path):
    own = "{% if reader.name == 'Grace' %}\n{{ 1 / 0 }}{% endif %}"
    mail = live(theme(tmp_path, digest__body__txt=own))
    with pytest.raises(TemplateError, match=r"email/digest/body\.txt, line 2: division by zero\."):
        copy(mail, replace(ADA, name="Grace"))
    copy(mail, ADA)


# Ours as a start.


def test_eject_takes_a_template_a_mail_the_frame_or_all():
    assert chosen("email/digest/body.html") == chosen("digest/body.html") == ("email/digest/body.html",)
    assert chosen("digest") == tuple(f"email/digest/{part}" for part in ("body.html", "body.txt", "subject.txt"))
    assert all(name.startswith("email/_base/") for name in chosen("_base"))
    assert chosen("all") == our_names()


@pytest.mark.parametrize("name", ["", "digst", "email/digest/bodi.html", "../digest", "/etc/passwd", "diges"])
def test_eject_of_what_is_not_there_names_what_is(name):
    with pytest.raises(
        InputError, match=r"There is no template '.*There are: all, _base, already, changed, confirm, copy, digest"
    ):
        chosen(name)


def test_eject_never_replaces_a_file_unless_forced(tmp_path):
    write(tmp_path, "email/digest/subject.txt", "mine")
    done = eject(chosen("digest"), tmp_path, force=False)
    assert [(one.name, one.written) for one in done][2] == ("email/digest/subject.txt", False)
    assert (tmp_path / "email/digest/subject.txt").read_text() == "mine"
    assert all(one.written for one in eject(chosen("digest"), tmp_path, force=True))
    assert (tmp_path / "email/digest/subject.txt").read_text() == (
        our_folder() / "email/digest/subject.txt"
    ).read_text()


def test_eject_writes_through_no_link(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "theme"
    write(outside, "subject.txt", "precious")
    folder.mkdir()
    (folder / "email").mkdir()
    (folder / "email/digest").symlink_to(outside)
    with pytest.raises(InputError, match="leads out of"):
        eject(chosen("digest"), folder, force=True)
    assert (outside / "subject.txt").read_text() == "precious"


def test_a_digest_of_every_sample_article_can_be_live(tmp_path):
    templates = theme(tmp_path, digest__body__html=GREETING)
    for draft in DRAFTS:
        rendered = templates.render_digest(digest(draft), mark=MARK)
        mail = Live(rendered.stencil, headers_of(digest()), DATE, BOUNDARY)
        assert unpack(mail.pack()) == mail
