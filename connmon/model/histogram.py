"""How long things took, counted by duration: the one scale that connmon uses."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

BOUNDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)
"""Upper ends of the buckets, in seconds, each included; the last bucket has none."""

BUCKETS = len(BOUNDS) + 1


class Histogram(NamedTuple):
    """Durations: how many in each bucket, not cumulated, and their sum in seconds."""

    counts: tuple[int, ...] = (0,) * BUCKETS
    seconds: float = 0.0

    def quantile(self, share: float) -> float | None:
        """The duration in seconds that ``share`` of all do not pass, as far as known.

        Within a bucket they are taken to be spread evenly; in the last one, which has
        no end, all are as long as its beginning. ``None`` if there are none.
        """
        total = sum(self.counts)
        if not total:
            return None
        wanted, below = share * total, 0
        for count, low, high in zip(self.counts, (0.0, *BOUNDS), BOUNDS, strict=False):
            if count and below + count >= wanted:
                return low + (high - low) * (wanted - below) / count
            below += count
        return BOUNDS[-1]


def joined(histograms: Iterable[Histogram]) -> Histogram:
    """Their sum, without that in seconds."""
    counts = [each.counts for each in histograms]
    return Histogram(tuple(map(sum, zip([0] * BUCKETS, *counts, strict=True))))


class Durations:
    """A histogram that grows.

    ``add`` makes its call first and its two changes after, so that CPython does not
    switch threads between reading a count and storing it.
    """

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        """Begin with none."""
        self.counts = [0] * BUCKETS
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """One more, which took so long."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def histogram(self) -> Histogram:
        """As it is now."""
        return Histogram(tuple(self.counts), self.seconds)
