"""Which articles of a feed are known already, under whatever id they come; and when that is doubtful for all of them.

An id that stays is an article that stays, however it is edited. But ids change (a feed that makes them anew each time,
a site that was rebuilt) and are used again (a feed that numbers its items from the top), so the link, then title and
date have a say. Where they disagree, an article that is told twice is the smaller harm beside one that vanishes; only
where a whole feed is in doubt are its articles held until the operator has looked (`is_storm`).
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from mailer.core.article import Draft, canonical_link

STORM = 5
"""So many unknown articles at once may be a storm; fewer are news."""
_FEW = 0.2
_MANY = 0.5

_CJK = "\u3040-\u30ff\u3400-\u9fff"  # written without spaces: two characters are about a word
_WORD = re.compile(rf"(?=([{_CJK}]{{2}}))|([^\W_{_CJK}]+)")
_SHORT = 3  # letters of a word that says little: 'the', 'and', 'der'


@dataclass(frozen=True, slots=True)
class Known:
    """An article of this feed that was taken in. `guids`: the names it has here, the one it is kept under first.

    `link`: its canonical link or ''.
    """

    seq: int
    guids: tuple[str, ...]
    link: str
    title: str
    published: datetime | None

    @property
    def guid(self) -> str:
        return self.guids[0]


@dataclass(frozen=True, slots=True)
class Recognised:
    """`drafts`: in their order, each under the guid it is kept or to be kept under.

    `names`: further names that were met, to the guid they stand for. `storm`: guids of new articles that are held.
    """

    drafts: tuple[Draft, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    storm: frozenset[str] = frozenset()


def own_name(draft: Draft, *, by_title: bool = False) -> str:
    """The name of an article whose guid is another's, too: made of the guid and its link, or its title without one."""
    told = ("" if by_title else canonical_link(draft.link)) or draft.title
    return "sha256:" + sha256(f"{draft.guid}\n{told}".encode()).hexdigest()


def titles_meet(one: str, other: str) -> bool:
    """Whether two titles have a word in common that says something: a headline that was edited nearly always has."""
    return one == other or not _telling(one).isdisjoint(_telling(other))


def is_storm(
    unknown: Sequence[Draft], *, shown: int, by_id: int, newest: datetime | None, titles: Collection[str]
) -> bool:
    """Whether these articles look like old ones under new ids, rather than like news. Never so on a first fetch.

    `unknown`: of the `shown` articles of the document those not recognised; `by_id`: how many still have their ids.
    `newest`: the date of the newest article known before. `titles`: of articles known before. A busy feed that wasn't
    polled for long brings only unknown articles, too, but with later dates.
    """
    if len(unknown) < STORM or by_id > _FEW * shown:
        return False
    doubtful = sum(
        draft.title in titles or (draft.published is not None and newest is not None and draft.published <= newest)
        for draft in unknown
    )
    return doubtful >= _MANY * len(unknown)


def recognise(drafts: Sequence[Draft], known: Iterable[Known], *, newest: datetime | None) -> Recognised:
    """Tell the articles of a document from those `known` of its feed: all that share a guid, link or title with one.

    By guid, unless it was used again; then by link, where one article alone has it on both sides; then by title and
    date. In what looks like a storm the title alone is enough; what is left then is held, if it is several.
    """
    match = _Match(drafts, known)
    by_id = match.by_guid()
    match.by_link()
    match.by_title(dated=True)
    unknown = match.unknown()
    titles = {article.title for article in match.known}
    doubtful = is_storm(unknown, shown=len(drafts), by_id=by_id, newest=newest, titles=titles)
    if doubtful:
        match.by_title(dated=False)
        unknown = match.unknown()
    held = unknown if doubtful and len(unknown) >= STORM else []
    return Recognised(match.told(), match.names, frozenset(draft.guid for draft in held))


def part(namesakes: Sequence[Draft]) -> list[Draft | None]:
    """The articles of one document that share a guid, in their order; None for one that was told before.

    Where they are one article, the first stays as it is. Else the guid names none of them: each gets its own name.
    """
    told: dict[tuple[str, str], int] = {}
    for at, draft in enumerate(namesakes):
        told.setdefault((canonical_link(draft.link), draft.title), at)
    first, *others = (namesakes[at] for at in told.values())
    if not others or (len(others) == 1 and _is_told_again(first, others[0])):
        return [first, *(None for _ in namesakes[1:])]
    by_title = len({link for link, _ in told}) < len(told)
    kept = set(told.values())
    return [
        replace(draft, guid=own_name(draft, by_title=by_title)) if at in kept else None
        for at, draft in enumerate(namesakes)
    ]


def _is_told_again(one: Draft, other: Draft) -> bool:
    link = canonical_link(one.link)
    if link != canonical_link(other.link):
        dated_apart = one.published and other.published and one.published != other.published
        return titles_meet(one.title, other.title) and not dated_apart
    # A guid that is the link was made from it, and says no more than that.
    return one.title == other.title or (bool(link) and one.guid != one.link)


