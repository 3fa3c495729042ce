"""How often something happens: events per second over the last ten seconds."""

from __future__ import annotations

WINDOW = 10.0
"""Seconds a rate looks back over."""

LAG = 1.25
"""Seconds by which the window ends before now.

Busy processes report once a second, so what happened since is not known yet; a window
that ended now would show every steady rate too low.
"""

SETTLED = 1.0
"""Seconds of history below which the window ends at the last report instead."""

_WIDTH = 0.5
_SLOTS = int((WINDOW + LAG) / _WIDTH) + 2


class Rate:
    """Counts that arrive late and in lumps, spread over the time they happened in.

    Each lump is laid evenly over its time span in half-second slots of a small ring, so
    memory is fixed, a quiet source decays to zero, and a report that was held up does
    not look like a burst. ``now`` is any monotonic clock, in seconds.
    """

    __slots__ = ("_first", "_head", "_last", "_slots")

    def __init__(self, now: float) -> None:
        """Begin at ``now``, the moment of the first report: its totals are no rate."""
        self._first = now
        self._last = now
        self._head = int(now / _WIDTH)
        self._slots = [0.0] * _SLOTS

    def add(self, count: int, span: float, now: float) -> None:
        """Note that ``count`` events happened in the ``span`` seconds to ``now``."""
        self._advance(now)
        self._last = max(self._last, now)
        if count <= 0:
            return
        span = max(min(span, now - self._first), 0.0)
        if span < 1e-3:
            self._put(int(now / _WIDTH), count)
            return
        start = now - span
        density = count / span
        oldest = self._head - _SLOTS + 1
        for slot in range(max(int(start / _WIDTH), oldest), int(now / _WIDTH) + 1):
            low = max(start, slot * _WIDTH)
            high = min(now, (slot + 1) * _WIDTH)
            if high > low:
                self._put(slot, density * (high - low))

    def per_second(self, now: float) -> float | None:
        """The rate at ``now``; ``None`` before a second report has been heard."""
        if self._last <= self._first:
            return None
        self._advance(now)
        end = now - LAG
        if end - self._first < SETTLED:
            return sum(self._slots) / max(self._last - self._first, SETTLED)
        start = max(self._first, end - WINDOW)
        return self._count(start, end) / (end - start)

    def _count(self, start: float, end: float) -> float:
        """How many events fell between two moments, slots counted by their share."""
        total = 0.0
        oldest = self._head - _SLOTS + 1
        for slot in range(max(int(start / _WIDTH), oldest), int(end / _WIDTH) + 1):
            held = self._slots[slot % _SLOTS]
            if held:
                begin, until = max(self._first, slot * _WIDTH), (slot + 1) * _WIDTH
                share = min(end, until) - max(start, begin)
                total += held * max(share, 0.0) / (until - begin)
        return total

    def _put(self, slot: int, count: float) -> None:
        """Add to one slot, unless it is too old to be kept."""
        if slot > self._head - _SLOTS:
            self._slots[slot % _SLOTS] += count

    def _advance(self, now: float) -> None:
        """Make the ring end at ``now``, forgetting what it no longer covers."""
        head = int(now / _WIDTH)
        for slot in range(max(self._head + 1, head - _SLOTS + 1), head + 1):
            self._slots[slot % _SLOTS] = 0.0
        self._head = max(self._head, head)
