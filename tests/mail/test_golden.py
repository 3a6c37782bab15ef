"""One whole mail, byte for byte.

After a wanted change of its look or its header, look at the new mail first, then write it anew and read the diff:

    MAILER_WRITE_GOLDEN=1 .venv/bin/pytest tests/mail/test_golden.py && git diff tests/mail/golden
"""

import os
from pathlib import Path

from mailer.core.digest import headers_of
from mailer.core.message import compile_mail, slot_value, to_value, token_value
from mailer.templating import Templates, ThemeOptions
from tests.mail.samples import BOUNDARY, DATE, MARK, digest

GOLDEN = Path(__file__).parent / "golden" / "digest.eml"


def the_mail() -> bytes:
    sample = digest(more=8)
    mail = Templates(ThemeOptions()).render_digest(sample, mark=MARK)
    compiled = compile_mail(
        headers=headers_of(sample),
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
            "since": slot_value("3 October 2026"),
        }
    )


def test_a_digest_is_the_one_that_was_looked_at():
    mail = the_mail()
    if os.environ.get("MAILER_WRITE_GOLDEN"):
        GOLDEN.write_bytes(mail)
    assert mail == GOLDEN.read_bytes()


def test_no_line_of_it_is_longer_than_a_mail_wants():
    header, _, body = the_mail().partition(b"\r\n\r\n")
    # A token's line can't be folded: RFC 8058 wants the URI whole.
    assert [line for line in header.split(b"\r\n") if len(line) > 78] == [
        line for line in header.split(b"\r\n") if line.startswith(b"List-Unsubscribe:")
    ]
    assert max(map(len, body.split(b"\r\n"))) <= 76
