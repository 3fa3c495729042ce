"""The tables of processes and of their pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from connmon.model.figures import places
from connmon.model.histogram import Histogram
from connmon.model.process import Process
from connmon.model.records import MOST, OUT, PoolRecord
from connmon.views.alert import OK, Signs, alert, reason
from connmon.views.moment import Moment
from connmon.views.programs import totals
from connmon.views.schema import POOLS, PROCESSES, VIEWS, Tally
from connmon.views.table import Scope, Table

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

    ``oldest`` and ``patient``, since when the longest of these wait, are by the node's
    clock.
    """

    connections: int = 0
    out: int = 0
    oldest: float | None = None
    waiting: int = 0
    patient: float | None = None


def processes(moment: Moment, scope: Scope) -> Table:
    """A row for each live process."""
    seconds = moment.seconds
    values: dict[str, Callable[[Any], Any]] = {
        **_OF_PROCESS,
        **_judged(moment),
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


def _judged(moment: Moment) -> dict[str, Callable[[Any], Any]]:
    """How to read what is wrong with a process."""

    def judged(process: Process) -> str:
        signs = moment.wrong.get(process)
        return OK if signs is None else alert(signs)

    def worded(process: Process) -> str:
        signs = moment.wrong.get(process)
        return "" if signs is None else reason(signs, "pools")

    return {"alert": judged, "reason": worded}


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


def _load(moment: Moment) -> dict[str, Callable[[Any], Any]]:
    """How to read what is open and out, and what is wrong with that."""
    seconds = moment.seconds
    loads: dict[Process, dict[int, Load]] = {}

    def load(entry: PoolEntry) -> Load:
        if entry.process not in loads:
            loads[entry.process] = _loads(entry.process)
        return loads[entry.process].get(entry.record.id, Load())

    def used(entry: PoolEntry) -> float | None:
        bound = places(entry.record.facts)
        return load(entry).out / bound if bound else None

    def timeouts(entry: PoolEntry) -> float:
        return float(entry.process.timeouts_lately(moment.now, entry.record.id))

    def signs(entry: PoolEntry) -> Signs:
        if entry.process not in moment.wrong:
            return Signs()  # no pool of a process is worse than that is
        return Signs(
            used=used(entry),
            full=int((used(entry) or 0.0) >= 1.0),
            waiting=load(entry).waiting,
            timeouts_per_minute=timeouts(entry),
            oldest_seconds=seconds(load(entry).oldest),
            stale=int(moment.is_stale(entry.process)),
        )

    return {
        "conn": lambda e: load(e).connections,
        "ckout": lambda e: load(e).out,
        "pool_used": used,
        "waiting": lambda e: load(e).waiting,
        "oldest_seconds": lambda e: seconds(load(e).oldest),
        "oldest_wait_seconds": lambda e: seconds(load(e).patient),
        "alert": lambda e: alert(signs(e)),
        "reason": lambda e: reason(signs(e), "pools"),
    }


def _loads(process: Process) -> dict[int, Load]:
    """The load of each pool that has connections, or somebody who waits for one."""
    loads: dict[int, Load] = {}
    for each in process.connections.values():
        connections, out, oldest = loads.get(each.pool, Load())[:3]
        if each.state == OUT:
            since = each.since + process.offset
            out, oldest = out + 1, since if oldest is None else min(oldest, since)
        loads[each.pool] = Load(connections + 1, out, oldest)
    for id, (waiting, patient) in _lines(process).items():
        load = loads.get(id, Load())
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


def _closings(record: PoolRecord) -> tuple[Tally, ...] | None:
    """Why its connections were closed; an older process does not say."""
    if record.counters.closes and not record.closings:
        return None
    return tuple(Tally(*each) for each in record.closings)


def _engines(process: Process) -> int | None:
    """How many engines it made; none is what those say who do not count them."""
    return min(sum(times for _, times in process.engines), MOST) or None


def _duration(told: float | None) -> float | None:
    """What a pool is configured with, if it is a duration: -1 means never."""
    return None if told is None or told < 0.0 else told


def _of_owner(read: Callable[[Process], Any]) -> Callable[[Any], Any]:
    return lambda entry: read(entry.process)
