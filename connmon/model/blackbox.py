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
    """The newest incidents of each process, whether or not it still runs.

    An incident is known by its process and its number there. Whoever tells of it, and
    how often, it is kept once.
    """

    def __init__(self, most: int = MOST) -> None:
        """Begin with none, to keep so many at most."""
        self._most = most
        self._count = 0
        #: By process, and by number there.
        self._kept: dict[str, dict[int, Kept]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    def keep(self, identity: Identity, incident: Incident, at: float) -> bool:
        """Keep one that was at ``at``; whether it was news, and is new enough.

        If there are too many, the oldest goes of the process that has most of them, or
        of those that have: a storm in one does not drive out what is known of others.
        """
        own = self._kept.setdefault(identity.process, {})
        if incident.number in own:
            return False
        own[incident.number] = Kept(identity, at, incident)
        self._count += 1
        return self._count <= self._most or self._drop() != (identity, incident.number)

    def _drop(self) -> tuple[Identity, int]:
        """Have the oldest go of the process that has most; whose, and which, it was."""
        most = max(map(len, self._kept.values()))
        candidates = (
            (kept.at, token, number)
            for token, own in self._kept.items()
            if len(own) == most
            for number, kept in own.items()
        )
        _, token, number = min(candidates)
        kept = self._kept[token]
        dropped = kept.pop(number)
        self._count -= 1
        if not kept:
            del self._kept[token]
        return dropped.identity, number

    def of(self, process: str) -> list[Incident]:
        """Those of one process, by its token, in the order in which they came."""
        return [each.incident for each in self._kept.get(process, {}).values()]

    def newest(self) -> list[Kept]:
        """All that are kept, the newest first."""
        kept = (each for own in self._kept.values() for each in own.values())
        return sorted(kept, key=lambda each: each.at, reverse=True)
