"""A mail that is rendered for each reader, because its theme asks who reads it: all that is frozen of it.

What its templates say, what they show and the words of its language are kept with the edition. So a second copy is the
first byte for byte while the reader's own data is the same, whatever becomes of the theme meanwhile.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from mailer.core.digest import Layout
from mailer.core.message import Compiled, Headers
from mailer.errors import StoreError

_FORMAT = b"\x03"  # those before are Compiled's


@dataclass(frozen=True, slots=True)
class Reader:
    """Who a copy is for, as a theme sees them. What they never told is '' or ().

    `name`: as they wrote it, at most 80 characters. `cadence`: its id, 'weekly'. `topics`: the names of those they
    chose; () is all. `language`: of their mails. `joined`: the day they asked, in its words.
    """

    name: str
    address: str
    cadence: str
    topics: tuple[str, ...]
    language: str
    joined: str


@dataclass(frozen=True, slots=True)
class Source:
    """A template as it was when the edition was planned. `path`: where it was read, for sentences about it."""

    name: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Stencil:
    """What is rendered anew for each reader. `cadence`: its id; `topics`: id to name, as configured.

    `catalogues`: of its language, the first asked first, each the content of an .mo file in base64.
    """

    sources: tuple[Source, ...]
    page: Layout
    catalogues: tuple[str, ...]
    accent: str
    logo: str
    mark: str
    cadence: str
    topics: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Live:
    """The mail of a variant, to be rendered when it is sent. `prefix`: what its subject begins with, '[Test] '."""

    stencil: Stencil
    headers: Headers
    date: datetime
    boundary: str
    prefix: str = ""

    @property
    def language(self) -> str:
        """Of its words, a BCP 47 tag."""
        return self.stencil.page.language

    def pack(self) -> bytes:
        """For the database: a byte for the format, then zlib. The same mail packs to the same bytes."""
        return _FORMAT + zlib.compress(_WHOLE.dump_json(self), 6)


_WHOLE = TypeAdapter(Live)


def unpack(packed: bytes) -> Compiled | Live:
    """What either `pack` made. Raises StoreError where it isn't that, or was packed by a newer program."""
    if packed[:1] != _FORMAT:
        return Compiled.unpack(packed)
    try:
        return _WHOLE.validate_json(zlib.decompress(packed[1:]))
    except (zlib.error, ValidationError) as error:
        raise StoreError(f"A stored mail can't be read: {str(error).splitlines()[0]}.") from error
