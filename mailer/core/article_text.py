"""What an article says about itself, as plain text: its title, its summary, who wrote it."""

import html
import re
import unicodedata

from mailer.core.article_html import Image, plain_if_marked_up, read_html, was_escaped_twice
from mailer.core.text import clean_text, first_sentences, shorten

TITLE_LIMIT = 500
SUMMARY_LIMIT = 600
_NAME_LIMIT = 200
_RAW_LIMIT = 20_000  # what of a one-line field is looked at; ten thousand characters of title are a mistake, not news
_FEWEST_WORDS = 3  # of a title that a summary may begin with by repeating it

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# What a source that escapes twice writes in running text; nobody writes about these.
_PUNCTUATION = re.compile(
    r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|nbsp|quot|apos|[lr][sd]quo|[lr]aquo|hellip|[mn]dash);", re.ASCII
)


def one_line(text: str, limit: int) -> str:
    """A title, name or label as plain text of at most `limit` characters: tags out, entities undone, cleaned.

    Undone twice where the source clearly escaped twice.
    """
    if text.isalnum():  # most labels: nothing to undo
        return clean_text(text, limit)
    once = plain_if_marked_up(text[:_RAW_LIMIT])
    # A whole entity that is still there after one undoing: the source has escaped twice.
    left = any(html.unescape(found[0]) != found[0] for found in _ENTITY.finditer(once))
    return clean_text(_formulas(plain_if_marked_up(once) if left else once), limit)


def running_text(source: str) -> tuple[str, tuple[Image, ...]]:
    """The text of an article's HTML on one line, and its images; undone twice where the source escaped twice."""
    text, images = read_html(html.unescape(source) if was_escaped_twice(source) else source)
    return _PUNCTUATION.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text, images


def summary_of(text: str, title: str) -> str:
    """The first sentences of a running text, without what programs write above and below, and without the title."""
    # More than is kept, so that a sentence's end is seen; not all, because cleaning looks at each character.
    shown = _formulas(clean_text(text[: 2 * SUMMARY_LIMIT], 2 * SUMMARY_LIMIT))
    if len(text) <= 2 * SUMMARY_LIMIT:
        shown = _without_stump(_without_footer(shown, title))
    shown = _ABSTRACT.sub("", shown)
    return first_sentences(_without_title(shown, title), SUMMARY_LIMIT)


# What WordPress writes under each excerpt, in the languages its feeds are seen in, and what other programs write: a
# mark that is looked for first, because that costs nothing, and the whole.
_FOOTERS = tuple(
    (mark, re.compile(rf"(?:\A|\s+|(?<=[。！？]))(?:{footer})\s*\Z"))
    for mark, footer in (
        ("appeared", r"The post .{1,300} (?:first appeared|appeared first) on .{1,200}\.?"),
        ("erschien", r"Der Beitrag .{1,300} erschien zuerst auf .{1,200}\.?"),
        ("est apparu", r"L[’'](?:article|post) .{1,300} est apparu en premier sur .{1,200}\.?"),
        ("proviene", r"L[’']articolo .{1,300} proviene da .{1,200}\.?"),
        ("primero en", r"La entrada .{1,300} (?:se publicó|aparece) primero en .{1,200}\.?"),
        ("apareceu", r"O post .{1,300} apareceu primeiro em .{1,200}\.?"),
        ("eerst op", r"Het bericht .{1,300} (?:verscheen|is) eerst op .{1,200}\.?"),
        ("に最初に", r"投稿 .{1,300} は .{1,200} に最初に表示されました。"),
        ("أولاً على", r"ظهرت المقالة .{1,300} أولاً على .{1,200}\.?"),
        ("Continue reading", r"Continue reading.{0,300}"),
        *((more, rf"\[?{more}[\].…»›→⟶\s]*") for more in ("Read more", "Read More", "Weiterlesen", "Mehr lesen")),
        *((more, rf"\[?{more}[\].…»›→⟶\s]*") for more in ("Lire la suite", "Leer más", "Seguir leyendo", "続きを読む")),
        *(
            (more, rf"\[?{more}[\].…»›→⟶\s]*")
            for more in ("Continua a leggere", "Leia mais", "Lees verder", "اقرأ المزيد")
        ),
        ("participant", r"\d+ posts? - \d+ participants?(?: Read full topic)?"),  # Discourse
    )
)
_MEDIUM = " was originally published in "


