"""Text that others wrote, made fit to be shown: cleaned, shortened at a word or sentence, wrapped in columns."""

import re
import unicodedata
from typing import Literal

Direction = Literal["ltr", "rtl"]

COLUMNS = 72
"""Of the text part of a mail."""

_ELLIPSIS = "…"
_SPACES = re.compile(r"\s+")
_OUT = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"  # controls that are not white space
    "|[\ud800-\udfff]"  # lone surrogates can't be encoded
    "|[\u202a-\u202e\u2066-\u2069\u206a-\u206f]"  # bidi embeddings, overrides and isolates reorder what stands around
    "|[\u00ad\u034f\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb]"  # of no width
    "|[\ufdd0-\ufdef\ufffe\uffff\U0001fffe\U0001ffff]"  # noncharacters
)
_MARKS_OF_DIRECTION = re.compile("[\u200e\u200f\u061c]")
_JOINERS = re.compile("[\u200c\u200d]")
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)|[\U000e0000-\U000e007f]")
_WIDE = 2  # columns
_KEPT_SPACES = "\u00a0\u202f\u3000"  # typographic, where one stands alone

# What may be longer than any text that is shown before it is cleaned: keeps NFC's quadratic worst case out.
_ROOM = 20


def clean_text(value: str, limit: int = 200) -> str:
    """One line of visible text, NFC, at most `limit` code points, cut at a word with '…'.

    Controls, line and paragraph separators, bidi overrides, invisible characters and lone surrogates go;
    what emoji and scripts need to join stays. Never raises, for any str.
    """
    if value.isascii() and value.isprintable():  # what most texts are; nothing of the below is in them
        return shorten(" ".join(value.split()), limit)
    text = _SPACES.sub(_one_space, _TAGS.sub(lambda flag: flag[1] or "", _OUT.sub("", value))).strip()
    text = unicodedata.normalize("NFC", text[: limit * _ROOM])
    text = _JOINERS.sub(_joiner_in_use, text)
    if first_strong(text) != "rtl" and not _has_rtl(text):
        text = _MARKS_OF_DIRECTION.sub("", text)
    return shorten(_SPACES.sub(_one_space, text).strip(), limit)


def shorten(text: str, limit: int) -> str:
    """The text itself, or as many whole words of it as fit with a '…' into `limit` code points."""
    if len(text) <= limit:
        return text
    if limit < 1:
        return ""
    end = limit - 1
    word_end = max((text.rfind(space, 0, end + 1) for space in (" ", "\u00a0", "\u202f", "\u3000")), default=-1)
    if word_end >= limit // 2:
        end = word_end
    else:
        while end > 0 and _inside_a_character(text, end):
            end -= 1
    return text[:end].rstrip(" \u00a0\u202f\u3000,;:·–—-") + _ELLIPSIS


