"""Every mail as two other parsers read it, and every odd title: the same subject, parts and list headers."""

import email
import email.utils
import re
from dataclasses import replace

import pytest

from tests.appearance.mails import MAILS, a_digest, mail
from tests.appearance.node import run
from tests.mail.samples import DRAFTS, ODD_TITLES

PARSERS = ("mailparser", "postal-mime")
LIST_HEADERS = ("list-id", "list-unsubscribe", "list-unsubscribe-post", "list-help", "list-owner", "feedback-id")
ONCE = ("from", "to", "date", "message-id", "subject", "mime-version", "list-unsubscribe", "list-unsubscribe-post")


def titled(name):
    return a_digest(replace(DRAFTS[0], title=ODD_TITLES[name]), *DRAFTS[1:])


SAMPLES = {name: lambda name=name: mail(name) for name in MAILS} | {
    f"title: {name}": lambda name=name: titled(name) for name in ODD_TITLES
}


@pytest.fixture(scope="session")
def samples():
    return {name: build() for name, build in SAMPLES.items()}


@pytest.fixture(scope="session")
def read(samples, tmp_path_factory):
    files = {name: sample.data for name, sample in samples.items()}
    files["broken: encoded"] = files["digest"].replace(
        b"List-Unsubscribe: <https", b"List-Unsubscribe: =?utf-8?q?<https"
    )
    return run("parse.mjs", files, tmp_path_factory.mktemp("parse"))


def lines(text):
    """Line ends are each parser's own matter, and so is the last one."""
    return text.replace("\r\n", "\n").rstrip("\n")


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("name", SAMPLES)
def test_both_read_subject_and_parts_as_python_does(samples, read, name, parser):
    sample, seen = samples[name], read[name][parser]
    assert seen["subject"] == sample.message["Subject"]
    assert lines(seen["text"]) == lines(sample.text)
    assert lines(seen["html"]) == lines(sample.html)
    assert seen["attachments"] == 0
    for field in ("From", "To"):
        assert [tuple(pair) for pair in seen[field.lower()]] == email.utils.getaddresses([sample.message[field]])
    assert seen["messageId"] == sample.message["Message-ID"]


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("name", SAMPLES)
def test_both_find_the_list_headers_once_whole_and_unencoded(samples, read, name, parser):
    message = email.message_from_bytes(samples[name].data)
    written = {field: re.sub(r"\r\n(?=[ \t])", "", message[field]) for field in LIST_HEADERS if field in message}
    raw = read[name][parser]["raw"]
    assert {field: len(raw.get(field, [])) for field in ONCE if field in message} == {
        field: 1 for field in ONCE if field in message
    }
    assert {field: raw[field] for field in LIST_HEADERS if field in raw} == {
        field: [value] for field, value in written.items()
    }
    leave = raw.get("list-unsubscribe", [""])[0]
    # RFC 8058 §3.1: one https URI. An encoded word in it, and mailbox providers show no button.
    assert leave == "" or (leave.startswith("<https://") and leave.endswith(">") and "=?" not in leave)


def test_a_mailing_list_is_told_by_its_id_and_its_link(read):
    assert read["digest"]["mailparser"]["list"] == {
        "id": {"name": "Mia's Feed", "id": "digest.site.example"},
        "unsubscribe": {
            "url": "https://news.site.example/one-click/bGVhdmUtNDI.QH7qk3ZyVx5mT0cWb2RfN8uJpLs1EaGdHiYo4nKvXtM"
        },
    }


@pytest.mark.parametrize("name", ODD_TITLES)
def test_no_odd_title_is_more_than_a_subject(samples, name):
    assert samples[f"title: {name}"].message.keys() == samples["digest"].message.keys()


def test_an_encoded_list_header_is_told(read):
    assert all("=?" in read["broken: encoded"][parser]["raw"]["list-unsubscribe"][0] for parser in PARSERS)
