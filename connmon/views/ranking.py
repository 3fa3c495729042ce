"""Entries in an order, of which no more is worked out than is looked at.

A console sees a few dozen of a hundred thousand rows. To order all of them by five
fields takes longer than all the rest; so they are ordered by the first field, and by
the next only those that are equal in it and near the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

Step = tuple[Callable[[Any], Any], bool]
"""How to read what to order by, and whether downwards."""


class Ranking:
    """Entries by the first step; those that are equal in it by the next, and so on.

    What is ``None`` comes last, whichever the direction. Entries that are equal in all
    steps stay in the order in which they were given.
    """

    def __init__(self, entries: Sequence[Any], steps: Sequence[Step] = ()) -> None:
        """Work out nothing yet."""
        self.entries = entries
        self._steps = steps
        self._ties: dict[int, Ranking] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self.entries)

    def __iter__(self) -> Iterator[Any]:
        """All in order, each worked out when it is wanted."""
        if not self._steps:
            yield from self.entries
            return
        for at, group in self._groups():
            if len(group) == 1:
                yield self.entries[group[0]]
            else:
                yield from self._tie(at, group)

    def part(self, first: int, last: int) -> list[Any]:
        """Those from place ``first``, not negative, to before place ``last``."""
        if not self._steps:
            return list(self.entries[first:last])
        if first == 0 and last >= len(self):
            return self._all()
        found: list[Any] = []
        for at, group in self._groups():
            if at >= last:
                break
            if at + len(group) > first:
                found += self._within(at, group, max(first - at, 0), last - at)
        return found

    def place(self, entry: Any) -> int:
        """The place of an entry, which must be among them."""
        if not self._steps:
            return self.entries.index(entry)
        key = self._steps[0][0](entry)
        at, group = next(
            found for found in self._groups() if self._keys[found[1][0]] == key
        )
        return at if len(group) == 1 else at + self._tie(at, group).place(entry)

    @cached_property
    def _keys(self) -> list[Any]:
        """The first step's value of each entry."""
        return list(map(self._steps[0][0], self.entries))

    @cached_property
    def _order(self) -> list[int]:
        """The numbers of the entries, by the first step only."""
        return _ordered(self._keys, self._steps[0][1])

    def _all(self) -> list[Any]:
        """All in order: from the last step to the first, as sorting is stable."""
        found = list(self.entries)
        for read, down in reversed(self._steps):
            keys = list(map(read, found))
            found = [found[number] for number in _ordered(keys, down)]
        return found

    def _groups(self) -> Iterator[tuple[int, list[int]]]:
        """Which entries are equal in the first step, and the place of their first."""
        at = 0
        for _, equal in groupby(self._order, self._keys.__getitem__):
            group = list(equal)
            yield at, group
            at += len(group)

    def _within(self, at: int, group: list[int], first: int, last: int) -> list[Any]:
        if len(group) == 1:
            return [self.entries[group[0]]]
        return self._tie(at, group).part(first, last)

    def _tie(self, at: int, group: list[int]) -> Ranking:
        """The order of entries that are equal in the first step."""
        if at not in self._ties:
            equal = [self.entries[number] for number in group]
            self._ties[at] = Ranking(equal, self._steps[1:])
        return self._ties[at]


def _ordered(keys: Sequence[Any], down: bool) -> list[int]:
    """The numbers of the keys, in the order of the keys."""
    known = [number for number, key in enumerate(keys) if key is not None]
    known.sort(key=keys.__getitem__, reverse=down)
    if len(known) < len(keys):
        known += [number for number, key in enumerate(keys) if key is None]
    return known
