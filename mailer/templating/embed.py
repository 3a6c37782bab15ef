"""The script that draws the form on somebody else's page, as small as it is served.

Who reads it finds it whole in templates/web/embed.js; what a browser is given has no comments and no needless spaces.
"""

import re
from functools import cache

from mailer.templating.overrides import our_folder

# Strings stay as they are, a style's spaces go by its own rules; signs need none around them.
_PART = re.compile(
    r"""(?P<string>"[^"\n]*")|`(?P<style>[^`]*)`|(?P<comment>//[^\n]*)|\s*(?P<sign>=>|[{}()\[\],;:=?|&+<>!])\s*|\s+"""
)
_STYLE_SIGN = re.compile(r"\s*([{};:,>])\s*")


@cache
def embed_script() -> bytes:
    """The script as it is served."""
    return tightened((our_folder() / "web" / "embed.js").read_text(encoding="utf-8")).encode()


def tightened(script: str) -> str:
    """A script without comments and needless spaces.

    It must end every statement with a semicolon, have strings in double quotes, styles in backquotes, and no pattern.
    """
    joined = _PART.sub(_part, script).strip()
    joined = re.sub(r"([;{}]) +", r"\1", joined)  # left behind by comments
    return re.sub(r"[,;](?=[})\]])", "", joined)


def _part(found: re.Match[str]) -> str:
    if found["string"] is not None:
        return found["string"]
    if found["style"] is not None:
        return "`" + _STYLE_SIGN.sub(r"\1", " ".join(found["style"].split())).strip() + "`"
    if found["comment"] is not None:
        return ""
    return found["sign"] or " "
