"""What happened in the last minute: how often, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from connmon.model.histogram import BUCKETS, Histogram

MINUTE = 60.0

_SPAN = 10.0
"""Seconds that each of a minute's histograms covers."""


class Waited(NamedTuple):
    """What a report says more of waits than the one before.

    Both are by pool: of ``waits`` how many are over, by bucket, of ``timeouts`` how
    many there were.
    """

    waits: dict[int, tuple[int, ...]]
    timeouts: dict[int, int]

    def of_all(self) -> tuple[int, ...]:
        """How many waits are over, by bucket, of all pools."""
        return tuple(map(sum, zip([0] * BUCKETS, *self.waits.values(), strict=True)))


class Lately:
    """Counts of the last 60 seconds, whole numbers, and exact to the second.

    A report says how many there were since the one before; it counts as of when it is
    heard, and what happened longer than a minute ago is not known to be so sooner.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        """Begin with none."""
        #: By the second, the newest last; at most 61 of them.
        self._counts: dict[int, int] = {}

    def add(self, count: int, now: float) -> None:
        """There were so many more, at ``now`` seconds of any monotonic clock."""
        second = int(now)
        self._counts[second] = self._counts.get(second, 0) + count
        if len(self._counts) > MINUTE:
            for old in [each for each in self._counts if each <= now - MINUTE]:
                del self._counts[old]

    def within(self, now: float) -> int:
        """How many there were in the last 60 seconds."""
        return sum(
            count for second, count in self._counts.items() if second > now - MINUTE
        )


class Durations:
    """A histogram of the last 60 seconds, forgotten by ten of them at a time."""

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        """Begin with none."""
        #: By the span of ten seconds, at most seven of them.
        self._spans: dict[int, list[int]] = {}

    def add(self, counts: Sequence[int], now: float) -> None:
        """There were so many more in each bucket."""
        span = int(now / _SPAN)
        held = self._spans.setdefault(span, [0] * BUCKETS)
        for bucket, count in enumerate(counts):
            held[bucket] += count
        for old in [each for each in self._spans if each <= span - MINUTE / _SPAN]:
            del self._spans[old]

    def histogram(self, now: float) -> Histogram:
        """All of the last minute, without their sum in seconds."""
        oldest = int(now / _SPAN) - MINUTE / _SPAN
        spans = [counts for span, counts in self._spans.items() if span > oldest]
        return Histogram(tuple(map(sum, zip([0] * BUCKETS, *spans, strict=True))))
