"""Lists of readers as files: what real spreadsheets write is read, what is wrong is said with its line."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.core.subscriber_csv import (
    Offer,
    Refusal,
    Taken,
    guard,
    header_line,
    read,
    subscriber_line,
    unguard,
)
from mailer.core.subscription import Newcomer, State, Subscriber, clean_address, clean_name
from mailer.errors import InputError

OFFER = Offer(("daily", "weekly", "monthly"), {"tech": "Technology", "art": "Fine Arts", "food": "Food"})
ADA = Newcomer("ada@x.org", "weekly", "Ada L", "Europe/Berlin", "de", ("art", "tech"))


def rows(text, offer=OFFER, encoding="utf-8"):
    return list(read([text.encode(encoding)], offer))


def newcomers(text, offer=OFFER):
    found = rows(text, offer)
    assert not [row for row in found if isinstance(row, Refusal)]
    return [row.newcomer for row in found]


def refusals(text, offer=OFFER):
    return [(row.line, row.text, row.reason) for row in rows(text, offer) if isinstance(row, Refusal)]


def emails(found):
    return [row.newcomer.email for row in found if isinstance(row, Taken)]


_HEADER = "email,cadence,timezone,topics,name,language"
_ADA = "ada@x.org,weekly,Europe/Berlin,tech;art,Ada L,de"
_DIALECTS = {
    "in the usual order": f"{_HEADER}\n{_ADA}\n",
    "in another order, no last newline": (
        "name,topics,language,timezone,cadence,email\nAda L,tech|art,de,Europe/Berlin,weekly,ada@x.org"
    ),
    "semicolons": ("Email;Cadence;TimeZone;Topics;Name;Language\nada@x.org;weekly;Europe/Berlin;tech,art;Ada L;de\n"),
    "tabs": f"{_HEADER}\n{_ADA}\n".replace(",", "\t").replace(";", " "),
    "spaces and capitals": (
        " EMAIL , cadence,timezone,topics,name ,language  \n"
        "Ada@X.org , Weekly ,Europe/Berlin , Technology ; fine arts , Ada  L ,de \n"
    ),
    "quotes, byte order mark, CRLF": (
        '\ufeff"email","cadence","timezone","topics","name","language"\r\n'
        '"ada@x.org","weekly","Europe/Berlin","tech, art","Ada L","de"\r\n'
    ),
    "CR alone": f"{_HEADER}\r{_ADA}\r",
    "blank lines and empty columns": f"\n\n{_HEADER},,\n\n,,,,,,,\n{_ADA},,\n   \n",
    "spaces around quotes": (
        f'{_HEADER.replace(",", ", ")}\nada@x.org, "weekly" , Europe/Berlin, "tech;art" ,Ada L, de\n'
    ),
    "an export": f"{_HEADER},state,joined\n{_ADA},active,2026-01-01T00:00:00Z\n",
}


@pytest.mark.parametrize("text", _DIALECTS.values(), ids=_DIALECTS)
def test_one_reader_comes_out_of_every_dialect_alike(text):
    assert newcomers(text) == [ADA]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_it_does_not_matter_how_the_bytes_are_cut(encoding, size):
    data = "email;cadence;name\r\nada@x.org;weekly;Zoë 🎈\r\nbob@x.org;daily;Bøb\r\n".encode(encoding)
    found = list(read([data[at : at + size] for at in range(0, len(data), size)], OFFER))
    assert found == [
        Taken(2, Newcomer("ada@x.org", "weekly", "Zoë 🎈")),
        Taken(3, Newcomer("bob@x.org", "daily", "Bøb")),
    ]


def test_a_file_without_paces_goes_by_the_one_that_was_asked_for():
    offer = Offer(OFFER.cadences, OFFER.topics, "monthly")
    assert [n.cadence for n in newcomers("email,cadence\na@x.org,\nb@x.org,daily\nc@x.org\n", offer)] == [
        "monthly",
        "daily",
        "monthly",
    ]
    assert refusals("email\na@x.org\n") == [
        (2, "a@x.org", "no cadence; fill its cell, or give --cadence for all rows without one")
    ]


_NO_TOPIC = "'music' is not a topic of this site; there are: tech, art, food"


@pytest.mark.parametrize(
    ("row", "text", "reason"),
    [
        ("ada@x.org,dayly,,,,", "ada@x.org", "'dayly' is no cadence of this site; there are: daily, weekly, monthly"),
        ("ada@x.org,daily,Berlin,,,", "ada@x.org", "'Berlin' is not a time zone; did you mean 'Europe/Berlin'?"),
        ("ada@x.org,daily,,music,,", "ada@x.org", _NO_TOPIC),
        ("ada@x.org,daily,,tech;music,,", "ada@x.org", _NO_TOPIC),
        ("ada@x.org,daily,,,,?", "ada@x.org", "'?' is not a language tag such as 'en' or 'pt-BR'"),
        (",daily,,,Ada,", ",daily,,,Ada,", "it has no address"),
        ("ada,daily,,,,", "ada", "An email address must have an @-sign"),
        ("a@x.org,,,,,,x", "a@x.org,,,,,,x", "7 cells for 6 columns; a cell that holds ',' needs quotes"),
        ('"ada@x.org,daily,,,,', '"ada@x.org,daily,,,,', "a quote is opened and never closed"),
    ],
)
def test_a_refused_row_is_told_with_its_line_and_the_next_one_goes_in(row, text, reason):
    found = rows(f"email,cadence,timezone,topics,name,language\n{row}\nbob@x.org,daily,,,,\n")
    assert found == [Refusal(2, text, reason), Taken(3, Newcomer("bob@x.org", "daily"))]


def test_rows_of_an_export_whose_reader_has_gone_or_not_confirmed_or_paused_are_refused():
    text = "email,cadence,state\n" + "".join(f"{state}@x.org,daily,{state}\n" for state in (*State, "lost"))
    assert refusals(text) == [
        (2, "pending@x.org", "pending: they never confirmed"),
        (4, "paused@x.org", "paused: a file can't say until when; add them by hand, then pause them"),
        (5, "unsubscribed@x.org", "unsubscribed"),
        (6, "bounced@x.org", "bounced"),
        (7, "complained@x.org", "complained"),
        (8, "lost@x.org", "'lost' is no state; there are: pending, active, paused, unsubscribed, bounced, complained"),
    ]
    assert emails(rows(text)) == ["active@x.org"]


def test_a_cell_may_go_over_several_lines():
    text = 'email,cadence,name\nada@x.org,daily,"Ada\nof ""Ockham""\nLovelace"\nbob@x.org,daily,Bob\n'
    assert rows(text) == [
        Taken(2, Newcomer("ada@x.org", "daily", 'Ada of "Ockham" Lovelace')),
        Taken(5, Newcomer("bob@x.org", "daily", "Bob")),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        'ada@x.org,daily,"Ada',  # never closed
        'ada@x.org,daily,Ada"',
        '"ada@x.org,daily,Ada',
        'ada@x.org,"daily\n,x,y"',  # closed, but no row
    ],
)
@pytest.mark.parametrize("following", ["bob@x.org,daily,Bob", 'bob@x.org,daily,"Bob"', 'bob@x.org,daily,"B ""Q"" b"'])
def test_a_forgotten_quote_takes_no_other_row_with_it(broken, following):
    many = "".join(f"reader{number}@x.org,daily,\n" for number in range(30))
    found = rows(f"email,cadence,name\n{broken}\n{following}\n{many}")
    assert emails(found) == ["bob@x.org", *(f"reader{number}@x.org" for number in range(30))]
    assert isinstance(found[0], Refusal)
    assert found[0].line == 2


def test_two_rows_with_a_forgotten_quote_each_are_both_refused_and_what_stands_between_goes_in():
    text = 'email,cadence,name\na@x.org,daily,"A\nb@x.org,daily,B\nc@x.org,daily,"C\nd@x.org,daily,D\n'
    assert [line for line, _, _ in refusals(text)] == [2, 4]
    assert emails(rows(text)) == ["b@x.org", "d@x.org"]


def test_a_row_that_is_not_utf8_is_refused_and_the_rest_goes_in():
    found = list(read([b"email,cadence,name\nada@x.org,daily,Zo\xeb\nbob@x.org,daily,Bob\n"], OFFER))
    assert found == [
        Refusal(2, "ada@x.org", "it is not UTF-8; save the file as 'CSV UTF-8' and import it again"),
        Taken(3, Newcomer("bob@x.org", "daily", "Bob")),
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "The file is empty; its first line names the columns: email, cadence, "),
        (b"\n \n", "The file is empty"),
        (b"email,plan\na@x.org,x\n", "Line 1: 'plan' is no column; the first line names the columns, any of: email, "),
        (b"\nada@x.org,daily\n", "Line 2: 'ada@x.org' is no column"),
        (b"name,cadence\nAda,daily\n", "Line 1: there is no column 'email'."),
        (b"email,EMAIL\na@x.org,b@x.org\n", "Line 1: the column 'email' is there twice."),
        (b"PK\x03\x04\x00\x00email", "This is no text file; export the list as CSV"),
        ("email\n".encode("utf-16-le"), "This is no text file"),
        (b"email\n" + b"a" * 30_000, "Line 2 is longer than 20000 characters"),
    ],
)
def test_a_file_that_is_no_list_of_readers_is_refused_as_a_whole(data, said):
    with pytest.raises(InputError) as caught:
        list(read([data], OFFER))
    assert said in str(caught.value)


def test_a_column_of_a_thousand_wrong_zones_is_refused_without_searching_a_near_name_for_each():
    text = "email,cadence,timezone\n" + "".join(f"a{n}@x.org,daily,Nowhere/{n}\n" for n in range(1000))
    found = refusals(text)
    assert len(found) == 1000
    assert found[-1][2] == "'Nowhere/999' is not a time zone"
    assert "allowed: 'UTC'" in found[0][2] or "did you mean" in found[0][2]


def test_a_topic_whose_name_has_spaces_is_one_topic():
    assert [n.topics for n in newcomers("email,cadence,topics\na@x.org,daily,Fine Arts\nb@x.org,daily,art tech\n")] == [
        ("art",),
        ("art", "tech"),
    ]


def test_odd_text_in_a_report_is_fit_to_be_shown():
    [(_, text, reason)] = refusals("email,cadence\na\x1b[31m\u202eb@x.org,daily\n")
    assert text.isprintable()
    assert reason.isprintable()


@given(st.text())
@example("=1+1")
@example("'=1+1")
@example("''@x")
@example("'")
def test_a_guarded_cell_gives_its_original_back(cell):
    guarded = guard(cell)
    assert unguard(guarded) == cell
    assert not guarded.startswith(("=", "+", "-", "@", "\t", "\r"))


_NAMES = st.text(max_size=40).map(clean_name)
_EMAILS = st.builds(
    "{}@{}".format, st.from_regex(r"['=+\-a-z0-9|{]{1,10}", fullmatch=True), st.sampled_from(["x.org", "my-site.test"])
).map(clean_address)
_READERS = st.builds(
    Subscriber,
    id=st.integers(1, 9),
    email=_EMAILS,
    state=st.just(State.ACTIVE),
    cadence=st.sampled_from(OFFER.cadences),
    joined_at=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # made aware
    name=_NAMES,
    timezone=st.sampled_from(["", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"]),
    language=st.sampled_from(["", "de", "pt-BR"]),
    topics=st.sets(st.sampled_from(sorted(OFFER.topics))).map(lambda found: tuple(sorted(found))),
)


@given(st.lists(_READERS, max_size=5))
def test_what_is_exported_is_read_back_as_it_was(readers):
    text = header_line() + "".join(map(subscriber_line, readers))
    assert newcomers(text) == [
        Newcomer(one.email, one.cadence, one.name, one.timezone, one.language, one.topics) for one in readers
    ]


def test_no_cell_of_an_export_is_a_formula():
    reader = Subscriber(
        1, "+ada@x.org", State.ACTIVE, "daily", datetime(2026, 11, 23, 7, tzinfo=UTC), '=HYPERLINK("http://e")'
    )
    header, cells = csv.reader(io.StringIO(header_line() + subscriber_line(reader)))
    assert header == ["email", "cadence", "timezone", "topics", "name", "language", "state", "joined"]
    assert cells == ["'+ada@x.org", "daily", "", "", '\'=HYPERLINK("http://e")', "", "active", "2026-11-23T07:00:00Z"]
