"""What nodes tell each other: values, and what a node makes of each.

A node tells each peer what it has, over a link of its own to it; the answers say what
the peer lacks. Nothing is passed on because it was heard here: what a peer lacks is
found by comparing digests, whoever it came from.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from connmon.model.board import Board, Verdict
from connmon.model.homes import Digests
from connmon.model.journal import Heads, Journal, Remark
from connmon.model.records import Home, Record, Report, Standing
from connmon.model.sums import ProgramSums, ServiceSums


@dataclass(frozen=True, slots=True)
class Alive:
    """A heartbeat: how many seconds ago the teller heard each home, by whomever.

    ``clients`` and ``consoles`` are those linked to the teller.
    """

    heard: dict[Home, float]
    clients: int
    consoles: int


@dataclass(frozen=True, slots=True)
class Digest:
    """All the teller has, in numbers to compare."""

    homes: Digests
    hashes: tuple[int, ...]
    heads: Heads


@dataclass(frozen=True, slots=True)
class Differences:
    """The answer to a digest: what the asked one has otherwise, or not at all.

    ``heads`` is what it knows of the journal, ``None`` if it lacks nothing of it.
    """

    homes: tuple[Home, ...] = ()
    buckets: frozenset[int] = frozenset()
    heads: Heads | None = None

    @property
    def none(self) -> bool:
        """Whether both agree."""
        return not self.homes and not self.buckets and self.heads is None


@dataclass(frozen=True, slots=True)
class Versions:
    """Every record the teller has of one home, by its version."""

    home: Home
    standings: dict[str, Standing]


@dataclass(frozen=True, slots=True)
class Delta:
    """A report of a process linked to the teller, as the process made it."""

    process: str
    registration: int
    report: Report


@dataclass(frozen=True, slots=True)
class SumsTold:
    """The maxima the teller has, of the service and of some programs."""

    service: ServiceSums
    programs: tuple[ProgramSums, ...]


class Listener:
    """What a node makes of its peers' words. ``teller`` is the peer's home."""

    def __init__(self, board: Board, journal: Journal) -> None:
        """What is heard goes to the board and the journal."""
        self._board = board
        self._journal = journal

    def alive(self, teller: Home, alive: Alive, now: float) -> None:
        """A peer's heartbeat."""
        for home, age in alive.heard.items():
            self._board.homes.heard(home, now - age)
        self._board.homes.heard(teller, now)

    def digest(
        self, teller: Home, digest: Digest, direct: AbstractSet[Home]
    ) -> Differences:
        """Compare: what is had otherwise here.

        Homes that tell this node themselves (``direct``) are their own to compare, and
        so is this one.
        """
        mine = self._board.digests()
        own = self._board.home
        homes = tuple(
            home
            for home in {**digest.homes, teller: digest.homes.get(teller, (0, 0))}
            if digest.homes.get(home, (0, 0)) != mine.get(home, (0, 0))
            and home != own
            and (home == teller or home not in direct)
        )
        hashes = enumerate(zip(digest.hashes, self._board.hashes(), strict=False))
        return Differences(
            homes,
            frozenset(bucket for bucket, (theirs, ours) in hashes if theirs != ours),
            self._journal.heads() if self._journal.lacking(digest.heads) else None,
        )

    def versions(self, teller: Home, versions: Versions, now: float) -> list[str]:
        """Which records of a home are wanted. What a home no longer has is lost."""
        if versions.home == self._board.home:
            return []
        if versions.home == teller:
            self._board.disowned(teller, versions.standings, now)
        return self._board.listed(versions.standings)

    def records(self, records: tuple[Record, ...], now: float) -> None:
        """Whole records."""
        for each in records:
            if each.home != self._board.home:
                self._board.adopted(each, now)

    def deltas(self, teller: Home, deltas: tuple[Delta, ...], now: float) -> list[str]:
        """Reports passed on; which processes' records are wanted whole."""
        wanted = []
        for each in deltas:
            verdict = self._board.followed(
                teller, each.process, each.registration, each.report, now
            )
            if verdict is Verdict.WHOLE_WANTED:
                wanted.append(each.process)
        return wanted

    def sums(self, told: SumsTold, now: float) -> None:
        """Maxima."""
        self._board.adopt_sums(told.service, told.programs, now)

    def remarks(self, remarks: tuple[Remark, ...], now: float) -> None:
        """Pages of the journal."""
        self._journal.adopt(remarks, now)
