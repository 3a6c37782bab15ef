"""A fresh signing key, put behind the others in the file that holds them. All of it or nothing."""

import fcntl
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from mailer.config.reading import FILE_VARIABLE, load, parse
from mailer.config.secret_files import read_keys
from mailer.config.settings import Settings
from mailer.errors import ConfigError, InputError, Refused

_VARIABLE = "MAILER_SECURITY__SECRET_KEYS"


def add_key(path: Path | None, environ: Mapping[str, str], key: str) -> tuple[Settings, Path]:
    """Write `key` behind the last one, so that it signs from now on. Returns the settings and the file written.

    `path`, `environ`: as `load` takes them. Comments, layout, mode and owner stay. What is written was read back and
    found right before it takes the file's place. Raises ConfigError, Refused where the keys come from the environment,
    InputError where the file can't be written.
    """
    settings = load(path, environ)
    given = next((name for name in environ if name.upper() == _VARIABLE), None)
    if settings.security.secret_keys_file is None and given is not None:
        raise Refused(
            f"The keys come from the environment ({given}), which a command can't change: put a fresh one behind the "
            "last of them yourself, after a comma, and keep the others; `openssl rand -hex 32` makes one."
        )
    config = path or Path(environ.get(FILE_VARIABLE) or "config.toml")
    # A link to the file stays a link.
    file = (settings.security.secret_keys_file or config).resolve()
    try:
        with _alone(file.parent):
            before = load(path, environ).signing_keys()
            if settings.security.secret_keys_file is None:
                _replace(file, _with_key_in_settings(file, config, environ, (*before, key)))
            else:
                _replace(file, _with_line(file.read_bytes(), key), read_back=(*before, key))
    except OSError as error:
        raise InputError(
            f"{file} can't be written: {error.strerror}. Run this as whoever owns the file and its folder."
        ) from None
    return load(path, environ), file


def _with_line(content: bytes, key: str) -> bytes:
    """A keys file with one line more, which ends as its others do."""
    end = b"\r\n" if b"\r\n" in content else b"\n"
    whole = content if content.endswith((b"\n", b"\r")) else content + end
    return whole + key.encode() + end


def _with_key_in_settings(file: Path, config: Path, environ: Mapping[str, str], keys: tuple[str, ...]) -> bytes:
    """The text of the settings with these keys, of which the last one is new; checked as `load` would."""
    content = file.read_bytes()
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    text = content.removeprefix(mark).decode()
    try:
        document = tomlkit.parse(text)
        if "security" not in document:
            document["security"] = tomlkit.table()
        security: Any = document["security"]
        if isinstance(security.get("secret_keys"), Array):
            security["secret_keys"].append(keys[-1])
        else:
            security["secret_keys"] = list(keys)
        changed = tomlkit.dumps(document)
        right = _all_but_keys(changed) == _all_but_keys(text)
        right = right and parse(changed, config, environ).signing_keys() == keys
    except (TOMLKitError, tomllib.TOMLDecodeError, ConfigError, TypeError, AttributeError):
        right = False
    if not right:
        raise InputError(
            f"{file} is written in a way that no key can be put into by a program; nothing was changed. Put one behind "
            "the last of [security] secret_keys yourself; `openssl rand -hex 32` makes one."
        )
    return mark + changed.encode()


def _all_but_keys(text: str) -> dict[str, Any]:
    values = tomllib.loads(text)
    others = {name: value for name, value in values.get("security", {}).items() if name != "secret_keys"}
    return values | {"security": others}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two at once would each put their key behind the same last one, and the slower would win."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
        os.fsync(held)
    finally:
        os.close(held)


def _replace(file: Path, content: bytes, read_back: tuple[str, ...] | None = None) -> None:
    """Put `content` in the file's place, with its mode and owner. `read_back`: the keys that a file of keys must hold.

    A crash leaves the old file or the new one, whole.
    """
    old = file.stat()
    beside = file.with_name(f".{file.name}.new")
    try:
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as written:
            made = os.fstat(written.fileno())
            if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
                os.fchown(written.fileno(), old.st_uid, old.st_gid)
            os.fchmod(written.fileno(), old.st_mode & 0o7777)
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        if read_back is not None and read_keys(beside) != read_back:
            raise InputError(f"{file} was changed by somebody else meanwhile; nothing was written. Run this again.")
        beside.replace(file)
    except ValueError as wrong:
        raise InputError(f"{file} would not be right any more, so it was left as it is: {wrong}.") from None
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
