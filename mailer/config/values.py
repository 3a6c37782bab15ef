"""What single values of the settings must look like. Every ValueError reads on after '[section] key = value'."""

import ipaddress
import json
import re
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator

from mailer.core.cadence import zone_named

_PRINTABLE_ASCII = re.compile(r"[!-~]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3}")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LIST_ID = re.compile(rf"{_ATOM}(\.{_ATOM})+")  # RFC 2919 §2
_NAME = re.compile(r"[A-Za-z0-9-]{1,32}")
_RELAY = re.compile(r"[a-z0-9-]{1,32}")
_TOPIC = re.compile(r"[a-z0-9-]{1,64}")
_LONGEST_LINE = 200


class WrongAt(ValueError):
    """A mistake that only shows when several tables are seen together. `place`: where it is best mended."""

    def __init__(self, place: tuple[str, ...], text: str) -> None:
        super().__init__(text)
        self.place = place


def _line(text: str) -> str:
    if _CONTROLS.search(text) or len(text) > _LONGEST_LINE:
        raise ValueError(f"must be one line of text, at most {_LONGEST_LINE} characters, without control characters")
    return text.strip()


def _named(text: str) -> str:
    if not _line(text):
        raise ValueError("must not be empty")
    return text.strip()


def _paragraph(text: str) -> str:
    if any(_CONTROLS.search(line) for line in text.splitlines()):
        raise ValueError("must be text without control characters")
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        known = bool(_PRINTABLE_ASCII.fullmatch(text) and parts.hostname and parts.port != 0)
    except ValueError:
        known = False
    if not known or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise ValueError(
            "must be a web address like 'https://news.example.org': http or https, plain ASCII, "
            "without a user, a query or a fragment"
        )
    return parts._replace(netloc=parts.netloc.lower(), path=parts.path.rstrip("/"))


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine, whatever a name server says."""
    name = host.lower().rstrip(".")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")  # RFC 6761 §6.3


def _public(text: str) -> str:
    if not text:
        return ""
    parts = _split(text)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        # RFC 8058 §3.1 asks for https; http is for the demo and for tests.
        raise ValueError("must be https; http is allowed for this machine only (localhost, 127.0.0.1)")
    return parts.geturl()


def _origin(text: str) -> str:
    parts = _split(text)
    if parts.path:
        raise ValueError("must be scheme and host only, like 'https://www.example.org'")
    return parts.geturl()


def _mailbox(text: str) -> str:
    try:
        # strict: the local part of 64 octets (RFC 5321 §4.5.3.1.1). test_environment: '.test' domains are somebody's
        # staging. Without SMTPUTF8, which few relays offer; a domain is taken in its ASCII form.
        found = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, strict=True, test_environment=True
        )
    except EmailNotValidError as wrong:
        raise ValueError(f"must be an address like 'news@example.org': {str(wrong).rstrip('.')}") from None
    return found.ascii_email or found.normalized


def _optional_mailbox(text: str) -> str:
    return _mailbox(text) if text else ""


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise ValueError("must be a language tag like 'en', 'de' or 'pt-BR' (BCP 47)")
    return text


def _list_id(text: str) -> str:
    if text and not (_LIST_ID.fullmatch(text) and len(text) <= 255):  # noqa: PLR2004 RFC 2919 §2
        raise ValueError("must be words joined by dots, like 'digest.news.example.org' (RFC 2919)")
    return text


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError("must hold addresses or networks like '10.0.0.1' or '10.0.0.0/8'") from None


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("must have a name of letters, digits and dashes, at most 32 of them")
    return text


def _relay_name(text: str) -> str:
    if not _RELAY.fullmatch(text):
        raise ValueError("must have a name of lower-case letters, digits and dashes, at most 32 of them")
    return text


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text):
        raise ValueError("must be an id of lower-case letters, digits and dashes, at most 64 of them")
    return text


def _listed(value: Any) -> Any:
    """The environment has only text: 'a,b' is a list there, and so is '["a", "b"]'."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a list like '[\"a\", \"b\"]' or 'a,b'") from None
    return [part.strip() for part in value.split(",") if part.strip()]


Line = Annotated[str, AfterValidator(_line)]
Name = Annotated[str, AfterValidator(_named)]
Paragraph = Annotated[str, AfterValidator(_paragraph)]
WebAddress = Annotated[str, AfterValidator(lambda text: _split(text).geturl())]
PublicAddress = Annotated[str, AfterValidator(_public)]
Origin = Annotated[str, AfterValidator(_origin)]
Network = Annotated[str, AfterValidator(_network)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
OptionalMailbox = Annotated[str, AfterValidator(_optional_mailbox)]
Language = Annotated[str, AfterValidator(_language)]
TimeZone = Annotated[str, AfterValidator(lambda name: zone_named(name).key)]
ListId = Annotated[str, AfterValidator(_list_id)]
CadenceName = Annotated[str, AfterValidator(_name)]
RelayName = Annotated[str, AfterValidator(_relay_name)]
TopicId = Annotated[str, AfterValidator(_topic)]
Listed = BeforeValidator(_listed)
