"""`make chaos` in small. The seed is printed: MAILER_CHAOS_SEED repeats a schedule."""

import os
import random
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import pytest

from tests.cli.site import MONDAY
from tests.faults.badrelay import Accepted
from tests.faults.chaos import main, moments, trial
from tests.faults.killing import filled
from tests.faults.tally import Stretch, reckon

KILLS, READERS = 30, 500


def test_killed_thirty_times_at_random_nobody_is_lost_and_copies_keep_to_their_bounds(capsys):
    seed = int(os.environ.get("MAILER_CHAOS_SEED", random.randrange(1 << 32)))
    with capsys.disabled():
        sys.stdout.write(f"\nchaos: seed {seed}\n")
    table, faults = trial(KILLS, seed, READERS)
    sys.stdout.write(f"{table}\n")
    assert not faults, table
    assert "| lost | 0 |" in table


def test_the_same_seed_makes_the_same_schedule():
    first, again, other = (list(islice(moments(seed), 50)) for seed in (7, 7, 8))
    assert first == again != other


def test_what_broke_a_promise_ends_it_with_exit_code_1(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["chaos", "--seed", "7"])
    monkeypatch.setattr("tests.faults.chaos.trial", lambda *_asked: ("a table", ["1 lost"]))
    assert main() == 1
    assert capsys.readouterr().out == "seed 7\na table\nBROKEN: 1 lost\n"


# --- the tally sees what it is there to see


@pytest.fixture
def sent(site, relay) -> tuple[object, list[Accepted]]:
    """Three readers got a digest."""
    filled(site, 3)
    site.did("send", "--cadence", "weekly", "--now", MONDAY)
    return site, list(relay.accepted)


def faults(site, log: list[Accepted], stretches: list[Stretch]) -> list[str]:
    return reckon(site.database, log, stretches, "site.example").faults(1, sum(one.kills for one in stretches))


def test_a_copy_for_each_breaks_no_promise(sent):
    assert faults(*sent, [Stretch(0.0)]) == []


def test_a_reader_without_a_copy_is_lost(sent):
    site, log = sent
    assert faults(site, log[1:], [Stretch(0.0)]) == ["1 lost"]


def test_a_third_copy_is_told(sent):
    site, log = sent
    assert "a reader got 3 copies" in faults(site, [*log, log[0], log[0]], [Stretch(0.0, kills=2)])


def test_a_second_copy_without_a_kill_is_told_and_so_are_two_for_one(sent):
    site, log = sent
    assert faults(site, [*log, log[0]], [Stretch(0.0)])
    assert faults(site, [*log, log[0]], [Stretch(0.0, kills=1)]) == []
    assert faults(site, [*log, *log[:2]], [Stretch(0.0, kills=1)])
    # As many kills as copies, but in another run.
    later = datetime.now(UTC).timestamp() + 60
    assert faults(site, [*log, *log[:2]], [Stretch(0.0, kills=1), Stretch(later, kills=1)])


def test_a_second_copy_that_the_relay_brought_about_is_not_held_against_a_kill(sent):
    site, log = sent
    assert faults(site, [replace(log[0], silent=True), *log[1:], log[0]], [Stretch(0.0)]) == []


def test_a_second_copy_that_is_not_the_first_is_told(sent):
    site, log = sent
    other = replace(log[0], sha256="0" * 64)
    assert faults(site, [*log, other], [Stretch(0.0, kills=1)]) == ["1 second copies differ from the first"]


def test_a_copy_that_went_to_somebody_else_is_told(sent):
    site, log = sent
    assert faults(site, [replace(log[0], recipient="x@example.com"), *log[1:]], [Stretch(0.0)])
    assert faults(site, [*log, replace(log[0], message_id="<x@site.example>")], [Stretch(0.0)])
