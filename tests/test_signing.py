"""Signing in processes: what comes out, what a death costs, and that nothing stays behind."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uvloop

from mailer.errors import SigningFailed
from mailer.signing import process as processes
from mailer.signing.signer import BUSY, Signer
from mailer.signing.worker import frames, pack, unpack
from tests.receivers import keys, signed, verdicts

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "mail" / "golden"
DIGEST = (GOLDEN / "digest.en.eml").read_bytes()


in_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc, which only Linux has")


def numbered(number: int) -> bytes:
    """A mail unlike the others, in header and body."""
    return DIGEST.replace(b"\r\nTo: ", b"\r\nTo: %d " % number) + b"%d\r\n" % number


async def ready(signer: Signer, count: int) -> None:
    """Wait until so many processes are ready to sign."""
    async with asyncio.timeout(20):
        while signer.ready < count:
            await signer.sign(DIGEST)  # which starts those that are missing
            await asyncio.sleep(0.01)


async def under_way(signer: Signer) -> None:
    """Wait until each process has something to sign."""
    while not all(one.batches for one in signer._processes):  # noqa: ASYNC110  # nothing says so but what is seen
        await asyncio.sleep(0)


def pids(signer: Signer) -> list[int]:
    return [one.child.pid for one in signer._processes]


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def given_to(pid: int) -> bytes:
    """A process's arguments and environment."""
    return Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()


def gone(pid: int) -> bool:
    """Whether the process goes within a few seconds."""
    end = time.monotonic() + 10
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not lives(pid)


async def test_many_at_once_get_what_each_would_get_alone():
    async with Signer(keys(), workers=2, busy=0) as signer:
        await ready(signer, 2)
        got = await asyncio.gather(*(signer.sign(numbered(number)) for number in range(100)))
    assert got == [signed(numbered(number)) for number in range(100)]
    assert verdicts(got[42]) == [True, True]


async def test_every_golden_mail_comes_out_signed_the_same_here_and_elsewhere():
    mails = [path.read_bytes() for path in GOLDEN.glob("*.eml")]
    async with Signer(keys()) as here, Signer(keys(), workers=1, busy=0) as elsewhere:
        await ready(elsewhere, 1)
        for mail in mails:
            assert await here.sign(mail) == await elsewhere.sign(mail)


async def test_few_mails_start_no_process_and_many_do():
    async with Signer(keys(), workers=1) as signer:
        for _ in range(BUSY):
            await signer.sign(DIGEST)
        assert not signer._chores
        await signer.sign(DIGEST)
        await ready(signer, 1)
        assert len(signer._processes) == 1


