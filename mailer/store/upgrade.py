"""Making the database, and bringing its tables up to this program's. Alone here, because alembic is slow to import."""

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from mailer.errors import SchemaError, StoreError
from mailer.store import schema
from mailer.store.database import beside, file_of, make_engine, parse_url
from mailer.store.turnstile import Turnstile
from mailer.store.writer import in_words


def upgrade(url: str) -> tuple[str, str]:
    """Make the database if there is none and run the missing migrations, all or none.

    Returns (revision before or '', revision now). Raises StoreError, SchemaError.
    """
    parsed = parse_url(url)
    path = file_of(parsed)
    if path is not None:
        _make_file(path)
    turnstile = Turnstile(beside(path, "turnstile"))
    engine = make_engine(parsed, begin="BEGIN IMMEDIATE")
    try:
        with turnstile.turn(), engine.begin() as connection:
            before = schema.current(connection)
            if before:
                schema.refuse_newer(before)
            settings = configuration()
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
            schema.check(connection)
            return before, schema.HEAD
    except DBAPIError as error:
        raise in_words(error) from None
    except CommandError as error:
        raise SchemaError(f"The database's version can't be brought up to date: {error}. Restore a backup.") from None
    finally:
        engine.dispose()
        turnstile.close()


def configuration() -> Config:
    """Alembic's settings: where the migrations are."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings


def _make_file(path: Path) -> None:
    if not path.parent.is_dir():
        raise StoreError(f"The folder {path.parent} does not exist. Make it, or change [store] url.")
    if not path.exists():
        try:
            # Readers' addresses: nobody else on the machine needs to see them.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(f"The database {path} can't be made: {error.strerror}.") from None
