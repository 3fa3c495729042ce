"""What a process has to tell, one by one: the newest, and the last few of them again.

Any thread adds to it; the reporting thread alone takes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Noted = TypeVar("Noted")
"""What is noted when it happens."""

Told = TypeVar("Told")
"""What is told of it."""


class Backlog(Generic[Noted, Told]):
    """Things that happened, numbered from one when they are told.

    At most ``kept`` are kept while they cannot be told, the newest ones; ``repeated``
    is how many of the last are told again with all that a process has.
    """

    __slots__ = ("_happened", "_last", "_noted", "_told")

    def __init__(self, kept: int, repeated: int) -> None:
        """Begin with none."""
        self._noted: deque[Noted] = deque(maxlen=kept)
        self._last: deque[Told] = deque(maxlen=repeated)
        self._happened = self._told = 0

    def add(self, noted: Noted) -> None:
        """Keep what happened until it is told. Any thread."""
        self._happened += 1
        self._noted.append(noted)

    def leave_out(self) -> None:
        """Something happened that is not kept. Any thread."""
        self._happened += 1

    @property
    def dropped(self) -> int:
        """How many are not told of because there were too many. Any thread."""
        return max(self._happened - self._told - len(self._noted), 0)

    def clear(self) -> None:
        """Drop what was not told. Any thread."""
        self._noted.clear()

    def last(self) -> tuple[Told, ...]:
        """The last few that were told. Reporting thread."""
        return tuple(self._last)

    def take(self, tell: Callable[[Noted, int], Told]) -> tuple[Told, ...]:
        """Those that were not told yet, in order; now they are. Reporting thread.

        ``tell`` makes of what was noted, and its number, what is told.
        """
        new: list[Told] = []
        for _ in range(len(self._noted)):
            self._told += 1
            new.append(tell(self._noted.popleft(), self._told))
        self._last.extend(new)
        return tuple(new)
