"""Addresses on the web that may stand in a mail."""

import re
from urllib.parse import quote, urlsplit, urlunsplit

from mailer.core.header import ascii_domain
from mailer.errors import InputError

_HOST = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")
_URL_SAFE = "/%:@!$&'()*+,;=~-._"


def web_address(url: str) -> str:
    """The URL in ASCII (RFC 3987 §3.1), or '' where it is none of http or https or would hide where it leads."""
    try:
        parts = urlsplit(url.strip())
        host = ascii_domain(parts.netloc) if ":" not in parts.netloc else parts.netloc
    except (ValueError, InputError):
        return ""
    if parts.scheme.lower() not in ("http", "https") or not _HOST.match(host):
        return ""
    path = quote(parts.path, safe=_URL_SAFE, errors="replace")
    query, fragment = (quote(part, safe=_URL_SAFE + "?", errors="replace") for part in (parts.query, parts.fragment))
    return urlunsplit((parts.scheme.lower(), host, path, query, fragment))


def is_loopback(url: str) -> bool:
    """The local demo has no certificate; nobody else can fetch from there."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
