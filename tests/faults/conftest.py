"""The command line's site and relay, for the faults that are seen from there."""

from tests.cli.conftest import no_settings_of_ours, pristine, relay, site

__all__ = ["no_settings_of_ours", "pristine", "relay", "site"]
