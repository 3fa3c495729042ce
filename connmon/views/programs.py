"""The tables of programs and of hosts, which have most of their fields in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any

from connmon.model import figures
from connmon.model.extent import Program
from connmon.model.figures import Figures
from connmon.model.histogram import Histogram, joined
from connmon.model.records import MOST, Counters
from connmon.views.alert import OK, RANKS, WELL, Signs, alert, reason, state
from connmon.views.moment import Moment
from connmon.views.schema import HOSTS, PROGRAMS, VIEWS
from connmon.views.table import Scope, Table


class Host:
    """The programs of one host, to be read as one program is where that makes sense."""

    def __init__(self, hostname: str, programs: Sequence[Program]) -> None:
        """Nothing is summed up before it is asked for."""
        self.hostname = hostname
        self.programs = programs

    @cached_property
    def processes(self) -> int:
        """Its live processes."""
        return sum(each.processes for each in self.programs)

    @cached_property
    def connections(self) -> int:
        """Their open connections."""
        return sum(each.connections for each in self.programs)

    @cached_property
    def checkouts(self) -> int:
        """Those of them that are out."""
        return sum(each.checkouts for each in self.programs)

    @cached_property
    def waiting(self) -> int:
        """Those who wait for one."""
        return sum(each.waiting for each in self.programs)

    def timeouts_lately(self, now: float) -> int:
        """How many checkouts timed out in the last 60 seconds."""
        return sum(each.timeouts_lately(now) for each in self.programs)

    def waits_lately(self, now: float) -> Histogram:
        """How long those waited who were done with it in the last 60 seconds."""
        return joined(each.waits_lately(now) for each in self.programs)

    @property
    def running(self) -> int:
        """How many of its programs have a process."""
        return sum(each.processes > 0 for each in self.programs)

    @cached_property
    def figures(self) -> Figures:
        """How full its pools are; ``full`` counts processes."""
        live = [each.figures for each in self.programs if each.processes]
        full = sum(each.full for each in live)
        return figures.of_several(live)._replace(full=full)

    @property
    def departed(self) -> float | None:
        """When its last process ended, if none is running."""
        ended = [each.departed for each in self.programs if each.departed is not None]
        return max(ended) if ended and not self.processes else None

    @cached_property
    def totals(self) -> Counters:
        """The sum of its programs' totals."""
        totals = zip(*[each.totals for each in self.programs], strict=True)
        return Counters(*[min(sum(each), MOST) for each in totals])


def programs(moment: Moment, scope: Scope) -> Table:
    """A row for each program on each host; in a tree, one for each host above them."""
    roll = moment.board.sums.programs
    known: Sequence[Program] = roll.ordered
    if "hostname" in scope:
        known = roll.hosts.get(str(scope["hostname"]), ())
    return Table(
        VIEWS[PROGRAMS],
        known,
        _values(moment),
        parent=cache(lambda hostname: Host(hostname, roll.hosts[hostname])),
        ranks=moment.ranks(moment.overview.wrong),
        ordered=True,
    )


def hosts(moment: Moment, scope: Scope) -> Table:
    """A row for each host."""
    groups = moment.board.sums.programs.hosts
    known = {name: Host(name, programs) for name, programs in groups.items()}
    values = _values(moment)
    # A host is well if its programs are.
    doubtful = {known[each.hostname] for each in moment.overview.wrong}
    levels = {each: values["alert"](each) for each in doubtful}
    ranks = {each: RANKS[level] for each, level in levels.items() if level in RANKS}
    return Table(VIEWS[HOSTS], [*known.values()], values, ranks=ranks, ordered=True)


_COUNTED: dict[str, Callable[[Any], Any]] = {
    "hostname": lambda e: e.hostname,
    "progname": lambda e: "" if isinstance(e, Host) else e.progname,
    "programs": lambda e: e.running if isinstance(e, Host) else None,
    "connected": lambda e: e.processes > 0,
    "nproc": lambda e: e.processes,
    "conn": lambda e: e.connections,
    "ckout": lambda e: e.checkouts,
    "capacity": lambda e: e.figures.capacity,
    "pool_worst": lambda e: e.figures.used,
    "full": lambda e: e.figures.full,
    "waiting": lambda e: e.waiting,
}
"""How to read what needs no clock, of a program and of a host alike."""


