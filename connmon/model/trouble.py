"""What goes wrong with pools, beside how full they are, and when it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from connmon.model.records import LEAKS, RETURNED, ConnectionRecord, Counters, Notice


class Trouble(NamedTuple):
    """What is wrong with one pool, or with several. Times are by the node's clock.

    ``still`` is since when nothing has come back to a full pool that somebody waits
    for, of several pools the longest ago. ``failing`` is when connecting failed last,
    if none has been connected since, of several pools the latest. ``leaked`` is when a
    connection was last proven to have leaked, and ``lost`` how many are open that
    nobody can return any more. ``None`` is that there is no such thing.
    """

    still: float | None = None
    failing: float | None = None
    leaked: float | None = None
    lost: int = 0


class Lapse(NamedTuple):
    """When a pool's counters last told of a failure or a leak, by the node's clock."""

    failing: float | None = None
    leaked: float | None = None

    def after(self, before: Counters, counters: Counters, now: float) -> Lapse:
        """The same after the counters have grown.

        What was connected in the same report as others failed may have come later: then
        it is not known that connecting fails.
        """
        failing, leaked = self
        if counters.connects > before.connects:
            failing = None
        elif counters.connect_failures > before.connect_failures:
            failing = now
        if counters.leaks > before.leaks:
            leaked = now
        return Lapse(failing, leaked)


WELL = Trouble()
"""Nothing is wrong."""

NONE = Lapse()
"""Nothing has failed, nor leaked."""


def noticed(
    lapses: Mapping[int, Lapse],
    notices: Iterable[Notice],
    offset: float,
    now: float,
) -> dict[int, Lapse]:
    """Lapses by pool, with the leaks that a process has noted one by one.

    These are known for longer, and to a node that heard of the process only later. What
    came back after all takes back what was known by then. ``offset`` leads from the
    process's clock to the node's.
    """
    found = dict(lapses)
    for each in notices:
        lapse, at = found.get(each.pool, NONE), min(each.at + offset, now)
        if each.kind in LEAKS:
            found[each.pool] = lapse._replace(leaked=max(at, lapse.leaked or 0.0))
        elif each.kind == RETURNED and lapse.leaked is not None and lapse.leaked <= at:
            found[each.pool] = lapse._replace(leaked=None)
    return found


def by_pool(
    still: Mapping[int, float],
    connections: Iterable[ConnectionRecord],
    lapses: Mapping[int, Lapse],
) -> dict[int, Trouble]:
    """The pools of a process in which something is wrong.

    ``still`` is of those to which nothing comes back. Among them may be pools that are
    gone, of which a leak is told.
    """
    found = {id: Trouble(None, *lapse) for id, lapse in lapses.items() if lapse != NONE}
    for id, since in still.items():
        found[id] = found.get(id, WELL)._replace(still=since)
    for each in connections:
        if each.leak:
            known = found.get(each.pool, WELL)
            found[each.pool] = known._replace(lost=known.lost + 1)
    return found


def together(troubles: Iterable[Trouble | None]) -> Trouble | None:
    """Several as one; ``None`` if there is none."""
    found = [each for each in troubles if each is not None]
    if len(found) < 2:
        return found[0] if found else None
    whole = WELL
    for each in found:
        whole = Trouble(
            _first(whole.still, each.still),
            _last(whole.failing, each.failing),
            _last(whole.leaked, each.leaked),
            whole.lost + each.lost,
        )
    return whole


def _first(one: float | None, other: float | None) -> float | None:
    """The earlier of two moments that are known."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _last(one: float | None, other: float | None) -> float | None:
    """The later of two moments that are known."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)
