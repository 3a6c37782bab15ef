"""The ledger's rules: what an SMTP answer means for a delivery, and when it is tried again."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where in the dialogue with the relay an answer was given, in the order of the dialogue."""

    CONNECT = "connect"  # name look-up and TCP
    TLS = "tls"
    GREETING = "greeting"
    EHLO = "ehlo"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  # the message's bytes, before the final dot was handed to the transport
    DOT = "dot"  # the final dot was handed over: from here on, silence means doubt


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the server. `enhanced`: '5.1.1' (RFC 3463) or ''. `text`: its lines without code, one space between."""

    code: int
    enhanced: str = ""
    text: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one try ended. `reply` is None where no parsable reply came; then `trouble` says why in words."""

    stage: Stage
    reply: Reply | None = None
    trouble: str = ""

    def __str__(self) -> str:
        return str(self.reply) if self.reply else self.trouble
