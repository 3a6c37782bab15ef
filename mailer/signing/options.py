"""The [dkim] table of the settings."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mailer.core.header import ascii_domain
from mailer.errors import InputError

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_SELECTOR = re.compile(rf"(?=.{{1,63}}\Z){_LABEL}(?:\.{_LABEL})*")


def checked_domain(text: str) -> str:
    """The domain in ASCII and lower case. ValueError: a sentence to follow what it was given as."""
    with suppress(InputError):
        domain = ascii_domain(text.strip().lower())
        if _DOMAIN.fullmatch(domain):
            return domain
    raise ValueError("must be a domain like 'news.example.org'")


def checked_selector(text: str) -> str:
    """The same of a selector."""
    selector = text.strip().lower()
    if not _SELECTOR.fullmatch(selector):
        raise ValueError("must be a name of letters, digits and dashes, like 'mailer202611'")
    return selector


class DkimOptions(BaseModel):
    """Which domain vouches for the mails, with which keys. A field's description is its comment in the example."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: str = Field(
        default="",
        description="The domain that vouches for the mails: that of [site] from_address, or one above it. Empty: mails "
        "are not signed here. Leave it so where your relay signs them. `mailer dkim generate` makes a key and says "
        "what to write here and into the DNS.",
    )
    selector: str = Field(
        default="",
        description="The name of the key in the DNS, where <selector>._domainkey.<domain> has its public half.",
    )
    key_file: Path | None = Field(
        default=None,
        description="File with the private key, RSA of 2048 bits or more in PEM form, readable by its owner only "
        "(0600).",
        examples=["dkim-mailer202611.pem"],
    )
    ed25519_selector: str = Field(
        default="",
        description="The name of a second key, Ed25519 (RFC 8463), whose signature stands beside the first one. Few "
        "receivers read it yet; the RSA key stays needed. Empty: none.",
    )
    ed25519_key_file: Path | None = Field(
        default=None, description="File with the second key, as key_file.", examples=["dkim-mailer202611e.pem"]
    )

    @field_validator("domain")
    @classmethod
    def _domain_is_one(cls, text: str) -> str:
        return checked_domain(text) if text else ""

    @field_validator("selector", "ed25519_selector")
    @classmethod
    def _selector_is_one(cls, text: str) -> str:
        return checked_selector(text) if text else ""

    @model_validator(mode="after")
    def _keys_are_whole(self) -> Self:
        if not self.domain:
            return self
        if not self.selector or self.key_file is None:
            raise ValueError("domain needs selector and key_file beside it; `mailer dkim generate` makes them")
        if bool(self.ed25519_selector) != (self.ed25519_key_file is not None):
            raise ValueError("ed25519_selector and ed25519_key_file go together; write both or neither")
        if self.selector == self.ed25519_selector:
            raise ValueError("selector and ed25519_selector must differ: the DNS has one key under each")
        return self

    def covers(self, address: str) -> bool:
        """Whether mail from this address is the domain's to vouch for (RFC 7489 §3.1.1)."""
        of = ascii_domain(address.rpartition("@")[2]).lower()
        return of == self.domain or of.endswith(f".{self.domain}")
