"""A view's rows before anybody chose among them: entries, and how to read a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from connmon.views.schema import View

Scope = Mapping[str, object]
"""The value that a field must have, by the field's name."""


@dataclass(frozen=True)
class Table:
    """The entries of one view at one moment.

    An entry is whatever the ``values`` read; those of fields it has not are left out.
    ``parent`` makes the entry for a host, which stands above its programs in a tree.
    ``ranks`` has those entries that are not ok, and how urgent each is, if that is
    known without looking at all of them. ``ordered`` entries come in the view's own
    order already.
    """

    view: View
    entries: Sequence[Any]
    values: Mapping[str, Callable[[Any], Any]]
    about: str = ""
    parent: Callable[[str], Any] | None = None
    ranks: Mapping[Any, int] | None = None
    ordered: bool = False

    def within(self, scope: Scope) -> Table:
        """The same with only the entries whose fields have the values wanted."""
        return replace(self, entries=list(self.those(self.entries, scope)))

    def those(self, entries: Iterable[Any], scope: Scope) -> Iterator[Any]:
        """Those of some entries whose fields have the values wanted."""
        for name, value in scope.items():
            if name in self.view.inner:
                continue  # what the entries sum up was narrowed by it
            entries = _having(entries, self.values.get(name, nothing), value)
        return iter(entries)


class Tables(Protocol):
    """Where tables come from: a node's board, or a recording."""

    def table(self, view: str, scope: Scope, now: float) -> Table:
        """The entries of a view that are within ``scope``."""


def nothing(entry: object) -> None:
    """Read a field that nobody can tell yet."""


def _having(
    entries: Iterable[Any], read: Callable[[Any], Any], value: object
) -> Iterator[Any]:
    return (each for each in entries if read(each) == value)