def first_sentences(text: str, limit: int) -> str:
    """As many whole sentences as fit into `limit`; where not even a third is filled so, words and a '…'."""
    if len(text) <= limit:
        return text
    looked_at = text[: limit + 1]
    ends = [found for found in _SENTENCE_END.finditer(looked_at) if limit // 3 <= found.end() <= limit]
    last = next((found.end() for found in reversed(ends) if _ends_a_sentence(text, found)), None)
    return shorten(text, limit) if last is None else text[:last]


def first_strong(text: str) -> Direction:
    """The direction of the first strong letter (UAX #9, rule P2), 'ltr' where there is none."""
    for char in text:
        match unicodedata.bidirectional(char):
            case "L":
                return "ltr"
            case "R" | "AL":
                return "rtl"
    return "ltr"


def columns(text: str) -> int:
    """How many columns of a fixed-width screen the text takes: wide characters two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def wrap(text: str, width: int, *, first: str = "", rest: str = "") -> str:
    """The text in lines of at most `width` columns, the first line after `first`, the others after `rest`.

    Breaks at spaces and between wide characters, within a word only where it alone is too long. URLs stay whole.
    """
    lines: list[str] = []
    line, used, empty = first, columns(first), True
    for piece in _pieces(text, width - max(columns(first), columns(rest))):
        word = piece.lstrip(" ") if empty else piece
        size = columns(word)
        if not empty and used + size > width:
            lines.append(line.rstrip(" "))
            word = piece.lstrip(" ")
            line, used, size = rest, columns(rest), columns(word)
        line, used, empty = line + word, used + size, False
    return "\n".join([*lines, line.rstrip(" ")])


def _one_space(found: re.Match[str]) -> str:
    return found[0] if found[0] in _KEPT_SPACES else " "


def _joiner_in_use(found: re.Match[str]) -> str:
    """A joiner stays after a letter of a script that joins, and between two emoji; elsewhere it only hides."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    script = "\u0600" <= before <= "\u1aff" and unicodedata.category(before)[0] in "LM"
    emoji = _is_emoji(before) and _is_emoji(after)
    return found[0] if script or (emoji and found[0] == "\u200d") else ""


def _is_emoji(char: str) -> bool:
    return char == "\ufe0f" or (char != "" and unicodedata.category(char) in ("So", "Sk"))


def _has_rtl(text: str) -> bool:
    return any(unicodedata.bidirectional(char) in ("R", "AL") for char in text if char not in "\u200f\u061c")


def _inside_a_character(text: str, at: int) -> bool:
    """Whether a cut at `at` would part what is seen as one: a letter and its marks, the links of one emoji."""
    after, before = text[at], text[at - 1]
    flags = "\U0001f1e6" <= after <= "\U0001f1ff" and "\U0001f1e6" <= before <= "\U0001f1ff"
    return unicodedata.category(after)[0] == "M" or _is_joint(after) or before == "\u200d" or flags


def _is_joint(char: str) -> bool:
    tag = "\U000e0020" <= char <= "\U000e007f"
    return char in "\u200c\u200d\ufe0f" or "\U0001f3fb" <= char <= "\U0001f3ff" or tag


# A stop and what closes after it, then a space or the end; CJK stops need no space.
_SENTENCE_END = re.compile(
    r"(?:[.!?…؟۔।]+(?:['\"”“’»)\]]|[\s\u00a0\u202f]»)*(?=\s|\Z)|[。！？｡]+[」』”）]*)"  # French sets a space before »
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:"
    r"Dr|Drs|Dra|Mr|Mrs|Ms|Prof|St|Sr|Sra|Jr|No|Nos|Nr|vs|cf|ca|approx|al|Fig|Figs|Vol|pp|Inc|Ltd|Co|Gen|Gov|Rev|Sen"
    r"|Jan|Feb|Aug|Sept?|Oct|Nov|Dec|bzw|usf|vgl|ggf|evtl|inkl|zzgl|Mio|Mrd|Tsd|Abs|Art|Str|Hrsg|Mme|Mlle|env|ex|pág"
    r"|núm|aprox|bijv|blz|[^\W\d_])|(?<!\S)\d{1,2})\Z"  # German writes 'am 3. Mai'
)
_OPENING, _CLOSING = re.compile(r"[(「『（«]"), re.compile(r"[)」』）»]")


def _ends_a_sentence(text: str, found: re.Match[str]) -> bool:
    """Not an abbreviation, not before a small letter, not within brackets or a quotation."""
    if found[0] == "." and _ABBREVIATION.search(text, max(0, found.start() - 8), found.start()):
        return False
    after = text[found.end() :].lstrip()[:1]
    if after.islower():
        return False
    before = text[: found.end()]
    return len(_OPENING.findall(before)) <= len(_CLOSING.findall(before))


def _columns_of(char: str) -> int:
    if unicodedata.combining(char) or char in "\u200c\u200d\u200e\u200f\u061c\ufe0f":
        return 0
    return _WIDE if unicodedata.east_asian_width(char) in "WF" else 1


_NOT_FIRST = "、。，．・：；？！)]}）］｝〉》」』】〕’”…ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々％"  # kinsoku


def _pieces(text: str, room: int) -> list[str]:
    """What a line may be made of, each piece with the space before it."""
    pieces: list[str] = []
    for word in re.findall(r" *[^ ]+", text):
        if (word.isascii() and len(word) <= room) or re.match(r" *https?://", word):
            pieces.append(word)
            continue
        start, used = 0, 0
        for at, char in enumerate(word):
            size = _columns_of(char)
            wide = (
                at > start
                and _WIDE in (size, _columns_of(word[at - 1]))
                and char not in _NOT_FIRST
                and word[at - 1] != " "
            )
            if size and (wide or used + size > room):
                pieces.append(word[start:at])
                start, used = at, 0
            used += size
        pieces.append(word[start:])
    return pieces
