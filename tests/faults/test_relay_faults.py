"""Several relays, and what each may be given, in whole runs. Each ends with the sum and the count of copies."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from mailer.core.sharing import Share
from mailer.flows import delivering
from mailer.flows.delivering import Rest, Run, Way
from mailer.store import usage
from tests.faults.badrelay import BadRelay, Rule, accept_then_drop, delay, drop, every, goodbye, hang, say, then, wait
from tests.faults.runs import due, many, quick, way_to
from tests.stories import Clock, send, standing, sums_hold

__all__ = ["quick"]  # a fixture

EQUAL, FAILOVER = Share(), Share(failover=True)


def to(relay: BadRelay, connections: int = 2, share: Share = EQUAL, **rates: float) -> Way:
    return Way(way_to(relay), connections, share, **rates)


async def nowhere() -> Way:
    """To a port where nobody listens any more."""
    async with BadRelay() as gone:
        pass
    return to(gone)


async def ends(database, relays: Sequence[BadRelay], states: dict[str, int], copies: dict[int, int]) -> None:
    """The sum and the count over all relays."""
    assert await sums_hold(database) == states
    taken = sum((relay.copies for relay in relays), Counter())
    assert Counter(taken.values()) == copies


# --- shares


@pytest.mark.parametrize(("weights", "parts"), [((3, 1), (60, 20)), ((1, 1), (40, 40)), ((1, 3), (20, 60))])
async def test_relays_take_their_shares_by_weight(database, clock, weights, parts):
    await due(database, *many(80))
    async with BadRelay() as a, BadRelay([Rule("DOT", delay(0.002))]) as b:
        ways = {"a": to(a, share=Share(weights[0])), "b": to(b, share=Share(weights[1]))}
        report = await send(database, ways, clock)
        assert (report.down, report.troubles, report.rests) == ("", {}, {})
        assert abs(len(a.accepted) - parts[0]) <= 2
        await ends(database, [a, b], {"accepted": 80}, {1: 80})


async def test_a_relay_of_weight_0_takes_nothing_and_keeps_no_run_from_its_end(database, clock):
    await due(database, *many(10))
    async with BadRelay() as a, BadRelay() as b:
        await send(database, {"a": to(a), "b": to(b, share=Share(0))}, clock)
        assert (len(a.accepted), b.connections) == (10, 0)
        await ends(database, [a, b], {"accepted": 10}, {1: 10})


async def test_a_slow_relay_gets_its_share_and_one_that_hangs_holds_nobody_up(database, clock):
    await due(database, *many(40))
    async with BadRelay() as a, BadRelay([Rule("DOT", hang(), after=3)]) as b:
        ways = {"a": to(a), "b": Way(way_to(b, reply_timeout=4), 2)}
        started = asyncio.get_running_loop().time()
        served: list[float] = []
        task = asyncio.create_task(send(database, ways, clock))
        while not task.done():
            await asyncio.sleep(0.02)
            if len(a.accepted) + len(b.accepted) == 38 and not served:
                served.append(asyncio.get_running_loop().time() - started)
        await task
        assert served, "those beside the two that hang were served"
        assert served[0] < 3.5
        await ends(database, [a, b], {"accepted": 38, "in_doubt": 2}, {1: 38})


# --- one is down


async def test_where_one_relay_is_down_the_other_takes_all_and_it_is_said(database, clock):
    await due(database, *many(30))
    async with BadRelay() as good:
        report = await send(database, {"bad": await nowhere(), "good": to(good)}, clock)
        assert report.down == ""
        assert list(report.troubles) == ["bad"]
        assert "Connection refused" in report.troubles["bad"]
        assert report.missed == 0
        await ends(database, [good], {"accepted": 30}, {1: 30})


async def test_a_relay_that_goes_down_midway_costs_nobody_a_copy(database, clock):
    await due(database, *many(40))
    rules = [Rule("MAIL", goodbye("421 4.3.2 closing"), after=5)], [Rule("DOT", delay(0.02))]
    async with BadRelay(rules[0]) as bad, BadRelay(rules[1]) as good:
        report = await send(database, {"bad": to(bad), "good": to(good)}, clock)
        assert (report.down, report.troubles) == ("", {"bad": "421 4.3.2 closing"})
        assert len(bad.accepted) == 5
        await ends(database, [bad, good], {"accepted": 40}, {1: 40})


async def test_all_down_is_down_and_nobody_fails(database, clock):
    await due(database, *many(8))
    report = await send(database, {"a": await nowhere(), "b": await nowhere()}, clock)
    assert "Connection refused" in report.down
    assert report.down_since == clock()
    assert await sums_hold(database) == {"pending": 8}


async def test_a_failover_relay_is_used_only_while_no_other_works_and_left_in_the_next_run(database, clock):
    await due(database, *many(20))
    async with BadRelay() as spare:
        async with BadRelay() as gone:
            port = gone.port
        down = to(gone)
        await send(database, {"first": down, "spare": to(spare, share=FAILOVER)}, clock, run=Run(limit=10))
        assert len(spare.accepted) == 10
        async with BadRelay(port=port) as back:
            await send(database, {"first": to(back), "spare": to(spare, share=FAILOVER)}, clock)
            assert (len(back.accepted), len(spare.accepted)) == (10, 10)
            await ends(database, [spare, back], {"accepted": 20}, {1: 20})


@pytest.mark.parametrize("readers", [2, 5])
async def test_a_relay_that_failed_once_gets_its_turn_when_the_other_goes_down(database, clock, readers):
    await due(database, *many(readers))

    going = [Rule("GREETING", drop(), after=1), Rule("MAIL", then(wait(1.2), goodbye("421 4.3.2 going down")))]
    shaky = [Rule("GREETING", goodbye("421 4.3.2 busy"), times=1), Rule("DOT", drop(), times=1)]
    async with BadRelay(going) as a, BadRelay(shaky) as b:
        await asyncio.wait_for(send(database, {"a": to(a, 1), "b": to(b, 1)}, clock), 20)
        await ends(database, [a, b], {"accepted": readers - 1, "in_doubt": 1}, {1: readers - 1})


async def test_a_slow_relay_is_no_reason_to_use_the_failover_relay(database, clock):
    await due(database, *many(6))
    async with BadRelay([Rule("DOT", delay(0.6))]) as slow, BadRelay() as spare:
        ways = {"slow": to(slow), "spare": to(spare, share=FAILOVER)}
        await send(database, ways, clock)
        assert (len(slow.accepted), spare.messages) == (6, 0)
        await ends(database, [slow, spare], {"accepted": 6}, {1: 6})


# --- how much


@pytest.mark.parametrize("rate", [20.0, 60.0])
async def test_no_second_has_more_than_the_rate(database, clock, rate):
    await due(database, *many(40))
    async with BadRelay() as bad:
        await send(database, {"default": to(bad, 8, per_second=rate)}, clock)
        moments = [one.began for one in bad.accepted]
        burst = max(1.0, rate / 10)
        # What left on time may arrive late, so over a whole run only, never less than a sum of its messages.
        assert moments[-1] - moments[0] >= (len(moments) - 1 - burst) / rate - 0.1
        most = max(sum(start <= one < start + 1 for one in moments) for start in moments)
        assert most <= 1.5 * rate + burst + 3
        await ends(database, [bad], {"accepted": 40}, {1: 40})


async def test_a_relay_with_a_low_rate_holds_up_no_other(database, clock):
    await due(database, *many(60))
    async with BadRelay() as quick_one, BadRelay() as slow:
        await send(database, {"slow": to(slow, per_second=2), "quick": to(quick_one)}, clock)
        assert 1 <= len(slow.accepted) <= 20
        await ends(database, [quick_one, slow], {"accepted": 60}, {1: 60})


@pytest.mark.parametrize(("kind", "room"), [("hour", timedelta(minutes=61)), ("day", timedelta(minutes=24 * 60 + 1))])
async def test_a_quota_ends_the_run_says_until_when_and_counts_over_restarts(database, clock, kind, room):
    await due(database, *many(25))
    async with BadRelay() as bad:
        ways = {"default": to(bad, **{f"per_{kind}": 10})}
        report = await send(database, ways, clock, run=Run(limit=4), max_age=timedelta(days=9))
        assert report.rests == {}
        report = await send(database, ways, clock)
        assert report.rests == {"default": Rest(clock() + room, f"its quota for the {kind} is used up", quota=True)}
        assert (report.missed, report.down) == (0, "")
        await ends(database, [bad], {"accepted": 10, "pending": 15}, {1: 10})

        clock.now += room - timedelta(minutes=2)
        await send(database, ways, clock)
        assert bad.messages == 10
        clock.now += timedelta(minutes=2)
        report = await send(database, ways, clock)
        await ends(database, [bad], {"accepted": 20, "pending": 5}, {1: 20})
        assert list(report.rests) == ["default"]


async def test_a_run_that_waits_goes_on_when_the_quota_has_room_again(database, monkeypatch):
    monkeypatch.setattr(delivering, "_sleep", lambda _stop, _seconds: asyncio.sleep(0))
    await due(database, *many(25))

    class Ticking(Clock):
        def __call__(self):
            self.now += timedelta(seconds=20)
            return self.now

    async with BadRelay() as bad:
        report = await send(database, {"default": to(bad, per_hour=10)}, Ticking(), run=Run(wait=True))
        assert report.missed == 0
        await ends(database, [bad], {"accepted": 25}, {1: 25})


async def test_where_one_relay_s_quota_is_used_up_the_other_takes_the_rest(database, clock):
    await due(database, *many(30))
    async with BadRelay() as a, BadRelay() as b:
        report = await send(database, {"a": to(a, per_day=5), "b": to(b)}, clock)
        assert (len(a.accepted), list(report.rests)) == (5, ["a"])
        await ends(database, [a, b], {"accepted": 30}, {1: 30})


async def test_what_was_never_offered_to_a_relay_does_not_count_for_its_quota(database, clock):
    await due(database, *many(12))
    async with BadRelay() as gone:
        port = gone.port
    ways = {"default": to(gone, per_day=12)}
    assert (await send(database, ways, clock)).down
    async with BadRelay(port=port) as bad:
        report = await send(database, ways, clock)
        assert report.rests == {}
        await ends(database, [bad], {"accepted": 12}, {1: 12})
    used = await database.read(usage.last_day, clock())
    assert [one.permits for one in used["default"].values()] == [12]


# --- all at once


async def test_relays_that_fail_each_in_its_own_way_leave_everybody_served_or_named(database, clock):
    await due(database, *[f"r{number}@host{number % 12}.example" for number in range(90)])
    rules = {
        "refuses": [Rule("RCPT", say("550 5.7.1 refused by policy"), when=every(2))],
        "throttles": [Rule("RCPT", say("454 4.7.0 Throttling failure: rate exceeded"), when=every(7))],
        "drops": [Rule("DOT", accept_then_drop(), when=every(5))],
        "hangs": [Rule("DOT", hang(), when=every(9))],
    }
    async with AsyncExitStack() as stack:
        relays = {name: await stack.enter_async_context(BadRelay(its)) for name, its in rules.items()}
        ways = {name: Way(way_to(relay, reply_timeout=0.3), 3) for name, relay in relays.items()}
        for _ in range(40):
            await send(database, ways, clock)
            held = [one for relay in relays.values() for one in relay.accepted]
            clock.move(minutes=31)
        states = await sums_hold(database)
        assert states["accepted"] + states["in_doubt_held"] == 90
        assert set((await standing(database)).values()) <= {"accepted", "in_doubt_held: in_doubt"}
        taken = Counter(one.recipient for one in held)
        assert max(taken.values()) <= 2
        named = await standing(database)
        assert all(taken[name] for name, state in named.items() if state == "accepted")


async def test_what_is_in_doubt_at_one_relay_is_not_given_to_another_before_its_time(database, clock):
    await due(database, *many(12))
    async with BadRelay([Rule("DOT", accept_then_drop(), times=3)]) as a, BadRelay() as b:
        ways = {"a": to(a), "b": to(b)}
        await send(database, ways, clock)
        for _ in range(2):
            clock.move(minutes=14)
            await send(database, ways, clock)
        await ends(database, [a, b], {"accepted": 9, "in_doubt": 3}, {1: 12})
        clock.move(minutes=3)
        await send(database, ways, clock)
        await ends(database, [a, b], {"accepted": 12}, {1: 9, 2: 3})
