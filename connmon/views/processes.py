"""The tables of processes and of their pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from connmon.model.figures import places
from connmon.model.histogram import BOUNDS, Histogram
from connmon.model.process import Process
from connmon.model.records import MOST, OUT, PoolRecord
from connmon.model.trouble import WELL as NO_TROUBLE
from connmon.model.trouble import Trouble
from connmon.views.alert import Signs
from connmon.views.moment import Moment
from connmon.views.programs import judged_by, totals
from connmon.views.schema import (
    BEYOND,
    POOLS,
    PROCESSES,
    VIEWS,
    WAIT_HISTOGRAM,
    Taking,
    Tally,
)
from connmon.views.table import Scope, Table

MOST_WAITERS = 20
"""Of those who wait for a pool so many are told, those who have waited for longest."""

_OF_PROCESS = {
    "hostname": lambda e: e.identity.hostname,
    "progname": lambda e: e.identity.program,
    "pid": lambda e: e.identity.pid,
    "process": lambda e: e.identity.process,
    "node": lambda e: e.home.node,
}


class PoolEntry(NamedTuple):
    """One pool of a process."""

    process: Process
    record: PoolRecord


class Load(NamedTuple):
    """What is open and out of one pool, and who waits for it.

    ``taken`` of its places are, by all that is ``out`` but what outlived a pool before.
    ``oldest``, ``patient``, since when the longest of these wait, ``quiet``, since when
    nothing was executed in a transaction, and ``transaction``, when the oldest open one
    began, are by the node's clock.
    """

    connections: int = 0
    out: int = 0
    taken: int = 0
    oldest: float | None = None
    waiting: int = 0
    patient: float | None = None
    quiet: float | None = None
    transaction: float | None = None


EMPTY = Load()
"""Nothing is open."""


def processes(moment: Moment, scope: Scope) -> Table:
    """A row for each live process."""
    seconds = moment.seconds

    def signs(process: Process) -> Signs | None:
        # What is wrong is found out only when it is asked for.
        return moment.wrong.get(process)

    values: dict[str, Callable[[Any], Any]] = {
        **_OF_PROCESS,
        **judged_by(signs, "pools"),
        **totals(lambda e: e.counters),
        "up_seconds": lambda e: seconds(e.began),
        "heard_seconds": lambda e: seconds(e.heard),
        "pools": lambda e: len(e.pools),
        "engines": _engines,
        "conn": lambda e: len(e.connections),
        "ckout": lambda e: e.checkouts,
        "maxconn": lambda e: e.maxima.connections,
        "maxckout": lambda e: e.maxima.checkouts,
        "ckoutpersec": lambda e: e.per_second(moment.now),
        "stale_seconds": moment.unheard,
        "capacity": lambda e: e.figures.capacity,
        "pool_worst": lambda e: e.figures.used,
        "full": lambda e: e.figures.full,
        "waiting": lambda e: e.waiting,
        "wait_p99_seconds": lambda e: e.waits_lately(moment.now).quantile(0.99),
        "oldest_seconds": lambda e: seconds(e.figures.oldest),
        "txn_seconds": lambda e: seconds(e.figures.transaction),
        "oldest_wait_seconds": lambda e: seconds(e.figures.patient),
    }
    known = in_scope(moment, scope) if scope else _ordered(moment)
    ranks = moment.ranks(moment.wrong)
    ordered = not scope
    return Table(VIEWS[PROCESSES], known, values, ranks=ranks, ordered=ordered)


def pools(moment: Moment, scope: Scope) -> Table:
    """A row for each pool of each live process."""
    entries = [
        PoolEntry(process, record)
        for process in in_scope(moment, scope)
        for record in process.pools.values()
    ]
    values: dict[str, Callable[[Any], Any]] = {
        **{name: _of_owner(read) for name, read in _OF_PROCESS.items()},
        **_facts(),
        **_load(moment),
        "maxconn": lambda e: e.record.maxima.connections,
        "maxckout": lambda e: e.record.maxima.checkouts,
        "stale_seconds": lambda e: moment.unheard(e.process),
        "wait_p99_seconds": lambda e: _waits(moment, e).quantile(0.99),
        "hold_p50_seconds": lambda e: e.record.holds.quantile(0.5),
        "hold_p99_seconds": lambda e: e.record.holds.quantile(0.99),
        "connect_p99_seconds": lambda e: e.record.creations.quantile(0.99),
        **totals(lambda e: e.record.counters),
        "closings": lambda e: _closings(e.record),
        "waiters": lambda e: _waiters(moment, e),
        WAIT_HISTOGRAM: lambda e: _tallied(e.record.waits),
    }
    return Table(VIEWS[POOLS], entries, values)


def in_scope(moment: Moment, scope: Scope) -> list[Process]:
    """The live processes that are meant, found without looking at all of them."""
    board = moment.board
    found: Any
    if "process" in scope:
        process = board.processes.get(str(scope["process"]))
        found = [] if process is None else [process]
    elif "hostname" in scope and "progname" in scope:
        program = board.program(str(scope["hostname"]), str(scope["progname"]))
        found = [] if program is None else program.live.values()
    else:
        found = board.processes.values()
    live = [each for each in found if each.live]
    for name, read in _OF_PROCESS.items():
        if name in scope:
            live = [each for each in live if read(each) == scope[name]]
    return live


def _ordered(moment: Moment) -> list[Process]:
    """All live processes, in the view's own order."""
    found: list[Process] = []
    for program in moment.board.sums.programs.ordered:
        live = program.live.values()
        found += live if len(live) < 2 else sorted(live, key=_number)
    return found


