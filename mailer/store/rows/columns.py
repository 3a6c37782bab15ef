"""What several tables write alike."""

from sqlalchemy import Index, text

# Columns that came later have a default in the database, too, so that an upgrade adds them in place.
EMPTY_LIST = {"server_default": "[]"}
EMPTY_TEXT = {"server_default": text("''")}


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows that a condition holds for, on either database. The condition is SQL."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))
