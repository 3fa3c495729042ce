"""The tables of call sites and of tags: checkouts and waits that have one in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

from connmon.views.alert import Signs, alert, reason
from connmon.views.connections import checkouts
from connmon.views.moment import Moment
from connmon.views.schema import SITES, TAGS, VIEWS
from connmon.views.table import Scope, Table, nothing
from connmon.views.waits import waits

SUMMED_UP_BY = {SITES: ("site", "tag"), TAGS: ("tag", "site")}
"""What the rows of a view have in common, and what is told of them besides."""

_BESIDE = {SITES: "tags", TAGS: "sites"}

_Program = tuple["str | None", "str | None"]
"""A host, and a program on it."""

IsStale = Callable[[Any], bool]
"""Whether nobody hears a process, named by its token."""


NONE = -1.0
"""Less than any duration."""


class Told(NamedTuple):
    """What the processes of a group tell of it.

    ``out_of`` is how many connections are out in all of its programs, ``stale`` how
    many of its processes nobody hears, for ``stale_seconds`` at most.
    """

    out_of: int
    hostnames: frozenset[str | None]
    prognames: frozenset[str | None]
    stale: int
    stale_seconds: float | None


class Group:
    """What one line of the application has, or one tag; ``None`` is what has none.

    ``out`` counts its connections, ``processes`` are the tokens of those that have
    one, or wait for one. ``oldest`` is for how many seconds the longest has been out,
    ``patient`` for how many the longest of the ``waiting`` have waited; both are
    negative where there is none. ``beside`` are the tags of a line, or the lines of a
    tag.
    """

    __slots__ = (
        "beside",
        "name",
        "oldest",
        "out",
        "patient",
        "processes",
        "told",
        "transaction",
        "waiting",
    )

    def __init__(self, name: str | None) -> None:
        """Nothing is known of it yet."""
        self.name = name
        self.out = 0
        self.processes: set[Any] = set()
        self.oldest = self.transaction = self.patient = NONE
        self.waiting = 0
        self.beside: set[str | None] = set()
        #: What its processes tell, once somebody has asked.
        self.told: Told | None = None


class Groups:
    """All groups of a view, made in one pass over whatever they sum up."""

    def __init__(self, view: str, is_stale: IsStale | None = None) -> None:
        """Without ``is_stale``, who is stale is so for a known time."""
        self._names = SUMMED_UP_BY[view]
        self._is_stale = is_stale
        self.found: dict[str | None, Group] = {}
        #: Of each process which program it is of, and how many connections it has out.
        self._program: dict[Any, _Program] = {}
        self._held: Counter[Any] = Counter()
        #: For how long nobody has heard those that are stale, if that is known.
        self._unheard: dict[Any, float | None] = {}

    def hold(self, table: Table) -> None:
        """Take the checkouts of a table."""
        found, entries = self.found, table.entries
        process_of = table.values.get("process", nothing)
        processes = list(map(process_of, entries))
        reads = [
            map(table.values.get(name, nothing), entries)
            for name in (*self._names, "out_seconds")
        ]
        # There may be very many: no call is made for each but those that read it.
        for process, name, beside, seconds in zip(processes, *reads, strict=True):
            group = found.get(name) or self._new(name)
            group.out += 1
            group.processes.add(process)
            group.beside.add(beside)
            if seconds is not None and seconds > group.oldest:
                group.oldest = seconds
        self._held.update(processes)
        self._meet(table, processes)
        self._note_transactions(table)

    def wait(self, table: Table) -> None:
        """Take the waits of a table."""
        name_of, beside_of, process_of, seconds_of, count_of = (
            table.values.get(name, nothing)
            for name in (*self._names, "process", "oldest_wait_seconds", "waiting")
        )
        for entry in table.entries:
            name = name_of(entry)
            group = self.found.get(name) or self._new(name)
            group.processes.add(process_of(entry))
            group.beside.add(beside_of(entry))
            group.waiting += count_of(entry)
            group.patient = max(group.patient, _or_none(seconds_of(entry)))
        self._meet(table, map(process_of, table.entries))

    def told(self, group: Group) -> Told:
        """What the processes of a group tell; worked out once."""
        if group.told is None:
            group.told = self._told(group)
        return group.told

    @cached_property
    def _out(self) -> Counter[_Program]:
        """How many connections each program on each host has out."""
        out: Counter[_Program] = Counter()
        for process, held in self._held.items():
            out[self._program[process]] += held
        return out

    def _new(self, name: str | None) -> Group:
        group = self.found[name] = Group(name)
        return group

    def _told(self, group: Group) -> Told:
        programs = set(map(self._program.__getitem__, group.processes))
        stale = self._unheard.keys() & group.processes if self._unheard else ()
        ages = [age for each in stale if (age := self._unheard[each]) is not None]
        return Told(
            sum(map(self._out.__getitem__, programs)),
            frozenset(hostname for hostname, _ in programs),
            frozenset(progname for _, progname in programs),
            len(stale),
            max(ages, default=None),
        )

    def _note_transactions(self, table: Table) -> None:
        """Note for how long transactions have been open, where that can be known."""
        seconds_of = table.values.get("txn_seconds")
        if seconds_of is None:
            return
        name_of = table.values.get(self._names[0], nothing)
        for entry in table.entries:
            seconds = seconds_of(entry)
            if seconds is not None:
                group = self.found[name_of(entry)]
                group.transaction = max(group.transaction, seconds)

    def _meet(self, table: Table, processes: Iterable[Any]) -> None:
        """Note whose the processes are that the entries are of."""
        hostname_of, progname_of, age_of = (
            table.values.get(name, nothing)
            for name in ("hostname", "progname", "stale_seconds")
        )
        # What they tell of their process is the same in all of its entries.
        for process, entry in dict(zip(processes, table.entries, strict=True)).items():
            self._program[process] = hostname_of(entry), progname_of(entry)
            age = age_of(entry)
            if self._is_stale(process) if self._is_stale else age is not None:
                self._unheard[process] = age


def sites(moment: Moment, scope: Scope) -> Table:
    """A row for each line that has connections out, or waits for one."""
    return _of_board(SITES, moment, scope)


def tags(moment: Moment, scope: Scope) -> Table:
    """A row for each tag of such lines."""
    return _of_board(TAGS, moment, scope)


def narrower(view: str, scope: Scope) -> Scope:
    """What a scope of a view says of what its rows sum up."""
    inner = VIEWS[view].inner
    return {name: value for name, value in scope.items() if name in inner}


def grouped(
    view: str,
    out: Table,
    waiting: Table | None = None,
    is_stale: IsStale | None = None,
) -> Table:
    """The rows of a view, of checkouts and waits; without these nobody knows of any."""
    groups = Groups(view, is_stale)
    groups.hold(out)
    if waiting is not None:
        groups.wait(waiting)
    by, _ = SUMMED_UP_BY[view]
    values = {
        by: lambda e: e.name,
        _BESIDE[view]: lambda e: _known(e.beside),
        **_held(groups),
        **_of_processes(groups),
        **_judged(groups),
    }
    if waiting is not None:
        values |= _WAITED
    if "txn_seconds" in out.values:
        values["txn_seconds"] = lambda e: _if_any(e.transaction)
    return Table(VIEWS[view], list(groups.found.values()), values, out.about)


def _of_board(view: str, moment: Moment, scope: Scope) -> Table:
    inner, processes = narrower(view, scope), moment.board.processes
    return grouped(
        view,
        checkouts(moment, inner).within(inner),
        waits(moment, inner).within(inner),
        lambda process: moment.is_stale(processes[process]),
    )


_WAITED: dict[str, Callable[[Any], Any]] = {
    "waiting": lambda e: e.waiting,
    "oldest_wait_seconds": lambda e: _if_any(e.patient),
}


def _held(groups: Groups) -> dict[str, Callable[[Any], Any]]:
    """How to read how many are out, of how many, and for how long."""

    def share(group: Group) -> float | None:
        every = groups.told(group).out_of
        return group.out / every if every else None

    return {
        "ckout": lambda e: e.out,
        "out_of": lambda e: groups.told(e).out_of,
        "share": share,
        "oldest_seconds": lambda e: _if_any(e.oldest),
    }


def _of_processes(groups: Groups) -> dict[str, Callable[[Any], Any]]:
    """How to read whose processes they are."""
    return {
        "nproc": lambda e: len(e.processes),
        "hosts": lambda e: len(groups.told(e).hostnames),
        "hostnames": lambda e: _known(groups.told(e).hostnames),
        "prognames": lambda e: _known(groups.told(e).prognames),
        "stale": lambda e: groups.told(e).stale,
        "stale_seconds": lambda e: groups.told(e).stale_seconds,
    }


def _judged(groups: Groups) -> dict[str, Callable[[Any], Any]]:
    """How to read what is wrong with a group."""

    def signs(group: Group) -> Signs:
        return Signs(
            waiting=group.waiting,
            oldest_seconds=_if_any(group.oldest),
            txn_seconds=_if_any(group.transaction),
            stale=groups.told(group).stale,
        )

    return {
        "alert": lambda e: alert(signs(e)),
        "reason": lambda e: reason(signs(e), "processes"),
    }


def _known(names: Iterable[str | None]) -> tuple[str, ...]:
    """Those that are known, each once, in their order."""
    return tuple(sorted({each for each in names if each is not None}))


def _if_any(seconds: float) -> float | None:
    """A duration, or ``None`` where there is none."""
    return None if seconds < 0.0 else seconds


def _or_none(seconds: float | None) -> float:
    """The same the other way round."""
    return NONE if seconds is None else seconds
