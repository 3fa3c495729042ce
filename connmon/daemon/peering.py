"""What to tell one peer next: the rule, without clock, link or board.

::

    DOWN --- linked ---> Alive, Digest, then whatever is due, one at a time
      ^                    |
      '------ lost --------'

Nothing is said before all that was said is answered. Every second there is a
heartbeat, every two a digest; in between, what changed here is told, not more often
than five times a second, so that many reports share one box. What waits to be told
goes right before a digest, in the same breath: so the two sides agree on it, however
busy they are. A peer that does not answer for three seconds is lost. While it is,
nothing is kept for it: what it lacks is found by the next digest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connmon.errors import OutOfTurn
from connmon.model.exchange import Differences
from connmon.model.journal import Heads
from connmon.model.records import Home

BEAT_SECONDS = 1.0
"""Between two heartbeats."""

DIGEST_SECONDS = 2.0
"""Between two digests."""

GATHER_SECONDS = 0.2
"""For how long changes gather before they are told."""

LOST_SECONDS = 3.0
"""How late an answer may be, before the peer is taken for lost."""

FRUITLESS_SECONDS = 10.0
"""For how long a home is not listed again of which the peer lacked nothing.

Two nodes may differ for long in what they have forgotten, and neither can help it.
"""

MOST_DELTAS = 4
"""Deltas of one process that wait at most; past it, its whole record is told."""

MOST_RECORDS = 200
"""Whole records in one box."""

MOST_BYTES = 1024 * 1024
"""About how many bytes of deltas go into one box."""


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A report to pass on: its payload as the process sent it."""

    process: str
    registration: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SayAlive:
    """Tell that this node lives, and whom it has heard."""


@dataclass(frozen=True, slots=True)
class SayDigest:
    """Compare."""


@dataclass(frozen=True, slots=True)
class SayVersions:
    """List a home's records."""

    home: Home


@dataclass(frozen=True, slots=True)
class SayRecords:
    """Hand whole records over, as they are by then."""

    processes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SayDeltas:
    """Pass reports on."""

    deltas: tuple[PassedOn, ...]


@dataclass(frozen=True, slots=True)
class SaySums:
    """Tell the maxima of some buckets."""

    buckets: frozenset[int]


@dataclass(frozen=True, slots=True)
class SayRemarks:
    """Tell what of the journal one lacks who knows this much."""

    heads: Heads


Say = SayAlive | SayDigest | SayVersions | SayRecords | SayDeltas | SaySums | SayRemarks


