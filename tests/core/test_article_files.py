"""Articles that an operator hands in as a file."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.core.article import Draft, Picture
from mailer.core.article_files import ArticleFile, read_articles
from mailer.errors import InputError

WHOLE = {
    "id": "lungs-1",
    "url": "https://site.example/lungs?utm_source=x",
    "title": "Lungs &amp; stairs",
    "summary": "<p>Two flights a day.</p>",
    "content": "<p>" + "word " * 460 + "</p><script>x()</script>",
    "published": "2026-11-23T07:00:00+01:00",
    "author": "Ada Okoro",
    "image": {"url": "/img/stairs.jpg", "alt": "Stairs", "width": 1200, "height": "630"},
    "topics": ["Lung health", "Exercise", "exercise"],
    "language": "en_GB",
}
CLEANED = Draft(
    guid="lungs-1",
    title="Lungs & stairs",
    link="https://site.example/lungs?utm_source=x",
    summary="Two flights a day.",
    author="Ada Okoro",
    picture=Picture("https://site.example/img/stairs.jpg", "Stairs", 1200, 630, "image/jpeg"),
    topics=("Lung health", "Exercise"),
    published=datetime(2026, 11, 23, 6, tzinfo=UTC),
    language="en-GB",
    minutes=2,
)


def read(text: str | bytes, name: str = "articles.json") -> ArticleFile:
    return read_articles(text if isinstance(text, bytes) else text.encode(), name=name)


def guids(found: ArticleFile) -> list[str]:
    return [draft.guid for draft in found.drafts]


def test_a_json_list_gives_whole_articles():
    assert read(json.dumps([WHOLE])) == ArticleFile((CLEANED,))


def test_json_lines_give_the_same_whatever_the_ending_says():
    lines = json.dumps(WHOLE) + "\r\n\n" + json.dumps({"id": "2", "title": "U+2028 \u2028 inside"}, ensure_ascii=False)
    for name in ("a.jsonl", "a.ndjson", "a.json", "a"):
        found = read(lines, name)
        assert found.drafts[0] == CLEANED
        assert guids(found) == ["lungs-1", "2"]
        assert found.refusals == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_gives_the_same_in_every_dialect_of_spreadsheets(delimiter, start, end):
    cells = WHOLE | {"image": "/img/stairs.jpg", "topics": "Lung health|Exercise , exercise"}
    rows = [[" ID " if name == "id" else name.upper() for name in cells], [f'"{cell}"' for cell in cells.values()]]
    text = start + end.join(delimiter.join(row) for row in rows) + end + end
    (found,) = read(text, "a.csv").drafts
    assert found.picture == Picture("https://site.example/img/stairs.jpg", media_type="image/jpeg")
    assert found.topics == CLEANED.topics
    assert (found.title, found.published, found.minutes) == (CLEANED.title, CLEANED.published, 2)


def test_csv_of_a_spreadsheet_in_utf_16_is_read():
    assert guids(read("id\ttitle\n1\tCafé\n".encode("utf-16"), "a.csv")) == ["1"]


YAML = """---
title: "Salt: less is enough"
url: https://site.example/salt
date: 2026-11-23 07:00:00 +01:00
tags: [Nutrition, Heart]
author: Tom Berg
image: salt.png
---
# Salt

![](x.png)

First *paragraph*, with a [link](/x).

<script>alert(1)</script>

