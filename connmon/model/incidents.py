"""What a process has to tell of its timeouts: the newest, and the last few again.

Any thread adds to them; the reporting thread alone takes them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from connmon.model.holding import Instant
from connmon.model.records import Incident

KEPT = 20
"""How many incidents a process keeps while it cannot tell of them."""

REPEATED = 5
"""How many of a process's last incidents are told again with all it has."""


class Incidents:
    """The incidents of one process, numbered when they are told."""

    __slots__ = ("_happened", "_instants", "_last", "_told")

    def __init__(self) -> None:
        """Begin with none."""
        self._instants: deque[Instant] = deque(maxlen=KEPT)
        self._last: deque[Incident] = deque(maxlen=REPEATED)
        self._happened = self._told = 0

    def add(self, instant: Instant) -> None:
        """Keep what was so when a pool timed out, until it is told. Any thread."""
        self._happened += 1
        self._instants.append(instant)

    @property
    def dropped(self) -> int:
        """How many are not told of because there were too many. Any thread."""
        return max(self._happened - self._told - len(self._instants), 0)

    def clear(self) -> None:
        """Drop what was not told. Any thread."""
        self._instants.clear()

    def last(self) -> tuple[Incident, ...]:
        """The last few that were told. Reporting thread."""
        return tuple(self._last)

    def take(self, site_name: Callable[[Any], str]) -> tuple[Incident, ...]:
        """Those that were not told yet, in order; now they are. Reporting thread."""
        new: list[Incident] = []
        for _ in range(len(self._instants)):
            self._told += 1
            instant = self._instants.popleft()
            new.append(instant.incident(self._told, site_name))
        self._last.extend(new)
        return tuple(new)
