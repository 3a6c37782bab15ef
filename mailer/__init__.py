"""mailer: self-hosted newsletter subscriptions and digests at the pace each reader chose."""

__version__ = "0.1.0"
