"""Which connections were not returned as they should be, by what processes report.

A rule, without clock or link: a node tells it of each report it believed, and of each
process that ended. ``now`` is the node's monotonic clock, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from connmon.model.process import Process
from connmon.model.records import (
    ABANDONED,
    COLLECTED,
    LEAKS,
    OUT,
    RETURNED,
    UNCLOSED,
    ConnectionRecord,
    Identity,
    Notice,
    Report,
)

UNRETURNED = "unreturned"
"""The kind of a connection that was still out when its process ended."""

KINDS = (UNRETURNED, COLLECTED, ABANDONED, UNCLOSED)
"""The kinds of findings, in the order in which they are told."""

MOST = 10_000
"""How many findings are kept one by one; more are only counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One connection that was not returned as it should be.

    ``seconds`` is for how long it had been out. ``silent`` is for how many seconds
    nothing had been heard of its process when that ended, and ``None`` if the process
    said itself that it was about to, or the finding does not depend on that.
    """

    kind: str
    process: Identity
    pool: str
    seconds: float
    owner: str
    site: str
    tag: str = ""
    session: int | None = None
    address: str = ""
    silent: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is to say of all that was seen.

    ``untold`` are leaks that were counted by processes and not told one by one, for
    there were too many. ``running`` are processes that have not ended: of what they
    have out nobody can say yet that it is not returned.
    """

    findings: tuple[Finding, ...]
    untold: int
    processes: int
    checkouts: int
    running: tuple[Identity, ...]

    @property
    def is_clean(self) -> bool:
        """Whether every connection was returned, as far as is known."""
        return not self.findings and not self.untold


@dataclass(slots=True)
class _Seen:
    """A process, as it was when last heard."""

    identity: Identity
    pools: dict[int, str] = field(default_factory=dict)
    out: tuple[ConnectionRecord, ...] = ()
    checkouts: int = 0
    leaks: int = 0
    #: The highest number of its notices, and how many of them were leaks.
    number: int = 0
    told: int = 0
    #: When a connection was found to be held by nobody any more, and what was told.
    abandoned: dict[int, tuple[float, Finding]] = field(default_factory=dict)
    clock: float = 0.0
    heard: float = 0.0
    last: bool = False
    ended: float | None = None


class Witness:
    """Collects what is found, over the whole life of all processes."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen: dict[str, _Seen] = {}
        self._leaked: list[Finding] = []

    def reported(self, process: Process, report: Report) -> None:
        """A report of a process was applied to what is known of it."""
        identity = process.identity
        seen = self._seen.setdefault(identity.process, _Seen(identity))
        seen.pools.update({each.id: each.facts.name for each in report.pools})
        seen.out = tuple(c for c in process.connections.values() if c.state == OUT)
        seen.checkouts = report.counters.checkouts
        seen.leaks = report.counters.leaks
        seen.clock, seen.heard = report.clock, process.heard
        seen.last, seen.ended = report.last, None
        for each in report.notices:
            # A whole report tells the last few once more.
            if each.number > seen.number:
                seen.number = each.number
                self._noticed(seen, each)

    def left(self, identity: Identity, now: float) -> None:
        """A process ended, as far as can be seen: its link did."""
        seen = self._seen.get(identity.process)
        if seen is not None:
            seen.ended = now

    def verdict(self) -> Verdict:
        """What is found so far."""
        ended = [each for each in self._seen.values() if each.ended is not None]
        kept = [finding for each in ended for finding in _unreturned(each)]
        every = [*kept, *self._leaked]
        untold = sum(max(each.leaks - each.told, 0) for each in self._seen.values())
        return Verdict(
            findings=tuple(every[:MOST]),
            untold=untold + len(every[MOST:]),
            processes=len(self._seen),
            checkouts=sum(each.checkouts for each in self._seen.values()),
            running=tuple(
                each.identity for each in self._seen.values() if each.ended is None
            ),
        )

    def _noticed(self, seen: _Seen, notice: Notice) -> None:
        """A process told of something that happened to a connection."""
        if notice.kind == RETURNED:
            self._returned(seen, notice.connection)
        if notice.kind not in LEAKS:
            return
        finding = Finding(
            kind=notice.kind,
            process=seen.identity,
            pool=seen.pools.get(notice.pool, ""),
            seconds=notice.seconds,
            owner=notice.owner,
            site=notice.site,
            tag=notice.tag,
            session=notice.session,
            address=notice.address,
        )
        if notice.kind == ABANDONED:
            seen.abandoned[notice.connection] = notice.at, finding
        if len(self._leaked) < MOST:
            seen.told += 1
            self._leaked.append(finding)

    def _returned(self, seen: _Seen, connection: int) -> None:
        """What was told to be held by nobody any more came back after all."""
        _, finding = seen.abandoned.pop(connection, (0.0, None))
        found = [n for n, each in enumerate(self._leaked) if each is finding]
        for each in found:
            seen.told -= 1
            del self._leaked[each]


def _unreturned(seen: _Seen) -> list[Finding]:
    """What a process that ended had still out; not what is told as a leak already."""
    silent = None if seen.last else max((seen.ended or 0.0) - seen.heard, 0.0)
    return [
        Finding(
            kind=UNRETURNED,
            process=seen.identity,
            pool=seen.pools.get(each.pool, ""),
            seconds=max(seen.clock - each.since, 0.0) + (silent or 0.0),
            owner=each.owner,
            site=each.site,
            tag=each.tag,
            session=each.session,
            address=each.address,
            silent=silent,
        )
        for each in seen.out
        if not each.leak and not _is_told(seen, each)
    ]


def _is_told(seen: _Seen, connection: ConnectionRecord) -> bool:
    """Whether this very checkout of it was told as abandoned."""
    at, _ = seen.abandoned.get(connection.id, (None, None))
    return at is not None and connection.since <= at
