"""The operator's folder of templates: what is in it, what replaces ours, and ours as a start.

All of it is read once, when the program starts, so that one run has one theme.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from jinja2 import BaseLoader, Environment, TemplateNotFound

from mailer.core.live import Source
from mailer.errors import InputError, TemplateError

MAILS = ("confirm", "welcome", "already", "digest", "changed", "goodbye", "move", "moved", "copy", "erase")
PARTS = ("subject.txt", "body.html", "body.txt")
ORIGINAL = "ours/"
"""`{% extends "ours/email/digest/body.html" %}` means ours, also in the file that replaces it."""
ENDINGS = (".html", ".txt")
_LARGEST = 500_000  # bytes of a template
_MOST = 1_000  # files of a theme
_NO_TEMPLATES = frozenset({"readme", "license", "licence", "changelog", "notice"})  # beside the folders of a theme


def our_folder() -> Path:
    """Inside the package in a wheel, at the top of the tree in a checkout."""
    here = Path(__file__).parent.parent
    inside = here / "templates"
    return inside if inside.is_dir() else here.parent / "templates"


@cache
def our_names() -> tuple[str, ...]:
    """The names of our templates of mails, such as 'email/digest/body.html', sorted."""
    found = (our_folder() / "email").rglob("*")
    return tuple(sorted(path.relative_to(our_folder()).as_posix() for path in found if path.suffix in ENDINGS))


def read_folder(folder: Path) -> dict[str, Source]:
    """The templates of a theme, by name. Raises TemplateError with every file that can't be one."""
    if not folder.is_dir():
        raise TemplateError(f"theme.templates: {folder} is not a folder.")
    wrong: list[str] = []
    found: dict[str, Source] = {}
    try:
        paths = sorted(_candidates(folder))
    except OSError as error:
        raise TemplateError(f"{error.filename} can't be read: {error.strerror}.") from None
    if len(paths) > _MOST:
        raise TemplateError(f"theme.templates: {folder} has more than {_MOST:,} templates; is it the right folder?")
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            found[name] = _read(path, name, folder)
        except TemplateError as error:
            wrong.append(str(error))
    if wrong:
        raise TemplateError("\n".join(wrong))
    return found


def _candidates(folder: Path) -> Iterator[Path]:
    """What may be a template, by its ending; what is hidden and the theme's translations are not."""
    for path in folder.iterdir():
        if not path.name.startswith(".") and path.name != "locale" and path.stem.lower() not in _NO_TEMPLATES:
            if path.is_dir() and not path.is_symlink() and path.suffix not in ENDINGS:
                yield from _below(path)
            elif path.suffix in ENDINGS:
                yield path


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink() and path.suffix not in ENDINGS:
            yield from _below(path)
        elif path.suffix in ENDINGS or path.is_symlink():
            yield path


def _read(path: Path, name: str, folder: Path) -> Source:
    try:
        target = path.resolve()
        if not target.is_relative_to(folder.resolve()):
            raise TemplateError(f"{path} leads out of {folder}; put the file itself there.")
        if target.is_dir():
            raise TemplateError(f"{path} is a folder; a template is a file.")
        if not target.is_file():
            raise TemplateError(f"{path} is not a file.")
        data = target.read_bytes()
        if len(data) > _LARGEST:
            raise TemplateError(f"{path} has more than {_LARGEST:,} bytes; no mail is that long.")
        return Source(name, str(path), data.decode("utf-8-sig"))
    except (OSError, RuntimeError) as error:  # a loop of links was a RuntimeError
        raise TemplateError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TemplateError(f"{path}, line {line}: not UTF-8 text. Save the file as UTF-8.") from None


class Shelf(BaseLoader):
    """Where templates come from: `own` first, then ours. `paths`: the files that were asked for."""

    def __init__(self, own: Iterable[Source], *, with_ours: bool = True) -> None:
        self._own = {source.name: source for source in own}
        self._with_ours = with_ours
        self.paths: set[str] = set()

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        """Raises TemplateNotFound."""
        del environment
        found = self.find(template)
        if found is None:
            raise TemplateNotFound(template)
        self.paths.add(found.path)
        return found.text, found.path, None

    def find(self, name: str) -> Source | None:
        """A template as it is used."""
        if name in self._own:
            return self._own[name]
        plain = name.removeprefix(ORIGINAL)
        if not self._with_ours or plain not in our_names():
            return None
        path = our_folder() / plain
        return Source(name, str(path), path.read_text(encoding="utf-8"))

    def list_templates(self) -> list[str]:
        """Every name there is."""
        return sorted({*self._own, *self.ours, *(f"{ORIGINAL}{name}" for name in self.ours)})

    @property
    def ours(self) -> tuple[str, ...]:
        """The names that a mail may be made of."""
        return our_names() if self._with_ours else ()

    @property
    def own(self) -> tuple[Source, ...]:
        """Those of the operator."""
        return tuple(self._own.values())


def idle(own: Iterable[Source], used: Iterable[str]) -> list[str]:
    """Warnings: files that replace nothing and that no other template uses, with the nearest name there is."""
    ours, others = our_names(), frozenset(used)
    found = []
    for source in own:
        if source.name in ours or source.name in others:
            continue
        near = get_close_matches(source.name, ours, n=1, cutoff=0.85)
        hint = f"; did you mean {near[0]}?" if near else ", and no template uses it."
        found.append(f"{source.path} replaces nothing{hint}")
    return found


@dataclass(frozen=True, slots=True)
class Entry:
    """A template. `own`: it is the operator's; `known`: one of ours has that name.

    `personal`: what in it differs from reader to reader: slots, or 'reader', which makes the mail a live one.
    """

    name: str
    path: str
    own: bool
    known: bool
    personal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ejected:
    """What became of a copy of ours. `written`: False where the file was there and stays."""

    name: str
    path: Path
    written: bool


def chosen(name: str) -> tuple[str, ...]:
    """The templates that a name means: one, a mail's, the frame's, or all. Raises InputError with the nearest."""
    ours = our_names()
    plain = name.strip().strip("/")
    plain = plain if plain.startswith("email/") or plain in ("all", "email") else f"email/{plain}"
    if plain in ("all", "email"):
        return ours
    found = tuple(one for one in ours if one == plain or one.startswith(f"{plain}/"))
    if not found:
        short = sorted({one.removeprefix("email/").partition("/")[0] for one in ours})
        near = get_close_matches(plain, [*ours, *(f"email/{one}" for one in short)], n=1)
        hint = f"; the nearest is {near[0].removeprefix('email/')}" if near else ""
        raise InputError(f"There is no template '{name}'{hint}. There are: all, {', '.join(short)}.")
    return found


def eject(names: Iterable[str], folder: Path, *, force: bool) -> list[Ejected]:
    """Copy ours into a folder, made where it isn't there. What is there stays, unless by `force`. Raises InputError."""
    if folder.resolve() == our_folder().resolve():
        raise InputError(
            f"{folder} is where the program keeps its own templates. Run mailer in a folder of your own, or write "
            "another one under [theme] templates."
        )
    done = []
    for name in names:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            inside = path.parent.resolve().is_relative_to(folder.resolve())
            if not inside or path.is_symlink():
                raise InputError(f"{path} leads out of {folder}; nothing is written there.")
            if path.exists() and not force:
                done.append(Ejected(name, path, written=False))
                continue
            path.write_bytes((our_folder() / name).read_bytes())
        except OSError as error:
            raise InputError(f"{error.filename or path} can't be written: {error.strerror}.") from None
        done.append(Ejected(name, path, written=True))
    return done
