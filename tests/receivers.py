"""Who checks a signature where a mail arrives: dkimpy, and Debian's opendkim. And the domain whose DNS they ask."""

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import dkim

from mailer.core.dkim import Seal, SigningKey, body_hash, signature_fields, split
from mailer.signing.keys import fresh_key, record_strings

DOMAIN = "site.example"
OPENDKIM = shutil.which("opendkim") or shutil.which("/usr/sbin/opendkim")


@cache
def keys() -> tuple[SigningKey, SigningKey]:
    """An RSA key and an Ed25519 key of the domain, made once: to find the primes takes a while."""
    return (
        SigningKey(DOMAIN, "m1", fresh_key(ed25519=False)),
        SigningKey(DOMAIN, "m1e", fresh_key(ed25519=True)),
    )


def signed(message: bytes, by: Sequence[SigningKey] | None = None) -> bytes:
    """The message with its fields, by both keys unless said otherwise."""
    header, start = split(message)
    seals = [Seal.of(key) for key in by or keys()]
    return signature_fields(header, body_hash(message, start), seals) + message


def records() -> dict[str, str]:
    """What the DNS says, by name."""
    return {f"{key.selector}._domainkey.{key.domain}": "".join(record_strings(key.pem)) for key in keys()}


def verdicts(message: bytes, count: int = 2) -> list[bool]:
    """What dkimpy says of each signature, the first one first."""

    def ask(name: bytes | str, timeout: int = 5) -> bytes:
        text = name.decode() if isinstance(name, bytes) else name
        return records()[text.rstrip(".")].encode()

    found = []
    for number in range(count):
        checker = dkim.DKIM(message)
        try:
            found.append(bool(checker.verify(idx=number, dnsfunc=ask)))
        except dkim.DKIMException:
            found.append(False)
    return found


def opendkim(folder: Path, message: bytes) -> list[str]:
    """The verdicts of opendkim, 'pass' or 'fail' or what else it says. `folder`: to put files in."""
    assert OPENDKIM
    (folder / "mail.eml").write_bytes(message)
    (folder / "dns").write_text("".join(f"{name} {text}\n" for name, text in records().items()))
    (folder / "opendkim.conf").write_text(f"TestDNSData file:{folder}/dns\n")
    ended = subprocess.run(
        [OPENDKIM, "-x", folder / "opendkim.conf", "-b", "v", "-vv", "-t", folder / "mail.eml"],
        check=False,
        capture_output=True,
        text=True,
    )
    said = ended.stdout.partition("Authentication-Results")[2].partition("### ")[0]
    lines = [line.split() for line in said.split("\n")]
    return [word.removeprefix("dkim=").rstrip(";'") for words in lines for word in words if word.startswith("dkim=")]
