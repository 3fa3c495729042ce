"""Which node to try next, and when: the rule for clients and consoles alike.

::

    next_hop -> (address, wait) ... next_hop -> (address, wait) ...
                    `-- arrived: the next loss starts again without a pause

All addresses are tried once in random order; then comes a pause that grows with each
round, with jitter so that a fleet does not move in step, and a new random order.
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

    def __init__(self, addresses: tuple[AnyAddress, ...], random: Random) -> None:
        """Walk over ``addresses``, at least one, in an order drawn from ``random``."""
        self._addresses = addresses
        self._random = random
        self._ahead: list[AnyAddress] = []
        self._rounds = 0

    def next_hop(self) -> tuple[AnyAddress, float]:
        """The address to try, and the seconds to wait before trying it."""
        wait = 0.0
        if not self._ahead:
            self._ahead = self._random.sample(self._addresses, len(self._addresses))
            wait = self._pause()
            self._rounds += 1
        return self._ahead.pop(), wait

    def arrived(self) -> None:
        """The address tried last answered: when it is lost, begin afresh."""
        self._ahead = []
        self._rounds = 0

    def _pause(self) -> float:
        """Nothing before the first round; then growing, between half and all of it."""
        if self._rounds == 0:
            return 0.0
        # An outage may last for more rounds than a float has powers of two.
        longest = FIRST_PAUSE * 2.0 ** min(self._rounds - 1, _DOUBLINGS)
        return min(longest, LONGEST_PAUSE) * self._random.uniform(0.5, 1.0)
