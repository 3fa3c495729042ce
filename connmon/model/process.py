"""One process, as a node knows it: its own latest word, and where it was said."""

from __future__ import annotations

from connmon.model import figures
from connmon.model.figures import Figures
from connmon.model.rate import Rate
from connmon.model.records import (
    LIVE,
    OUT,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Maxima,
    PoolRecord,
    Report,
    Standing,
)


class Process:
    """One process's record. ``clock`` is its own clock's reading at its last word.

    ``heard`` is when that came, by the node's clock; of a process that is not live, it
    is when its end was noticed. ``rate`` is of its checkouts, as far as they were seen.
    """

    __slots__ = (
        "_began",
        "_figures",
        "checkouts",
        "clock",
        "connections",
        "counters",
        "heard",
        "home",
        "identity",
        "maxima",
        "pools",
        "rate",
        "standing",
    )

    def __init__(self, identity: Identity, home: Home) -> None:
        """A process that has not said anything yet."""
        self.identity = identity
        self.home = home
        self.standing = Standing(0, 0, LIVE)
        self.heard = 0.0
        self.clock = 0.0
        self._began: float | None = None
        self.counters = Counters()
        self.maxima = Maxima()
        self.pools: dict[int, PoolRecord] = {}
        self.connections: dict[int, ConnectionRecord] = {}
        self.checkouts = 0
        self.rate: Rate | None = None
        self._figures: Figures | None = None

    @property
    def offset(self) -> float:
        """What leads from a reading of its clock to one of the node's."""
        return self.heard - self.clock

    @property
    def began(self) -> float | None:
        """When connmon began in it, by the node's clock; ``None`` if it did not say."""
        return None if self._began is None else self._began + self.offset

    @property
    def figures(self) -> Figures:
        """How full its pools are; computed when asked for, once for each report."""
        if self._figures is None:
            self._figures = figures.of_process(
                self.pools, self.connections.values(), self.offset
            )
        return self._figures

    @property
    def live(self) -> bool:
        """Whether it counts in the current figures."""
        return self.standing.state == LIVE

    @property
    def load(self) -> tuple[int, int, int]:
        """What it adds to the current sums."""
        return int(self.live), len(self.connections), self.checkouts

    def accept(self, report: Report, heard: float) -> None:
        """Take a report's content as the truth, whole or on top of what is held.

        It was ``heard`` then, by the node's clock.
        """
        self.heard = heard
        self._figures = None
        if report.base is None:
            self._clear()
        for id in report.closed:
            gone = self.connections.pop(id, None)
            self.checkouts -= gone is not None and gone.state == OUT
        for record in report.connections:
            before = self.connections.get(record.id)
            self.checkouts -= before is not None and before.state == OUT
            self.checkouts += record.state == OUT
            self.connections[record.id] = record
        for id in report.dropped:
            self.pools.pop(id, None)
        for pool in report.pools:
            self.pools[pool.id] = pool
        self.clock = report.clock
        self.counters = report.counters
        self.maxima = report.maxima
        self._began = report.began

    def count(self, grown: Counters | None, span: float, now: float) -> None:
        """Note what happened, for the rate; ``None`` is its first word."""
        if self.rate is None:
            self.rate = Rate(now)
        elif grown is not None:
            self.rate.add(grown.checkouts, span, now)

    def per_second(self, now: float) -> float | None:
        """Checkouts per second, as far as they can be known."""
        return None if self.rate is None else self.rate.per_second(now)

    def whole(self) -> Report:
        """All that is held, as one report."""
        return Report(
            sequence=self.standing.sequence,
            base=None,
            clock=self.clock,
            span=0.0,
            counters=self.counters,
            maxima=self.maxima,
            pools=tuple(self.pools.values()),
            connections=tuple(self.connections.values()),
            began=self._began,
        )

    def wither(self, standing: Standing, now: float) -> None:
        """Become a tombstone: the totals stay, what was open does not."""
        self.standing = standing
        self.heard = now
        self._clear()

    def _clear(self) -> None:
        self._figures = None
        self.pools.clear()
        self.connections.clear()
        self.checkouts = 0