def _values(moment: Moment) -> dict[str, Callable[[Any], Any]]:
    """How to read each field, of a program and of a host alike."""
    seconds = moment.seconds
    return {
        **_COUNTED,
        **_rates(moment.now),
        **_judged(moment),
        **totals(lambda e: e.totals),
        "maxnproc": _of_program(lambda e: e.peak.processes),
        "maxconn": _of_program(lambda e: e.peak.connections),
        "maxckout": _of_program(lambda e: e.peak.checkouts),
        "pool_size": _of_program(lambda e: e.figures.size),
        "max_overflow": _of_program(lambda e: e.figures.overflow),
        "stale": lambda e: _stale(moment, e),
        "stale_seconds": lambda e: _stale_seconds(moment, e),
        "gone_seconds": lambda e: seconds(e.departed),
        "oldest_seconds": lambda e: seconds(e.figures.oldest),
        "txn_seconds": lambda e: seconds(e.figures.transaction),
        "oldest_wait_seconds": lambda e: seconds(e.figures.patient),
        "wait_p99_seconds": lambda e: e.waits_lately(moment.now).quantile(0.99),
    }


def _rates(now: float) -> dict[str, Callable[[Any], Any]]:
    """How to read how often something happens."""
    return {
        "ckoutpersec": _summed(lambda e: e.per_second(now)),
        "connects_per_second": _summed(lambda e: e.seldom_per_second(e.connects, now)),
        "invalidations_per_second": _summed(
            lambda e: e.seldom_per_second(e.invalidations, now)
        ),
        "timeouts_per_minute": lambda e: float(e.timeouts_lately(now)),
        "history": _of_program(lambda e: e.history.per_second(now)),
    }


def _judged(moment: Moment) -> dict[str, Callable[[Any], Any]]:
    """How to read what is wrong."""

    def signs(entry: Any) -> Signs | None:
        """What there is to judge of it, unless that is ok."""
        wrong = moment.overview.wrong
        if not isinstance(entry, Host):
            return wrong.get(entry)
        if wrong.keys().isdisjoint(entry.programs):
            return None
        return moment.signs(
            entry.figures,
            entry.processes,
            _stale(moment, entry),
            entry.waiting,
            entry.timeouts_lately(moment.now),
        )

    return judged_by(signs, "processes")


def judged_by(
    signs: Callable[[Any], Signs | None], unit: str
) -> dict[str, Callable[[Any], Any]]:
    """How to read what is wrong with something; without signs, nothing is.

    ``unit`` is what its signs count as full, ``pools`` or ``processes``.
    """

    def judged(entry: Any) -> str:
        found = signs(entry)
        return OK if found is None else alert(found)

    def stated(entry: Any) -> str:
        found = signs(entry)
        return WELL if found is None else state(found)

    def worded(entry: Any) -> str:
        found = signs(entry)
        return "" if found is None else reason(found, unit)

    return {"state": stated, "alert": judged, "reason": worded}


def totals(of: Callable[[Any], Counters]) -> dict[str, Callable[[Any], Any]]:
    """How to read the fields that are totals."""
    return {
        "checkouts": lambda e: of(e).checkouts,
        "connects": lambda e: of(e).connects,
        "closes": lambda e: of(e).closes,
        "connect_failures": lambda e: of(e).connect_failures,
        "invalidations": lambda e: min(
            of(e).invalidations + of(e).soft_invalidations, MOST
        ),
        "timeouts": lambda e: of(e).timeouts,
        "leaks": lambda e: of(e).leaks,
    }


def _of_program(read: Callable[[Program], Any]) -> Callable[[Any], Any]:
    """A field that a host does not have."""
    return lambda entry: None if isinstance(entry, Host) else read(entry)


def _summed(read: Callable[[Program], float | None]) -> Callable[[Any], Any]:
    """A rate, of a host the sum of its programs' as far as they are known."""

    def value(entry: Any) -> float | None:
        if not isinstance(entry, Host):
            return read(entry)
        known = [rate for each in entry.programs if (rate := read(each)) is not None]
        return sum(known) if known else None

    return value


def _stale(moment: Moment, entry: Any) -> int:
    if isinstance(entry, Host):
        return sum(map(moment.stale_of, entry.programs))
    return moment.stale_of(entry)


def _stale_seconds(moment: Moment, entry: Any) -> float | None:
    of = moment.stale_seconds_of
    if not isinstance(entry, Host):
        return of(entry)
    return max(
        (s for each in entry.programs if (s := of(each)) is not None), default=None
    )
