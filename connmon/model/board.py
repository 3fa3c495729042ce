"""Everything a node knows: every process, and the sums that consoles read.

The board is a rule without clock or transport. ``now`` is the node's monotonic clock in
seconds; each input says what it changed. Only a process writes its own record: a report
is applied if it is whole, or builds on exactly the version held, and else the process
is asked for the whole. Sums are kept per change, never by walking over processes.

Gone is a fact with a version: a process whose link closed is gone at the version it
had, and only a higher registration brings it back. Its record is kept for ``tombstone``
seconds as the proof of that, and its row for ``gone_after``.
"""

from __future__ import annotations

from enum import Enum

from connmon.errors import OutOfTurn
from connmon.model.rate import Rate
from connmon.model.records import (
    OUT,
    ConnectionRecord,
    Counters,
    Identity,
    Maxima,
    PoolRecord,
    Report,
    Version,
)
from connmon.model.summary import Frame, Gauge, ProgramRow

GONE_AFTER = 24 * 3600.0
"""Seconds for which the row of a departed program stays."""

TOMBSTONE = 300.0
"""Seconds for which a gone process is remembered, to know a late word of it."""

MAX_PROGRAMS = 20_000
"""Rows kept at most; past it the longest departed go first."""


class Verdict(Enum):
    """What became of a report."""

    APPLIED = "applied"
    #: It builds on a version this board does not hold: the whole record is wanted.
    WHOLE_WANTED = "whole wanted"
    #: It is older than what is held, or of a process that is gone: nothing changed.
    STALE = "stale"


class _Extent:
    """Current sums of live processes, and the largest they have been."""

    __slots__ = (
        "checkouts",
        "connections",
        "max_checkouts",
        "max_connections",
        "max_processes",
        "processes",
        "rate",
    )

    def __init__(self) -> None:
        self.processes = self.connections = self.checkouts = 0
        self.max_processes = self.max_connections = self.max_checkouts = 0
        self.rate: Rate | None = None

    def shift(self, processes: int, connections: int, checkouts: int) -> None:
        """Move the current sums by these differences."""
        self.processes += processes
        self.connections += connections
        self.checkouts += checkouts

    def settle(self, own: Maxima) -> None:
        """Raise the maxima to the sums just reached, or to one process's own maxima."""
        self.max_processes = max(self.max_processes, self.processes)
        self.max_connections = max(
            self.max_connections, self.connections, own.connections
        )
        self.max_checkouts = max(self.max_checkouts, self.checkouts, own.checkouts)

    def count(self, checkouts: int | None, span: float, now: float) -> None:
        """Note checkouts for the rate; ``None`` is a process's first word, no rate."""
        if self.rate is None:
            self.rate = Rate(now)
        elif checkouts is not None:
            self.rate.add(checkouts, span, now)

    def per_second(self, now: float) -> float | None:
        """Checkouts per second, as far as they can be known."""
        return None if self.rate is None else self.rate.per_second(now)


class _Program(_Extent):
    """All processes of one name on one host."""

    __slots__ = ("departed", "hostname", "progname")

    def __init__(self, hostname: str, progname: str) -> None:
        super().__init__()
        self.hostname = hostname
        self.progname = progname
        self.departed: float | None = None

    def row(self, now: float) -> ProgramRow:
        """The program as a viewer reads it."""
        return ProgramRow(
            self.hostname,
            self.progname,
            self.processes > 0,
            self.processes,
            self.connections,
            self.checkouts,
            self.max_processes,
            self.max_connections,
            self.max_checkouts,
            self.per_second(now),
        )


class _Process:
    """One process's record: its own latest word."""

    __slots__ = (
        "checkouts",
        "connections",
        "counters",
        "gone_since",
        "identity",
        "live",
        "maxima",
        "pools",
        "version",
    )

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.version = Version(0, 0)
        self.counters: Counters | None = None
        self.maxima = Maxima()
        self.pools: dict[int, PoolRecord] = {}
        self.connections: dict[int, ConnectionRecord] = {}
        self.checkouts = 0
        self.live = False
        self.gone_since: float | None = None

    def accept(self, report: Report) -> None:
        """Take a report's content as the truth, whole or on top of what is held."""
        if report.base is None:
            self.pools.clear()
            self.connections.clear()
            self.checkouts = 0
        for id in report.closed:
            gone = self.connections.pop(id, None)
            self.checkouts -= gone is not None and gone.state == OUT
        for record in report.connections:
            before = self.connections.get(record.id)
            self.checkouts -= before is not None and before.state == OUT
            self.checkouts += record.state == OUT
            self.connections[record.id] = record
        for id in report.dropped:
            self.pools.pop(id, None)
        for pool in report.pools:
            self.pools[pool.id] = pool
        self.counters = report.counters
        self.maxima = report.maxima
        self.version = Version(self.version.registration, report.sequence)

    def wither(self, now: float) -> None:
        """Become a tombstone: the totals stay, what was open does not."""
        self.live = False
        self.gone_since = now
        self.connections.clear()
        self.pools.clear()
        self.checkouts = 0


