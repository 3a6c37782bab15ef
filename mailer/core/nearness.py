"""How near an older article is to one that is asked for: a figure from 0 to about 1.5.

Two articles are as near as the words they share are telling. A word counts by how rare it is among all articles, and
more where it stands in a title; both are saturated and evened out by length as in BM25 with fields (Robertson and
Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, §3.5 and §3.6). The sum is divided by what the
asked article scores against itself, so that it says which part of its story is told again, whatever its length and the
number of articles. A topic in common raises it, the more the rarer the topic; topics of which none is shared lower it.
A topic alone makes nothing near, because labels like 'News' tie anything to anything. Only words of the asked articles
are indexed, and what a tenth of all articles say is left out (on a small site what half of them say), so that 50,000
articles take little time and memory.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from math import log, log10
from typing import NamedTuple, Self

from mailer.core.article import Article
from mailer.core.terms import terms_of, terms_of_word, words_of

_K1, _B = 1.2, 0.5  # how soon a word is said often enough, and how much a text's length counts
_SUMMARY, _TITLE = 1, 2  # a word counts as said so often; also the bits of where it stands
_SHARED_TOPIC, _NO_SHARED_TOPIC = 0.6, 0.8
_COMMON, _COMMON_OF_FEW, _FEW = 0.1, 0.5, 100  # of fewer articles than that, only what every second says is common


class Candidate(NamedTuple):
    """An older article as far as it is compared. `language`: a BCP 47 tag or ''."""

    seq: int
    title: str
    summary: str
    link: str
    topics: Sequence[str]
    language: str
    known: bool
    published: datetime | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """`terms`: to the bits of where they stand. `words`: how many it has."""

    terms: dict[str, int]
    words: int
    topics: frozenset[str]
    language: str

    @classmethod
    def of(cls, article: Article) -> Self:
        draft = article.draft
        title, summary = terms_of(draft.title), terms_of(draft.summary)
        return cls(
            # Sorted, because sums of fractions depend on their order, and that of a set on the process.
            {term: _TITLE * (term in title) + _SUMMARY * (term in summary) for term in sorted(title | summary)},
            len(words_of(draft.title)) + len(words_of(draft.summary)),
            frozenset(map(str.casefold, draft.topics)),
            _primary(draft.language),
        )


class _Vocabulary(dict[str, tuple[int, ...]]):
    """From a word to the numbers of those of its terms that were asked for."""

    def __init__(self, numbers: dict[str, int]) -> None:
        super().__init__()
        self._numbers = numbers

    def __missing__(self, word: str) -> tuple[int, ...]:
        found = tuple(self._numbers[term] for term in terms_of_word(word) if term in self._numbers)
        self[word] = found
        return found


class Index:
    """Which of many candidates say what the asked articles say. Built once, then asked article by article."""

    def __init__(self, candidates: Sequence[Candidate], asked: Iterable[Article]) -> None:
        """`asked`: every article that `near` will be asked for."""
        self._candidates = candidates
        self._asked = {article.seq: _Asked.of(article) for article in asked}
        terms = {term for one in self._asked.values() for term in one.terms}
        self._numbers = {term: number for number, term in enumerate(terms)}
        self._postings = [array("L") for _ in terms]  # of each term: a candidate's number * 4 + the bits of where
        self._labelled: dict[str, set[int]] = {label: set() for one in self._asked.values() for label in one.topics}
        self._lengths = self._index()
        self._average = max(1.0, sum(self._lengths) / max(1, len(candidates)))
        longest = max(self._lengths, default=0)
        self._weights = [[self._weight(bits, words) for words in range(longest + 1)] for bits in range(4)]

    def _index(self) -> list[int]:
        """Read all candidates. Returns how many words each has."""
        known = _Vocabulary(self._numbers)
        postings, lengths = self._postings, []
        for number, candidate in enumerate(self._candidates):
            title, summary = words_of(candidate.title), words_of(candidate.summary)
            above = set(chain.from_iterable(map(known.__getitem__, title)))
            below = set(chain.from_iterable(map(known.__getitem__, summary)))
            for term in above:
                postings[term].append(4 * number + (_TITLE + _SUMMARY if term in below else _TITLE))
            for term in below - above:
                postings[term].append(4 * number + _SUMMARY)
            for label in candidate.topics:
                if (holders := self._labelled.get(label.casefold())) is not None:
                    holders.add(number)
            lengths.append(len(title) + len(summary))
        return lengths

    def near(self, seq: int, least: float) -> list[tuple[float, Candidate]]:
        """The candidates that are at least so near to this asked article, itself among them, in no order."""
        one = self._asked[seq]
        topics = [(self._labelled[label], self._factor(label)) for label in one.topics]
        found = []
        for number, words in self._shared_words(one, least / (1 + _SHARED_TOPIC)):
            candidate = self._candidates[number]
            apart = _NO_SHARED_TOPIC if one.topics and candidate.topics else 1.0
            # Of several topics in common the rarest counts.
            score = words * max((factor for holders, factor in topics if number in holders), default=apart)
            if score >= least and _may_be_one_language(one.language, _primary(candidate.language)):
                found.append((score, candidate))
        return found

    def _shared_words(self, one: _Asked, least: float) -> list[tuple[int, float]]:
        """(the candidate's number, which part of the asked article's words it has, by weight) from `least` on."""
        count, lengths, said = len(self._candidates), self._lengths, self._weights
        most = count * (_COMMON_OF_FEW if count < _FEW else _COMMON)
        shared: defaultdict[int, float] = defaultdict(float)
        own = 0.0
        for term, bits in one.terms.items():
            postings = self._postings[self._numbers[term]]
            if len(postings) > most:
                continue
            rarity = log(1 + (count - len(postings) + 0.5) / (len(postings) + 0.5))
            weight = rarity * self._weight(bits, one.words)
            own += weight * self._weight(_TITLE + _SUMMARY, one.words)
            for posting in postings:
                number = posting >> 2
                shared[number] += weight * said[posting & 3][lengths[number]]
        return [(number, words / own) for number, words in shared.items() if words >= least * own]

    def _factor(self, label: str) -> float:
        """What having this topic in common multiplies by: 1 where all have it, most where a tenth or fewer have."""
        rarity = log10(len(self._candidates) / max(1, len(self._labelled[label])))
        return 1 + _SHARED_TOPIC * min(1.0, rarity)

    def _weight(self, bits: int, words: int) -> float:
        """Saturated and evened out by length, 1 for a word said once in an article of average length."""
        return bits * (_K1 + 1) / (bits + _K1 * (1 - _B + _B * words / self._average))


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()


def _may_be_one_language(one: str, other: str) -> bool:
    return one == other or not one or not other
