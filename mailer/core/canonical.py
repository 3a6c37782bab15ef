"""A link as it is compared with those of other sources. What is kept and mailed is the link as it was written."""

import re
from urllib.parse import quote, urlsplit

from mailer.core.header import ascii_domain
from mailer.errors import InputError

_DEFAULT_PORTS = {"http": 80, "https": 443}

# What tells where a reader came from, never which article it is.
_TRACKING = re.compile(
    r"""
      utm_\w+                                                     # campaigns, by Google Analytics and its imitators
    | (?:mtm|pk|piwik|matomo)_\w+                                 # the same by Matomo
    | at_(?:medium|campaign|creation|format|custom\d|\w+_\w+) | xtor  # the same by Piano, once AT Internet
    | _ga | _gl | gclid | gclsrc | dclid | wbraid | gbraid | srsltid     # Google's links between sites and from ads
    | fbclid | igsh(?:id)? | twclid | ttclid | msclkid | yclid | li_fat_id | epik | sccid  # ads of other networks
    | mc_[ce]id | mkt_tok | _hs(?:enc|mi) | hsctatracking | vero_(?:id|conv) | oly_(?:anon|enc)_id  # which newsletter,
    | ck_subscriber_id | _bhlid | s_cid | dm_i | ml_subscriber\w*                                  # and which reader
    | ref | referr?er | ref_?(?:src|url) | source | via | cmp(?:id)? | ncid | ocid | icid | smid | smtyp | ftag
    | partner | spm | guc(?:counter|e_\w+) | __twitter_impression | sr_share\w* | share | rss | feed  # who linked
    | amp | outputtype                                            # the same article in another dress
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SAME_PAGE = re.compile(r"(?:/(?:index|default)\.(?:s?html?|php|aspx?)|[./]amp(?:\.html)?|/)\Z", re.IGNORECASE)
_ROUTE = re.compile(r"[!/].")  # after '#': the address of a page that a script builds
_RESERVED = "%!#$&'()*+,/:;=?@[]~"
_ENCODED = re.compile("%([0-9a-fA-F]{2})")


def canonical_link(url: str) -> str:
    """The URL without what may differ between two links to one article; '' where it names none, as a home page does.

    Out go scheme, 'www.', default port, fragment, tracking parameters, 'index.html', '/amp' and a slash at the end.
    """
    try:
        parts = urlsplit(url.strip())
        host = _host(parts.hostname or "")
        port = parts.port
    except (ValueError, InputError):
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return ""
    path = _plainly(parts.path)
    while (shorter := _SAME_PAGE.sub("", path)) != path:
        path = shorter
    query = "&".join(sorted(part for part in map(_plainly, parts.query.split("&")) if part and not _tracks(part)))
    route = f"#{parts.fragment}" if _ROUTE.match(parts.fragment) else ""
    if not path and not query and not route:
        return ""
    place = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{place}{path}{'?' if query else ''}{query}{route}"


def _host(name: str) -> str:
    ascii_name = name if name.isascii() else ascii_domain(name)
    return ascii_name.lower().rstrip(".").removeprefix("www.")


def _plainly(part: str) -> str:
    """'%7E' and '~' are the same, and so are '%c3' and '%C3' (RFC 3986 §6.2.2); an encoded slash is not a plain one."""
    if part.isascii() and "%" not in part:
        return part
    return _ENCODED.sub(_unreserved, quote(part, safe=_RESERVED, errors="replace"))


def _unreserved(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char.isascii() and (char.isalnum() or char in "-._~") else found[0].upper()


def _tracks(parameter: str) -> bool:
    return _TRACKING.fullmatch(parameter.partition("=")[0]) is not None
