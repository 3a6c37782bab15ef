"""What is kept as the proof of a consent: when, where, by which words, from which machine."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import urlsplit

from mailer.core.text import clean_text

_AGENT, _SOURCE = 200, 200  # characters


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How somebody came to press a button. What isn't known is ''.

    `route`: 'page', 'frame', 'script', 'html' or 'api' for a form, 'link' for what a mail leads to, 'one-click', 'cli'.
    `source`: the page that the form stood on, without its query. `text`: what they read there; `language`: in which
    language. `ip`: whole. `agent`: the browser, as it says.
    """

    route: str
    source: str = ""
    text: str = ""
    language: str = ""
    ip: str = ""
    agent: str = ""

    @classmethod
    def of(
        cls, route: str, *, source: str = "", text: str = "", language: str = "", ip: str = "", agent: str = ""
    ) -> Self:
        """The same from what a browser told: cleaned and cut."""
        return cls(route, _page(source), text, language, ip, clean_text(agent, _AGENT))

    @property
    def text_version(self) -> str:
        """A short name of the wording, '' where nothing was read."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12] if self.text else ""


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One line of a consent record. What isn't known is ''.

    `route`, `source`, `language`, `ip`, `agent`: as in Circumstances. `statement`: an operator's word for the consent.
    `text`: what was read, '' where its wording isn't kept; `text_version`: its short name. `message_id`: of the
    mail whose link was pressed.
    """

    at: datetime
    event: str
    detail: str = ""
    route: str = ""
    statement: str = ""
    source: str = ""
    text_version: str = ""
    text: str = ""
    language: str = ""
    ip: str = ""
    agent: str = ""
    message_id: str = ""


def _page(address: str) -> str:
    """A page's address without what may name its visitor: login, query, fragment. '' where it is none."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return clean_text(f"{parts.scheme}://{host}{parts.path}", _SOURCE)
