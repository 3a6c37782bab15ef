"""Whole mails, byte for byte: the digest in three languages, the others in two.

After a wanted change of their look, words or header, look at the new mails first, then write them anew and read the
diff:

    MAILER_WRITE_GOLDEN=1 .venv/bin/pytest tests/mail/test_golden.py && git diff tests/mail/golden
"""

import os
from datetime import date
from pathlib import Path

import pytest

from mailer.core.digest import headers_of
from mailer.core.message import compile_mail, slot_value, to_value, token_value
from mailer.core.notice import headers_of_notice
from mailer.core.words import date_in_words
from mailer.templating import Templates, ThemeOptions
from tests.mail.samples import BOUNDARY, DATE, INTRO, MARK, ON_THE_WEB, RELATED, digest, notices

GOLDEN = Path(__file__).parent / "golden"
TEMPLATES = Templates(ThemeOptions())
MAILS = [
    *(("digest", language) for language in ("en", "de", "ar")),
    *((kind, language) for kind in notices() for language in ("en", "de")),
]
MAILS_IN_WORDS = [f"{kind}.{language}" for kind, language in MAILS]


def the_mail(kind: str, language: str) -> bytes:
    if kind == "digest":
        sample = digest(more=8, intro=INTRO, related=RELATED, language=language, **ON_THE_WEB)
        mail, headers = TEMPLATES.render_digest(sample, mark=MARK), headers_of(sample)
    else:
        notice = notices(language)[kind]
        mail, headers = TEMPLATES.render_notice(notice, mark=MARK), headers_of_notice(notice)
    compiled = compile_mail(
        headers=headers,
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        mark=MARK,
        date=DATE,
        boundary=BOUNDARY,
    )
    return compiled.build(
        {
            "to": to_value("ada@reader.example", "Ada Løvelace"),
            "message_id": b"01jd9w7v.42@site.example",
            "leave": token_value("bGVhdmUtNDI.QH7qk3ZyVx5mT0cWb2RfN8uJpLs1EaGdHiYo4nKvXtM"),
            "manage": token_value("bWFuYWdlLTQy.w5Zt1JcXq8RfV3mYh0KsB7uNpLa2DgTiEo9yHkQvWxE"),
            "since": slot_value(date_in_words(date(2026, 10, 3), language)),
        }
    )


@pytest.mark.parametrize(("kind", "language"), MAILS, ids=MAILS_IN_WORDS)
def test_a_mail_is_the_one_that_was_looked_at(kind, language):
    mail = the_mail(kind, language)
    golden = GOLDEN / f"{kind}.{language}.eml"
    if os.environ.get("MAILER_WRITE_GOLDEN"):
        golden.write_bytes(mail)
    assert mail == golden.read_bytes()


def test_there_is_no_golden_mail_that_nobody_compares():
    assert {path.stem for path in GOLDEN.glob("*.eml")} == set(MAILS_IN_WORDS)


@pytest.mark.parametrize(("kind", "language"), MAILS, ids=MAILS_IN_WORDS)
def test_no_line_of_it_is_longer_than_a_mail_wants(kind, language):
    header, _, body = the_mail(kind, language).partition(b"\r\n\r\n")
    # A token's line can't be folded: RFC 8058 wants the URI whole.
    assert [line for line in header.split(b"\r\n") if len(line) > 78] == [
        line for line in header.split(b"\r\n") if line.startswith(b"List-Unsubscribe:")
    ]
    assert max(map(len, body.split(b"\r\n"))) <= 76
