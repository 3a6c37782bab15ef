"""A reader's own copy: the compiled mail of their variant with their address, links and date."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import lru_cache

from mailer.core.delivery import Claimed
from mailer.core.header import ascii_domain
from mailer.core.message import Compiled, Mail, slot_value, to_value
from mailer.core.tokens import Purpose, key_by_id, sealer
from mailer.core.words import date_in_words


@dataclass(frozen=True, slots=True)
class _Links:
    """Signs a reader's links: (subscriber, generation) to token, under one key."""

    leave: Callable[[int, int], bytes]
    manage: Callable[[int, int], bytes]


class Stationery:
    """Writes copies. A second copy of a delivery is the first one byte for byte, also after a change of keys.

    `sender`: envelope and From address. `keys`: the last signs what was not planned under another. `zone`: the
    site's, for the day a reader asked. `today`: stands for that day in a test copy.
    """

    def __init__(self, *, sender: str, keys: Sequence[str], zone: tzinfo, today: date) -> None:
        self._sender = sender
        self._domain = ascii_domain(sender.rpartition("@")[2])
        self._keys = keys
        self._zone = zone
        self._today = today
        self._links: dict[str, _Links] = {}

    def write(self, item: Claimed, compiled: Compiled) -> Mail:
        """The mail of a delivery. Raises InputError where the address can't stand in a header."""
        links = self._links.get(item.key_id) or self._under(item.key_id)
        day = item.joined_at.astimezone(self._zone).date() if item.joined_at else self._today
        data = compiled.build(
            {
                "to": to_value(item.address),
                "message_id": f"{item.id}.{item.nonce[-16:]}@{self._domain}".encode(),
                "leave": links.leave(item.subscriber, item.generation),
                "manage": links.manage(item.subscriber, item.generation),
                "since": _since(day, compiled.language),
            }
        )
        return Mail(self._sender, item.address, data)

    def _under(self, key_id: str) -> _Links:
        key = key_by_id(key_id, self._keys)
        return self._links.setdefault(key_id, _Links(sealer(Purpose.LEAVE, key), sealer(Purpose.MANAGE, key)))


@lru_cache(maxsize=1024)
def _since(day: date, language: str) -> bytes:
    # Mails that were packed before they knew their language say 'Why you get this: {since} you asked for …'.
    return slot_value(date_in_words(day, language) if language else f"on {date_in_words(day)}")
