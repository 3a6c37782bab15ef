from datetime import date
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import pytest

from mailer.core.message import Compiled
from mailer.core.personal import Stationery
from mailer.errors import Misuse
from mailer.flows.noticing import KINDS, compile_notice, sample
from mailer.templating import Templates, ThemeOptions
from tests.mail.samples import notices
from tests.stories import KEY, MONDAY, SITE, cadence

TEMPLATES = Templates(ThemeOptions())
NONCE = "0123456789abcdef" * 2


def the_sample(kind, **changes):
    given = {
        "site": SITE,
        "cadence": cadence("weekly", timezone="Europe/Berlin"),
        "templates": TEMPLATES,
        "stationery": Stationery(sender=SITE.from_address, keys=[KEY], zone=ZoneInfo("UTC"), today=date(2026, 11, 23)),
        "now": MONDAY,
        "nonce": NONCE,
    }
    return sample(kind, **(given | changes))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["en", "de", "es", "ar"])
def test_every_notice_is_a_whole_mail_in_every_language(kind, language):
    read = message_from_bytes(the_sample(kind, language=language).data, policy=policy.default)
    assert not read.defects
    assert read["Content-Language"] == language
    assert read["Auto-Submitted"] == "auto-generated"
    assert (read["List-Unsubscribe"] is not None) == (kind in ("welcome", "already", "changed"))
    assert SITE.name in read["Subject"] + read.get_body(("plain",)).get_content()
    assert f'lang="{language}"' in read.get_body(("html",)).get_content()


def test_a_welcome_names_the_next_due_time_on_the_cadences_own_clock():
    text = message_from_bytes(the_sample("welcome").data, policy=policy.default).get_body(("plain",)).get_content()
    assert "on Monday 30 November at about\r\n7:00," in text.replace("\n", "\r\n") or "30 November at about" in text
    assert "Why you get this: on 23 November 2026 you asked for a weekly digest." in text


def test_a_sample_without_a_language_is_in_the_sites():
    read = message_from_bytes(the_sample("goodbye").data, policy=policy.default)
    assert read["Content-Language"] == "en"


@pytest.mark.parametrize(
    ("kind", "language", "complaint"),
    [("farewell", "", "There is no mail 'farewell'; there are: confirm"), ("confirm", "sv", "not written in 'sv'")],
)
def test_a_kind_or_a_language_that_is_not_there_is_refused(kind, language, complaint):
    with pytest.raises(Misuse, match=complaint):
        the_sample(kind, language=language)


def test_a_notice_that_was_compiled_can_wait_in_the_outbox():
    subject, compiled = compile_notice(TEMPLATES, notices("de")["confirm"], now=MONDAY, nonce=NONCE)
    assert subject == "Bestätigen Sie Ihr Abonnement von Mia's Feed"
    assert Compiled.unpack(compiled.pack()) == compiled
    assert set(compiled.slots) == {"to", "message_id"}
    _, welcome = compile_notice(TEMPLATES, notices()["welcome"], now=MONDAY, nonce=NONCE)
    assert set(welcome.slots) == {"to", "message_id", "leave", "manage", "since"}


@pytest.mark.parametrize(
    ("kind", "slots"),
    [
        ("already", {"leave", "manage", "since"}),
        ("move", set()),
        ("moved", {"manage"}),
        ("copy", set()),
        ("erase", set()),
    ],
)
def test_only_a_mail_to_the_reader_has_the_readers_own_links(kind, slots):
    _, compiled = compile_notice(TEMPLATES, notices()[kind], now=MONDAY, nonce=NONCE)
    assert set(compiled.slots) - {"to", "message_id"} == slots
