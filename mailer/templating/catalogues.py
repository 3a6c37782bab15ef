"""The catalogues of sentences, read from `.po` files: ours, and an operator's own in front of them.

A language is a folder `<language>/LC_MESSAGES/mailer.po`, as every translation tool wants it. It is read when a mail is
first written in it, so no second file, compiled from it, can fall behind.
"""

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.support import NullTranslations, Translations

from mailer.core.words import Words
from mailer.errors import TemplateError

OURS = Path(__file__).parent.parent / "locale"
SOURCE = "en"
"""What the sentences in the code and in the templates are written in; it has no catalogue."""
_PLACE = Path("LC_MESSAGES") / "mailer.po"
_LINE = re.compile(r'(?:#.*|(?:(?:msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?)\s+)?"(?:[^"\\]|\\.)*")?')


def tags(folders: Sequence[Path]) -> frozenset[str]:
    """The languages that there are catalogues for, and the source's own; BCP 47 tags."""
    found = (path.parts[-3] for folder in folders for path in folder.glob(f"*/{_PLACE}"))
    return frozenset({SOURCE, *(name.replace("_", "-") for name in found)})


def files(language: str, folders: Sequence[Path]) -> list[Path]:
    """The catalogues of a language, in the order in which they are asked."""
    paths = (folder / language.replace("-", "_") / _PLACE for folder in folders)
    return [path for path in paths if path.is_file()]


def read_catalogue(path: Path) -> Catalog:
    """One file. Raises TemplateError with its line where it is broken."""
    name = path.parts[-3]
    try:
        locale = Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        raise TemplateError(f"{path}: there is no language '{name}'.") from None
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}.") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not _LINE.fullmatch(line.strip()):  # Babel would take what stands between the first and the last character
            raise TemplateError(
                f'{path}, line {number}: must be msgid "…", msgstr "…", a comment, or "…" that goes on.'
            )
    try:
        return read_po(BytesIO(text.encode()), locale=locale, charset="utf-8", abort_invalid=True)
    except (PoFileError, ValueError) as error:
        where = f", line {error.lineno + 1}" if isinstance(error, PoFileError) else ""
        raise TemplateError(f"{path}{where}: {error}.") from None


def words_of(language: str, folders: Sequence[Path]) -> Words:
    """The words of a language. What its catalogues lack, or mark as fuzzy, is said in English."""
    return words_from(language, binaries_of(language, folders))


def binaries_of(language: str, folders: Sequence[Path]) -> tuple[bytes, ...]:
    """What a language's catalogues say, each as the content of an .mo file, in the order in which they are asked."""
    found = []
    for path in files(language, folders):
        catalogue = read_catalogue(path)
        for message in list(catalogue):
            strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
            if message.id and not all(strings):
                catalogue.delete(message.id, message.context)
        binary = BytesIO()
        write_mo(binary, catalogue)
        found.append(binary.getvalue())
    return tuple(found)


def words_from(language: str, binaries: Sequence[bytes]) -> Words:
    """The words that such files have."""
    whole: NullTranslations = NullTranslations()
    for binary in reversed(binaries):
        read = Translations(BytesIO(binary))
        read.add_fallback(whole)
        whole = read
    return Words(language, whole)
