"""The sums a board keeps: what is live now, and the largest each sum has been.

They are kept per change, never by walking over processes. Maxima are shared between
nodes in *buckets* of programs, each with a hash, so that two boards find what differs.
A maximum only grows, and the largest wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from connmon.model.ceiling import Ceiling
from connmon.model.extent import Extent, Peak, Program
from connmon.model.lately import MINUTE, Waited
from connmon.model.process import Process
from connmon.model.records import Counters, Identity
from connmon.model.roll import Roll

BUCKETS = 16
"""In how many parts the programs' maxima are compared; the service has one more."""

YOUNGER_SECONDS = 60.0
"""By how much another node must have known a program for longer, to know more of it."""


@dataclass(frozen=True, slots=True)
class ProgramSums:
    """What one node tells another of a program, all in seconds ago.

    ``earlier`` are totals of processes that are not remembered one by one.
    """

    hostname: str
    progname: str
    peak: Peak
    since: float
    departed: float | None
    earlier: Counters


@dataclass(frozen=True, slots=True)
class ServiceSums:
    """The service's maxima, the hosts' among them, and since when."""

    hosts: int
    peak: Peak
    since: float


class Sums:
    """Sums over hosts, programs and the service."""

    def __init__(self, max_programs: int, now: float) -> None:
        """Nothing is live."""
        self.service = Extent(now)
        self.programs = Roll()
        #: All timeouts of the programs that there are.
        self.timeouts = 0
        self.ceiling = Ceiling()
        self.max_hosts = 0
        self.dropped = 0
        self._hosts: dict[str, int] = {}
        self._max_programs = max_programs
        self._hashes = [0] * BUCKETS

    @property
    def hosts(self) -> int:
        """How many hosts have a live process."""
        return len(self._hosts)

    # What processes do to them.

    def program(self, identity: Identity, now: float) -> Program:
        """The program a process belongs to, made when first wanted."""
        key = (identity.hostname, identity.program)
        program = self.programs.get(key)
        if program is None:
            self._make_room()
            program = self._join(key, now)
        return program

    def changed(
        self, process: Process, before: tuple[int, int, int, int], now: float
    ) -> None:
        """A process's load was ``before``, and is now what the process says."""
        program = self.program(process.identity, now)
        after = process.load
        for extent in (program, self.service):
            extent.shift(*(new - old for new, old in zip(after, before, strict=True)))
        program.changed(process)
        self.programs.changed(program)
        if not program.has_claims:
            self.ceiling.stir(program)
        self._count_host(program.hostname, after[0] - before[0])
        if program.processes:
            program.departed = None
        elif not process.live:
            program.departed = max(program.departed or 0.0, process.heard)
        if process.live:
            self.raise_program(program, program.settled(process.maxima))
            self.service.peak = self.service.settled(process.maxima)

    def count(
        self,
        process: Process,
        known: Counters | None,
        span: float,
        now: float,
        waited: Waited | None = None,
    ) -> None:
        """A process's totals were ``known``, and are now its own.

        ``waited`` is what it told of waits besides.
        """
        program = self.program(process.identity, now)
        counters = process.counters
        news = None if known is None else counters.minus(known)
        self._add(program, counters if news is None else news)
        if process.live:
            program.count(news, span, now)
            self.service.count(news, span, now)
            process.count(news, span, now)
            if news is None and _is_young(process):
                news = counters
            if news is not None:
                self._count_waits(process, news.timeouts, waited, now)

    def _count_waits(
        self, process: Process, timeouts: int, waited: Waited | None, now: float
    ) -> None:
        """Note what happened to those who waited, for the last minute."""
        waits = waited.of_all() if waited is not None and waited.waits else None
        for extent in (self.program(process.identity, now), self.service):
            extent.note_waits(timeouts, waits, now)
        if timeouts > 0:
            self.programs.changed(self.program(process.identity, now))
        if waited is not None:
            process.note_waits(waited, now)

    def forgotten(self, process: Process) -> None:
        """A departed process is not remembered any more; its totals stay."""
        identity = process.identity
        program = self.programs.get((identity.hostname, identity.program))
        if program is not None:
            program.earlier = program.earlier.plus(process.counters)

    def expired(self, now: float, gone_after: float) -> None:
        """Let go of the rows of programs that departed long ago."""
        for program in list(self.programs.values()):
            gone = program.departed
            if gone is not None and now - gone > gone_after:
                self._drop(program)

    # What nodes tell each other.

    def hashes(self) -> list[int]:
        """Of each bucket, and at last of the service, the hash of its maxima."""
        service = f"{self.max_hosts} {tuple(self.service.peak)}"
        return [*self._hashes, crc32(service.encode())]

    def of_service(self, now: float) -> ServiceSums:
        """The service's maxima."""
        return ServiceSums(self.max_hosts, self.service.peak, now - self.service.since)

    def of_buckets(self, buckets: frozenset[int], now: float) -> list[ProgramSums]:
        """The sums of the programs in these buckets."""
        return [
            ProgramSums(
                *key,
                each.peak,
                now - each.since,
                None if each.departed is None else now - each.departed,
                each.earlier,
            )
            for key, each in self.programs.items()
            if _bucket(key) in buckets
        ]

    def adopt_service(self, told: ServiceSums, now: float) -> None:
        """Take another node's word for the service's maxima."""
        self.max_hosts = max(self.max_hosts, told.hosts)
        self.service.peak = self.service.peak.raised(told.peak)
        self.service.since = min(self.service.since, now - told.since)

    def adopt_program(self, told: ProgramSums, now: float, gone_after: float) -> None:
        """Take another node's word for a program's maxima.

        A program that is not known here gets its row, unless it departed too long ago.
        """
        key = (told.hostname, told.progname)
        program = self.programs.get(key)
        if program is None:
            departed = told.departed or 0.0
            if departed > gone_after or len(self.programs) >= self._max_programs:
                return
            program = self._join(key, now)
            program.departed = now - departed
            program.earlier = told.earlier
            self._add(program, told.earlier)
        elif (
            program.earlier == Counters()
            and told.since - (now - program.since) > YOUNGER_SECONDS
        ):
            # This node started later, and can have forgotten nobody yet.
            program.earlier = told.earlier
            self._add(program, told.earlier)
        self.raise_program(program, program.peak.raised(told.peak))
        program.since = min(program.since, now - told.since)

    # What they share.

    def raise_program(self, program: Program, peak: Peak) -> None:
        """A program's maxima are these from now on."""
        if peak != program.peak:
            self._mark(program)
            program.peak = peak
            self._mark(program)

    def _mark(self, program: Program) -> None:
        """Put a program's maxima into its bucket's hash, or take them out again."""
        if program.peak != Peak():
            key = (program.hostname, program.progname)
            text = f"{key} {tuple(program.peak)}"
            self._hashes[_bucket(key)] ^= crc32(text.encode("utf-8", "replace"))

    def _count_host(self, hostname: str, more: int) -> None:
        if not more:
            return
        live = self._hosts.get(hostname, 0) + more
        if live:
            self._hosts[hostname] = live
        else:
            del self._hosts[hostname]
        self.max_hosts = max(self.max_hosts, len(self._hosts))

    def _make_room(self) -> None:
        """Drop the longest departed row when there are as many rows as may be."""
        if len(self.programs) < self._max_programs:
            return
        departed = [
            each for each in self.programs.values() if each.departed is not None
        ]
        if departed:
            self._drop(min(departed, key=lambda each: each.departed or 0.0))
            self.dropped += 1

    def _join(self, key: tuple[str, str], now: float) -> Program:
        program = Program(*key, now)
        self.programs.join(program)
        return program

    def _drop(self, program: Program) -> None:
        self._mark(program)
        self.timeouts -= program.totals.timeouts
        self.programs.leave(program)

    def _add(self, program: Program, more: Counters) -> None:
        """A program's totals have grown by so much."""
        before = program.totals.timeouts
        program.totals = program.totals.plus(more)
        self.timeouts += program.totals.timeouts - before


def _is_young(process: Process) -> bool:
    """Whether all that a process ever did was in the last minute, by its own clock."""
    began = process.began
    return began is not None and process.heard - began < MINUTE


def _bucket(key: tuple[str, str]) -> int:
    """Which bucket a program is in, the same on every node."""
    return crc32("\0".join(key).encode("utf-8", "replace")) % BUCKETS
