"""Relays and providers that want less mail, in whole runs. Each ends with the sum and the count of copies."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from mailer.flows import delivering
from mailer.flows.delivering import Rest, Run, traffic
from mailer.store import paces
from mailer.store.tables import deliveries, suppressions
from tests.faults.badrelay import Accepted, BadRelay, Rule, Scene, delay, domain, say
from tests.faults.runs import due, ends, many, quick, way_to
from tests.stories import Clock, send, sums_hold

__all__ = ["quick"]  # a fixture

POLICY = "550 5.7.1 message refused by policy"
THROTTLING = "454 Throttling failure: maximum sending rate exceeded"
SLOW, OTHER = "slow.example", "other.example"
LATER = delay(0.01)  # long enough for messages to be under way beside each other


def at(place: str, count: int) -> list[str]:
    return [f"r{number}@{place}" for number in range(count)]


def mixed(*lists: list[str]) -> list[str]:
    """One of each in turn."""
    longest = max(map(len, lists))
    return [names[turn] for turn in range(longest) for names in lists if turn < len(names)]


def at_once(taken: Sequence[Accepted]) -> int:
    """How many of these were under way together at most."""
    moments = sorted([(one.began, 1) for one in taken] + [(one.time, -1) for one in taken])
    under_way, most = 0, 0
    for _, step in moments:
        under_way += step
        most = max(most, under_way)
    return most


def of(bad: BadRelay, place: str) -> list[Accepted]:
    return [one for one in bad.accepted if one.recipient.endswith("@" + place)]


async def kept(database, provider: str = "", relay: str = "default") -> dict:
    """What the next run will know of a pace."""
    return (await database.read(paces.load)).get((relay, provider), {})


class Ticking(Clock):
    """Moves by itself, a second for each look."""

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


class Said:
    """A rule's condition that a test turns off."""

    def __init__(self, *places: str) -> None:
        self.holds = True
        self._places = places
        self.met: list[str] = []

    def __call__(self, scene: Scene) -> bool:
        holds = self.holds and (not self._places or scene.recipient.rpartition("@")[2] in self._places)
        if holds:
            self.met.append(scene.recipient)
        return holds


# --- a provider that slows


async def test_of_a_provider_that_slows_few_wait_in_memory_and_the_rest_come_back_later(database, clock, monkeypatch):
    monkeypatch.setattr(traffic, "PARKED", 3)
    await due(database, *at(SLOW, 40))
    rules = [Rule("RCPT", say("451 4.7.0 slow down"), after=3, times=1), Rule("DOT", LATER)]
    async with BadRelay(rules) as bad:
        report = await send(database, way_to(bad), clock, connections=8)
        assert report.sent < 39
        assert {who.next_at - clock.now for who in report.unreached.values()} >= {timedelta(minutes=1)}
        for _ in range(20):
            clock.move(minutes=10)
            await send(database, way_to(bad), clock, connections=8)
        await ends(database, bad, {"accepted": 40}, {1: 40})


async def test_451_for_one_domain_slows_it_and_leaves_the_others_at_full_speed(database, clock):
    await due(database, *mixed(at(SLOW, 30), at(OTHER, 60)))
    rules = [Rule("RCPT", say("451 4.7.0 slow down"), when=domain(SLOW), after=3, times=1), Rule("DOT", LATER)]
    async with BadRelay(rules) as bad:
        report = await send(database, way_to(bad), clock, connections=8)
        assert [who.said for who in report.unreached.values()] == ["451 4.7.0 slow down"]
        assert (await kept(database, SLOW))["limit"] < 4
        assert await kept(database) == {}
        assert at_once(of(bad, SLOW)[8:]) < at_once(of(bad, OTHER)[8:])
        assert at_once(of(bad, OTHER)) > 4
        await ends(database, bad, {"accepted": 89, "deferred": 1}, {1: 89})
        clock.move(minutes=20)
        await send(database, way_to(bad), clock, connections=8)
        await ends(database, bad, {"accepted": 90}, {1: 90})