def _number(process: Process) -> tuple[int, str]:
    """What tells the processes of a program apart."""
    return process.identity.pid, process.identity.process


def _facts() -> dict[str, Callable[[Any], Any]]:
    """How to read what a pool is."""
    return {
        "pool_id": lambda e: e.record.id,
        "pool_name": lambda e: e.record.facts.name,
        "kind": lambda e: e.record.facts.kind,
        "pool_size": lambda e: e.record.facts.size,
        "max_overflow": lambda e: e.record.facts.max_overflow,
        "timeout_seconds": lambda e: _duration(e.record.facts.timeout),
        "recycle_seconds": lambda e: _duration(e.record.facts.recycle),
        "pre_ping": lambda e: e.record.facts.pre_ping,
    }


class _Pools:
    """What is open and out of pools, found once for each process."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._loads: dict[Process, dict[int, Load]] = {}
        self._troubles: dict[Process, dict[int, Trouble]] = {}

    def load(self, entry: PoolEntry) -> Load:
        """What is open and out of it, and who waits."""
        if entry.process not in self._loads:
            self._loads[entry.process] = _loads(entry.process)
        return self._loads[entry.process].get(entry.record.id, EMPTY)

    def used(self, entry: PoolEntry) -> float | None:
        """How full it is."""
        bound = places(entry.record.facts)
        return self.load(entry).taken / bound if bound else None

    def signs(self, entry: PoolEntry) -> Signs | None:
        """What there is to judge of it, unless its process is well."""
        process, moment = entry.process, self._moment
        if process not in moment.wrong:
            return None  # no pool of a process is worse than that is
        load, used, seconds = self.load(entry), self.used(entry), moment.seconds
        still, failing, leaked, lost = self._trouble(entry)
        return Signs(
            used=used,
            full=int((used or 0.0) >= 1.0),
            waiting=load.waiting,
            timeouts_per_minute=process.timeouts_lately(moment.now, entry.record.id),
            oldest_seconds=seconds(load.oldest),
            txn_seconds=seconds(load.transaction),
            stale=int(moment.is_stale(process)),
            still_seconds=seconds(still),
            failing_seconds=seconds(failing),
            leaked_seconds=seconds(leaked),
            lost=lost,
            quiet_seconds=seconds(load.quiet),
        )

    def _trouble(self, entry: PoolEntry) -> Trouble:
        if entry.process not in self._troubles:
            self._troubles[entry.process] = entry.process.troubles()
        return self._troubles[entry.process].get(entry.record.id, NO_TROUBLE)


def _load(moment: Moment) -> dict[str, Callable[[Any], Any]]:
    """How to read what is open and out, and what is wrong with that."""
    seconds, pools = moment.seconds, _Pools(moment)
    load = pools.load
    return {
        **judged_by(pools.signs, "pools"),
        "conn": lambda e: load(e).connections,
        "ckout": lambda e: load(e).out,
        "pool_used": pools.used,
        "waiting": lambda e: load(e).waiting,
        "oldest_seconds": lambda e: seconds(load(e).oldest),
        "txn_seconds": lambda e: seconds(load(e).transaction),
        "oldest_wait_seconds": lambda e: seconds(load(e).patient),
    }


def _loads(process: Process) -> dict[int, Load]:
    """The load of each pool that has connections, or somebody who waits for one."""
    opened: dict[int, int] = {}
    out: dict[int, list[float]] = {}
    taken: dict[int, int] = {}
    quiet: dict[int, list[float]] = {}
    begun: dict[int, list[float]] = {}
    offset = process.offset
    for each in process.connections.values():
        opened[each.pool] = opened.get(each.pool, 0) + 1
        if each.state == OUT:
            out.setdefault(each.pool, []).append(each.since)
            taken[each.pool] = taken.get(each.pool, 0) + each.takes_place
        if each.quiet is not None:
            quiet.setdefault(each.pool, []).append(each.quiet)
        if each.transaction is not None:
            begun.setdefault(each.pool, []).append(each.transaction)
    loads = {}
    for id, count in opened.items():
        since = out.get(id, ())
        loads[id] = Load(
            count,
            len(since),
            taken.get(id, 0),
            min(since) + offset if since else None,
            quiet=min(quiet[id]) + offset if id in quiet else None,
            transaction=min(begun[id]) + offset if id in begun else None,
        )
    for id, (waiting, patient) in _lines(process).items():
        load = loads.get(id, EMPTY)
        loads[id] = load._replace(waiting=waiting, patient=patient)
    return loads


def _lines(process: Process) -> dict[int, tuple[int, float]]:
    """How many wait for each pool, and since when the longest.

    Of more than a hundred those that are not listed are taken to wait for the only
    pool of which there is any; of several pools they are left out.
    """
    lines: dict[int, tuple[int, float]] = {}
    for each in process.waiters:
        since = each.since + process.offset
        waiting, patient = lines.get(each.pool, (0, since))
        lines[each.pool] = waiting + 1, min(patient, since)
    if len(lines) == 1:
        ((id, (_, patient)),) = lines.items()
        lines[id] = process.waiting, patient
    return lines


def _waits(moment: Moment, entry: PoolEntry) -> Histogram:
    """How long those waited for a pool who were done with it in the last minute."""
    return entry.process.waits_lately(moment.now, entry.record.id)


def _waiters(moment: Moment, entry: PoolEntry) -> tuple[Taking, ...]:
    """Who waits for it, the longest first; no more than can be of use in each row."""
    process, id = entry.process, entry.record.id
    found = [each for each in process.waiters if each.pool == id][:MOST_WAITERS]
    return tuple(
        Taking(
            each.site,
            each.owner,
            moment.seconds(each.since + process.offset) or 0.0,
            tag=each.tag,
        )
        for each in found
    )


def _closings(record: PoolRecord) -> tuple[Tally, ...] | None:
    """Why its connections were closed; an older process does not say."""
    if record.counters.closes and not record.closings:
        return None
    return tuple(Tally(*each) for each in record.closings)


def _tallied(durations: Histogram) -> tuple[Tally, ...]:
    """How many took up to how many seconds, and longer than what is told before."""
    bounds = (*(f"{each:g}" for each in BOUNDS), BEYOND)
    pairs = zip(bounds, durations.counts, strict=True)
    return tuple(Tally(bound, count) for bound, count in pairs if count)


def _engines(process: Process) -> int | None:
    """How many engines it made; none is what those say who do not count them."""
    return min(sum(times for _, times in process.engines), MOST) or None


def _duration(told: float | None) -> float | None:
    """What a pool is configured with, if it is a duration: -1 means never."""
    return None if told is None or told < 0.0 else told


def _of_owner(read: Callable[[Process], Any]) -> Callable[[Any], Any]:
    return lambda entry: read(entry.process)
