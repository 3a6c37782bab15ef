"""Which IP addresses are the public internet's, so that a feed can't lead us into a private network."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_GLOBAL_UNICAST = ip_network("2000::/3")  # RFC 4291 §2.4: all that is routed on the internet
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052 §2.1
_NOT_IN_THE_LIBRARY = (
    ip_network("192.0.0.0/24"),  # RFC 6890: protocol assignments
    ip_network("192.88.99.0/24"),  # RFC 7526: the old relays to 6to4
    ip_network("3fff::/20"),  # RFC 9637: documentation
)


def is_public(address: str) -> bool:
    """Whether an IP address (text, IPv4 or IPv6) is one of the public internet's.

    Not private, loopback, link-local, shared (RFC 6598), multicast or reserved; of an address that carries an IPv4
    one (mapped, 6to4, NAT64), the one inside counts.
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inside = _carried(ip)
        if inside is not None:
            return is_public(str(inside))
        if ip not in _GLOBAL_UNICAST:
            return False
    odd = any(ip in network for network in _NOT_IN_THE_LIBRARY if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not odd


def _carried(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
