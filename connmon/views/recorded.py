"""All views from whole tables that were shown earlier, as if they were a board."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from connmon.views.connections import about
from connmon.views.frame import Frame, Row
from connmon.views.groups import SUMMED_UP_BY, grouped, narrower
from connmon.views.query import Query
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    HELD,
    HOSTS,
    POOLS,
    PROGRAMS,
    VIEWS,
)
from connmon.views.table import Scope, Table

_MADE = (CHECKOUTS, *SUMMED_UP_BY)
"""Views that are made of the connections."""

WHOLE = tuple(Query(view) for view in VIEWS if view not in _MADE)
"""The queries whose frames tell everything, but for whoever waits where."""


class Recorded:
    """Answers from frames, those of ``WHOLE``; what is not among them is empty."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        """Take the frames of one moment."""
        self._frames = {frame.view: frame for frame in frames}

    def table(self, view: str, scope: Scope, now: float) -> Table:
        """The rows of a view that are within ``scope``."""
        if view in SUMMED_UP_BY:
            checkouts = self.table(CHECKOUTS, narrower(view, scope), now)
            return grouped(view, checkouts, self._waits()).within(scope)
        frame = self._frames.get(CONNECTIONS if view == CHECKOUTS else view)
        if frame is None:
            return Table(VIEWS[view], [], {})
        values = _values(frame)
        rows = list(frame.rows)
        if view == CHECKOUTS and "state" in values:
            rows = [row for row in rows if values["state"](row) in HELD]
        table = Table(
            VIEWS[view],
            rows,
            values,
            about(scope, self._pools) if view in (CONNECTIONS, CHECKOUTS) else "",
            self._parent(frame) if view == PROGRAMS else None,
        )
        return table.within(scope) if scope else table

    def _waits(self) -> Table | None:
        """Nobody, if it is known that nobody waits; who and where is not recorded."""
        heads = (frame.head for frame in self._frames.values())
        nobody = any(head.waiting == 0 for head in heads)
        return Table(VIEWS[CHECKOUTS], [], {}) if nobody else None

    def _parent(self, programs: Frame) -> Callable[[str], Row]:
        """Makes a row of the programs view for a host."""
        hosts: dict[str, Mapping[str, Any]] = {}

        def parent(hostname: str) -> Row:
            if not hosts:
                told = _named(self._frames.get(HOSTS))
                hosts.update((row["hostname"], row) for row in told)
            host = {"nproc": 0, "programs": 0, **hosts.get(hostname, {})}
            host |= {"hostname": hostname, "progname": ""}
            host["connected"] = bool(host["nproc"])
            return tuple(host.get(name) for name in programs.fields)

        return parent

    def _pools(self, scope: Scope) -> Table:
        return self.table(POOLS, scope, 0.0)


def _values(frame: Frame) -> dict[str, Any]:
    return {name: itemgetter(index) for index, name in enumerate(frame.fields)}


def _named(frame: Frame | None) -> Iterator[dict[str, Any]]:
    """The values of each row by their names."""
    if frame is not None:
        for row in frame.rows:
            yield dict(zip(frame.fields, row, strict=True))