@pytest.mark.parametrize("reply", ["452 4.2.2 mailbox full", "450 4.2.1 gets mail at a rate that prevents more"])
async def test_a_full_mailbox_slows_nobody_else(database, clock, reply):
    await due(database, *many(20))
    async with BadRelay([Rule("RCPT", say(reply), times=1, after=5)]) as bad:
        await send(database, way_to(bad), clock)
        assert await database.read(paces.load) == {}
        assert (await database.read(lambda c: c.execute(select(deliveries.c.attempts)).scalars().all())).count(1) >= 1
        await ends(database, bad, {"accepted": 19, "deferred": 1}, {1: 19})
        clock.move(minutes=6)
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 20}, {1: 20})


@pytest.mark.parametrize("reply", ["452 4.3.1 insufficient storage", "421 4.3.1 insufficient storage"])
async def test_a_busy_relay_gets_half_as_much_for_a_quarter_of_an_hour_then_more(database, clock, reply):
    await due(database, *many(90))
    rules = [Rule("RCPT", say(reply), times=1, after=25), Rule("DOT", LATER)]
    async with BadRelay(rules) as bad:
        await send(database, way_to(bad), clock, connections=8, run=Run(limit=45))
        state = await kept(database)
        assert (2 <= state["limit"] <= 4, state["rate"]) == (True, 0.5)
        assert at_once(bad.accepted[-12:]) <= state["limit"] < at_once(bad.accepted[:25])
        await ends(database, bad, {"accepted": 44, "deferred": 1, "pending": 45}, {1: 44})
        clock.move(minutes=16)
        await send(database, way_to(bad), clock, connections=8)
        assert at_once(bad.accepted[44:]) > state["limit"]
        assert await kept(database) == {}
        await ends(database, bad, {"accepted": 90}, {1: 90})


# --- throttling


async def test_throttling_means_a_pause_then_one_a_minute_and_ends_with_everybody_reached(database, clock):
    await due(database, *mixed(at(SLOW, 8), at(OTHER, 20)))
    async with BadRelay([Rule("RCPT", say(THROTTLING), when=domain(SLOW), times=1)]) as bad:
        await send(database, way_to(bad), clock, connections=2)
        assert len(of(bad, OTHER)) == 20
        served = len(of(bad, SLOW))
        assert served <= 1  # what was under way beside it
        clock.move(seconds=119)
        await send(database, way_to(bad), clock)
        assert len(of(bad, SLOW)) == served
        clock.move(seconds=1)
        await send(database, way_to(bad), clock)
        assert len(of(bad, SLOW)) == served + 1
        clock.move(seconds=20)
        await send(database, way_to(bad), clock)
        assert len(of(bad, SLOW)) == served + 1
        for _ in range(20):
            clock.move(minutes=1)
            await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 28}, {1: 28})


async def test_throttling_said_again_doubles_the_pause(database, clock):
    await due(database, *at(SLOW, 5))
    throttling = Said(SLOW)
    async with BadRelay([Rule("RCPT", say(THROTTLING), when=throttling)]) as bad:
        tries = []
        for minute in range(70):
            asked = len(throttling.met)
            await send(database, way_to(bad), clock, connections=1)
            if len(throttling.met) > asked:
                tries.append(minute)
                assert len(throttling.met) == asked + 1
            clock.move(minutes=1)
        assert tries == [0, 2, 6, 14, 30, 62]
        throttling.holds = False
        for _ in range(60):
            clock.move(minutes=3)
            await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 5}, {1: 5})
    assert set(await database.read(lambda c: c.execute(select(deliveries.c.attempts)).scalars())) <= {0, 1}


async def test_a_run_that_waits_reaches_everybody_behind_throttling(database, monkeypatch):
    monkeypatch.setattr(delivering, "_sleep", lambda _stop, _seconds: asyncio.sleep(0))
    await due(database, *mixed(at(SLOW, 6), at(OTHER, 6)))
    async with BadRelay([Rule("RCPT", say(THROTTLING), when=domain(SLOW), times=2)]) as bad:
        report = await send(database, way_to(bad), Ticking(), run=Run(wait=True), connections=2)
        assert report.missed == 0
        await ends(database, bad, {"accepted": 12}, {1: 12})


