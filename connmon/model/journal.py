"""Rare events worth reading one by one, and shared by all nodes.

Each remark has one writer, its *origin* (an incarnation of a node), which numbers its
own upwards. So what another node lacks is told by one number for each origin. Remarks
outlive those who made them; they are bounded by count and age. Dropping is each node's
own affair: what it dropped it still knows, and does not take again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import Literal

LIMIT = 1000
"""Remarks kept at most; the least severe go first, and of those the oldest."""

KEPT_SECONDS = 24 * 3600.0
"""How long a remark is kept."""

Severity = Literal["info", "warn", "crit"]

INFO: Severity = "info"
"""Good to know."""

WARN: Severity = "warn"
"""Something is wrong, or soon will be."""

CRIT: Severity = "crit"
"""Somebody suffers from it now."""

SEVERITIES = (INFO, WARN, CRIT)
"""All of them, the least severe first."""

Heads = Mapping[str, int]
"""The number of the newest remark of each origin."""

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that happened ``age`` seconds ago, as ``node`` saw it.

    ``hostname``, ``progname`` and ``pid`` say which host, program or process it is
    about; empty and ``None`` where it is about none, or about several.
    """

    origin: str
    sequence: int
    node: str
    age: float
    text: str
    severity: Severity = INFO
    hostname: str = ""
    progname: str = ""
    pid: int | None = None


class Journal:
    """The remarks one node knows of."""

    def __init__(self, node: str, origin: str, limit: int = LIMIT) -> None:
        """An empty one; its own remarks will be ``origin``'s."""
        self._node = node
        self._origin = origin
        self._limit = limit
        self._remarks: dict[_Key, Remark] = {}
        #: When each remark was made, by the own clock.
        self._when: dict[_Key, float] = {}
        #: The newest that was ever known of each origin, dropped or not.
        self._known: dict[str, int] = {}

    def note(
        self,
        text: str,
        now: float,
        *,
        severity: Severity = INFO,
        hostname: str = "",
        progname: str = "",
        pid: int | None = None,
    ) -> None:
        """Remark something that happens ``now``, or happened then."""
        sequence = self._known.get(self._origin, 0) + 1
        remark = Remark(
            self._origin,
            sequence,
            self._node,
            0.0,
            text,
            severity,
            hostname,
            progname,
            pid,
        )
        self._add(remark, now)
        self._trim()

    def heads(self) -> dict[str, int]:
        """The newest that is held of each origin: what there is to tell.

        Of an origin of which nothing is left there is nothing to tell, so nobody who
        never heard of it is asked to wait for that.
        """
        heads: dict[str, int] = {}
        for origin, sequence in self._remarks:
            if sequence > heads.get(origin, 0):
                heads[origin] = sequence
        return heads

    def lacking(self, heads: Heads) -> bool:
        """Whether one who holds this much could tell something new."""
        return any(head > self._known.get(origin, 0) for origin, head in heads.items())

    def beyond(self, heads: Heads, now: float) -> list[Remark]:
        """What one who holds this much lacks, in the order of each origin."""
        return [
            self._aged(key, now)
            for key in sorted(self._remarks)
            if key[1] > heads.get(key[0], 0)
        ]

    def adopt(self, remarks: Iterable[Remark], now: float) -> None:
        """Take another node's remarks; those that were known already change nothing."""
        for each in remarks:
            if each.sequence > self._known.get(each.origin, 0):
                self._add(each, now)
        self._trim()

    def newest(self, now: float) -> list[Remark]:
        """All remarks, the newest first."""
        keys = sorted(self._remarks, key=lambda key: (-self._when[key], key))
        return [self._aged(key, now) for key in keys]

    def expired(self, now: float) -> None:
        """Let go of old remarks."""
        for key, when in list(self._when.items()):
            if now - when > KEPT_SECONDS:
                self._drop(key)

    def _add(self, remark: Remark, now: float) -> None:
        key = (remark.origin, remark.sequence)
        self._known[remark.origin] = remark.sequence
        self._remarks[key] = remark
        self._when[key] = now - remark.age

    def _trim(self) -> None:
        """Drop what is too much, and forget the origins nobody remarks as any more."""
        excess = len(self._remarks) - self._limit
        if excess > 0:
            for key in nsmallest(excess, self._remarks, key=self._worth):
                self._drop(key)
        if len(self._known) > self._limit:
            self._forget()

    def _worth(self, key: _Key) -> tuple[int, float, _Key]:
        """What goes first is worth least; the same on every node."""
        severity = SEVERITIES.index(self._remarks[key].severity)
        return severity, self._when[key], key

    def _drop(self, key: _Key) -> None:
        # It stays known: else a node that still has the remark would tell it again.
        del self._remarks[key], self._when[key]

    def _forget(self) -> None:
        held = {origin for origin, _ in self._remarks} | {self._origin}
        idle = [origin for origin in self._known if origin not in held]
        for origin in idle[: len(self._known) - self._limit]:
            del self._known[origin]

    def _aged(self, key: _Key, now: float) -> Remark:
        return replace(self._remarks[key], age=max(now - self._when[key], 0.0))
