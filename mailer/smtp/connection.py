"""One open connection to the relay and the transaction that sends a mail over it."""

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from mailer.core.delivery import Answer, Reply, Stage
from mailer.core.judging import is_too_big
from mailer.core.message import Mail
from mailer.smtp.body import dot_stuffed
from mailer.smtp.envelope import Extensions, mail_from, rcpt_to, refused_here
from mailer.smtp.wire import CLOSING, Wire

MAX_AGE = 300.0  # seconds
_POLITE = 2.0  # seconds that a goodbye may take
_RESET = 30.0  # seconds that RSET may take: the answer it follows is known and waits for it

_OK, _GO_AHEAD = 2, 3  # first digits of the replies that let a transaction go on (RFC 5321 §4.2.1)
_REFUSED = {4, 5}
_DONE = 250


class Connection:
    """A connection that is signed in and ready for mail; `Relay.open` makes it. One mail at a time.

    `sent`: transactions begun since it was opened.
    """

    def __init__(
        self,
        wire: Wire,
        offered: Extensions,
        *,
        reply_timeout: float,
        command_timeout: float,
        most: int,
    ) -> None:
        """`most`: messages after which another connection should be opened."""
        self.sent = 0
        self._wire = wire
        self._offered = offered
        self._reply_timeout = reply_timeout
        self._command_timeout = command_timeout
        self._opened = monotonic()
        self._busy = False
        self._most = most

    @property
    def alive(self) -> bool:
        """False as soon as anything surprised us; a dead connection is never used again."""
        return not self._wire.trouble

    def stale(self, now: float) -> bool:
        """Whether it has served long enough and another should be opened. `now`: `time.monotonic()`."""
        return self.sent >= self._most or now - self._opened >= MAX_AGE

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
        body = mail.data if mail.ready else dot_stuffed(mail.data)
        refusal, taking = await self._introduce(mail, len(body))
        if refusal is None or taking:
            # A refused recipient and a 354 all the same: a lone dot ends it (RFC 2920 §3.1).
            answer, done = await self._hand_over(b"" if refusal else body)
            if done and not refusal:
                return answer
            last, refusal = answer, refusal or answer
        else:
            last = refusal
        if last.reply is None or last.reply.code == CLOSING:
            self._wire.fail(str(last))
        else:
            await self._reset()
        return self._with_sizes(refusal, len(body))

    def _with_sizes(self, refusal: Answer, size: int) -> Answer:
        """Where the message is too big: how big it is and, if the relay said so, how big it may be."""
        reply = refusal.reply
        if reply is None or not is_too_big(reply):
            return refusal
        limit = f"; the relay takes {self._offered.limit:,}" if self._offered.limit else ""
        return replace(refusal, reply=replace(reply, text=f"{reply.text} (it has {size:,} bytes{limit})".lstrip()))

    async def _introduce(self, mail: Mail, size: int) -> tuple[Answer | None, bool]:
        """MAIL, RCPT and DATA: the answer that refuses, and whether the relay waits for a message."""
        lines = (
            (Stage.MAIL, mail_from(mail, size, self._offered)),
            (Stage.RCPT, rcpt_to(mail, self._offered)),
            (Stage.DATA, b"DATA\r\n"),
        )
        if self._offered.pipelining:
            return await self._ask_all(lines)
        for stage, line in lines:
            refusal = await self._ask(stage, line)
            if refusal:
                return refusal, False
        return None, True

    async def _ask_all(self, lines: Sequence[tuple[Stage, bytes]]) -> tuple[Answer | None, bool]:
        """RFC 2920 §3.1: all in one write, and every reply read and paired."""
        if not self._wire.write(b"".join([line for _, line in lines]), replies=len(lines)):
            return Answer(lines[0][0], None, self._wire.trouble), False
        replies = await self._wire.replies(len(lines), self._command_timeout)
        if [reply.code // 100 for reply in replies] == [_OK, _OK, _GO_AHEAD]:
            return None, True
        for farewell in (reply for reply in replies if reply.code == CLOSING):
            self._wire.fail(f"the relay goes: {farewell}")
        refusal: Answer | None = None
        for (stage, _), reply in zip(lines, replies, strict=False):
            refused = _refusal(stage, reply)
            refusal = refusal or refused
            if refused and refused.reply is None:
                return refused, False
        if len(replies) < len(lines):
            return refusal or Answer(lines[len(replies)][0], None, self._wire.trouble), False
        if not refusal:
            return None, True
        waits = replies[-1].code // 100 == _GO_AHEAD
        if waits and refusal.stage is not Stage.RCPT:
            # Whom it would send an empty message to is anybody's guess.
            return replace(refusal, reply=None, trouble=f"the relay wants a message after {refusal}"), False
        return refusal, waits

    async def _ask(self, stage: Stage, line: bytes) -> Answer | None:
        """Writes a command and reads its reply: the answer, where it does not let the transaction go on."""
        if not self._wire.write(line, replies=1):
            return Answer(stage, None, self._wire.trouble)
        reply = await self._wire.reply(self._command_timeout)
        return Answer(stage, None, self._wire.trouble) if reply is None else _refusal(stage, reply)

    async def _hand_over(self, body: bytes) -> tuple[Answer, bool]:
        """The message and the dot that ends it: the answer, and whether it was accepted."""
        if not await self._wire.write_all(body, self._command_timeout):
            return Answer(Stage.BODY, None, self._wire.trouble), False
        if not self._wire.write(b".\r\n", replies=1):
            # The dot was never handed over, so there is no doubt yet.
            return Answer(Stage.BODY, None, self._wire.trouble), False
        reply = await self._wire.reply(self._reply_timeout)
        if reply is None:
            return Answer(Stage.DOT, None, self._wire.trouble), False
        refused = _refusal(Stage.DOT, reply)
        return (refused, False) if refused else (Answer(Stage.DOT, reply), True)

    async def _reset(self) -> None:
        """RFC 5321 §4.1.1.5: nothing of a failed transaction may reach the next one."""
        if not self._wire.write(b"RSET\r\n", replies=1):
            return
        reply = await self._wire.reply(min(_RESET, self._command_timeout))
        if reply and reply.code != _DONE:
            self._wire.fail(f"the relay answered RSET with {reply}")


def _refusal(stage: Stage, reply: Reply) -> Answer | None:
    """The answer, where a reply does not let the transaction go on (RFC 5321 §4.2.1, §4.3.2)."""
    kind = reply.code // 100
    if kind == (_GO_AHEAD if stage is Stage.DATA else _OK):
        return None
    if kind in _REFUSED:
        return Answer(stage, reply)
    # A reply out of step says nothing about this mail: after the dot that is doubt.
    return Answer(stage, None, f"the relay answered out of step: {reply}")
