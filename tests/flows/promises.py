"""What each reader is owed, reckoned article by article: a model of the promise that knows nothing of watermarks.

A reader is owed every article from where they began. A digest settles what it was owed for when it was planned: what
it shows and counts, and what was hidden or not of their topics then. If it doesn't come, all of it is owed as before.
A digest that may have come (it is on the wire, or was in doubt) is left out of the next one, whatever becomes of it:
an article may be lost to a doubt and to nothing else, and none comes twice for one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mailer.core.cadence import Cadence
from mailer.core.delivery import GIVEN, UNFINISHED


@dataclass(eq=False)
class Piece:
    """An article. `topics`: ids of this site's topics."""

    seq: int
    published: datetime | None
    topics: frozenset[str]
    known: bool
    hidden: bool = False
    storm: bool = False
    pins: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Beginning:
    """Where the articles of readers begin who were first due something together.

    `after`: the articles up to this one were before their time. `since`: of a cadence's first edition, the oldest date
    that counts. `ends`: by edition that such readers were in, up to which article dates count; the first one decides.
    """

    after: int
    since: datetime | None = None
    ends: dict[int, int] = field(default_factory=dict)

    @property
    def dated(self) -> int | None:
        """None while their first edition is still to come."""
        return self.ends[min(self.ends)] if self.ends else None

    def holds(self, piece: Piece, dated: int | None) -> bool:
        if self.since is None or piece.published is None or piece.published >= self.since:
            return True
        return dated is not None and piece.seq > dated


@dataclass(eq=False)
class Parcel:
    """One digest to one reader. `offered`: what it shows or counts. `settles`: what is not owed once it came.

    `beside`: those that may have come when this was planned, so that their articles are not in it. `tried`: until when
    at least a doubtful one is tried that was left out of a later one.
    """

    edition: int
    offered: frozenset[int]
    settles: frozenset[int]
    beside: Sequence["Parcel"]
    state: str = "pending"
    reason: str = ""
    doubts: int = 0
    settled: datetime | None = None
    tried: datetime | None = None
    overtaken: bool = False

    @property
    def given(self) -> bool:
        return self.state in GIVEN or self.doubts > 0

    @property
    def ended(self) -> bool:
        return self.state not in UNFINISHED


@dataclass(eq=False)
class Reader:
    """`owed`: articles that nothing has settled yet. `had`: shown or counted in what came, or may have come."""

    name: str
    interests: frozenset[str]
    beginning: Beginning | None = None
    owed: set[int] = field(default_factory=set)
    had: set[int] = field(default_factory=set)
    parcels: list[Parcel] = field(default_factory=list)

    def wants(self, piece: Piece) -> bool:
        return not self.interests or not piece.topics or bool(self.interests & piece.topics)

    def perhaps_come(self) -> list[Parcel]:
        """Digests whose articles are left out of the next one."""
        return [
            parcel
            for parcel in self.parcels
            if parcel.given or parcel.overtaken or any(o.given and parcel in o.beside for o in self.parcels)
        ]

    def settle(self) -> None:
        """Draw the line under what has ended."""
        for parcel in [one for one in self.parcels if one.ended and one.given]:
            twice = self.had & parcel.offered
            assert not twice, f"{self.name} has articles twice, the second time in {parcel.edition}: {sorted(twice)}"
            self.had |= parcel.offered
            self.owed -= parcel.settles
            if parcel.reason == "too_old" and parcel.tried and parcel.settled:
                assert parcel.settled >= parcel.tried, f"{self.name} waits for a word on {parcel.edition} too early"
            for other in parcel.beside:
                other.overtaken = True
            self.parcels.remove(parcel)
        for parcel in [one for one in self.parcels if one.ended]:
            lost = f"{self.name} lost {sorted(parcel.offered)} of {parcel.edition}: {parcel.state} {parcel.reason}"
            assert not parcel.overtaken, f"{lost} without a doubt"
            if not any(parcel in other.beside for other in self.parcels):
                self.parcels.remove(parcel)


@dataclass(eq=False)
class Share:
    """What a reader must get in an edition: `offered` in order, and the beginning and stock that it was taken from."""

    offered: list[Piece]
    beginning: Beginning
    stock: frozenset[int]
    beside: list[Parcel]


