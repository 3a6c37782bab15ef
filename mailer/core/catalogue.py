"""What is wrong with a catalogue of translated sentences, one sentence of ours each: where, and what to do."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from babel import Locale
from babel.dates import format_datetime
from babel.messages.catalog import Catalog, Message

_PLACE = re.compile(r"%\((\w+)\)s")
_ANY_DAY = datetime(2026, 11, 23, 7, 0)  # noqa: DTZ001 only its words are looked at
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a template or a rule says, in English. `many`: its plural, or ''. `where`: file and line."""

    one: str
    many: str = ""
    context: str = ""
    where: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What a catalogue knows it by."""
        return self.context, self.one

    def __str__(self) -> str:
        short = self.one if len(self.one) <= _LONGEST_SHOWN else f"{self.one[:_LONGEST_SHOWN]}…"
        return f'"{short}"'


def missing(catalogues: Iterable[Catalog], wanted: Iterable[Sentence], language: str) -> Iterator[str]:
    """The sentences that none of a language's catalogues has in words of its own: they are said in English."""
    known = {_key(message) for catalogue in catalogues for message in catalogue if message.id and _whole(message)}
    for sentence in wanted:
        if sentence.key not in known:
            yield f"{sentence.where}: {sentence} has no words in '{language}' yet."


def faults(catalogue: Catalog, wanted: Iterable[Sentence], path: str) -> Iterator[str]:
    """What of one catalogue is fuzzy, obsolete or broken. `wanted`: every sentence that it may be asked for."""
    sentences = {sentence.key: sentence for sentence in wanted}
    for message in catalogue:
        if not message.id:
            continue
        where, said = f"{path}, line {message.lineno}", Sentence(_strings(message.id)[0])
        sentence = sentences.get(_key(message))
        if message.fuzzy:
            yield f"{where}: {said} is marked as fuzzy, so it is said in English; look at it and take the mark away."
        if sentence is None:
            yield f"{where}: {said} is obsolete: nothing says it any more."
        elif bool(sentence.many) != message.pluralizable:
            yield f"{where}: {said} has a plural {'in our words' if sentence.many else 'here'} only."
        elif _whole(message):
            yield from (f"{where}: {wrong}" for wrong in _broken(sentence, message, catalogue))
    for message in catalogue.obsolete.values():
        yield f"{path}: {Sentence(_strings(message.id)[0])} is obsolete: nothing says it any more."


def _broken(sentence: Sentence, message: Message, catalogue: Catalog) -> Iterator[str]:
    """Why a translation can't be used as it is."""
    strings = _strings(message.string)
    expected = set(_PLACE.findall(sentence.one)) | set(_PLACE.findall(sentence.many))
    if sentence.many and len(strings) != catalogue.num_plurals:
        yield f"{sentence} needs {catalogue.num_plurals} plural forms."
    for number, string in enumerate(strings):
        places = set(_PLACE.findall(string))
        # 'one' and 'two' may be words, without the number; the last form is the one for all other numbers.
        lacking = expected - places if number == len(strings) - 1 else set()
        for wrong, what in ((lacking, "lacks"), (places - expected, "has a place that is not in the English")):
            if wrong:
                yield f"{sentence} {what}: {', '.join(f'%({name})s' for name in sorted(wrong))}."
        if "%" in _PLACE.sub("", string).replace("%%", "") and "%" not in _PLACE.sub("", sentence.one):
            yield f"{sentence} has a % that begins no place like %(date)s."
        if re.search(r"[<>&\x00-\x1f]", string) and not re.search(r"[<>&]", sentence.one):
            yield f"{sentence} must be plain text on one line, without <, > and &."
        if sentence.context.startswith(("date pattern", "time pattern")) and not _writes_a_date(string, catalogue):
            yield f"{sentence} is a pattern of CLDR's, such as 'd. MMMM'; {string!r} is none."


def _writes_a_date(pattern: str, catalogue: Catalog) -> bool:
    try:
        return bool(format_datetime(_ANY_DAY, pattern, locale=catalogue.locale or Locale("en")).strip())
    except (ValueError, KeyError, AttributeError, TypeError):
        return False


def _key(message: Message) -> tuple[str, str]:
    return message.context or "", _strings(message.id)[0]


def _whole(message: Message) -> bool:
    return not message.fuzzy and all(_strings(message.string))


def _strings(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple | list) else (str(value or ""),)
