"""A fresh, migrated database for each test, and a clock that stands until it is moved."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mailer.store.database import Database
from mailer.store.upgrade import upgrade
from tests.stories import Clock

# Speed is measured in bench/: a busy machine must not fail an example for taking 200 ms.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """A database file as `upgrade` makes it. Copy it, which is quicker than the migrations."""
    path = tmp_path_factory.mktemp("migrated") / "mailer.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_path(migrated, tmp_path) -> Path:
    return Path(shutil.copy(migrated, tmp_path / "mailer.db"))


@pytest.fixture
def database_url(database_path) -> str:
    return f"sqlite:///{database_path}"


@pytest.fixture
def database(database_url) -> Iterator[Database]:
    with Database(database_url) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()
