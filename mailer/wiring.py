"""The one place where parts meet: settings become a database, a relay, templates, keys and a clock."""

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from mailer.config import Settings, why_not_send
from mailer.core.cadence import Cadence, slower_than, zone_named
from mailer.core.dkim import SigningKey
from mailer.core.personal import Stationery
from mailer.core.sharing import Share
from mailer.core.tokens import fingerprint
from mailer.errors import Misuse, Refused
from mailer.flows import erasing, tidying
from mailer.flows.delivering import Report, Run, Way, drain, the_one_sender
from mailer.flows.ingesting import Source
from mailer.flows.noticing.posting import Supplies, post
from mailer.flows.planning import Composer, Planned, plan
from mailer.signing.signer import Signer
from mailer.smtp import Relay
from mailer.smtp.exchangers import Exchangers
from mailer.store.database import Database
from mailer.templating import Press, Templates
from mailer.templating.pages import Pages

run_loop = asyncio.run
"""Runs a coroutine to its end, on the quicker loop where there is one for this Python."""
with suppress(ImportError):
    import uvloop

    run_loop = uvloop.run


@dataclass(frozen=True, slots=True)
class Clock:
    """The time: the machine's, moved by a fixed distance (`--now`), and ticking on from there."""

    offset: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    @classmethod
    def at(cls, moment: datetime) -> "Clock":
        """A clock that shows this aware moment now."""
        return cls(moment - datetime.now(UTC))


