"""Why the connections of a pool were closed, and how many for each reason.

Whoever closes a connection, or finds it gone, puts the reason on the connection; the
reporting thread alone counts it, as ``connmon.model.ledger`` has it.
"""

from __future__ import annotations

OVERFLOW = "overflow"
"""It came back to a pool that has as many as it keeps."""

NOT_POOLED = "not pooled"
"""It came back to a pool that keeps none."""

RECYCLE = "recycle"
"""It was older than ``pool_recycle`` when it was to be used again."""

PRE_PING = "pre-ping"
"""It was tried before it was used, and did not answer."""

INVALIDATED = "invalidated"
"""The application, or SQLAlchemy, gave it up; for an exception if one follows."""

SOFT_INVALIDATED = "soft invalidated"
"""It was to be replaced before its next use."""

POOL_INVALIDATED = "pool invalidated"
"""Another of its pool was found broken, and all that were as old are replaced."""

DISPOSE = "dispose"
"""Its pool was disposed of, now or while it was out."""

DETACHED = "detached"
"""It had been detached from its pool, and its user closed it."""

COLLECTED = "collected"
"""The garbage collector took it, alone or with its pool: nobody had closed it."""

OTHER = "other"
"""Anything else, such as a listener of the application's that refused it."""

TENTATIVE = frozenset(("", SOFT_INVALIDATED, DISPOSE, COLLECTED))
"""What a connection may be meant for, and still end of something else."""

MOST_EXCEPTIONS = 8
"""Of how many classes of exceptions a pool's closings are told apart."""

_FOR = f"{INVALIDATED}: "
_OTHERS = f"{_FOR}others"
_NAME_LIMIT = 60


def invalidated(exception: str) -> str:
    """The reason of one given up for an exception whose class has that name."""
    return f"{_FOR}{exception[:_NAME_LIMIT]}"


class Closings:
    """How many connections of one pool were closed, by reason. Reporting thread."""

    __slots__ = ("_counts", "_exceptions")

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: dict[str, int] = {}
        self._exceptions = 0

    def add(self, reason: str) -> None:
        """Count one more.

        Of exceptions beyond the first few classes it is only told how many there were.
        """
        if reason not in self._counts and reason.startswith(_FOR):
            if self._exceptions < MOST_EXCEPTIONS:
                self._exceptions += 1
            else:
                reason = _OTHERS
        self._counts[reason] = self._counts.get(reason, 0) + 1

    def told(self) -> tuple[tuple[str, int], ...]:
        """Each reason with its count, the most first."""
        return tuple(sorted(self._counts.items(), key=lambda each: (-each[1], each[0])))
