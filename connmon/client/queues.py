"""Who waits for a pool: heard where a queue is asked for a connection.

No event of SQLAlchemy's tells of a wait. But a ``QueuePool`` has a queue, whose ``get``
is told whether it may wait, and it may only once there are as many connections as the
pool allows. So the first thing is to notice that: ``_inc_overflow`` is called for each
new connection, and before the last one the queue's ``get`` is replaced. A pool that
never has all its connections pays nothing, nor does one without a bound or a queue.

The queue is then asked twice: at first not to wait. Whoever has to wait is entered
before, and taken out after, whatever ends the wait: a connection, the timeout, or an
exception of the application's, such as a task's cancellation.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from sqlalchemy.pool import QueuePool
from sqlalchemy.util.queue import Empty

from connmon.model.holding import Owner, Waiter
from connmon.model.pool import Pool

if TYPE_CHECKING:
    from connmon.client.listeners import Watch

_MOST = 1000
"""How many words of one wait are kept for its checkout, which takes its own."""


class Word:
    """What is known at the end of a wait, kept until its checkout ends as well.

    Nearly always that follows at once. If not, what is left is dropped one day.
    """

    __slots__ = ("kept",)

    def __init__(self) -> None:
        """Begin with none."""
        self.kept: dict[Owner, Waiter] = {}

    def keep(self, key: Owner, waiter: Waiter) -> None:
        """Keep it for ``take`` with the same key."""
        if len(self.kept) >= _MOST:
            self.kept.clear()
        self.kept[key] = waiter

    def take(self, key: Owner) -> Waiter | None:
        """What was kept, once."""
        return self.kept.pop(key, None)


def hear(watch: Watch, pool: Any, owner: Callable[[], Owner]) -> None:
    """Hear who waits for a pool, if it is one that can be waited for."""
    queue: Any = getattr(pool, "_pool", None)
    if not _is_usual(pool, queue) or pool._max_overflow <= -1:
        return
    get = _getting(watch, queue, owner)
    pool._inc_overflow = _growing(pool, queue, get)
    # A pool in use may be full, or be getting its last connection just now.
    if pool._overflow + 1 >= pool._max_overflow:
        queue.get = get


def _is_usual(pool: Any, queue: Any) -> bool:
    """Whether a pool is made as we know it; an application's own may not be."""
    names = ("_overflow", "_max_overflow", "_inc_overflow")
    return (
        isinstance(pool, QueuePool)
        and all(hasattr(pool, each) for each in names)
        and hasattr(queue, "get")
        and hasattr(queue, "__dict__")
    )


def _growing(pool: Any, queue: Any, get: Callable[..., Any]) -> Callable[[], bool]:
    """What takes the place of ``pool._inc_overflow``.

    It does not keep the pool alive: see ``Watch.let_go``.
    """
    this, that, kind = ref(pool), ref(queue), type(pool)

    def inc_overflow() -> bool:
        growing: Any = this()
        its: Any = that()
        # Before it grows, for after that another thread may wait at once.
        if growing._overflow + 1 >= growing._max_overflow and its is not None:
            its.get = get
        grown: bool = kind._inc_overflow(growing)
        return grown

    return inc_overflow


def _getting(
    watch: Watch, queue: Any, owner: Callable[[], Owner]
) -> Callable[..., Any]:
    """What takes the place of the queue's ``get``."""
    this, plain = ref(queue), type(queue).get

    def get(block: bool = True, timeout: float | None = None) -> Any:
        its = this()
        if not block:
            return plain(its, False)
        try:
            return plain(its, False)
        except Empty:
            pass
        noted = watch.waiter(owner)
        if noted is None:
            return plain(its, True, timeout)
        return _wait(watch, noted, lambda: plain(its, True, timeout))

    return get


def _wait(watch: Watch, noted: tuple[Pool, Waiter], take: Callable[[], Any]) -> Any:
    """Wait for a connection's record, noted as someone who does."""
    pool, waiter = noted
    try:
        watch.awaited(pool, waiter)
        record = take()
        if watch.keeps_waits:
            watch.waited.keep(waiter.owner, waiter)
        return record
    except Empty:
        # It is a timeout if the pool says so, in this thread, before anything else.
        watch.expired.keep(get_ident(), waiter)
        raise
    finally:
        try:
            watch.served(pool, waiter)
        finally:
            # A signal handler of the host's may have raised in the middle of that.
            watch.served(pool, waiter)