def draw() -> str:
    """32 hexadecimal digits that nobody could foresee."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Parts:
    """Everything a front door hands to a flow, made from the settings when it is asked for."""

    settings: Settings
    clock: Callable[[], datetime]
    draw: Callable[[], str] = draw
    chance: Callable[[], float] = random.random

    def open_database(self) -> Database:
        """Raises StoreError, SchemaError."""
        return Database(self.settings.store.url)

    def cadences(self) -> Mapping[str, Cadence]:
        """What the settings offer, made once: every page asks for it."""
        return self._cadences

    @cached_property
    def _cadences(self) -> Mapping[str, Cadence]:
        return self.settings.cadences()

    def pace(self, cadence: str) -> str:
        """That cadence; where it is offered no more, the one that is ticked on the form."""
        return cadence if cadence in self.cadences() else self.settings.preselected()

    def cadence(self, name: str) -> Cadence:
        """Raises Misuse with the names there are."""
        known = self.cadences()
        if name not in known:
            raise Misuse(f"There is no cadence '{name}'. There are: {', '.join(known)}.")
        return known[name]

    def chosen(self, cadence: str | None) -> list[Cadence]:
        """The cadence of that name, or all of them. Raises Misuse with the names there are."""
        return [self.cadence(cadence)] if cadence else list(self.cadences().values())

    def next_due(self, cadence: str) -> datetime | None:
        """When that cadence is due next; None where there is none of that name any more."""
        known = self.cadences().get(cadence)
        return None if known is None else known.next_due(self.clock())

    def composer(self) -> Composer:
        """Made once: a theme is read, compiled and tried out for it. Raises TemplateError."""
        return self._composer

    @cached_property
    def _composer(self) -> Composer:
        settings = self.settings
        templates = Templates(settings.theme)
        cadences = self.cadences()
        return Composer(
            settings.site_value(),
            settings.topics,
            templates,
            settings.selection.related,
            {name: slower_than(cadences, name) for name in cadences},
        )

    def pages(self) -> Pages:
        """The reader's pages, made once. Raises TemplateError."""
        return self._pages

    @cached_property
    def _pages(self) -> Pages:
        return Pages(self.settings.site_value(), self.composer().templates.words)

    def keys(self) -> tuple[str, ...]:
        """The signing keys, for what can't go without. Raises Refused."""
        keys = self._keys
        if not keys:
            raise Refused("\n".join(why_not_send(self.settings)))
        return keys

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return self.settings.signing_keys()

    def stationery(self) -> Stationery:
        """Raises Refused where there are no keys."""
        site, bounce = self.settings.site, self.settings.bounce
        return Stationery(
            sender=site.from_address,
            bounce=bounce.address,
            verp=bounce.verp,
            keys=self.keys(),
            zone=zone_named(site.timezone),
            today=self.clock().astimezone(zone_named(site.timezone)).date(),
        )

    def ways(self) -> dict[str, Way]:
        """The relays that our mail may go by, by name. Raises ConfigError where a password's file can't be read."""
        settings = self.settings
        return {
            name: Way(
                Relay(
                    options,
                    password=settings.relay_password(name),
                    reply_timeout=settings.delivery.reply_timeout.total_seconds(),
                    table=settings.relay_table(name),
                ),
                options.connections,
                Share(options.weight, options.failover),
                options.rate_per_second,
                options.rate_per_hour,
                options.rate_per_day,
                settings.relay_table(name),
            )
            for name, options in settings.relays().items()
            if options.weight and options.may_take(settings.site.from_address)
        }

    def signer(self) -> Signer | None:
        """What signs the mails of one run, in one event loop; to be closed after it. None where [dkim] is off.

        Raises ConfigError where a key can't be read.
        """
        return Signer(self._dkim_keys) if self._dkim_keys else None

    @cached_property
    def _dkim_keys(self) -> tuple[SigningKey, ...]:
        return self.settings.dkim_keys()

    def source(self) -> Source:
        """How feeds are fetched."""
        longest = max(cadence.typical_period() for cadence in self.cadences().values())
        return Source(self.settings.feeds, self.settings.site.url, longest, self.chance)

    def fingerprints(self, email: str) -> tuple[str, ...]:
        """An address's keyed hashes, one for every key in use."""
        return tuple(fingerprint(email, key) for key in self._keys)

    def fingerprint(self, email: str) -> str:
        """An address's keyed hash under the newest key."""
        return fingerprint(email, self.keys()[-1])

    async def keep_erased(self, database: Database) -> int:
        """`erasing.enforce` with these parts: how many readers a restored backup had brought back."""
        keys = self.settings.signing_keys()
        return await erasing.enforce(
            database, now=self.clock(), fingerprints=lambda email: tuple(fingerprint(email, key) for key in keys)
        )

    async def plan(self, database: Database, cadence: Cadence) -> Planned:
        """`planning.plan` with these parts."""
        return await plan(
            database,
            cadence,
            now=self.clock(),
            composer=self.composer(),
            keys=self.keys(),
            draw=self.draw,
            max_age=self.settings.delivery.max_age,
            lint_holds=self.settings.delivery.lint == "hold",
        )

    async def drain(
        self,
        database: Database,
        run: Run,
        *,
        report: Report,
        stop: asyncio.Event,
        note: str,
        tell: Callable[[str], None],
        patient: bool = True,
    ) -> None:
        """`delivering.drain` with these parts, as the one sender. `note`: who we are; `tell`: hears who sends.

        Raises SenderBusy where another process sends and we are not `patient`.
        """
        stationery, ways = self.stationery(), self.ways()
        async with self.signer() or nullcontext() as signer:
            await drain(
                database,
                ways,
                run=run,
                stationery=stationery,
                press=Press(),
                options=self.settings.delivery,
                clock=self.clock,
                chance=self.chance,
                fingerprint=self.fingerprint,
                stop=stop,
                report=report,
                turn=lambda: the_one_sender(database, note, tell, stop, patient=patient),
                groups=Exchangers() if self.settings.pacing.mx else None,
                signer=signer,
            )

    async def tidy(self, database: Database) -> None:
        """`tidying.tidy` with these parts: what has had its time goes."""
        await tidying.tidy(database, now=self.clock())

    async def post(self, database: Database) -> int:
        """`noticing.posting.post` with these parts: how many mails that are wanted went into the outbox."""
        settings = self.settings
        supplies = Supplies(
            site=settings.site_value(),
            timezone=settings.site.timezone,
            cadences=self.cadences(),
            topics=settings.topics,
            templates=self.composer().templates,
            keys=self.keys(),
            draw=self.draw,
            options=settings.signup,
            max_age=settings.delivery.max_age,
        )
        return await post(database, supplies, now=self.clock())

    def refuse_to_send(self) -> None:
        """Raises Refused with every reason why no mail may leave yet."""
        reasons = why_not_send(self.settings)
        if reasons:
            raise Refused("\n".join(reasons))


def moment_of(text: str, timezone: str) -> datetime:
    """The aware moment that `--now` names; without an offset it is the site's local time. Raises Misuse."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Misuse(f"--now {text!r} is no time. Write it like 2026-11-23T08:00 or 2026-11-23T07:00Z.") from None
    return found.replace(tzinfo=zone_named(timezone)) if found.tzinfo is None else found
