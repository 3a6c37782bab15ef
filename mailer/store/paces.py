"""How relays and the providers behind them want to be treated, kept from one run to the next."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, Connection, bindparam, delete, select, text

from mailer.store.tables import paces

Key = tuple[str, str]
"""A relay's name and a provider behind it; '' for the relay itself."""
Changed = Mapping[Key, Mapping[str, Any] | None]
"""What is to be written down; None: back at full speed, so forgotten."""

_SAVE = text(
    "INSERT INTO paces (relay, provider, state) VALUES (:relay, :provider, :state) "
    "ON CONFLICT (relay, provider) DO UPDATE SET state = excluded.state"
).bindparams(bindparam("state", type_=JSON))


def load(connection: Connection) -> dict[Key, dict[str, Any]]:
    """All that differ from full speed, as `core.pacing.from_json` reads them."""
    asked = select(paces.c.relay, paces.c.provider, paces.c.state).order_by(paces.c.relay, paces.c.provider)
    rows = connection.execute(asked)
    return {(relay, provider): state for relay, provider, state in rows if isinstance(state, dict)}


def save(connection: Connection, changed: Changed) -> None:
    """Write these down."""
    kept = [
        {"relay": relay, "provider": provider, "state": dict(state)}
        for (relay, provider), state in changed.items()
        if state is not None
    ]
    if kept:
        connection.execute(_SAVE, kept)
    for (relay, provider), state in changed.items():
        if state is None:
            connection.execute(delete(paces).where(paces.c.relay == relay, paces.c.provider == provider))
