"""SIGKILL at random while forms come in: whoever was told to look into their inbox finds one mail there.

The seed is printed: MAILER_CRASH_SEED repeats a run.
"""

import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPException

from tests.cli.site import Relay
from tests.faults.badrelay import Rule, delay
from tests.faults.served import BROAD, Served, until

FORMS, KILLS, CONNECTIONS, VISITORS = 200, 5, 4, 4


class Visitors:
    """So many fill in forms at once, each with an address of their own, until enough were answered."""

    def __init__(self, pages: Served) -> None:
        self.pages = pages
        self.answered: set[str] = set()
        self.unanswered: set[str] = set()  # the form may have been taken all the same
        self._turn = threading.Lock()
        self._asked = 0

    def come(self) -> None:
        with ThreadPoolExecutor(VISITORS) as threads:
            for one in [threads.submit(self._fill_in_forms) for _ in range(VISITORS)]:
                one.result()

    def _fill_in_forms(self) -> None:
        while len(self.answered) < FORMS:
            with self._turn:
                self._asked += 1
                address = f"v{self._asked}@example.com"
            try:
                self.pages.sign_up(address)
            except (OSError, HTTPException):
                self.unanswered.add(address)
                time.sleep(0.1)
            else:
                self.answered.add(address)


def test_every_form_that_was_answered_leads_to_one_mail_however_often_the_server_is_killed(site):
    seed = int(os.environ.get("MAILER_CRASH_SEED", random.randrange(1 << 32)))
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    limits = {"MAILER_SIGNUP__DOMAIN_PER_HOUR": "100000", "MAILER_SIGNUP__BURST": "100000"}
    limits |= {"MAILER_SMTP__CONNECTIONS": str(CONNECTIONS)}
    with Relay(Rule("DOT", delay(0.02))) as relay:
        site.use(relay.port)
        with Served(site, **BROAD, **limits) as pages, ThreadPoolExecutor(1) as crowd:
            visitors = Visitors(pages)
            coming = crowd.submit(visitors.come)
            for kill in range(KILLS):
                enough = (kill * FORMS + chance.randrange(FORMS)) // KILLS
                until(lambda enough=enough: len(visitors.answered) >= enough)
                time.sleep(chance.random() * 0.3)
                pages.kill()
                pages.begin()
            coming.result()
            pages.stop()
        for hours in (0.01, 1, 2):
            site.run("send", "--now", f"{datetime.now(UTC) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}")
        copies, ids = relay.copies, {(one.recipient, one.message_id) for one in relay.accepted}

    extra = copies.total() - len(copies)
    sys.stdout.write(f"{len(visitors.unanswered)} unanswered, {extra} extra copies of at most {CONNECTIONS * KILLS}\n")
    assert visitors.answered - copies.keys() == set(), "told to look, and nothing came"
    assert copies.keys() <= visitors.answered | visitors.unanswered
    assert len(visitors.unanswered) >= 1, "no kill fell into a form"
    assert max(copies.values()) <= 2
    assert extra <= CONNECTIONS * KILLS
    assert len(ids) == len(copies), "not the same message"
    assert dict(site.ask("SELECT state, count(*) FROM deliveries GROUP BY state")) == {"accepted": len(copies)}
    assert site.ask("SELECT count(*) FROM notices WHERE delivery_id IS NULL") == [(0,)]
    assert site.ask("SELECT count(*) FROM subscribers WHERE state <> 'pending'") == [(0,)]
    site.did("verify")
