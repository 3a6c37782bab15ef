"""A reader's own copy: the compiled mail of their variant with their address, links and date."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import lru_cache

from mailer.core.delivery import Claimed
from mailer.core.header import ascii_domain
from mailer.core.live import Live, Reader
from mailer.core.message import Compiled, Mail, slot_value, to_value
from mailer.core.subscription import Subscriber
from mailer.core.text import clean_text
from mailer.core.tokens import Purpose, key_by_id, sealer
from mailer.core.words import date_in_words

_LONGEST_NAME, _LONGEST_TOPIC = 80, 40  # characters of a reader's name and a topic's, as a theme sees them


@dataclass(frozen=True, slots=True)
class _Links:
    """Signs a reader's links: (subscriber, generation) to token, under one key."""

    leave: Callable[[int, int], bytes]
    manage: Callable[[int, int], bytes]


def message_id(delivery: int, nonce: str, domain: str) -> str:
    """The Message-ID of a delivery, without '<' and '>'. `nonce`: it was made with. `domain`: of our address, ASCII."""
    return f"{delivery}.{nonce[-16:]}@{domain}"


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

    def write(self, item: Claimed, compiled: Compiled, *, ready: bool = False) -> Mail:
        """The mail of a delivery. Raises InputError where the address can't stand in a header.

        `ready`: what `compiled.ready` says, asked once for many.
        """
        links = self._links.get(item.key_id) or self._under(item.key_id)
        data = compiled.build(
            {
                "to": to_value(item.address),
                "message_id": message_id(item.id, item.nonce, self._domain).encode(),
                "leave": links.leave(item.subscriber, item.generation),
                "manage": links.manage(item.subscriber, item.generation),
                "since": _since(self._asked(item), compiled.language),
            }
        )
        return Mail(self._sender, item.address, data, ready)

    def reader(self, item: Claimed, known: Subscriber | None, live: Live) -> Reader:
        """Who a delivery's copy of a live mail is for. A test copy is for a sample reader."""
        language, stencil = live.language, live.stencil
        joined = date_in_words(self._asked(item), language)
        if known is None:
            sample = "" if item.subscriber else "Ada Lovelace"
            return Reader(sample, item.address, stencil.cadence, (), language, joined)
        topics = tuple(clean_text(stencil.topics.get(topic, topic), _LONGEST_TOPIC) for topic in known.topics)
        name = clean_text(known.name, _LONGEST_NAME)
        return Reader(name, item.address, known.cadence, topics, language, joined)

    def _asked(self, item: Claimed) -> date:
        """The site's local day on which a reader asked."""
        return item.joined_at.astimezone(self._zone).date() if item.joined_at else self._today

    def _under(self, key_id: str) -> _Links:
        key = key_by_id(key_id, self._keys)
        return self._links.setdefault(key_id, _Links(sealer(Purpose.LEAVE, key), sealer(Purpose.MANAGE, key)))


@lru_cache(maxsize=1024)
def _since(day: date, language: str) -> bytes:
    # Mails that were packed before they knew their language say 'Why you get this: {since} you asked for …'.
    return slot_value(date_in_words(day, language) if language else f"on {date_in_words(day)}")
