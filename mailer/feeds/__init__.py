"""Fetching feeds: over HTTP, bounded in time and size and kept out of private networks, or from a local file."""

import asyncio
import os
import socket
import ssl
import stat
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import Literal

import httpx

from mailer import __version__
from mailer.core.duration import show_duration
from mailer.core.polling import Hints, retry_words
from mailer.errors import FeedError, FeedTooSlow
from mailer.feeds.addresses import is_public
from mailer.feeds.options import FeedOptions

__all__ = ["FeedOptions", "Fetched", "fetch", "fetch_beginning", "is_public", "probe", "read_file"]

MAX_REDIRECTS = 5
_MAX_PLACES = 3  # addresses of one name that are tried, so that a dead IPv6 route doesn't hide a live IPv4 one
_MAX_MEMBERS = 100  # of one gzip stream (RFC 1952 §2.2): feeds have one
_LONGEST_VALIDATOR = 500  # characters of an ETag or Last-Modified that is worth keeping
_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}
_CHANGED = {200, 203}
_PARTIAL = 206
_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/json;q=0.8, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.1"
)

_BEGINNING = 65_536  # bytes: a JPEG may say its size only after what cameras and editors write before it


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source answered. `body` is empty unless it changed; `etag`, `last_modified`: '' where there is none.

    `final_url`: where the answer came from. `permanent_url`: the address to keep from now on, where every redirect
    on the way was permanent (301, 308), else ''. `hints`: what the server says on when to come again.
    """

    status: Literal["changed", "unchanged", "gone"]
    body: bytes = b""
    etag: str = ""
    last_modified: str = ""
    content_type: str = ""
    final_url: str = ""
    permanent_url: str = ""
    hints: Hints = field(default_factory=Hints, compare=False)


@dataclass(frozen=True, slots=True)
class _Errand:
    """What was asked for: `url` as given, for the sentences, and where that starts."""

    url: str
    start: httpx.URL
    headers: dict[str, str]
    options: FeedOptions
    method: Literal["GET", "HEAD"] = "GET"
    wants: Literal["all", "beginning", "nothing"] = "all"

    def path_to(self, here: httpx.URL) -> str:
        return self.url if here == self.start else f"{self.url} redirects to {here}, which"

    def checked(self, here: httpx.URL) -> httpx.URL:
        if here.scheme not in ("http", "https") or not here.host or not 0 < (here.port or 80) < 1 << 16:
            raise FeedError(f"{self.path_to(here)} is not an http or https address.")
        if here.userinfo:
            raise FeedError(
                f"{self.path_to(here)} has a user name in its address; feeds that need signing in can't be fetched."
            )
        return here


@dataclass(frozen=True, slots=True)
class _Answer:
    """One hop's answer; the body is read only where it is wanted, and is unpacked."""

    status: int
    headers: httpx.Headers
    body: bytes = b""


async def fetch(url: str, *, etag: str = "", last_modified: str = "", options: FeedOptions, site: str = "") -> Fetched:
    """The feed at an http or https address, or that it didn't change since `etag` and `last_modified`, as they came.

    `site`: the address of the operator's site, for the User-Agent. Raises FeedError with one sentence for everything
    else: not reached, refused, too slow, too large, an answer that is no feed's.
    """
    headers = {"User-Agent": _agent(site), "Accept": _ACCEPT, "Accept-Encoding": "gzip"}
    if _is_header_text(etag):
        headers["If-None-Match"] = etag
    if _is_header_text(last_modified):
        headers["If-Modified-Since"] = last_modified
    async with _in_time(url, options):
        errand = _Errand(url, httpx.URL(url.strip()).copy_with(fragment=None), headers, options)
        answer, here, moved = await _follow(errand)
        return _told(answer, here, errand, moved=moved)


async def probe(url: str, *, options: FeedOptions, site: str = "") -> int:
    """The status with which a page or picture on the web answers in the end; its content is not read.

    HEAD, and GET where the server has no answer to that. Goes only where `fetch` goes; raises FeedError as it does.
    """
    headers = {"User-Agent": _agent(site), "Accept": "*/*", "Accept-Encoding": "identity"}
    async with _in_time(url, options):
        start = httpx.URL(url.strip()).copy_with(fragment=None)
        answer, *_ = await _follow(_Errand(url, start, headers, options, "HEAD", wants="nothing"))
        if answer.status >= HTTPStatus.BAD_REQUEST:
            answer, *_ = await _follow(_Errand(url, start, headers, options, "GET", wants="nothing"))
        return answer.status


