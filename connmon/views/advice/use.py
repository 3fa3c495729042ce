"""A use: one pool of one program, in all of its processes, on all hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from connmon.model.blackbox import BlackBox
from connmon.model.figures import places
from connmon.model.process import Process
from connmon.model.records import ConnectionRecord, Incident, Notice, PoolRecord


@dataclass(frozen=True)
class Member:
    """A pool of one process.

    ``now`` is the node's clock, as it is looked at; ``incidents`` are what was so when
    it timed out, as far as that is kept.
    """

    process: Process
    record: PoolRecord
    now: float
    incidents: Sequence[Incident] = ()

    @property
    def uptime(self) -> float:
        """For how many seconds the process has been watched; 0 if it does not say."""
        began = self.process.began
        return 0.0 if began is None else max(self.now - began, 0.0)

    @property
    def capacity(self) -> int | None:
        """The most checkouts it allows at once; ``None`` without a bound."""
        return places(self.record.facts)

    @property
    def peak(self) -> int:
        """The most that were out at once."""
        return self.record.maxima.checkouts

    @property
    def attempts(self) -> int:
        """How many checkouts were tried: those that there were, and that timed out.

        Never fewer than waited, for a wait may also end without either.
        """
        counters = self.record.counters
        return max(counters.checkouts + counters.timeouts, self.waits)

    @property
    def waits(self) -> int:
        """How many of the attempts waited; one that timed out at once did, too."""
        counters = self.record.counters
        return max(counters.waits, counters.timeouts)

    @property
    def mean(self) -> float:
        """How many were out on average, by Little's law; 0 if that is not known."""
        return self.record.holds.seconds / self.uptime if self.uptime else 0.0

    @property
    def waiting(self) -> int:
        """How many wait for it now, as far as they are listed."""
        return sum(each.pool == self.record.id for each in self.process.waiters)

    @property
    def notices(self) -> list[Notice]:
        """What happened to its connections and should not, as far as that is kept."""
        return [e for e in self.process.notices if e.pool == self.record.id]

    @property
    def connections(self) -> list[ConnectionRecord]:
        """Its open connections."""
        every = self.process.connections.values()
        return [each for each in every if each.pool == self.record.id]

    @property
    def who(self) -> str:
        """Its process, in words."""
        return f"{self.process.identity.hostname} pid {self.process.identity.pid}"

    def ago(self, at: float) -> float:
        """How many seconds ago a reading of the process's clock was made."""
        return max(self.now - (at + self.process.offset), 0.0)


class Use:
    """What a program does with one database, everywhere. It has a member at least."""

    def __init__(self, progname: str, name: str, members: list[Member]) -> None:
        """``name`` is that of the pool."""
        self.progname = progname
        self.name = name
        self.members = members

    @cached_property
    def hosts(self) -> list[str]:
        """The host of each member."""
        return [each.process.identity.hostname for each in self.members]

    @cached_property
    def peak(self) -> int:
        """The most that were out at once in any process."""
        return max(each.peak for each in self.members)

    @cached_property
    def checkouts(self) -> int:
        """How many there were in all."""
        return sum(each.record.counters.checkouts for each in self.members)


def uses(
    progname: str,
    processes: Iterable[Process],
    now: float,
    black_box: BlackBox,
) -> Iterator[Use]:
    """The uses of a program, of which these are the live processes."""
    groups: dict[str, list[Member]] = {}
    for process in processes:
        known = _incidents(process, black_box)
        for record in process.pools.values():
            members = groups.setdefault(record.facts.name, [])
            of_pool = [each for each in known if each.pool == record.id]
            members.append(Member(process, record, now, of_pool))
    for name, members in groups.items():
        yield Use(progname, name, members)


def _incidents(process: Process, black_box: BlackBox) -> list[Incident]:
    """All that are known of a process: it keeps its last few in any case."""
    known = (*black_box.of(process.identity.process), *process.incidents)
    return list({each.number: each for each in known}.values())
