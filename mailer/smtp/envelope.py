"""MAIL FROM and RCPT TO: which addresses may be written into them, and with which parameters."""

import re
from dataclasses import dataclass

from mailer.core.delivery import Answer, Reply, Stage
from mailer.core.message import Mail

# No control, space, line separator or angle bracket: each could end the command or add a parameter to it.
# RFC 5321 §4.5.3.1.3: a path holds 256 octets with its brackets.
_ADDRESS = re.compile(r"[^\s\x00-\x20\x7f-\x9f<>\ud800-\udfff]+@[^\s\x00-\x20\x7f-\x9f<>@\ud800-\udfff]+")
# The same of ASCII alone: all that is visible but < > @.
_PLAIN = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")
_MAX_ADDRESS = 254
_MAX_ENVID, _MAX_ORCPT = 100, 500  # characters (RFC 3461 §4.4, §4.2)
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the relay's EHLO offered, of what is of use here. `limit`: octets of a message at most; 0: it didn't say."""

    size: bool = False
    limit: int = 0
    eight_bit: bool = False
    utf8: bool = False
    pipelining: bool = False
    dsn: bool = False


def refused_here(mail: Mail, offered: Extensions) -> Answer | None:
    """The answer for a mail that must not reach the relay because of its addresses; None where it may.

    The texts are ours and the codes those a relay would give (RFC 3463 §3.2 and §3.8, RFC 6531 §3.5).
    """
    plain = _is_plain(mail.recipient)
    if plain and (not mail.sender or _is_plain(mail.sender)):
        return None
    if not plain and not _writable(mail.recipient):
        return Answer(Stage.RCPT, Reply(553, "5.1.3", "not sent: the address can't be written into an SMTP command"))
    if mail.sender and not _writable(mail.sender):
        return Answer(Stage.MAIL, Reply(553, "5.1.7", "not sent: the sender can't be written into an SMTP command"))
    if not offered.utf8 and not mail.recipient.isascii():
        return Answer(Stage.RCPT, Reply(553, "5.6.7", "not sent: the relay takes no addresses beyond ASCII (SMTPUTF8)"))
    if not offered.utf8 and not mail.sender.isascii():
        return Answer(Stage.MAIL, Reply(553, "5.6.7", "not sent: the relay takes no sender beyond ASCII (SMTPUTF8)"))
    return None


def mail_from(mail: Mail, size: int, offered: Extensions) -> bytes:
    """The MAIL command with its line end. `size`: octets of the message (RFC 1870 §3)."""
    line = f"MAIL FROM:<{mail.sender}>"
    if offered.size:
        line += f" SIZE={size}"
    if offered.eight_bit and not mail.ready and not mail.data.isascii():
        line += " BODY=8BITMIME"  # RFC 6152
    if not (mail.sender.isascii() and mail.recipient.isascii()):
        line += " SMTPUTF8"
    if offered.dsn and mail.envelope_id:
        line += f" RET=HDRS{_named(mail.envelope_id)}"  # RFC 3461 §4.3
    return line.encode() + b"\r\n"


def rcpt_to(mail: Mail, offered: Extensions) -> bytes:
    """The RCPT command with its line end. Where failures shall be told, delays are not: nothing is done about them."""
    line = f"RCPT TO:<{mail.recipient}>"
    if offered.dsn and mail.envelope_id:
        line += " NOTIFY=FAILURE"  # RFC 3461 §4.1
        # Beyond ASCII it would be 'utf-8;…' (RFC 6533 §3), which not every relay knows: ENVID says as much.
        if mail.recipient.isascii() and len(original := f"rfc822;{_xtext(mail.recipient)}") <= _MAX_ORCPT:
            line += f" ORCPT={original}"  # RFC 3461 §4.2
    return line.encode() + b"\r\n"


def _is_plain(address: str) -> bool:
    """Whether it is an address of ASCII alone that may be written; nearly all are, and this is quick to see."""
    return len(address) <= _MAX_ADDRESS and _PLAIN.fullmatch(address) is not None


def _named(envelope_id: str) -> str:
    """RFC 3461 §4.4: at most 100 characters, of printable ASCII; what isn't so is left away."""
    if len(envelope_id) > _MAX_ENVID or not (envelope_id.isascii() and envelope_id.isprintable()):
        return ""
    return f" ENVID={_xtext(envelope_id)}"


def _xtext(text: str) -> str:
    """ASCII as RFC 3461 §4 has it: all but what is visible, and '+' and '=', as '+' and two hexadecimal digits."""
    return _NOT_XTEXT.sub(lambda char: f"+{ord(char[0]):02X}", text)


def _writable(address: str) -> bool:
    return len(address.encode(errors="replace")) <= _MAX_ADDRESS and _ADDRESS.fullmatch(address) is not None
