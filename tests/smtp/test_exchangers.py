"""Which provider takes a domain's mail, asked of a name server of the test's own."""

import asyncio
import socket

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns.asyncresolver import Resolver
from dns.exception import DNSException

from mailer.smtp import exchangers
from mailer.smtp.exchangers import LONGEST, MOST, NOTHING, SHORTEST, Exchangers, provider_of

ZONE = {
    "customer.example": ["10 aspmx.l.google.com.", "20 alt1.aspmx.l.google.com."],
    "other.example": ["5 smtp.google.com.", "1 ASPMX.L.Google.COM."],
    "shop.example": ["0 shop-example.mail.protection.outlook.com."],
    "paper.example": ["10 mx2.mailhost.co.uk.", "10 mx1.mailhost.co.uk."],
    "self.example": ["10 mx.self.example."],
    "null.example": ["0 ."],
    "none.example": [],
    "xn--bcher-kva.example": ["10 mx.books.example."],
}


class NameServer(asyncio.DatagramProtocol):
    """Answers MX questions of ZONE, remembers what it was asked, and may be silent."""

    def __init__(self):
        self.asked = []
        self.silent = self.broken = False
        self.ttl = 300

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        question = dns.message.from_wire(data)
        name = question.question[0].name
        self.asked.append(name.to_text(omit_final_dot=True))
        if self.silent:
            return
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        records = ZONE.get(self.asked[-1])
        if self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif records:
            answer.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "MX", *records))
        self.transport.sendto(answer.to_wire(), peer)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def server():
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0), family=socket.AF_INET
    )
    yield protocol
    transport.close()
    await asyncio.sleep(0)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def found(server, clock):
    def resolver():
        made = Resolver(configure=False)
        made.nameservers = ["127.0.0.1"]
        made.port = server.transport.get_extra_info("sockname")[1]
        return made

    return Exchangers(resolver, clock)


@pytest.mark.parametrize(
    ("domain", "group"),
    [
        ("customer.example", "google.com"),
        ("other.example", "google.com"),
        ("Customer.EXAMPLE.", "google.com"),
        ("shop.example", "outlook.com"),
        ("paper.example", "mailhost.co.uk"),
        ("self.example", "self.example"),
        ("bücher.example", "books.example"),
        ("null.example", "null.example"),
        ("none.example", "none.example"),
        ("missing.example", "missing.example"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("a..b", "a..b"),
        ("x" * 300, "x" * 300),
        ("", ""),
    ],
)
async def test_a_domain_belongs_to_whoever_takes_its_mail(found, domain, group):
    assert await found.group(domain) == group


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("gmail-smtp-in.l.google.com", "google.com"),
        ("mx.web.de", "web.de"),
        ("mx00.t-online.de", "t-online.de"),
        ("mx.isp.com.au", "isp.com.au"),
        ("com.au", "com.au"),
        ("mx.isp.ne.jp", "isp.ne.jp"),
        ("mx.com.example", "com.example"),
        ("localhost", "localhost"),
    ],
)
def test_a_provider_is_named_as_its_owner_registered_it(host, provider):
    assert provider_of(host) == provider


async def test_an_answer_is_kept_for_an_hour_at_least(found, server, clock):
    for _ in range(3):
        assert await found.group("customer.example") == "google.com"
    clock.now += SHORTEST - 1
    await found.group("customer.example")
    assert len(server.asked) == 1
    clock.now += 2
    await found.group("customer.example")
    assert len(server.asked) == 2


async def test_an_answer_is_kept_for_a_day_at_most(found, server, clock):
    server.ttl = 10**6
    await found.group("customer.example")
    clock.now += LONGEST - 1
    await found.group("customer.example")
    assert len(server.asked) == 1
    clock.now += 2
    await found.group("customer.example")
    assert len(server.asked) == 2


@pytest.mark.parametrize("domain", ["none.example", "missing.example", "null.example"])
async def test_that_there_is_nobody_is_kept_for_ten_minutes(found, server, clock, domain):
    await found.group(domain)
    clock.now += NOTHING - 1
    await found.group(domain)
    assert len(server.asked) == 1
    clock.now += 2
    await found.group(domain)
    assert len(server.asked) == 2


async def test_many_who_ask_at_once_wait_for_one_answer(found, server):
    groups = await asyncio.gather(*(found.group("customer.example") for _ in range(50)))
    assert set(groups) == {"google.com"}
    assert len(server.asked) == 1


async def test_one_who_gives_up_takes_the_answer_from_nobody(found, server):
    first = asyncio.create_task(found.group("customer.example"))
    second = asyncio.create_task(found.group("customer.example"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "google.com"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_silent_name_server_is_waited_for_briefly_and_then_left_alone(found, server, clock, monkeypatch):
    monkeypatch.setattr(exchangers, "TIMEOUT", 0.05)
    server.silent = True
    for number in range(10):
        assert await found.group(f"d{number}.example") == f"d{number}.example"
    assert set(server.asked) == {"d0.example", "d1.example", "d2.example"}
    server.silent = False
    clock.now += 61
    assert await found.group("customer.example") == "google.com"


async def test_a_broken_name_server_is_no_error(found, server):
    server.broken = True
    assert await found.group("customer.example") == "customer.example"


async def test_a_machine_without_a_name_server_is_no_error(clock):
    def nothing():
        raise DNSException("no resolver configuration")

    assert await Exchangers(nothing, clock).group("customer.example") == "customer.example"


async def test_no_more_than_so_many_domains_are_remembered(found, monkeypatch, server):
    monkeypatch.setattr(exchangers, "MOST", 3)
    for domain in ("customer.example", "other.example", "shop.example", "paper.example", "customer.example"):
        await found.group(domain)
    assert server.asked.count("customer.example") == 2
    await found.group("paper.example")
    assert server.asked.count("paper.example") == 1
    assert MOST == 10_000
