"""One browser for the whole run."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import sync_playwright

from tests.appearance.looks import Window, start


@pytest.fixture(scope="session")
def window() -> Iterator[Window]:
    with sync_playwright() as playwright, start(playwright) as browser:
        yield Window(browser)
