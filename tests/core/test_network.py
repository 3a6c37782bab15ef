"""Who asks, out of what proxies say; what is counted and kept of an address."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.network import client_address, counted_network, is_near, is_within, shortened

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48")
ADDRESSES = st.ip_addresses().map(str)
STRANGERS = ADDRESSES.filter(lambda address: not is_within(address, PROXIES))
ANYTHING = st.one_of(ADDRESSES, st.text(st.characters(exclude_characters=","), max_size=50))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        # What a stranger says about itself counts for nothing.
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
        # Several proxies of ours.
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7, 10.2.3.4"], "198.51.100.7"),
        ("10.0.0.1", ["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
        # A proxy that doesn't know says so, and what stands left of that is the visitor's word.
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown, 10.2.3.4"], "10.2.3.4"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [" 198.51.100.7\t"], "198.51.100.7"),
        # With a port, mapped, in brackets, with a zone.
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", ["2001:DB8:0::7"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("2001:db8:ffff::1", ["198.51.100.7"], "198.51.100.7"),
        ("fe80::1%eth0", [], "fe80::1"),
        # No IP address: a Unix socket.
        ("", ["198.51.100.7"], ""),
        ("unix", [], ""),
    ],
)
def test_it_is_the_rightmost_address_that_is_no_proxy_of_ours(peer, forwarded, client):
    assert client_address(peer, forwarded, PROXIES) == client


@given(peer=STRANGERS, forwarded=st.lists(ANYTHING))
def test_a_stranger_is_who_it_is_whatever_it_says(peer, forwarded):
    assert client_address(peer, forwarded, PROXIES) == client_address(peer, [], PROXIES)


@given(said=st.lists(ANYTHING), visitor=STRANGERS, hops=st.lists(st.just("10.3.3.3"), max_size=2))
def test_what_a_visitor_writes_left_of_what_our_proxies_add_counts_for_nothing(said, visitor, hops):
    found = client_address("10.0.0.1", [", ".join([*said, visitor, *hops])], PROXIES)

    assert found == client_address(visitor, [], PROXIES)


@given(peer=ANYTHING, forwarded=st.lists(ANYTHING))
def test_it_is_an_address_in_one_spelling_or_nothing(peer, forwarded):
    found = client_address(peer, forwarded, PROXIES)

    assert found == "" or str(ip_address(found)) == found


@pytest.mark.parametrize(
    ("address", "counted", "kept"),
    [
        ("198.51.100.7", "198.51.100.7", "198.51.100.0"),
        ("::ffff:198.51.100.7", "198.51.100.7", "198.51.100.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64", "2001:db8:1::"),
        ("::1", "::/64", "::"),
        ("", "", ""),
        ("ann@example.com", "", ""),
    ],
)
def test_an_address_is_counted_by_who_rents_it_and_kept_so_that_it_names_nobody(address, counted, kept):
    assert counted_network(address) == counted
    assert shortened(address) == kept


@given(ADDRESSES)
def test_shortening_twice_is_shortening_once(address):
    once = shortened(address)

    assert shortened(once) == once


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_whoever_has_a_network_counts_as_one_whichever_address_they_take(address, other):
    neighbour = IPv6Address(int(address) >> 64 << 64 | other)

    if not (address.ipv4_mapped or neighbour.ipv4_mapped):
        assert counted_network(str(neighbour)) == counted_network(str(address))


@pytest.mark.parametrize(
    ("address", "near"),
    [("127.0.0.1", True), ("172.17.0.1", True), ("::1", True), ("fd00::1", True), ("8.8.8.8", False), ("", False)],
)
def test_a_proxy_of_our_own_is_usually_near(address, near):
    assert is_near(address) is near
