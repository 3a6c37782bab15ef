"""Signatures: receivers accept them, and notice every change; the same mail gets the same one."""

import base64
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from dkim.canonicalization import Relaxed, Simple
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.core.dkim import SIGNED, body_hash, open_key, relaxed, split
from mailer.core.header import address_header, date_header, list_id_header, raw_header, text_header
from tests.receivers import OPENDKIM, keys, opendkim, records, signed, verdicts

GOLDEN = sorted((Path(__file__).parents[1] / "mail" / "golden").glob("*.eml"))
DIGEST = next(path for path in GOLDEN if path.name == "digest.en.eml").read_bytes()
DATE = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
needs_opendkim = pytest.mark.skipif(OPENDKIM is None, reason="opendkim is not installed (Debian's package opendkim)")


def fields_of(message: bytes) -> list[bytes]:
    """The signature fields that a message begins with."""
    return re.findall(rb"DKIM-Signature:(?:.*\r\n[ \t])*.*\r\n", message.partition(b"\r\n\r\n")[0] + b"\r\n")


def tags_of(field: bytes) -> dict[str, str]:
    plain = re.sub(r"\s+", "", field.decode("ascii").partition(":")[2])
    return dict(tag.split("=", 1) for tag in plain.split(";") if tag)


# --- receivers accept them


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_mail_verifies_by_both_keys(path):
    assert verdicts(signed(path.read_bytes())) == [True, True]


@needs_opendkim
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_mail_verifies_at_opendkim(path, tmp_path):
    assert opendkim(tmp_path, signed(path.read_bytes())) == ["pass", "pass"]


ODD = {
    "an encoded subject, folded": text_header("Subject", "Die nächste Überprüfung " * 8),
    "a long subject in plain words": text_header("Subject", "one dose and five years later " * 6),
    "an encoded name": address_header("Reply-To", "Zoë “the fox” Łukasiewicz " * 3, "zoe@site.example"),
    "a list with a long name": list_id_header("Überblick der Gesundheit " * 5, "digest.site.example"),
    "a long List-Unsubscribe": raw_header("List-Unsubscribe", f"<https://site.example/one-click/{'a' * 400}>"),
    "a subject folded by hand, with tabs": b"Subject:  a\t b \r\n\t \t c  \r\n  d\t\r\n",
    "an empty subject": b"Subject:\r\n",
    "a subject of spaces, and a name of odd case": b"sUBJECT:   \r\n",
    "a subject in raw UTF-8": "Subject: Übung\r\n".encode(),
}


def mail_with(field: bytes, body: bytes = b"Hello.\r\n") -> bytes:
    return b"".join(
        [
            address_header("From", "Mia's Feed", "digest@site.example"),
            b"To: ada@reader.example\r\n",
            field,
            date_header(DATE),
            b"Message-ID: <1@site.example>\r\nMIME-Version: 1.0\r\n\r\n",
            body,
        ]
    )


@pytest.mark.parametrize("field", ODD.values(), ids=ODD.keys())
def test_an_odd_header_verifies(field):
    assert verdicts(signed(mail_with(field))) == [True, True]


@needs_opendkim
@pytest.mark.parametrize("field", ODD.values(), ids=ODD.keys())
def test_an_odd_header_verifies_at_opendkim(field, tmp_path):
    assert opendkim(tmp_path, signed(mail_with(field))) == ["pass", "pass"]


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"\r\n\r\n\r\n", b"no end", b"end\r\n\r\n\r\n", b" spaces \r\n\t\r\n", b".\r\n..\r\n"]
)
def test_an_odd_body_verifies(body):
    assert verdicts(signed(mail_with(b"", body))) == [True, True]


def test_a_mail_that_is_all_header_verifies():
    assert verdicts(signed(mail_with(b"").removesuffix(b"\r\nHello.\r\n"))) == [True, True]


def test_what_a_server_may_do_to_a_header_breaks_nothing():
    message = signed(DIGEST)
    unfolded = re.sub(rb"(\r\nSubject:.*?)\r\n ", rb"\1 ", message, count=1)
    assert verdicts(unfolded.replace(b"\r\nTo: ", b"\r\nto:   ")) == [True, True]
    assert verdicts(b"Received: by mx.example; now\r\n" + message) == [True, True]


# --- and notice every change


def present() -> list[str]:
    return [name.decode() for name, _ in relaxed(split(DIGEST)[0]) if name in SIGNED]


@pytest.mark.parametrize("name", present())
@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_signed_field_that_is_not_as_it_was_is_noticed(name, change):
    message = signed(DIGEST)
    field = re.compile(rb"(?im)^(%b): ((?:.*\r\n[ \t])*.*)\r\n" % name.encode())
    header, start = split(message)
    other, count = field.subn(b"" if change == "removed" else rb"\1: x\2\r\n", header)
    assert count == 1
    assert verdicts(other + b"\r\n" + message[start:]) == [False, False]


@pytest.mark.parametrize("at", [0, 1])
def test_a_second_from_is_noticed_above_and_below_the_first(at):
    header, start = split(signed(DIGEST))
    forged = b"From: boss@bank.example\r\n"
    message = (forged + header if at == 0 else header + forged) + b"\r\n" + signed(DIGEST)[start:]
    assert verdicts(message) == [False, False]