def _without_footer(text: str, title: str) -> str:
    before, found, after = text.partition(_MEDIUM)
    if found and " on Medium" in after:
        text = before.removesuffix(title).rstrip()
    for mark, footer in _FOOTERS:
        if mark in text:
            text = footer.sub("", text)
    return text


def _without_stump(text: str) -> str:
    """An excerpt that breaks off in a sentence ends with the one before; where there is none, with '…'."""
    bare = _CUT_OFF.sub("", text)
    if bare == text:
        return text
    whole = first_sentences(bare, len(bare) - 1)
    return bare.rstrip(" .…") + "…" if whole.endswith("…") else whole


_CUT_OFF = re.compile(r"\s*\[\s*(?:…|\.\.\.)\s*\]\s*$")
_ABSTRACT = re.compile(r"\AarXiv:\S{5,30} Announce Type: [\w-]{1,20} (?:Abstract: )?")


_FORMULA = re.compile(r"\$([^$]{1,80})\$")
_COMMAND = re.compile(r"\\(?:mathrm|mathbf|text|rm|var)?\s*\{?([A-Za-z]+)\}?\s?")
_SIGNS = {
    "times": "×",
    "cdot": "·",
    "pm": "±",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "ne": "≠",
    "neq": "≠",
    "sim": "∼",
    "approx": "≈",
    "to": "→",
    "rightarrow": "→",
    "infty": "∞",
    "ell": "ℓ",
    "lambda": "λ",
    "Lambda": "Λ",
}
_RAISED = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")
_LOWERED = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")


def _formulas(text: str) -> str:
    """'$\\beta$-blockers' are β-blockers. A formula that letters alone can't tell stays as it was written."""
    return _FORMULA.sub(_formula, text) if text.count("$") > 1 else text


def _formula(found: re.Match[str]) -> str:
    written = found[1]
    if not re.search(r"[\\^_]", written) and not re.fullmatch(r"\s*[A-Za-z]\s*", written):
        return found[0]  # two prices
    told = re.sub(r"\^\{?([-+\dn]{1,9})\}?", lambda part: part[1].translate(_RAISED), written)
    told = re.sub(r"_\{?([-+\d]{1,9})\}?", lambda part: part[1].translate(_LOWERED), told)
    told = _COMMAND.sub(_sign, told)
    return found[0] if re.search(r"[\\^_{}]", told) else " ".join(told.split())


def _sign(found: re.Match[str]) -> str:
    name = found[1]
    try:
        letter = unicodedata.lookup(f"GREEK {'CAPITAL' if name[0].isupper() else 'SMALL'} LETTER {name.upper()}")
    except KeyError:
        letter = found[0]
    return _SIGNS.get(name, letter) + (" " if name in ("times", "to") else "")


def _without_title(text: str, title: str) -> str:
    """What follows a headline that stands once more above the text: a new sentence, or nothing."""
    rest = text[len(title) :]
    if not title or len(title.split()) < _FEWEST_WORDS or text[: len(title)].casefold() != title.casefold():
        return text
    rest = rest.lstrip(" .:|–—-") if rest[:1] in " .:|" else rest
    return text if rest and (rest == text[len(title) :] or rest[0].islower()) else rest


_ADDRESS = re.compile(r"[<(]?(?:mailto:)?[^\s<>()@]{1,64}@[^\s<>()@]{1,255}[>)]?")
_HANDLE = re.compile(r"\A@\w{1,60} (?=\S)")  # a forum's '@ada Ada Okoro'
_NOBODY = {"admin", "administrator", "webmaster", "wordpress", "root", "noreply", "no-reply"}
_MOST_NAMES = 4
_FIRST_NAMES = 3


def author_of(text: str) -> str:
    """The name alone: RSS's own form is 'ada@site.example (Ada)', and an address is nobody's byline.

    Of more than four names the first three.
    """
    name = _ADDRESS.sub(" ", one_line(text, 4 * _NAME_LIMIT)).strip(" ,;")
    whole = re.fullmatch(r"\(([^()]*)\)", name)
    name = _HANDLE.sub("", " ".join((whole[1] if whole else name).split()))
    names = name.split(", ")
    if len(names) > _MOST_NAMES:
        name = ", ".join(names[:_FIRST_NAMES]) + " et al."
    return "" if name.lower() in _NOBODY else shorten(name, _NAME_LIMIT)
