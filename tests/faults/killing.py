"""A site whose sender is killed or stopped, by the relay's hand, at the very step of the dialogue that a rule names."""

import asyncio
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.site import MONDAY, Site
from tests.faults.badrelay import Action
from tests.faults.launcher import Child, Launcher
from tests.faults.served import until

K = 4
"""Connections, and so permits outstanding."""
SEND = ("send", "--cadence", "weekly", "--now", MONDAY)


@dataclass
class Killer:
    """Sends a signal to a child from within a relay's rule. `struck`: whose messages were on the wire there."""

    child: Child | None = None
    struck: list[str] = field(default_factory=list)

    def strike(self, number: int = signal.SIGKILL) -> Action:
        """Send it; after SIGKILL go on when the child is dead."""

        async def act(scene) -> None:
            child = await asyncio.to_thread(until, lambda: self.child)
            self.struck.append(scene.recipient)
            os.kill(child.pid, number)
            if number == signal.SIGKILL:
                # The relay's loop stands still meanwhile, or it would hear that the connection is gone, and end this
                # rule.
                until(lambda: _is_dead(child.pid))

        return act


def _is_dead(pid: int) -> bool:
    """A zombie, or heard of already: its last instruction is behind it."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return told.rpartition(") ")[2][0] == "Z"


def filled(site: Site, readers: int) -> None:
    """Readers, something to read, and K connections."""
    site.environ["MAILER_SMTP__CONNECTIONS"] = str(K)
    site.publish("one", "two")
    site.join(*(f"reader{number}" for number in range(readers)))


def begun(
    launcher: Launcher, site: Site, port: int, patch: str = "", killer: Killer | None = None, now: str = MONDAY
) -> Child:
    """A run of its own, which a killer may have in its sight. `patch`: 'room:function' of this folder."""
    site.use(port)
    where = f"tests.faults.{patch}" if patch else ""
    words = (*SEND[:-1], now)
    if killer is not None:
        killer.child = None
    child = launcher.start(*words, folder=site.folder, environ=site.surroundings, patch=where)
    if killer is not None:
        killer.child = child
    return child


def states(site: Site) -> Counter[str]:
    """How many deliveries are in each state."""
    return Counter(dict(site.ask("SELECT state, count(*) FROM deliveries GROUP BY state")))
