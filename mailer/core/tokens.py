"""Signed links: what a token says, and whether it is genuine.

A token is numbers and a signature, with dots between: `subscriber.generation.signature` for a reader's links, which
don't expire (an unsubscribe link from two years ago works); `confirmation.generation.issued.signature` for what a mail
asks to confirm, which carries its own time, in unix seconds; `issued.signature` for a form. The purpose is
itsdangerous' salt, so that a link for one purpose opens nothing else. The address is never in it.

The token of a return address is apart: a delivery's number and a MAC in hexadecimal, since what stands before an @ has
64 octets in all (RFC 5321 §4.5.3.1.1), and there are relays that write it in lower case.
"""

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from itsdangerous import BadSignature, Signer


class Purpose(StrEnum):
    """What a link may do."""

    LEAVE = "mailer.leave"
    MANAGE = "mailer.manage"
    NEVER = "mailer.never"  # never write to this address again
    CONFIRM = "mailer.confirm"  # a subscription
    MOVE = "mailer.move"  # to another address
    ERASE = "mailer.erase"  # of all that is kept
    FORM = "mailer.form"  # when a form was shown
    BOUNCE = "mailer.bounce"  # comes back to a return address: it opens no link, and no link opens it


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose link it is. `generation`: of the consent it belongs to; an older one says so and asks."""

    subscriber: int
    generation: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What a mail asks to confirm. `generation`: of the reader's consent then. `issued`: when, in unix seconds."""

    confirmation: int
    generation: int
    issued: int


_BLOCK = 64  # octets: SHA-256's (RFC 2104 §2); a derived key is shorter
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_MAC = 24  # hexadecimal digits: 96 bits, more than RFC 2104 §5 asks for
_BOUNCE = re.compile(rf"(0|[1-9a-f][0-9a-f]{{0,15}})[0-9a-f]{{{_MAC}}}", re.IGNORECASE | re.ASCII)
LONGEST_BOUNCE = 16 + _MAC
"""Octets of a return address's token at most: as many as the largest number of a delivery takes."""


@lru_cache(maxsize=64)
def _signer(key: str, purpose: Purpose) -> Signer:
    # itsdangerous' default digest is SHA-1.
    return Signer(key, salt=purpose, key_derivation="hmac", digest_method=hashlib.sha256)


def seal(claim: Claim, purpose: Purpose, key: str) -> str:
    """The token of a claim, signed by itsdangerous."""
    return _seal((claim.subscriber, claim.generation), purpose, key)


def seal_wish(wish: Wish, purpose: Purpose, key: str) -> str:
    """The token of what a mail asks to confirm."""
    return _seal((wish.confirmation, wish.generation, wish.issued), purpose, key)


def seal_form(shown: datetime, key: str) -> str:
    """The token of a form that was shown at that moment."""
    return _seal((int(shown.timestamp()),), Purpose.FORM, key)


def sealer(purpose: Purpose, key: str) -> Callable[[int, int], bytes]:
    """`seal` for the hot path: (subscriber, generation) → the same token, with the derived key kept.

    itsdangerous derives its key anew at each call (71 µs); a test holds the two equal.
    """
    inner, outer = _begun(purpose, key)

    def quick(subscriber: int, generation: int) -> bytes:
        value = b"%d.%d" % (subscriber, generation)
        first, second = inner.copy(), outer.copy()
        first.update(value)
        second.update(first.digest())
        return value + b"." + b2a_base64(second.digest(), newline=False).translate(_URL_SAFE, b"=")

    return quick


@lru_cache(maxsize=64)
def bounce_sealer(key: str) -> Callable[[int], str]:
    """For the hot path: a delivery's number → the token that names it in a return address, in lower case."""
    inner, outer = _begun(Purpose.BOUNCE, key)

    def quick(delivery: int) -> str:
        number = f"{delivery:x}"
        first, second = inner.copy(), outer.copy()
        first.update(number.encode())
        second.update(first.digest())
        return number + second.hexdigest()[:_MAC]

    return quick


def open_bounce(token: str, keys: Sequence[str]) -> int | None:
    """The delivery that a genuine token of a return address names, in whatever case it came back; else None."""
    found = _BOUNCE.fullmatch(token)
    if found:
        delivery, written = int(found[1], 16), token.lower()
        if any(hmac.compare_digest(bounce_sealer(key)(delivery), written) for key in keys):
            return delivery
    return None


def open_token(token: str, purpose: Purpose, keys: Sequence[str]) -> Claim | None:
    """The claim of a genuine token, or None. `keys`: every key in use; any of them may have signed."""
    numbers = _open(token, purpose, keys, 2)
    return Claim(*numbers) if numbers else None


def open_wish(token: str, purpose: Purpose, keys: Sequence[str]) -> Wish | None:
    """What a genuine token asks to confirm, however old, or None."""
    numbers = _open(token, purpose, keys, 3)
    return Wish(*numbers) if numbers else None


def open_form(token: str, keys: Sequence[str]) -> datetime | None:
    """When a form was shown, by its genuine token, or None."""
    numbers = _open(token, Purpose.FORM, keys, 1)
    return datetime.fromtimestamp(numbers[0], UTC) if numbers else None


def _begun(purpose: Purpose, key: str) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """An HMAC's two hashes with their blocks of the key taken in, to be copied for each value."""
    # RFC 2104 §4: the two blocks of the key are hashed once. hmac.digest does it at each call, and takes twice as long.
    block = _signer(key, purpose).derive_key().ljust(_BLOCK, b"\0")
    return (
        hashlib.sha256(bytes(byte ^ 0x36 for byte in block)),
        hashlib.sha256(bytes(byte ^ 0x5C for byte in block)),
    )


def _seal(numbers: Sequence[int], purpose: Purpose, key: str) -> str:
    return _signer(key, purpose).sign(".".join(map(str, numbers))).decode()


def _open(token: str, purpose: Purpose, keys: Sequence[str], count: int) -> tuple[int, ...]:
    """The numbers of a genuine token of so many; none where it isn't one."""
    for key in keys:
        try:
            value = _signer(key, purpose).unsign(token).decode("ascii")
            numbers = tuple(int(part) for part in value.split("."))
        except (BadSignature, ValueError):
            continue
        # A padded token, or one with other unused bits in its last character, also verifies: write it again.
        written = _seal(numbers, purpose, key).encode()
        if len(numbers) == count and hmac.compare_digest(written, token.encode()):
            return numbers
    return ()


def key_id(key: str) -> str:
    """A short public name of a key: tells which one signed an edition."""
    return hashlib.sha256(b"mailer.key-id" + key.encode()).hexdigest()[:8]


def key_by_id(wanted: str, keys: Sequence[str]) -> str:
    """The key that signed an edition, so that a second copy is the first byte for byte; else the newest."""
    return next((key for key in keys if key_id(key) == wanted), keys[-1])


def fingerprint(email: str, key: str) -> str:
    """The keyed hash under which a suppressed address is remembered."""
    return hmac.digest(key.encode(), b"mailer.suppression" + email.encode(), "sha256").hex()
