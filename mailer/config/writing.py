"""The settings as text: config.example.toml with everything in it, and the short file that `mailer init` writes."""

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from mailer.config.settings import SHIPPED
from mailer.config.shape import allowed, has_limits, is_list, is_secret, keys_at, sections
from mailer.core.cadence import Cadence, CadenceOptions
from mailer.core.duration import show_duration
from mailer.errors import InputError

Value = str | bool | int | float | timedelta | Path | Sequence[str]

_WIDTH = 100
_HEAD = """
    Settings of mailer. Copy this file to config.toml and change what is yours, or let `mailer init` write a short one.

    A value here is the default, or a sample where there is none. A line such as '#password_file = …' is not set.
    Lengths of time are written "90s", "30m", "12h", "3d" or "1h30m". Relative paths count from this file's folder.

    Every value can come from the environment instead, which has the last word: MAILER_SMTP__PASSWORD,
    MAILER_CADENCE__WEEKLY__WHEN. In a name, a dash is an underscore there. `mailer config check` lists every mistake.
"""
_RELAY: dict[str, Value] = {
    "host": "smtp.backup.example.net",
    "username": "digest",
    "password_file": "backup-password",
    "rate_per_day": 5000,
    "failover": True,
}
_TOPICS = {"oncology": "Oncology", "lung-health": "Lung health"}


def example() -> str:
    """The text of config.example.toml."""
    parts = [_comment(_HEAD)]
    for name, field in sections().items():
        parts.append(f"\n\n{_comment(field.description or '')}")
        match name:
            case "cadence":
                parts.append(_example_cadences())
            case "relay":
                parts.append(_example_relay())
            case "topics":
                topics = (f"#{topic} = {_toml(shown)}\n" for topic, shown in _TOPICS.items())
                parts.append(f"[topics]\n{''.join(topics)}")
            case _:
                parts.append(f"[{name}]\n{_keys(keys_at((name,)), {})}")
    return "".join(parts)


def write_config(answers: Mapping[str, Mapping[str, Value]], *, secret_keys: Sequence[str]) -> str:
    """The text of a config.toml with these answers only, each under its comment.

    `answers`: by section ('site', 'cadence.weekly') and key. `secret_keys`: fresh ones, the oldest first.
    InputError for an answer that TOML can't carry; whether they are right is `parse`'s to say.
    """
    tables = {**answers, "security": {**answers.get("security", {}), "secret_keys": list(secret_keys)}}
    parts = [_comment("Settings of mailer. config.example.toml has every key there is; `mailer config check` checks.")]
    for name in sorted(tables, key=lambda table: list(sections()).index(table.split(".")[0])):
        known = keys_at(tuple(name.split(".")))
        parts.append(f"\n[{name}]\n")
        for key, value in tables[name].items():
            about = known[key].description if key in known else None
            parts.append(f"{_comment(_first_sentence(about)) if about else ''}{key} = {_toml(value)}\n")
    return "".join(parts)


def _example_relay() -> str:
    """One relay, not set: its keys are explained under [smtp]."""
    lines = (f"#{key} = {_toml(value)}\n" for key, value in _RELAY.items())
    return f"#[relay.backup]\n{''.join(lines)}"


def _example_cadences() -> str:
    """daily with every comment, weekly and monthly with what differs, and how another one would look."""
    known = keys_at(("cadence", "daily"))
    differing = {key: known[key] for key in ("when", "max_articles", "max_late")}
    tables = []
    for name, when in SHIPPED.items():
        cadence = Cadence.of(name, CadenceOptions(when=when), "UTC")
        shown: dict[str, Value] = {"when": when, "max_articles": cadence.max_articles, "max_late": cadence.max_late}
        keys = _keys(known, shown) if name == "daily" else _keys(differing, shown, briefly=True)
        tables.append(f"[cadence.{name}]\n{keys}")
    another = f"#[cadence.twice-a-week]\n#when = {_toml(_sample('when', known['when']))}\n"
    return "\n".join(
        [*tables, f"{_comment('Another one, under a name of your own; only when has to be written.')}{another}"]
    )


def _keys(fields: Mapping[str, FieldInfo], values: Mapping[str, Value], *, briefly: bool = False) -> str:
    lines = []
    for key, field in fields.items():
        value = values.get(key, _default_or_sample(field))
        about = (
            _comment(_first_sentence(field.description or ""))
            if briefly
            else _about(field, required=field.is_required() and key not in values)
        )
        line = f"#{key} = {_toml(_sample(key, field))}" if value is None else f"{key} = {_toml(value)}"
        lines.append(f"{about}{line}\n")
    return "\n".join(lines)


def _default_or_sample(field: FieldInfo) -> Any:
    """What the example file sets a key to; None where it leaves it unset."""
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    if is_secret(field) or (default is None and not field.is_required()):
        return None
    return field.examples[0] if field.examples else default


def _sample(key: str, field: FieldInfo) -> Any:
    """What a key that is left unset might be set to."""
    if is_secret(field):
        return ["…"] if is_list(field) else "…"
    return field.examples[0] if field.examples else key.replace("_", "-")


def _about(field: FieldInfo, *, required: bool) -> str:
    about = f"{field.description or ''}{' Required.' if required else ''}"
    return _comment(about) + (_comment(f"Allowed: {allowed(field)}.") if has_limits(field) else "")


def _first_sentence(text: str) -> str:
    return text.split(". ", maxsplit=1)[0].removesuffix(".") + "."


def _comment(text: str) -> str:
    paragraphs = textwrap.dedent(text).strip().split("\n\n")
    wrapped: Iterable[list[str]] = (
        textwrap.wrap(paragraph, _WIDTH - 2, break_long_words=False, break_on_hyphens=False) for paragraph in paragraphs
    )
    return "#\n".join("".join(f"# {line}\n" for line in lines) for lines in wrapped)


def _toml(value: Any) -> str:
    """The value as TOML 1.0 writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case timedelta():
            return _toml(show_duration(value))
        case str() | Path():
            return _toml_string(str(value))
        case _:
            return f"[{', '.join(map(_toml, value))}]"


def _toml_string(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{text!r} can't be written to a file: it is not UTF-8 text.") from None
    # A JSON string is a TOML basic string, save that TOML has DEL escaped, too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
