"""What is worth an event in what the processes linked to this node report.

Each event has one writer: the node that the process is linked to. How much of it is
said is the throttle's affair. To tell of another total that should not grow, add it to
``_TOTALS``. ``now`` is the node's monotonic clock, in seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from connmon.daemon import blame, faults
from connmon.daemon.comings import Comings
from connmon.daemon.sites import Tallies, once_at
from connmon.daemon.throttle import Event, Kind, Place, Throttle, counted
from connmon.model.board import Board
from connmon.model.figures import places
from connmon.model.journal import CRIT, WARN, Journal, Severity
from connmon.model.process import Process
from connmon.model.records import (
    INHERITED,
    LEAKS,
    RETURNED,
    Counters,
    Identity,
    Incident,
    Notice,
)
from connmon.wording import printable, shown

YOUNG_SECONDS = 60.0
"""A process that began so lately did all it ever did just now."""

FREED = 0.8
"""Below this share of its places a pool is not full any more, and may be again."""

FULL = Kind(
    WARN,
    again=lambda times: f"pool full {times} times",
    among=lambda times, programs: f"pool full in {programs}",
)


def _of_total(words: Callable[[int], str], severity: Severity = WARN) -> Kind:
    """A kind of event that is a growth of one of a process's totals."""
    return Kind(
        severity,
        again=words,
        among=lambda count, programs: f"{words(count)} in {programs}",
    )


INVALIDATED = _of_total(lambda count: f"{counted(count, 'connection')} invalidated")
FAILED = _of_total(lambda count: f"{counted(count, 'connection')} could not be opened")
TIMED_OUT = _of_total(lambda count: f"{counted(count, 'checkout')} timed out", CRIT)

SHARED = Kind(
    CRIT,
    again=lambda times: "uses connections that another process opened before a fork",
    among=lambda times, programs: (
        f"connections that another process opened before a fork used in {programs}"
    ),
)
"""Without a number: of the notices of a report only the last few are known."""

_TOTALS: tuple[tuple[Kind, Callable[[Counters], int]], ...] = (
    (INVALIDATED, lambda totals: totals.invalidations + totals.soft_invalidations),
    (FAILED, lambda totals: totals.connect_failures),
    (TIMED_OUT, lambda totals: totals.timeouts),
)


class Before(NamedTuple):
    """What the board held before a report was applied.

    ``counters`` are the process's, ``None`` if nothing was known of it, and ``live``
    says whether it counted. ``absent`` is for how many seconds its program had had no
    process, ``None`` if it had one. ``noticed`` is the number of its last notice,
    ``timed_out`` that of its last incident.
    """

    counters: Counters | None
    live: bool
    absent: float | None
    noticed: int = 0
    timed_out: int = 0


