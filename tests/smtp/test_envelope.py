import pytest

from mailer.core.delivery import Answer, Reply, Stage
from mailer.core.message import Mail
from mailer.smtp.envelope import Extensions, mail_from, rcpt_to, refused_here

ALL = Extensions(size=True, eight_bit=True, utf8=True)
NONE = Extensions()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@example.org>",
        "<ann@example.org",
        "ann@example.org> SIZE=1",
        "ann b@example.org",
        "ann@example.org\r\nRCPT TO:<eve@example.org>",
        "ann@exa\nmple.org",
        "ann\0@example.org",
        "ann\x7f@example.org",
        "ann\x85@example.org",
        "ann\u2028@example.org",
        "ann\xa0@example.org",
        "ann\udc80@example.org",
        "a" * 250 + "@example.org",
    ],
)
def test_an_address_that_could_say_more_than_an_address_is_refused(address):
    answer = refused_here(Mail("news@example.org", address, b"x"), ALL)
    assert answer
    assert (answer.stage, answer.reply and answer.reply.code) == (Stage.RCPT, 553)
    assert answer.reply
    assert answer.reply.enhanced == "5.1.3"
    if address:
        answer = refused_here(Mail(address, "ann@example.org", b"x"), ALL)
        assert answer
        assert answer.stage is Stage.MAIL


@pytest.mark.parametrize(
    "address", ["ann@example.org", '"ann"@example.org', "a+b=c@[192.0.2.1]", "änn@exämple.org", "o'b@x"]
)
def test_an_address_that_is_only_that_goes(address):
    assert refused_here(Mail("news@example.org", address, b"x"), ALL) is None


def test_an_address_beyond_ascii_needs_a_relay_that_takes_it():
    answer = refused_here(Mail("news@example.org", "änn@example.org", b"x"), NONE)
    assert answer
    assert answer.stage is Stage.RCPT
    assert answer.reply
    assert (answer.reply.code, answer.reply.enhanced) == (553, "5.6.7")
    answer = refused_here(Mail("néws@example.org", "ann@example.org", b"x"), NONE)
    assert answer
    assert answer.stage is Stage.MAIL


@pytest.mark.parametrize(
    ("sender", "recipient", "data", "offered", "line"),
    [
        ("news@example.org", "ann@example.org", b"x", NONE, b"MAIL FROM:<news@example.org>\r\n"),
        ("news@example.org", "ann@example.org", b"\xe9", NONE, b"MAIL FROM:<news@example.org>\r\n"),
        ("news@example.org", "ann@example.org", b"x", ALL, b"MAIL FROM:<news@example.org> SIZE=7\r\n"),
        ("news@example.org", "ann@example.org", b"\xe9", ALL, b"MAIL FROM:<news@example.org> SIZE=7 BODY=8BITMIME\r\n"),
        ("news@example.org", "änn@example.org", b"x", ALL, b"MAIL FROM:<news@example.org> SIZE=7 SMTPUTF8\r\n"),
        ("", "ann@example.org", b"x", NONE, b"MAIL FROM:<>\r\n"),
    ],
)
def test_only_what_was_offered_is_used_and_only_where_needed(sender, recipient, data, offered, line):
    assert mail_from(Mail(sender, recipient, data), 7, offered) == line


def test_the_recipient_stands_in_brackets():
    assert rcpt_to(Mail("", "änn@example.org", b""), ALL) == "RCPT TO:<änn@example.org>\r\n".encode()


DSN = Extensions(size=True, utf8=True, dsn=True)
TOLD = "NOTIFY=FAILURE ORCPT=rfc822;"
LONG = f"{'+' * 64}@{'=' * 150}.example"


@pytest.mark.parametrize(
    ("recipient", "envelope_id", "mail_line", "rcpt_line"),
    [
        ("ann@b.example", "12ab", "SIZE=7 RET=HDRS ENVID=12ab", f"{TOLD}ann@b.example"),
        ("ann@b.example", "", "SIZE=7", ""),
        ("a+b=c@b.example", "1+2=3 4", "SIZE=7 RET=HDRS ENVID=1+2B2+3D3+204", f"{TOLD}a+2Bb+3Dc@b.example"),
        ("änn@b.example", "12ab", "SIZE=7 SMTPUTF8 RET=HDRS ENVID=12ab", "NOTIFY=FAILURE"),
        (LONG, "x" * 100, f"SIZE=7 RET=HDRS ENVID={'x' * 100}", "NOTIFY=FAILURE"),  # as xtext more than 500 characters
        ("ann@b.example", "x" * 101, "SIZE=7 RET=HDRS", f"{TOLD}ann@b.example"),
        ("ann@b.example", "é", "SIZE=7 RET=HDRS", f"{TOLD}ann@b.example"),
        ("ann@b.example", "1\r\nRSET", "SIZE=7 RET=HDRS", f"{TOLD}ann@b.example"),
    ],
)
def test_a_mail_that_has_an_id_asks_to_be_told_of_its_failure(recipient, envelope_id, mail_line, rcpt_line):
    mail = Mail("news@example.org", recipient, b"x", envelope_id=envelope_id)
    assert mail_from(mail, 7, DSN).decode() == f"MAIL FROM:<news@example.org> {mail_line}\r\n"
    assert rcpt_to(mail, DSN).decode() == f"RCPT TO:<{recipient}> {rcpt_line}".strip() + "\r\n"
    assert b"RET=" not in mail_from(mail, 7, ALL)
    assert rcpt_to(mail, ALL).decode() == f"RCPT TO:<{recipient}>\r\n"


def test_our_own_refusals_read_as_such():
    answer = refused_here(Mail("news@example.org", "a b@example.org", b"x"), ALL)
    expected = Reply(553, "5.1.3", "not sent: the address can't be written into an SMTP command")
    assert answer == Answer(Stage.RCPT, expected)
