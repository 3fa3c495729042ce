"""A viewer's link: find a node, subscribe, pass frames on, and start over when it ends.

::

    seeking --- welcomed, first frame ---> live --- lost ---> seeking ...
       '--- every node tried in vain: exhausted, and the owner decides

At any time another view may be asked for. Frames of the one before that are still under
way are answered, and not shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from connmon import __version__
from connmon.config import AnyAddress
from connmon.console.options import Target
from connmon.errors import ProtocolError
from connmon.model.summary import AnyFrame
from connmon.wire import commands
from connmon.wire.dialing import endpoint
from connmon.wire.failing import in_words
from connmon.wire.frames import decode_frame, decode_nodes
from connmon.wire.link import Link
from connmon.wire.route import Route

CONNECT_SECONDS = 5.0

_DECODERS: dict[str, Callable[[bytes], AnyFrame]] = {
    commands.PROGRAMS: decode_frame,
    commands.NODES: decode_nodes,
}

_log = Logger(namespace="connmon.console")


@dataclass(frozen=True, slots=True)
class Failed:
    """A node that could not be used, and why."""

    address: AnyAddress
    reason: str

    def __str__(self) -> str:
        """As an error message names it."""
        return f"{self.address} ({self.reason})"


class Viewer(Protocol):
    """Whoever looks at the frames."""

    def shown(self, frame: AnyFrame, address: AnyAddress) -> None:
        """A frame of the view that is wanted came from the node at ``address``."""

    def lost(self, failed: Failed) -> None:
        """The node that frames came from is gone; another is being looked for."""

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """Every node was tried in vain; whether to go on trying."""


class ConsoleLink(Link):
    """One link to a node."""

    def __init__(self, uplink: Uplink) -> None:
        """Speak for ``uplink``."""
        super().__init__()
        self._uplink = uplink
        self.reason: str | None = None
        self.subscribed = False

    def opened(self) -> None:
        """Nothing is said before the uplink says it."""
        self.hurry()

    def violated(self, error: ProtocolError) -> None:
        """Remember why the link is being closed."""
        self.reason = in_words(Failure(error))

    def failed(self, failure: Failure) -> None:
        """A frame was too much for us: that is nothing to blame the node for."""
        self.reason = "internal error"
        _log.failure("while showing a frame", failure)

    def closed(self, reason: Failure) -> None:
        """Tell the uplink, with the best reason there is."""
        self._uplink.closed(self, self.reason or in_words(reason))

    @commands.Feed.responder
    def feed(self, payload: bytes, view: str | None = None) -> dict[str, Any]:
        """Take one frame, if it is of the view that is wanted by now."""
        view = view or commands.PROGRAMS
        if view == self._uplink.view:
            self._uplink.fed(self, _DECODERS[view](payload))
        return {}


class Uplink:
    """The way to the nodes of a service, one at a time."""

    def __init__(
        self,
        reactor: Any,
        viewer: Viewer,
        target: Target,
        interval: float,
        random: Random,
        *,
        view: str = commands.PROGRAMS,
    ) -> None:
        """``interval`` is asked for between two frames, and ``view`` at first."""
        #: Which view is wanted, one of ``VIEWS``.
        self.view = view
        self._reactor = reactor
        self._viewer = viewer
        self._service = target.service
        self._interval = interval
        self._route = Route(target.addresses, random)
        self._count = len(target.addresses)
        self._tried: list[Failed] = []
        self._address = target.addresses[0]
        self._link: ConsoleLink | None = None
        self._live = False
        self._stopped = False
        self._timer: Any = None
        self._connecting: Deferred[Any] | None = None

    def start(self) -> None:
        """Begin to look for a node."""
        self._hop()

    def stop(self) -> None:
        """Hang up, and look no further."""
        self._stopped = True
        self._set_timer(None)
        if self._connecting is not None:
            self._connecting.cancel()
        if self._link is not None:
            self._link.hang_up()

    def watch(self, view: str) -> None:
        """Show this view from now on, whichever node it comes from."""
        self.view = view
        link = self._link
        if link is not None and link.subscribed and not self._stopped:
            self._expect_word(commands.ANSWER_SECONDS)
            self._subscribe(link).addErrback(self._refused, link)

    def fed(self, link: ConsoleLink, frame: AnyFrame) -> None:
        """A frame came."""
        if self._stopped:
            return
        self._expect_word(self._interval + commands.ANSWER_SECONDS)
        self._viewer.shown(frame, self._address)
        # Not before: a frame that cannot be shown must not count as success, for the
        # next attempt would follow without a pause; nor must a node that shows one
        # frame and leaves.
        if self._live:
            self._route.arrived()
        self._live = True
        self._tried = []

    def closed(self, link: ConsoleLink, reason: str) -> None:
        """The link ended."""
        if link is self._link and not self._stopped:
            self._link = None
            self._failed(reason)

    def _hop(self) -> None:
        """Try the next node, after the pause the route asks for."""
        self._address, wait = self._route.next_hop()
        self._set_timer(wait, self._connect)

    def _connect(self) -> None:
        factory = Factory.forProtocol(lambda: ConsoleLink(self))
        factory.noisy = False
        way = endpoint(self._reactor, self._address, CONNECT_SECONDS)
        self._connecting = way.connect(factory)
        self._connecting.addCallbacks(self._connected, self._unreachable)

    def _connected(self, link: ConsoleLink) -> None:
        self._connecting = None
        if self._stopped:
            link.hang_up()
            return
        self._link = link
        self._expect_word(commands.ANSWER_SECONDS)
        greeted = link.callRemote(
            commands.Hello,
            version=commands.VERSION,
            oldest=commands.OLDEST_VERSION,
            role=commands.CONSOLE,
            service=self._service,
            software=__version__,
        )
        greeted.addCallback(self._welcomed, link).addErrback(self._refused, link)

    def _welcomed(self, answer: dict[str, Any], link: ConsoleLink) -> Any:
        link.greeted()
        link.subscribed = True
        return self._subscribe(link)

    def _subscribe(self, link: ConsoleLink) -> Deferred[Any]:
        """Ask for frames of the view that is wanted, the first at once."""
        asked: Deferred[Any] = link.callRemote(
            commands.Subscribe, view=self.view, interval=self._interval
        )
        return asked

    def _refused(self, failure: Failure, link: ConsoleLink) -> None:
        """A question was refused, or the link ended before its answer."""
        if link.reason is None:
            link.reason = in_words(failure)
        link.hang_up()

    def _unreachable(self, failure: Failure) -> None:
        self._connecting = None
        if not self._stopped:
            self._failed(in_words(failure))

    def _failed(self, reason: str) -> None:
        """This node cannot be used, or no longer: go on to the next."""
        self._set_timer(None)
        failed = Failed(self._address, reason)
        if self._live:
            self._live = False
            self._viewer.lost(failed)
        else:
            self._tried.append(failed)
        if len(self._tried) >= self._count:
            tried, self._tried = tuple(self._tried), []
            if not self._viewer.exhausted(tried):
                self._stopped = True
        if not self._stopped:
            self._hop()

    def _expect_word(self, seconds: float) -> None:
        """Give the node up unless something is heard within so many seconds."""
        self._set_timer(seconds, self._silent, seconds)

    def _silent(self, seconds: float) -> None:
        if self._link is not None:
            self._link.reason = f"no word for {seconds:g} seconds"
            self._link.hang_up()

    def _set_timer(self, wait: float | None, *call: Any) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None if wait is None else self._reactor.callLater(wait, *call)
