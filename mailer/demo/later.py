"""What comes later, now: the demo's time moves on to when the next digest is due, and that digest goes out."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mailer.demo.publication import Publication
from mailer.flows.delivering import Report, Run
from mailer.flows.ingesting import poll
from mailer.store.database import Database
from mailer.wiring import Parts

PATIENCE = 60
"""Seconds that a visitor waits for the mails at most."""


class DemoClock:
    """The time in the demo: the machine's until it is moved on, and ticking from there."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def move_on_to(self, moment: datetime) -> None:
        self._ahead += moment - self()


class Later:
    """Sends the next digests when they are asked for. `said`: how the last time went, a sentence.

    Made on the loop that the database is used on; `now`, `coming` and `send` are for other threads.
    """

    def __init__(self, parts: Parts, database: Database, publication: Publication, clock: DemoClock) -> None:
        self.said = ""
        self._parts, self._database, self._publication, self._clock = parts, database, publication, clock
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()

    def now(self) -> datetime:
        return self._clock()

    def coming(self) -> Sequence[tuple[str, datetime]]:
        """Each cadence, and when its next digest is due."""
        now = self._clock()
        return [(name, cadence.next_due(now)) for name, cadence in self._parts.cadences().items()]

    def send(self, cadence: str) -> None:
        """Move on to the next digest of that cadence and send it. Raises MailerError, TimeoutError."""
        asyncio.run_coroutine_threadsafe(self._send(cadence), self._loop).result(PATIENCE)

    async def _send(self, name: str) -> None:
        async with self._turn:
            cadence = self._parts.cadence(name)
            # A mail that was asked for a moment ago would be too old afterwards.
            await self._parts.post(self._database)
            await self._drain(Run(transactional=True))
            self._clock.move_on_to(cadence.next_due(self._clock()))
            self._publication.go_on(self._clock())
            await poll(self._database, source=self._parts.source(), now=self._clock())
            planned = await self._parts.plan(self._database, cadence)
            if planned.edition is None:
                self.said = f"Nobody reads the {name} digest now."
                return
            await self._drain(Run(edition=planned.edition.id))
            count = planned.edition.planned
            self.said = f"The {name} digest went to {count} {'reader' if count == 1 else 'readers'}."

    async def _drain(self, run: Run) -> None:
        await self._parts.drain(
            self._database, run, report=Report(), stop=asyncio.Event(), note="mailer demo", tell=lambda _: None
        )
