"""Which node to try next, and when: the rule for clients and consoles alike.

::

    next_hop -> (address, wait) ... next_hop -> (address, wait) ...
                    `-- arrived: the next loss starts again without such a pause

All addresses are tried once in random order; then comes a pause that grows with each
round, with jitter so that a fleet does not move in step, and a new random order. A node
that was lost is tried after all others, and those who lost it at the same moment spread
over ``spread`` seconds before they come upon another.
"""

from __future__ import annotations

from random import Random

from connmon.config import AnyAddress

FIRST_PAUSE = 0.25
"""Seconds to wait, at most, after the first fruitless round."""

LONGEST_PAUSE = 4.0
"""Seconds to wait, at most, after many: also what a restarted node may have to wait."""

_DOUBLINGS = 20
"""More than enough to get from the first pause to the longest."""


class Route:
    """An endless walk over a service's addresses."""

    def __init__(
        self, addresses: tuple[AnyAddress, ...], random: Random, spread: float = 0.0
    ) -> None:
        """Walk over ``addresses``, at least one, in an order drawn from ``random``."""
        self._addresses = addresses
        self._spread = spread
        self._last: AnyAddress | None = None
        self._lost: AnyAddress | None = None
        self._random = random
        self._ahead: list[AnyAddress] = []
        self._rounds = 0

    @property
    def vain(self) -> bool:
        """Whether every address was tried in vain since the last arrival."""
        return self._rounds > 1

    def next_hop(self) -> tuple[AnyAddress, float]:
        """The address to try, and the seconds to wait before trying it."""
        wait = 0.0
        if not self._ahead:
            self._ahead = self._order()
            wait = self._pause()
            self._rounds += 1
        self._last = self._ahead.pop()
        return self._last, wait

    def arrived(self) -> None:
        """The address tried last answered: when it is lost, begin afresh."""
        self._ahead = []
        self._rounds = 0
        self._lost = self._last

    def _order(self) -> list[AnyAddress]:
        """All addresses, the next one last; one that was just lost comes after all."""
        order = self._random.sample(self._addresses, len(self._addresses))
        if self._rounds == 0 and self._lost is not None:
            order.remove(self._lost)
            order.insert(0, self._lost)
        return order

    def _pause(self) -> float:
        """Nothing before the first round; then growing, between half and all of it.

        The first round after a loss is spread.
        """
        if self._rounds == 0:
            spread = 0.0 if self._lost is None else self._spread
            return self._random.uniform(0.0, spread)
        # An outage may last for more rounds than a float has powers of two.
        longest = FIRST_PAUSE * 2.0 ** min(self._rounds - 1, _DOUBLINGS)
        return min(longest, LONGEST_PAUSE) * self._random.uniform(0.5, 1.0)
