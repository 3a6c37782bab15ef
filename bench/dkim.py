"""Signing whole messages through `Signer`, beside bare RSA-2048 signatures on as many processes.

Ours: 40 tasks hand over 30 KB messages, as many connections would, and get them back with their DKIM-Signature; what
this process does for it runs on the core that is left. Beside: each process signs one digest again and again with
`cryptography`, and does nothing else.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter, process_time

import uvloop
from build_messages import bodies
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from figures import record
from table import show

from mailer.core.dkim import SigningKey
from mailer.core.message import Headers, compile_mail, slot_mark, to_value, token_value
from mailer.signing.keys import fresh_key
from mailer.signing.signer import Signer

MARK = "abcdefghijklmnop"
ROUNDS = 9
MANY = 2_000
TASKS = 40


def messages(count: int) -> list[bytes]:
    """Messages of 30 KB, each for another reader."""
    headers = Headers(
        "Mia's Feed", "d@site.example", "Mia's Feed", "d.site.example", "https://site.example", ("1", "w", "d")
    )
    text, html = bodies(slot_mark(MARK, "leave"), slot_mark(MARK, "manage"))
    date = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
    mail = compile_mail(
        headers=headers, subject="One dose", html=html, text=text, mark=MARK, date=date, boundary="b" * 16
    )
    return [
        mail.build(
            {
                "to": to_value(f"reader{number}@example.com"),
                "message_id": b"%d.0123456789abcdef@site.example" % number,
                "leave": token_value(f"{number}.{'l' * 43}"),
                "manage": token_value(f"{number}.{'m' * 43}"),
            }
        )
        for number in range(count)
    ]


async def taken_in_turn(key: SigningKey, mails: list[bytes]) -> tuple[list[float], list[float], float]:
    """Seconds for all of them, ours and of bare signatures; and what of it this process used for one."""
    ours, theirs, used = [], [], 0.0
    async with Signer([key], busy=0) as signer:
        while signer.ready < signer.workers:
            await signer.sign(mails[0])
            await asyncio.sleep(0.01)
        for _ in range(ROUNDS):
            start, spent = perf_counter(), process_time()
            waiting = iter(mails)
            await asyncio.gather(*(sign_all(signer, waiting) for _ in range(TASKS)))
            ours.append(perf_counter() - start)
            used += process_time() - spent
            theirs.append(bare(key.pem, signer.workers))
    return ours, theirs, used / ROUNDS / len(mails)


async def sign_all(signer: Signer, waiting: Iterator[bytes]) -> None:
    """What one connection does: the next, until there is none."""
    for mail in waiting:
        await signer.sign(mail)


def bare(pem: bytes, workers: int) -> float:
    """Seconds for as many signatures, on as many processes, from the first signature to the last."""
    each = MANY // workers
    command = [sys.executable, __file__, "bare", str(each)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(workers)]
    for one in running:
        assert one.stdin
        one.stdin.write(pem)
        one.stdin.close()
    found = [float(one.stdout.read()) for one in running if one.stdout]
    for one in running:
        one.wait()
    return max(found) * MANY / (each * workers)


def sign_bare(count: int) -> None:
    """What one such process does."""
    key = load_pem_private_key(sys.stdin.buffer.read(), None)
    assert isinstance(key, RSAPrivateKey)
    padding, algorithm = PKCS1v15(), Prehashed(hashes.SHA256())
    start = perf_counter()
    for number in range(count):
        key.sign(number.to_bytes(32), padding, algorithm)
    print(perf_counter() - start)


def main() -> None:
    """Print the table."""
    key = SigningKey("site.example", "m1", fresh_key(ed25519=False))
    mails = messages(MANY)
    ours, theirs, own = uvloop.run(taken_in_turn(key, mails))
    print(
        f"{MANY / min(ours):,.0f} messages of {len(mails[0]):,} bytes a second; bare {MANY / min(theirs):,.0f}; "
        f"{own * 1e6:.0f} µs of this process for each"
    )
    ratios = show(f"{MANY:,} messages, ours beside bare signatures", ours, theirs, reach=">= 0.8", higher=True)
    record("dkim", ratios, f"{MANY:,} messages of {len(mails[0]):,} bytes")


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        sign_bare(int(sys.argv[2]))
    else:
        main()