@pytest.mark.parametrize("where", ["first", "middle", "last", "appended"])
def test_a_change_of_the_body_is_noticed(where):
    message = bytearray(signed(DIGEST))
    _, start = split(DIGEST)
    start += len(message) - len(DIGEST)
    if where == "appended":
        message += b"One line more.\r\n"
    else:
        at = {"first": start, "middle": (start + len(message)) // 2, "last": len(message) - 3}[where]
        message[at] ^= 1
    assert verdicts(bytes(message)) == [False, False]


@needs_opendkim
def test_opendkim_notices_a_change(tmp_path):
    assert opendkim(tmp_path, signed(DIGEST).replace(b"\r\nSubject: ", b"\r\nSubject: Not ")) == ["fail", "fail"]


# --- what stands in the field


def test_what_is_signed_and_how():
    rsa, ed25519 = map(tags_of, fields_of(signed(DIGEST)))
    names = rsa["h"].split(":")
    assert (rsa["v"], rsa["a"], rsa["c"]) == ("1", "rsa-sha256", "relaxed/simple")
    assert (rsa["d"], rsa["s"]) == ("site.example", "m1")
    assert (ed25519["a"], ed25519["s"], ed25519["bh"]) == ("ed25519-sha256", "m1e", rsa["bh"])
    assert names.count("from") == 2
    # RFC 8058 §4: without both the button isn't shown.
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(names)
    assert {"to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type"} <= set(names)
    assert {"list-id", "list-help", "feedback-id", "auto-submitted"} <= set(names)
    assert "l" not in rsa
    assert len(base64.b64decode(rsa["b"])) == 256
    assert len(base64.b64decode(ed25519["b"])) == 64


def test_a_field_that_is_not_there_is_not_named():
    names = tags_of(fields_of(signed(mail_with(b"")))[0])["h"].split(":")
    assert names == ["from", "from", "to", "date", "message-id", "mime-version"]


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("Mon, 23 Nov 2026 07:00:00 +0000", "1795417200"),
        ("Mon, 23 Nov 2026 07:00:00 +0100", "1795413600"),
        ("Mon, 23 Nov 2026 07:00:00 -0000", "1795417200"),
        ("soon", None),
        ("Mon, 99 Nov 2026 07:00:00 +0000", None),
    ],
)
def test_the_time_is_the_mails_own(date, time):
    message = DIGEST.replace(b"Mon, 23 Nov 2026 07:00:00 +0000", date.encode())
    assert tags_of(fields_of(signed(message))[0]).get("t") == time
    assert verdicts(signed(message)) == [True, True]


def test_a_second_copy_is_the_first_byte_for_byte():
    assert signed(DIGEST) == signed(DIGEST)


def test_lines_are_folded_as_a_headers_should_be():
    for key in keys():
        longer = type(key)("a-rather-long-name.of-a-department.site.example", "selector-of-november-2026", key.pem)
        for field in fields_of(signed(DIGEST, [key, longer])):
            assert max(map(len, field.split(b"\r\n"))) <= 78
    longest = type(key)(".".join(["d" * 61] * 4), "s" * 63, key.pem)
    assert max(map(len, fields_of(signed(DIGEST, [longest]))[0].split(b"\r\n"))) <= 998


# --- canonical forms are those of dkimpy

WHITE = st.text(alphabet="ab :=;\t \r\n\x0b", max_size=30).map(str.encode)
# Without VT and FF, which dkimpy strips from the ends; they are no WSP (RFC 5234 B.1).
VALUES = st.lists(st.sampled_from([b"a", b"b c", b" ", b"\t", b"\r\n ", b"\r\n\t", b":", b"\xc3\xa9"]), max_size=9)


@given(st.lists(st.tuples(st.sampled_from([b"Subject", b"x-A", b"From \t"]), VALUES.map(b"".join)), max_size=4))
def test_the_relaxed_header_is_dkimpys(fields):
    raw = b"".join(b"%b:%b\r\n" % field for field in fields)
    ours = [(name, value + b"\r\n") for name, value in relaxed(raw)]
    assert ours == Relaxed.canonicalize_headers([(name, value + b"\r\n") for name, value in fields])


@given(WHITE)
@example(b"")
@example(b"\r\n\r\n")
@example(b"\n\r\n")
def test_the_simple_body_is_dkimpys(body):
    assert body_hash(b"xy" + body, 2) == sha256(Simple.canonicalize_body(body)).digest()


# --- keys


def pem(key, *, password: bytes = b"") -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def test_a_key_that_does_not_do_is_refused_in_words_that_do_not_show_it():
    rsa = open_key(keys()[0].pem)
    cases = {
        b"secret": "no private key in PEM form",
        b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n": "no private key in PEM form",
        rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo): "no private key in PEM form",
        pem(rsa, password=b"x"): "passphrase",
        pem(ec_key(SECP256R1())): "neither RSA nor Ed25519",
        pem(generate_private_key(65537, 1024)): "1024 bits",
    }
    for content, words in cases.items():
        with pytest.raises(ValueError, match=words) as refusal:
            open_key(content)
        assert "secret" not in str(refusal.value)


def test_a_key_shows_nothing_of_itself_in_a_log():
    assert "PRIVATE" not in repr(keys()[0])


def test_the_dns_record_has_the_public_half():
    rsa, ed25519 = records().values()
    assert rsa.startswith("v=DKIM1; k=rsa; p=MIIBIjAN")
    assert ed25519.startswith("v=DKIM1; k=ed25519; p=")
    assert len(base64.b64decode(ed25519.partition("p=")[2])) == 32
