"""All settings together: frozen, checked, and what the rooms below need made from them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mailer.config.secret_files import read_keys, read_password, read_secret
from mailer.config.sections import (
    BounceOptions,
    CadenceTable,
    RelayTable,
    SecurityOptions,
    SelectionOptions,
    SignupTable,
    SiteOptions,
    StoreOptions,
    WebOptions,
)
from mailer.config.values import CadenceName, Name, RelayName, TopicId, WrongAt, is_loopback
from mailer.core.cadence import Cadence
from mailer.core.delivery import DeliveryOptions
from mailer.core.digest import Site
from mailer.core.dkim import SigningKey
from mailer.core.pacing import PacingOptions
from mailer.core.topics import mistaken_for_another
from mailer.errors import ConfigError
from mailer.feeds import FeedOptions
from mailer.signing.keys import ed25519_key, rsa_key
from mailer.signing.options import DkimOptions
from mailer.templating import ThemeOptions

DEFAULT_RELAY = "default"
"""The name of [smtp] among the relays."""
SHIPPED = {"daily": "daily 07:00", "weekly": "monday 07:00", "monthly": "day 1 07:00"}


class Settings(BaseSettings):
    """What config.toml and the environment say. A section's description is its comment in config.example.toml."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="MAILER_",
        env_nested_delimiter="__",
        enable_decoding=False,  # lists are split by their own fields, so that a bad one is a complaint like others
    )

    site: SiteOptions = Field(description="The publication that the mails speak for.")
    store: StoreOptions = Field(default=StoreOptions(), description="Where everything is kept.")
    smtp: RelayTable = Field(default=RelayTable(), description="The relay that takes the mails.")
    relay: Mapping[RelayName, RelayTable] = Field(
        default={},
        validate_default=True,
        description="Several relays: a table [relay.<name>] for each, with the keys of [smtp]. Where there is one, "
        "[smtp] is a relay beside them if it is written at all, under the name default.",
    )
    pacing: PacingOptions = Field(default=PacingOptions(), description="How mail slows for those who ask for it.")
    dkim: DkimOptions = Field(
        default=DkimOptions(), description="Signatures by which your domain vouches for the mails (DKIM)."
    )
    delivery: DeliveryOptions = Field(default=DeliveryOptions(), description="How hard a delivery is tried.")
    cadence: Mapping[CadenceName, CadenceTable] = Field(
        default={},
        validate_default=True,
        description="How often readers can hear from you. daily, weekly and monthly exist without being written; "
        "a table [cadence.<name>] adds another, or changes one of these.",
    )
    selection: SelectionOptions = Field(default=SelectionOptions(), description="What else goes into a digest.")
    feeds: FeedOptions = Field(default=FeedOptions(), description="How feeds are fetched.")
    topics: Mapping[TopicId, Name] = Field(
        default={},
        description="What readers can choose from: an id of lower-case letters, digits and dashes, and its name.",
    )
    theme: ThemeOptions = Field(default=ThemeOptions(), description="How the mails look.")
    web: WebOptions = Field(default=WebOptions(), description="The pages that readers see.")
    signup: SignupTable = Field(
        default=SignupTable(), description="The sign-up form, and what keeps it from being used against others."
    )
    bounce: BounceOptions = Field(default=BounceOptions(), description="Mail that comes back.")
    security: SecurityOptions = Field(default=SecurityOptions(), description="The keys that links are signed with.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands over: nothing reads the process's environment behind its back."""
        return (init_settings,)

    @field_validator("cadence", mode="before")
    @classmethod
    def _shipped_cadences_exist(cls, tables: Any) -> Any:
        if not isinstance(tables, dict):
            return tables
        whole = {name: {"when": when} for name, when in SHIPPED.items()} | tables
        for name, when in SHIPPED.items():
            if isinstance(whole[name], dict):
                whole[name] = {"when": when, **whole[name]}
        return whole

    @field_validator("topics")
    @classmethod
    def _topics_are_told_apart(cls, offered: Mapping[str, str]) -> Mapping[str, str]:
        if pair := mistaken_for_another(offered):
            raise ValueError(
                f"has {pair[0]} and {pair[1]}, and one label could mean either, because case doesn't count; "
                "give them other names"
            )
        return offered

    @field_validator("signup")
    @classmethod
    def _preselected_is_offered(cls, signup: SignupTable, known: ValidationInfo) -> SignupTable:
        offered = known.data.get("cadence", {})
        if signup.cadence and offered and signup.cadence not in offered:
            raise ValueError(f"cadence: there is no cadence '{signup.cadence}'; there are: {', '.join(offered)}")
        return signup

    @field_validator("relay")
    @classmethod
    def _a_relay_takes_the_mail(
        cls, named: Mapping[str, RelayTable], known: ValidationInfo
    ) -> Mapping[str, RelayTable]:
        if "smtp" in known.data and "site" in known.data:
            _check_relays(known.data["smtp"], named, known.data["site"].from_address)
        return named

    @field_validator("dkim")
    @classmethod
    def _dkim_can_sign(cls, dkim: DkimOptions, known: ValidationInfo) -> DkimOptions:
        site = known.data.get("site")
        if dkim.domain and site and not dkim.covers(site.from_address):
            raise ValueError(
                f"domain: '{dkim.domain}' can't vouch for mail from {site.from_address}; "
                "it must be the domain of [site] from_address, or one above it"
            )
        _dkim_keys(dkim)
        return dkim

    def site_value(self) -> Site:
        """The publication as templates and header fields want it."""
        site, theme = self.site, self.theme
        return Site(
            name=site.name,
            url=site.url,
            from_name=site.from_name or site.name,
            from_address=site.from_address,
            public_url=self.web.public_url or _public_origin(site.url),
            list_id=site.list_id or f"digest.{_host(site.url).replace(':', '-')}",
            tagline=site.tagline,
            reply_to=site.reply_to,
            postal_address=site.postal_address,
            language=site.language,
            accent=theme.accent,
            logo=theme.logo,
            archive=self.web.archive,
        )

    def cadences(self) -> dict[str, Cadence]:
        """By name: daily, weekly, monthly first, then the others in the order of the file."""
        return {name: Cadence.of(name, options, self.site.timezone) for name, options in self.cadence.items()}

    def preselected(self) -> str:
        """The cadence that is ticked on the form."""
        return self.signup.cadence or "weekly"

    def signing_keys(self) -> tuple[str, ...]:
        """The signing keys, the oldest first; the last one signs, all verify. Empty where there are none yet."""
        security = self.security
        if security.secret_keys_file is None:
            return tuple(key.get_secret_value() for key in security.secret_keys)
        try:
            return read_keys(security.secret_keys_file)
        except ValueError as wrong:
            raise ConfigError([f"[security] secret_keys_file {wrong}"]) from None

    def relays(self) -> dict[str, RelayTable]:
        """By name: [smtp], where it counts, as "default", then the others in the order of the file."""
        return _together(self.smtp, self.relay)

    def relay_table(self, name: str) -> str:
        """Where that relay is written: 'smtp' or 'relay.backup'."""
        return ".".join(_place(name, self.relay))

    def relay_password(self, name: str) -> str:
        """What signs in to that relay; '' where nothing does. The file counts where no password is given."""
        relay = self.relays()[name]
        written = relay.password.get_secret_value()
        if written or relay.password_file is None:
            return written
        try:
            return read_password(relay.password_file)
        except ValueError as wrong:
            raise ConfigError([f"[{self.relay_table(name)}] password_file {wrong}"]) from None

    def dkim_keys(self) -> tuple[SigningKey, ...]:
        """What signs the mails; empty where they are not signed here."""
        try:
            return _dkim_keys(self.dkim)
        except ValueError as wrong:
            raise ConfigError([f"[dkim] {wrong}."]) from None


def _dkim_keys(dkim: DkimOptions) -> tuple[SigningKey, ...]:
    """The keys as their files have them. ValueError: a sentence that begins with the setting's name."""
    if not dkim.domain:
        return ()
    keys = []
    for setting, selector, file, key in (
        ("key_file", dkim.selector, dkim.key_file, rsa_key),
        ("ed25519_key_file", dkim.ed25519_selector, dkim.ed25519_key_file, ed25519_key),
    ):
        if file is None:
            continue
        try:
            text = read_secret(file)
        except ValueError as wrong:
            raise ValueError(f"{setting} {wrong}") from None
        try:
            keys.append(key(dkim.domain, selector, text.encode()))
        except ValueError as wrong:
            raise ValueError(f"{setting} '{file}' {wrong}") from None
    return tuple(keys)


def why_not_send(settings: Settings) -> list[str]:
    """Sentences that say why no mail may leave yet; none where it may."""
    reasons = []
    if not settings.site.postal_address:
        reasons.append(
            "[site] postal_address is missing: the law asks for one in every mail (CAN-SPAM, CASL). "
            'Write postal_address = "…" under [site].'
        )
    if not settings.signing_keys():
        reasons.append(
            "[security] has no secret key to sign the links in mails with. Run `mailer init`, or write "
            'secret_keys = ["…"] under [security], each key at least 32 characters of chance '
            "(`openssl rand -hex 32` makes one)."
        )
    return reasons


def _together(smtp: RelayTable, named: Mapping[str, RelayTable]) -> dict[str, RelayTable]:
    first = {DEFAULT_RELAY: smtp} if smtp.model_fields_set or not named else {}
    return {**first, **named}


def _place(name: str, named: Mapping[str, RelayTable]) -> tuple[str, ...]:
    """The table that a relay is written in."""
    return ("relay", name) if name in named else ("smtp",)


def _check_relays(smtp: RelayTable, named: Mapping[str, RelayTable], sender: str) -> None:
    """Raises WrongAt where the mail of this sender would have no way out."""
    if DEFAULT_RELAY in named and smtp.model_fields_set:
        raise WrongAt(("relay", DEFAULT_RELAY), "is the name of [smtp], which is written, too; give it another name")
    relays = _together(smtp, named)
    only = _place(next(iter(relays)), named) if len(relays) == 1 else None
    takers = [relay for relay in relays.values() if relay.may_take(sender)]
    if not takers:
        raise WrongAt(
            (*only, "from_domains") if only else ("relay",),
            f"no relay may take mail from {sender}; write its domain there, or leave from_domains away"
            if only
            else f"no relay may take mail from {sender}; write its domain into from_domains of one",
        )
    if all(relay.failover or not relay.weight for relay in takers):
        raise WrongAt(
            only or ("relay",),
            f"no relay takes mail from {sender} while all is well: each has failover = true or weight = 0",
        )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _public_origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" or is_loopback(_host(url)):
        return f"{parts.scheme}://{parts.netloc}"
    return f"https://{_host(url)}"  # RFC 8058 §3.1 asks for https, whatever the site itself is served by
