"""What each relay took, and how it and the providers behind it want to be treated."""

from typing import Any

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel


class RelayUsageRow(SQLModel, table=True):
    """Permits given for a relay in one minute (unix seconds // 60), and messages that it accepted in it."""

    __tablename__ = "relay_usage"

    relay: str = Field(primary_key=True)
    minute: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    permits: int = 0
    accepted: int = 0


class PaceRow(SQLModel, table=True):
    """A pace that differs from full speed. `provider`: '' for the relay itself."""

    __tablename__ = "paces"

    relay: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    state: dict[str, Any] = Field(sa_type=JSON)