class Promises:
    """The articles, the readers, and what the latter are owed."""

    def __init__(self) -> None:
        self.pieces: dict[int, Piece] = {}
        self.readers: dict[str, Reader] = {}
        # By cadence: how many articles there were at each edition that counts as the previous one of the next.
        self.marks: defaultdict[str, dict[int, int]] = defaultdict(dict)
        # By cadence: its editions so far that were first ones, held back or not, and the oldest date that counted.
        self.firsts: defaultdict[str, dict[int, datetime]] = defaultdict(dict)
        self.beginnings: dict[tuple[str, datetime], Beginning] = {}
        self.held: dict[int, tuple[str, set[int]]] = {}  # editions that wait for a word: cadence, what they show

    @property
    def newest(self) -> int:
        return len(self.pieces)

    def take_in(self, piece: Piece) -> None:
        self.pieces[piece.seq] = piece
        for reader in self.readers.values():
            if reader.beginning is not None:
                reader.owed.add(piece.seq)

    def note(self, states: Iterable[tuple[str, int, str, str, int, datetime | None]]) -> None:
        """How deliveries stand: (reader, edition, state, reason, doubts, settled_at)."""
        there = {(name, edition): standing for name, edition, *standing in states}
        for reader in self.readers.values():
            for parcel in reader.parcels:
                parcel.state, parcel.reason, parcel.doubts, parcel.settled = there[reader.name, parcel.edition]
            reader.settle()

    def shares(self, cadence: Cadence, due: datetime, names: Sequence[str]) -> dict[str, Share]:
        """What each of these readers must be offered in the edition that is planned now."""
        return {name: self._share(self.readers[name], cadence, self._own(cadence, due)) for name in names}

    def _mark(self, cadence: Cadence) -> int | None:
        return max(self.marks[cadence.name].values(), default=None)

    def _own(self, cadence: Cadence, due: datetime) -> Beginning:
        """Where readers begin who were never due anything."""
        mark = self._mark(cadence)
        if mark is not None:
            return Beginning(mark)
        firsts = self.firsts[cadence.name]
        since = firsts[min(firsts)] if firsts else cadence.previous_due(due)
        return self.beginnings.setdefault((cadence.name, since), Beginning(0, since))

    def _share(self, reader: Reader, cadence: Cadence, own: Beginning) -> Share:
        mark = self._mark(cadence)
        beginning = reader.beginning or own
        beside = reader.perhaps_come()
        stock = reader.owed if reader.beginning else range(beginning.after + 1, self.newest + 1)
        stock = frozenset(stock).difference(*(parcel.settles for parcel in beside))
        # Who was held back with the first edition of one cadence may have gone over to another, where dates are past.
        dated = None if reader.beginning is None else mark if beginning.dated is None else beginning.dated
        offered = [
            piece
            for piece in map(self.pieces.__getitem__, stock)
            if not piece.hidden and not piece.known and reader.wants(piece) and beginning.holds(piece, dated)
        ]
        # Pinned, then the newest by date, what has none last, then by seq.
        offered.sort(
            key=lambda piece: (
                cadence.name in piece.pins,
                piece.published is not None,
                piece.published.timestamp() if piece.published else 0,
                piece.seq,
            ),
            reverse=True,
        )
        return Share(offered, beginning, stock, beside)

    def planned(
        self,
        cadence: Cadence,
        shares: Mapping[str, Share],
        edition: int,
        rows: Mapping[str, tuple[list[int], int]],
        *,
        due: datetime,
        tried: datetime,
        held: bool,
    ) -> None:
        """An edition was made. `rows`: by reader what it shows, in order, and how many more it counts.

        `tried`: until when it is tried itself, at most. `held`: it waits for a person's word.
        """
        served = {name for name, share in shares.items() if len(share.offered) >= cadence.min_articles}
        assert set(rows) == served, f"{cadence.name} {edition} is for {sorted(rows)}, not for {sorted(served)}"
        assert held == any(piece.storm for name in served for piece in shares[name].offered)
        mark, own = self._mark(cadence), self._own(cadence, due)
        for name, share in shares.items():
            reader = self.readers[name]
            if reader.beginning is None and share.offered:
                reader.beginning, reader.owed = share.beginning, set(share.stock)
            if name in served:
                _give(reader, share, edition, *rows[name], cap=cadence.max_articles, tried=tried)
                share.beginning.ends[edition] = self.newest if mark is None else mark
        if own.since:
            self.firsts[cadence.name][edition] = own.since
        if served or not any(share.offered for share in shares.values()):
            if own.since:
                own.ends[edition] = self.newest
            self.marks[cadence.name][edition] = self.newest
        shown = {seq for seqs, _ in rows.values() for seq in seqs}
        if held:
            self.held[edition] = (cadence.name, shown)
        else:
            self._unpin(cadence.name, shown)

    def released(self, edition: int, hi: int) -> None:
        """A held edition goes out. `hi`: the newest article it knew."""
        self._judge(hi, known=False)
        self._unpin(*self.held.pop(edition))

    def refused(self, edition: int, hi: int, *, anew: bool) -> None:
        """A held edition doesn't go out: it is made again, or the next one stands for it."""
        self._judge(hi, known=True)
        cadence, _ = self.held.pop(edition)
        if anew:
            for beginning in self.beginnings.values():
                beginning.ends.pop(edition, None)
        self.unsent(edition, cadence)
        if anew:
            self.firsts[cadence].pop(edition, None)
        for reader in self.readers.values():
            for parcel in [one for one in reader.parcels if one.edition == edition]:
                assert not parcel.given
                reader.parcels.remove(parcel)

    def unsent(self, edition: int, cadence: str) -> None:
        """Nobody had it and nobody will: it is no edition's previous one."""
        self.marks[cadence].pop(edition)
        if edition in self.firsts[cadence]:
            for beginning in self.beginnings.values():
                beginning.ends.pop(edition, None)

    def _judge(self, hi: int, *, known: bool) -> None:
        for piece in self.pieces.values():
            if piece.storm and piece.seq <= hi:
                piece.storm, piece.known = False, piece.known or known

    def _unpin(self, cadence: str, seqs: Iterable[int]) -> None:
        for seq in seqs:
            self.pieces[seq].pins.discard(cadence)


def _give(
    reader: Reader, share: Share, edition: int, shown: list[int], more: int, *, cap: int, tried: datetime
) -> None:
    """The reader's part of an edition must be exactly what they are owed."""
    seqs = [piece.seq for piece in share.offered]
    assert shown == seqs[:cap], f"{reader.name} gets {shown} in {edition}, was due {seqs}"
    assert len(shown) + more == len(seqs), f"{reader.name} is told of {more} more in {edition}, was due {seqs}"
    reader.parcels.append(Parcel(edition, frozenset(seqs), share.stock, share.beside))
    for parcel in share.beside:
        if parcel.given and not parcel.ended:
            parcel.tried = tried
