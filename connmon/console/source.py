"""Where frames come from: a node, a node that is recorded, or a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail

from connmon.config import AnyAddress
from connmon.console.holders import NoStacks, Whose
from connmon.console.link import Failed, Uplink, Viewer
from connmon.console.options import Target
from connmon.console.picture import as_line, of_line
from connmon.console.player import Player
from connmon.console.tape import Recorder
from connmon.errors import ConnmonError, QueryError
from connmon.model.stacks import Found
from connmon.views.answer import answer
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.views.recorded import WHOLE, Recorded


class Source(Protocol):
    """Answers queries with frames, again and again."""

    def watch(self, queries: Sequence[Query], interval: float) -> int:
        """Ask for this from now on; the number that its frames will bear."""

    def stacks(self, whose: Whose) -> Deferred[tuple[Found, ...]]:
        """Ask where the holders of connections are now; may fail with ``NoStacks``."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


class Past:
    """Answers from whole pictures, as a node would have at that time."""

    def __init__(self) -> None:
        """Nothing was asked for, and no picture is there."""
        self.queries: Sequence[Query] = ()
        self.number = 0
        self._frames: tuple[Frame, ...] = ()
        self._warned = False

    def ask(self, queries: Sequence[Query]) -> int:
        """What is wanted from now on."""
        self.queries = queries
        self.number += 1
        return self.number

    def take(self, frames: tuple[Frame, ...]) -> None:
        """A picture, with a frame for each of ``WHOLE``, or for some of them."""
        self._frames = frames

    def frames(self) -> tuple[Frame, ...]:
        """What the queries show of it; nothing without a picture.

        Raises ``QueryError`` for what cannot be asked, as a node would refuse it.
        """
        if not self._frames:
            return ()
        tables, head = Recorded(self._frames), self._frames[0].head
        return tuple(answer(tables, head, each, 0.0) for each in self.queries)

    def show(self, viewer: Viewer, origin: str, at: float) -> None:
        """Show a viewer what there is of ``origin``, and was at a Unix time.

        That pictures lack rows is told once; their numbers differ in each.
        """
        parts = ", ".join(filter(None, (each.part() for each in self._frames)))
        if parts and not self._warned:
            self._warned = True
            viewer.warned(f"recorded are only {parts}, a node sends no more at once")
        try:
            frames = self.frames()
        except QueryError as error:
            viewer.refused(str(error), self.number)
            return
        if frames:
            viewer.shown(frames, self.number, origin, at)


class _Soon:
    """A call in the reactor's next turn; asked for again meanwhile, it is still one."""

    def __init__(self, reactor: Any, call: Callable[[], None]) -> None:
        self._reactor = reactor
        self._call = call
        self._waiting: Any = None

    def ask(self) -> None:
        if self._waiting is None:
            self._waiting = self._reactor.callLater(0, self._now)

    def drop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _now(self) -> None:
        self._waiting = None
        self._call()


class Taped:
    """A node's frames, recorded as they come.

    It stands between an uplink, of which it asks everything, and a viewer, whose
    queries it answers itself: so what is recorded serves any view later.
    """

    def __init__(self, reactor: Any, viewer: Viewer, recorder: Recorder) -> None:
        """``join`` completes it with its uplink."""
        self._viewer = viewer
        self._recorder = recorder
        self._soon = _Soon(reactor, self._show)
        self._past = Past()
        #: Whom the newest picture is of, and when it came, while that is not lost.
        self._origin: tuple[str, float] | None = None
        self._interval = 0.0
        self._uplink: Uplink

    def join(self, uplink: Uplink) -> None:
        """Know whom to ask."""
        self._uplink = uplink

    def watch(self, queries: Sequence[Query], interval: float) -> int:
        """Ask for everything, at this pace, and answer these from it."""
        if interval != self._interval:
            self._interval = interval
            self._uplink.watch(WHOLE, interval)
        self._soon.ask()
        return self._past.ask(queries)

    def stacks(self, whose: Whose) -> Deferred[tuple[Found, ...]]:
        """Ask the node; it is not recorded."""
        return self._uplink.stacks(whose)

    def start(self) -> None:
        """Look for a node."""
        self._uplink.start()

    def stop(self) -> None:
        """Hang up, and end the recording."""
        self._soon.drop()
        self._uplink.stop()
        self._recorder.close()

    # What the uplink tells.

    def shown(
        self, frames: tuple[Frame, ...], number: int, origin: str, at: float
    ) -> None:
        """A picture came: keep it, and show what is asked of it."""
        self._origin = origin, at
        self._past.take(frames)
        try:
            self._recorder.record(at, as_line(frames))
        except ConnmonError as error:
            self._viewer.noted(f"the recording ends: {error}")
        self._show()

    def refused(self, reason: str, number: int) -> None:
        """The node does not know all views."""
        self._viewer.refused(reason, self._past.number)

    def warned(self, text: str) -> None:
        """Pass it on."""
        self._viewer.warned(text)

    def noted(self, text: str) -> None:
        """Pass it on."""
        self._viewer.noted(text)

    def lost(self, failed: Failed) -> None:
        """The node is gone; what it said last must not be taken for news."""
        self._origin = None
        self._viewer.lost(failed)

    def trying(self, address: AnyAddress, wait: float) -> None:
        """Another is tried."""
        self._viewer.trying(address, wait)

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """There is none."""
        return self._viewer.exhausted(tried)

    def _show(self) -> None:
        self._soon.drop()
        if self._origin is not None:
            self._past.show(self._viewer, *self._origin)


class Replayed:
    """A recording's pictures, as a player shows them."""

    def __init__(self, reactor: Any, viewer: Viewer, name: str) -> None:
        """``join`` completes it with its player; ``name`` is the recording's."""
        self._viewer = viewer
        self._name = name
        self._soon = _Soon(reactor, self._show)
        self._past = Past()
        self._at = 0.0
        self._player: Player

    def join(self, player: Player) -> None:
        """Know who plays."""
        self._player = player

    def watch(self, queries: Sequence[Query], interval: float) -> int:
        """Answer these from now on; the pace is the recording's."""
        self._soon.ask()
        return self._past.ask(queries)

    def stacks(self, whose: Whose) -> Deferred[tuple[Found, ...]]:
        """Tell that there are none."""
        return fail(NoStacks("a recording has no stacks"))

    def start(self) -> None:
        """Begin to play."""
        self._player.start()

    def stop(self) -> None:
        """Play no more."""
        self._soon.drop()
        self._player.stop()

    def played(self, at: float, line: bytes) -> None:
        """The player shows a picture; one that cannot be read is passed over."""
        try:
            frames = of_line(line)
        except ConnmonError as error:
            self._viewer.noted(str(error))
            return
        self._at = at
        self._past.take(frames)
        self._show()

    def _show(self) -> None:
        self._soon.drop()
        self._past.show(self._viewer, self._name, self._at)


def of_nodes(
    reactor: Any, viewer: Viewer, target: Target, record: str | None = None
) -> Source:
    """Nodes as a source, recorded to a file if ``record`` names one.

    Raises ``ConnmonError`` if that file cannot be written.
    """
    if record is None:
        return Uplink(reactor, viewer, target, Random())
    taped = Taped(reactor, viewer, Recorder(record))
    taped.join(Uplink(reactor, taped, target, Random()))
    return taped
