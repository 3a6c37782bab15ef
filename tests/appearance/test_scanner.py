"""What opens every link of a mail before its reader does, in a real browser with scripts: nothing changes by it.

Mailbox providers look behind the links with browser-like agents, which wait, scroll, hover, and follow what they find.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urljoin

import pytest

from tests.appearance.looks import Window
from tests.cli.site import INIT, Ended, Relay, Site
from tests.faults.served import BROAD, Served, body_of, until

HOVER = """async () => {
    const step = () => new Promise((done) => setTimeout(done, 5));
    for (const one of document.querySelectorAll('a, button, input, select, summary, label, form')) {
        for (const kind of ['pointerover', 'mouseover', 'mouseenter', 'mousemove', 'focusin', 'touchstart']) {
            one.dispatchEvent(new Event(kind, {bubbles: true, cancelable: true}));
        }
        if (one.focus) one.focus();
        if (one.tagName === 'SUMMARY') one.parentElement.open = true;
        await step();
    }
    window.scrollTo(0, document.body.scrollHeight);
    for (const kind of ['visibilitychange', 'pagehide', 'beforeunload']) document.dispatchEvent(new Event(kind));
    return [...document.querySelectorAll('a[href], link[href], area[href]')].map((one) => one.href)
        .concat([...document.querySelectorAll('form')].filter((one) => one.method === 'get').map((one) => one.action));
}"""
"""All that a script may do without pressing anything; gives where the page leads."""
KINDS = ("confirm", "welcome", "already", "digest", "changed", "move", "moved", "erase", "goodbye")
"""Every mail with a link to us: that of what we hold about a reader has none."""


class Apart(Site):
    """Commands are processes of their own: playwright has an event loop on this thread."""

    def run(self, *words: str, **environ) -> Ended:
        process = self.start(*words, **{name: value for name, value in environ.items() if name != "listener"})
        out, err = process.communicate(timeout=60)
        return Ended(process.returncode, out, err)


class Life:
    """A site whose readers have had every kind of mail, each waiting for a press. `mails`: by kind."""

    def __init__(self, site: Site, relay: Relay, pages: Served) -> None:
        self.site, self.relay, self.pages = site, relay, pages
        site.publish({"id": "one"}, {"id": "two"}, now="2026-11-22T12:00Z")
        site.join("dora", "mila", "gil")
        for name in ("ann", "will"):
            pages.sign_up(f"{name}@example.com")
        pages.post(pages.link(self._mail("will", "confirm"), "confirm"))
        self._mail("will", "welcome")
        pages.sign_up("will@example.com")
        site.did("send", "--cadence", "weekly", "--now", "2026-11-23T08:00Z")
        own = pages.link(self._mail("dora", "digest"), "preferences")
        pages.post(own, do="save", cadence="monthly")
        pages.post(own, do="erase")
        moving = pages.link(self._mail("mila", "digest"), "preferences")
        pages.post(moving, do="move", address="new@example.com")
        pages.post(pages.link(self._mail("new", "move"), "address"))
        pages.post(moving, do="move", address="newer@example.com")
        pages.post(pages.link(self._mail("gil", "digest"), "unsubscribe"), do="leave")
        of = {
            "confirm": "ann",
            "welcome": "will",
            "already": "will",
            "move": "newer",
            "moved": "mila",
            "goodbye": "gil",
        }
        self.mails = {kind: self._mail(of.get(kind, "dora"), kind) for kind in KINDS}
        until(self._quiet)

    def _mail(self, name: str, kind: str):
        address = f"{name}@example.com"
        return until(lambda: next((mail for mail in self.relay.mails_to(address) if _kind(mail) == kind), None))

    def _quiet(self) -> bool:
        """Every mail has left, and the server knows it."""
        ((waiting,),) = self.site.ask("SELECT count(*) FROM notices WHERE delivery_id IS NULL AND dropped = ''")
        ((under_way,),) = self.site.ask("SELECT count(*) FROM deliveries WHERE state NOT IN ('accepted', 'skipped')")
        return waiting == under_way == 0

    def links(self, kind: str) -> list[str]:
        """Every address in a mail that is ours: in its head, in both parts."""
        mail = self.mails[kind]
        text = f"{mail['List-Unsubscribe']} {body_of(mail, 'plain')} {body_of(mail, 'html')}".replace("&amp;", "&")
        found = dict.fromkeys(re.findall(rf"{self.pages.url}/[^\s\"'<>)]*", text))
        assert found, kind
        return list(found)


def _kind(mail) -> str:
    return str(mail["Feedback-ID"]).split(":")[2]


@pytest.fixture(scope="module")
def life(tmp_path_factory) -> Iterator[Life]:
    site = Apart(tmp_path_factory.mktemp("life"))
    site.did(*INIT)
    with ExitStack() as stack:
        relay = stack.enter_context(Relay())
        site.use(relay.port)
        yield Life(site, relay, stack.enter_context(Served(site, **BROAD)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_browser_that_opens_every_link_of_a_mail_and_follows_the_pages_changes_nothing(window, life, kind):
    before = life.site.dump()
    seen = Scanner(window, life.pages.url)

    for address in life.links(kind):
        for further in seen.look_at(address):
            seen.look_at(further)

    assert life.site.dump() == before
    assert seen.methods == {"GET"}
    assert seen.count >= len(life.links(kind))
    assert seen.refused == []


class Scanner:
    """Looks at pages of ours, each once, as long as they may want to do something. Other sites are not asked."""

    def __init__(self, window: Window, site: str) -> None:
        self._browser, self._site = window.browser, site
        self._seen: set[str] = set()
        self.methods: set[str] = set()
        self.refused: list[str] = []

    @property
    def count(self) -> int:
        return len(self._seen)

    def look_at(self, address: str) -> list[str]:
        """Returns where the page leads."""
        if address in self._seen or not address.startswith(self._site):
            return []
        self._seen.add(address)
        with self._browser.new_context() as context:
            page = context.new_page()
            page.on("request", lambda request: self.methods.add(request.method))
            page.route(re.compile(rf"^(?!{re.escape(self._site)}/)"), lambda route: route.abort())
            answer = page.goto(address, wait_until="networkidle")
            if answer is None or not answer.ok:
                self.refused.append(f"{address}: {answer and answer.status}")
            for button in page.locator("button:visible, a:visible").all():
                button.hover()
            found = page.evaluate(HOVER)
            page.wait_for_timeout(100)
            page.mouse.wheel(0, 2000)
        return [urljoin(address, one).partition("#")[0] for one in found]


# The scanner itself.


def test_a_page_that_submits_itself_would_be_told(window, life):
    seen = Scanner(window, life.pages.url)
    before = life.site.dump()
    leave = life.pages.link(life.mails["welcome"], "unsubscribe")
    with window.browser.new_context() as context:
        page = context.new_page()
        page.on("request", lambda request: seen.methods.add(request.method))
        page.goto(life.pages.url + leave)
        with page.expect_navigation():
            page.evaluate("document.querySelector('form').submit()")
    assert seen.methods == {"GET", "POST"}
    assert life.site.dump() != before
