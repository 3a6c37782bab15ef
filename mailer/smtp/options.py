"""The table [smtp] of the settings, and each table [relay.<name>]."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_HOST = re.compile(r"[^\s\x00-\x1f\x7f/@\[\]]{1,253}")
_DOMAIN = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


class RelayOptions(BaseModel):
    """How to reach a relay, and what it is given. A field's description is its comment in config.example.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        default="localhost", description="Name or address of the SMTP relay. Its certificate must be for this name."
    )
    port: int = Field(
        default=587,
        ge=1,
        le=65535,
        description="Port of the relay: usually 587 for starttls, 465 for tls, 25 for none.",
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection is protected: starttls, tls (from the first byte) or none. "
        "Nothing is sent in clear unless this says none.",
    )
    username: str = Field(default="", description="Name to sign in with. Empty: no signing in.")
    password: SecretStr = Field(
        default=SecretStr(""),
        description="Password to sign in with. Better kept in password_file or in the environment.",
    )
    password_file: Path | None = Field(
        default=None, description="File that holds the password and nothing else, readable by its owner only (0600)."
    )
    connections: int = Field(
        default=10, ge=1, le=100, description="Most connections kept open to the relay at once, for each process."
    )
    messages_per_connection: int = Field(
        default=100, ge=1, le=10_000, description="After so many messages a connection is closed and another opened."
    )
    rate_per_second: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Most messages given to it in a second, such as 0.5 or 14; 0 is no limit.",
    )
    rate_per_hour: int = Field(default=0, ge=0, description="Most messages in any 60 minutes; 0 is no limit.")
    rate_per_day: int = Field(default=0, ge=0, description="Most messages in any 24 hours; 0 is no limit.")
    weight: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="Its share of the mail among the relays that work: one of 3 takes three times what one of 1 takes. "
        "0: it takes none.",
    )
    from_domains: tuple[str, ...] = Field(
        default=(),
        description="It takes only mail from an address at one of these domains, without their subdomains; "
        "none named: any mail.",
    )
    failover: bool = Field(default=False, description="Whether it is used only while no other relay works.")

    @field_validator("host")
    @classmethod
    def _host_is_a_name(cls, host: str) -> str:
        if not _HOST.fullmatch(host):
            raise ValueError("must be a host name or an address, without spaces, scheme or port")
        return host

    @field_validator("from_domains")
    @classmethod
    def _domains_are_names(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        # As from_address has it: lower-case and ASCII.
        return tuple(_domain(domain) for domain in domains)

    def may_take(self, sender: str) -> bool:
        """Whether mail from this address may go this way."""
        return not self.from_domains or sender.rpartition("@")[2].lower() in self.from_domains

    @property
    def keeps_secrets(self) -> bool:
        """Whether a password may be sent: over TLS, or without leaving this machine."""
        return self.security != "none" or _is_loopback(self.host)


def _domain(text: str) -> str:
    try:
        name = text.strip().lower().rstrip(".").encode("idna").decode()
    except UnicodeError:
        name = ""
    if not _DOMAIN.fullmatch(name):
        raise ValueError("must hold domains like 'news.example.org'")
    return name


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    # RFC 6761 §6.3: localhost and every name below it are loopback.
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
