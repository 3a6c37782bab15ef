"""What an SMTP answer means: for the delivery it was about, and for its edition."""

import re

from mailer.core.delivery import Answer, Blame, DeliveryState, Reply, Slow, Stage, Verdict

# RFC 3463 §3.3, §3.4: about this message's size, whoever it is for.
_TOO_BIG = frozenset({"5.2.3", "5.3.4"})
_GREYLIST = re.compile(r"gr[ea]y-?\s?list", re.IGNORECASE)
_THROTTLE = re.compile(r"throttl|TSS04|too many|\brate\b|temporarily deferred", re.IGNORECASE)
_THROTTLE_CODE = "4.7.28"
# RFC 3463 §3.3: the state of one mailbox. Gmail says 4.2.1 of a reader who gets mail 'at a rate that prevents' more.
_MAILBOX = ("4.2.1", "4.2.2")
# Said of connections: fewer of them is what is asked for, not a message a minute.
_CONNECTIONS = re.compile(r"connections|concurren", re.IGNORECASE)
_UNKNOWN_USER = re.compile(
    r"unknown (?:local )?(?:user|recipient|mailbox|account)|user (?:is )?unknown|no such (?:user|mailbox|recipient|"
    r"address|person)|(?:user|mailbox|recipient|account|address)[^.;]{0,60}(?:does not|doesn.t) exist|"
    r"(?:user|recipient|mailbox) (?:was )?not found|invalid (?:recipient|mailbox)|no mailbox (?:here|by that)",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"relay\w* (?:\w+ ){0,3}?(?:not (?:permitted|allowed)|prohibited|denied)|not? relay|unable to relay|rcpthosts|"
    r"authenticat|starttls|blocked|blacklist|block ?list|spam|spamhaus|policy|reputation|"
    r"(?:access|permission) denied|administrative(?:ly)? prohibit|not (?:allowed|permitted|authori[sz]ed) to send",
    re.IGNORECASE,
)
# How much may be sent. A quota that nothing is said of is a mailbox's, a limit is a sender's.
_SENDING_LIMIT = re.compile(
    r"(?:\bsend(?:ing|er)?\b(?! to)|outgoing|outbound|daily|hourly|\byour)\b[^.;]{0,40}\b(?:limit|quota)|"
    r"exceed\w* [^.;]{0,60}\bper (?:minute|hour|day)|too many (?:messages|e?-?mails|recipients)",
    re.IGNORECASE,
)
_A_LIMIT = re.compile(
    r"\blimits? (?:\w+ ){0,2}?(?:exceeded|reached)|(?:exceed|reach)\w* (?:\w+ ){0,3}?limit", re.IGNORECASE
)
_SIZE = re.compile(r"\b(?:size|length|large|larger|big)\b", re.IGNORECASE)
_STORED = re.compile(r"mailbox|inbox|storage|\b(?:disk|space)\b", re.IGNORECASE)
_FULL = re.compile(
    r"quota|(?:mailbox|inbox)\b[^.;]{0,60}\b(?:full|storage|space|limit)|"
    r"(?:recipient|user|account)\b[^.;]{0,60}\b(?:full|storage|space)",
    re.IGNORECASE,
)
_FULL_OR_OFF = frozenset({"5.2.1", "5.2.2"})  # RFC 3463 §3.3
# A domain that isn't there may be a fault of the relay's DNS: nothing that speaks of one is held against an address.
_ABOUT_A_DOMAIN = re.compile(r"\b(?:domain|host|mx)\b", re.IGNORECASE)
# Codes that say nothing by themselves, so that the text may. 5.1.10 is of a domain (RFC 7505), or of an address.
_UNTELLING = frozenset({"", "5.0.0", "5.1.0", "5.5.0"})
_GENERIC = _UNTELLING | {"5.1.10"}
# RFC 5321 §4.2.2, RFC 4954 §6: out of sequence, authentication required: about us, not about the reader.
_ABOUT_US = frozenset({503, 530})
# RFC 4954 §6, and 538 of RFC 2554 §6 before it: how we signed in.
_OUR_LOGIN = frozenset({534, 535, 538})
_OUR_AUTHENTICATION = re.compile(r"5\.7\.(?:2[0-9]|30|515)\Z")
# How much we may send: Gmail's 5.4.5 (RFC 3463 §3.5: congestion, so no recipient's), Microsoft's 5.1.90.
_OUR_LIMIT = frozenset({"5.4.5", "5.1.90"})
_DEAD_ADDRESS = frozenset({"5.1.1", "5.1.3", "5.1.6"})
# RFC 3463 §3.2: 5.1.7 and 5.1.8 are about the sender. Postfix says them at RCPT, with 'user unknown' in the text.
_BAD_SENDER = frozenset({"5.1.7", "5.1.8"})
_SENDER = re.compile(r"sender (?:address|domain|verif)", re.IGNORECASE)
# RFC 5321 §4.2.3: the address's syntax, its mailbox's name; unless a code says something else (RFC 3463 §3.6).
_BAD_NAME = frozenset({501, 553})
_OF_SYNTAX = _UNTELLING | {"5.5.2", "5.5.4"}
# RFC 3463 §3.2, §3.3: addresses and mailboxes; RFC 6531 §3.5: the address is beyond ASCII, and the relay isn't.
# Microsoft's 5.2.252 is about who sends.
_OF_A_READER = re.compile(r"5\.(?:1\.\d+|2\.[0-4]|6\.7)\Z")
# Microsoft's words for a recipient that its directory doesn't have; 'Access denied' follows, and means nobody else.
_NOT_IN_THE_DIRECTORY = ("5.4.1", "recipient address rejected")
_BEFORE_MAIL = frozenset({Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.EHLO, Stage.AUTH})


