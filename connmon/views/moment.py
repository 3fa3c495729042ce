"""A board at one moment: what the tables of all its views read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import isfinite
from typing import Any, NamedTuple

from connmon.model.board import Board
from connmon.model.extent import Program
from connmon.model.figures import Figures
from connmon.model.process import Process
from connmon.model.records import LONGEST, MOST
from connmon.model.servers import Claim, Server
from connmon.model.trouble import WELL
from connmon.views.alert import LONG_SECONDS, OK, RANKS, USED, Signs, alert


class Overview(NamedTuple):
    """The programs that are not ok, and since when the longest checkout has been out.

    ``oldest`` is a reading of the node's clock, ``None`` if nothing is out, and so is
    ``transaction``, when the oldest began that is open. ``timeouts`` is the sum of all
    programs' totals.
    """

    wrong: dict[Program, Signs]
    oldest: float | None
    timeouts: int
    transaction: float | None = None


class Moment:
    """The board as it is ``now``; nothing may change it while this is used."""

    def __init__(
        self, board: Board, now: float, limits: Mapping[str, int] | None = None
    ) -> None:
        """Look at the board; homes that nobody hears are found once.

        ``limits`` has how many connections database servers have for applications, by
        ``HOST:PORT`` or, for any port, ``HOST``.
        """
        self.board = board
        self.now = now
        self._limits = limits or {}
        self._unheard = board.stale_homes(now)
        self._stale: dict[Program, tuple[int, float]] = {}
        for home, age in self._unheard.items():
            for token in board.homes.residents(home):
                self._count_stale(board.processes[token], age)

    @property
    def stale(self) -> int:
        """How many live processes nobody hears."""
        return sum(count for count, _ in self._stale.values())

    def stale_of(self, program: Program) -> int:
        """How many of a program's processes nobody hears."""
        return self._stale[program][0] if program in self._stale else 0

    def stale_seconds_of(self, program: Program) -> float | None:
        """The age of the oldest such knowledge."""
        return _known(self._stale[program][1]) if program in self._stale else None

    def is_stale(self, process: Process) -> bool:
        """Whether nobody has heard of a process for too long."""
        return bool(self._unheard) and process.home in self._unheard

    def unheard(self, process: Process) -> float | None:
        """For how long nobody has, if that is known, and too long."""
        return _known(self._unheard.get(process.home))

    def limit_of(self, server: Server, claim: Claim) -> int | None:
        """The most connections a server lets applications have, if that is known.

        What is configured counts, or else what a process has read.
        """
        if not self._limits:
            return claim.limit
        host = server.name.rpartition(":")[0]
        known = self._limits.get(server.name, self._limits.get(host))
        return claim.limit if known is None else known

    def seconds(self, since: float | None) -> float | None:
        """How long ago something was."""
        if since is None:
            return None
        age = self.now - since
        # Mostly it is: two calls less for each of very many rows.
        return age if 0.0 <= age <= LONGEST else min(max(age, 0.0), LONGEST)

    def signs(
        self, figures: Figures, of: int, stale: int, waiting: int, timeouts: int
    ) -> Signs:
        """What there is to judge of a program, a host or a process.

        ``timeouts`` are those of the last minute.
        """
        seconds, trouble = self.seconds, figures.trouble or WELL
        return Signs(
            used=figures.used,
            full=figures.full,
            of=of,
            waiting=waiting,
            timeouts_per_minute=float(timeouts),
            oldest_seconds=seconds(figures.oldest),
            txn_seconds=seconds(figures.transaction),
            stale=stale,
            still_seconds=seconds(trouble.still),
            failing_seconds=seconds(trouble.failing),
            leaked_seconds=seconds(trouble.leaked),
            lost=trouble.lost,
            quiet_seconds=seconds(figures.quiet),
        )

    @cached_property
    def overview(self) -> Overview:
        """What looking at all programs tells; done once, and only if it is wanted.

        Those in which nothing is out need not be looked at.
        """
        wrong: dict[Program, Signs] = {}
        first: float | None = None
        begun: float | None = None
        long_ago = self.now - LONG_SECONDS
        programs = self.board.sums.programs
        for program in programs.busy.union(self._stale):
            figures = program.figures
            oldest, quiet = figures.oldest, figures.quiet
            if oldest is not None and (first is None or oldest < first):
                first = oldest
            began = figures.transaction
            if began is not None and (begun is None or began < begun):
                begun = began
            # Most of these are well, too, and this is all that is done about them.
            if (
                (oldest is not None and oldest < long_ago)
                or (figures.used or 0.0) >= USED
                or program.waiting
                or program.timeouts
                or program in self._stale
                or figures.trouble is not None
                or (quiet is not None and quiet < long_ago)
                or (began is not None and began < long_ago)
            ):
                signs = self.signs(
                    figures,
                    program.processes,
                    self.stale_of(program),
                    program.waiting,
                    program.timeouts_lately(self.now),
                )
                if alert(signs) != OK:
                    wrong[program] = signs
        return Overview(wrong, first, min(self.board.sums.timeouts, MOST), begun)

    @cached_property
    def wrong(self) -> dict[Process, Signs]:
        """The processes that are not ok, whose programs are not, either."""
        found: dict[Process, Signs] = {}
        for program in self.overview.wrong:
            for process in program.live.values():
                signs = self.signs(
                    process.figures,
                    len(process.pools),
                    int(process.home in self._unheard),
                    process.waiting,
                    process.timeouts_lately(self.now),
                )
                if alert(signs) != OK:
                    found[process] = signs
        return found

    @staticmethod
    def ranks(wrong: Mapping[Any, Signs]) -> dict[Any, int]:
        """How urgent each of them is, the least number the most."""
        return {each: RANKS[alert(signs)] for each, signs in wrong.items()}

    def _count_stale(self, process: Process, age: float) -> None:
        identity = process.identity
        program = self.board.program(identity.hostname, identity.program)
        if process.live and program is not None:
            count, oldest = self._stale.get(program, (0, 0.0))
            self._stale[program] = count + 1, max(oldest, age)


def _known(age: float | None) -> float | None:
    """An age, unless a node was never heard at all."""
    return age if age is not None and isfinite(age) else None
