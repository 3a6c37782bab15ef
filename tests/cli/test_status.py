"""`mailer status` and `mailer signups`: a burst of forms holds confirmations until somebody says what they are."""

import asyncio

import pytest

from mailer.core.consent import Circumstances
from mailer.core.signup import SignupOptions
from mailer.core.subscription import Newcomer
from mailer.flows.subscribing import Form, ask_to_join
from mailer.store.database import Database
from mailer.wiring import Clock

OPTIONS = SignupOptions(burst=3, domain_per_hour=100)


def fill_in(site, *names, network="203.0.113.7"):
    """Forms that come in one after another, each from the same network."""
    limits = OPTIONS.model_copy(update={"network_per_hour": 1000, "network_per_day": 1000})

    async def go():
        for name in names:
            form = Form(Newcomer(f"{name}@readers.example", "weekly"), Circumstances("page"), network)
            await ask_to_join(database, form, now=Clock()(), options=limits, fingerprints=lambda email: (f"#{email}",))

    with Database(f"sqlite:///{site.database}") as database:
        asyncio.run(go())


@pytest.fixture
def flooded(site):
    """Seven forms where three were plenty."""
    fill_in(site, *"abcdefg")
    return site


def test_a_site_where_nothing_happens_says_so(site):
    assert site.did("status").out == (
        "Readers: none yet.\nMail that waits: none.\nSign-up forms in the last 24 hours: none.\n"
    )


def test_a_burst_holds_what_came_after_it_and_says_why_and_what_to_do(flooded, relay):
    said = flooded.did("status").out

    assert said.startswith("HELD since ")
    assert ": 4 confirmation mails. More than 200 were asked for within 10 minutes ([signup] burst)" in said
    assert "Most of the last hour's forms came from 203.0.113.7 (7)." in said
    assert "Most of the last hour's forms went to readers.example (7)." in said
    assert "If they are real: mailer signups release. If not: mailer signups discard." in said
    assert "Readers: 7 pending." in said
    flooded.did("send")
    assert sorted(one.recipient[0] for one in relay.accepted) == ["a", "b", "c"]


def test_what_was_held_is_released_and_new_forms_are_confirmed_at_once(flooded, relay):
    assert flooded.did("signups", "release").out == (
        "4 confirmation mails leave. New sign-ups are confirmed at once again.\n"
    )

    flooded.did("send")

    assert sorted(one.recipient[0] for one in relay.accepted) == list("abcdefg")
    assert "HELD" not in flooded.did("status").out
    assert flooded.did("signups", "release").out == "Nothing was held.\n"
    fill_in(flooded, "x", "y")
    assert "HELD" not in flooded.did("status").out


def test_what_was_discarded_is_never_sent_and_who_is_real_may_ask_again(flooded, relay):
    assert flooded.json("signups", "discard") == {"discarded": 4}

    flooded.did("send")

    assert sorted(one.recipient[0] for one in relay.accepted) == ["a", "b", "c"]
    assert flooded.json("status")["signups"]["held_since"] is None


def test_a_program_learns_the_same(flooded):
    told = flooded.json("status")

    assert told["readers"] == {"pending": 7}
    assert told["signups"]["held"] == 4
    assert told["signups"]["last_24_hours"] == {"confirm": 3, "held": 4}
    assert told["signups"]["networks_last_hour"] == {"203.0.113.7": 7}
    assert told["signups"]["domains_last_hour"] == {"readers.example": 7}


def test_what_waits_for_its_turn_is_counted(site):
    site.write("r.csv", "email,cadence\n" + "".join(f"r{number}@x.org,weekly\n" for number in range(5)))
    site.did("subscribers", "import", "r.csv")

    assert "Confirmation mails that wait for their turn: 5, 100 an hour." in site.did("status").out