_ACCEPTED = Verdict(DeliveryState.ACCEPTED, "accepted")


def judge(answer: Answer, *, fresh: bool = True) -> Verdict:
    """What an SMTP answer means for the delivery it was about (delivery.md, 'What an answer means').

    `fresh`: the connection had carried no message before. A relay may close a used one between two messages.
    """
    if answer.reply is None:
        return _judge_silence(answer.stage, fresh=fresh)
    if answer.stage is Stage.DOT and 200 <= answer.reply.code < 300:  # noqa: PLR2004  # RFC 5321 §4.2.1: 2yz
        return _ACCEPTED
    if answer.stage in _BEFORE_MAIL or answer.stage is Stage.MAIL:
        if answer.stage is Stage.MAIL and is_too_big(answer.reply):  # RFC 1870 §6.1
            return Verdict(DeliveryState.FAILED, "too_big", Blame.OURS)
        return Verdict(DeliveryState.PENDING, "relay", Blame.RELAY, slows=_slows_the_relay(answer.stage, answer.reply))
    first = answer.reply.code // 100
    if first == 4:  # noqa: PLR2004  # RFC 5321 §4.2.1: 4yz
        return _judge_later(answer.stage, answer.reply)
    if first == 5:  # noqa: PLR2004  # RFC 5321 §4.2.1: 5yz
        return _judge_never(answer.stage, answer.reply)
    return _judge_silence(answer.stage, fresh=True)


def _judge_silence(stage: Stage, *, fresh: bool) -> Verdict:
    """No parsable reply: only after the dot is there a doubt (RFC 1047)."""
    if stage in _BEFORE_MAIL:
        return Verdict(DeliveryState.PENDING, "relay", Blame.RELAY)
    if stage is Stage.DOT:
        return Verdict(DeliveryState.IN_DOUBT, "in_doubt", Blame.RELAY)
    if stage is Stage.MAIL and not fresh:
        return Verdict(DeliveryState.PENDING, "relay", Blame.NOBODY)
    return Verdict(DeliveryState.DEFERRED, "connection_lost", Blame.RELAY, costs=True)


def _slows_the_relay(stage: Stage, reply: Reply) -> Slow:
    """What a relay asks for that takes no message now."""
    if reply.code // 100 != 4:  # noqa: PLR2004  # RFC 5321 §4.2.1: 4yz
        return Slow.NOTHING
    if _is_throttle(reply):
        return Slow.HALVE if _CONNECTIONS.search(reply.text) else Slow.THROTTLE
    return Slow.HALVE if stage is Stage.MAIL and _is_busy(reply) else Slow.NOTHING


def _judge_later(stage: Stage, reply: Reply) -> Verdict:
    """A 4yz reply: who slows, and whether it uses up an attempt."""
    if _GREYLIST.search(reply.text):
        return Verdict(DeliveryState.DEFERRED, "greylisted", Blame.READER, greylisted=True)
    if _is_throttle(reply):
        return Verdict(DeliveryState.DEFERRED, "throttled", Blame.DOMAIN, slows=Slow.THROTTLE)
    if reply.enhanced.startswith("4.7."):
        return Verdict(DeliveryState.DEFERRED, "throttled", Blame.DOMAIN, slows=Slow.HALVE)
    if _is_busy(reply):
        return Verdict(DeliveryState.DEFERRED, "relay_busy", Blame.RELAY, slows=Slow.HALVE)
    if stage is Stage.DOT and not (reply.enhanced.startswith("4.2.") or _is_full(reply)):
        return Verdict(DeliveryState.DEFERRED, "message_deferred", Blame.OURS, costs=True)
    return Verdict(DeliveryState.DEFERRED, "deferred", Blame.READER, costs=True)


def _is_throttle(reply: Reply) -> bool:
    said = reply.enhanced == _THROTTLE_CODE or _THROTTLE.search(reply.text)
    return bool(said) and reply.enhanced not in _MAILBOX


