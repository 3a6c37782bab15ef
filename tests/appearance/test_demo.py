"""`mailer demo` in a browser: what a visitor presses from the article to coming back, and how it looks."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from playwright.sync_api import Page, expect

from mailer.demo.show import show
from mailer.web.serving import pages_beside
from tests.appearance.embeds import let_go
from tests.appearance.looks import LOOKS, keep_screenshot_of
from tests.appearance.test_embed import TOO_QUICK, broken


class Demo(threading.Thread):
    """The demo on a thread of its own. `said`: what it printed."""

    def __init__(self) -> None:
        super().__init__(name="demo")
        self.said: list[str] = []
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        showing = show(say=self.said.append, watch=lambda *_: nullcontext(), serve=pages_beside, stay=True, port=0)
        self._task = self._loop.create_task(showing)
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            self._loop.close()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self.join(timeout=30)
        assert not self.is_alive()

    def address(self, before: str) -> str:
        return next(line.removeprefix(before) for line in self.said if line.startswith(before))


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    running = Demo()
    running.start()
    until = time.monotonic() + 60
    while "Ctrl-C ends the demo." not in running.said:
        assert running.is_alive()
        assert time.monotonic() < until
        time.sleep(0.05)
    yield running
    running.end()
    let_go()


def article(demo: Demo) -> str:
    return demo.address("Subscribe yourself, below any article: ")


def inbox(demo: Demo) -> str:
    return demo.address("The inbox is at ")


def newest(page: Page, demo: Demo, subject: str, to: str = "mia@visitors.example") -> None:
    """Open the newest mail to the visitor, which has this in its subject."""
    row = page.locator("tr", has_text=to)
    until = time.monotonic() + 15
    while True:
        page.goto(inbox(demo) + "/")
        if row.count() and subject in row.first.inner_text():
            break
        assert time.monotonic() < until, f"no mail {subject!r}"
        time.sleep(0.2)
    row.first.get_by_role("link").click()


def follow(page: Page, link: str) -> Page:
    """Press a link of the mail, which opens a page of its own."""
    page.wait_for_load_state("networkidle")  # the mail stands in a frame, which comes after the page
    with page.expect_popup() as opened:
        page.frame_locator("iframe").get_by_role("link", name=link).first.click()
    found = opened.value
    found.wait_for_load_state()
    return found


def test_a_visitor_lives_through_all_of_it(window, demo):
    with window.fresh(LOOKS["light"]) as page:
        page.set_default_timeout(15_000)
        page.goto(article(demo))
        page.get_by_label("Email address").fill("mia@visitors.example")
        page.locator("label", has_text="Daily").click()
        time.sleep(TOO_QUICK)
        keep_screenshot_of(page, "demo article")
        page.get_by_role("button", name="Subscribe").click()
        page.get_by_role("heading", name="One step left: check your inbox").wait_for()

        newest(page, demo, "Confirm your subscription")
        keep_screenshot_of(page, "demo confirmation")
        opened = follow(page, "Confirm subscription")
        opened.get_by_role("button", name="Confirm subscription").click()
        opened.get_by_role("heading", name="You are subscribed").wait_for()
        keep_screenshot_of(opened, "demo confirmed")
        newest(page, demo, "You are subscribed")

        page.goto(inbox(demo))
        page.get_by_role("button", name="Next daily digest").click()
        expect(page.get_by_role("status")).to_have_text("The daily digest went to 4 readers.")
        keep_screenshot_of(page, "demo inbox")
        newest(page, demo, "From the archive")
        keep_screenshot_of(page, "demo digest")

        opened = follow(page, "weekly")
        opened.get_by_role("button", name="Weekly instead").click()
        keep_screenshot_of(opened, "demo weekly")
        page.goto(inbox(demo))
        page.get_by_role("button", name="Next weekly digest").click()
        expect(page.get_by_role("status")).to_have_text("The weekly digest went to 6 readers.")

        newest(page, demo, "From the archive")
        opened = follow(page, "Unsubscribe")
        opened.get_by_role("button", name="Pause for 30 days").click()
        opened = follow(page, "Unsubscribe")
        opened.get_by_role("button", name="Unsubscribe").click()
        opened.get_by_role("heading", name="You are unsubscribed").wait_for()
        keep_screenshot_of(opened, "demo left")
        opened.get_by_role("button", name="Subscribe again").click()
        newest(page, demo, "Confirm your subscription")
        opened = follow(page, "Confirm subscription")
        opened.get_by_role("button", name="Confirm subscription").click()
        opened.get_by_role("heading", name="You are subscribed").wait_for()


@pytest.mark.parametrize("look", ["light", "dark", "375 px", "375 px dark", "320 px", "200 %"])
def test_the_article_and_the_inbox_fit_and_axe_finds_nothing(window, demo, look):
    with window.fresh(LOOKS[look]) as page:
        for name, url in (("article", article(demo)), ("inbox", inbox(demo))):
            page.goto(url)
            if name == "article":
                page.get_by_label("Email address").wait_for()
            assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
            assert broken(page) == []
            keep_screenshot_of(page, f"demo {name} {look}")


def test_no_policy_of_the_demo_is_broken(window, demo):
    with window.fresh(LOOKS["light"]) as page:
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(article(demo))
        page.get_by_label("Email address").wait_for()
        page.goto(inbox(demo))
        page.get_by_role("link", name="A third of patients").first.click()
        page.wait_for_load_state("networkidle")
        assert said == []
