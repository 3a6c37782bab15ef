"""DKIM (RFC 6376, RFC 8463): the fields by which a domain vouches for a mail as it left.

The header is made relaxed, the body is taken as it is (decision 0016). Nothing is drawn and no clock is read: the time
comes from the mail's own Date, so that a second copy of a mail is the first, byte for byte.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

LINE = 78  # RFC 5322 §2.1.1, without CRLF
RSA_BITS = 2048  # RFC 8301 §3.2: 1024 is the least, 2048 what a signer should have

SIGNED = (
    *(b"from", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id"),
    *(b"mime-version", b"content-type", b"content-transfer-encoding", b"content-language"),
    # RFC 8058 §3.1 and §4: receivers offer the one click only where a signature covers both.
    *(b"list-unsubscribe", b"list-unsubscribe-post"),
    *(b"list-id", b"list-help", b"list-owner", b"list-archive", b"list-post", b"list-subscribe"),
    *(b"auto-submitted", b"precedence", b"feedback-id"),
)
"""Which fields are signed where they are there. Return-Path, Received and the like are others' to write."""
_OVERSIGNED = b"from"  # RFC 6376 §8.15: named once more than it is there, so that no second one can be put in

_PKCS1, _SHA256 = PKCS1v15(), Prehashed(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key as its file has it, and where its public half stands: `selector`._domainkey.`domain`."""

    domain: str
    selector: str
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seal:
    """A key that was opened."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of(cls, key: SigningKey) -> "Seal":
        """Raises ValueError as `open_key` does. Its parts are trusted to fit: to check them takes 40 ms."""
        return cls(key.domain, key.selector, open_key(key.pem, trusted=True))

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    def sign(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest: of the same one always the same."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(digest, _PKCS1, _SHA256)
        return self.key.sign(digest)  # RFC 8463 §3: PureEdDSA over the digest


def open_key(pem: bytes, *, trusted: bool = False) -> RSAPrivateKey | Ed25519PrivateKey:
    """The key in a PEM file. ValueError: what is wrong, to follow the file's name; never a part of the key."""
    try:
        key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=trusted)
    except TypeError:
        raise ValueError("is locked with a passphrase; write it without one") from None
    except Exception:  # noqa: BLE001  # what is not supported has a class of its own, and its text is for programmers
        raise ValueError("holds no private key in PEM form ('-----BEGIN PRIVATE KEY-----')") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("holds a key that is neither RSA nor Ed25519")  # noqa: TRY004  # a file, not an argument
    if key.key_size < RSA_BITS:
        raise ValueError(f"holds an RSA key of {key.key_size} bits; receivers want {RSA_BITS} or more")
    return key


def public_record(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    """What the DNS says of the key, as text of a TXT record (RFC 6376 §3.6.1)."""
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):  # RFC 8463 §4: the 32 bytes, nothing around them
        return f"v=DKIM1; k=ed25519; p={b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()}"
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={b64encode(der).decode()}"


def split(message: bytes) -> tuple[bytes, int]:
    """The header with its last CRLF, and where the body begins."""
    at = message.find(b"\r\n\r\n")
    return (message[: at + 2], at + 4) if at >= 0 else (message, len(message))


def body_hash(message: bytes, start: int) -> bytes:
    """SHA-256 of the body from `start` on, made simple (RFC 6376 §3.4.3): empty lines at its end don't count."""
    end = len(message)
    while message.endswith(b"\r\n\r\n", start, end):
        end -= 2
    digest = sha256(memoryview(message)[start:end])
    if not message.endswith(b"\r\n", start, end):
        digest.update(b"\r\n")
    return digest.digest()


def signature_fields(header: bytes, hashed: bytes, seals: Sequence[Seal]) -> bytes:
    """The fields to stand before the message, one for each key. `hashed`: from `body_hash`."""
    names, content, at = _chosen(relaxed(header))
    digest, body = sha256(content), b64encode(hashed)
    fields = b""
    for seal in seals:
        opening = _opening(seal.algorithm, seal.domain, seal.selector, at, names)
        unsigned = b"%b\r\n bh=%b;\r\n b=" % (opening, body)
        ((name, value),) = relaxed(unsigned)
        whole = digest.copy()
        whole.update(b"%b:%b" % (name, value))  # RFC 6376 §3.7: without the CRLF
        fields += unsigned + _folded(b64encode(seal.sign(whole.digest()))) + b"\r\n"
    return fields


def relaxed(header: bytes) -> list[tuple[bytes, bytes]]:
    """The fields as (name, value), made relaxed (RFC 6376 §3.4.2)."""
    # Replacing is ten times as quick as an expression that looks at every space.
    plain = header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").replace(b"\t", b" ")
    while b"  " in plain:
        plain = plain.replace(b"  ", b" ")
    parted = [line.partition(b":") for line in plain.split(b"\r\n")]
    return [(name.rstrip(b" ").lower(), value.strip(b" ")) for name, colon, value in parted if colon]


def _chosen(fields: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, ...], bytes, str]:
    """The names for h=, what is signed of the fields, and the time for t=."""
    known: dict[bytes, list[bytes]] = {}
    for name, value in reversed(fields):  # RFC 6376 §5.4.2: of several of a name the last one first
        known.setdefault(name, []).append(value)
    there = [(name, value) for name in SIGNED for value in known.get(name, ())]
    names = tuple(name for name, _ in there)
    return (_OVERSIGNED, *names), b"".join([b"%b:%b\r\n" % pair for pair in there]), _time(known.get(b"date", [b""])[0])


@lru_cache(maxsize=64)
def _time(date: bytes) -> str:
    """Seconds since 1970 of a Date; '' where it is none."""
    try:
        moment = parsedate_to_datetime(date.decode("ascii", "replace"))
    except ValueError:
        return ""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # '-0000' comes without a zone
    return str(max(0, int(aware.timestamp())))


@lru_cache(maxsize=64)
def _opening(algorithm: str, domain: str, selector: str, time: str, names: tuple[bytes, ...]) -> bytes:
    """The field up to h=, folded; the same for all readers of a mail."""
    tags = [
        "v=1",
        f"a={algorithm}",
        "c=relaxed/simple",
        f"d={domain}",
        f"s={selector}",
        *([f"t={time}"] if time else []),
    ]
    first, *others = [name.decode() for name in names]
    pieces = [*(f" {tag};" for tag in tags), f" h={first}", *(f":{name}" for name in others)]
    lines = ["DKIM-Signature:"]
    for piece in pieces:
        # One more for the colon or semicolon that may follow. A fold in h= goes before the name (§3.5).
        if len(lines[-1]) + len(piece) < LINE:
            lines[-1] += piece
        elif piece.startswith(":"):
            lines[-1] += ":"
            lines.append(f" {piece[1:]}")
        else:
            lines.append(piece)
    return "\r\n".join(lines).encode("ascii") + b";"


def _folded(signature: bytes) -> bytes:
    """The value of b=, of which the first line begins with ' b='."""
    room = LINE - len(" b=")
    lines = [signature[at : at + room] for at in range(0, len(signature), room)]
    return b"\r\n ".join(lines)
