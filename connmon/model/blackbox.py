"""What was so when checkouts timed out, kept for whoever asks later."""

from __future__ import annotations

from typing import NamedTuple

from connmon.model.records import Identity, Incident

MOST = 500
"""How many incidents a node keeps; past it the oldest go first."""


class Kept(NamedTuple):
    """An incident, whose it is, and when it was by the node's clock, in seconds."""

    identity: Identity
    at: float
    incident: Incident


class BlackBox:
    """The newest incidents of all processes, whether or not these still run.

    An incident is known by its process and its number there. Whoever tells of it, and
    how often, it is kept once.
    """

    def __init__(self, most: int = MOST) -> None:
        """Begin with none, to keep so many at most."""
        self._most = most
        self._kept: dict[tuple[str, int], Kept] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._kept)

    def keep(self, identity: Identity, incident: Incident, at: float) -> bool:
        """Keep one that was at ``at``; whether it was news, and is new enough."""
        key = (identity.process, incident.number)
        if key in self._kept:
            return False
        kept = self._kept
        if len(kept) >= self._most:
            oldest = min(kept, key=lambda each: kept[each].at)
            if kept[oldest].at >= at:
                return False
            del kept[oldest]
        kept[key] = Kept(identity, at, incident)
        return True

    def by_process(self) -> dict[str, list[Incident]]:
        """Those of each process, by its token, in no order."""
        found: dict[str, list[Incident]] = {}
        for (process, _), each in self._kept.items():
            found.setdefault(process, []).append(each.incident)
        return found

    def newest(self) -> list[Kept]:
        """All that are kept, the newest first."""
        return sorted(self._kept.values(), key=lambda each: each.at, reverse=True)
