"""Looks at what is out, again and again, as long as there may be something to see.

A look costs the reporting thread a moment, and a wakeup unless it is awake anyway.
While nothing is out, there is none, but for one after a pool was used very much. All
here is the reporting thread's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connmon.model.ledger import Ledger
from connmon.model.vigil import LOOK_SECONDS


class Lookout:
    """When a ledger's checkouts are looked at: at most once a second."""

    def __init__(
        self, reactor: Any, ledger: Ledger, warn: Callable[[str], None]
    ) -> None:
        """Made in any thread. ``warn`` is told if something of ours fails."""
        self._reactor = reactor
        self._ledger = ledger
        self._warn = warn
        self._looked = float("-inf")
        self._call: Any = None

    def attend(self) -> None:
        """The books were kept just now, so that what is taken next will be heard."""
        next_look = self._looked + LOOK_SECONDS
        if self._reactor.seconds() >= next_look:
            self._look()
        elif self._ledger.needs_looks:
            self._expect(next_look)

    def _look(self) -> None:
        self._looked = self._reactor.seconds()
        self._drop()
        try:
            due = self._ledger.look(self._looked)
        except Exception as error:
            self._warn(f"{type(error).__name__}: {error}")
            return
        if due is not None:
            self._expect(max(due, self._looked + LOOK_SECONDS))

    def _expect(self, at: float) -> None:
        """Look then, unless that is to be earlier anyway."""
        if self._call is not None and self._call.active():
            at = min(at, self._call.getTime())
        self._drop()
        wait = max(at - self._reactor.seconds(), 0.0)
        self._call = self._reactor.callLater(wait, self._look)

    def _drop(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
