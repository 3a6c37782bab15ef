"""What the typed settings say about a section or a key: the one source of complaints and of the example file."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from mailer.config.settings import Settings

Place = tuple[str | int, ...]
"""Where a value stands: ('smtp', 'port'), ('cadence', 'weekly', 'when'), ('topics', 'oncology')."""

NAMED = ("cadence", "relay")
"""Sections that hold tables, each under a name that the operator chose."""

_PLAIN = {
    bool: "true or false",
    str: "text",
    SecretStr: "text",
    timedelta: "a length of time like '30m'",
    Path: "the path of a file or folder",
}


def sections() -> dict[str, FieldInfo]:
    return dict(Settings.model_fields)


def table_of(place: Place) -> Place:
    """The table that a place lies in: ('smtp',), ('cadence', 'weekly')."""
    return place[: 2 if place[:1] and place[0] in NAMED else 1]


def keys_at(table: Place) -> dict[str, FieldInfo]:
    """The keys that a table may have, by name; empty where the operator chooses the names, or it is no table."""
    field = sections().get(str(table[0])) if table and table == table_of(table) else None
    kinds = _kinds(field.annotation) if field else ()
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return dict(models[0].model_fields) if models else {}


def field_at(place: Place) -> FieldInfo | None:
    """The field of a key, also for a place inside its list."""
    table = table_of(place)
    return keys_at(table).get(str(place[len(table)])) if len(place) > len(table) else None


def is_secret(field: FieldInfo) -> bool:
    return SecretStr in set(_kinds(field.annotation))


def may_be_shown(field: FieldInfo) -> bool:
    """Whether a complaint may repeat its value: not a secret, nor an address that may hold one."""
    return field.repr and not is_secret(field)


def is_list(field: FieldInfo) -> bool:
    return tuple in set(_kinds(field.annotation))


def is_path(field: FieldInfo) -> bool:
    return Path in set(_kinds(field.annotation))


def allowed(field: FieldInfo) -> str:
    """What a value may be, to stand after 'must be'."""
    kinds = set(_kinds(field.annotation))
    if literal := next((kind for kind in kinds if get_origin(kind) is Literal), None):
        *others, last = (f'"{choice}"' for choice in get_args(literal))
        return f"{', '.join(others)} or {last}"
    if tuple in kinds:
        return "a list of texts in quotes"
    if kinds & {int, float} and bool not in kinds:
        return _number(field, whole=int in kinds)
    return next((words for kind, words in _PLAIN.items() if kind in kinds), "something else")


def has_limits(field: FieldInfo) -> bool:
    """Whether what is allowed says more than the type's name."""
    kinds = set(_kinds(field.annotation))
    return bool(kinds & {int, float, bool}) or any(get_origin(kind) is Literal for kind in kinds)


def _number(field: FieldInfo, *, whole: bool) -> str:
    limits = {
        name: value
        for part in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if (value := getattr(part, name, None)) is not None
    }
    number = "a whole number" if whole else "a number"
    low = limits.get("ge", limits.get("gt"))
    high = limits.get("le", limits.get("lt"))
    above = "above" if "gt" in limits else "from"
    match low is not None, high is not None:
        case True, True:
            return f"{number} {above} {low} to {high}"
        case True, False:
            return f"{number} {above} {low}" if "gt" in limits else f"{number}, {low} or more"
        case False, True:
            return f"{number}, {high} or less"
        case _:
            return number


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of: int for `Annotated[int | None, …]`."""
    origin = get_origin(annotation)
    if origin is Literal:
        yield annotation
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    elif origin in (tuple, list, Mapping):
        yield origin
        yield from (kind for part in get_args(annotation) for kind in _kinds(part))
    elif origin is not None and hasattr(annotation, "__metadata__"):
        yield from _kinds(get_args(annotation)[0])
    else:
        yield annotation if origin is None else origin