class Chronicle:
    """Turns what is reported here into events of the journal."""

    def __init__(self, journal: Journal, board: Board, now: float) -> None:
        """The node starts ``now``."""
        self._board = board
        self._throttle = Throttle(journal)
        self._comings = Comings(journal, board, self._throttle, now)
        #: Processes of which it was told that they have a full pool.
        self._full: set[str] = set()

    def before(self, identity: Identity, now: float) -> Before:
        """To be asked right before a process's report goes to the board."""
        process = self._board.processes.get(identity.process)
        if process is None:
            return Before(None, False, self._comings.absent(identity, now))
        noticed, timed_out = _last(process.notices), _last(process.incidents)
        absent = None if process.live else self._comings.absent(identity, now)
        return Before(process.counters, process.live, absent, noticed, timed_out)

    def reported(self, process: Process, before: Before, now: float) -> None:
        """The board applied a report of a process linked here."""
        if not before.live:
            self._comings.arrived(process.identity, before.absent, now)
        known = before.counters
        if known is None:
            known = Counters() if _is_young(process, now) else process.counters
        self._count(process, before, known, now)
        self._share(process, before, now)
        self._notice(process, before, known, now)
        # Places are counted only where that could matter: it costs.
        if process.identity.process in self._full:
            if (process.figures.used or 0.0) < FREED:
                self._full.discard(process.identity.process)
        elif process.checkouts and _may_be_full(process) and process.figures.full:
            self._full.add(process.identity.process)
            self._happened(FULL, process.identity, _full_pool(process), now)

    def left(self, identity: Identity, now: float) -> None:
        """The board was told ``now`` that a process linked here is gone."""
        self._comings.left(identity, now)

    def tick(self, now: float) -> None:
        """Say what was held back; to be called each second."""
        self._comings.tick(now)
        self._forget()
        self._throttle.tick(now)

    def _count(
        self, process: Process, before: Before, known: Counters, now: float
    ) -> None:
        """Tell how far totals have grown that should not."""
        counters = process.counters
        for kind, total in _TOTALS:
            grown = total(counters) - total(known)
            if grown > 0:
                text = ""
                if kind is TIMED_OUT:
                    text = self._blamed(process, before, grown, now)
                text = text or kind.again(grown)
                self._happened(kind, process.identity, text, now, amount=grown)

    def _blamed(self, process: Process, before: Before, times: int, now: float) -> str:
        """What was so when a pool of a process timed out just now, if that is known.

        Of many in a row that one tells most when most were in line: in the end all
        have given up.
        """
        known = self._board.black_box.of(process.identity.process)
        new = [each for each in known if each.number > before.timed_out]
        told = max(new or process.incidents[-1:], key=_in_line, default=None)
        if told is None or now - (told.at + process.offset) > YOUNG_SECONDS:
            return ""
        return blame.sentence(told, times, named=len(process.pools) > 1)

    def _share(self, process: Process, before: Before, now: float) -> None:
        """Tell that a connection of another process is used in a fork of it."""
        if before.counters is None and not _is_young(process, now):
            return
        sites = [
            each.site
            for each in process.notices
            if each.number > before.noticed and each.kind == INHERITED
        ]
        if sites:
            text, site = SHARED.again(len(sites)), next(filter(None, sites), "")
            text = f"{text}: {printable(site)}" if site else text
            self._happened(SHARED, process.identity, text, now)

    def _notice(
        self, process: Process, before: Before, known: Counters, now: float
    ) -> None:
        """Tell what happened to connections and should not; the last few one by one.

        Leaks that are counted and not among these are told with the last one.
        """
        new = [
            each
            for each in process.notices
            if each.number > before.noticed
            and each.kind in faults.KINDS
            and (before.counters is not None or _is_recent(each, process, now))
        ]
        leaks = [each for each in new if each.kind in LEAKS]
        none = sum(each.kind == RETURNED for each in new)
        others = max(process.counters.leaks - known.leaks + none - len(leaks), 0)
        for each in new:
            amount = 1 + others if leaks and each is leaks[-1] else 1
            kind, text = faults.KINDS[each.kind], faults.sentence(each)
            if amount > 1:
                text = f"{text}; {others} more leaked"
            self._happened(
                kind,
                process.identity,
                text,
                now,
                amount=amount,
                sites=once_at(each.site),
            )

    def _happened(
        self,
        kind: Kind,
        identity: Identity,
        text: str,
        now: float,
        *,
        amount: int = 1,
        sites: Tallies = (),
    ) -> None:
        place = Place(identity.hostname, identity.program)
        event = Event(kind, place, identity.pid, text, now, amount, sites)
        self._throttle.take(event, now)

    def _forget(self) -> None:
        """Forget the full pools of processes that are not linked here any more."""
        for token in list(self._full):
            process = self._board.processes.get(token)
            if process is None or not process.live or process.home != self._board.home:
                self._full.discard(token)


def _is_young(process: Process, now: float) -> bool:
    """Whether connmon has been in the process for a short time only."""
    began = process.began
    return began is not None and now - began <= YOUNG_SECONDS


def _is_recent(notice: Notice, process: Process, now: float) -> bool:
    """Whether something was noticed a short time ago only."""
    return now - (notice.at + process.offset) <= YOUNG_SECONDS


def _last(told: Sequence[Notice] | Sequence[Incident]) -> int:
    """The number of the last one, zero if there is none."""
    return told[-1].number if told else 0


def _in_line(incident: Incident) -> tuple[int, int]:
    """How many were; of as many the newest counts."""
    return incident.waiting, incident.number


def _may_be_full(process: Process) -> bool:
    """Whether enough is out to fill one of its pools; told without counting."""
    out = process.checkouts
    for pool in process.pools.values():
        bound = places(pool.facts)
        if bound is not None and out >= bound:
            return True
    return False


def _full_pool(process: Process) -> str:
    """The first full pool of a process, in words; it is named if there are several."""
    out = Counter(
        each.pool for each in process.connections.values() if each.takes_place
    )
    for id, pool in process.pools.items():
        facts = pool.facts
        bound = places(facts)
        if bound is not None and out[id] >= bound:
            which = f"pool {shown(facts.name)}" if len(process.pools) > 1 else "pool"
            return (
                f"{which} full: {out[id]} of {bound} checked out "
                f"(pool_size {facts.size}, max_overflow {facts.max_overflow})"
            )
    return "pool full"
