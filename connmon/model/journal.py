"""Rare events worth reading one by one, and shared by all nodes.

Each remark has one writer, its *origin* (an incarnation of a node), which numbers its
own upwards. So what another node lacks is told by one number for each origin. Remarks
outlive those who made them; they are bounded by count and age.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LIMIT = 1000
"""Remarks kept at most; the oldest go first."""

KEPT_SECONDS = 24 * 3600.0
"""How long a remark is kept."""

Heads = Mapping[str, int]
"""The number of the newest remark known of each origin."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that happened ``age`` seconds ago, as ``node`` saw it."""

    origin: str
    sequence: int
    node: str
    age: float
    text: str


class Journal:
    """The remarks one node knows of."""

    def __init__(self, node: str, origin: str, limit: int = LIMIT) -> None:
        """An empty one; its own remarks will be ``origin``'s."""
        self._node = node
        self._origin = origin
        self._limit = limit
        self._remarks: dict[tuple[str, int], Remark] = {}
        #: When each remark was made, by the own clock.
        self._when: dict[tuple[str, int], float] = {}
        self._heads: dict[str, int] = {}

    def note(self, text: str, now: float) -> None:
        """Remark something."""
        sequence = self._heads.get(self._origin, 0) + 1
        self._add(Remark(self._origin, sequence, self._node, 0.0, text), now)

    def heads(self) -> dict[str, int]:
        """What is known of each origin."""
        return dict(self._heads)

    def lacking(self, heads: Heads) -> bool:
        """Whether one who knows this much could tell something new."""
        return any(head > self._heads.get(origin, 0) for origin, head in heads.items())

    def beyond(self, heads: Heads, now: float) -> list[Remark]:
        """What one who knows this much lacks, in the order of each origin."""
        return [
            self._aged(key, now)
            for key in sorted(self._remarks)
            if key[1] > heads.get(key[0], 0)
        ]

    def adopt(self, remarks: Iterable[Remark], now: float) -> None:
        """Take another node's remarks; those that are known already change nothing."""
        for each in remarks:
            if each.sequence > self._heads.get(each.origin, 0):
                self._add(each, now)

    def newest(self, now: float) -> list[Remark]:
        """All remarks, the newest first."""
        keys = sorted(self._remarks, key=lambda key: (-self._when[key], key))
        return [self._aged(key, now) for key in keys]

    def expired(self, now: float) -> None:
        """Let go of old remarks."""
        for key, when in list(self._when.items()):
            if now - when > KEPT_SECONDS:
                self._drop(key)

    def _add(self, remark: Remark, now: float) -> None:
        key = (remark.origin, remark.sequence)
        self._heads[remark.origin] = remark.sequence
        self._remarks[key] = remark
        self._when[key] = now - remark.age
        if len(self._remarks) > self._limit:
            self._drop(min(self._when, key=lambda key: (self._when[key], key)))

    def _drop(self, key: tuple[str, int]) -> None:
        # The head stays: else a node that still has the remark would tell it again.
        del self._remarks[key], self._when[key]
        others = {origin for origin, _ in self._remarks} | {self._origin}
        while len(self._heads) > self._limit:
            oldest = next((each for each in self._heads if each not in others), None)
            if oldest is None:
                break
            del self._heads[oldest]

    def _aged(self, key: tuple[str, int], now: float) -> Remark:
        each = self._remarks[key]
        age = max(now - self._when[key], 0.0)
        return Remark(each.origin, each.sequence, each.node, age, each.text)
