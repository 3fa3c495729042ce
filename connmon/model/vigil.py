"""Connections out for too long, or twice, or whose owner has ended: the rule.

What is out is looked at again and again, in the reporting thread. An owner that has
ended may have given its connection to another, who will return it. So that is a leak
only if it is still out some seconds later, and it is not one where others were seen to
return what was taken there: see ``Pool.handed_over``. Nor is it a second checkout then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

from connmon.model.connection import Connection
from connmon.model.figures import places
from connmon.model.holding import Owner
from connmon.model.pool import Pool
from connmon.model.records import ABANDONED, NESTED, OUT, SLOW

LOOK_SECONDS = 1.0
"""The time between two looks, as long as an owner may end."""

GRACE_SECONDS = 3.0
"""How long a connection stays out after its owner's end was noticed, to be a leak."""


AGAIN_SECONDS = 60.0
"""How often the same line is told to take a second connection."""

MOST_LINES = 100
"""How many such lines are remembered."""


class Seen(NamedTuple):
    """What is to be told of one checkout, the ``use`` of its connection."""

    connection: Connection
    use: int
    kind: str
    seconds: float
    #: Of a leak, why nobody can return it.
    why: str = ""


class _Checkout:
    """What is known of one that goes on."""

    __slots__ = ("ended", "is_slow", "is_told", "use")

    def __init__(self, use: int) -> None:
        self.use = use
        #: Whether it was told that it takes long.
        self.is_slow = False
        #: When it was seen that its owner has ended.
        self.ended: float | None = None
        #: Whether that was told.
        self.is_told = False


class Vigil:
    """What was seen of the checkouts that go on, so that each is told of once."""

    def __init__(self, owner_end: Callable[[Owner], str | None]) -> None:
        """``owner_end`` says how an owner has ended: see ``Ledger``."""
        self._owner_end = owner_end
        self._known: dict[Connection, _Checkout] = {}
        #: When each line was last told to take a second connection, by pool.
        self._nested: dict[tuple[int, object], float] = {}

    def look(self, pools: Iterable[Pool], now: float) -> tuple[list[Seen], float]:
        """What is new at ``now``, and when there may be more to see; never: ``inf``."""
        before, self._known = self._known, {}
        found: list[Seen] = []
        due = inf
        for pool in pools:
            for each in list(pool.open) if pool.out else ():
                if each.state != OUT:
                    continue
                known = before.get(each)
                if known is None or known.use != each.uses:
                    known = _Checkout(each.uses)
                self._known[each] = known
                due = min(
                    due,
                    self._look_at_time(each, known, now, found),
                    self._look_at_owner(each, known, now, found),
                )
            self._look_at_both(pool, now, found)
        return found, due

    def _look_at_time(
        self, connection: Connection, known: _Checkout, now: float, found: list[Seen]
    ) -> float:
        """Whether it takes long by now; when it would, if nothing is known of that."""
        if known.is_slow:
            return inf
        due = connection.since + connection.pool.slow
        if now < due:
            return due
        known.is_slow = True
        found.append(Seen(connection, known.use, SLOW, now - connection.since))
        return inf

    def _look_at_owner(
        self, connection: Connection, known: _Checkout, now: float, found: list[Seen]
    ) -> float:
        """Whether its owner ended some time ago; when to ask again, if at all."""
        end = None if known.is_told else self._owner_end(connection.owner)
        if end is None:
            return inf
        if not end:
            return now + LOOK_SECONDS
        if known.ended is None:
            known.ended = now
        # As long as somebody uses it, somebody has it who may return it.
        known.ended = max(known.ended, connection.used_at(now))
        if now < known.ended + GRACE_SECONDS:
            return min(now + LOOK_SECONDS, known.ended + GRACE_SECONDS)
        known.is_told = True
        if not connection.pool.hands_over(connection.site):
            seconds = now - connection.since
            found.append(Seen(connection, known.use, ABANDONED, seconds, end))
        return inf

    def _look_at_both(self, pool: Pool, now: float, found: list[Seen]) -> None:
        """Whether somebody has two of a pool that others may have to wait for.

        What changes meanwhile is read again: the first must have been out all the time
        in which the other was seen, or the two may never have been out at once.
        """
        if pool.out < 2 or places(pool.facts) is None:
            return
        firsts: dict[Owner, tuple[Connection, int]] = {}
        for each in list(pool.open):
            use, owner = each.uses, each.owner
            if not each.takes_place or owner is None:
                continue
            first, its_use = firsts.setdefault(owner, (each, use))
            are_both = first.uses == its_use and first.takes_place
            if first is not each and are_both and each.uses == use:
                later = max(first, each, key=lambda one: one.since)
                if self._is_news(pool, later, now):
                    seconds = now - later.since
                    found.append(Seen(later, later.uses, NESTED, seconds))

    def _is_news(self, pool: Pool, connection: Connection, now: float) -> bool:
        """Whether its line is to be told to have taken a second one."""
        line = (pool.id, connection.site)
        told = self._nested.get(line)
        if told is not None and now < told + AGAIN_SECONDS:
            return False
        if pool.hands_over(connection.site):
            return False
        if len(self._nested) >= MOST_LINES:
            self._nested.clear()
        self._nested[line] = now
        return True
