"""Which connections there are, of one pool or of a whole process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connmon.model.records import Maxima

if TYPE_CHECKING:
    from connmon.model.connection import Connection


class Presence:
    """Which connections are open, how many are out, and the most there ever were."""

    __slots__ = ("max_open", "max_out", "open", "out")

    def __init__(self) -> None:
        """Begin with none."""
        self.open: set[Connection] = set()
        self.out = 0
        self.max_open = 0
        self.max_out = 0

    def add(self, connection: Connection) -> None:
        """A connection was opened."""
        self.open.add(connection)
        held = len(self.open)
        # Not max(): CPython may switch threads after a call, and a higher mark that was
        # set meanwhile would be lost. It does not between a comparison and a store.
        if held > self.max_open:  # noqa: PLR1730
            self.max_open = held

    def maxima(self) -> Maxima:
        """The high-water marks as they are now."""
        return Maxima(self.max_open, self.max_out)
