"""Link scanners: every link of every mail is asked for in every harmless way, 50 times, and nothing has changed."""

import re
from collections import Counter
from email import message_from_bytes, policy
from html import unescape

import pytest

from mailer.flows.noticing import KINDS
from tests.stories import DAY, MONDAY, Clock, dumped, publish
from tests.web.house import PUBLIC, House

LINK = re.compile(r"""https?://[^\s"'<>,]+""")
SCANNERS = (
    {},
    {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) SafeLinks", "Referer": "https://outlook.office.com/"},
    {"User-Agent": "GoogleImageProxy", "Accept": "*/*", "Cookie": "a=b"},
    {"Sec-Purpose": "prefetch", "Purpose": "prefetch"},
)


def links_of(mail):
    """Every link of a mail: of its header, its HTML and its text."""
    read = message_from_bytes(mail.data, policy=policy.default)
    parts = [read.get_body((kind,)).get_content() for kind in ("html", "plain")]
    headers = [read.get(name, "") for name in ("List-Unsubscribe", "List-Help", "List-Archive", "List-Owner")]
    found = {unescape(link).rstrip(".") for text in [*parts, *headers] for link in LINK.findall(text)}
    return {link for link in found if link.startswith(PUBLIC)}


async def every_mail(house):
    """One life by the pages with all mails there are. Some of their links are done with, some wait for a press."""
    await publish(house.database, *(f"a{place}" for place in range(3)))
    await house.form("first@example.com", ip="203.0.113.1")
    await house.form("ann@example.com", fields={"cadence": "daily"})
    await house.press(next(one for one in await house.letters() if one.to == "ann@example.com"))
    await house.letters()
    house.clock.move(hours=1)
    await house.form("ann@example.com")
    own = await house.own_link()
    await house.press_on(own, {"do": "save", "cadence": "weekly"})
    for do in ("copy", "erase"):
        await house.press_on(own, {"do": do})
    await house.press_on(own, {"do": "move", "address": "new@example.org"})
    await house.press_on(own, {"do": "move", "address": "other@example.net"})
    letters = await house.letters()
    await house.press(next(one for one in letters if one.to == "new@example.org"), "move")
    await house.parts.plan(house.database, house.parts.cadence("weekly"))
    await house.come_in("bob")
    await house.visit("POST", await house.leave_link("bob", "one-click"))
    await house.letters()
    house.clock.move(hours=1)
    await house.form("bob@example.com")
    await house.letters()
    return house.relay.taken


@pytest.fixture
async def house(database):
    async with House(database, Clock(MONDAY + DAY), network_per_hour=99, network_per_day=99) as made:
        yield made


async def test_no_scanner_changes_anything_by_any_link_of_any_mail(database, house):
    mails = await every_mail(house)
    asked = await database.read(lambda c: list(c.exec_driver_sql("SELECT DISTINCT purpose FROM deliveries").scalars()))
    assert {*KINDS, "digest"} <= set(asked)
    links = sorted({link for mail in mails for link in links_of(mail)})
    pages = Counter(link.removeprefix(PUBLIC).split("/")[1] for link in links)
    assert set(pages) >= {
        *("confirm", "never", "address", "erase", "preferences", "unsubscribe", "one-click", "editions"),
        "subscribe",
    }
    before = await dumped(database)
    assert all(before[name] for name in ("subscribers", "consent", "confirmations", "notices", "deliveries"))
    woken = house.woken

    answers = Counter()
    for turn in range(50):
        headers = SCANNERS[turn % len(SCANNERS)]
        for link in links:
            for method in ("GET", "HEAD", "OPTIONS"):
                answer = await house.visit(method, link.removeprefix(PUBLIC), headers=headers, ip=f"10.1.1.{turn}")
                answers[method, answer.status_code] += 1
        if turn % 10 == 0:
            house.clock.move(minutes=1)
            await house.post()

    assert await dumped(database) == before
    assert house.woken == woken
    # Every link leads to a page; nothing failed.
    gets = {status: count for (method, status), count in answers.items() if method != "OPTIONS"}
    assert set(gets) == {200, 303}
    assert {status for method, status in answers if method == "OPTIONS"} == {405}
    assert sum(answers.values()) == 150 * len(links)


async def test_pages_that_those_links_lead_to_change_nothing_either(database, house):
    """A scanner that runs scripts and follows what it sees: links of links, without pressing."""
    links = {link for mail in await every_mail(house) for link in links_of(mail)}
    before = await dumped(database)
    waiting, seen = {link.removeprefix(PUBLIC) for link in links}, set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = await house.get(path)
        assert answer.status_code in {200, 303}, path
        found = {unescape(link) for link in re.findall(r'(?:href|action)="(/[^"]*)"', answer.text)}
        found |= {answer.headers["location"]} if "location" in answer.headers else set()
        waiting |= found - seen
    assert await dumped(database) == before
    assert any(path.startswith("/subscribe") for path in seen)
