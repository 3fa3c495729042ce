"""Entries below their hosts, in an order, of which no more is worked out than is seen.

Each host comes where the first of its entries would, and stands above them. It is used
as a ``connmon.views.ranking.Ranking`` is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from connmon.views.ranking import Ranking, Step


class Forest:
    """The trees of some entries: of each a host, and what is below it."""

    def __init__(
        self,
        entries: Iterable[Any],
        steps: Sequence[Step],
        hostname: Callable[[Any], str],
        parent: Callable[[str], Any],
    ) -> None:
        """``hostname`` reads an entry's, or that of a host, which ``parent`` makes."""
        self._steps = steps
        self._hostname = hostname
        self._parent = parent
        found: dict[str, _Tree] = {}
        count = 0
        for count, each in enumerate(entries, 1):
            name = hostname(each)
            tree = found.get(name)
            if tree is None:
                tree = found[name] = _Tree(name, steps)
            tree.entries.append(each)
            tree.numbers.append(count)
        self._trees = list(found.values())
        self._count = len(found) + count

    def __len__(self) -> int:
        """How many rows there are, the hosts' among them."""
        return self._count

    @property
    def entries(self) -> Iterator[Any]:
        """All rows in any order."""
        for tree in self._trees:
            yield self._parent(tree.hostname)
            yield from tree.entries

    def part(self, first: int, last: int) -> list[Any]:
        """Those from place ``first``, not negative, to before place ``last``."""
        found: list[Any] = []
        for at, tree in self._placed():
            if at >= last:
                break
            if at + len(tree) > first:
                begin = max(first - at, 0)
                if not begin:
                    found.append(self._parent(tree.hostname))
                below = tree.ranking
                found += below.part(max(begin - 1, 0), min(last - at - 1, len(below)))
        return found

    def place(self, entry: Any) -> int:
        """The place of an entry or a host, which must be among them."""
        hostname = self._hostname(entry)
        at, tree = next(each for each in self._placed() if each[1].hostname == hostname)
        is_below = any(each is entry for each in tree.entries)
        return at + 1 + tree.ranking.place(entry) if is_below else at

    def _placed(self) -> Iterator[tuple[int, _Tree]]:
        """The trees in order, and the place of each one's host."""
        at = 0
        for tree in self._order:
            yield at, tree
            at += len(tree)

    @cached_property
    def _order(self) -> Ranking:
        """The trees, by the values of the first entry of each."""
        steps: list[Step] = [
            (_first(number), down) for number, (_, down) in enumerate(self._steps)
        ]
        return Ranking(self._trees, [*steps, (lambda tree: tree.number, False)])


class _Tree:
    """A host and its entries."""

    def __init__(self, hostname: str, steps: Sequence[Step]) -> None:
        self.hostname = hostname
        #: The entries, and their numbers among all that were given.
        self.entries: list[Any] = []
        self.numbers: list[int] = []
        self._steps = steps
        #: Those that may be the first, as far as was asked, and their values.
        self._left: Sequence[Any] = self.entries
        self._best: list[Any] = []

    def __len__(self) -> int:
        return 1 + len(self.entries)

    @cached_property
    def ranking(self) -> Ranking:
        """The entries in order."""
        return Ranking(self.entries, self._steps)

    @property
    def number(self) -> int:
        """The number of the entry that comes first, which all steps have told."""
        first = self._left[0]
        pairs = zip(self.numbers, self.entries, strict=True)
        return next(number for number, each in pairs if each is first)

    def first(self, number: int) -> Any:
        """The value of the step of that number, of the entry that comes first."""
        while len(self._best) <= number:
            read, down = self._steps[len(self._best)]
            keys = list(map(read, self._left))
            known = [key for key in keys if key is not None]
            best = (max if down else min)(known) if known else None
            if known and len(self._left) > 1:
                pairs = zip(keys, self._left, strict=True)
                self._left = [each for key, each in pairs if key == best]
            self._best.append(best)
        return self._best[number]


def _first(number: int) -> Callable[[_Tree], Any]:
    return lambda tree: tree.first(number)
