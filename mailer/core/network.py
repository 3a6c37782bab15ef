"""Who asks: a visitor's address out of what proxies say, and how much of it is counted and kept."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

_SUBSCRIBER = 64
"""Bits of an IPv6 address that one customer of a provider has at the most; the rest they choose (RFC 6177)."""
_KEPT = {4: 24, 6: 48}
"""Bits that are left of an address when it is shortened."""


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[str]) -> str:
    """The address that a request comes from; '' where that is no IP address, as on a Unix socket.

    `peer`: who opened the connection. `forwarded`: the X-Forwarded-For fields in their order. `trusted`: networks of
    our own proxies. Each proxy adds on the right, and a visitor may write what they like on the left: so it is the
    rightmost address that is not a proxy of ours, and what a stranger says about itself counts for nothing.
    """
    found = _parsed(peer)
    if found is None:
        return ""
    for hop in reversed([hop for field in forwarded for hop in field.split(",")]):
        if not _within(found, tuple(trusted)):
            break
        named = _parsed(_without_port(hop))
        if named is None:  # our own proxy didn't know; what stands left of that is a visitor's word
            break
        found = named
    return str(found)


def is_within(address: str, networks: Sequence[str]) -> bool:
    """Whether an address belongs to one of these networks."""
    found = _parsed(address)
    return found is not None and _within(found, tuple(networks))


def is_near(address: str) -> bool:
    """Whether an address is of this machine or of a private network, as a proxy's usually is."""
    found = _parsed(address)
    return found is not None and (found.is_loopback or found.is_private)


def counted_network(address: str) -> str:
    """What counts as one visitor: an IPv4 address itself, of IPv6 its /64; '' where it is neither."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _SUBSCRIBER), strict=False))
    return "" if found is None else str(found)


def shortened(address: str) -> str:
    """An address that names nobody: the /24 of IPv4, the /48 of IPv6, the rest zeros; '' where it is neither."""
    found = _parsed(address)
    return "" if found is None else str(ip_network((found, _KEPT[found.version]), strict=False).network_address)


def kept_network(address: str) -> str:
    """The same as a network, with its '/', which tells it from an address; '' where it is neither."""
    found = _parsed(address)
    return "" if found is None else str(ip_network((found, _KEPT[found.version]), strict=False))


def _parsed(text: str) -> Address | None:
    """The address, an IPv4 one that was mapped into IPv6 as itself (RFC 4291 §2.5.5.2), without a zone."""
    try:
        found = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _without_port(hop: str) -> str:
    """'192.0.2.1' of '192.0.2.1:4711', '2001:db8::1' of '[2001:db8::1]:4711': some proxies add it."""
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _within(address: Address, networks: tuple[str, ...]) -> bool:
    return any(address.version == network.version and address in network for network in _networks(networks))


@lru_cache(maxsize=8)
def _networks(networks: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(network, strict=False) for network in networks]
