"""Which older articles read on from a digest: near enough, each once, and not all for the lead."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from mailer.core.article import Article
from mailer.core.canonical import canonical_link
from mailer.core.nearness import Candidate, Index
from mailer.core.terms import terms_of

__all__ = ["Candidate", "Similarity"]

ENOUGH = 0.14
"""How near an article must be: two good ones are better than four bad ones. Found by judging picks by hand."""

_BESIDE = 0.4  # of the nearest one: what is much farther off looks odd beside it
_NEWER = 0.1  # what the newest gains over the oldest
_OTHERS = 0.8  # the lead counts more than the articles beside it
_AGAIN = 0.5  # an article that has brought one already stands back for the others
_SAME_TITLE = 0.75  # of the terms of both titles: 'updated' and 'corrected' make no new story


@dataclass(frozen=True, slots=True)
class _Story:
    """By what two articles are known as the same: the link, or the title but for a word."""

    link: str
    title: str
    terms: frozenset[str]

    @classmethod
    def of(cls, title: str, link: str) -> Self:
        return cls(canonical_link(link), title.casefold(), terms_of(title))

    def is_that_of(self, other: "_Story") -> bool:
        if (self.link and self.link == other.link) or self.title == other.title:
            return True
        return len(self.terms & other.terms) > _SAME_TITLE * len(self.terms | other.terms)


class Similarity:
    """What is near to any article of an edition. Built once, then asked for every variant."""

    def __init__(self, candidates: Sequence[Candidate], asked: Sequence[Article]) -> None:
        self._index = Index(candidates, asked)
        self._newest = max((one.seq for one in candidates), default=1)
        self._stories: dict[int, _Story] = {}
        self._ranked: dict[int, list[tuple[float, Candidate]]] = {}

    @classmethod
    def of(cls, candidates: Iterable[Candidate], asked: Iterable[Article]) -> Self:
        """`candidates`: articles that may be named. `asked`: every article that any digest of the edition holds."""
        return cls(list(candidates), list(asked))

    def nearest(
        self, articles: Sequence[Article], *, count: int, allowed: Callable[[Candidate], bool]
    ) -> tuple[Candidate, ...]:
        """At most `count` that read on from these articles, of which the first is the lead; the best first.

        None tells the story of an article of the digest or of another pick.
        """
        told = [self._story(article.seq, article.draft.title, article.draft.link) for article in articles]

        def is_new(one: Candidate) -> bool:
            story = self._story(one.seq, one.title, one.link)
            return allowed(one) and not any(story.is_that_of(other) for other in told)

        threads = [
            _Thread(self._rank(article.seq), _OTHERS if place else 1.0) for place, article in enumerate(articles)
        ]
        picks: list[Candidate] = []
        while len(picks) < count:
            for thread in threads:
                thread.advance(is_new)
            best = max(threads, key=lambda thread: thread.score, default=None)
            if best is None or best.score == 0:
                break
            pick = best.take()
            picks.append(pick)
            told.append(self._story(pick.seq, pick.title, pick.link))
        return tuple(picks)

    def _rank(self, seq: int) -> list[tuple[float, Candidate]]:
        """The candidates near enough to this article, the best first."""
        if seq not in self._ranked:
            newer = _NEWER / self._newest
            scored = [(score * (1 + newer * one.seq), one) for score, one in self._index.near(seq, ENOUGH)]
            self._ranked[seq] = sorted(scored, key=lambda pair: (-pair[0], pair[1].seq))
        return self._ranked[seq]

    def _story(self, seq: int, title: str, link: str) -> _Story:
        if seq not in self._stories:
            self._stories[seq] = _Story.of(title, link)
        return self._stories[seq]


class _Thread:
    """What reads on from one article of a digest. Its weight falls with each pick, so that others have their turn."""

    def __init__(self, ranked: Sequence[tuple[float, Candidate]], weight: float) -> None:
        self._ranked = ranked
        self._weight = weight
        self._place = 0
        self._least = 0.0

    def advance(self, is_new: Callable[[Candidate], bool]) -> None:
        """Go on to the first that is new; what is much farther off than the nearest of all isn't looked at."""
        while self._place < len(self._ranked) and not is_new(self._ranked[self._place][1]):
            self._place += 1
        if self._place < len(self._ranked):
            near = self._ranked[self._place][0]
            self._least = self._least or near * _BESIDE
            if near < self._least:
                self._place = len(self._ranked)

    @property
    def score(self) -> float:
        """Of the one it stands at, 0 where it is at its end."""
        return self._weight * self._ranked[self._place][0] if self._place < len(self._ranked) else 0.0

    def take(self) -> Candidate:
        """The one it stands at."""
        self._weight *= _AGAIN
        return self._ranked[self._place][1]
