"""Signed links: what a token says, and whether it is genuine.

A token is `subscriber.generation.signature`. The purpose is itsdangerous' salt, so that a link for one purpose
opens nothing else. The address is never in it. It doesn't expire: an unsubscribe link from two years ago works.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from itsdangerous import BadSignature, Signer


class Purpose(StrEnum):
    """What a link may do."""

    LEAVE = "mailer.leave"
    MANAGE = "mailer.manage"


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose link it is. `generation`: of the consent it belongs to; an older one says so and asks."""

    subscriber: int
    generation: int


@lru_cache(maxsize=64)
def _signer(key: str, purpose: Purpose) -> Signer:
    # itsdangerous' default digest is SHA-1.
    return Signer(key, salt=purpose, key_derivation="hmac", digest_method=hashlib.sha256)


def seal(claim: Claim, purpose: Purpose, key: str) -> str:
    """The token of a claim, signed by itsdangerous."""
    return _signer(key, purpose).sign(f"{claim.subscriber}.{claim.generation}").decode()


def sealer(purpose: Purpose, key: str) -> Callable[[int, int], bytes]:
    """`seal` for the hot path: (subscriber, generation) → the same token, with the derived key kept.

    itsdangerous derives its key anew at each call (71 µs); a test holds the two equal.
    """
    derived = _signer(key, purpose).derive_key()

    def quick(subscriber: int, generation: int) -> bytes:
        value = b"%d.%d" % (subscriber, generation)
        return value + b"." + urlsafe_b64encode(hmac.digest(derived, value, "sha256")).rstrip(b"=")

    return quick


def open_token(token: str, purpose: Purpose, keys: Sequence[str]) -> Claim | None:
    """The claim of a genuine token, or None. `keys`: every key in use; any of them may have signed."""
    for key in keys:
        try:
            value = _signer(key, purpose).unsign(token).decode("ascii")
            subscriber, generation = (int(part) for part in value.split("."))
        except (BadSignature, ValueError):
            continue
        claim = Claim(subscriber, generation)
        # A padded token, or one with other unused bits in its last character, also verifies: write it again.
        if hmac.compare_digest(seal(claim, purpose, key).encode(), token.encode()):
            return claim
    return None


def key_id(key: str) -> str:
    """A short public name of a key: tells which one signed an edition."""
    return hashlib.sha256(b"mailer.key-id" + key.encode()).hexdigest()[:8]


def key_by_id(wanted: str, keys: Sequence[str]) -> str:
    """The key that signed an edition, so that a second copy is the first byte for byte; else the newest."""
    return next((key for key in keys if key_id(key) == wanted), keys[-1])


def fingerprint(email: str, key: str) -> str:
    """The keyed hash under which a suppressed address is remembered."""
    return hmac.digest(key.encode(), b"mailer.suppression" + email.encode(), "sha256").hex()
