"""Composing a variant of twenty articles beside Jinja's render of its templates and css-inline alone; 500 in memory.

Ours is the whole of `compose`: laying out, subject, HTML, text, measuring, headers, quoted-printable, segments with
slots, and packed as the ledger keeps it. Beside it stand the two libraries: they render the same three templates with
the same page, laid out before, and inline the HTML. Memory is of two processes that compose 50 and 500 variants of one
edition and keep what planning keeps.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from time import process_time

from css_inline import CSSInliner
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from table import show

from mailer.core.article import Article, Draft, Picture
from mailer.core.colour import DARK, LIGHT
from mailer.core.digest import Digest, Site, lay_out
from mailer.core.selection import Batch, Pick, Window
from mailer.core.text import first_strong, wrap
from mailer.flows.planning.composing import Composer, Issue, compose
from mailer.templating import Templates, ThemeOptions, sentences

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
ISSUE = Issue("weekly", "2026-W47", (date(2026, 11, 16), date(2026, 11, 22)), NOW, "0123456789abcdef" * 2)
SITE = Site(
    name="Mia's Feed",
    url="https://site.example",
    from_name="Mia's Feed",
    from_address="digest@site.example",
    public_url="https://site.example",
    list_id="digest.site.example",
    postal_address="12 Harbour Street\nDublin",
)
SUMMARY = (
    "One infusion, no maintenance therapy: of 97 people with multiple myeloma, 33 percent had no relapse in five "
    "years. The researchers are careful with the word cure."
)
PICTURE = Picture("https://site.example/car-t.png", "Drawing: a large cell among smaller ones", 1072, 560)
WARM_UP, MANY, ROUNDS = 5, 40, 7


def batch(first: int) -> Batch:
    """Twenty articles, the first of them numbered so."""
    articles = tuple(
        Article(
            number,
            "feed:1",
            Draft(
                guid=str(number),
                title=f"A third of patients live five years without relapse, study {number}",
                link=f"https://site.example/articles/{number}",
                summary=SUMMARY,
                topics=("Oncology",),
                picture=PICTURE,
                minutes=3,
            ),
        )
        for number in range(first, first + 20)
    )
    return Batch(Pick(articles, 8), Window(0, 999), "en", 1)


def seconds_each(work: Callable[[], object]) -> float:
    """Seconds for one, of many."""
    start = process_time()
    for _ in range(MANY):
        work()
    return (process_time() - start) / MANY


def alone(templates: Templates, sample: Batch) -> Callable[[], object]:
    """The two libraries on the same page."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "direction": first_strong,
        "wrap": lambda text, first="", rest="": wrap(text, 72, first=first, rest=rest),
    }
    sentences.install(environment)
    inliner = CSSInliner(keep_style_tags=True, remove_inlined_selectors=True, keep_at_rules=True, minify_css=True)
    digest = Digest(SITE, ISSUE.cadence, ISSUE.period, ISSUE.covers, sample.pick.articles, sample.pick.more)
    words = templates.words("en")
    values = {"light": LIGHT, "dark": DARK, "logo": "", "page": lay_out(digest, words), "words": words, "marks": ()}
    values |= {"leave": "leave", "manage": "manage", "since": "3 October 2026", "subject": "A third of patients"}
    subject, html, text = (
        environment.get_template(f"email/digest/{name}") for name in ("subject.txt", "body.html", "body.txt")
    )
    return lambda: (subject.render(values), inliner.inline(html.render(values)), text.render(values))


def memory(variants: int) -> None:
    """Print the peak of this process in megabytes, after so many variants of which only the packed form is kept."""
    composer = Composer(SITE, {}, Templates(ThemeOptions()))
    kept = [compose(composer, batch(number), ISSUE, number=number).variant() for number in range(variants)]
    packed = sum(len(variant.content) for variant in kept)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} {packed / 1e6:.2f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, default=0)
    wanted = parser.parse_args()
    if wanted.memory:
        memory(wanted.memory)
        return
    templates = Templates(ThemeOptions())
    composer, sample = Composer(SITE, {}, templates), batch(1)
    libraries = alone(templates, sample)
    for _ in range(WARM_UP):
        compose(composer, sample, ISSUE).variant()
        libraries()
    pairs = [
        (seconds_each(lambda: compose(composer, sample, ISSUE).variant()), seconds_each(libraries))
        for _ in range(ROUNDS)
    ]
    title = "composing a variant of 20 articles beside Jinja and css-inline alone"
    show(title, [a for a, _ in pairs], [b for _, b in pairs], reach="<= 2")
    for variants in (50, 500):
        command = [sys.executable, __file__, "--memory", str(variants)]
        peak, packed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        print(f"  memory  {variants} variants: {peak} MB at most, {packed} MB of them the packed mails")


if __name__ == "__main__":
    main()
