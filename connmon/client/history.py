"""What one uplink has done: for people, and for health checks.

Written by the reporting thread alone, read by any: each field is replaced by a single
operation, so a reader waits for nobody, and sees at worst one field newer than another.
"""

from __future__ import annotations

from connmon.wire.commands import TEXT_LIMIT


class History:
    """The course of one process's reports to one destination."""

    def __init__(self, process: str, now: float) -> None:
        """Begin without a link. ``now`` is the process's monotonic clock, always."""
        self.process = process
        self.linked = False
        self.since = now
        self.node = ""
        self.address = ""
        self.registrations = 0
        self.sent = 0
        self.acknowledged = 0
        self.acknowledged_at: float | None = None
        self.failures = 0
        self.last_failure = ""
        #: Whether it was said what was wrong, before the link was lost for it.
        self._told = False

    def met(self) -> None:
        """Something took our call; it may be a node."""
        self._told = False

    def welcomed(self, node: str) -> None:
        """A node said its name."""
        self.node = node

    def registered(self, address: str, now: float) -> None:
        """The node at that address knows this process now."""
        self.address = address
        self.registrations += 1
        self.since = now
        self.linked = True

    def reported(self) -> None:
        """A report was sent."""
        self.sent += 1

    def answered(self, now: float) -> None:
        """A report was acknowledged."""
        self.acknowledged += 1
        self.acknowledged_at = now

    def failed(self, text: str) -> None:
        """Something went wrong: a node out of reach, a link lost, a refusal."""
        self._told = True
        self.failures += 1
        self.last_failure = text[:TEXT_LIMIT]

    def lost(self, why: str, now: float) -> None:
        """There is no link any more; ``why`` is empty if that is as it should be."""
        if why and not self._told:
            self.failed(why)
        if self.linked:
            self.linked = False
            self.since = now
