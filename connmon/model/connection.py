"""One connection of a process: who has it, since when, and how often it was out.

How the two kinds of thread share it is said in ``connmon.model.ledger``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING

from connmon.model.closings import COLLECTED, DISPOSE, OTHER, TENTATIVE
from connmon.model.histogram import BOUNDS
from connmon.model.holding import Owner
from connmon.model.records import DETACHED, IDLE, OUT, ConnectionRecord

if TYPE_CHECKING:
    from connmon.model.pool import Pool
    from connmon.model.presence import Presence

NOT_IDLE = 2
"""What ``Connection.taken`` leaves to do when the connection was out, or closed."""

LASTED = 2
"""What ``Connection.returned`` leaves to do when it was out for more than a moment."""

CLOSED = 3
"""A state that is never told: the connection is known to be gone."""

ENDING = -1
"""What ``Connection.transaction_use`` is while a transaction is committed."""

_TAKEN = (OUT, DETACHED)
"""The states in which somebody has the connection."""

_SHORTEST = BOUNDS[0]


class Connection:
    """One database connection of this process, from its opening to its closing."""

    __slots__ = (
        "_folded_ended",
        "_folded_uses",
        "_told",
        "address",
        "announced",
        "disposed",
        "executed",
        "fate",
        "holder",
        "id",
        "leak",
        "leaked",
        "lot",
        "opened",
        "owner",
        "pool",
        "process",
        "session",
        "since",
        "site",
        "state",
        "tag",
        "transaction",
        "transaction_use",
        "uses",
    )

    def __init__(self, id: int, pool: Pool, now: float) -> None:
        """Made by ``Ledger.connection`` only."""
        self.id = id
        self.pool = pool
        #: The whole process's presence, where that is more than the pool's.
        self.process: Presence | None = None
        self.state = IDLE
        self.since = self.opened = now
        self.owner: Owner = None
        #: A weak reference to what its owner has of it, while it is out.
        self.holder: Callable[[], object] | None = None
        #: Where in the application it was taken, as ``Ledger.site_name`` knows it.
        self.site: object = None
        #: What the application called its work then.
        self.tag = ""
        #: What the server calls it, and where the server sees it come from.
        self.session: int | None = None
        self.address = ""
        self.uses = 0
        #: Why it will be closed, as far as that is known before; once it is closed, why
        #: it was, until that is counted.
        self.fate = ""
        #: Which of its uses was the last that leaked, and why nobody can end that.
        self.leaked = 0
        self.leak = ""
        #: Since when it has been in a transaction, and in which of its uses that began:
        #: it is in one as long as that use goes on. Zero is in none.
        self.transaction = 0.0
        self.transaction_use = 0
        #: When a statement of that was last done, ``None`` while one is executed.
        self.executed: float | None = None
        #: What it has in common with the others of its pool, until that is disposed of
        #: and another one comes; and whether that has happened.
        self.lot: object = None
        self.disposed = False
        #: Whether a node knows of it.
        self.announced = False
        self._folded_uses = self._folded_ended = 0
        self._told: tuple[object, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether the connection is known to be gone."""
        return self.state == CLOSED

    @property
    def is_collected(self) -> bool:
        """Whether its last use has leaked, and nobody returns it any more."""
        return self.leaked == self.uses and not self.leak

    @property
    def takes_place(self) -> bool:
        """Whether it takes one of the places that its pool has for checkouts."""
        return self.state == OUT and not self.disposed

    def taken(self, now: float, owner: Owner, site: object = None) -> int:
        """Note a checkout; what is left to do. The thread that took it.

        Zero is nothing, ``NOT_IDLE`` that nothing was noted, anything else that the
        pool must be stirred. One step, as ``connmon.model.ledger`` has it: no call
        between the first store and the last.
        """
        if self.state != IDLE:
            return NOT_IDLE
        pool, process = self.pool, self.process
        self.state = OUT
        self.since = now
        self.owner = owner
        self.site = site
        self.uses += 1
        pool.out = out = pool.out + 1
        if process is not None:
            process.out = out_of_all = process.out + 1
            if out_of_all > process.max_out:  # noqa: PLR1730  see Presence.add()
                process.max_out = out_of_all
        if out > pool.max_out:  # noqa: PLR1730
            pool.max_out = out
        return pool.quiet

    def returned(self, now: float) -> int:
        """Note a check-in; what is left to do. The thread that had it.

        Zero is nothing, ``LASTED`` to see who returns it and to stir the pool, anything
        else to stir the pool. One step likewise.
        """
        if self.state != OUT:
            return 0
        pool, process = self.pool, self.process
        held = now - self.since
        bucket = bisect_left(BOUNDS, held) if held > _SHORTEST else 0
        self.state = IDLE
        self.since = now
        pool.held += held
        pool.out -= 1
        if process is not None:
            process.out -= 1
        if bucket:
            pool.holds[bucket] += 1
            return LASTED
        return pool.quiet

    def ended(self, now: float, state: int) -> None:
        """Go to another state than idle, ending a checkout if there is one.

        One step likewise. The thread that has the connection, or the last that had.
        """
        pool, process = self.pool, self.process
        held = now - self.since
        bucket = bisect_left(BOUNDS, held)
        if self.state == OUT:
            pool.holds[bucket] += bucket > 0
            pool.held += held
            pool.lost += state == DETACHED
            pool.emptied += state == CLOSED
            pool.out -= 1
            if process is not None:
                process.out -= 1
        self.state = state
        self.since = now
        self.holder = None
        if state == CLOSED:
            pool.following.discard(self)

    def join(self, process: Presence) -> None:
        """Be counted with those of other pools too, from now on. Any thread.

        One step likewise.
        """
        if self.process is None:
            process.out += self.state == OUT
            self.process = process

    def shared(self) -> None:
        """Another user of a connection that is out already, as in ``StaticPool``.

        It is taken twice and given back once.
        """
        if self.transaction_use == self.uses:
            self.transaction_use += 1
        self.uses += 1
        self.pool.lost += 1
        self.pool.stir()

    def outlives_pool(self) -> None:
        """Its pool is disposed of, and another takes that one's place. Any thread."""
        self.fate = DISPOSE
        self.disposed = True
        self.pool.stir()

    def unheard(self) -> str:
        """Why it is gone, if no event tells that it is. Any thread."""
        fate = self.fate
        if fate not in TENTATIVE:
            return fate
        if fate == DISPOSE and self.state != DETACHED:
            return fate
        # Whoever makes a connection has it, unless something refuses it.
        return COLLECTED if self.uses else OTHER

    def begins(self, now: float) -> bool:
        """Note a transaction's first statement, unless nobody has the connection.

        Nor does what is executed to end a transaction begin one. Whoever has it; one
        step likewise.
        """
        if self.state not in _TAKEN or self.transaction_use == ENDING:
            return False
        self.transaction = now
        self.executed = None
        self.transaction_use = self.uses
        return True

    def ends(self) -> bool:
        """Note that a transaction is about to end, if there is one.

        Whoever has it, and who sets ``transaction_use`` to zero when that is done.
        """
        if self.transaction_use != self.uses or self.state not in _TAKEN:
            return False
        self.transaction_use = ENDING
        return True

    def used_at(self, now: float) -> float:
        """When whoever has it last executed something, as far as that is followed."""
        if self.transaction_use == self.uses and self.executed is None:
            return now
        return self.executed or 0.0

    def leaks(self, use: int, why: str = "") -> bool:
        """Note that its last use, if it is that one, has leaked. Any thread.

        ``why`` says so of one that goes on. Whether that was news. One step likewise.
        """
        if use != self.uses or (why and self.state != OUT):
            return False
        if use == self.leaked:
            if not why:
                # Whoever may still have had it has not.
                self.leak = ""
            return False
        self.leak = why
        self.leaked = use
        self.pool.leaks += 1
        return True

    def recovers(self) -> bool:
        """Take back that its use goes on and has leaked, if so: it has been returned.

        Who returns it, before anybody else can have it. One step likewise.
        """
        if not self.leak or self.leaked != self.uses:
            return False
        self.leak = ""
        self.leaked = 0
        self.pool.leaks -= 1
        return True

    def has_news(self) -> bool:
        """Whether it is not as it was last told of. Reporting thread."""
        return _told(self._seen()) != self._told

    def look(self) -> ConnectionRecord | None:
        """The connection as it is now, ``None`` if closed. Any thread."""
        return self._record(self._seen())

    def record(self) -> ConnectionRecord | None:
        """The connection as it is reported, ``None`` if closed. Reporting thread."""
        seen = self._seen()
        if seen[0] != CLOSED:
            self.announced = True
            self._told = _told(seen)
        return self._record(seen)

    def _seen(self) -> _Seen:
        """What changes, all of the same moment."""
        return (
            self.state,
            self.since,
            self.uses,
            self.tag,
            self.leaked,
            self.disposed,
            self.transaction_use,
            self.transaction,
            self.executed,
            self.owner,
            self.site,
            self.leak,
        )

    def _record(self, seen: _Seen) -> ConnectionRecord | None:
        state, since, uses, tag, leaked, disposed, *_, owner, site, leak = seen
        if state == CLOSED:
            return None
        ledger, known = self.pool.ledger, state != IDLE
        return ConnectionRecord(
            self.id,
            self.pool.id,
            state,
            since,
            self.opened,
            uses,
            ledger.owner_name(owner) if known else "",
            ledger.site_name(site) if known else "",
            self.session,
            self.address,
            tag if known else "",
            *_transaction(seen),
            leak if state == OUT and leaked == uses else "",
            disposed,
        )

    def fold(self) -> None:
        """Add what happened since the last fold to the pool's. Reporting thread."""
        uses, ended = self.uses, self.uses - (self.state == OUT)
        self.pool.uses += uses - self._folded_uses
        self.pool.ended += ended - self._folded_ended
        self._folded_uses, self._folded_ended = uses, ended

    def count_closing(self) -> None:
        """Add its closing to the pool's, once. Reporting thread."""
        if self.fate:
            self.pool.closings.add(self.fate)
            self.fate = ""


_Seen = tuple[
    int, float, int, str, int, bool, int, float, float | None, Owner, object, str
]
"""What changes of a connection, in the order of ``Connection._seen``."""


def _transaction(seen: _Seen) -> tuple[float | None, float | None]:
    """Since when it has been in a transaction, and since when idle in that."""
    state, _, uses, _, _, _, use, began, executed, *_ = seen
    if state not in _TAKEN or use not in (uses, ENDING):
        return None, None
    return began, None if use == ENDING else executed


def _told(seen: _Seen) -> tuple[object, ...]:
    """What a node must be told of when it is another."""
    return (*seen[:6], *_transaction(seen))
