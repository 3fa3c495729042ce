"""Which checkouts of a pool are followed into their transactions.

All, up to ``FOLLOWED`` between two keepings of the books, a second apart. In a pool
that is used more than that, so many every ``REST_SECONDS``, unless all are wanted. One
that is followed is so from its beginning to its end. While none is and none will be,
nothing of ours stands in the way of who executes something: what hears that *rests*.
That is seldom begun and ended, since Python's caches for the attributes of dialects
have to be filled anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from os import getpid
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import finalize

from connmon.client import native
from connmon.client.hearing import Hearing, hearing_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from connmon.model.connection import Connection
    from connmon.model.pool import Pool


FOLLOWED = 500
"""How many checkouts of a pool are followed in a second, unless all are wanted.

A short transaction takes a microsecond or two: this is 0.1 % of a CPU at most.
"""

REST_SECONDS = 10.0


class Following:
    """The connections that are out and followed, and what hears of their transactions.

    Pools whose engines share a dialect share this. Application threads let the hearing
    rest, and the reporting thread ends that. Neither waits for the other: what cannot
    be done at once is left undone.
    """

    def __init__(self, broke: Callable[[Exception], None]) -> None:
        """None is followed; what fails of ours is told to ``broke``."""
        self.connections: set[Connection] = set()
        #: Of how many pools.
        self.pools = 0
        self._hearings: list[Hearing] = []
        self._broke = broke
        self._turn = native.find().allocate_lock()
        self._pid = getpid()

    def joins(self, pool: Pool) -> None:
        """A pool has just got a book in this process. Any thread.

        In a fork's child, what was out at the fork is another process's business, and
        whoever had the turn does not give it back.
        """
        if self._pid != getpid():
            self._pid = getpid()
            self.connections.clear()
            self._turn = native.find().allocate_lock()
        pool.following = self.connections
        pool.resume = self.resume

    def hear(self, engine: Engine) -> bool:
        """Hear of an engine's transactions as long as it is there.

        Whether that can be: a dialect that does not let its callables be replaced goes
        without.
        """
        dialect = engine.dialect
        try:
            hearing = hearing_of(dialect)
            if hearing is None:
                hearing = Hearing(dialect, self, self._broke)
                hearing.begin()
            if hearing not in self._hearings:
                self._hearings.append(hearing)
            hearing.engines += 1
            finalize(engine, hearing.left).atexit = False
        except Exception as error:
            self._broke(error)
            return False
        return True

    def rest(self, pool: Pool) -> None:
        """Hear nothing, if nothing of this pool is followed, nor will be. Any thread.

        A thread that is about to follow a checkout, and has not said so yet, is not
        known of here. Then nothing is told of that one.
        """
        if self.pools > 1 or not self._turn.acquire(False):
            return
        try:
            if not self.connections and pool.followed_left <= 0:
                for hearing in self._hearings:
                    hearing.rest()
        except Exception as error:
            self._broke(error)
        finally:
            self._turn.release()

    def resume(self, pool: Pool) -> float | None:
        """Follow some more checkouts of a pool; when to ask again, if not yet.

        The reporting thread, and whoever first uses a pool in a process.
        """
        now = monotonic()
        is_busy = pool.followed_left <= 0
        if is_busy and now < pool.refilled + REST_SECONDS:
            return pool.refilled + REST_SECONDS
        if not self._turn.acquire(False):
            return now
        try:
            for hearing in self._hearings:
                hearing.resume()
            pool.followed_left, pool.refilled = pool.followed, now
        except Exception as error:
            self._broke(error)
        finally:
            self._turn.release()
        return None


def following_of(dialect: Any, broke: Callable[[Exception], None]) -> Following:
    """What follows the checkouts of pools with this dialect, made if there is none."""
    hearing = hearing_of(dialect)
    return Following(broke) if hearing is None else hearing.following