async def fetch_beginning(url: str, *, options: FeedOptions, site: str = "") -> bytes:
    """The first bytes of a picture on the web, 64 KB at most, however much is sent.

    Goes only where `fetch` goes; raises FeedError as it does, and where the answer is no picture.
    """
    headers = {
        "User-Agent": _agent(site),
        "Accept": "image/jpeg, image/png, image/*;q=0.5",
        "Accept-Encoding": "identity",
        "Range": f"bytes=0-{_BEGINNING - 1}",  # RFC 9110 §14.2: a server may send all the same
    }
    async with _in_time(url, options):
        start = httpx.URL(url.strip()).copy_with(fragment=None)
        answer, *_ = await _follow(_Errand(url, start, headers, options, wants="beginning"))
        if answer.status not in _CHANGED and answer.status != _PARTIAL:
            raise FeedError(f"{url} answered {_status_in_words(answer)}.", answer.headers)
        return answer.body


def _agent(site: str) -> str:
    return f"mailer/{__version__}" + (f" (+{site})" if _is_header_text(site) else "")


@asynccontextmanager
async def _in_time(url: str, options: FeedOptions) -> AsyncIterator[None]:
    """Bounds what is asked of a server, and says in one sentence why it could not be had."""
    try:
        async with asyncio.timeout(options.timeout.total_seconds()):
            yield
    except (TimeoutError, httpx.TimeoutException):
        raise FeedTooSlow(f"{url} did not answer in full within {show_duration(options.timeout)}.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as failed:
        raise FeedError(f"{url} can't be fetched: {_in_words(failed)}.") from None


def read_file(path: str, *, etag: str = "", options: FeedOptions) -> Fetched:
    """A feed in a file of this machine. `etag`: of the last reading, made from the file's time and size.

    Raises FeedError where it is no readable file or too large.
    """
    try:
        # Not blocking: a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise FeedError(f"{path} is not a file; name the file that holds the feed.")
            now = sha256(f"{about.st_mtime_ns} {about.st_size}".encode()).hexdigest()[:32]
            if now == etag:
                return Fetched("unchanged", etag=now, final_url=path)
            body = file.read(options.max_bytes + 1)
    except (OSError, ValueError) as failed:
        raise FeedError(f"{path} can't be read: {getattr(failed, 'strerror', None) or failed}.") from None
    if len(body) > options.max_bytes:
        raise _too_large(path, options)
    return Fetched("changed", body=body, etag=now, final_url=path)


async def _follow(errand: _Errand) -> tuple[_Answer, httpx.URL, bool]:
    """The last answer, from where it came, and whether every redirect on the way there was permanent.

    Redirects by hand, because each address on the way has to be checked before anything is sent there.
    """
    here, permanent, seen = errand.checked(errand.start), True, set[str]()
    for _ in range(MAX_REDIRECTS + 1):
        seen.add(str(here))
        answer = await _ask(here, errand)
        if answer.status not in _REDIRECTS:
            return answer, here, permanent and len(seen) > 1
        target = answer.headers.get("location", "").strip()
        if not target:
            raise FeedError(f"{errand.url} redirects to nowhere (status {answer.status} without an address).")
        here = errand.checked(here.join(target).copy_with(fragment=None))
        permanent = permanent and answer.status in _PERMANENT
        if str(here) in seen:
            raise FeedError(f"{errand.url} redirects in a circle; it comes back to {here}.")
    raise FeedError(f"{errand.url} redirects more than {MAX_REDIRECTS} times.")


def _told(answer: _Answer, here: httpx.URL, errand: _Errand, *, moved: bool) -> Fetched:
    hints = Hints.of(answer.headers)
    if answer.status == HTTPStatus.GONE:
        return Fetched("gone", final_url=str(here), hints=hints)
    asked = errand.headers
    etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    kept = str(here) if moved else ""
    if answer.status == HTTPStatus.NOT_MODIFIED and ("If-None-Match" in asked or "If-Modified-Since" in asked):
        # Without new ones the validators stay in force (RFC 9110 §15.4.5).
        etag = etag if _is_header_text(etag) else asked.get("If-None-Match", "")
        modified = modified if _is_header_text(modified) else asked.get("If-Modified-Since", "")
        return Fetched(
            "unchanged", etag=etag, last_modified=modified, final_url=str(here), permanent_url=kept, hints=hints
        )
    if answer.status not in _CHANGED:
        raise FeedError(f"{errand.url} answered {_status_in_words(answer)}.", answer.headers)
    return Fetched(
        "changed",
        body=answer.body,
        etag=etag if _is_header_text(etag) else "",
        last_modified=modified if _is_header_text(modified) else "",
        content_type=answer.headers.get("content-type", ""),
        final_url=str(here),
        permanent_url=kept,
        hints=hints,
    )


async def _ask(here: httpx.URL, errand: _Errand) -> _Answer:
    """One request, to the very address that was checked: a second look-up could give another one."""
    places = await _places(here, errand)
    for place in places[:-1]:
        try:
            return await _get(here, place, errand, patience=1 / len(places))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await _get(here, places[-1], errand, patience=1)


async def _places(here: httpx.URL, errand: _Errand) -> list[str]:
    """The IP addresses of a host that may be asked; never none. Also makes '127.1' and '0x7f000001' what they are."""
    host = here.raw_host.decode("ascii")
    port = here.port or (443 if here.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise FeedError(f"{errand.url} can't be fetched: the name {host} was not found.") from None
    places = list(dict.fromkeys(str(address[0]) for *_, address in found))
    allowed = places if errand.options.allow_private else [place for place in places if is_public(place)]
    if not allowed:
        raise FeedError(
            f"{errand.path_to(here)} leads to {places[0]}, which is not a public address; "
            "write allow_private = true under [feeds] if it is your own."
        )
    return allowed[:_MAX_PLACES]


async def _get(here: httpx.URL, place: str, errand: _Errand, *, patience: float) -> _Answer:
    """`patience`: the share of the whole time that connecting may take."""
    seconds = errand.options.timeout.total_seconds()
    timeout = httpx.Timeout(seconds, connect=seconds * patience)
    request = httpx.Request(
        errand.method,
        here.copy_with(host=place),
        headers=errand.headers | {"Host": here.netloc.decode("ascii")},
        # The certificate is checked against the name, not against the address.
        extensions={"sni_hostname": here.raw_host.decode("ascii"), "timeout": timeout.as_dict()},
    )
    # No client above it: that would keep cookies, look into redirects by itself and unpack without a bound.
    async with httpx.AsyncHTTPTransport(verify=_trust(), trust_env=False) as transport:
        response = await transport.handle_async_request(request)
        try:
            body = await _wanted(response, errand)
        finally:
            await response.aclose()
        return _Answer(response.status_code, response.headers, body)


async def _wanted(response: httpx.Response, errand: _Errand) -> bytes:
    """As much of an answer's body as is wanted of it."""
    if errand.wants == "all" and response.status_code in _CHANGED:
        return await _body(response, errand.url, errand.options)
    if errand.wants == "beginning" and response.status_code in (*_CHANGED, _PARTIAL):
        return await _beginning(response, errand.url)
    return b""


async def _beginning(response: httpx.Response, url: str) -> bytes:
    kind = response.headers.get("content-type", "").strip().lower()
    if not kind.startswith("image/"):
        raise FeedError(f"{url} is no picture; its server calls it {kind[:60]!r}.")
    if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise FeedError(f"{url} was sent packed, which was not asked for.")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) >= _BEGINNING:
            break
    return bytes(data[:_BEGINNING])


async def _body(response: httpx.Response, url: str, options: FeedOptions) -> bytes:
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > options.max_bytes:  # noqa: PLR2004 of 64 bits
        raise _too_large(url, options)
    packed = bytearray()
    async for chunk in response.aiter_raw():
        packed += chunk
        if len(packed) > options.max_bytes:
            raise _too_large(url, options)
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return bytes(packed)
    if coding not in ("gzip", "x-gzip"):
        raise FeedError(f"{url} was sent packed as {coding!r}, which was not asked for.")
    return _unpacked(bytes(packed), url, options)


def _unpacked(packed: bytes, url: str, options: FeedOptions) -> bytes:
    """Gzip undone here and not by httpx, which would unpack a bomb before its size is known."""
    body = bytearray()
    try:
        for _ in range(_MAX_MEMBERS):
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            body += member.decompress(packed, options.max_bytes + 1 - len(body))
            if len(body) > options.max_bytes:
                raise _too_large(url, options)
            if not member.eof:
                raise FeedError(f"{url} broke off: its gzip stream has no end.")
            packed = member.unused_data
            if not packed.startswith(b"\x1f\x8b"):  # the end, or padding (RFC 1952 §2.3.1)
                return bytes(body)
    except zlib.error:
        pass
    raise FeedError(f"{url} was sent as a broken gzip stream.")


@cache
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _too_large(source: str, options: FeedOptions) -> FeedError:
    return FeedError(
        f"{source} has more than {options.max_bytes} bytes; raise max_bytes under [feeds] if that is right."
    )


def _is_header_text(value: str) -> bool:
    """Whether a value may go back into a request: what a server sends is not trusted to be a header's text."""
    return value.isascii() and value.isprintable() and 0 < len(value) <= _LONGEST_VALIDATOR


def _status_in_words(answer: _Answer) -> str:
    try:
        words = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        words = str(answer.status)
    return words + retry_words(Hints.of(answer.headers))


def _in_words(failed: Exception) -> str:
    """What went wrong, in words for a person; the causes of httpx's errors are a chain with the real one below."""
    cause: BaseException | None = failed
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message.rstrip('.')})"
        if isinstance(cause, ssl.SSLError):
            return f"no secure connection ({cause.reason or 'TLS failed'})"
        cause = cause.__cause__ or cause.__context__
    if isinstance(failed, httpx.ConnectError):
        return "nothing answers there"
    if isinstance(failed, httpx.InvalidURL):
        return "that is not a web address"
    if isinstance(failed, httpx.ProtocolError | httpx.ReadError | httpx.WriteError):
        return "the connection broke off, or what came is not HTTP"
    return str(failed).splitlines()[0].rstrip(".") if str(failed) else type(failed).__name__
