"""Opening a connection to the relay: connect, TLS, EHLO, AUTH by aiosmtplib, and what each refusal means."""

import base64
import os
import re
import socket
import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

import aiosmtplib

from mailer.core.delivery import Answer, Stage
from mailer.errors import OUT_OF_FILES, OutOfFiles
from mailer.smtp.connection import Connection
from mailer.smtp.envelope import Extensions
from mailer.smtp.options import RelayOptions
from mailer.smtp.reply import make_reply
from mailer.smtp.wire import Wire

if TYPE_CHECKING:
    import asyncio

# The password goes at most once to a relay: aiosmtplib's own order would try it by every method that is offered.
_METHODS = ("plain", "login", "cram-md5")
_METHOD_UNKNOWN = {500, 502, 504}  # RFC 4954 §4: offered, yet not understood; the next method may be tried
_UNSAID = "the relay spoke without being asked"
_HOST_NAME = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


class _Client(aiosmtplib.SMTP):
    """aiosmtplib, but `close` does not wait for a TLS peer that may never answer."""

    def close(self) -> None:
        transport = self.transport
        super().close()
        if transport is not None:
            cast("asyncio.Transport", transport).abort()


class Relay:
    """The way to one relay. Holds no connection itself and may open many at a time."""

    def __init__(
        self,
        options: RelayOptions,
        *,
        password: str = "",
        reply_timeout: float = 600.0,
        connect_timeout: float = 30.0,
        command_timeout: float = 300.0,
        local_hostname: str = "",
        tls_context: ssl.SSLContext | None = None,
        table: str = "smtp",
    ) -> None:
        """Timeouts are seconds: for the reply to the final dot (RFC 5321 §4.5.3.2.6), for each of connecting, TLS
        and greeting, and for any other reply. `password`, where given, stands for that of the options. `table`: of
        the settings, where they can be mended.
        """
        self._options = options
        self._table = table
        self._password = password or options.password.get_secret_value()
        self._reply_timeout = reply_timeout
        self._connect_timeout = connect_timeout
        self._command_timeout = command_timeout
        self._local_hostname = local_hostname or _own_name()
        self._tls = tls_context
        if tls_context is None and options.security != "none":
            self._tls = ssl.create_default_context()

    async def open(self) -> Connection | Answer:
        """A connection ready for mail, or the answer that kept us out, with its stage; never an exception for it.

        Raises OutOfFiles: that is no answer, and no relay's fault.
        """
        if self._options.username and not self._options.keeps_secrets:
            return Answer(
                Stage.AUTH,
                None,
                f"refusing to send the password in clear to {self._options.host}: "
                f'set security to "starttls" or "tls" in [{self._table}]',
                settled=True,
            )
        client = _Client(
            hostname=self._options.host,
            port=self._options.port,
            use_tls=self._options.security == "tls",
            start_tls=False,
            tls_context=self._tls,
            local_hostname="localhost",  # never said: what is said stands in _greet
        )
        opening = _Opening(client, self._options, self._password, self._local_hostname, self._table)
        try:
            await opening.run(self._connect_timeout, self._command_timeout)
            return self._take_over(client, opening.stage)
        except (aiosmtplib.SMTPException, OSError, ValueError) as exc:
            client.close()
            if _is_out_of_files(exc):
                raise OutOfFiles from None
            return self._translated(opening.stage, exc)
        except BaseException:
            client.close()
            raise

    def _take_over(self, client: _Client, stage: Stage) -> Connection | Answer:
        """No await may come between the last reply and here, or bytes could go to a protocol that drops them."""
        protocol, transport = client.protocol, client.transport
        if protocol is None or transport is None or transport.is_closing():
            client.close()
            return Answer(stage, None, "the relay closed the connection")
        if protocol._buffer:  # noqa: SLF001 (aiosmtplib shows in no other way what it was sent too much)
            client.close()
            return Answer(stage, None, _UNSAID)
        offered = Extensions(
            size=client.supports_extension("size"),
            limit=_limit(client.esmtp_extensions.get("size", "")),
            eight_bit=client.supports_extension("8bitmime"),
            utf8=client.supports_extension("smtputf8"),
            pipelining=client.supports_extension("pipelining"),
            dsn=client.supports_extension("dsn"),
        )
        return Connection(
            Wire(cast("asyncio.Transport", transport)),
            offered,
            reply_timeout=self._reply_timeout,
            command_timeout=self._command_timeout,
            most=self._options.messages_per_connection,
        )

    def _translated(self, stage: Stage, exc: Exception) -> Answer:
        """The one place where aiosmtplib's exceptions become answers."""
        cause = exc.__cause__ if isinstance(exc, aiosmtplib.SMTPConnectError) and exc.__cause__ else exc
        if stage is Stage.CONNECT:
            stage = self._stage_of_connecting(cause)
        if isinstance(exc, aiosmtplib.SMTPResponseException) and 200 <= exc.code <= 599:  # noqa: PLR2004 (RFC 5321 §4.2)
            return Answer(
                stage, make_reply(exc.code, [self._without_secrets(line) for line in exc.message.split("\n")])
            )
        where = f"{self._options.host} port {self._options.port}"
        # What it offers, which certificate it shows, what we can't say: the next connection would change nothing.
        settled = isinstance(cause, aiosmtplib.SMTPNotSupported | ssl.SSLCertVerificationError | UnicodeError)
        return Answer(stage, None, _in_words(stage, cause, where), settled=settled)

    def _stage_of_connecting(self, cause: BaseException) -> Stage:
        """aiosmtplib's connect() does TCP, implicit TLS and the greeting in one call; the cause tells them apart."""
        if isinstance(cause, aiosmtplib.SMTPException):
            return Stage.GREETING
        broken_handshake = self._options.security == "tls" and isinstance(
            cause, ConnectionResetError | ConnectionAbortedError
        )
        return Stage.TLS if isinstance(cause, ssl.SSLError) or broken_handshake else Stage.CONNECT

    def _without_secrets(self, text: str) -> str:
        """A careless relay quotes the command it refuses, and ours holds the password."""
        if not self._password:
            return text
        raw, user = self._password.encode(errors="replace"), self._options.username.encode(errors="replace")
        for secret in (base64.b64encode(b"\0" + user + b"\0" + raw), base64.b64encode(raw), raw):
            text = text.replace(secret.decode(errors="replace"), "***")
        return text