# --- refused by policy: the breaker


@pytest.mark.parametrize(
    "reply", [POLICY, "550 Access denied", "550 5.4.5 Daily user sending limit exceeded", "552 Sending quota exceeded"]
)
async def test_a_relay_that_refuses_everybody_rests_and_all_are_reached_once_it_takes_mail_again(
    database, clock, reply
):
    await due(database, *[f"r{number}@host{number}.example" for number in range(30)])
    refusing = Said()
    async with BadRelay([Rule("RCPT", say(reply), when=refusing)]) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert len(refusing.met) == 5
        assert report.rests == {"default": Rest(clock() + timedelta(minutes=5), f"it refuses mail: {reply}")}
        await ends(database, bad, {"deferred": 5, "pending": 25}, {})

        clock.move(minutes=4)
        await send(database, way_to(bad), clock, connections=4)
        assert bad.messages == 5

        clock.move(minutes=1)
        await send(database, way_to(bad), clock, connections=4)
        assert bad.messages == 6
        assert refusing.met[5] not in refusing.met[:5]

        refusing.holds = False
        clock.move(minutes=5)
        await send(database, way_to(bad), clock, connections=4)
        assert bad.accepted[0].recipient not in refusing.met
        clock.move(minutes=10)
        await send(database, way_to(bad), clock, connections=4)
        await ends(database, bad, {"accepted": 30}, {1: 30})
        assert await database.read(paces.load) == {}


async def test_a_provider_that_refuses_everybody_rests_and_is_tried_with_one_message(database, clock):
    await due(database, *at(SLOW, 30))
    refusing = Said(SLOW)
    async with BadRelay([Rule("RCPT", say(POLICY), when=refusing)]) as bad:
        await send(database, way_to(bad), clock, connections=1)
        assert len(refusing.met) == 5
        await ends(database, bad, {"deferred": 30}, {})
        clock.move(minutes=5)
        await send(database, way_to(bad), clock, connections=4)
        assert len(refusing.met) == 6
        assert len(set(refusing.met)) == 6
        refusing.holds = False
        clock.move(minutes=5)
        await send(database, way_to(bad), clock, connections=4)
        assert bad.accepted[0].recipient not in refusing.met
        clock.move(minutes=10)
        await send(database, way_to(bad), clock, connections=4)
        await ends(database, bad, {"accepted": 30}, {1: 30})


@pytest.mark.parametrize("reply", ["554 Transaction failed", "550 No thanks", "554 5.3.0 no", "554 5.4.6 loops"])
@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("places", ["one provider", "many providers"])
async def test_a_relay_that_refuses_everybody_for_good_and_says_nothing_of_them_loses_few(
    database, clock, reply, connections, places
):
    """Each is a permanent answer, so it costs its reader this edition; the breaker keeps it from the others."""
    names = at(SLOW, 60) if places == "one provider" else [f"r{number}@host{number}.example" for number in range(60)]
    await due(database, *names)
    refusing = Said()
    async with BadRelay([Rule("RCPT", say(reply), when=refusing)]) as bad:
        await send(database, way_to(bad), clock, connections=connections)
        lost = len(refusing.met)
        assert 5 <= lost < 5 + connections
        waiting = await sums_hold(database)
        assert (waiting["failed"], waiting["deferred"] + waiting["pending"]) == (lost, 60 - lost)

        clock.move(minutes=4)
        await send(database, way_to(bad), clock, connections=connections)
        assert len(refusing.met) == lost
        clock.move(minutes=1)
        await send(database, way_to(bad), clock, connections=connections)
        assert len(refusing.met) == lost + 1, "it is tried with one message"

        refusing.holds = False
        for _ in range(4):
            clock.move(minutes=5)
            await send(database, way_to(bad), clock, connections=connections)
        await ends(database, bad, {"failed": lost + 1, "accepted": 59 - lost}, {1: 59 - lost})
        assert len(set(refusing.met)) == lost + 1, "somebody was tried twice"
        assert await database.read(paces.load) == {}
        assert await database.read(lambda c: c.execute(select(suppressions)).all()) == []


