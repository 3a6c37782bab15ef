"""`mailer demo` lived through: subscribing on an article, confirming, a digest, another pace, a pause, leaving.

Before each step a scanner opens every link of every mail that has come, and nothing has changed.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import nullcontext
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape

import httpx
import pytest

from mailer.demo.show import show
from mailer.store.database import Database
from mailer.web.serving import pages_beside
from tests.stories import dumped

ADDRESS = "mia@visitors.example"
LINK = re.compile(r"""http://127\.0\.0\.1:\d+/[^\s"'<>,]*""")
SCANNER = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) SafeLinks", "Sec-Purpose": "prefetch"}


class Visitor:
    """Somebody at the demo with a browser. `said`: what the demo printed. `scanned`: links that were looked at."""

    def __init__(self, said: list[str], client: httpx.AsyncClient, database: Database) -> None:
        self.said, self._client, self._database = said, client, database
        self.scanned = 0

    @property
    def article(self) -> str:
        return self._address("Subscribe yourself, below any article: ")

    @property
    def inbox(self) -> str:
        return self._address("The inbox is at ")

    def _address(self, before: str) -> str:
        return next(line.removeprefix(before) for line in self.said if line.startswith(before))

    async def get(self, url: str) -> str:
        answer = await self._client.get(url)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    async def post(self, url: str, **fields: str) -> str:
        answer = await self._client.post(url, data=fields, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    async def _whole_mails(self) -> list[EmailMessage]:
        """What came to the visitor, oldest first."""
        page = await self.get(f"{self.inbox}/")
        numbers = sorted(map(int, re.findall(r'href="/mails/(\d+)"', page)))
        came = [(await self._client.get(f"{self.inbox}/mails/{number}.eml")).content for number in numbers]
        mails = [message_from_bytes(data, policy=policy.default) for data in came]
        return [mail for mail in mails if ADDRESS in str(mail["To"])]

    async def mails(self) -> list[tuple[str, str]]:
        """Subject and text of what came to the visitor, oldest first."""
        return [(str(mail["Subject"]), text_of(mail)) for mail in await self._whole_mails()]

    async def scan(self) -> None:
        """Open every link of every mail of theirs, as a provider's scanner does, and see that nothing changes."""
        mails = await self._whole_mails()
        texts = [f"{mail['List-Unsubscribe']} {text_of(mail, kind)}" for mail in mails for kind in ("plain", "html")]
        links = {unescape(url).rstrip(".") for text in texts for url in LINK.findall(text)}
        before = await self._at_rest()
        for url in sorted(links):
            for method in ("GET", "HEAD", "OPTIONS"):
                answer = await self._client.request(method, url, headers=SCANNER, follow_redirects=True)
                assert answer.status_code == 200 or method == "OPTIONS", (method, url)
        assert await dumped(self._database) == before
        self.scanned += len(links)

    async def _at_rest(self) -> dict[str, list[str]]:
        """Every table, once all that was to leave has left and the ledger knows it."""
        before = await dumped(self._database)
        for _ in range(100):
            await asyncio.sleep(0.2)
            now = await dumped(self._database)
            if now == before:
                return now
            before = now
        pytest.fail("the demo doesn't come to rest")

    async def mail(self, number: int) -> tuple[str, str]:
        """The visitor's mail of that number, within ten seconds."""
        for _ in range(100):
            if len(mails := await self.mails()) >= number:
                assert len(mails) == number, mails
                return mails[-1]
            await asyncio.sleep(0.1)
        pytest.fail(f"mail {number} didn't come; there are {[subject for subject, _ in mails]}")

    async def next_digest(self, cadence: str) -> str:
        """The inbox page after its button was pressed."""
        return await self.post(f"{self.inbox}/next", cadence=cadence)


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    return mail.get_body((kind,)).get_content()


def link(text: str, path: str) -> str:
    return re.search(rf"http://127\.0\.0\.1:\d+/{path}/\S+", text)[0]


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    said: list[str] = []
    opened: list[Database] = []
    watch = lambda *_: nullcontext()  # noqa: E731

    def serve(parts, database, listener):
        opened.append(database)
        return pages_beside(parts, database, listener)

    running = asyncio.create_task(show(say=said.append, watch=watch, serve=serve, stay=True, port=0))
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        while "Ctrl-C ends the demo." not in said:
            assert not running.done(), running.result()
            await asyncio.sleep(0.05)
        yield Visitor(said, client, opened[0])
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_visitor_lives_through_all_of_it(visitor):
    article = await visitor.get(visitor.article)
    pages = re.search(r'src="(http://127\.0\.0\.1:\d+)/embed\.js"', article)[1]
    assert f'<a href="{pages}/subscribe">' in article

    # Subscribing, as the plain form does that a site may have.
    site = re.match(r"http://127\.0\.0\.1:\d+", visitor.article)[0]
    answer = await visitor._client.post(
        f"{pages}/subscribe", data={"email": ADDRESS, "cadence": "daily"}, headers={"Origin": site}
    )
    assert "check your inbox" in answer.text
    subject, text = await visitor.mail(1)
    assert subject == "Confirm your subscription to Mia's Feed"

    await visitor.scan()

    # Until it is confirmed, no digest comes.
    assert "The daily digest went to 3 readers." in await visitor.next_digest("daily")
    assert len(await visitor.mails()) == 1
    await visitor.scan()
    assert "You are subscribed" in await visitor.post(link(text, "confirm"), do="confirm")
    subject, _ = await visitor.mail(2)
    assert subject == "You are subscribed to Mia's Feed"

    await visitor.scan()

    # A digest, of articles that the visitor has not been sent.
    assert "The daily digest went to 4 readers." in await visitor.next_digest("daily")
    subject, first = await visitor.mail(3)
    assert "From the archive, no. " in subject

    await visitor.scan()

    # Weekly instead.
    await visitor.post(link(first, "instead/weekly"), do="instead")
    subject, _ = await visitor.mail(4)
    assert "weekly" in subject.lower() or "changed" in subject.lower()
    assert "The daily digest went to 3 readers." in await visitor.next_digest("daily")
    assert "The weekly digest went to 6 readers." in await visitor.next_digest("weekly")
    subject, weekly = await visitor.mail(5)
    await visitor.scan()

    # A pause.
    leave = link(weekly, "unsubscribe")
    await visitor.post(leave, do="pause", days="30")
    assert "The weekly digest went to 5 readers." in await visitor.next_digest("weekly")

    await visitor.scan()

    # Leaving, and coming back.
    assert "You are unsubscribed" in await visitor.post(leave, do="leave")
    goodbye = (await visitor.mails())[-1]
    await visitor.scan()
    await visitor.post(leave, do="again")
    for _ in range(100):
        if "Confirm your subscription" in (await visitor.mails())[-1][0]:
            break
        await asyncio.sleep(0.1)
    _, text = (await visitor.mails())[-1]
    assert goodbye != text
    await visitor.scan()
    assert "You are subscribed" in await visitor.post(link(text, "confirm"), do="confirm")
    assert "The weekly digest went to 6 readers." in await visitor.next_digest("weekly")
    assert visitor.scanned > 100


async def test_every_link_of_a_digest_leads_to_a_page(visitor):
    page = await visitor.get(f"{visitor.inbox}/")
    number = max(map(int, re.findall(r'href="/mails/(\d+)"', page)))
    text = await visitor.get(f"{visitor.inbox}/mails/{number}?view=text")
    links = set(re.findall(r"http://127\.0\.0\.1:\d+/[^\s<]+", text.partition('<pre class="plain"')[2]))
    assert len(links) > 3
    for each in links:
        await visitor.get(each)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "cadence=daily", 403),
        ({"Sec-Fetch-Site": "same-site"}, "cadence=daily", 403),
        ({}, "cadence=hourly", 500),
        ({}, "x" * 20_000, 405),
    ],
)
async def test_the_next_digests_are_for_the_inbox_page_alone_to_ask_for(visitor, headers, body, status):
    before = await visitor.get(f"{visitor.inbox}/")
    answer = await visitor._client.post(
        f"{visitor.inbox}/next", content=body, headers=headers | {"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == status
    assert re.findall(r"<h1>.*</h1>", await visitor.get(f"{visitor.inbox}/")) == re.findall(r"<h1>.*</h1>", before)