Second one.
"""

TOML = """+++
title = "Salt: less is enough"
url = "https://site.example/salt"
date = 2026-11-23T07:00:00+01:00
tags = ["Nutrition", "Heart"]
author = "Tom Berg"
image = "salt.png"
+++
First *paragraph*, with a [link](/x).
"""


@pytest.mark.parametrize("text", [YAML, TOML, YAML.replace("\n", "\r\n"), TOML.replace("\n", "\r\n")])
@pytest.mark.parametrize("name", ["salt.md", "salt.markdown", "salt"])
def test_markdown_is_read_with_its_front_matter(text, name):
    assert read(text, name).drafts == (
        Draft(
            guid="https://site.example/salt",
            title="Salt: less is enough",
            link="https://site.example/salt",
            summary="First paragraph, with a link.",
            author="Tom Berg",
            picture=Picture("https://site.example/salt.png", media_type="image/png"),
            topics=("Nutrition", "Heart"),
            published=datetime(2026, 11, 23, 6, tzinfo=UTC),
        ),
    )


def test_markdown_without_a_title_takes_its_first_heading():
    (found,) = read("---\nid: a\ndescription: Told here.\n---\n\n# The *heading*\n\nText.\n", "a.md").drafts
    assert (found.title, found.summary) == ("The heading", "Told here.")


def test_a_json_feed_is_taken_in_as_a_file():
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "home_page_url": "https://site.example/",
        "items": [{"id": "1", "url": "/one", "title": "One"}, 7],
    }
    found = read(json.dumps(feed))
    assert [draft.link for draft in found.drafts] == ["https://site.example/one"]
    assert found.refusals == ("articles.json: article 2 has neither a title nor a text; it is left out.",)


GOOD = {"id": "good", "title": "Good"}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"id": "b", "title": 5}, "title is a number, it must be text (in quotes)"),
        ({"id": "b", "title": True}, "title is true or false, it must be text (in quotes)"),
        ({"id": "b", "title": ["x"]}, "title is a list, it must be text (in quotes)"),
        ({"id": {"x": 1}, "title": "b"}, "id is an object, it must be text (in quotes)"),
        ({"id": "b", "title": "b", "published": 1_700_000_000}, "published is a number, it must be text (in quotes)"),
        (
            {"id": "b", "title": "b", "published": "23.11.2026"},
            "published '23.11.2026' is not a date; write it like 2026-11-23T07:00:00+01:00",
        ),
        ({"id": "b", "title": "b", "topics": ["a", None]}, "topics holds null, it must be a list of texts"),
        ({"id": "b", "title": "b", "topics": 7}, "topics is a number, it must be text (in quotes)"),
        ({"id": "b", "title": "b", "language": "English"}, "language 'English' is not a tag like 'en' or 'pt-BR'"),
        ({"id": "b", "title": "b", "image": "x.png"}, "image 'x.png' is not an http or https address"),
        ({"title": "b", "url": "javascript:x"}, "url 'javascript:x' is not an http or https address"),
        ({"id": "b", "summary": "text"}, "has neither a title nor a url"),
        ({"title": "b"}, "has neither an id nor a url, so that it could not be known again"),
        ({"id": "good", "title": "Again"}, "has the same id as item 1 ('good')"),
        ({"id": "b", "title": "b", "draft": True}, "is marked as a draft"),
        ("text", "is text, it must be an object with id, url, title and so on"),
        (None, "is null, it must be an object with id, url, title and so on"),
    ],
)
def test_a_wrong_item_is_refused_with_its_place_and_the_rest_goes_in(item, reason):
    found = read(json.dumps([GOOD, item, {"id": 3, "url": "https://site.example/3"}]))
    assert guids(found) == ["good", "3"]
    assert found.refusals == (f"articles.json, item 2: {reason}.",)


def test_an_article_with_only_a_url_is_called_by_it():
    (found,) = read('[{"url": "https://site.example/3"}]').drafts
    assert (found.guid, found.title) == ("https://site.example/3", "site.example/3")


def test_a_wrong_line_of_json_lines_is_refused_with_its_number():
    found = read('{"id":"1","title":"a"}\n{bad}\n\n[]\n{"id":"2","title":"b"}\n' + "[" * 99_999, "a.jsonl")
    assert guids(found) == ["1", "2"]
    assert found.refusals == (
        "a.jsonl, line 2: column 2: not JSON (expecting property name enclosed in double quotes).",
        "a.jsonl, line 4: is a list, it must be an object with id, url, title and so on.",
        "a.jsonl, line 6: its JSON is nested too deeply, or holds an endless number.",
    )


def test_a_wrong_row_of_csv_is_refused_with_the_line_it_begins_on():
    text = (
        "id,title,published\n"
        '1,"two\nlines",2026-11-23\n'
        "2,too,many,cells\n"
        "3,b,soon\n"
        "1,again,\n"
        '4,"a"b,\n'
        ",,\n"
        "5,few\n"
        "6," + "x" * 200_000 + ",\n"
        '7,"never closed\n'
    )
    found = read(text, "a.csv")
    assert guids(found) == ["1", "5"]
    assert [refusal.partition(": ")[0] for refusal in found.refusals] == [
        f"a.csv, line {line}" for line in (4, 5, 6, 7, 10, 11)
    ]
    assert found.refusals[0] == "a.csv, line 4: has 4 cells, the first line names 3 columns."
    assert found.refusals[2] == "a.csv, line 6: has the same id as line 2 ('1')."
    assert found.refusals[-1] == "a.csv, line 11: a quoted cell opens here and is never closed."


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (b"", "a.json", "a.json is empty."),
        (b"\xef\xbb\xbf \n", "a.csv", "a.csv is empty."),
        (b'[{"id": "1",\n  "title": }]', "a.json", "a.json, line 2 column 12: not JSON (expecting value)."),
        (b'{"title": "x"}', "a.json", "a.json is an object; it must be a list of articles, or a JSON Feed."),
        (b"7", "a.json", "a.json is a number; it must be a list of articles, or a JSON Feed."),
        (b'{"items": 5}', "a.json", "a.json is JSON, but no JSON Feed: it has no list called items."),
        (b"[" * 99_999, "a.json", "a.json: its JSON is nested too deeply, or holds an endless number."),
        (
            "id,title\n1,a\n2,Café".encode("cp1252"),
            "a.csv",
            "a.csv, line 3: not UTF-8 (byte 0xE9); save the file as UTF-8.",
        ),
        (
            b"name,text\n1,2",
            "a.csv",
            "a.csv, line 1: no column is called id, url or title; the first line must name the columns.",
        ),
        (b"id,title,Title\n1,2,3", "a.csv", "a.csv, line 1: two columns are called 'title'."),
        (
            b"---\ntitle: [a\nid: a\n---\n",
            "a.md",
            "a.md, line 3 column 3: not YAML (expected ',' or ']', but got ':').",
        ),
        (b"---\ntitle: x\n", "a.md", "a.md, line 1: the front matter that opens here with --- has no end."),
        (b"---\n- a\n---\n", "a.md", "a.md, line 2: the front matter must be lines like 'title: …'."),
        (b"---\ndate: 2026-13-45\n---\n", "a.md", "a.md, line 2: not YAML ('month must be in 1..12')."),
        (b"\n+++\ntitle =\n+++\n", "a.md", "a.md, line 3 column 8: not TOML (Invalid value)."),
        (
            b"<rss></rss>",
            "a.xml",
            "a.xml looks like a feed or a web page; a feed is taken in with `mailer feeds add a.xml`.",
        ),
        (b"hello", "a.txt", "a.txt is of no known kind; give a .json, .jsonl, .csv or .md file."),
    ],
)
def test_a_file_that_can_not_be_read_is_said_in_one_sentence_with_the_place(text, name, sentence):
    with pytest.raises(InputError) as caught:
        read(text, name)
    assert str(caught.value) == sentence


def test_a_number_as_title_in_front_matter_is_refused_not_guessed():
    found = read("---\nid: a\ntitle: 2026\n---\n", "a.md")
    assert found == ArticleFile((), ("a.md: title is a number, it must be text (in quotes).",))


def test_yaml_makes_no_objects():
    with pytest.raises(InputError, match="not YAML"):
        read("---\ntitle: !!python/object/apply:os.system ['true']\n---\n", "a.md")


ENDINGS = st.sampled_from(["a.json", "a.jsonl", "a.csv", "a.tsv", "a.md", "a", "a.xml"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from(["url", "alt", "width"]), SCALARS)
FIELDS = st.sampled_from([*WHOLE, "link", "date", "tags", "draft", "other", "authors"])


def read_or_refuse(data: str | bytes, name: str) -> None:
    """Everything but an InputError of one line goes through."""
    try:
        found = read(data, name)
        sentences = found.refusals
    except InputError as error:
        sentences = (str(error),)
    assert all(sentence.startswith(name) and len(sentence.splitlines()) == 1 for sentence in sentences)


@settings(deadline=None)
@given(st.binary(max_size=200), ENDINGS)
def test_any_bytes_give_articles_refusals_or_an_input_error(data, name):
    for start in (b"", b"id,title\n", b"---\n", b"+++\n", b"---\ntitle: x\n---\n", b"[", b'{"items":['):
        read_or_refuse(start + data, name)


@settings(deadline=None)
@given(st.lists(st.dictionaries(FIELDS, VALUES, max_size=5), max_size=4))
def test_each_item_of_a_list_is_an_article_or_a_refusal(items):
    found = read(json.dumps(items))
    assert len(found.drafts) + len(found.refusals) == len(items)
    assert all(draft.title and draft.guid for draft in found.drafts)
    assert len(set(guids(found))) == len(found.drafts)


@settings(deadline=None)
@given(st.text(st.sampled_from("-+:[]{}&*!|>'\"%@`#,? \n\tab1=.")))
def test_any_front_matter_gives_an_article_a_refusal_or_an_input_error(text):
    for mark in ("---", "+++"):
        read_or_refuse(f"{mark}\n{text}\n{mark}\nbody", "a.md")
