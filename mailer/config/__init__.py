"""TOML and environment to frozen Settings, every complaint at once; and back to text for the example file."""

from mailer.config.reading import load, parse
from mailer.config.settings import Settings, why_not_send
from mailer.config.writing import example, write_config

__all__ = ["Settings", "example", "load", "parse", "why_not_send", "write_config"]
