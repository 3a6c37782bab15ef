"""What we hold about a reader, as the mail that they asked for says it."""

from datetime import UTC, datetime

from mailer.core.facts import Event, events_of, facts_of
from mailer.core.subscription import State, Subscriber
from mailer.core.words import ENGLISH

JOINED = datetime(2026, 10, 3, 9, 30, tzinfo=UTC)
BARE = Subscriber(7, "ada@example.com", State.ACTIVE, "weekly", JOINED)


def test_what_is_not_set_is_left_out_or_said_to_be_the_sites():
    assert facts_of(BARE, {}, ENGLISH, 1204) == (
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
        paused_until=datetime(2026, 12, 24, tzinfo=UTC),
    )
    told = dict(facts_of(whole, {"lungs": "Lung health"}, ENGLISH))
    assert told["Name"] == "Ada Lovelace"
    assert told["How often"] == "Twice a week"
    assert told["Topics"] == "Lung health and gone"
    assert (told["Time zone"], told["Hour"], told["Language"]) == ("Europe/London", "0:00", "de")
    assert (told["State"], told["Paused until"]) == ("Paused", "24 December 2026")


def test_an_event_has_all_that_is_kept_of_it_and_an_unknown_one_its_own_name():
    events = [
        Event(JOINED, "asked", "weekly", "203.0.113.7", "Browser 1.0 " + "x" * 200),
        Event(JOINED, "unsubscribed"),
        Event(JOINED, "something new"),
    ]
    (asked, left, new) = events_of(events, ENGLISH)
    assert asked[0] == "3 October 2026, 9:30"
    assert asked[1].startswith("Asked for a subscription · weekly · 203.0.113.7 · Browser 1.0")
    assert len(asked[1]) < 200
    assert (left[1], new[1]) == ("Unsubscribed", "something new")