class Board:
    """What one node knows of one service."""

    def __init__(
        self,
        service: str,
        node: str,
        *,
        gone_after: float = GONE_AFTER,
        tombstone: float = TOMBSTONE,
        max_programs: int = MAX_PROGRAMS,
    ) -> None:
        """Begin knowing nothing. ``service`` and ``node`` are names for the frames."""
        self._service = service
        self._node = node
        self._gone_after = gone_after
        self._tombstone = tombstone
        self._max_programs = max_programs
        self._processes: dict[str, _Process] = {}
        self._programs: dict[tuple[str, str], _Program] = {}
        self._hosts: dict[str, int] = {}
        self._max_hosts = 0
        self._whole = _Extent()
        #: How many rows were dropped early because there were too many.
        self.rows_dropped = 0

    def registered(self, identity: Identity, registration: int) -> bool:
        """A process linked itself here; whether its registration is to be believed.

        It is not if it is no newer than the one held, for then it comes late, from a
        link that another has replaced; nor if the same token named another process
        before. The process counts from its first report on.
        """
        process = self._processes.get(identity.process)
        if process is None:
            process = self._processes[identity.process] = _Process(identity)
        late = registration <= process.version.registration
        if late or process.identity != identity:
            return False
        process.version = Version(registration, -1)
        return True

    def reported(
        self, process_id: str, registration: int, report: Report, now: float
    ) -> Verdict:
        """A process said what changed; what became of that."""
        process = self._processes.get(process_id)
        if process is None:
            raise OutOfTurn(f"report of {process_id!r}, which never registered")
        held = process.version
        if registration != held.registration or report.sequence <= held.sequence:
            return Verdict.STALE
        if report.base is not None and report.base != held.sequence:
            return Verdict.WHOLE_WANTED
        self._apply(process, report, now)
        return Verdict.APPLIED

    def departed(self, process_id: str, registration: int, now: float) -> bool:
        """A process's link closed; whether that makes it gone.

        It does not while a newer registration holds.
        """
        process = self._processes.get(process_id)
        if process is None or registration != process.version.registration:
            return False
        if process.live:
            self._withdraw(process, now)
        elif process.counters is None:
            del self._processes[process_id]
        return True

    def expired(self, now: float) -> None:
        """Let go of tombstones and rows that have stayed long enough."""
        for process in list(self._processes.values()):
            gone = process.gone_since
            if not process.live and gone is not None and now - gone > self._tombstone:
                del self._processes[process.identity.process]
        for key, program in list(self._programs.items()):
            gone = program.departed
            if gone is not None and now - gone > self._gone_after:
                del self._programs[key]

    def frame(self, now: float) -> Frame:
        """The programs view as it is now."""
        whole = self._whole
        return Frame(
            service=self._service,
            node=self._node,
            hosts=Gauge(len(self._hosts), self._max_hosts),
            processes=Gauge(whole.processes, whole.max_processes),
            connections=Gauge(whole.connections, whole.max_connections),
            checkouts=Gauge(whole.checkouts, whole.max_checkouts),
            per_second=whole.per_second(now),
            programs=tuple(
                self._programs[key].row(now) for key in sorted(self._programs)
            ),
        )

    def _apply(self, process: _Process, report: Report, now: float) -> None:
        """Take a report in and bring every sum up to it."""
        known = process.counters
        was_live = process.live
        before = (len(process.connections), process.checkouts)
        process.accept(report)
        program = self._program(process.identity)
        if not was_live:
            self._admit(process, program)
        made = None if known is None else report.counters.checkouts - known.checkouts
        for extent in (program, self._whole):
            extent.shift(
                int(not was_live),
                len(process.connections) - before[0],
                process.checkouts - before[1],
            )
            extent.settle(process.maxima)
            extent.count(made, report.span, now)

    def _admit(self, process: _Process, program: _Program) -> None:
        """Make a process live: its host and its program are there again."""
        process.live = True
        process.gone_since = None
        program.departed = None
        hostname = program.hostname
        self._hosts[hostname] = self._hosts.get(hostname, 0) + 1
        self._max_hosts = max(self._max_hosts, len(self._hosts))

    def _withdraw(self, process: _Process, now: float) -> None:
        """Take a live process out of every sum."""
        program = self._program(process.identity)
        for extent in (program, self._whole):
            extent.shift(-1, -len(process.connections), -process.checkouts)
        if not program.processes:
            program.departed = now
        hostname = program.hostname
        self._hosts[hostname] -= 1
        if not self._hosts[hostname]:
            del self._hosts[hostname]
        process.wither(now)

    def _program(self, identity: Identity) -> _Program:
        """The program a process belongs to, made when first wanted."""
        key = (identity.hostname, identity.program)
        program = self._programs.get(key)
        if program is None:
            self._make_room()
            program = self._programs[key] = _Program(*key)
        return program

    def _make_room(self) -> None:
        """Drop the longest departed row when there are as many rows as may be."""
        if len(self._programs) < self._max_programs:
            return
        departed = {
            key: each.departed
            for key, each in self._programs.items()
            if each.departed is not None
        }
        if departed:
            del self._programs[min(departed, key=lambda key: departed[key])]
            self.rows_dropped += 1
