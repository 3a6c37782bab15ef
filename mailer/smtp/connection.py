"""One open connection to the relay and the transaction that sends a mail over it."""

from time import monotonic

from mailer.core.delivery import Answer, Stage
from mailer.core.message import Mail
from mailer.smtp.body import dot_stuffed
from mailer.smtp.envelope import Extensions, mail_from, rcpt_to, refused_here
from mailer.smtp.wire import Wire

MAX_MESSAGES = 100
MAX_AGE = 300.0  # seconds
_POLITE = 2.0  # seconds that a goodbye may take
_RESET = 30.0  # seconds that RSET may take: the answer it follows is known and waits for it

_OK, _GO_AHEAD = 2, 3  # first digits of the replies that let a transaction go on (RFC 5321 §4.2.1)
_REFUSED = {4, 5}
_CLOSING = 421  # RFC 5321 §3.8
_DONE = 250


class Connection:
    """A connection that is signed in and ready for mail; `Relay.open` makes it. One mail at a time.

    `sent`: transactions begun since it was opened.
    """

    def __init__(self, wire: Wire, offered: Extensions, *, reply_timeout: float, command_timeout: float) -> None:
        self.sent = 0
        self._wire = wire
        self._offered = offered
        self._reply_timeout = reply_timeout
        self._command_timeout = command_timeout
        self._opened = monotonic()
        self._busy = False

    @property
    def alive(self) -> bool:
        """False as soon as anything surprised us; a dead connection is never used again."""
        return not self._wire.trouble

    def stale(self, now: float) -> bool:
        """Whether it has served long enough and another should be opened. `now`: `time.monotonic()`."""
        return self.sent >= MAX_MESSAGES or now - self._opened >= MAX_AGE

    async def send(self, mail: Mail) -> Answer:
        """Hands one mail to the relay and says how that ended; never raises for what the relay or network does.

        `Answer(Stage.DOT, None, …)` means doubt: the relay may have the mail. Every other answer is definite.
        Cancelled, the connection is dead and the mail is wherever it was.
        """
        if self._busy:
            raise RuntimeError("a connection sends one mail at a time")
        self._busy = True
        try:
            return await self._deliver(mail)
        except BaseException:
            self._wire.fail("sending was broken off")
            raise
        finally:
            self._busy = False

    async def close(self) -> None:
        """Says QUIT when the relay still listens, and closes the socket; never raises for what the relay does."""
        try:
            if self.alive and not self._busy and self._wire.write(b"QUIT\r\n", replies=1):
                await self._wire.reply(_POLITE)
        finally:
            await self._wire.closed(_POLITE)

    async def _deliver(self, mail: Mail) -> Answer:
        if refusal := refused_here(mail, self._offered):
            return refusal
        if not await self._wire.quiet():
            return Answer(Stage.MAIL, None, self._wire.trouble)
        self.sent += 1
        answer, done = await self._transact(mail)
        if done:
            return answer
        if answer.reply is None or answer.reply.code == _CLOSING:
            self._wire.fail(str(answer))
        else:
            await self._reset()
        return answer

    async def _transact(self, mail: Mail) -> tuple[Answer, bool]:
        """MAIL, RCPT, DATA, body, dot: the answer that ended it, and whether the mail was accepted."""
        body = dot_stuffed(mail.data)
        for stage, line, welcome in (
            (Stage.MAIL, mail_from(mail, len(body), self._offered), _OK),
            (Stage.RCPT, rcpt_to(mail), _OK),
            (Stage.DATA, b"DATA\r\n", _GO_AHEAD),
        ):
            answer, welcomed = await self._ask(stage, line, welcome, self._command_timeout)
            if not welcomed:
                return answer, False
        if not await self._wire.write_all(body, self._command_timeout):
            return Answer(Stage.BODY, None, self._wire.trouble), False
        return await self._ask(Stage.DOT, b".\r\n", _OK, self._reply_timeout)

    async def _ask(self, stage: Stage, line: bytes, welcome: int, patience: float) -> tuple[Answer, bool]:
        """Writes a command and reads its reply: the answer, and whether it lets the transaction go on."""
        if not self._wire.write(line, replies=1):
            # The dot was never handed over, so there is no doubt yet.
            return Answer(Stage.BODY if stage is Stage.DOT else stage, None, self._wire.trouble), False
        reply = await self._wire.reply(patience)
        if reply is None:
            return Answer(stage, None, self._wire.trouble), False
        kind = reply.code // 100
        if kind != welcome and kind not in _REFUSED:
            # A reply out of step says nothing about this mail: after the dot that is doubt.
            return Answer(stage, None, f"the relay answered out of step: {reply}"), False
        return Answer(stage, reply), kind == welcome

    async def _reset(self) -> None:
        """RFC 5321 §4.1.1.5: nothing of a failed transaction may reach the next one."""
        if not self._wire.write(b"RSET\r\n", replies=1):
            return
        reply = await self._wire.reply(min(_RESET, self._command_timeout))
        if reply and reply.code != _DONE:
            self._wire.fail(f"the relay answered RSET with {reply}")
