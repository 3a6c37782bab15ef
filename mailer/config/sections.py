"""The sections of the settings that no room below owns. A field's description is its comment in config.example.toml."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from mailer.config.secret_files import SHORTEST_KEY, read_keys
from mailer.config.values import (
    Language,
    Line,
    Listed,
    ListId,
    Mailbox,
    Name,
    Network,
    OptionalMailbox,
    Origin,
    Paragraph,
    PublicAddress,
    TimeZone,
    WebAddress,
)
from mailer.core.cadence import CadenceOptions
from mailer.core.duration import Duration
from mailer.core.signup import SignupOptions
from mailer.core.tokens import LONGEST_BOUNCE
from mailer.smtp import RelayOptions
from mailer.templating.subject import check_subject


class CadenceTable(CadenceOptions):
    """A table [cadence.<name>] as read from the file: core has the setting of the subject, and doesn't know Jinja."""

    @field_validator("subject")
    @classmethod
    def _subject_can_be_written(cls, text: str) -> str:
        return check_subject(text)


class SignupTable(SignupOptions):
    """The table [signup] as read from the file: a list may come from the environment."""

    big_domains: Annotated[tuple[str, ...], Listed] = SignupOptions.model_fields["big_domains"]  # type: ignore[assignment]


class RelayTable(RelayOptions):
    """The table [smtp] or [relay.<name>] as read from the file: a list may come from the environment."""

    from_domains: Annotated[tuple[str, ...], Listed] = RelayOptions.model_fields["from_domains"]  # type: ignore[assignment]

    @model_validator(mode="after")
    def _no_password_goes_in_clear(self) -> Self:
        if self.username and not self.keeps_secrets:
            raise ValueError('security = "none" would send the password in clear; use "starttls" or "tls"')
        return self


_LONGEST_LOCAL = 64  # octets before the @ (RFC 5321 §4.5.3.1.1)
_LONGEST_ADDRESS = 254  # octets of an address, so that 256 hold it with its brackets (RFC 5321 §4.5.3.1.3)
_DATABASE = re.compile(r"sqlite:///(?!:memory:)[^\s?][^\n]*|postgresql(\+psycopg)?://\S+", re.ASCII)


