"""Secrets that stand in files of their own."""

from pathlib import Path
from stat import S_IROTH

SHORTEST_KEY = 32
_LARGEST = 65_536


def read_secret(path: Path) -> str:
    """The text of such a file. ValueError: a sentence that names the file, never its content."""
    try:
        if path.stat().st_mode & S_IROTH:
            raise ValueError(f"'{path}' can be read by everybody on this machine; run: chmod 600 '{path}'")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as wrong:
        raise ValueError(f"'{path}' can't be read: {wrong.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if len(content) > _LARGEST or "\0" in text or not text.strip():
        raise ValueError(f"'{path}' must be a small file of UTF-8 text with the secret in it")
    return text


def read_password(path: Path) -> str:
    """The file's text without its last line end."""
    text = read_secret(path).removesuffix("\n").removesuffix("\r")
    if "\n" in text:
        raise ValueError(f"'{path}' must hold the password alone, on one line")
    return text


def read_keys(path: Path) -> tuple[str, ...]:
    """One key a line, the oldest first; blank lines and lines that begin with # don't count."""
    lines = [(number, line.strip()) for number, line in enumerate(read_secret(path).splitlines(), start=1)]
    keys = [(number, line) for number, line in lines if line and not line.startswith("#")]
    short = [str(number) for number, key in keys if len(key) < SHORTEST_KEY]
    if short:
        raise ValueError(f"'{path}', line {', '.join(short)}: each key must have at least {SHORTEST_KEY} characters")
    if not keys:
        raise ValueError(f"'{path}' holds no key; write one a line, each of at least {SHORTEST_KEY} characters")
    return tuple(key for _, key in keys)
