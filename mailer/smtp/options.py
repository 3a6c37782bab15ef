"""The [smtp] table of the settings."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_HOST = re.compile(r"[^\s\x00-\x1f\x7f/@\[\]]{1,253}")


class RelayOptions(BaseModel):
    """How to reach the relay. A field's description is its comment in config.example.toml."""

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

    @field_validator("host")
    @classmethod
    def _host_is_a_name(cls, host: str) -> str:
        if not _HOST.fullmatch(host):
            raise ValueError("must be a host name or an address, without spaces, scheme or port")
        return host

    @property
    def keeps_secrets(self) -> bool:
        """Whether a password may be sent: over TLS, or without leaving this machine."""
        return self.security != "none" or _is_loopback(self.host)


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    # RFC 6761 §6.3: localhost and every name below it are loopback.
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