class Section(BaseModel):
    """A table of the file: frozen, and an unknown key in it is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteOptions(Section):
    name: Name = Field(description="The site's name, as readers know it.", examples=["Example Health News"])
    tagline: Line = Field(default="", description="One line under the name.", examples=["Medical news and research"])
    url: WebAddress = Field(
        description="The site's address on the web (http or https).", examples=["https://news.example.org"]
    )
    from_name: Line = Field(default="", description="The name that mails come from. Empty: the site's name.")
    from_address: Mailbox = Field(
        description="The address that mails come from. Your relay must be allowed to send for its domain.",
        examples=["digest@news.example.org"],
    )
    reply_to: OptionalMailbox = Field(default="", description="Where answers go. Empty: to from_address.")
    postal_address: Paragraph = Field(
        default="",
        description="The postal address in the footer of every mail. The law asks for it (CAN-SPAM, CASL): "
        "without one, sending is refused.",
        examples=["Example Health News, 1 Sample Street, Sampleton 12345"],
    )
    timezone: TimeZone = Field(
        default="UTC",
        description="The time zone of the cadences below and of dates in mails: an IANA name like 'Europe/Berlin'.",
    )
    language: Language = Field(default="en", description="The language of the site, as a tag like 'en' or 'pt-BR'.")
    list_id: ListId = Field(
        default="",
        description="The List-Id that mail programs sort by (RFC 2919). Never change it once readers have mail. "
        "Empty: 'digest.' and the host of url.",
    )


def _database(url: str) -> str:
    if not _DATABASE.fullmatch(url):
        raise ValueError("must be like 'sqlite:///mailer.db' or 'postgresql://user:password@host/name'")
    return url


class StoreOptions(Section):
    # Not shown in a repr: the address of a PostgreSQL database may hold a password.
    url: Annotated[str, AfterValidator(_database)] = Field(
        default="sqlite:///mailer.db",
        repr=False,
        description="The database. 'sqlite:///mailer.db' is a file beside this one, 'sqlite:////var/lib/mailer.db' one "
        "anywhere; 'postgresql://user:password@host/name' takes effect with a later release.",
    )


class SelectionOptions(Section):
    related: int = Field(
        default=4,
        ge=0,
        le=20,
        description="How many older articles to name under 'Related reading', where so many are near enough; "
        "0 turns them off.",
    )


class WebOptions(Section):
    public_url: PublicAddress = Field(
        default="",
        description="Where readers reach the pages of mailer; the links in mails lead there. https; http is for this "
        "machine only. Empty: the host of the site's url, by https.",
    )
    host: Line = Field(
        default="127.0.0.1",
        description="The address that `mailer serve` listens on. 127.0.0.1 is reached from this machine alone, as a "
        "proxy on it does; '0.0.0.0' from everywhere.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="The port that it listens on; 0 is any free one.",
    )
    trusted_proxies: Annotated[tuple[Network, ...], Listed] = Field(
        default=(),
        description="Proxies whose X-Forwarded-For is believed, as addresses or networks like '10.0.0.0/8'. Without "
        "those of your own proxies all visitors count as one.",
    )
    ready_outbox_age: Duration = Field(
        default=timedelta(minutes=15),
        description="How long a mail that a reader waits for may wait for its first try before /readyz says that this "
        "is not well.",
    )
    archive: bool = Field(
        default=False,
        description="Whether anybody may find the editions that went out: a list of them at /editions with a feed of "
        "its own, and search engines may show them. Off: only who has the link in a mail reads them.",
    )
    embed_origins: Annotated[tuple[Origin, ...], Listed] = Field(
        default=(),
        description="Sites whose pages may show the sign-up form, in a frame, by embed.js or as a form of their own: "
        "'https://www.example.org'.",
    )


class BounceOptions(Section):
    address: OptionalMailbox = Field(
        default="",
        description="The mailbox that bounces come back to: the envelope's sender, which your relay must take, and "
        "SPF of its domain allow. Empty: from_address. Nothing reads it yet: that comes with a later release.",
    )
    verp: bool = Field(
        default=False,
        description="Whether each mail has a return address of its own, 'name+token@…', so that a bounce tells which "
        "mail it was, and nobody can forge one. Your mail server must deliver those to address; where the relay takes "
        "DSN, it is asked to tell failures to it. What comes back is acted on with a later release.",
    )

    @model_validator(mode="after")
    def _a_token_fits(self) -> Self:
        if not self.verp:
            return self
        if not self.address:
            raise ValueError("verp = true needs an address")
        local, token = self.address.rpartition("@")[0], 1 + LONGEST_BOUNCE
        if len(local) + token > _LONGEST_LOCAL:
            raise ValueError(
                f"verp = true needs an address with at most {_LONGEST_LOCAL - token} characters before the @, "
                f"so that a token fits behind them; '{local}' has {len(local)}"
            )
        if len(self.address) + token > _LONGEST_ADDRESS:
            raise ValueError(f"verp = true needs an address of at most {_LONGEST_ADDRESS - token} characters")
        return self


def _key(key: SecretStr) -> SecretStr:
    stripped = key.get_secret_value().strip()
    if len(stripped) < SHORTEST_KEY:
        raise ValueError(f"must be keys of at least {SHORTEST_KEY} characters each; `mailer init` makes one")
    return SecretStr(stripped)


def _key_file(path: Path) -> Path:
    read_keys(path)
    return path


class SecurityOptions(Section):
    secret_keys: Annotated[tuple[Annotated[SecretStr, AfterValidator(_key)], ...], Listed] = Field(
        default=(),
        description="The keys that sign the links in mails, each at least 32 characters of chance. The last one signs, "
        "all are accepted: to change keys add one at the end, and keep the old ones, or old links die. "
        "`mailer init` makes the first. Without a key, sending is refused.",
    )
    secret_keys_file: Annotated[Path, AfterValidator(_key_file)] | None = Field(
        default=None,
        description="Or a file with one key a line, the oldest first, readable by its owner only (0600). "
        "Blank lines and lines that begin with # don't count.",
        examples=["secret-keys"],
    )

    @model_validator(mode="after")
    def _keys_stand_in_one_place(self) -> Self:
        if self.secret_keys and self.secret_keys_file:
            raise ValueError("has both secret_keys and secret_keys_file; keep one, so that it is clear which key signs")
        return self
