"""How a moment is kept in a column."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# Integer keys are 32-bit on PostgreSQL unless said otherwise; SQLite numbers rows only where the type is INTEGER.
Key = BigInteger().with_variant(Integer(), "sqlite")


def to_number(moment: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC. `moment` is aware; a naive one raises TypeError."""
    return (moment - EPOCH) // _MILLISECOND


def to_moment(number: int) -> datetime:
    """The aware UTC datetime of a number of milliseconds."""
    return EPOCH + number * _MILLISECOND


class Instant(TypeDecorator[datetime]):
    """An aware datetime as whole milliseconds since 1970: alike on every database, compared as numbers."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        del dialect
        return value if value is None or isinstance(value, int) else to_number(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else to_moment(value)
