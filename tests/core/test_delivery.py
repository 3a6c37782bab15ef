"""What an SMTP answer means, with what real servers say, and when a delivery is tried again."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.delivery import (
    GIVEN,
    JITTER,
    NOT_ON_THE_WIRE,
    UNFINISHED,
    Answer,
    Blame,
    DeliveryState,
    Reply,
    Slow,
    Stage,
    Verdict,
    backoff,
)
from mailer.core.judging import judge, pauses
from mailer.smtp.reply import ReplyParser

ACCEPTED = Verdict(DeliveryState.ACCEPTED, "accepted")
RELAY = Verdict(DeliveryState.PENDING, "relay", Blame.RELAY)
UNKNOWN = Verdict(DeliveryState.FAILED, "no_such_address", Blame.READER, hard_bounce=True)
REFUSED = Verdict(DeliveryState.FAILED, "refused", Blame.READER)
UNTOLD = Verdict(DeliveryState.FAILED, "refused", Blame.OURS, refused=True)
MESSAGE = Verdict(DeliveryState.FAILED, "message_refused", Blame.OURS)
SPAM = Verdict(DeliveryState.FAILED, "message_refused", Blame.OURS, refused=True)
TOO_BIG = Verdict(DeliveryState.FAILED, "too_big", Blame.OURS)
POLICY = Verdict(DeliveryState.DEFERRED, "policy", Blame.OURS, refused=True)
AUTHENTICATION = Verdict(DeliveryState.DEFERRED, "authentication", Blame.OURS, refused=True)
GREYLISTED = Verdict(DeliveryState.DEFERRED, "greylisted", Blame.READER, greylisted=True)
THROTTLED = Verdict(DeliveryState.DEFERRED, "throttled", Blame.DOMAIN, slows=Slow.THROTTLE)
SLOWED = Verdict(DeliveryState.DEFERRED, "throttled", Blame.DOMAIN, slows=Slow.HALVE)
BUSY = Verdict(DeliveryState.DEFERRED, "relay_busy", Blame.RELAY, slows=Slow.HALVE)
RELAY_HALVED = Verdict(DeliveryState.PENDING, "relay", Blame.RELAY, slows=Slow.HALVE)
RELAY_THROTTLED = Verdict(DeliveryState.PENDING, "relay", Blame.RELAY, slows=Slow.THROTTLE)
LATER = Verdict(DeliveryState.DEFERRED, "deferred", Blame.READER, costs=True)
PUT_OFF = Verdict(DeliveryState.DEFERRED, "message_deferred", Blame.OURS, costs=True)
LOST = Verdict(DeliveryState.DEFERRED, "connection_lost", Blame.RELAY, costs=True)
DOUBT = Verdict(DeliveryState.IN_DOUBT, "in_doubt", Blame.RELAY)

BEFORE_MAIL = (Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.EHLO, Stage.AUTH)
BEFORE_THE_DOT = (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY)


def said(text: str) -> Reply:
    """A reply as it comes over the wire, its lines separated by '|'."""
    (reply,) = ReplyParser().feed(text.replace("|", "\r\n").encode() + b"\r\n")
    return reply


CASES = [
    # Whatever comes before RCPT is the relay's fault or ours, never the reader's.
    (Stage.GREETING, "421 4.7.0 mx.example.com Error: too many connections from 192.0.2.1", RELAY_HALVED),
    (Stage.GREETING, "421 4.7.0 Try again later, rate limit exceeded", RELAY_THROTTLED),
    (Stage.GREETING, "421 mx.example.com is shutting down", RELAY),
    (Stage.AUTH, "454 4.7.0 Too many login attempts, please try again later.", RELAY_THROTTLED),
    (Stage.GREETING, "554 5.7.1 Your address is listed at zen.spamhaus.org", RELAY),
    (Stage.EHLO, "501 5.5.4 Invalid domain name", RELAY),
    (Stage.TLS, "454 4.7.0 TLS not available due to temporary reason", RELAY),
    (Stage.AUTH, "535-5.7.8 Username and Password not accepted.|535 5.7.8 https://support.google.com/mail", RELAY),
    (Stage.AUTH, "454 4.7.0 Temporary authentication failure", RELAY),
    (Stage.MAIL, "421 4.3.2 Service not available", RELAY_HALVED),
    (Stage.MAIL, "452 4.3.1 Insufficient system storage", RELAY_HALVED),
    (Stage.MAIL, "421 4.7.0 too many concurrent sessions", RELAY_HALVED),
    (Stage.MAIL, "454 Throttling failure: Maximum sending rate exceeded.", RELAY_THROTTLED),
    (Stage.MAIL, "450 4.1.8 Sender address rejected: Domain not found", RELAY),
    (Stage.MAIL, "550 5.7.1 Sender address rejected: not owned by user", RELAY),
    (Stage.MAIL, "552 5.3.4 Message size exceeds fixed limit", TOO_BIG),
    (Stage.MAIL, "552 Message size exceeds maximum value", TOO_BIG),
    (Stage.MAIL, "552 5.2.2 over quota", RELAY),
    (Stage.MAIL, "552 mailbox full", RELAY),
    (Stage.RCPT, "550 Recipient address rejected: Domain does not exist", UNTOLD),
    (Stage.RCPT, "550 5.1.2 The address does not exist", REFUSED),
    (Stage.RCPT, "550 5.4.4 Recipient address: domain does not exist", UNTOLD),
    (Stage.RCPT, "552 5.2.2 mailbox full, user not found", REFUSED),
    (Stage.RCPT, "550 relaying not allowed", POLICY),
    (Stage.RCPT, "550 we do not relay", POLICY),
    (Stage.RCPT, "550 Relaying prohibited", POLICY),
    (Stage.RCPT, "530 5.5.1 Authentication required", POLICY),
    (Stage.RCPT, "550 Must issue a STARTTLS command first", POLICY),
    (Stage.RCPT, "553 sorry, that domain isn't in my list of allowed rcpthosts", POLICY),
    (Stage.RCPT, "503 5.5.1 RCPT before MAIL", POLICY),
    (Stage.MAIL, "530 5.7.0 Authentication required", RELAY),
    (Stage.MAIL, "554 5.7.1 user unknown", RELAY),
    # A dead address: Gmail, Postfix, Outlook, Exim, Yahoo, qmail, Sendmail, Exchange.
    (
        Stage.RCPT,
        (
            "550-5.1.1 The email account that you tried to reach does not exist. Please try|"
            "550-5.1.1 double-checking the recipient's email address for typos or|"
            "550 5.1.1 unnecessary spaces. x - gsmtp"
        ),
        UNKNOWN,
    ),
    (
        Stage.RCPT,
        "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in local recipient table",
        UNKNOWN,
    ),
    (Stage.RCPT, "550 5.5.0 Requested action not taken: mailbox unavailable (user unknown)", UNKNOWN),
    (Stage.RCPT, "550 Unrouteable address; unknown user", UNKNOWN),
    (Stage.RCPT, "550 no such user here", UNKNOWN),
    (Stage.RCPT, "554 delivery error: dd This user doesn't have a yahoo.com account; no such user", UNKNOWN),
    (Stage.RCPT, "550 sorry, no mailbox here by that name. (#5.1.1)", UNKNOWN),
    (Stage.RCPT, "550 5.1.1 <ann@example.org>... User unknown", UNKNOWN),
    (Stage.RCPT, "553 5.1.3 The recipient address is not a valid RFC 5321 address", UNKNOWN),
    (Stage.RCPT, "550 5.1.6 recipient no longer on server", UNKNOWN),
    (Stage.RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", UNKNOWN),
    (Stage.RCPT, "550 The mailbox ann@example does not exist", UNKNOWN),
    # Refused for good, but no proof that the address is dead.
    (Stage.RCPT, "550-5.2.1 The email account that you tried to reach is inactive.|550 5.2.1 gsmtp", REFUSED),
    (Stage.RCPT, "552-5.2.2 The recipient's inbox is out of storage space.|552 5.2.2 gsmtp", REFUSED),
    (Stage.RCPT, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", REFUSED),
    (Stage.RCPT, "550 5.1.2 <ann@exmaple.org>: Recipient address rejected: Domain not found", REFUSED),
    (Stage.RCPT, "556 5.1.10 Recipient address has null MX", REFUSED),
    (Stage.RCPT, "550 5.1.0 Address rejected", REFUSED),
    (Stage.RCPT, "554 5.4.1 no such user", REFUSED),
    (Stage.RCPT, "501 5.5.4 Invalid argument", REFUSED),
    (Stage.RCPT, "501 Bad address syntax", REFUSED),
    (Stage.RCPT, "553 Requested action not taken: mailbox name not allowed", REFUSED),
    # What this program answers itself (`smtp.envelope`).
    (Stage.RCPT, "553 5.1.3 not sent: the address can't be written into an SMTP command", UNKNOWN),
    (Stage.RCPT, "553 5.6.7 not sent: the relay takes no addresses beyond ASCII (SMTPUTF8)", REFUSED),
    # A full mailbox is its owner's, with a code or without, wherever it is said: Gmail, Yahoo, Courier, Dovecot.
    (Stage.RCPT, "552 mailbox full", REFUSED),
    (Stage.RCPT, "552 Requested mailbox exceeds quota.", REFUSED),
    (Stage.RCPT, "552 recipient storage full, try again later", REFUSED),
    (Stage.RCPT, "554 5.0.0 The recipient's inbox is out of storage space", REFUSED),
    (Stage.RCPT, "550 User is over quota", REFUSED),
    (Stage.RCPT, "550 Quota exceeded (mailbox for user is full)", REFUSED),
    (Stage.RCPT, "552 The account that you tried to reach is over quota", REFUSED),
    (Stage.DATA, "552 mailbox full", REFUSED),
    (Stage.DOT, "552 5.0.0 Mailbox is over its quota", REFUSED),
    (Stage.DOT, "554 quota of spam reached", SPAM),
    # Nobody knows whom it means: it may be everybody, so the breaker counts it. Postfix, Sendmail, Exim.
    (Stage.RCPT, "554 Transaction failed", UNTOLD),
    (Stage.RCPT, "550 No thanks", UNTOLD),
    (Stage.RCPT, "550", UNTOLD),
    (Stage.RCPT, "550 Requested action not taken", UNTOLD),
    (Stage.RCPT, "550 Requested action not taken: mailbox unavailable", UNTOLD),
    (Stage.RCPT, "554 5.3.0 Transaction failed", UNTOLD),
    (Stage.RCPT, "554 5.2.252 SendAsDenied; ann@site.example not allowed to send as digest@site.example", UNTOLD),
    (Stage.RCPT, "553 5.3.5 system config error", UNTOLD),
    (Stage.RCPT, "555 5.5.4 Unsupported option: NOTIFY=FAILURE", UNTOLD),
    (Stage.RCPT, "551 User not local; please try another relay", UNTOLD),
    (Stage.RCPT, "554 5.4.6 Too many hops", UNTOLD),
    (Stage.RCPT, "554 5.4.7 Delivery time expired", UNTOLD),
    # The message's size is no fault of whoever is named when it is found out (RFC 1870 §6.2).
    (Stage.RCPT, "552 5.3.4 Message too big", TOO_BIG),
    (Stage.RCPT, "552 5.2.3 Message length exceeds administrative limit", TOO_BIG),
    (Stage.RCPT, "552 Message size exceeds fixed maximum message size", TOO_BIG),
    (Stage.RCPT, "552 message too large", TOO_BIG),
    (Stage.RCPT, "552 your message exceeds your size limit", TOO_BIG),
    (Stage.DATA, "552 message exceeds limit of 10240000", TOO_BIG),
    (Stage.MAIL, "552 Daily sending quota exceeded", RELAY),
    (Stage.RCPT, "550 maximum size limit exceeded", UNTOLD),
    # Policy: nobody suppressed, no count.
    (Stage.RCPT, "554 5.7.1 <ann@example.org>: Relay access denied", POLICY),
    (Stage.RCPT, "550 relay not permitted", POLICY),
    (Stage.RCPT, "550 5.7.1 Unable to relay", POLICY),
    (Stage.RCPT, "554 Relaying denied", POLICY),
    (
        Stage.RCPT,
        (
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service "
            "provider since part of their network is on our block list (S3150)."
        ),
        POLICY,
    ),
    (Stage.RCPT, "550 JunkMail rejected - host is in an RBL: blocked using zen.spamhaus.org", POLICY),
    (Stage.RCPT, "554 rejected due to policy; no such user", POLICY),
    (Stage.RCPT, "550 5.7.1 Recipient not found: access denied", POLICY),
    (Stage.DATA, "554 5.7.1 Message refused by policy", POLICY),
    (Stage.RCPT, "552 5.7.0 message blocked", POLICY),
    (Stage.RCPT, "550 Access denied", POLICY),
    (Stage.RCPT, "550 5.5.0 Permission denied", POLICY),
    (Stage.RCPT, "550 Administrative prohibition", POLICY),
    (Stage.RCPT, "550 5.1.0 Authentication required", POLICY),
    (Stage.RCPT, "553 Authentication is required for relay", POLICY),
    (Stage.RCPT, "550 You are not allowed to send mail", POLICY),
    (Stage.RCPT, "554 5.0.0 sender is not authorised to send to external recipients", POLICY),
    # How much may be sent: Gmail, Microsoft, cPanel's Exim, hosters.
    (Stage.RCPT, "550 5.4.5 Daily user sending limit exceeded.", POLICY),
    (Stage.RCPT, "550-5.4.5 Daily sending quota exceeded.|550 5.4.5 gsmtp", POLICY),
    (Stage.DATA, "550 5.4.5 Daily user sending limit exceeded.", POLICY),
    (Stage.RCPT, "554 5.1.90 Your message can't be sent because you've reached your daily limit", POLICY),
    (Stage.RCPT, "550 Domain site.example has exceeded the max emails per hour (250/250 (100%)) allowed.", POLICY),
    (Stage.RCPT, "550 limit exceeded", POLICY),
    (Stage.RCPT, "550 You have exceeded your hourly quota", POLICY),
    (Stage.RCPT, "552 Sending quota exceeded", POLICY),
    (Stage.RCPT, "554 Outgoing message limit reached for this account", POLICY),
    (Stage.RCPT, "550 Mailbox has reached its daily sending limit", POLICY),
    (Stage.RCPT, "550 5.5.0 too many messages today", POLICY),
    (Stage.DOT, "550 5.4.5 Daily user sending limit exceeded.", SPAM),
    # A bad sender is our trouble, though its code begins with 5.1 and its text says 'user unknown'. Postfix, Exim.
    (Stage.RCPT, "550 5.1.8 <digest@site.example>: Sender address rejected: Domain not found", POLICY),
    (
        Stage.RCPT,
        (
            "550 5.1.7 <digest@site.example>: Sender address rejected: undeliverable address: host mx said: "
            "550 5.1.1 User unknown"
        ),
        POLICY,
    ),
    (Stage.RCPT, "550-Callback setup failed while verifying sender|550 Sender verify failed: unknown user", POLICY),
    # Our own authentication.
    (
        Stage.DOT,
        "550-5.7.26 This mail has been blocked because the sender is unauthenticated.|550 5.7.26 gsmtp",
        AUTHENTICATION,
    ),
    (Stage.DOT, "550 5.7.515 Access denied, sending domain does not meet the required level", AUTHENTICATION),
    (Stage.RCPT, "550 5.7.23 SPF validation failed", AUTHENTICATION),
    (Stage.RCPT, "550 5.7.200 something else", POLICY),
    # Our login, once it is asked for at the message (RFC 4954 §6).
    (Stage.RCPT, "535 5.7.8 authentication required", AUTHENTICATION),
    (Stage.RCPT, "535 Authentication failed; user unknown", AUTHENTICATION),
    (Stage.DATA, "535 5.7.8 Authentication credentials invalid", AUTHENTICATION),
    (Stage.DOT, "535 5.7.0 authentication failed", AUTHENTICATION),
    (Stage.RCPT, "534 5.7.9 Authentication mechanism is too weak", AUTHENTICATION),
    (Stage.DATA, "538 5.7.11 Encryption required for requested authentication mechanism", AUTHENTICATION),
    (Stage.MAIL, "535 5.7.8 authentication required", RELAY),
    # Greylisting: Postgrey, Exim, SQLgrey, an Exchange in front of one.
    (
        Stage.RCPT,
        (
            "450 4.2.0 <ann@example.org>: Recipient address rejected: Greylisted, see "
            "http://postgrey.schweikert.ch/help/example.org.html"
        ),
        GREYLISTED,
    ),
    (Stage.RCPT, "451-You have been greylisted.|451 Please try again in 5 minutes.", GREYLISTED),
    (Stage.RCPT, "451 4.7.1 Greylisting in action, please come back later", GREYLISTED),
    (Stage.RCPT, "450 4.7.1 Graylisted, try again", GREYLISTED),
    (Stage.RCPT, "451 temporarily rejected: grey-listing in effect, rate 1", GREYLISTED),
    (Stage.DOT, "451 4.7.1 grey listed", GREYLISTED),
    # The provider slows us: SES, Yahoo, Gmail, Outlook.
    (Stage.RCPT, "454 4.7.0 Throttling failure: Maximum sending rate exceeded.", THROTTLED),
    (Stage.DOT, "454 Throttling failure: Daily message quota exceeded.", THROTTLED),
    (Stage.RCPT, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to complaints", THROTTLED),
    (Stage.RCPT, "421-4.7.28 Our system has detected an unusual rate of unsolicited mail|421 4.7.28 gsmtp", THROTTLED),
    (Stage.RCPT, "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)", SLOWED),
    (Stage.RCPT, "451 too many recipients, slow down", THROTTLED),
    (Stage.DOT, "421 4.7.28 Come back later", THROTTLED),
    (Stage.RCPT, "421 4.7.0 try again later, closing connection", SLOWED),
    (Stage.DOT, "451 4.7.1 unfortunately, not now", SLOWED),
    # The relay is busy or closing.
    (Stage.RCPT, "452 4.3.1 Insufficient system storage", BUSY),
    (Stage.DOT, "451 4.3.0 Error: queue file write error", BUSY),
    (Stage.RCPT, "421 mx.example.com closing connection", BUSY),
    (Stage.DATA, "421 4.4.2 Error: timeout exceeded", BUSY),
    # The address, for now.
    (Stage.RCPT, "452 4.2.2 The email account that you tried to reach is over quota.", LATER),
    (Stage.RCPT, "450 4.2.1 The user you are trying to contact is receiving mail too quickly.", LATER),
    (
        Stage.RCPT,
        (
            "450-4.2.1 The user you are trying to contact is receiving email at a rate that|"
            "450 4.2.1 prevents additional messages from being delivered."
        ),
        LATER,
    ),
    (Stage.RCPT, "451 Temporary local problem - please try later", LATER),
    (Stage.RCPT, "450 4.1.2 <ann@example.org>: Recipient address rejected: Domain not found", LATER),
    (Stage.DATA, "451 4.5.0 try again", LATER),
    (Stage.RCPT, "450 4.4.1 connection moderately separated", LATER),
    # After the dot every answer is definite.
    (Stage.DOT, "250 2.0.0 Ok: queued as 4Xk2", ACCEPTED),
    (Stage.DOT, "250 2.6.0 <x@y> [InternalId=1] Queued mail for delivery", ACCEPTED),
    (Stage.DOT, "251 ok", ACCEPTED),
    (Stage.DOT, "299", ACCEPTED),
    # Put off after the dot it is the message's trouble, except where the answer speaks of somebody else's.
    (Stage.DOT, "451 4.6.0 content check pending", PUT_OFF),
    (Stage.DOT, "451 Temporary local problem - please try later", PUT_OFF),
    (Stage.DOT, "450 4.4.1 no answer from the scanner", PUT_OFF),
    (Stage.DOT, "452 4.2.2 mailbox full", LATER),
    (Stage.DOT, "450 4.2.1 at a rate that prevents more", LATER),
    (Stage.DOT, "451 4.2.0 mailbox busy", LATER),
    (Stage.DOT, "452 mailbox full", LATER),
    (Stage.DOT, "452 daily sending quota exceeded", PUT_OFF),
    (Stage.DATA, "451 4.6.0 content check pending", LATER),
    (Stage.DOT, "552 5.3.4 Message size exceeds fixed limit", TOO_BIG),
    (Stage.DOT, "554 5.2.3 longer than what the administrator allows", TOO_BIG),
    (Stage.DATA, "552 too much mail data", TOO_BIG),
    (Stage.DOT, "552 blocked as spam", SPAM),
    (Stage.DOT, "552 5.2.2 mailbox full", REFUSED),
    (Stage.DOT, "552-5.7.0 This message was blocked because its content presents a security issue.|552 5.7.0", SPAM),
    (Stage.DOT, "554 5.7.1 Spam message rejected", SPAM),
    (Stage.DOT, "550 5.6.0 malformed", MESSAGE),
    (Stage.DOT, "550 5.1.1 user unknown", UNKNOWN),
    (Stage.DATA, "554 5.5.1 Error: no valid recipients", MESSAGE),
]


@pytest.mark.parametrize(("stage", "text", "verdict"), CASES, ids=lambda value: str(value)[:60])
def test_what_a_reply_means(stage, text, verdict):
    assert judge(Answer(stage, said(text))) == verdict


@pytest.mark.parametrize("stage", BEFORE_MAIL)
@pytest.mark.parametrize("fresh", [True, False])
def test_silence_before_mail_is_the_relays(stage, fresh):
    assert judge(Answer(stage, None, "refused"), fresh=fresh) == RELAY


@pytest.mark.parametrize("stage", BEFORE_THE_DOT)
def test_a_connection_lost_before_the_dot_means_not_accepted(stage):
    assert judge(Answer(stage, None, "closed")) == LOST


def test_a_relay_may_close_a_used_connection_between_two_messages():
    assert judge(Answer(Stage.MAIL, None, "closed"), fresh=False) == Verdict(DeliveryState.PENDING, "relay")


def test_only_silence_after_the_dot_is_doubt():
    assert judge(Answer(Stage.DOT, None, "closed")) == DOUBT
    assert judge(Answer(Stage.DOT, None, "closed"), fresh=False) == DOUBT


SAID = ["", "user unknown", "greylisted", "relay denied", "too many", "rate", "blocked", "mailbox full", "hello"]


@given(
    stage=st.sampled_from(Stage),
    code=st.integers(200, 599) | st.sampled_from([421, 452, 535, 552, 553]),
    enhanced=st.sampled_from(["", "x.1.1", "x.2.1", "x.2.2", "x.3.1", "x.7.1", "x.7.26", "x.7.28"]),
    text=st.sampled_from(SAID),
    fresh=st.booleans(),
    silent=st.booleans(),
)
def test_rules_that_hold_for_every_answer(stage, code, enhanced, text, fresh, silent):
    reply = None if silent else Reply(code, enhanced.replace("x", str(code)[0]), text)
    verdict = judge(Answer(stage, reply, "closed" if silent else ""), fresh=fresh)

    assert (verdict.state is DeliveryState.ACCEPTED) == (stage is Stage.DOT and not silent and code < 300)
    unparsable = silent or code < 400
    in_doubt = stage is Stage.DOT and unparsable and verdict.state is not DeliveryState.ACCEPTED
    assert (verdict.state is DeliveryState.IN_DOUBT) == in_doubt
    assert verdict.state in {*UNFINISHED - {"claimed", "sending"}, DeliveryState.ACCEPTED, DeliveryState.FAILED}
    if verdict.reason == "too_big":
        assert stage not in BEFORE_MAIL
    elif stage in BEFORE_MAIL or (stage is Stage.MAIL and not silent):
        assert (verdict.state, verdict.costs) == (DeliveryState.PENDING, False)
    if verdict.state is DeliveryState.FAILED:
        assert code >= 500
    if verdict.hard_bounce:
        assert (verdict.state, verdict.blame) == (DeliveryState.FAILED, Blame.READER)
        assert not enhanced.startswith("x.7")
    if verdict.slows is not Slow.NOTHING:
        assert verdict.blame in {Blame.DOMAIN, Blame.RELAY}
        assert not verdict.costs
        assert 400 <= code < 500
    if verdict.refused:
        assert (verdict.blame, code // 100) == (Blame.OURS, 5)
    if verdict.greylisted or verdict.reason in {"throttled", "relay_busy", "policy", "authentication"}:
        assert not verdict.costs
    if pauses(verdict.reason):
        assert verdict.blame is Blame.OURS
    assert len(verdict.reason) <= 19, "the file of results that could not be committed keeps no more"


@pytest.mark.parametrize(
    ("verdict", "number"),
    [
        (AUTHENTICATION, 3),
        (MESSAGE, 5),
        (SPAM, 5),
        (TOO_BIG, 5),
        (PUT_OFF, 5),
        (LATER, None),
        (UNTOLD, None),
        (POLICY, None),
        (UNKNOWN, None),
        (THROTTLED, None),
        (ACCEPTED, None),
    ],
    ids=lambda value: getattr(value, "reason", ""),
)
def test_an_edition_pauses_after_so_many_that_no_reader_is_to_blame_for(verdict, number):
    assert pauses(verdict.reason) == number


def test_an_answer_is_shown_as_the_relay_said_it():
    assert str(Answer(Stage.RCPT, said("550-5.1.1 no|550 5.1.1 such user"))) == "550 5.1.1 no such user"
    assert str(Answer(Stage.RCPT, said("550 no"))) == "550 no"
    assert str(Answer(Stage.DOT, None, "the connection was lost")) == "the connection was lost"


def test_the_sets_of_states_fit_together():
    assert NOT_ON_THE_WIRE < UNFINISHED
    assert {DeliveryState.SENDING, DeliveryState.IN_DOUBT} == GIVEN & UNFINISHED
    assert UNFINISHED - NOT_ON_THE_WIRE <= GIVEN


@pytest.mark.parametrize(
    ("verdict", "minutes"),
    [
        (LATER, [5, 10, 20, 40, 80, 120, 120, 120]),
        (THROTTLED, [5, 10, 20, 40, 80, 120, 120, 120]),
        (BUSY, [5, 10, 20, 40, 80, 120, 120, 120]),
        (PUT_OFF, [5, 10, 20, 40, 80, 120, 120, 120]),
        (GREYLISTED, [5, 15, 30, 30]),
    ],
    ids=lambda value: getattr(value, "reason", ""),
)
def test_it_is_tried_again_ever_later(verdict, minutes):
    turns = range(1, len(minutes) + 1)
    found = [
        backoff(verdict, attempts=turn if verdict.costs else 9, waits=9 if verdict.costs else turn, chance=0.5)
        for turn in turns
    ]
    assert found == [timedelta(minutes=each) for each in minutes]


@given(turn=st.integers(0, 1000), chance=st.floats(0, 1), verdict=st.sampled_from([LATER, GREYLISTED, THROTTLED]))
def test_chance_spreads_it_by_a_tenth(turn, chance, verdict):
    middle = backoff(verdict, attempts=turn, waits=turn, chance=0.5)
    found = backoff(verdict, attempts=turn, waits=turn, chance=chance)
    assert abs(found / middle - 1) <= JITTER + 1e-9
    ends = [backoff(verdict, attempts=turn, waits=turn, chance=edge) for edge in (0, 0.5, 1)]
    assert all(earlier < later for earlier, later in pairwise(ends))