class _Match:
    """Who of the document is whom, found step by step; an article is claimed once."""

    def __init__(self, drafts: Sequence[Draft], known: Iterable[Known]) -> None:
        self.known = list(known)
        self.names: dict[str, str] = {}
        self._drafts: list[Draft | None] = list(drafts)
        self._links = [canonical_link(draft.link) for draft in drafts]
        self._here = Counter(self._links)
        self._by_guid = {guid: article for article in self.known for guid in article.guids}
        self._by_link = _alone((article.link, article) for article in self.known)
        self._open: dict[int, None] = {}  # in the document's order
        self._claimed: set[int] = set()

    def by_guid(self) -> int:
        """Returns how many were recognised."""
        for at, draft in enumerate(self._drafts):
            if draft is None:
                continue
            article = self._by_guid.get(draft.guid)
            if article is None:
                self._open[at] = None
            elif self._is_used_again(draft, self._links[at], article):
                self._under_own_name(at, draft)
            elif article.seq in self._claimed:
                self._second(at, draft, article)
            else:
                self._claim(at, draft, article)
        return len(self._claimed)

    def by_link(self) -> None:
        for at, draft, link in self._left():
            article = self._by_link.get(link) if self._here[link] == 1 else None
            # One page that each article of a feed leads to in turn is no sign of sameness.
            if article and (titles_meet(draft.title, article.title) or _same_date(draft, article)):
                self._claim(at, draft, article)

    def by_title(self, *, dated: bool) -> None:
        here = Counter(draft.title for _, draft, _ in self._left())
        free = _alone((article.title, article) for article in self.known if article.seq not in self._claimed)
        for at, draft, _ in self._left():
            article = free.get(draft.title) if here[draft.title] == 1 else None
            if article and (not dated or _same_date(draft, article)):
                self._claim(at, draft, article)

    def unknown(self) -> list[Draft]:
        return [draft for _, draft, _ in self._left()]

    def told(self) -> tuple[Draft, ...]:
        return tuple(draft for draft in self._drafts if draft is not None)

    def _left(self) -> list[tuple[int, Draft, str]]:
        return [(at, draft, self._links[at]) for at in self._open if (draft := self._drafts[at]) is not None]

    def _is_used_again(self, draft: Draft, link: str, article: Known) -> bool:
        """Whether a guid now names another article. An edit keeps the date, or a word of the title, or the link."""
        if not link and draft.guid == draft.link:  # made from the address of the home page: it names nothing
            return not (titles_meet(draft.title, article.title) or _same_date(draft, article))
        if not link or not article.link or link == article.link:
            return False
        if draft.title == article.title and _same_date(draft, article):
            return False
        # The article that had this guid is further down, or this one is known by another: items numbered from the top.
        moved = self._here[article.link] == 1 and article.link in self._by_link
        other = self._here[link] == 1 and link in self._by_link
        return moved or other or not (titles_meet(draft.title, article.title) or _same_date(draft, article))

    def _under_own_name(self, at: int, draft: Draft) -> None:
        own = replace(draft, guid=own_name(draft))
        article = self._by_guid.get(own.guid)
        if article and article.seq not in self._claimed:
            self._claim(at, own, article)
        else:
            self._drafts[at] = own
            self._open[at] = None

    def _second(self, at: int, draft: Draft, article: Known) -> None:
        """Two guids of one document are names of one article: told twice, or parted since."""
        if self._links[at] in ("", article.link):
            self._drafts[at] = None
        else:
            self._under_own_name(at, draft)

    def _claim(self, at: int, draft: Draft, article: Known) -> None:
        if article.seq in self._claimed:
            return
        self._claimed.add(article.seq)
        self._open.pop(at, None)
        if draft.guid not in self._by_guid:
            self.names[draft.guid] = article.guid
        self._drafts[at] = replace(draft, guid=article.guid)


def _alone(articles: Iterable[tuple[str, Known]]) -> dict[str, Known]:
    """By a text that only one of them has."""
    found: dict[str, list[Known]] = {}
    for text, article in articles:
        if text:
            found.setdefault(text, []).append(article)
    return {text: several[0] for text, several in found.items() if len(several) == 1}


def _same_date(draft: Draft, article: Known) -> bool:
    if draft.published is None or article.published is None:
        return False
    # Kept to the millisecond.
    return abs((draft.published - article.published).total_seconds()) < 1


def _telling(title: str) -> set[str]:
    found = [match.groups() for match in _WORD.finditer(title.casefold())]
    words = {word for _, word in found if word}
    pairs = {pair for pair, _ in found if pair}
    return pairs | {word for word in words if len(word) > _SHORT and not word.isdecimal()} or words
