import asyncio

import pytest
import uvloop

from tests.faults.certificate import Certificate, make_certificate


def pytest_asyncio_loop_factories(config, item):
    """Everything about the edge holds on asyncio's own loop and on uvloop, which sending runs on."""
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Certificate:
    """For 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))
