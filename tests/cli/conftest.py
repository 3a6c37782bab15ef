"""A site as `mailer init` makes it, and a relay for it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.site import INIT, Publisher, Relay, Site, mailer


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch) -> None:
    """What the machine's environment says about mailer stays outside."""
    for name in [name for name in os.environ if name.upper().startswith("MAILER_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Path:
    """The folder after `mailer init`. Copy it, which is quicker."""
    folder = tmp_path_factory.mktemp("pristine")
    ended = mailer(*INIT, folder=folder)
    assert ended.code == 0, ended.all
    return folder


@pytest.fixture
def site(pristine, tmp_path) -> Site:
    folder = tmp_path / "site"
    shutil.copytree(pristine, folder)
    return Site(folder)


@pytest.fixture
def relay(site) -> Iterator[Relay]:
    """A good relay, and the site uses it."""
    with Relay() as running:
        site.use(running.port)
        yield running


@pytest.fixture
def publisher(site) -> Iterator[Publisher]:
    """A web server with feeds, and the site may fetch from this machine."""
    site.configure("[feeds]\nallow_private = true")
    with Publisher() as running:
        yield running
