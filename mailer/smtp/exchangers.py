"""Who takes a domain's mail: domains of one provider are slowed together. The one place that asks the DNS."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from dns.asyncresolver import Resolver
from dns.exception import DNSException, Timeout
from dns.name import root

TIMEOUT = 3.0
SHORTEST, LONGEST, NOTHING = 3600.0, 86_400.0, 600.0
"""Seconds that an answer is kept: at least, at most, and where there was none."""
MOST = 10_000
"""Domains that are remembered."""
_PATIENCE, _REST = 3, 60.0
"""After so many silences in a row, no name server is asked for so many seconds: mail doesn't wait for it."""
_SECOND_LEVEL = frozenset(
    {
        *("ac", "ad", "co", "com", "ed", "edu", "go", "gob", "gov", "gr", "lg", "me", "mil", "ne", "net", "nhs"),
        *("nom", "or", "org", "plc", "sch"),
    }
)


@dataclass(frozen=True, slots=True)
class _Known:
    group: str
    until: float


class Exchangers:
    """Remembers what it asked. Raises nothing: what can't be found out is a group of its own.

    `resolver`: makes the one that is asked; the system's own unless given.
    """

    def __init__(self, resolver: Callable[[], Resolver] = Resolver, clock: Callable[[], float] = monotonic) -> None:
        self._make = resolver
        self._clock = clock
        self._resolver: Resolver | None = None
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[str]] = {}
        self._silences = 0
        self._quiet_until = float("-inf")

    async def group(self, domain: str) -> str:
        """The provider that takes this domain's mail, by its best mail exchanger (RFC 5321 §5.1), else the domain."""
        name = domain.rstrip(".").lower()
        known = self._known.get(name)
        if known is not None and self._clock() < known.until:
            return known.group
        if name not in self._asking:
            if self._clock() < self._quiet_until:
                return name
            task = asyncio.create_task(self._find(name))
            self._asking[name] = task
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        # Many may wait for one answer; that one of them gives up is not the others' loss.
        return await asyncio.shield(self._asking[name])

    async def _find(self, name: str) -> str:
        found, kept = name, NOTHING
        try:
            host, ttl = await self._best(name)
            if host:
                found, kept = provider_of(host), min(max(SHORTEST, ttl), LONGEST)
            self._silences = 0
        except Timeout:
            self._silences += 1
            if self._silences >= _PATIENCE:
                self._silences, self._quiet_until = 0, self._clock() + _REST
        except (DNSException, OSError, ValueError):  # no such domain, no name server; ValueError: a name that is none
            self._silences = 0
        self._remember(name, _Known(found, self._clock() + kept))
        return found

    async def _best(self, name: str) -> tuple[str, float]:
        """The host of the lowest preference, the first by name among equals; '' for a null MX (RFC 7505)."""
        if self._resolver is None:
            self._resolver = self._make()
        answer = await self._resolver.resolve(name, "MX", lifetime=TIMEOUT, search=False)
        best = min(answer, key=lambda record: (record.preference, record.exchange))
        host = "" if best.exchange == root else best.exchange.to_text(omit_final_dot=True)
        return host.lower(), float(answer.rrset.ttl) if answer.rrset is not None else 0.0

    def _remember(self, name: str, known: _Known) -> None:
        self._known.pop(name, None)
        while len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[name] = known


def provider_of(host: str) -> str:
    """The part of a host's name that its owner registered, as well as can be told without a list of all suffixes."""
    labels = host.split(".")
    country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL  # noqa: PLR2004  # co.uk
    return ".".join(labels[-3:] if country else labels[-2:])
