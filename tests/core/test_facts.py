"""What we hold about a reader, as the mail that they asked for says it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mailer.core.consent import ConsentEvent
from mailer.core.facts import events_of, facts_of
from mailer.core.subscription import State, Subscriber
from mailer.core.words import ENGLISH, Words

JOINED = datetime(2026, 10, 3, 9, 30, tzinfo=UTC)
BARE = Subscriber(7, "ada@example.com", State.ACTIVE, "weekly", JOINED)


def test_what_is_not_set_is_left_out_or_said_to_be_the_sites():
    assert facts_of(BARE, {}, ENGLISH, UTC, digests=1204) == (
        ("Email address", "ada@example.com"),
        ("How often", "Weekly"),
        ("Topics", "All"),
        ("Time zone", "The site's"),
        ("Language", "The site's"),
        ("State", "Subscribed"),
        ("Subscribed since", "3 October 2026"),
        ("Digests that went out to you", "1,204"),
    )


def test_all_that_is_set_is_told():
    whole = Subscriber(
        7,
        "ada@example.com",
        State.PAUSED,
        "twice_a_week",
        JOINED,
        name="Ada Lovelace",
        timezone="Europe/London",
        language="de",
        topics=("lungs", "gone"),
        hour=0,
        paused_until=datetime(2026, 12, 23, 23, tzinfo=UTC),
    )
    told = dict(facts_of(whole, {"lungs": "Lung health"}, ENGLISH, ZoneInfo("Europe/Berlin")))
    assert told["Name"] == "Ada Lovelace"
    assert told["How often"] == "Twice a week"
    assert told["Topics"] == "Lung health and gone"
    assert (told["Time zone"], told["Hour"], told["Language"]) == ("Europe/London", "0:00", "Deutsch")
    assert (told["State"], told["Paused until"]) == ("Paused", "24 December 2026")


def test_an_event_has_all_that_is_kept_of_it():
    asked = ConsentEvent(
        JOINED,
        "asked",
        "weekly",
        ip="203.0.113.7",
        agent="Browser " + "x" * 192,
        route="frame",
        statement="a list of 2019",
        source="https://site.example/" + "p" * 179,
        language="de",
        text_version="3f9c1d7a5b20",
        message_id="<1.2@site.example>",
    )
    (told,) = events_of([asked], {}, ENGLISH, UTC)
    assert told == (
        ("3 October 2026, 9:30", "Asked for a subscription · Weekly"),
        ("By way of", "A sign-up form (iframe)"),
        ("The site's note", "a list of 2019"),
        ("Page", asked.source),
        ("Language", "Deutsch"),
        ("Version of what you read", "3f9c1d7a5b20"),
        ("IP address", "203.0.113.7"),
        ("Browser", asked.agent),
        ("Message-ID of the mail", "<1.2@site.example>"),
    )


@pytest.mark.parametrize(
    ("event", "detail", "said"),
    [
        ("confirmed", "twice_a_week", "Confirmed the subscription · Twice a week"),
        ("cadence", "weekly -> twice_a_week", "Changed how often · Weekly → Twice a week"),
        ("topics", "all -> lungs, gone", "Changed the topics · All → Lung health and gone"),
        ("timezone", "site -> Europe/London", "Changed the time zone · The site's → Europe/London"),
        ("language", "de -> site", "Changed the language · Deutsch → The site's"),
        ("hour", "the cadence's -> 7:00", "Changed the hour · As it comes → 7:00"),
        ("paused", "until 2026-12-23 23:00 UTC", "Paused · until 24 December 2026"),
        ("paused", "for long", "Paused · for long"),
        ("resumed", "", "Ended the pause"),
        ("unsubscribed", "paused -> unsubscribed", "Unsubscribed · Paused → Unsubscribed"),
        ("reason", "often: " + "too much, " * 30, "Said why · It comes too often: " + "too much, " * 30),
        ("reason", "unasked: ", "Said why · I never asked for it"),
        ("asked to move", "", "Asked for mail at another address"),
        ("asked_never", "", "Asked us never to write"),
        (
            "allowed",
            "asked_never, bounced; active -> unsubscribed",
            "Allowed again by the site · Asked us never to write and Mail came back; Subscribed → Unsubscribed",
        ),
        ("allowed", "erased", "Allowed again by the site · Erased"),
        ("something new", "x -> y", "something new · x -> y"),
    ],
)
def test_what_happened_is_told_in_words_and_where_the_reader_is(event, detail, said):
    berlin = ZoneInfo("Europe/Berlin")
    assert events_of([ConsentEvent(JOINED, event, detail)], {"lungs": "Lung health"}, ENGLISH, berlin) == (
        (("3 October 2026, 11:30", said),),
    )


def test_an_arrow_points_the_way_that_a_language_is_read():
    ((told,),) = events_of([ConsentEvent(JOINED, "timezone", "Asia/Amman -> Asia/Dubai")], {}, Words("ar"), UTC)
    assert told[1].endswith("Asia/Amman \u200f←\u200f Asia/Dubai")
