"""The command line's site and relay, and the pages, for the faults that are seen from there."""

from tests.cli.conftest import no_settings_of_ours, pristine, relay, site
from tests.web.conftest import app, desk, visit, woken

__all__ = ["app", "desk", "no_settings_of_ours", "pristine", "relay", "site", "visit", "woken"]
