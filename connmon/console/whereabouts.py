"""The stack that a viewer looks at: asked for once each time, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from connmon.console import holders
from connmon.console.holders import NoStacks, Whose
from connmon.console.text import Glyphs
from connmon.model.stacks import Found


class Asked(Protocol):
    """Whoever can be asked."""

    def stacks(self, whose: Whose) -> Deferred[tuple[Found, ...]]:
        """Ask where the holders of connections are now; may fail with ``NoStacks``."""


class Whereabouts:
    """The lines of the last answer."""

    def __init__(
        self, glyphs: Glyphs, clock: Callable[[], str], changed: Callable[[], None]
    ) -> None:
        """Call ``changed`` when there are others; ``clock`` says the time of day."""
        self.lines: tuple[str, ...] = ()
        self._glyphs = glyphs
        self._clock = clock
        self._changed = changed
        self._whose: Whose | None = None
        self._is_asking = False

    def ask(self, of: Asked, whose: Whose) -> None:
        """Ask; again for the same, the last answer stays until there is another."""
        if whose == self._whose and self._is_asking:
            return
        if whose != self._whose:
            self.lines = ("asking the process",)
        self._whose = whose
        self._is_asking = True
        asked = of.stacks(whose)
        asked.addCallbacks(self._told, self._failed, (whose,), {}, (whose,))

    def stop(self) -> None:
        """Show no answer any more."""
        self._whose = None

    def _told(self, found: tuple[Found, ...], whose: Whose) -> None:
        lacking = holders.lacking(found, whose, self._glyphs)
        lines = [lacking] if lacking else holders.lines(found[0], self._glyphs)
        self._show(whose, lines)

    def _failed(self, failure: Failure, whose: Whose) -> None:
        failure.trap(NoStacks)
        self._show(whose, [failure.getErrorMessage()])

    def _show(self, whose: Whose, lines: list[str]) -> None:
        """Show an answer, unless something else was asked for since."""
        if whose == self._whose:
            self._is_asking = False
            self.lines = (f"at {self._clock()}", *lines)
            self._changed()
