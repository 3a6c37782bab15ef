"""`python -m mailer.config > config.example.toml` writes the example file anew."""

import sys

from mailer.config import example

sys.stdout.write(example())
