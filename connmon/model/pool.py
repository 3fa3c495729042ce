"""One pool of a process: what happened in it, who holds and who waits.

How the two kinds of thread share it is said in ``connmon.model.ledger``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from connmon.model.closings import Closings
from connmon.model.histogram import BOUNDS, Durations, Histogram
from connmon.model.holding import (
    EACH_SECOND,
    SHARING,
    SHORTEST_WAIT,
    Held,
    Instant,
    Waiter,
    longest_held,
    longest_waiting,
)
from connmon.model.presence import Presence
from connmon.model.records import (
    Counters,
    PoolFacts,
    PoolRecord,
    WaiterRecord,
)

if TYPE_CHECKING:
    from connmon.model.connection import Connection
    from connmon.model.ledger import Ledger


class Pool(Presence):
    """One engine's pool, through every ``dispose()`` of it, and its own presence."""

    __slots__ = (
        "_noted",
        "_second",
        "_told",
        "announced",
        "closings",
        "commits",
        "connect_failures",
        "connects",
        "creations",
        "detached_closes",
        "emptied",
        "ended",
        "facts",
        "followed",
        "followed_left",
        "following",
        "handing",
        "held",
        "holds",
        "id",
        "invalidations",
        "key",
        "leaks",
        "ledger",
        "lines",
        "lines_left",
        "lost",
        "quiet",
        "refilled",
        "resume",
        "retired",
        "rollbacks",
        "slow",
        "soft_invalidations",
        "timeouts",
        "uses",
        "waiting",
        "waits",
    )

    def __init__(self, ledger: Ledger, id: int, key: object, facts: PoolFacts) -> None:
        """Made by ``Ledger.pool`` only."""
        super().__init__()
        self.ledger = ledger
        self.id = id
        self.key = key
        self.facts = facts
        self.retired = False
        #: Whether anything ever happened in it, so that it is told of.
        self.announced = False
        #: Whether the reporting thread has seen all there is; the next mark stirs it.
        self.quiet = True
        self.creations = Durations()
        #: Ended checkouts that took longer than the first bucket, by bucket, and how
        #: long all of them took; what is left of ``ended`` is the first bucket.
        self.holds = [0] * (len(BOUNDS) + 1)
        self.held = 0.0
        self.connects = self.connect_failures = 0
        self.invalidations = self.soft_invalidations = 0
        self.commits = self.rollbacks = 0
        #: Checkouts that ended without a check-in.
        self.lost = 0
        #: Check-ins of a record whose connection was closed before, hence not reset.
        self.emptied = 0
        #: Detached connections that were closed by their user, hence reset.
        self.detached_closes = 0
        #: Who waits for a connection now.
        self.waiting: set[Waiter] = set()
        #: Waits that are over, however they ended.
        self.waits = Durations()
        self.timeouts = 0
        #: Connections that were certainly not returned by who took them.
        self.leaks = 0
        #: For longer than this, in seconds, no checkout should last.
        self.slow = inf
        #: The sites whose connections were returned by another than their owner.
        self.handing: set[object] = set()
        #: Of how many checkouts the line is noted from one keeping of the books to the
        #: next, and of how many more.
        self.lines: float = inf
        self.lines_left: float = inf
        #: The same of how many are followed into their transactions, what is asked to
        #: set the latter back to the former, and when it last did.
        self.followed: float = 0
        self.followed_left: float = 0
        self.refilled = -inf
        self.resume: Callable[[Pool], float | None] = lambda pool: None
        #: The connections that are out and followed.
        self.following: set[Connection] = set()
        #: When a second began, and how many timeouts there were in it.
        self._second, self._noted = -inf, 0
        # Kept by the reporting thread.
        self.uses = self.ended = 0
        self.closings = Closings()
        self._told = Counters()

    # The application's threads.

    def created(self, seconds: float) -> None:
        """A connection was made by the driver, which took so long. Any thread."""
        self.creations.add(seconds)

    def refused(self) -> None:
        """A connection could not be made. Any thread."""
        self.connect_failures += 1
        self.stir()

    def committed(self) -> None:
        """A transaction was committed. The thread that has its connection."""
        self.commits += 1
        self.stir()

    def rolled_back(self) -> None:
        """A transaction was rolled back. The thread that has its connection."""
        self.rollbacks += 1
        self.stir()

    def awaited(self, waiter: Waiter) -> None:
        """Someone begins to wait. The one who does."""
        self.waiting.add(waiter)
        self.stir()

    def served(self, waiter: Waiter, now: float) -> None:
        """Someone does not wait any more, with a connection or without.

        Told twice, it counts once. The one who waited.
        """
        if waiter in self.waiting:
            self.waiting.discard(waiter)
            seconds = now - waiter.since
            if seconds > SHORTEST_WAIT:
                self.waits.add(seconds)
            self.stir()

    def timed_out(self, waiter: Waiter, now: float) -> None:
        """A checkout failed, after a wait that is over. The one who waited."""
        self.timeouts += 1
        if self._is_noted(now):
            self.ledger.happened(self._instant(waiter, now))
        else:
            self.ledger.left_out()
        self.stir()

    def _is_noted(self, now: float) -> bool:
        """Whether a timeout is told of by itself: in a storm they only count."""
        if now - self._second >= 1.0:
            self._second, self._noted = now, 0
        self._noted += 1
        return self._noted <= EACH_SECOND

    def _instant(self, victim: Waiter, now: float) -> Instant:
        """Who holds and who waits, as it is now."""
        held = [
            Held(
                each.since,
                each.id,
                each.owner,
                each.site,
                each.session,
                each.address,
                each.tag,
            )
            for each in list(self.open)
            if each.takes_place
        ]
        line = list(self.waiting)
        holders, waiters = longest_held(held), longest_waiting(line)
        listed = {victim.owner, *(each.owner for each in holders + waiters)}
        return Instant(
            self.id,
            self.facts,
            now,
            self.timeouts,
            victim,
            len(held),
            holders,
            len(line),
            waiters,
            frozenset(each.owner for each in held),
            {owner: self.ledger.owner_name(owner) for owner in listed},
        )

    def handed_over(self, site: object) -> None:
        """A connection that was taken there has, or had, another owner. Any thread."""
        if len(self.handing) < SHARING:
            self.handing.add(site)

    def hands_over(self, site: object) -> bool:
        """Whether somebody else may return what was taken there. Any thread."""
        return site in self.handing or len(self.handing) >= SHARING

    def stir(self) -> None:
        """Have the reporting thread look at this pool, unless it is about to."""
        if self.quiet:
            stirred = self.quiet = False
            try:
                stirred = self.ledger.stir(self)
            finally:
                # Also when a signal handler of the host's raises in the middle.
                if not stirred:
                    self.quiet = True

    # The reporting thread.

    def refill(self) -> None:
        """Look closely at some more checkouts. Reporting thread."""
        self.lines_left = self.lines
        if self.followed_left != self.followed:
            self.resume(self)

    @property
    def is_exhausted(self) -> bool:
        """Whether no more checkouts are followed for now. Reporting thread."""
        return self.followed_left <= 0 < self.followed

    def news(self) -> Counters:
        """What was counted since the last time. Reporting thread."""
        total = self._total()
        news = total.minus(self._told)
        self._told = total
        return news

    def _total(self) -> Counters:
        """The totals, as far as the books are kept.

        What follows from two numbers that change at different moments is never less
        than it was told to be.
        """
        checkins = self.ended - self.lost
        return Counters(
            checkouts=self.uses,
            checkins=max(checkins, self._told.checkins),
            connects=self.connects,
            connect_failures=self.connect_failures,
            closes=max(self.connects - len(self.open), self._told.closes),
            invalidations=self.invalidations,
            soft_invalidations=self.soft_invalidations,
            resets=max(
                checkins - self.emptied + self.detached_closes, self._told.resets
            ),
            commits=self.commits,
            rollbacks=self.rollbacks,
            waits=sum(self.waits.counts),
            timeouts=self.timeouts,
            leaks=self.leaks,
        )

    def record(self) -> PoolRecord:
        """The pool as it is reported. Reporting thread."""
        longer = self.holds[1:]
        shortest = max(self.ended - sum(longer), 0)
        return PoolRecord(
            self.id,
            self.facts,
            self._told,
            self.maxima(),
            Histogram((shortest, *longer), self.held),
            self.creations.histogram(),
            self.waits.histogram(),
            self.closings.told(),
        )

    def line(self) -> list[WaiterRecord]:
        """Who waits now, the longest first, at most ``LISTED``. Any thread."""
        waiters = list(self.waiting)
        if not waiters:
            return []
        owners = {each.owner for each in list(self.open) if each.takes_place}
        listed = longest_waiting(waiters)
        return [
            WaiterRecord(
                self.id,
                each.since,
                self.ledger.owner_name(each.owner),
                self.ledger.site_name(each.site),
                each.owner in owners,
                each.tag,
            )
            for each in listed
        ]