async def test_without_a_number_there_is_a_process_for_each_core_but_ours(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert Signer(keys()).workers == 7
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert Signer(keys()).workers == 1


async def test_the_loop_turns_while_others_sign():
    async with Signer(keys(), workers=1, busy=0) as signer:
        await ready(signer, 1)
        work = asyncio.gather(*(signer.sign(numbered(number)) for number in range(200)))
        turns = 0
        while not work.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 50
        await work


@in_proc
async def test_a_process_that_is_killed_costs_no_mail_and_is_replaced():
    async with Signer(keys(), workers=2, busy=0) as signer:
        await ready(signer, 2)
        first = pids(signer)
        work = asyncio.gather(*(signer.sign(numbered(number)) for number in range(200)))
        await under_way(signer)
        os.kill(first[0], signal.SIGKILL)
        assert await work == [signed(numbered(number)) for number in range(200)]
        await ready(signer, 2)
        assert first[0] not in pids(signer)
        assert first[1] in pids(signer)
    assert all(gone(pid) for pid in first)


async def test_all_of_them_killed_at_once_cost_no_mail():
    async with Signer(keys(), workers=2, busy=0) as signer:
        await ready(signer, 2)
        work = asyncio.gather(*(signer.sign(numbered(number)) for number in range(100)))
        await under_way(signer)
        for pid in pids(signer):
            os.kill(pid, signal.SIGKILL)
        assert await work == [signed(numbered(number)) for number in range(100)]


@pytest.mark.parametrize("program", ["raise SystemExit(7)", "import os; os.read(0, 1)"])
async def test_where_no_process_lives_mails_are_signed_all_the_same_and_it_is_said_once(program, monkeypatch, caplog):
    monkeypatch.setattr(processes, "_PROGRAM", program)
    async with Signer(keys(), workers=1, busy=0) as signer:
        async with asyncio.timeout(20):
            while signer._deaths < 3:
                assert await signer.sign(DIGEST) == signed(DIGEST)
                await asyncio.sleep(0.01)
        await signer.sign(DIGEST)
        assert not signer._processes
        assert not signer._starting
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sum("more slowly" in line for line in said) == 1
    assert "A process that signs mails (DKIM) ended with" in said[0]


async def test_where_no_process_can_be_started_mails_are_signed_all_the_same(monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with Signer(keys(), workers=1, busy=0) as signer:
        for _ in range(10):
            assert await signer.sign(DIGEST) == signed(DIGEST)
            await asyncio.sleep(0)
    assert "could not be started: No such file or directory" in caplog.text


async def test_a_mail_that_can_not_be_signed_is_that_ones_trouble(monkeypatch):
    async with Signer(keys(), workers=1, busy=0) as signer:
        await ready(signer, 1)

        def broken(*_: object) -> bytes:
            raise ValueError("odd")

        monkeypatch.setattr("mailer.signing.signer.signature_fields", broken)
        signer._processes[0].give = lambda jobs: [job.signed.set_result(b"") for job in jobs]
        with pytest.raises(SigningFailed, match=r"A mail can't be signed \(DKIM\): odd\."):
            await signer.sign(DIGEST)


async def test_who_is_cancelled_while_waiting_leaves_the_others_alone():
    async with Signer(keys(), workers=1, busy=0) as signer:
        await ready(signer, 1)
        tasks = [asyncio.create_task(signer.sign(numbered(number))) for number in range(40)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended[::2])
    assert ended[1::2] == [signed(numbered(number)) for number in range(1, 40, 2)]


@in_proc
async def test_closing_ends_the_processes_and_tells_whoever_waits():
    signer = Signer(keys(), workers=2, busy=0)
    await ready(signer, 2)
    known = pids(signer)
    tasks = [asyncio.create_task(signer.sign(numbered(number))) for number in range(100)]
    await asyncio.sleep(0)
    await signer.close()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(one, SigningFailed) for one in ended)
    assert not any(lives(pid) for pid in known)
    with pytest.raises(SigningFailed, match="the run has ended"):
        await signer.sign(DIGEST)
    await signer.close()


@in_proc
async def test_a_process_that_hangs_is_ended_by_force(monkeypatch):
    monkeypatch.setattr(processes, "_END", 0.1)
    async with Signer(keys(), workers=1, busy=0) as signer:
        await ready(signer, 1)
        (pid,) = pids(signer)
        os.kill(pid, signal.SIGSTOP)
    assert not lives(pid)


async def test_closing_while_processes_start_leaves_none():
    signer = Signer(keys(), workers=2, busy=0)
    await signer.sign(DIGEST)
    await signer.close()
    assert not signer._processes


def test_uvloop_will_do():
    async def go() -> list[bytes]:
        async with Signer(keys(), workers=1, busy=0) as signer:
            await ready(signer, 1)
            return await asyncio.gather(*(signer.sign(numbered(number)) for number in range(50)))

    assert uvloop.run(go()) == [signed(numbered(number)) for number in range(50)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_what_asks_the_parent_to_end_is_the_parents_to_hear(how):
    async with Signer(keys(), workers=1, busy=0) as signer:
        await ready(signer, 1)
        (pid,) = pids(signer)
        os.kill(pid, how)
        got = await asyncio.gather(*(signer.sign(numbered(number)) for number in range(20)))
        assert got == [signed(numbered(number)) for number in range(20)]
        assert pids(signer) == [pid]
        assert os.getpgid(pid) != os.getpgid(0)


PARENT = """
import asyncio, sys
from mailer.signing.signer import Signer
from tests.receivers import keys
from tests.test_signing import DIGEST, pids, ready

async def go():
    signer = Signer(keys(), workers=2, busy=0)
    await ready(signer, 2)
    print(*pids(signer), flush=True)
    while True:
        await asyncio.gather(*(signer.sign(DIGEST) for _ in range(40)))

asyncio.run(go())
"""


@in_proc
def test_a_parent_that_is_killed_leaves_no_orphan():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as parent:
        assert parent.stdout
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(lives, workers))
        time.sleep(0.1)
        parent.kill()
    assert all(gone(pid) for pid in workers)


@in_proc
async def test_the_key_is_neither_in_the_arguments_nor_in_the_environment():
    async with Signer(keys(), workers=1, busy=0) as signer:
        await ready(signer, 1)
        (pid,) = pids(signer)
        seen = given_to(pid)
    assert b"PRIVATE KEY" not in seen
    assert keys()[0].pem.splitlines()[1] not in seen


def test_frames_come_whole_however_they_are_cut():
    whole = pack([b"one", b"", b"three"]) + pack([]) + pack([b"four"])
    for size in (1, 2, 5, len(whole)):
        buffer, found = bytearray(), []
        for at in range(0, len(whole), size):
            buffer += whole[at : at + size]
            found += frames(buffer)
        assert [list(unpack(inner)) for inner in found] == [[b"one", b"", b"three"], [], [b"four"]]
        assert not buffer
