"""SpamAssassin's own rules, without the network, say nothing against our mails: as sent, over one relay."""

import re
import shutil
import subprocess

import pytest

from tests.appearance.mails import mail

NAMES = (
    "digest",
    "one article",
    "twenty articles",
    "German",
    "Arabic with English items",
    "everything",
    "confirm",
    "goodbye",
    "move",
    "copy",
    "erase",
)
# What stands in front of a mail when it arrives: the relay took it from us, and the receiving side from the relay, as
# always, since we never speak to a reader's server ourselves (STY_INVIS_DIRECT would ask). Both are strangers, or
# ALL_TRUSTED would flatter us; their addresses are of documentation (RFC 3849), since rules know the IPv4 ones
# (RFC 5737) as impossible.
RECEIVED = (
    b"Return-Path: <digest@site.example>\r\n"
    b"Received: from relay.site.example (relay.site.example [IPv6:2001:db8::25])\r\n"
    b"\tby mx.reader.example (Postfix) with ESMTPS id 4XyZ123abc\r\n"
    b"\tfor <ada@reader.example>; Mon, 23 Nov 2026 07:00:05 +0000 (UTC)\r\n"
    b"Received: from news.site.example (news.site.example [IPv6:2001:db8::80])\r\n"
    b"\tby relay.site.example (Postfix) with ESMTPSA id 4XyZ122zyx\r\n"
    b"\tfor <ada@reader.example>; Mon, 23 Nov 2026 07:00:03 +0000 (UTC)\r\n"
)
# No memory of earlier mails, so that each run says the same.
SETTINGS = "use_bayes 0\nuse_txrep 0\nreport_safe 0\nadd_header all Status _YESNO_, score=_SCORE_ tests=_TESTSSCORES_\n"
LURE = b"Dear friend, you have won the lottery. Claim your 1,000,000 dollars now, act now, 100% free viagra!!!"

pytestmark = pytest.mark.skipif(
    shutil.which("spamassassin") is None, reason="SpamAssassin isn't installed (Debian's package is spamassassin)"
)


@pytest.fixture(scope="session")
def scores(tmp_path_factory):
    """By mail: its score, and the rules that hit it."""
    folder = tmp_path_factory.mktemp("spam")
    mails = {name: RECEIVED + mail(name).data for name in NAMES}
    head, _, _ = mails["digest"].partition(b"\r\n\r\n")
    mails["broken: a lure"] = (
        re.sub(rb"\r\nContent-Type:.*", b"", head, flags=re.DOTALL) + b"\r\n\r\n" + (LURE + b"\r\n") * 3
    )
    paths = [folder / f"{number}.eml" for number in range(len(mails))]
    for path, data in zip(paths, mails.values(), strict=True):
        path.write_bytes(data)
    done = subprocess.run(
        ["spamassassin", "--local", "--prefs-file=/dev/null", f"--cf={SETTINGS}", *paths],
        capture_output=True,
        timeout=120,
        check=True,
        env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin", "LANG": "C"},
    )
    said = re.findall(
        rb"^X-Spam-Status: \w+, score=(-?[\d.]+) tests=((?:.*\n)(?:[ \t].*\n)*)", done.stdout, re.MULTILINE
    )
    assert len(said) == len(mails), done.stderr
    return {name: (float(score), tests.decode()) for name, (score, tests) in zip(mails, said, strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_its_score_is_not_above_zero(scores, name):
    score, tests = scores[name]
    assert score <= 0, tests


def test_spam_is_told(scores):
    score, tests = scores["broken: a lure"]
    assert score > 1, tests
