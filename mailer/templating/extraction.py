"""Which sentences there are to translate: those of our rules, of our templates, and of an operator's."""

from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import DEFAULT_KEYWORDS, extract
from jinja2 import TemplateSyntaxError

from mailer.core.catalogue import Sentence
from mailer.errors import TemplateError

_RULES = Path(__file__).parent.parent / "core"
_AS_RENDERED = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}


def sentences_of_rules() -> list[Sentence]:
    """Those of core."""
    return [sentence for path in sorted(_RULES.glob("*.py")) for sentence in _python(path)]


def sentences_of_templates(folder: Path) -> list[Sentence]:
    """Those of the mails and the reader's pages in a folder of templates.

    Raises TemplateError with file and line where one is broken.
    """
    found = (path for part in ("email", "web/reader") for path in (folder / part).rglob("*"))
    paths = sorted(path for path in found if path.suffix in (".html", ".txt"))
    return [sentence for path in paths for sentence in _jinja(path, path.relative_to(folder).as_posix())]


def _python(path: Path) -> Iterator[Sentence]:
    with path.open("rb") as file:
        for line, message, _, context in extract("python", file, DEFAULT_KEYWORDS):
            yield _sentence(message, context, f"core/{path.name}, line {line}")


def _jinja(path: Path, name: str) -> Iterator[Sentence]:
    with path.open("rb") as file:
        try:
            for line, message, _, context in extract(
                "jinja2.ext:babel_extract", file, DEFAULT_KEYWORDS, options=_AS_RENDERED
            ):
                yield _sentence(message, context, f"{name}, line {line}")
        except TemplateSyntaxError as error:
            raise TemplateError(f"{path}, line {error.lineno}: {error.message}.") from error
        except UnicodeDecodeError as error:
            raise TemplateError(f"{path}: {error}.") from error


def _sentence(message: str | tuple[str, ...], context: str | None, where: str) -> Sentence:
    one, many = (message, "") if isinstance(message, str) else (message[0], message[-1])
    return Sentence(one, many, context or "", where)
