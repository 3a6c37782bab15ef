"""A reader's own copy: the compiled mail of their variant with their address, links and date."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import lru_cache

from mailer.core.delivery import Claimed
from mailer.core.header import ascii_domain
from mailer.core.live import Live, Reader
from mailer.core.message import Compiled, Mail, slot_value, to_value
from mailer.core.subscription import Subscriber
from mailer.core.text import clean_text
from mailer.core.tokens import Purpose, bounce_sealer, key_by_id, sealer
from mailer.core.words import date_in_words

_LONGEST_NAME, _LONGEST_TOPIC = 80, 40  # characters of a reader's name and a topic's, as a theme sees them


_DAYS = 4096  # moments whose day is kept in words: lists come in at one


@dataclass(frozen=True, slots=True)
class _Links:
    """Signs a reader's links: (subscriber, generation) to token, under one key. `bounce`: delivery to token."""

    leave: Callable[[int, int], bytes]
    manage: Callable[[int, int], bytes]
    bounce: Callable[[int], str]


def message_id(delivery: int, nonce: str, domain: str) -> str:
    """The Message-ID of a delivery, without '<' and '>'. `nonce`: it was made with. `domain`: of our address, ASCII."""
    return f"{delivery}.{nonce[-16:]}@{domain}"


class Stationery:
    """Writes copies. A second copy of a delivery is the first one byte for byte, also after a change of keys.

    `sender`: the From address. `keys`: the last signs what was not planned under another. `zone`: the site's, for the
    day a reader asked. `today`: stands for that day in a test copy. `bounce`: the envelope's sender, where that is not
    the From address. `verp`: each delivery has one of its own, 'bounce+token@…', by which `open_bounce` knows it.
    """

    def __init__(
        self,
        *,
        sender: str,
        keys: Sequence[str],
        zone: tzinfo,
        today: date,
        bounce: str = "",
        verp: bool = False,
    ) -> None:
        self._envelope = bounce or sender
        local, _, domain = self._envelope.rpartition("@")
        self._verp = (f"{local}+", f"@{domain}") if verp else None
        self._domain = ascii_domain(sender.rpartition("@")[2])
        self._keys = keys
        self._zone = zone
        self._today = today
        self._links: dict[str, _Links] = {}
        self._days: dict[tuple[datetime | None, str], bytes] = {}

    def write(self, item: Claimed, compiled: Compiled, *, ready: bool = False) -> Mail:
        """The mail of a delivery. Raises InputError where the address can't stand in a header.

        `ready`: what `compiled.ready` says, asked once for many.
        """
        links = self._links.get(item.key_id) or self._under(item.key_id)
        to = to_value(item.address)
        data = compiled.build(
            {
                "to": to,
                "message_id": message_id(item.id, item.nonce, self._domain).encode(),
                "leave": links.leave(item.subscriber, item.generation),
                "manage": links.manage(item.subscriber, item.generation),
                "since": self._since(item.joined_at, compiled.language),
            }
        )
        plain = ready and to.isascii()
        if self._verp is None:
            return Mail(self._envelope, item.address, data, plain)
        token = links.bounce(item.id)
        return Mail(f"{self._verp[0]}{token}{self._verp[1]}", item.address, data, plain, token)

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
        return self._day(item.joined_at)

    def _day(self, moment: datetime | None) -> date:
        return moment.astimezone(self._zone).date() if moment else self._today

    def _since(self, moment: datetime | None, language: str) -> bytes:
        known = self._days.get((moment, language))
        if known is None:
            if len(self._days) >= _DAYS:
                self._days.clear()
            known = self._days[moment, language] = _since(self._day(moment), language)
        return known

    def _under(self, key_id: str) -> _Links:
        key = key_by_id(key_id, self._keys)
        return self._links.setdefault(
            key_id, _Links(sealer(Purpose.LEAVE, key), sealer(Purpose.MANAGE, key), bounce_sealer(key))
        )


@lru_cache(maxsize=1024)
def _since(day: date, language: str) -> bytes:
    # Mails that were packed before they knew their language say 'Why you get this: {since} you asked for …'.
    return slot_value(date_in_words(day, language) if language else f"on {date_in_words(day)}")
