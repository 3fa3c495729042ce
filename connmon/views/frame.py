"""What a console is shown: totals, and a window of the rows of one view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connmon.views.query import WHOLE

Row = tuple[Any, ...]
"""Values in the order of ``Frame.fields``; ``None`` for what is not known."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A count as it is now, and the largest it has been while the board looked on."""

    current: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Head:
    """The service as a whole, the same whatever view is shown.

    It carries no time: the viewer stamps it with its own clock when it arrives.
    ``per_second`` are checkouts over the last ten seconds, ``None`` until two reports
    have been heard; ``history`` the same by 3 s, the oldest first. ``stale`` counts
    processes whose node nobody hears. ``waiting`` and ``timeouts``, those of all time,
    are ``None`` until a program has reported; ``wait_p99_seconds`` is of the last
    minute, and ``None`` if nobody waited. ``txn_seconds`` is of the longest transaction
    that is known to be open. ``crit`` and ``warn`` count programs, and database servers
    whose limit is known; ``worst`` says in words what is worst, and is empty if all is
    well. ``nodes_up`` of the service's ``nodes`` are up, the one that made the frame
    included; ``down`` names the others.
    """

    service: str
    node: str
    hosts: Gauge = Gauge(0, 0)
    processes: Gauge = Gauge(0, 0)
    connections: Gauge = Gauge(0, 0)
    checkouts: Gauge = Gauge(0, 0)
    per_second: float | None = None
    history: tuple[float, ...] = ()
    stale: int = 0
    waiting: int | None = None
    wait_p99_seconds: float | None = None
    timeouts: int | None = None
    oldest_seconds: float | None = None
    txn_seconds: float | None = None
    crit: int = 0
    warn: int = 0
    worst: str = ""
    nodes_up: int = 1
    nodes: int = 1
    down: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows ``first`` and following of a view, of the ``count`` that a query is for.

    ``total`` counts those in scope before any filter, and without the hosts of a tree.
    ``selected`` is the index, among the ``count``, of the row that the window is placed
    by: the anchor, or the row found; ``None`` if there is none. ``found`` says whether
    ``find`` matched a row. ``about`` is what there is to say of the scope in a few
    words, such as ``QueuePool 5+10``.
    """

    head: Head
    view: str
    fields: tuple[str, ...]
    rows: tuple[Row, ...]
    first: int = 0
    count: int = 0
    total: int = 0
    selected: int | None = None
    found: bool = False
    about: str = ""

    def part(self, limit: int = WHOLE) -> str:
        """Such as ``80 of 100 pools``, if it lacks rows that were asked for.

        ``limit`` is the query's: rows beyond it were not.
        """
        wanted = self.count if limit < 0 else min(limit, self.count)
        if len(self.rows) >= wanted:
            return ""
        return f"{len(self.rows)} of {wanted} {self.view}"