class Peering:
    """What one peer has been told, and is still to be told."""

    def __init__(self) -> None:
        """There is no link yet."""
        self.up = False
        #: When a digest was agreed on last; ``None`` if never.
        self.agreed: float | None = None
        self._unanswered = 0
        self._asked = 0.0
        self._deltas: dict[str, list[PassedOn]] = {}
        self._whole: dict[str, None] = {}
        self._homes: dict[Home, None] = {}
        self._buckets: frozenset[int] = frozenset()
        self._heads: Heads | None = None
        self._listed: Home | None = None
        self._fruitless: dict[Home, float] = {}
        self._beat_due = self._digest_due = self._gather_due = 0.0

    def linked(self, now: float) -> None:
        """The peer has been greeted."""
        self.up = True
        self._forget(now)

    def lost(self) -> None:
        """The link is gone. Twice is once."""
        self.up = False
        self._forget(0.0)

    def changed(self, process: str, delta: PassedOn | None) -> None:
        """A process linked here changed: by this report, or as a whole."""
        if not self.up:
            return
        waiting = self._deltas.get(process, [])
        if process in self._whole:
            return
        if delta is None or len(waiting) >= MOST_DELTAS:
            self._deltas.pop(process, None)
            self._whole[process] = None
        else:
            self._deltas.setdefault(process, []).append(delta)

    def next(self, now: float) -> list[Say]:
        """What to say now, if anything, in this order; each is to be answered."""
        if not self.up or self._unanswered:
            return []
        said = self._due(now)
        self._unanswered = len(said)
        self._asked = now
        return said

    def overdue(self, now: float) -> bool:
        """Whether the peer is lost, for it does not answer."""
        return self._unanswered > 0 and now - self._asked >= LOST_SECONDS

    def wait(self, now: float) -> float:
        """After how many seconds to look again, if nothing happens before."""
        if self._unanswered:
            return max(self._asked + LOST_SECONDS - now, 0.0)
        due = [self._beat_due, self._digest_due]
        if self._whole or self._deltas:
            due.append(self._gather_due)
        return max(min(due) - now, 0.0)

    def compared(self, differences: Differences, now: float) -> None:
        """A digest was answered."""
        self._answer(now)
        if differences.none:
            self.agreed = now
        self._homes = dict.fromkeys(
            home for home in differences.homes if now >= self._fruitless.get(home, now)
        )
        self._buckets = differences.buckets
        self._heads = differences.heads

    def wanted(self, processes: Iterable[str], now: float) -> None:
        """Versions or deltas were answered: these records are wanted whole."""
        self._answer(now)
        listed, self._listed = self._listed, None
        processes = list(processes)
        if listed is not None and not processes:
            self._fruitless[listed] = now + FRUITLESS_SECONDS
        for each in processes:
            self._deltas.pop(each, None)
            self._whole[each] = None
            # They are not changes that gather: they are waited for.
            self._gather_due = 0.0

    def answered(self, now: float) -> None:
        """Anything else was answered."""
        self._answer(now)

    def _answer(self, now: float) -> None:
        if not self._unanswered:
            raise OutOfTurn("an answer to a question that was not asked")
        self._unanswered -= 1
        self._asked = now

    def _due(self, now: float) -> list[Say]:
        """The most urgent thing there is to say."""
        if now >= self._beat_due:
            self._beat_due = now + BEAT_SECONDS
            return [SayAlive()]
        if now >= self._digest_due:
            self._digest_due = now + DIGEST_SECONDS
            return [*self._changes(now), SayDigest()]
        if (self._whole or self._deltas) and now >= self._gather_due:
            return self._changes(now)
        return self._differing()

    def _differing(self) -> list[Say]:
        """What the last digest showed to be told."""
        if self._homes:
            home = next(iter(self._homes))
            del self._homes[home]
            self._listed = home
            return [SayVersions(home)]
        if self._buckets:
            buckets, self._buckets = self._buckets, frozenset()
            return [SaySums(buckets)]
        if self._heads is not None:
            heads, self._heads = self._heads, None
            return [SayRemarks(heads)]
        return []

    def _changes(self, now: float) -> list[Say]:
        """All that waits. Whole records first: no process waits with both."""
        whole, deltas = tuple(self._whole), list(self._deltas.values())
        if not whole and not deltas:
            return []
        self._whole, self._deltas = {}, {}
        self._gather_due = now + GATHER_SECONDS
        said: list[Say] = [
            SayRecords(whole[start : start + MOST_RECORDS])
            for start in range(0, len(whole), MOST_RECORDS)
        ]
        some: list[PassedOn] = []
        size = 0
        for each in deltas:
            some += each
            size += sum(len(delta.payload) for delta in each)
            if size >= MOST_BYTES:
                said.append(SayDeltas(tuple(some)))
                some, size = [], 0
        if some:
            said.append(SayDeltas(tuple(some)))
        return said

    def _forget(self, now: float) -> None:
        """Begin afresh, with a heartbeat and a digest."""
        self._unanswered = 0
        self._asked = now
        self._deltas, self._whole, self._homes = {}, {}, {}
        self._buckets, self._heads, self._listed = frozenset(), None, None
        self._fruitless = {}
        self._beat_due = self._digest_due = self._gather_due = now
