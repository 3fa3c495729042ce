"""How often something happens: events per second over the last ten seconds."""

from __future__ import annotations

from array import array

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

STEP = 3.0
"""Seconds that each figure of a history stands for."""

STEPS = 20
"""How many figures a history has: the last minute."""


class Slots:
    """A ring of equal spans of time, and how much happened in each.

    What happened over a longer time is laid evenly over the spans it covers, so memory
    is fixed and a report that was held up does not look like a burst. ``now`` is any
    monotonic clock, in seconds.
    """

    __slots__ = ("_head", "_slots", "_width")

    def __init__(self, width: float, count: int, now: float) -> None:
        """``count`` spans of ``width`` seconds each, the newest holding ``now``."""
        self._width = width
        self._head = int(now / width)
        self._slots = array("d", bytes(8 * count))

    def put(self, count: float, span: float, now: float) -> None:
        """Note that ``count`` events happened in the ``span`` seconds to ``now``."""
        width = self._width
        if span < 1e-3:
            self._add(int(now / width), count)
            return
        start = now - span
        density = count / span
        oldest = self._head - len(self._slots) + 1
        for slot in range(max(int(start / width), oldest), int(now / width) + 1):
            low = max(start, slot * width)
            high = min(now, (slot + 1) * width)
            if high > low:
                self._add(slot, density * (high - low))

    def within(self, start: float, end: float, first: float) -> float:
        """How many fell between two moments, spans counted by their share.

        Nothing was noted before ``first``.
        """
        oldest = self._head - len(self._slots) + 1
        low, high = max(int(start / self._width), oldest), int(end / self._width)
        if low > high:
            return 0.0
        total = self._share(low, start, end, first)
        if low < high:
            total += self._between(low + 1, high) + self._share(high, start, end, first)
        return total

    def last(self, count: int, before: float) -> list[float]:
        """The ``count`` whole spans that had passed at a moment, the oldest first."""
        end = int(before / self._width)
        return [self._of(slot) for slot in range(end - count, end)]

    def sum(self) -> float:
        """All that the ring still holds."""
        return sum(self._slots)

    def advance(self, now: float) -> None:
        """Make the ring end at ``now``, forgetting what it no longer covers."""
        size = len(self._slots)
        head = int(now / self._width)
        for slot in range(max(self._head + 1, head - size + 1), head + 1):
            self._slots[slot % size] = 0.0
        self._head = max(self._head, head)

    def _share(self, slot: int, start: float, end: float, first: float) -> float:
        """How many of one span fell between two moments."""
        held = self._of(slot)
        if not held:
            return 0.0
        begin, until = max(first, slot * self._width), (slot + 1) * self._width
        share = min(end, until) - max(start, begin)
        return held * max(share, 0.0) / (until - begin)

    def _between(self, low: int, high: int) -> float:
        """All of the spans from ``low`` to before ``high``, which are in the ring."""
        if low >= high:
            return 0.0
        size = len(self._slots)
        begin, until = low % size, high % size
        if begin < until:
            return sum(self._slots[begin:until])
        return sum(self._slots[begin:]) + sum(self._slots[:until])

    def _of(self, slot: int) -> float:
        size = len(self._slots)
        return self._slots[slot % size] if self._head - size < slot <= self._head else 0

    def _add(self, slot: int, count: float) -> None:
        """Add to one span, unless it is too old to be kept."""
        size = len(self._slots)
        if slot > self._head - size:
            self._slots[slot % size] += count


class Rate:
    """Counts that arrive late and in lumps, as a rate that is steady where they are.

    ``first`` is when it began.
    """

    __slots__ = ("_busy", "_last", "_slots", "first")

    def __init__(self, now: float) -> None:
        """Begin at ``now``, the moment of the first report: its totals are no rate."""
        self.first = now
        self._last = now
        #: When something last happened, at the latest.
        self._busy = now
        self._slots = Slots(_WIDTH, _SLOTS, now)

    def add(self, count: int, span: float, now: float) -> None:
        """Note that ``count`` events happened in the ``span`` seconds to ``now``."""
        self._slots.advance(now)
        self._last = max(self._last, now)
        if count > 0:
            self._busy = max(self._busy, now)
            self._slots.put(count, max(min(span, now - self.first), 0.0), now)

    @property
    def known(self) -> bool:
        """Whether a second report has been heard."""
        return self._last > self.first

    def per_second(self, now: float) -> float | None:
        """The rate at ``now``; ``None`` before a second report has been heard."""
        if not self.known:
            return None
        end = now - LAG
        if self._busy + _WIDTH < end - WINDOW:
            return 0.0
        self._slots.advance(now)
        if end - self.first < SETTLED:
            return self._slots.sum() / max(self._last - self.first, SETTLED)
        start = max(self.first, end - WINDOW)
        return self._slots.within(start, end, self.first) / (end - start)


class History:
    """The last minute of a rate, in steps."""

    __slots__ = ("_first", "_slots")

    def __init__(self, now: float) -> None:
        """Begin at ``now``."""
        self._first = now
        self._slots = Slots(STEP, STEPS + 2, now)

    def add(self, count: int, span: float, now: float) -> None:
        """Note that ``count`` events happened in the ``span`` seconds to ``now``."""
        self._slots.advance(now)
        if count > 0:
            self._slots.put(count, max(min(span, now - self._first), 0.0), now)

    def per_second(self, now: float) -> tuple[float, ...]:
        """The rate of each step that is over, the oldest first."""
        self._slots.advance(now)
        steps = self._slots.last(STEPS, now - LAG)
        return tuple(round(each / STEP, 2) for each in steps)
