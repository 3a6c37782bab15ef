"""What is wrong with the settings, one sentence each: where, what was found, what is allowed. Never a secret."""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from mailer.config.shape import Place, allowed, field_at, keys_at, may_be_shown, sections, table_of
from mailer.config.values import WrongAt

_LONGEST_SHOWN = 60


def complaint(error: ErrorDetails, file: str, variables: Mapping[Place, str]) -> str:
    """One error of pydantic's as a sentence. `variables`: the places whose values came from the environment."""
    place = tuple(part for part in error["loc"] if part != "[key]")  # pydantic's mark for a name in a mapping
    if isinstance(wrong := error.get("ctx", {}).get("error"), WrongAt):
        place = wrong.place
    where = _where(place, file, variables)
    match error["type"]:
        case "missing":
            field = field_at(place)
            return f"{where} is missing: {_about(field.description if field else None)}."
        case "extra_forbidden":
            return f"{where} is not a setting{_instead(str(place[-1]), keys_at(place[:-1]))}"
        case "model_type" | "dict_type" | "mapping_type":
            return f"{where} must be a section with keys of its own, not a single value."
        case _:
            return f"{where}{_problem(error, place)}"


def unknown_section(name: str, value: Any, file: str) -> str:
    if isinstance(value, dict):
        return f"{file}: [{_plain(name)}] is not a section{_instead(name, sections())}"
    owners = [section for section in sections() if name in keys_at((section,))]
    hint = f"; did you mean {name} under [{owners[0]}]?" if owners else "; every key belongs to a section."
    return f"{file}: {_plain(name)} stands before the first section{hint}"


def unknown_variable(variable: str, section: str) -> str:
    return f"{variable} is not a setting: there is no section {section}{_instead(section, sections())}"


def misspelt_variable(variable: str, meant: str) -> str:
    return f"{variable} is not a setting; did you mean {meant}, with two underscores?"


def _where(place: Place, file: str, variables: Mapping[Place, str]) -> str:
    table = table_of(place)
    for length in range(len(place), 0, -1):
        if place[:length] in variables:
            return variables[place[:length]]
    if len(place) > len(table):  # a variable that takes a key for a table: MAILER_SMTP__HOST__NAME
        for below, variable in variables.items():
            if below[: len(place)] == place:
                return variable
    key = "".join(f" {_plain(part)}" for part in place[len(table) :] if isinstance(part, str))
    return f"{file}: [{'.'.join(map(_plain, table))}]{key}"


def _problem(error: ErrorDetails, place: Place) -> str:
    field = field_at(place)
    if error["type"] == "value_error":
        text = str(error["ctx"]["error"]).removesuffix(".")
    elif error["msg"].startswith("Input should be"):
        text = f"must be {allowed(field) if field else error['msg'].removeprefix('Input should be ')}"
    else:
        text = f"is not as it must be: {_about(field.description if field else None) or error['msg']}"
    end = "" if text.endswith("?") else "."
    if not text.startswith(("must ", "is ")):  # a sentence that names by itself what it is about
        return f"{'' if place == table_of(place) else ':'} {text}{end}"
    found = _shown(error["input"]) if field and may_be_shown(field) else ""
    return f"{found} {text}{end}"


def _shown(value: Any) -> str:
    """' = "value"' as the file would have it; '' for what is too much to show."""
    if value is None or isinstance(value, dict | list | tuple):
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float) else str(value)
    return f" = {text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '…'}"


def _plain(name: str | int) -> str:
    """A name as the file has it; quoted where it would break the line."""
    return str(name) if str(name).isprintable() else json.dumps(name)


def _about(description: str | None) -> str:
    """The first sentence of a key's description, to follow a colon."""
    first = (description or "").split(". ", maxsplit=1)[0].removesuffix(".")
    return first[:1].lower() + first[1:]


def _instead(wrong: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    return (f"; did you mean {near[0]}?" if near else ".") + (f" Allowed: {', '.join(names)}." if names else "")
