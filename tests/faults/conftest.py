"""The command line's site and relay, and the pages, for the faults that are seen from there."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import no_settings_of_ours, pristine, relay, site
from tests.faults.launcher import Launcher
from tests.web.conftest import app, desk, visit, woken

__all__ = ["app", "desk", "launcher", "no_settings_of_ours", "pristine", "relay", "site", "visit", "woken"]


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """What forks a `mailer` in milliseconds."""
    with Launcher() as started:
        yield started
