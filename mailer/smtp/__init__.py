"""The only SMTP speaker: opens connections to a relay and sends mail over them. What a relay answers is a value."""

from mailer.smtp.connection import Connection
from mailer.smtp.options import RelayOptions
from mailer.smtp.relay import Relay

__all__ = ["Connection", "Relay", "RelayOptions"]
