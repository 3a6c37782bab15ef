"""`python -m mailer` is the same program as the `mailer` command."""

from mailer.cli import main

if __name__ == "__main__":
    main()