async def test_a_relay_that_begins_to_refuse_for_good_in_the_middle_of_a_run_loses_ten(database, clock):
    await due(database, *[f"r{number}@host{number}.example" for number in range(60)])
    refusing = Said()
    async with BadRelay([Rule("RCPT", say("554 Transaction failed"), when=refusing, after=30)]) as bad:
        await send(database, way_to(bad), clock, connections=1)
        await ends(database, bad, {"accepted": 30, "failed": 10, "pending": 20}, {1: 30})
        refusing.holds = False
        for _ in range(2):
            clock.move(minutes=5)
            await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 50, "failed": 10}, {1: 50})


async def test_a_few_who_are_refused_for_good_without_a_word_of_them_stop_nobody(database, clock):
    await due(database, *many(40))
    refused = [f"r{number}@example.com" for number in range(1, 40, 5)]
    rule = Rule("RCPT", say("554 Transaction failed"), when=lambda scene: scene.recipient in refused)
    async with BadRelay([rule]) as bad:
        report = await send(database, way_to(bad), clock)
        assert (report.rests, {who.address for who in report.unreached.values()}) == ({}, set(refused))
        await ends(database, bad, {"accepted": 32, "failed": 8}, {1: 32})


async def test_unknown_users_one_after_another_do_not_stop_the_others(database, clock):
    await due(database, *at(SLOW, 40))
    async with BadRelay([Rule("RCPT", say("550 5.1.1 user unknown"), times=20)]) as bad:
        report = await send(database, way_to(bad), clock, connections=1)
        assert report.rests == {}
        await ends(database, bad, {"accepted": 20, "failed": 20}, {1: 20})


async def test_a_few_who_are_refused_wait_alone(database, clock):
    await due(database, *many(30))
    refused = [f"r{number}@example.com" for number in (2, 9, 17, 25)]
    refusing = Said()
    rule = Rule("RCPT", say(POLICY), when=lambda scene: scene.recipient in refused and refusing(scene))
    async with BadRelay([rule]) as bad:
        report = await send(database, way_to(bad), clock)
        assert (report.rests, {who.address for who in report.unreached.values()}) == ({}, set(refused))
        await ends(database, bad, {"accepted": 26, "deferred": 4}, {1: 26})
        refusing.holds = False
        clock.move(minutes=6)
        await send(database, way_to(bad), clock)
        await ends(database, bad, {"accepted": 30}, {1: 30})


@pytest.mark.parametrize("first", ["in turn", "refused first"])
async def test_a_provider_that_refuses_everybody_leaves_the_others_alone(database, clock, first):
    refused, others = at(SLOW, 40), at(OTHER, 40)
    await due(database, *(mixed(refused, others) if first == "in turn" else refused + others))
    refusing = Said(SLOW)
    async with BadRelay([Rule("RCPT", say(POLICY), when=refusing)]) as bad:
        report = await send(database, way_to(bad), clock, connections=2)
        assert report.rests == {}
        assert len(of(bad, OTHER)) == 40
        assert 5 <= len(refusing.met) <= 7
        assert (await kept(database, SLOW))["breaker"]["open_until"]
        await ends(database, bad, {"accepted": 40, "deferred": 40}, {1: 40})
        refusing.holds = False
        for _ in range(4):
            clock.move(minutes=5)
            await send(database, way_to(bad), clock, connections=2)
        await ends(database, bad, {"accepted": 80}, {1: 80})


