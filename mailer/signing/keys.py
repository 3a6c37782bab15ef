"""Keys of mails' signatures: made, and written where nobody else reads them."""

import os
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailer.core.dkim import RSA_BITS, SigningKey, open_key, public_record
from mailer.errors import InputError

_STRING = 255  # RFC 1035 §3.3.14: a TXT record is of strings, each of so many octets at most


def rsa_key(domain: str, selector: str, pem: bytes) -> SigningKey:
    """ValueError: what is wrong with the key, to follow its file's name."""
    _must_be(RSAPrivateKey, pem, "holds an Ed25519 key, which stands beside an RSA key: write it as ed25519_key_file")
    return SigningKey(domain, selector, pem)


def ed25519_key(domain: str, selector: str, pem: bytes) -> SigningKey:
    """The same of the second key."""
    _must_be(Ed25519PrivateKey, pem, "holds an RSA key, not an Ed25519 one: write it as key_file")
    return SigningKey(domain, selector, pem)


def _must_be(kind: type, pem: bytes, otherwise: str) -> None:
    if not isinstance(open_key(pem), kind):
        raise ValueError(otherwise)  # noqa: TRY004  # what is in a file, not what was handed over


def fresh_key(*, ed25519: bool) -> bytes:
    """A new key in PEM form: Ed25519, else RSA."""
    key = Ed25519PrivateKey.generate() if ed25519 else generate_private_key(65537, RSA_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def record_strings(pem: bytes) -> list[str]:
    """The TXT record of a key as the strings that it is made of."""
    text = public_record(open_key(pem))
    return [text[at : at + _STRING] for at in range(0, len(text), _STRING)]


def write_key(file: Path, pem: bytes) -> None:
    """A new file for its owner only. Raises InputError where there is one of that name, or none can be made."""
    try:
        made = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise InputError(
            f"{file} is there already, and a key is never written over; give another --selector."
        ) from None
    except OSError as error:
        raise InputError(f"{file} can't be written: {error.strerror}.") from None
    try:
        with os.fdopen(made, "wb") as written:
            written.write(pem)
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        with suppress(OSError):
            file.unlink()
        raise InputError(f"{file} can't be written: {error.strerror}.") from None
