"""Which articles a reader gets: window, interests, order, cap; and which readers get the same."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mailer.core.article import Article
from mailer.core.topics import listed

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """Articles whose seq is in (lo, hi]. `since`: for a cadence's first edition, the oldest date that counts.

    `dated`: the seq up to which dates count; what was taken in after the first edition belongs here whatever its date.
    """

    lo: int
    hi: int
    since: datetime | None = None
    dated: int | None = None

    def holds(self, seq: int, published: datetime | None) -> bool:
        """By seq, never by its date, but for a first edition."""
        if not self.lo < seq <= self.hi:
            return False
        if self.since is None or published is None or (self.dated is not None and seq > self.dated):
            return True
        return published >= self.since


@dataclass(frozen=True, slots=True)
class Pick:
    """What one variant holds: `articles` in order, the first is the lead; `more` were over the cap.

    `doubtful`: of all these, how many came in a storm that nobody has judged. `over`: the seqs of those over the cap,
    in order; none of an edition from before they were kept.
    """

    articles: tuple[Article, ...]
    more: int = 0
    doubtful: int = 0
    over: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """All that count as given, shown or not."""
        return len(self.articles) + self.more


def concerns(article: Article, interests: Sequence[str], topics: Mapping[str, str]) -> bool:
    """Whether a reader with these interests gets the article.

    No interests: all. An article without a listed topic goes to all; a label that isn't listed decides nothing.
    """
    if not interests:
        return True
    about = listed(article.draft.topics, topics)
    return not about or not about.isdisjoint(interests)


def is_in(article: Article, window: Window) -> bool:
    """Whether the article belongs to the window and may be mailed."""
    return not (article.hidden or article.known) and window.holds(article.seq, article.draft.published)


def is_before(window: Window, *, seq: int, known: bool, published: datetime | None) -> bool:
    """Whether an article is from before the window, so that a digest may name it as related."""
    return seq <= window.hi and (known or not window.holds(seq, published))


def pick(
    articles: Iterable[Article],
    *,
    window: Window,
    interests: Sequence[str],
    topics: Mapping[str, str],
    cadence: str,
    cap: int,
    top: Sequence[int] = (),
) -> Pick:
    """The articles of one variant. Pinned first, then newest by date, then by seq; the cap keeps the first ones.

    `top`: seqs that the editor wants first, in this order, before what is pinned.
    """
    places = {seq: len(top) - at for at, seq in enumerate(top)}
    found = sorted(
        (item for item in articles if is_in(item, window) and concerns(item, interests, topics)),
        key=lambda item: (
            places.get(item.seq, 0),
            cadence in item.pins,
            item.draft.published or _LONG_AGO,
            item.seq,
        ),
        reverse=True,
    )
    over = tuple(item.seq for item in found[cap:])
    return Pick(tuple(found[:cap]), len(over), sum(item.storm for item in found), over)


@dataclass(frozen=True, slots=True)
class Group:
    """Readers who are due the same: (window's beginning, interests, language).

    `lo` is None for readers who were never due anything: the cadence's own window is theirs. `newcomers`: they never
    had anything, so where their window begins is remembered if this fails. `language`: as the reader's row has it.
    """

    lo: int | None
    since: datetime | None
    newcomers: bool
    interest_set: int
    topics: tuple[str, ...]
    language: str
    readers: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A variant before it is rendered. `window`: its newcomers', if it has any. `related`: the best first."""

    pick: Pick
    window: Window
    language: str
    readers: int
    related: tuple[Article, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """What a group gets: the batch of that number, or None where nothing, or too little, is there.

    `held_back`: there were articles, fewer than the minimum; they stay for the next edition.
    """

    group: Group
    batch: int | None
    window: Window
    held_back: bool = False


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Who gets what. `hi`: the watermark of the edition; None where a first edition was held back.

    `since`: of a cadence's first edition, the oldest date that counts.
    """

    batches: tuple[Batch, ...]
    shares: tuple[Share, ...]
    lo: int | None
    hi: int | None
    since: datetime | None = None

    def windows(self, number: int) -> tuple[Window, ...]:
        """The windows of all who get the batch of this number."""
        return tuple(share.window for share in self.shares if share.batch == number)

    @property
    def readers(self) -> int:
        """How many get something."""
        return sum(batch.readers for batch in self.batches)


def first_since(cadence: str, wanted: datetime, sinces: Mapping[datetime, str]) -> datetime:
    """The oldest date that counts in a cadence's first edition: what was said when it was held back, else `wanted`.

    `sinces`: those of all cadences. Readers' beginnings are told apart by it, so one that another cadence has is moved
    by a millisecond, the least that the database keeps.
    """
    said = [since for since, name in sinces.items() if name == cadence]
    if said:
        return said[0]
    while wanted in sinces:
        wanted -= timedelta(milliseconds=1)
    return wanted


def own_window(previous_hi: int | None, newest: int, first_since: datetime) -> Window:
    """The window of a cadence for readers who were never due anything.

    From its previous edition on; for its first edition ever, what was published since one period before its due
    instant (`first_since`).
    """
    return Window(0, newest, first_since) if previous_hi is None else Window(previous_hi, newest)


def _window_of(group: Group, lo: int, hi: int, dated: Mapping[datetime, int], previous_hi: int | None) -> Window:
    # Held back with the first edition of a cadence, and gone over to one that has had its first: dates are past there.
    return Window(lo, hi, group.since, None if group.since is None else dated.get(group.since, previous_hi))


def arrange(
    groups: Sequence[Group],
    articles: Sequence[Article],
    *,
    previous_hi: int | None,
    dated: Mapping[datetime, int] | None = None,
    own: Window,
    topics: Mapping[str, str],
    cadence: str,
    cap: int,
    minimum: int,
    speak: Callable[[str], str],
    top: Sequence[int] = (),
) -> Arrangement:
    """Turn groups of readers into variants: those whose articles come out equal are one.

    `own`: the cadence's own window. `dated`: by the `since` of a first edition, the seq up to which it counts.
    `articles`: at least all that any of the windows may hold. `speak`: from a reader's language to the one the mail is
    written in. `top`: as `pick` has it.
    """
    batches: list[Batch] = []
    shares: list[Share] = []
    numbers: dict[tuple[object, ...], int] = {}
    # Newcomers first: a variant remembers where their window began, so theirs are parted by it; the others join any.
    for group in sorted(groups, key=lambda item: not item.newcomers):
        window = own if group.lo is None else _window_of(group, group.lo, own.hi, dated or {}, previous_hi)
        found = pick(articles, window=window, interests=group.topics, topics=topics, cadence=cadence, cap=cap, top=top)
        if found.total < max(minimum, 1):
            shares.append(Share(group, None, window, held_back=found.total > 0))
            continue
        language = speak(group.language)
        # What is over the cap counts as given, so it has to be on the page of who gets this.
        alike = (tuple(article.seq for article in found.articles), found.over, language)
        key = (*alike, window.lo, window.since) if group.newcomers else alike
        number = numbers.setdefault(key, len(batches))
        if number == len(batches):
            batches.append(Batch(found, window, language, 0))
        numbers.setdefault(alike, number)
        batches[number] = replace(batches[number], readers=batches[number].readers + group.readers)
        shares.append(Share(group, number, window))
    held_back = not batches and any(share.held_back for share in shares)
    hi = previous_hi if held_back else own.hi
    return Arrangement(tuple(batches), tuple(shares), previous_hi, hi, own.since)
