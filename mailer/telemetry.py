"""Logs, on standard error: for people on a terminal, as JSON lines for programs. No token and no address is in them."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_ADDRESS = re.compile(r"([^\s@<>\"'()\[\]{},;:=&?/\\|]*)(?:@|%40)([^\s@<>\"'()\[\]{},;:=&?/\\|]+)")
# A signature is 43 letters of 64. A name in a program may be as long, but has no capitals and digits in it.
_TOKEN = re.compile(r"(?:[\w-]+\.)*(?=[\w-]*[A-Z0-9])[\w-]{24,}(?:\.[\w-]+)*=*", re.ASCII)


def configure(stream: TextIO | None = None, *, json: bool | None = None, level: int = logging.INFO) -> None:
    """Send what structlog and the standard library log to `stream`, standard error unless said otherwise.

    `json`: a JSON document a line; None: where nobody looks at it on a terminal. `level`: from which on mailer's own
    lines are written.
    """
    out = sys.stderr if stream is None else stream
    terminal = out.isatty()
    told: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if (not terminal if json is None else json)
        else structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=told,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # the lines of the program, without what its names stood for
                _without_secrets,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # of others what is wrong, not what they do: httpx tells every address it asks
    logging.getLogger("mailer").setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *told,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def masked(address: str) -> str:
    """'a…@example.com' of 'ann@example.com': enough to recognise, not enough to write to."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}"


def without_secrets(text: str) -> str:
    """The text with addresses masked and what looks like a token taken out, wherever it came from."""
    return _TOKEN.sub("…", _ADDRESS.sub(lambda found: f"{found[1][:1]}…@{found[2]}", text))


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last thing before a line is written, so that nothing passes it by."""
    for key, value in event.items():
        if key != "timestamp" and not isinstance(value, bool | int | float | None):
            event[key] = without_secrets(str(value))
    return event
