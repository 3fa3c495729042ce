"""Everything a node knows: every process, and the sums that consoles read.

The board is a rule without clock or transport. ``now`` is the node's monotonic clock in
seconds; each input says what it changed. Only a process writes its own record: a report
is applied if it is whole, or builds on exactly the version held, and else the process
is asked for the whole. What a process says comes by its link to this node
(``reported``), or by the node it is linked to (``followed``), or as a whole record from
any node (``adopted``): whichever way, the newest ``Standing`` wins, so the order does
not matter.

Gone is a fact with a version: a process whose link closed is gone at the version it
had, and only a higher registration brings it back. Lost is an assumption: nobody has
heard the process's home for ``stale_after`` seconds. Either is remembered, with its
totals, for ``gone_after``, so that a late word of it is known for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum

from connmon.errors import OutOfTurn
from connmon.model.blackbox import BlackBox, Kept
from connmon.model.extent import Program
from connmon.model.homes import Digests, Homes
from connmon.model.process import Process
from connmon.model.records import (
    GONE,
    LIVE,
    LOST,
    Counters,
    Home,
    Identity,
    Record,
    Report,
    Standing,
)
from connmon.model.sums import ProgramSums, ServiceSums, Sums

STALE_AFTER = 120.0
"""Seconds for which processes count whose node nobody hears."""

GONE_AFTER = 24 * 3600.0
"""Seconds for which a departed process, and the row of its program, are remembered."""

MAX_PROGRAMS = 20_000
"""Rows kept at most; past it the longest departed go first."""

MAX_DEPARTED = 50_000
"""Departed processes remembered one by one; past it the longest departed go first."""


class Verdict(Enum):
    """What became of a report."""

    APPLIED = "applied"
    #: It builds on a version this board does not hold: the whole record is wanted.
    WHOLE_WANTED = "whole wanted"
    #: It is older than what is held, or of a process that is gone: nothing changed.
    STALE = "stale"


class Board:
    """What one node knows of one service."""

    def __init__(
        self,
        service: str,
        node: str,
        incarnation: str = "",
        *,
        now: float = 0.0,
        stale_after: float = STALE_AFTER,
        gone_after: float = GONE_AFTER,
        max_programs: int = MAX_PROGRAMS,
        max_departed: int = MAX_DEPARTED,
    ) -> None:
        """Begin knowing nothing. ``service`` and ``node`` are names for the frames."""
        self.service = service
        self.home = Home(node, incarnation)
        self.stale_after = stale_after
        self._gone_after = gone_after
        self._max_departed = max_departed
        self._processes: dict[str, Process] = {}
        #: The newest registration of each process linked to this node.
        self._claims: dict[str, tuple[Identity, int]] = {}
        #: Processes that are not live, the longest departed first, or nearly so.
        self._departed: dict[str, None] = {}
        self.homes = Homes(self.home)
        self.sums = Sums(max_programs, now)
        self.black_box = BlackBox()

    @property
    def rows_dropped(self) -> int:
        """How many rows were dropped early because there were too many."""
        return self.sums.dropped

    # What processes linked to this node do.

    def registered(self, identity: Identity, registration: int) -> bool:
        """A process linked itself here; whether its registration is to be believed.

        It is not if it is no newer than the one held, for then it comes late, from a
        link that another has replaced; nor if the same token named another process
        before. The process counts from its first report on.
        """
        token = identity.process
        process = self._processes.get(token)
        held = 0 if process is None else process.standing.registration
        known, claimed = self._claims.get(token, (identity, 0))
        if process is not None:
            known = process.identity
        if registration <= max(held, claimed) or known != identity:
            return False
        self._claims[token] = (identity, registration)
        return True

    def reported(
        self, process_id: str, registration: int, report: Report, now: float
    ) -> Verdict:
        """A process said what changed; what became of that."""
        if process_id not in self._claims:
            raise OutOfTurn(f"report of {process_id!r}, which never registered")
        identity, claimed = self._claims[process_id]
        if registration != claimed:
            return Verdict.STALE
        standing = Standing(registration, report.sequence, LIVE)
        return self._report(identity, standing, self.home, report, now)

    def departed(self, process_id: str, registration: int, now: float) -> bool:
        """A process's link closed; whether that makes it gone.

        It does not while a newer registration holds.
        """
        if process_id not in self._claims:
            return False
        if registration != self._claims[process_id][1]:
            return False
        del self._claims[process_id]
        process = self._processes.get(process_id)
        if process is None:
            return True
        if process.standing.registration > registration:
            return False
        if process.live and process.home == self.home:
            # At the version held, though it may have registered anew since: a version
            # names what was said, and of this registration nothing was.
            gone = process.standing._replace(state=GONE)
            self._withdraw(process, self.home, gone, now, now)
        return True

    # What other nodes tell.

    def followed(
        self,
        home: Home,
        process_id: str,
        registration: int,
        report: Report,
        now: float,
    ) -> Verdict:
        """A process's node passed a report on, for a record that is held here."""
        process = self._processes.get(process_id)
        if process is None:
            return Verdict.WHOLE_WANTED
        standing = Standing(registration, report.sequence, LIVE)
        return self._report(process.identity, standing, home, report, now)

    def adopted(self, record: Record, now: float) -> bool:
        """A node handed a whole record over; whether it was news.

        It is none if what is held is as new, nor if it is too old to be believed.
        """
        if record.standing.state == LIVE:
            self.homes.heard(record.home, now - record.unheard)
        process = self._processes.get(record.identity.process)
        if process is not None and (
            record.standing <= process.standing or record.identity != process.identity
        ):
            return False
        if record.standing.state == LIVE:
            if record.unheard > self.stale_after:
                return False
        elif record.age > self._gone_after or self._too_many(record.age, now):
            return False
        since = now - record.age
        # By the process's own clock: it alone knows how long it took.
        span = 0.0 if process is None else record.report.clock - process.clock
        is_new = process is None
        if process is None:
            process = self._new(record.identity, record.home)
        told = replace(record.report, span=span)
        place = record.home, record.standing
        self._accept(process, told, place, is_new=is_new, heard=since, now=now)
        return True

    def listed(self, versions: Mapping[str, Standing]) -> list[str]:
        """Which of these records are lacking here, or are older here."""
        return [
            token
            for token, standing in versions.items()
            if token not in self._processes
            or self._processes[token].standing < standing
        ]

    def disowned(self, home: Home, listed: Iterable[str], now: float) -> None:
        """A home told all it has: whatever else is live there is lost."""
        for token in self.homes.residents(home).difference(listed):
            self._lose(self._processes[token], now)

    # What other nodes are told.

    def versions(self, home: Home) -> dict[str, Standing]:
        """Every record of a home, by its standing."""
        return {
            token: self._processes[token].standing
            for token in self.homes.residents(home)
        }

    def record(self, process_id: str, now: float) -> Record | None:
        """A whole record to hand over; ``None`` if it is too old for that."""
        process = self._processes.get(process_id)
        if process is None:
            return None
        age = max(now - process.heard, 0.0)
        unheard = self.homes.unheard(process.home, now)
        if unheard > self.stale_after if process.live else age > self._gone_after:
            return None
        return Record(
            process.identity,
            process.standing,
            process.home,
            age,
            # Of the departed it does not matter, and may not be known.
            min(unheard, self.stale_after),
            process.whole(),
        )

    def digests(self) -> Digests:
        """Of each home, how many records it has and their hash."""
        return self.homes.digests()

    def hashes(self) -> list[int]:
        """The hashes of the maxima, bucket by bucket."""
        return self.sums.hashes()

    def service_sums(self, now: float) -> ServiceSums:
        """The service's maxima."""
        return self.sums.of_service(now)

    def program_sums(self, buckets: frozenset[int], now: float) -> list[ProgramSums]:
        """The sums of the programs in these buckets."""
        return self.sums.of_buckets(buckets, now)

    def adopt_sums(
        self, service: ServiceSums, programs: Iterable[ProgramSums], now: float
    ) -> None:
        """Another node's maxima: the larger ones win."""
        self.sums.adopt_service(service, now)
        for each in programs:
            self.sums.adopt_program(each, now, self._gone_after)

    # Time.

    def expired(self, now: float) -> list[tuple[Home, int]]:
        """Let go of what has stayed long enough.

        Returned are homes that nobody has heard for too long, with how many of their
        processes were taken out for that.
        """
        lost = []
        for home, age in list(self.homes.stale(now)):
            if age > self.stale_after:
                live = [
                    each
                    for each in self.homes.residents(home)
                    if self._processes[each].live
                ]
                for each in live:
                    self._lose(self._processes[each], now)
                if live:
                    lost.append((home, len(live)))
        for token in list(self._departed):
            if now - self._processes[token].heard > self._gone_after:
                self._forget(token)
        self.sums.expired(now, self._gone_after)
        self.homes.expired(now)
        return lost

    # What is to be seen; whoever looks changes nothing.

    @property
    def processes(self) -> Mapping[str, Process]:
        """All that is known of each process, live or not, by its token."""
        return self._processes

    def program(self, hostname: str, progname: str) -> Program | None:
        """All processes of one name on one host."""
        return self.sums.programs.get((hostname, progname))

    def incidents(self, now: float) -> list[tuple[float, Kept]]:
        """The newest timeouts with what was so then, and how many seconds ago."""
        return [(max(now - each.at, 0.0), each) for each in self.black_box.newest()]

    def stale_homes(self, now: float) -> dict[Home, float]:
        """The homes that nobody hears, and for how long."""
        return dict(self.homes.stale(now))

    def totals(self, hostname: str, progname: str) -> Counters:
        """A program's totals, each process that ever was counted once."""
        return self.sums.programs[hostname, progname].totals

    def counters(self) -> dict[str, Counters]:
        """The totals of each process that is remembered."""
        return {token: each.counters for token, each in self._processes.items()}

    # What they share.

    def _report(
        self,
        identity: Identity,
        standing: Standing,
        home: Home,
        report: Report,
        now: float,
    ) -> Verdict:
        """Take a process's word, if it is news and builds on what is held."""
        process = self._processes.get(identity.process)
        held = Standing(0, 0, LOST) if process is None else process.standing
        if standing <= held:
            return Verdict.STALE
        builds = (
            held.registration == standing.registration
            and held.state == LIVE
            and report.base == held.sequence
        )
        if report.base is not None and not builds:
            return Verdict.WHOLE_WANTED
        is_new = process is None
        if process is None:
            process = self._new(identity, home)
        place = home, standing
        self._accept(process, report, place, is_new=is_new, heard=now, now=now)
        return Verdict.APPLIED

    def _accept(
        self,
        process: Process,
        report: Report,
        place: tuple[Home, Standing],
        *,
        is_new: bool,
        heard: float,
        now: float,
    ) -> None:
        """Take a report's content, and bring the sums up to it."""
        known = None if is_new else process.counters
        before, waited = process.load, process.waited(report)
        self._move(process, *place)
        process.accept(report, heard)
        self.sums.changed(process, before, now)
        self.sums.count(process, known, report.span, now, waited)
        for each in report.incidents:
            at = each.at + process.offset
            self.black_box.keep(process.identity, each, at)

    def _too_many(self, age: float, now: float) -> bool:
        """Whether a departed process would at once be forgotten, or was already."""
        if len(self._departed) < self._max_departed:
            return False
        oldest = self._processes[next(iter(self._departed))]
        return age >= now - oldest.heard

    def _new(self, identity: Identity, home: Home) -> Process:
        """A process nothing is known of yet, which counts for nothing."""
        process = Process(identity, home)
        process.standing = Standing(0, 0, LOST)
        self._processes[identity.process] = process
        self.homes.put(home, identity.process, process.standing)
        return process

    def _move(self, process: Process, home: Home, standing: Standing) -> None:
        """Give a process another standing, and another home."""
        token = process.identity.process
        self.homes.take(process.home, token, process.standing)
        process.home, process.standing = home, standing
        self.homes.put(home, token, standing)
        if standing.state == LIVE:
            self._departed.pop(token, None)
        else:
            self._departed[token] = None
            if len(self._departed) > self._max_departed:
                self._forget(next(iter(self._departed)))

    def _withdraw(
        self,
        process: Process,
        home: Home,
        standing: Standing,
        since: float,
        now: float,
    ) -> None:
        """A process ended, or is taken for ended: out of every current sum."""
        before = process.load
        self._move(process, home, standing)
        process.wither(standing, since)
        self.sums.changed(process, before, now)

    def _lose(self, process: Process, now: float) -> None:
        """Nobody knows whether a live process still is."""
        if process.live:
            standing = process.standing._replace(state=LOST)
            self._withdraw(process, process.home, standing, now, now)

    def _forget(self, token: str) -> None:
        """Remember a departed process only in its program's sum from now on."""
        process = self._processes.pop(token)
        self._departed.pop(token, None)
        self.homes.take(process.home, token, process.standing)
        self.sums.forgotten(process)