class _Opening:
    """One way in, step by step. `stage`: where it is, so that whoever catches the exception knows."""

    def __init__(self, client: _Client, options: RelayOptions, password: str, own_name: str, table: str) -> None:
        self.stage = Stage.CONNECT
        self._client = client
        self._options = options
        self._password = password
        self._own_name = own_name
        self._table = table

    async def run(self, connect_timeout: float, command_timeout: float) -> None:
        """Raises what aiosmtplib raises, or SMTPNotSupported with our own sentence."""
        await self._client.connect(timeout=connect_timeout)
        await self._greet(command_timeout)
        if self._options.security == "starttls":
            await self._secure(connect_timeout)
            await self._greet(command_timeout)
        if self._options.username:
            await self._sign_in(command_timeout)

    async def _greet(self, patience: float) -> None:
        self.stage = Stage.EHLO
        name = self._own_name or _address_literal(self._client.get_transport_info("sockname"))
        await self._client.ehlo(hostname=name, timeout=patience)

    async def _secure(self, patience: float) -> None:
        self.stage = Stage.TLS
        if not self._client.supports_extension("starttls"):
            raise aiosmtplib.SMTPNotSupported(
                f"{self._options.host} offers no STARTTLS, so nothing was sent to it: "
                f'set security in [{self._table}] to "tls" if it speaks TLS from the first byte, '
                'or to "none" if it is on this machine'
            )
        await self._client.starttls(timeout=patience)

    async def _sign_in(self, patience: float) -> None:
        self.stage = Stage.AUTH
        methods = [method for method in _METHODS if method in self._client.server_auth_methods]
        if not methods:
            raise aiosmtplib.SMTPNotSupported(
                f"{self._options.host} offers no way to sign in that is known here ({', '.join(_METHODS)})"
            )
        ways = {
            "plain": self._client.auth_plain,
            "login": self._client.auth_login,
            "cram-md5": self._client.auth_crammd5,
        }
        for method in methods:
            try:
                await ways[method](self._options.username, self._password, timeout=patience)
            except aiosmtplib.SMTPAuthenticationError as refusal:
                if refusal.code not in _METHOD_UNKNOWN or method == methods[-1]:
                    raise
            else:
                return


def _in_words(stage: Stage, cause: BaseException, where: str) -> str:
    """One sentence without secrets for what kept us out; what aiosmtplib's own messages quote is not repeated."""
    match cause:
        case aiosmtplib.SMTPNotSupported():
            return cause.message
        case aiosmtplib.SMTPResponseException():
            return f"{where} sent bytes that are no SMTP reply"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {where} was refused: {cause.verify_message}"
        case ssl.SSLError():
            return f"no TLS with {where}: {cause.reason or 'the handshake failed'}"
        case TimeoutError():
            return f"no answer from {where} in time ({stage})"
        case aiosmtplib.SMTPException() | ConnectionResetError() | ConnectionAbortedError():
            return f"{where} closed the connection ({stage})"
        case OSError():
            return f"cannot connect to {where}: {_errno_in_words(cause)}"
        case _ if stage is Stage.AUTH:
            return "the user name or password can't be sent: it holds characters that have no UTF-8 form"
        case _:
            return f"cannot connect to {where}: the name is not a valid host name"


def _limit(said: str) -> int:
    """RFC 1870 §4: digits, of which 0 says that there is none; at most 20."""
    return int(said) if re.fullmatch(r"[0-9]{1,20}", said) else 0


def _is_out_of_files(exc: Exception) -> bool:
    cause = exc.__cause__ if isinstance(exc, aiosmtplib.SMTPConnectError) and exc.__cause__ else exc
    if isinstance(cause, socket.gaierror):  # it opens files, too, and doesn't say that it could not
        try:
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            return error.errno in OUT_OF_FILES
        return False
    return isinstance(cause, OSError) and not OUT_OF_FILES.isdisjoint(_numbers(cause))


def _numbers(exc: OSError) -> Sequence[int]:
    # Where a name has several addresses, asyncio joins the texts of all failures and keeps no number.
    return [exc.errno] if exc.errno else [int(number) for number in re.findall(r"\[Errno (\d+)\]", str(exc))]


def _errno_in_words(exc: OSError) -> str:
    if isinstance(exc, socket.gaierror):
        return exc.strerror or "the name is not known"
    numbers = _numbers(exc)
    return ", ".join(dict.fromkeys(os.strerror(number) for number in numbers)) or type(exc).__name__


def _own_name() -> str:
    """This machine's full name for EHLO, without asking DNS; '' where it has none."""
    name = socket.gethostname()
    return name if _HOST_NAME.fullmatch(name) else ""


def _address_literal(sockname: tuple[str, int]) -> str:
    """RFC 5321 §4.1.3 and §4.1.4: a client without a full name says its address."""
    address = ip_address(sockname[0].partition("%")[0])
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"  # noqa: PLR2004 (the version is its name)
