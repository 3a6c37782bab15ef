"""The far side of the network, scripted: a relay that answers each mail as a test wants."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable

from mailer.core.delivery import Answer, Reply, Stage
from mailer.core.message import Mail

ACCEPTED = Answer(Stage.DOT, Reply(250, "2.0.0", "accepted"))
REFUSED = Answer(Stage.DOT, Reply(554, "5.6.0", "not like this"))
UNKNOWN = Answer(Stage.RCPT, Reply(550, "5.1.1", "user unknown"))
FULL = Answer(Stage.RCPT, Reply(552, "5.2.2", "mailbox full"))
LATER = Answer(Stage.RCPT, Reply(451, "4.2.0", "try again later"))
GREYLISTED = Answer(Stage.RCPT, Reply(451, "4.7.1", "greylisted"))
NOT_NOW = Answer(Stage.MAIL, Reply(421, "4.3.2", "not now"))
LOST = Answer(Stage.BODY, None, "the connection was lost")
DOUBT = Answer(Stage.DOT, None, "the connection was lost")
NO_WAY = Answer(Stage.CONNECT, None, "cannot connect: Connection refused")

Script = Callable[[Mail], Answer | tuple[Answer, bool]]


def message_id(mail: Mail) -> str:
    found = re.search(rb"^Message-ID: (\S+)", mail.data, re.MULTILINE)
    assert found
    return found[1].decode()


class ScriptedRelay:
    """Opens connections and counts copies as a relay would.

    `script`: the answer to a mail; with True beside it the relay took the mail whatever it answered. `taken`: every
    copy that the relay has, in order. `limit`: connections it lets in.
    """

    def __init__(self, script: Script | None = None, *, limit: int | None = None) -> None:
        self.script = script or (lambda _mail: ACCEPTED)
        self.limit = limit
        self.taken: list[Mail] = []
        self.offered: list[Mail] = []
        self.open_ones = 0
        self.opened = 0
        self.trouble: Answer | None = None

    @property
    def copies(self) -> Counter[str]:
        return Counter(mail.recipient for mail in self.taken)

    async def open(self) -> "ScriptedConnection | Answer":
        await asyncio.sleep(0)
        if self.trouble is not None:
            return self.trouble
        if self.limit is not None and self.open_ones >= self.limit:
            return Answer(Stage.GREETING, Reply(421, "4.7.0", "too many connections"))
        self.open_ones += 1
        self.opened += 1
        return ScriptedConnection(self)


class ScriptedConnection:
    """One of its connections: dead after an answer without a reply, as a real one is."""

    def __init__(self, relay: ScriptedRelay) -> None:
        self.alive = True
        self.sent = 0
        self._relay = relay

    def stale(self, now: float) -> bool:
        del now
        return False

    async def send(self, mail: Mail) -> Answer:
        await asyncio.sleep(0)
        self.sent += 1
        self._relay.offered.append(mail)
        said = self._relay.script(mail)
        answer, taken = said if isinstance(said, tuple) else (said, said == ACCEPTED)
        if taken:
            self._relay.taken.append(mail)
        self.alive = answer.reply is not None and answer.reply.code != 421
        await asyncio.sleep(0)
        return answer

    async def close(self) -> None:
        self.alive = False
        self._relay.open_ones -= 1
