"""What runs in a process that signs, with a socket to its parent as standard input.

A frame is its length in four bytes, big-endian, and so many bytes. The first one that comes has the keys; an empty one
answers it. Each further one is a batch of jobs, and its answer has as many pieces: the fields that stand before the
mail, or nothing where that mail can't be signed. When the parent is gone, however it went, the socket ends, and so
does this process.
"""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BufferedReader
from struct import Struct

from mailer.core.dkim import Seal, SigningKey, signature_fields

_LENGTH = Struct(">I")
_HASH = 32  # bytes of a SHA-256; a job is that of the body, then the header


def pack(pieces: Sequence[bytes]) -> bytes:
    """Pieces as a frame; each is led by its length. None: an empty frame."""
    inner = b"".join([part for piece in pieces for part in (_LENGTH.pack(len(piece)), piece)])
    return _LENGTH.pack(len(inner)) + inner


def unpack(inner: bytes) -> Iterator[bytes]:
    """The pieces of a frame whose length was taken off."""
    at = 0
    while at < len(inner):
        (length,) = _LENGTH.unpack_from(inner, at)
        yield inner[at + 4 : at + 4 + length]
        at += 4 + length


def frames(buffer: bytearray) -> Iterator[bytes]:
    """The whole frames that a buffer begins with, which are taken from it."""
    while len(buffer) >= _LENGTH.size:
        end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
        if len(buffer) < end:
            return
        inner = bytes(buffer[_LENGTH.size : end])
        del buffer[:end]
        yield inner


def packed_keys(keys: Sequence[SigningKey]) -> list[bytes]:
    """The pieces of the first frame."""
    return [json.dumps([key.domain, key.selector, key.pem.decode("latin-1")]).encode() for key in keys]


def _opened(first: bytes) -> list[Seal]:
    whole = [json.loads(piece) for piece in unpack(first)]
    return [Seal.of(SigningKey(domain, selector, pem.encode("latin-1"))) for domain, selector, pem in whole]


def _signed(one: bytes, seals: Sequence[Seal]) -> bytes:
    try:
        return signature_fields(one[_HASH:], one[:_HASH], seals)
    except Exception:  # noqa: BLE001  # the parent meets it again, and says it of that one mail
        return b""


def _next(parent: BufferedReader) -> bytes | None:
    """The next frame; None at the end."""
    length = parent.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(length)
    inner = parent.read(size)
    return inner if len(inner) == size else None


def main() -> None:
    """Sign what comes until the parent is gone."""
    # Ctrl-C goes to all of a terminal's processes, `systemctl stop` to all of a service's: the parent ends by them when
    # it has done what it was at, and needs us until then.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with open(0, "rb", closefd=False) as parent, suppress(BrokenPipeError, ConnectionResetError):
        first = _next(parent)
        if first is None:
            return
        seals = _opened(first)
        _reply(pack([]))
        while (jobs := _next(parent)) is not None:
            _reply(pack([_signed(one, seals) for one in unpack(jobs)]))


def _reply(frame: bytes) -> None:
    while frame:
        frame = frame[os.write(0, frame) :]
