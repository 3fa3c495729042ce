"""Sums over processes: of a program, and of the whole service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from connmon.model import figures, servers
from connmon.model.figures import Figures
from connmon.model.histogram import Histogram
from connmon.model.lately import Durations, Lately
from connmon.model.process import Process
from connmon.model.rate import History, Rate
from connmon.model.records import Counters, Maxima
from connmon.model.servers import Claims


class Peak(NamedTuple):
    """The largest that each sum has been."""

    processes: int = 0
    connections: int = 0
    checkouts: int = 0

    def raised(self, other: Peak) -> Peak:
        """The larger of both, field by field."""
        return Peak(*map(max, self, other))


class Extent:
    """Current sums of live processes, and the largest they have been."""

    __slots__ = (
        "checkouts",
        "connections",
        "connects",
        "history",
        "invalidations",
        "peak",
        "processes",
        "rate",
        "since",
        "timeouts",
        "waiting",
        "waits",
    )

    def __init__(self, since: float) -> None:
        """Nothing is live yet; the maxima are those from ``since`` on."""
        self.processes = self.connections = self.checkouts = self.waiting = 0
        self.peak = Peak()
        #: Of checkouts; the next two are made when there is something to count.
        self.rate: Rate | None = None
        self.connects: Rate | None = None
        self.invalidations: Rate | None = None
        #: Of the last minute; made when there is something to count.
        self.timeouts: Lately | None = None
        self.waits: Durations | None = None
        self.history = History(since)
        self.since = since

    def shift(
        self, processes: int, connections: int, checkouts: int, waiting: int = 0
    ) -> None:
        """Move the current sums by these differences."""
        self.waiting += waiting
        self.processes += processes
        self.connections += connections
        self.checkouts += checkouts

    def settled(self, own: Maxima) -> Peak:
        """The maxima with the sums just reached, and with one process's own."""
        return self.peak.raised(
            Peak(
                self.processes,
                max(self.connections, own.connections),
                max(self.checkouts, own.checkouts),
            )
        )

    def count(self, grown: Counters | None, span: float, now: float) -> None:
        """Note what happened, for the rates; ``None`` is a process's first word."""
        if self.rate is None:
            self.rate = Rate(now)
        elif grown is not None:
            self.rate.add(grown.checkouts, span, now)
            self.history.add(grown.checkouts, span, now)
            invalid = grown.invalidations + grown.soft_invalidations
            self.connects = self._seldom(self.connects, grown.connects, span, now)
            self.invalidations = self._seldom(self.invalidations, invalid, span, now)

    def note_waits(
        self, timeouts: int, waited: Sequence[int] | None, now: float
    ) -> None:
        """Note what happened to those who waited; ``waited`` is how many by bucket."""
        if timeouts > 0:
            self.timeouts = self.timeouts or Lately()
            self.timeouts.add(timeouts, now)
        if waited is not None:
            self.waits = self.waits or Durations()
            self.waits.add(waited, now)

    def timeouts_lately(self, now: float) -> int:
        """How many checkouts timed out in the last 60 seconds."""
        return 0 if self.timeouts is None else self.timeouts.within(now)

    def waits_lately(self, now: float) -> Histogram:
        """How long those waited who were done with it in the last 60 seconds.

        Their sum in seconds is not known.
        """
        return Histogram() if self.waits is None else self.waits.histogram(now)

    def per_second(self, now: float) -> float | None:
        """Checkouts per second, as far as they can be known."""
        return None if self.rate is None else self.rate.per_second(now)

    def seldom_per_second(self, rate: Rate | None, now: float) -> float | None:
        """The rate ``connects`` or ``invalidations``: known as soon as checkouts'."""
        if self.rate is None or not self.rate.known:
            return None
        return 0.0 if rate is None else rate.per_second(now)

    def _seldom(
        self, rate: Rate | None, count: int, span: float, now: float
    ) -> Rate | None:
        """A rate of what seldom happens, made when it first does."""
        if rate is None:
            if count <= 0 or self.rate is None:
                return None
            # It is known that there were none since then.
            rate = Rate(self.rate.first)
        rate.add(count, span, now)
        return rate


class Program(Extent):
    """All processes of one name on one host.

    ``totals`` is the sum over every process there ever was, each counted once;
    ``earlier`` is the part of it whose processes are not remembered one by one.
    """

    __slots__ = (
        "_claims",
        "_figures",
        "departed",
        "earlier",
        "hostname",
        "live",
        "progname",
        "suspects",
        "totals",
    )

    def __init__(self, hostname: str, progname: str, now: float) -> None:
        """A program that nothing is known of yet."""
        super().__init__(now)
        self.hostname = hostname
        self.progname = progname
        self.departed: float | None = None
        self.totals = Counters()
        self.earlier = Counters()
        #: Its live processes, by token.
        self.live: dict[str, Process] = {}
        #: Those of them with which something may be wrong though nothing is out.
        self.suspects: frozenset[str] = frozenset()
        self._figures: Figures | None = None
        self._claims: Claims | None = None

    @property
    def figures(self) -> Figures:
        """How full its pools are; computed when asked for, once for each change."""
        if self._figures is None:
            self._figures = figures.of_several(
                each.figures for each in self.live.values()
            )
        return self._figures

    @property
    def claims(self) -> Claims:
        """What it asks of each database server; computed as its figures are."""
        if self._claims is None:
            self._claims = servers.of_several(
                each.claims for each in self.live.values()
            )
        return self._claims

    @property
    def has_claims(self) -> bool:
        """Whether its claims are those that were computed last."""
        return self._claims is not None

    def changed(self, process: Process) -> None:
        """One of its processes is another than before."""
        self._figures = None
        token = process.identity.process
        if not process.has_claims:
            self._claims = None
        if process.live:
            self.live[token] = process
        else:
            self.live.pop(token, None)
        if (process.live and process.suspect) is not (token in self.suspects):
            self.suspects ^= {token}