async def test_a_relay_that_rests_is_tried_with_a_provider_that_is_not_known_to_refuse(database, clock):
    """Or whoever stands behind one that always refuses would wait for ever."""
    small = [f"ann@host{number}.example" for number in range(5)]
    await due(database, *small, *at(SLOW, 20), *at(OTHER, 10))
    refusing = Said(SLOW, *(name.rpartition("@")[2] for name in small))
    async with BadRelay([Rule("RCPT", say(POLICY), when=refusing)]) as bad:
        for _ in range(8):
            await send(database, way_to(bad), clock, connections=3)
            clock.move(minutes=5)
        assert len(of(bad, OTHER)) == 10
        states = await sums_hold(database)
        assert (states["accepted"], states["deferred"] + states["pending"]) == (10, 25)
        refusing.holds = False
        for _ in range(8):
            await send(database, way_to(bad), clock, connections=3)
            clock.move(minutes=10)
        await ends(database, bad, {"accepted": 35}, {1: 35})


# --- from one run to the next


async def test_what_a_run_learnt_holds_for_the_next_one(database, clock):
    await due(database, *mixed(at(SLOW, 10), at(OTHER, 10)))
    rules = [
        Rule("RCPT", say(THROTTLING), when=domain(SLOW), times=1),
        Rule("RCPT", say("452 4.3.1 insufficient storage"), when=domain(OTHER), times=1, after=1),
        Rule("DOT", LATER),
    ]
    async with BadRelay(rules) as bad:
        await send(database, way_to(bad), clock, connections=1, run=Run(limit=4))
        taken = len(bad.accepted)
        assert (await kept(database))["rate"] == 0.5
        assert (await kept(database, SLOW))["gap"] == "PT1M"
        await send(database, way_to(bad), clock, connections=8)
        assert at_once(bad.accepted[taken:]) == 1
        assert len(of(bad, SLOW)) == 0
        states = await sums_hold(database)
        assert states["deferred"] == 11
        for _ in range(20):
            clock.move(minutes=2)
            await send(database, way_to(bad), clock, connections=8)
        await ends(database, bad, {"accepted": 20}, {1: 20})


# --- connections


async def test_connections_start_at_two_and_grow_by_one_a_round_up_to_what_is_configured(database, clock):
    await due(database, *many(60))
    opened: list[int] = []
    bad = BadRelay([Rule("DOT", LATER, when=lambda _scene: bool(opened.append(len(bad.open))) or True)])
    async with bad:
        await send(database, way_to(bad), clock, connections=5)
        firsts = {count: opened.index(count) for count in range(2, 6)}
        assert max(opened) == 5
        assert max(opened[:2]) <= 2
        # A round has as many successes as there are connections.
        assert firsts[3] >= 2
        assert firsts[4] >= 2 + 3
        assert firsts[5] >= 2 + 3 + 4
        assert firsts[5] <= 20
        assert bad.connections == 5
        await ends(database, bad, {"accepted": 60}, {1: 60})


# --- providers of several domains


class Fake:
    """Groups as the DNS might tell them."""

    def __init__(self, **providers: str) -> None:
        self._providers = {name.replace("_", "."): provider for name, provider in providers.items()}

    async def group(self, name: str) -> str:
        await asyncio.sleep(0)
        return self._providers.get(name, name)


async def test_domains_behind_the_same_mail_exchangers_slow_together(database, clock):
    await due(database, *mixed(at("a.example", 5), at("b.example", 5), at(OTHER, 10)))
    groups = Fake(a_example="provider.example", b_example="provider.example")
    async with BadRelay([Rule("RCPT", say(THROTTLING), when=domain("a.example"), times=1)]) as bad:
        await send(database, way_to(bad), clock, connections=1, groups=groups)
        assert Counter(one.recipient.rpartition("@")[2] for one in bad.accepted) == {OTHER: 10}
        assert (await kept(database, "provider.example"))["gap"] == "PT1M"
        for _ in range(20):
            clock.move(minutes=2)
            await send(database, way_to(bad), clock, groups=groups)
        await ends(database, bad, {"accepted": 20}, {1: 20})
