"""One process, as a node knows it: its own latest word, and where it was said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from connmon.model import figures, servers
from connmon.model.figures import Figures
from connmon.model.histogram import Histogram, joined
from connmon.model.holding import LISTED, REPEATED
from connmon.model.lately import MINUTE, Durations, Lately, Waited
from connmon.model.notices import REPEATED as NOTICES
from connmon.model.rate import Rate
from connmon.model.records import (
    DETACHED,
    LIVE,
    OUT,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Incident,
    Maxima,
    Notice,
    PoolFacts,
    PoolRecord,
    Report,
    Standing,
    WaiterRecord,
)
from connmon.model.servers import Claims
from connmon.model.trouble import NONE, Lapse, Trouble, by_pool, noticed

#: A pool of which nothing was known.
_NOTHING = PoolRecord(
    0, PoolFacts("", ""), Counters(), Maxima(), Histogram(), Histogram()
)


_Numbered = TypeVar("_Numbered", bound=Incident | Notice)


class Process:
    """One process's record. ``clock`` is its own clock's reading at its last word.

    ``heard`` is when that came, by the node's clock; of a process that is not live, it
    is when its end was noticed. ``rate`` is of its checkouts, as far as they were seen.
    ``waiting`` is how many wait for a connection, ``waiters`` the longest of them.
    ``incidents`` and ``notices`` are its last few, the oldest first; they stay when it
    is gone. ``engines`` tells which lines of it made how many engines.
    """

    __slots__ = (
        "_began",
        "_claims",
        "_figures",
        "_lapses",
        "_odd",
        "_silent",
        "_timeouts",
        "_waits",
        "checkouts",
        "clock",
        "connections",
        "counters",
        "engines",
        "heard",
        "home",
        "identity",
        "incidents",
        "maxima",
        "notices",
        "pools",
        "rate",
        "standing",
        "waiters",
        "waiting",
    )

    def __init__(self, identity: Identity, home: Home) -> None:
        """A process that has not said anything yet."""
        self.identity = identity
        self.home = home
        self.standing = Standing(0, 0, LIVE)
        self.heard = 0.0
        self.clock = 0.0
        #: How long after its last word its end was noticed.
        self._silent = 0.0
        self._began: float | None = None
        self.counters = Counters()
        self.maxima = Maxima()
        self.pools: dict[int, PoolRecord] = {}
        self.connections: dict[int, ConnectionRecord] = {}
        self.checkouts = 0
        self.waiting = 0
        self.waiters: tuple[WaiterRecord, ...] = ()
        self.incidents: tuple[Incident, ...] = ()
        self.notices: tuple[Notice, ...] = ()
        self.engines: tuple[tuple[str, int], ...] = ()
        self.rate: Rate | None = None
        self._figures: Figures | None = None
        self._claims: Claims | None = None
        #: Of the last minute, by pool; made when there is one.
        self._timeouts: dict[int, Lately] = {}
        self._waits: dict[int, Durations] = {}
        #: By pool; of those in which there was any.
        self._lapses: dict[int, Lapse] = {}
        #: Whether a connection was told of that is in no pool.
        self._odd = False

    @property
    def offset(self) -> float:
        """What leads from a reading of its clock to one of the node's."""
        return self.heard - self._silent - self.clock

    @property
    def began(self) -> float | None:
        """When connmon began in it, by the node's clock; ``None`` if it did not say."""
        return None if self._began is None else self._began + self.offset

    @property
    def figures(self) -> Figures:
        """How full its pools are; computed when asked for, once for each report."""
        if self._figures is None:
            self._figures = figures.of_process(
                self.pools,
                self.connections.values(),
                self.offset,
                self.waiters,
                self._known_lapses(),
            )
        return self._figures

    def troubles(self) -> dict[int, Trouble]:
        """What is wrong by pool, beside how full it is; also of some that are gone."""
        connections = self.connections.values()
        still = figures.still(self.pools, connections, self.offset, self.waiters)
        return by_pool(still, connections, self._known_lapses())

    @property
    def has_claims(self) -> bool:
        """Whether its claims are those that were computed last."""
        return self._claims is not None

    @property
    def claims(self) -> Claims:
        """What it asks of each database server; computed when asked for.

        It is again only after something was opened or closed, or a pool is new.
        """
        if self._claims is None:
            self._claims = servers.of_process(
                self.identity.hostname,
                self.pools,
                self.connections.values(),
            )
        return self._claims

    @property
    def live(self) -> bool:
        """Whether it counts in the current figures."""
        return self.standing.state == LIVE

    @property
    def suspect(self) -> bool:
        """Whether something may be wrong with it although nothing is out of a pool.

        It may not be, but else it is not.
        """
        return self._odd or bool(self._lapses) or bool(self.notices)

    @property
    def load(self) -> tuple[int, int, int, int]:
        """What it adds to the current sums."""
        return int(self.live), len(self.connections), self.checkouts, self.waiting

    def waited(self, report: Report) -> Waited | None:
        """What a report says more of waits, before it is accepted.

        ``None`` if there are none. Of a process that was not heard before, all are; of
        one that was thought to be gone, it is not known.
        """
        if not self.live and self.counters != Counters():
            return None
        waits: dict[int, tuple[int, ...]] = {}
        timeouts: dict[int, int] = {}
        for pool in report.pools:
            known = self.pools.get(pool.id)
            before = _NOTHING if known is None else known
            if pool.waits != before.waits:
                pairs = zip(pool.waits.counts, before.waits.counts, strict=True)
                more = tuple(max(after - was, 0) for after, was in pairs)
                if any(more):
                    waits[pool.id] = more
            grown = pool.counters.timeouts - before.counters.timeouts
            if grown > 0:
                timeouts[pool.id] = grown
        return Waited(waits, timeouts) if waits or timeouts else None

    def note_waits(self, waited: Waited, now: float) -> None:
        """Note what happened to those who waited, for the last minute."""
        for pool, count in waited.timeouts.items():
            self._timeouts.setdefault(pool, Lately()).add(count, now)
        for pool, counts in waited.waits.items():
            self._waits.setdefault(pool, Durations()).add(counts, now)

    def timeouts_lately(self, now: float, pool: int | None = None) -> int:
        """How many checkouts timed out in the last 60 seconds, of a pool or of all."""
        return sum(
            each.within(now)
            for id, each in self._timeouts.items()
            if pool is None or id == pool
        )

    def waits_lately(self, now: float, pool: int | None = None) -> Histogram:
        """How long those waited who were done with it in the last 60 seconds.

        Of a pool or of all; their sum in seconds is not known.
        """
        return joined(
            each.histogram(now)
            for id, each in self._waits.items()
            if pool is None or id == pool
        )

    def accept(self, report: Report, heard: float) -> None:
        """Take a report's content as the truth, whole or on top of what is held.

        It was ``heard`` then, by the node's clock.
        """
        self.heard = heard
        self._figures = None
        self._note_lapses(report)
        if _reclaims(report, self.pools):
            self._claims = None
        if report.base is None:
            self._clear()
        for id in report.closed:
            gone = self.connections.pop(id, None)
            self.checkouts -= gone is not None and gone.state == OUT
        for record in report.connections:
            self._take(record)
        for id in report.dropped:
            self.pools.pop(id, None)
            self._timeouts.pop(id, None)
            self._waits.pop(id, None)
            self._lapses.pop(id, None)
        for pool in report.pools:
            self.pools[pool.id] = pool
        if report.base is None:
            lapses = self._lapses.items()
            self._lapses = {id: each for id, each in lapses if id in self.pools}
        self.clock = report.clock
        self._silent = 0.0
        self.counters = report.counters
        self.maxima = report.maxima
        self._began = report.began
        self.waiting = report.waiting
        self.waiters = report.waiters[:LISTED]
        self.engines = report.engines
        self.incidents = _last(self.incidents, report.incidents, REPEATED)
        self.notices = _last(self.notices, report.notices, NOTICES)

    def _take(self, record: ConnectionRecord) -> None:
        """A connection is so now."""
        before = self.connections.get(record.id)
        self.checkouts -= before is not None and before.state == OUT
        self.checkouts += record.state == OUT
        # Whoever says that one in its pool is in a transaction is believed, too.
        self._odd |= record.state != OUT and (
            record.state == DETACHED
            or record.transaction is not None
            or bool(record.leak)
        )
        if (
            before is None
            or before.pool != record.pool
            or before.is_apart is not record.is_apart
        ):
            self._claims = None
        self.connections[record.id] = record

    def count(self, grown: Counters | None, span: float, now: float) -> None:
        """Note what happened, for the rate; ``None`` is its first word."""
        if self.rate is None:
            self.rate = Rate(now)
        elif grown is not None:
            self.rate.add(grown.checkouts, span, now)

    def per_second(self, now: float) -> float | None:
        """Checkouts per second, as far as they can be known."""
        return None if self.rate is None else self.rate.per_second(now)

    def whole(self) -> Report:
        """All that is held, as one report."""
        return Report(
            sequence=self.standing.sequence,
            base=None,
            clock=self.clock + self._silent,
            span=0.0,
            counters=self.counters,
            maxima=self.maxima,
            pools=tuple(self.pools.values()),
            connections=tuple(self.connections.values()),
            began=self._began,
            waiting=self.waiting,
            waiters=self.waiters,
            incidents=self.incidents,
            notices=self.notices,
            engines=self.engines,
        )

    def wither(self, standing: Standing, now: float) -> None:
        """Become a tombstone: the totals stay, what was open does not."""
        self.standing = standing
        self._silent += now - self.heard
        self.heard = now
        self._timeouts.clear()
        self._waits.clear()
        self._lapses.clear()
        self._clear()

    def _note_lapses(self, report: Report) -> None:
        """Note how far counters have grown that should not, before it is accepted.

        Of pools of a process that nothing was known of, that is all they have if it is
        young, else nothing.
        """
        began = report.began
        is_young = began is not None and report.clock - began < MINUTE
        for pool in report.pools:
            known = self.pools.get(pool.id)
            if known is None:
                known = _NOTHING if self.pools or is_young else pool
            lapse = self._lapses.get(pool.id, NONE)
            after = lapse.after(known.counters, pool.counters, self.heard)
            if after != lapse:
                self._lapses[pool.id] = after

    def _known_lapses(self) -> dict[int, Lapse]:
        """Those that were noted, with the leaks that the process told of."""
        if not self.notices:
            return self._lapses
        return noticed(self._lapses, self.notices, self.offset, self.heard)

    def _clear(self) -> None:
        self._figures = self._claims = None
        self._odd = False
        self.pools.clear()
        self.connections.clear()
        self.checkouts = 0
        self.waiting = 0
        self.waiters = ()


def _reclaims(report: Report, known: Mapping[int, PoolRecord]) -> bool:
    """Whether a report ends connections or pools, or has other ones than are known."""
    if report.closed or report.dropped:
        return True
    pools = ((known.get(pool.id), pool) for pool in report.pools)
    return any(held is None or held.facts != pool.facts for held, pool in pools)


def _last(
    known: tuple[_Numbered, ...], told: tuple[_Numbered, ...], most: int
) -> tuple[_Numbered, ...]:
    """The last few of what there was; what is told anew is better known."""
    if not told:
        return known
    numbered = {each.number: each for each in known + told}
    return tuple(numbered[each] for each in sorted(numbered)[-most:])
