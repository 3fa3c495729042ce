"""Who has a connection: a thread, or an asyncio task."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from connmon.model.holding import Owner
from connmon.wire.commands import NAME_LIMIT


def current_owner(pool: Any) -> Callable[[], Owner]:
    """What to ask, at each checkout from this pool, who it is for.

    A thread is known by its number, for that costs least; gevent and eventlet, where
    they have patched it, number their greenlets. A task is known by its name: a
    reference to it would keep alive what it holds.
    """
    if not getattr(pool._dialect, "is_async", False):
        return threading.get_ident
    return _current_task


def _current_task() -> Owner:
    """The name of the running task, or the thread if none is running."""
    # Loaded long ago by SQLAlchemy, for the pool of an asyncio driver.
    from asyncio import current_task

    try:
        task = current_task()
    except RuntimeError:
        task = None
    return threading.get_ident() if task is None else task.get_name()


def owner_name(owner: Owner) -> str:
    """What to call an owner that was noted; any thread, without a lock."""
    if isinstance(owner, str):
        return owner[:NAME_LIMIT]
    # Not enumerate(), which waits for a lock that a patched program may hold.
    thread = threading._active.get(owner)  # type: ignore[attr-defined]
    return f"thread {owner}" if thread is None else str(thread.name)[:NAME_LIMIT]
