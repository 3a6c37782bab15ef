"""From a file and the environment to settings, or to every complaint there is."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from mailer.config.complaints import complaint, misspelt_variable, unknown_section, unknown_variable
from mailer.config.secret_files import read_password
from mailer.config.sections import StoreOptions
from mailer.config.settings import Settings
from mailer.config.shape import NAMED, Place, is_path, keys_at, sections
from mailer.errors import ConfigError

PREFIX, BETWEEN = "MAILER_", "__"
FILE_VARIABLE = "MAILER_CONFIG"
_SQLITE = "sqlite:///"


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of `path`, else of $MAILER_CONFIG, else of ./config.toml; the environment has the last word.

    Relative paths count from the file's folder, wherever they were given. Raises ConfigError with every complaint.
    """
    file = path or Path(environ.get(FILE_VARIABLE) or "config.toml")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            [f"{file}: there is no such file. `mailer init` makes one; `mailer --config FILE` names another."]
        ) from None
    except OSError as wrong:
        raise ConfigError([f"{file} can't be read: {wrong.strerror}."]) from None
    except UnicodeDecodeError as wrong:
        line = wrong.object[: wrong.start].count(b"\n") + 1
        raise ConfigError([f"{file}, line {line}: not UTF-8 text. Save the file as UTF-8."]) from None
    return parse(text, file, environ)


def parse(text: str, file: Path, environ: Mapping[str, str]) -> Settings:
    """The same for the text of a file, which need not have been written yet."""
    values = _read_toml(text, file)
    order = {place: number for number, place in enumerate(_places(values))}
    variables, complaints = _settings_among(environ, values)
    values = _merge(values, _from_environment(environ, variables))
    unknown = [name for name in values if name not in sections()]
    complaints += [unknown_section(name, values.pop(name), str(file)) for name in unknown]
    values = _with_paths_from(file.absolute().parent, {"site": {}, **values})
    for place, relay in _relays(values):
        where = variables.get((*place, "password_file"), f"{file}: [{'.'.join(place)}] password_file")
        complaints += [f"{where} {trouble}." for trouble in _password_file_trouble(relay)]
    try:
        settings = Settings(**values)
    except ValidationError as wrong:
        errors = sorted(wrong.errors(include_url=False), key=lambda error: _position(error["loc"], order))
        complaints += [complaint(error, str(file), variables) for error in errors]
        raise ConfigError(complaints) from None  # pydantic's own text would show values
    if complaints:
        raise ConfigError(complaints)
    return settings


def _read_toml(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        last = text.splitlines() or [""]
        end = f"at line {len(last)}, column {len(last[-1]) + 1}"
        raise ConfigError([f"{file}: not TOML: {str(wrong).replace('at end of document', end)}."]) from None
    except RecursionError:
        raise ConfigError([f"{file}: not TOML that a person wrote: nested too deep."]) from None


def _settings_among(environ: Mapping[str, str], file: Mapping[str, Any]) -> tuple[dict[Place, str], list[str]]:
    """Which places the environment's variables mean, and complaints about those that look like settings but aren't."""
    variables: dict[Place, str] = {}
    complaints: list[str] = []
    flat = {f"{section}_{key}": (section, key) for section in sections() for key in keys_at((section,))}
    for variable in sorted(environ):
        if not variable.upper().startswith(PREFIX) or variable.upper() == FILE_VARIABLE:
            continue
        section, *keys = variable[len(PREFIX) :].lower().split(BETWEEN)
        if section in sections():
            variables[(section, *_names(section, keys, file))] = variable
        elif keys:
            complaints.append(unknown_variable(variable, section))
        elif section in flat and not environ[variable].startswith("tcp://"):  # Kubernetes sets such by itself
            complaints.append(misspelt_variable(variable, PREFIX + BETWEEN.join(flat[section]).upper()))
    return variables, complaints


def _names(section: str, keys: list[str], file: Mapping[str, Any]) -> list[str]:
    """Names that the operator chose, as the file writes them: a variable's name has neither dashes nor case."""
    if section not in (*NAMED, "topics") or not keys:
        return keys
    name = keys[0].replace("_", "-")
    written = file.get(section)
    known = {known.lower(): known for known in written} if isinstance(written, dict) else {}
    return [known.get(name, name), *keys[1:]]


def _from_environment(environ: Mapping[str, str], variables: Mapping[Place, str]) -> dict[str, Any]:
    source = EnvSettingsSource(Settings)
    # The environment that was handed over, not the process's own.
    source.env_vars = {
        PREFIX.lower() + BETWEEN.join(map(str, place)): environ[variable] for place, variable in variables.items()
    }
    return source()


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        merged[key] = _merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _with_paths_from(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The same values with absolute paths."""
    made = {"store": {}, "smtp": {}, **values}
    for section, table in made.items():
        if section in NAMED and isinstance(table, dict):
            made[section] = {name: _with_absolute((section, name), keys, folder) for name, keys in table.items()}
        else:
            made[section] = _with_absolute((section,), table, folder)
    if isinstance(made["store"], dict):
        url = made["store"].get("url", StoreOptions().url)
        made["store"] = {**made["store"], "url": _absolute_database(url, folder)}
    return made


def _with_absolute(place: Place, table: Any, folder: Path) -> Any:
    if not isinstance(table, dict):
        return table
    paths = [key for key, field in keys_at(place).items() if key in table and is_path(field)]
    return {**table, **{key: _absolute(table[key], folder) for key in paths}}


def _relays(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield ("smtp",), values["smtp"]
    named = values.get("relay")
    if isinstance(named, dict):
        yield from ((("relay", name), relay) for name, relay in named.items())


def _password_file_trouble(relay: Any) -> list[str]:
    """What is wrong with the file, where it counts; looked at here, as the relay's room doesn't read files."""
    if isinstance(relay, dict) and isinstance(relay.get("password_file"), Path) and not relay.get("password"):
        try:
            read_password(relay["password_file"])
        except ValueError as wrong:
            return [str(wrong)]
    return []


def _absolute(path: Any, folder: Path) -> Any:
    if not isinstance(path, str):
        return path
    return folder / path if path else None  # an empty path is none


def _absolute_database(url: Any, folder: Path) -> Any:
    """'sqlite:///mailer.db' in /srv is 'sqlite:////srv/mailer.db'."""
    path = url.removeprefix(_SQLITE) if isinstance(url, str) and url.startswith(_SQLITE) else ""
    return url if path.startswith(("/", ":")) or not path else f"{_SQLITE}{folder / path}"


def _places(values: Mapping[str, Any], above: Place = ()) -> Iterator[Place]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _places(value, (*above, key))


def _position(place: Place, order: Mapping[Place, int]) -> tuple[float, ...]:
    """Where a place stands in the file; what is missing there comes at its section, sections not there at the end."""
    return tuple(order.get(place[:length], float("inf")) for length in range(1, len(place) + 1))
