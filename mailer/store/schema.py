"""Which tables the database has, and whether they are this program's."""

from sqlalchemy import Connection, text

from mailer.errors import SchemaError
from mailer.store.tables import metadata

HEAD = "0004"
"""The newest migration. A test holds it equal to the migrations folder."""


def check(connection: Connection) -> None:
    """Refuse a database that an older or newer program made, or one that was only half made. Raises SchemaError."""
    revision = current(connection)
    if revision == "":
        raise SchemaError("The database has no tables yet. Run `mailer upgrade` to make them.")
    if revision < HEAD:
        raise SchemaError(f"The database is of version {revision}, this program needs {HEAD}. Run `mailer upgrade`.")
    refuse_newer(revision)
    for found in metadata.sorted_tables:
        columns = {row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info('{found.name}')")}
        missing = [column.name for column in found.columns if column.name not in columns]
        if missing:
            raise SchemaError(
                f"The database says version {revision}, but table {found.name} lacks {', '.join(missing)}: "
                "an upgrade was broken off. Restore the backup from before it, then run `mailer upgrade`."
            )


def refuse_newer(revision: str) -> None:
    """Raises SchemaError where a newer program made the database."""
    if revision > HEAD:
        raise SchemaError(
            f"The database is of version {revision}, made by a newer mailer; this one knows {HEAD}. "
            "Install the newer mailer, or restore a backup from before its upgrade."
        )


def current(connection: Connection) -> str:
    """The database's revision, '' where it has none."""
    if not connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").first():
        if connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").first():
            raise SchemaError(
                "The database has tables but no version: an upgrade was broken off, or it is another "
                "program's. Restore a backup, or point [store] url elsewhere."
            )
        return ""
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    if row is None:
        raise SchemaError("The database's version was lost: an upgrade was broken off. Restore a backup.")
    return str(row[0])
