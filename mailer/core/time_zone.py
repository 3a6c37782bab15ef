"""The time zones that a reader may choose from."""

from functools import lru_cache
from zoneinfo import available_timezones

from babel.core import get_global

_CONTINENTS = frozenset(
    {
        *("Africa", "America", "Antarctica", "Arctic", "Asia"),
        *("Atlantic", "Australia", "Europe", "Indian", "Pacific"),
    }
)


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """The IANA names that are places, and UTC; without those that are only an older name of another."""
    places = (name for name in available_timezones() if name.partition("/")[0] in _CONTINENTS)
    return (*sorted(name for name in places if name not in get_global("zone_aliases")), "UTC")
