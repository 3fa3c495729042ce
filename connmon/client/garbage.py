"""No garbage is collected in our thread.

Python's collector runs in whatever thread happens to allocate, and with it what dying
objects do. In a program of one thread, that has always been its own. SQLAlchemy returns
a forgotten connection to its pool there; when that happens in another thread, neither
asyncio nor eventlet notices, and who waits for the connection waits in vain. So our
thread asks the collector to stay away while it works; the garbage is collected a moment
later, by the application.

The application must not notice that either. The collector is off only between two calls
in which Python may switch to another thread: all that could, ours makes by ``aside``.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import TypeVar

from connmon.client import native

_Result = TypeVar("_Result")

#: Elsewhere objects die otherwise, and the collector cannot be kept away like this.
_POSSIBLE = sys.implementation.name == "cpython"


def _matters() -> bool:
    """Whether this program may have pools that only its own thread can return to.

    Elsewhere the collector is left alone altogether.
    """
    return "sqlalchemy.ext.asyncio" in sys.modules or native.is_patched()


class Garbage:
    """Whether the collector is off on behalf of the thread that has this."""

    def __init__(self) -> None:
        """It is not."""
        self._off = False

    def keep(self) -> None:
        """Keep the collector away, where that matters and it is not away anyway."""
        if _POSSIBLE and _matters() and gc.isenabled():
            self._off = True
            gc.disable()

    def leave(self) -> None:
        """Let the collector come. Also in a child that was forked in the middle."""
        if self._off:
            gc.enable()
            self._off = False

    def aside(self, function: Callable[..., _Result], *args: object) -> _Result:
        """Call something during which Python may switch to another thread."""
        off = self._off
        self.leave()
        try:
            return function(*args)
        finally:
            if off:
                self.keep()
