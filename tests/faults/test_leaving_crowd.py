"""A thousand readers press 'unsubscribe' while `mailer send` writes to four thousand, in processes of their own."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

from mailer.core.tokens import Claim, Purpose, seal
from tests.faults.badrelay import BadRelayProcess
from tests.faults.served import KEY, Served

READERS, LEAVERS, PRESSING = 4_000, 1_000, 4
YESTERDAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
LONGEST = 1.0
"""Seconds after the answer in which a permit that was committed before may still be used."""


class Crowd:
    """Those who leave: so many press at once, each one after another. `answered`: id to the moment of the answer."""

    def __init__(self, port: int, leavers: list[int]) -> None:
        self.port = port
        self.leavers = leavers
        self.answered: dict[int, float] = {}
        self.statuses: Counter[int] = Counter()

    def all_press(self) -> None:
        with ThreadPoolExecutor(PRESSING) as threads:
            list(threads.map(self._press, (self.leavers[start::PRESSING] for start in range(PRESSING))))

    def _press(self, numbers: list[int]) -> None:
        """As a mailbox provider does it (RFC 8058 §3.2)."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            for number in numbers:
                path = f"/one-click/{seal(Claim(number, 1), Purpose.LEAVE, KEY)}"
                connection.request("POST", path, "List-Unsubscribe=One-Click", kind)
                answer = connection.getresponse()
                answer.read()
                self.answered[number] = time.time()
                self.statuses[answer.status] += 1


def test_a_thousand_leave_in_the_middle_of_a_run_and_none_gets_anything_after_it(site, tmp_path):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201  # shown where it fails
    site.publish({"id": "one", "published": YESTERDAY}, now=YESTERDAY)
    site.join(*(f"r{number}" for number in range(READERS)))
    numbers = dict(site.ask("SELECT id, email FROM subscribers"))
    leavers = random.Random(seed).sample(sorted(numbers), LEAVERS)
    with (
        BadRelayProcess(tmp_path / "accepted.jsonl", "slow-dot") as relay,
        Served(
            site, MAILER_SMTP__PORT=str(relay.port), MAILER_SMTP__CONNECTIONS="10", MAILER_SIGNUP__GOODBYE="false"
        ) as pages,
    ):
        crowd = Crowd(pages.port, leavers)
        sending = site.start("send", "--cadence", "weekly")
        while not relay.read_log():
            assert sending.poll() is None
            time.sleep(0.02)

        crowd.all_press()

        assert sending.poll() is None, "the run was over before all had left: more readers are needed"
        out, err = sending.communicate(timeout=120)
        assert sending.returncode == 0, out + err
        taken = relay.read_log()
    site.did("verify")

    assert crowd.statuses == {200: LEAVERS}
    assert all(0 < one.began <= one.time for one in taken)
    copies = Counter(one.recipient for one in taken)
    began = {one.recipient: one.began for one in taken}
    rows = site.ask("SELECT subscriber_id, state, reason, permit_at / 1000.0 FROM deliveries")
    states = Counter(state for _, state, _, _ in rows)
    late = {numbers[who] for who, when in crowd.answered.items() if began.get(numbers[who], 0) > when + LONGEST}
    assert late == set(), "a MAIL after they had left"
    for who, state, reason, permit in rows:
        if who in crowd.answered:
            assert (state, reason) in {("accepted", ""), ("skipped", "unsubscribed")}
            assert permit is None or permit <= crowd.answered[who], "a permit after they had left"
        else:
            assert state == "accepted"
        assert copies[numbers[who]] == int(state == "accepted")
    assert states["skipped"] > LEAVERS // 10, "nearly all had theirs before they left"
    assert states["accepted"] > READERS - LEAVERS, "nearly nobody had theirs before they left"
    assert sum(states.values()) == READERS == site.ask("SELECT planned FROM editions")[0][0]
