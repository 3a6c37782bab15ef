"""What the README and docs/embedding.md say of the form on other pages is what there is."""

import re
from pathlib import Path

from mailer.templating.embed import embed_script
from mailer.web.api import SignupIn
from mailer.web.signup import Filled

ROOT = Path(__file__).parents[1]
README, DOCS = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/embedding.md"))


def examples(text: str) -> list[str]:
    return re.findall(r"^```html\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_readme_has_the_documented_examples_in_five_lines_or_less():
    """tests/appearance/test_embed.py holds them in a browser."""
    script, frame, form = examples(DOCS)
    assert examples(README) == [script, form]
    assert all(len(each.splitlines()) <= 5 for each in (script, frame, form))


def test_the_documented_properties_are_those_of_the_script():
    named = re.findall(r"^\| `(--[a-z-]+)` \|", DOCS, re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == set(re.findall(r"var\((--mailer-[a-z-]+)", embed_script().decode()))


def test_the_documented_fields_are_those_that_are_taken():
    plain = re.search(r"^`email` and .*?\n\n", DOCS, re.DOTALL | re.MULTILINE)[0]
    assert set(re.findall(r"`([a-z]+)`", plain)) == set(Filled.model_fields) - {"form_time", "website"}
    by_json = DOCS.partition("\n## JSON\n")[2].partition("\n## ")[0]
    assert all(re.search(rf'[`"]{name}[`"]', by_json) for name in SignupIn.model_fields)
