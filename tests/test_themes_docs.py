"""docs/themes.md says what there is, and its examples are themes that hold."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pytest

from mailer.core.article import Picture
from mailer.core.colour import Palette
from mailer.core.digest import Item, Layout, Slower, headers_of
from mailer.core.frame import Frame
from mailer.core.intro import Intro
from mailer.core.lint import lint_mail
from mailer.core.live import Live, Reader
from mailer.core.message import compile_mail, slot_value, to_value, token_value
from mailer.core.note import Note
from mailer.templating import Press, Templates, ThemeOptions
from mailer.templating.checking import SAMPLE
from mailer.templating.overrides import our_folder, our_names
from mailer.templating.sandbox import CONTEXT, FILTERS, METHODS, Sandbox, names_of
from tests.mail.samples import BOUNDARY, DATE, DRAFTS, INTRO, MARK, ON_THE_WEB, RELATED, digest

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "themes.md").read_text(encoding="utf-8")
LETTER = DOCS / "themes/letter"
TYPES = (Frame, Layout, Item, Picture, Intro, Slower, Note, Reader)
PLAIN = {str: "text", int: "whole number", bool: "yes or no"}


def section(title: str) -> str:
    return re.search(rf"^##+ {title}\n(.*?)(?=^## |^### |\Z)", TEXT, re.DOTALL | re.MULTILINE)[1]


def rows(title: str) -> dict[str, str]:
    """The first two columns of a section's table."""
    found = re.findall(r"^\| (\S+) \| ((?:[^|\\]|\\.)+) \|", section(title), re.MULTILINE)
    return {name: said.strip() for name, said in found if said.strip() not in ("type", "what", "in")}


def in_words(kind: object) -> str:
    """A type as the page says it."""
    origin, inside = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if origin is Literal:
        return " or ".join(map(repr, inside))
    if origin is tuple:
        return f"list of {in_words(inside[0])}"
    if origin is frozenset:
        return f"set of {in_words(inside[0])}"
    if origin is Mapping:
        return "table"
    if origin is Union or type(kind).__name__ == "UnionType":
        return " or ".join("none" if one is type(None) else in_words(one) for one in inside)
    return kind.__name__


def offered(kind: type) -> dict[str, str]:
    """What the type itself has: fields and properties, by name."""
    hints = get_type_hints(kind)
    properties = {
        name: get_type_hints(own.fget)["return"]
        for base in kind.__mro__
        for name, own in vars(base).items()
        if isinstance(own, property)
    }
    return {name: in_words(hint) for name, hint in ({f.name: hints[f.name] for f in fields(kind)} | properties).items()}


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_the_page_has_every_field_of_what_is_shown_with_its_type(kind):
    inherited = offered(Frame) if issubclass(kind, Frame) and kind is not Frame else {}
    assert rows(kind.__name__) == {name: said for name, said in offered(kind).items() if name not in inherited}


def test_what_the_page_has_is_what_a_template_may_ask_for():
    for kind in (*TYPES, Palette):
        blank = object.__new__(kind)
        assert names_of(blank) == set(offered(kind))


def test_the_page_has_every_variable():
    assert {*rows("Variables"), "mark", "marks"} == CONTEXT


def test_the_page_has_every_colour():
    assert re.search(r"'#RRGGBB': ([^.]+)\.", section("Palette"))[1].split(", ") == [f.name for f in fields(Palette)]


def test_the_page_has_every_filter_function_and_method():
    whole = " ".join(section("Filters, functions and methods").split())
    assert set(re.search(r"Jinja's: (.+?);", whole)[1].split(", ")) == FILTERS
    assert re.search(r"the functions ([^.]+)\.", whole)[1].split(", ") == [
        "cycler",
        "dict",
        "joiner",
        "namespace",
        "range",
    ]
    assert set(re.search(r"Of a text: ([^.]+)\.", whole)[1].split(", ")) == dict(METHODS)[str]
    templates = Templates(ThemeOptions())
    environment: Sandbox = templates._renderer.environment
    ours = set(rows("Filters, functions and methods"))
    assert set(environment.filters) == FILTERS | ours | {"counted_turns", "weighed"}


def test_the_page_has_every_block_of_the_frames():
    frames = [name for name in our_names() if name.startswith("email/_base/")]
    blocks = {
        name
        for frame in frames
        for name in re.findall(r"{% block (\w+) %}", (our_folder() / frame).read_text(encoding="utf-8"))
    }
    assert set(rows("The mails")) == blocks


def examples() -> list[str]:
    return re.findall(r"```jinja\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(examples())))
def test_the_examples_on_the_page_are_themes_that_hold(tmp_path, number):
    (tmp_path / "email/digest").mkdir(parents=True)
    (tmp_path / "email/digest/body.html").write_text(examples()[number])
    html = Templates(ThemeOptions(templates=tmp_path)).render_digest(digest(), mark=MARK).html
    assert "News from the harbour</p>" in html or "Dear Ada Lovelace,</p>" in html


@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_the_letter_is_another_look_of_the_same_digest_in_which_lint_finds_no_error(language):
    templates = Templates(ThemeOptions(templates=LETTER))
    assert (templates.warnings, templates.live) == ((), False)
    sample = digest(more=8, intro=INTRO, related=RELATED, language=language, **ON_THE_WEB)
    mail = templates.render_digest(sample, mark=MARK)
    assert "font-family: Georgia" in mail.html or "font-family:Georgia" in mail.html
    assert all(text in mail.html for text in ("/instead/monthly/", "/editions/weekly/2026-W47/0"))
    assert [draft.link in mail.text for draft in DRAFTS[:3]] == [True] * 3
    assert mail.text == Templates(ThemeOptions()).render_digest(sample, mark=MARK).text
    compiled = compile_mail(
        headers=headers_of(sample),
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        mark=MARK,
        date=DATE,
        boundary=BOUNDARY,
    )
    data = compiled.build(
        {
            "to": to_value("ada@reader.example"),
            "message_id": b"1.abc@site.example",
            "leave": token_value("leaving"),
            "manage": token_value("managing"),
            "since": slot_value("3 October 2026"),
        }
    )
    assert [str(finding) for finding in lint_mail(data) if finding.level == "error"] == []


def test_the_letter_has_about_forty_lines():
    assert len((LETTER / "email/digest/body.html").read_text(encoding="utf-8").splitlines()) < 60


def test_the_sample_reader_of_the_page_is_the_one_that_previews_show(tmp_path):
    (tmp_path / "email/digest").mkdir(parents=True)
    (tmp_path / "email/digest/subject.txt").write_text("For {{ reader.name }}")
    rendered = Templates(ThemeOptions(templates=tmp_path)).render_digest(digest(), mark=MARK)
    assert f"sample reader, {SAMPLE.name}" in " ".join(TEXT.split())
    assert rendered.subject == f"For {SAMPLE.name}"
    compiled = Press().compile(Live(rendered.stencil, headers_of(digest()), DATE, BOUNDARY), SAMPLE)
    assert b"Subject: For Ada Lovelace" in compiled.segments[1] or b"Subject: For Ada Lovelace" in compiled.segments[0]
