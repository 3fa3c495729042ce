"""Sums over processes: of a program, and of the whole service."""

from __future__ import annotations

from typing import NamedTuple

from connmon.model.rate import Rate
from connmon.model.records import Counters, Maxima


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

    __slots__ = ("checkouts", "connections", "peak", "processes", "rate", "since")

    def __init__(self, since: float) -> None:
        """Nothing is live yet; the maxima are those from ``since`` on."""
        self.processes = self.connections = self.checkouts = 0
        self.peak = Peak()
        self.rate: Rate | None = None
        self.since = since

    def shift(self, processes: int, connections: int, checkouts: int) -> None:
        """Move the current sums by these differences."""
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

    def count(self, checkouts: int | None, span: float, now: float) -> None:
        """Note checkouts for the rate; ``None`` is a process's first word, no rate."""
        if self.rate is None:
            self.rate = Rate(now)
        elif checkouts is not None:
            self.rate.add(checkouts, span, now)

    def per_second(self, now: float) -> float | None:
        """Checkouts per second, as far as they can be known."""
        return None if self.rate is None else self.rate.per_second(now)


class Program(Extent):
    """All processes of one name on one host.

    ``totals`` is the sum over every process there ever was, each counted once;
    ``earlier`` is the part of it whose processes are not remembered one by one.
    """

    __slots__ = ("departed", "earlier", "hostname", "progname", "totals")

    def __init__(self, hostname: str, progname: str, now: float) -> None:
        """A program that nothing is known of yet."""
        super().__init__(now)
        self.hostname = hostname
        self.progname = progname
        self.departed: float | None = None
        self.totals = Counters()
        self.earlier = Counters()