def _is_busy(reply: Reply) -> bool:
    return reply.code == 421 or reply.enhanced.startswith("4.3.")  # noqa: PLR2004  # RFC 5321 §3.8: closing down


def is_too_big(reply: Reply) -> bool:
    """RFC 5321 §4.2.2: 552 may be of storage; a code of RFC 3463 says it better, where there is one."""
    if reply.enhanced in _TOO_BIG:
        return True
    generic = reply.code == 552 and reply.enhanced in _GENERIC  # noqa: PLR2004
    return generic and not (_is_full_or_off(reply) or _is_policy(reply))


def _judge_never(stage: Stage, reply: Reply) -> Verdict:
    """A 5yz reply. '5xx means suppress' is wrong most of the time: only a dead address is held against it."""
    if reply.code in _OUR_LOGIN or _OUR_AUTHENTICATION.match(reply.enhanced):
        return Verdict(DeliveryState.DEFERRED, "authentication", Blame.OURS, refused=True)
    policy = _is_policy(reply)
    if policy and stage is not Stage.DOT:
        return Verdict(DeliveryState.DEFERRED, "policy", Blame.OURS, refused=True)
    if reply.enhanced in _DEAD_ADDRESS or (reply.enhanced in _GENERIC and not policy and _is_unknown(reply)):
        return Verdict(DeliveryState.FAILED, "no_such_address", Blame.READER, hard_bounce=True)
    if is_too_big(reply) and not policy:
        return Verdict(DeliveryState.FAILED, "too_big", Blame.OURS)
    if _is_full_or_off(reply) or (stage is Stage.RCPT and _is_the_readers(reply)):
        return Verdict(DeliveryState.FAILED, "refused", Blame.READER)
    if stage is Stage.RCPT:
        # Whom it means isn't said: once is one reader's loss, and the breaker sees to it that it isn't everybody's.
        return Verdict(DeliveryState.FAILED, "refused", Blame.OURS, refused=True)
    return Verdict(DeliveryState.FAILED, "message_refused", Blame.OURS, refused=policy)


def _is_policy(reply: Reply) -> bool:
    """Whether it is about us: who we are, what we may and how much."""
    return bool(
        reply.enhanced.startswith("5.7.")
        or reply.code in _ABOUT_US
        or reply.enhanced in _BAD_SENDER | _OUR_LIMIT
        or (reply.enhanced not in _DEAD_ADDRESS and _SENDER.search(reply.text))
        or (reply.enhanced in _UNTELLING and (_POLICY.search(reply.text) or _is_our_limit(reply)))
    )


def _is_our_limit(reply: Reply) -> bool:
    """In words: what we may send is used up. Not a message's size, nor what a mailbox holds."""
    if _SIZE.search(reply.text):
        return False
    # RFC 5321 §4.2.2: 552 is of storage, where nothing is said of sending.
    some = _A_LIMIT.search(reply.text) and not _STORED.search(reply.text) and reply.code != 552  # noqa: PLR2004
    return bool(some or _SENDING_LIMIT.search(reply.text))


def _is_full(reply: Reply) -> bool:
    """In words: this mailbox holds no more."""
    return bool(_FULL.search(reply.text)) and not _is_our_limit(reply)


def _is_unknown(reply: Reply) -> bool:
    return bool(_UNKNOWN_USER.search(reply.text)) and not _ABOUT_A_DOMAIN.search(reply.text)


def _is_full_or_off(reply: Reply) -> bool:
    """This mailbox, also where a relay says so after the dot: by its code, or in words where the code tells nothing."""
    if reply.enhanced in _UNTELLING:
        return _is_full(reply) and not _is_policy(reply)
    return reply.enhanced in _FULL_OR_OFF


def _is_the_readers(reply: Reply) -> bool:
    """Whether a 5yz at RCPT that is no policy is about this recipient, so that nothing follows for the others."""
    code, words = _NOT_IN_THE_DIRECTORY
    return (
        _OF_A_READER.match(reply.enhanced) is not None
        or (reply.code in _BAD_NAME and reply.enhanced in _OF_SYNTAX)
        or (reply.enhanced == code and words in reply.text.lower())
        or _is_unknown(reply)
    )


_PAUSES = {"authentication": 3, "message_refused": 5, "message_deferred": 5, "too_big": 5}


def pauses(reason: str) -> int | None:
    """After how many verdicts of this reason an edition pauses, for somebody to look; None: whatever their number."""
    return _PAUSES.get(reason)


def ends_in(verdict: Verdict, *, doubts: int) -> DeliveryState:
    """Where a delivery goes that was in doubt so many times before.

    What is said of a second copy says nothing of the first, unless that there is no such address (decision 0020).
    """
    if doubts and verdict.state is DeliveryState.FAILED and not verdict.hard_bounce:
        return DeliveryState.IN_DOUBT_HELD
    return verdict.state
