"""Related articles among 50,000, beside reading the same rows from SQLite and splitting them into words.

"Ours" is all that planning has to do more: read the candidates, build the similarity, ask for each variant. The site
is made up: each article says again most of what one of the 200 in tests/fixtures/related says, among words of its own
whose frequencies fall as those of a language do. A hundred variants are a hundred digests of ten out of 200 new
articles.

`--show` prints instead what is found for the 60 articles of that feed that a person has judged, and who agrees.
"""

import argparse
import asyncio
import json
import random
import re
import resource
import sqlite3
import tempfile
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from typing import Any

from table import show

from mailer.core.article import Article, Draft
from mailer.core.related import Candidate, Similarity
from mailer.store import articles
from mailer.store.database import Database
from mailer.store.upgrade import upgrade

FIXTURES = Path(__file__).parents[1] / "tests/fixtures/related"
FEED, JUDGED = FIXTURES / "articles.jsonl", FIXTURES / "judged.json"
INSERT = (
    "INSERT INTO articles (seq, origin, guid, title, link, summary, author, topics, published, language, minutes, "
    "hidden, known, pins, canonical, storm) VALUES (?, 'feed:1', ?, ?, ?, ?, '', ?, ?, ?, 2, 0, 0, '[]', '', 0)"
)
NEW, DIGEST = 200, 10


def fill(path: Path, rows: int) -> None:
    """A site of so many articles."""
    upgrade(f"sqlite:///{path}")
    chance = random.Random(2026)
    feed = [json.loads(line) for line in FEED.read_text(encoding="utf-8").splitlines()]
    letters = "abcdefghiklmnoprstuvw"
    words = ["".join(chance.choices(letters, k=chance.randint(4, 11))) for _ in range(60_000)]
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(words))))

    def again(text: str) -> str:
        kept = [word for word in text.split() if chance.random() < 0.7]
        return " ".join(kept + chance.choices(words, cum_weights=weights, k=len(text.split()) // 2))

    with sqlite3.connect(path) as connection:
        for seq in range(1, rows + 1):
            one = chance.choice(feed)
            title, summary, topics = again(one["title"]), again(one["summary"]), json.dumps(one["topics"])
            link = f"https://site.example/{seq}"
            connection.execute(INSERT, (seq, link, title, link, summary, topics, seq * 1_000, one["language"]))
    connection.close()


def digests(database: Database, variants: int) -> list[list[Article]]:
    """The new articles, ten for each variant."""
    new = asyncio.run(database.read(articles.latest, NEW))
    chance = random.Random(variants)
    return [chance.sample(new, DIGEST) for _ in range(variants)]


def ours(database: Database, asked: list[list[Article]], rows: int) -> float:
    """Seconds for one edition."""
    start = perf_counter()
    candidates = asyncio.run(database.read(articles.candidates, rows))
    similarity = Similarity.of(candidates, {one.seq: one for digest in asked for one in digest}.values())
    found = [similarity.nearest(digest, count=4, allowed=lambda one: one.seq <= rows - NEW) for digest in asked]
    seconds = perf_counter() - start
    if not all(found):
        raise SystemExit("a digest has nothing related")
    return seconds


def bare(path: Path) -> float:
    """Seconds to read the texts by sqlite3 and find their words."""
    start = perf_counter()
    connection = sqlite3.connect(path)
    for title, summary in connection.execute("SELECT title, summary FROM articles"):
        re.findall(r"\w+", title.lower())
        re.findall(r"\w+", summary.lower())
    connection.close()
    return perf_counter() - start


def show_picks() -> None:
    """What is found for each judged article: + where a person agrees, - where not."""
    rows = [json.loads(line) for line in FEED.read_text(encoding="utf-8").splitlines()]
    older = [Candidate(**row | {"known": False, "published": None}) for row in rows]
    asked = [
        Article(one.seq, "feed:1", Draft(one.link, one.title, one.link, one.summary, **_labels(one))) for one in older
    ]
    similarity = Similarity.of(older, asked)
    for seq, good in json.loads(JUDGED.read_text(encoding="utf-8")).items():
        article = asked[int(seq) - 1]
        print(f"{seq:>4}  {article.draft.title}")
        for pick in similarity.nearest([article], count=4, allowed=lambda _: True):
            print(f"      {'+' if pick.seq in good else '-'} {pick.seq:>3}  {pick.title}")


def _labels(one: Candidate) -> dict[str, Any]:
    return {"topics": tuple(one.topics), "language": one.language}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    if wanted.show:
        show_picks()
        return
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as folder:
        path = Path(folder) / "mailer.db"
        fill(path, wanted.rows)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with Database(f"sqlite:///{path}") as database:
            for variants in (1, 100):
                asked = digests(database, variants)
                pairs = [(ours(database, asked, wanted.rows), bare(path)) for _ in range(wanted.rounds)]
                show(
                    f"related articles of {variants} variants among {wanted.rows:,}, beside reading and splitting them",
                    [a for a, _ in pairs],
                    [b for _, b in pairs],
                    reach="<= 5" if variants == 1 else "<= 10",
                )
    print(f"  memory  {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.0f} MB more at most")


if __name__ == "__main__":
    main()
