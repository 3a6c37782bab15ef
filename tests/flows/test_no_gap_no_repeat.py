"""The promise to each reader: an article comes at most once, and every article they are owed comes.

Readers join, change pace and topics, pause, fail, bounce, go and come back; articles come late, backdated, with dates
to come, in storms, and are edited, hidden, pinned; editions are held, and released or refused, are paused, resumed and
cancelled; relays refuse, defer and fall silent; senders die and runs are left out.
"""

import asyncio
import os
import random
import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.store.database import Database
from tests.flows.world import PACES, World

# MAILER_TEST_SEEDS=5,6,7 plays other worlds, MAILER_TEST_EXAMPLES=500 so many sequences.
SEEDS = [int(seed) for seed in os.environ.get("MAILER_TEST_SEEDS", "1,5").split(",")]
SHORT = 21  # days
BEGINNINGS = 15  # short worlds for each seed
EXAMPLES = int(os.environ.get("MAILER_TEST_EXAMPLES", "30"))


async def play(world: World, days: int) -> None:
    """`days` of everything. In a short world more happens each day, or nobody would see a cadence begin in trouble."""
    chance, hurry = world.chance, 4 if days < SHORT else 1
    happenings = {
        world.edit: 0.3, world.hide: 0.1, world.unhide: 0.2, world.pin: 0.1, world.unpin: 0.05,
        world.change_topics: 0.1, world.resume: 0.05, world.leave: 0.03, world.rejoin: 0.03, world.judge: 0.6,
        world.control: 0.15,
    }  # fmt: skip
    with_days = {world.pause: 0.08, world.storm: 0.02, world.fail: 0.2, world.outage: 0.01}
    await world.publish(5)
    for _ in range(days):
        await world.publish(chance.choice([0, 0, 1, 1, 2, 4]))
        # Two dozen readers are enough to be in everybody's way.
        if len(world.promises.readers) < 25 and chance.random() < 0.2 * hurry:
            await world.join(chance.choice(PACES))
        if chance.random() < 0.25 * hurry:
            await world.change_pace(chance.choice(PACES))
        for happening, likely in happenings.items():
            if chance.random() < likely:
                await happening()
        for happening, likely in with_days.items():
            if chance.random() < likely * hurry:
                await happening(chance.choice([1, 5, 20] if hurry == 1 else [1, 2, 4]))
        await world.day()
    await world.finish()
    await world.check()


# What is short fails sooner; two years are played with the first seed.
PLAYS = [
    *((SHORT - 1, 100 * seed + number) for seed in SEEDS for number in range(BEGINNINGS)),
    *((56, seed) for seed in SEEDS),
    (730, SEEDS[0]),
]


@pytest.mark.parametrize(("days", "seed"), PLAYS)
async def test_years_of_everything_leave_no_gap_and_no_repeat(database, days, seed):
    print(f"MAILER_TEST_SEEDS={seed}")  # noqa: T201  # shown where it fails
    chance = random.Random(seed)
    world = World(database, chance, max_age=timedelta(days=chance.choice([2, 9])))
    await play(world, days)
    print(dict(world.happened))  # noqa: T201


STEPS = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 5)),
    st.tuples(st.sampled_from(["join", "change_pace", "plan"]), st.sampled_from(PACES)),
    st.tuples(st.sampled_from(["pause", "fail", "outage", "storm"]), st.integers(1, 10)),
    st.tuples(st.sampled_from(["edit", "hide", "unhide", "pin", "unpin"])),
    st.tuples(st.sampled_from(["change_topics", "resume", "leave", "rejoin", "judge", "control"])),
    st.tuples(st.sampled_from(["send", "die", "day", "day"])),
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, min_size=5, max_size=40), seed=st.integers(0, 2**16))
def test_no_sequence_of_events_leaves_a_gap_or_a_repeat(migrated, steps, seed):
    async def run() -> None:
        with TemporaryDirectory() as folder:
            path = Path(shutil.copy(migrated, folder))
            with Database(f"sqlite:///{path}") as database:
                world = World(database, random.Random(seed), trouble=0.5, max_age=timedelta(days=2 + seed % 8))
                await world.publish(2)
                await world.join("daily")
                for name, *arguments in steps:
                    await getattr(world, name)(*arguments)
                await world.finish()
                await world.check()

    asyncio.run(run())
