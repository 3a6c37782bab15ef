"""A message as bytes: header fields, quoted-printable, and the compiled form with slots for each reader."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes over the wire. `data`: the whole message, CRLF line ends, not yet dot-stuffed, without the final dot."""

    sender: str
    recipient: str
    data: bytes
