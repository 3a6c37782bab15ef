"""Which fonts a text needs and which language it says it is in."""

import re
import unicodedata

from mailer.core.text import first_strong

_WRITES = {  # which languages write a script that needs its own fonts; the first is assumed where none is named
    "ar": ("ar", "fa", "ur", "ps", "ckb", "sd", "ug", "arz", "azb"),
    "he": ("he", "yi", "iw"),
    "ja": ("ja",),
    "zh": ("zh", "yue", "wuu"),
    "ko": ("ko",),
}
_OWN_SCRIPT = frozenset(language for languages in _WRITES.values() for language in languages)
_KANA, _HANGUL, _HAN = (
    re.compile("[\u3041-\u30ff]"),
    re.compile("[\u1100-\u11ff\uac00-\ud7a3]"),
    re.compile("[\u4e00-\u9fff]"),
)


def script_of(text: str, language: str = "") -> str:
    """Which fonts a text needs: '' for Latin, Cyrillic and Greek, 'ar', 'he', 'ja', 'zh', 'ko', or 'other'.

    `language`: a BCP 47 tag, which decides for Chinese characters.
    """
    primary = language.partition("-")[0].lower()
    if first_strong(text) == "rtl":
        return "he" if re.search("[\u0590-\u05ff]", text) else "ar"
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    if _HAN.search(text):
        return primary if primary in ("ja", "ko") else "zh"
    first = next((char for char in text if char.isalpha()), "a")
    known = unicodedata.name(first, "").startswith(("LATIN", "CYRILLIC", "GREEK", "FULLWIDTH", "MICRO"))
    return "" if known else "other"


def script_of_language(tag: str) -> str:
    """The fonts that a language needs, by its tag: 'ar', 'he', 'ja', 'zh', 'ko', or '' for those of Latin."""
    primary = tag.partition("-")[0].lower()
    return next((script for script, languages in _WRITES.items() if primary in languages), "")


def language_of(script: str, tag: str) -> str:
    """The tag, where it is one that writes this script; else what the script tells, or 'und' (RFC 5646)."""
    primary = tag.partition("-")[0].lower()
    if script in _WRITES:
        return tag if primary in _WRITES[script] else _WRITES[script][0]
    well_formed = re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", tag) is not None
    return tag if well_formed and primary not in _OWN_SCRIPT else "und"
