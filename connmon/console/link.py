"""A viewer's link: find a node, subscribe, pass frames on, and start over when it ends.

::

    seeking --- welcomed, first frame ---> live --- lost ---> seeking ...
       '--- every node tried in vain: exhausted, and the owner decides

At any time something else may be asked for. Each subscription has a number, which its
frames bear.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.defer import TimeoutError as NoAnswer
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from connmon import __version__
from connmon.config import AnyAddress
from connmon.console.holders import NoStacks, Whose
from connmon.console.options import Target
from connmon.errors import ProtocolError, QueryError
from connmon.model.stacks import Found
from connmon.views.frame import Frame
from connmon.views.query import Query
from connmon.wire import commands
from connmon.wire.dialing import endpoint
from connmon.wire.failing import in_words
from connmon.wire.frames import decode_feed
from connmon.wire.link import Link, refusal
from connmon.wire.queries import encode_queries
from connmon.wire.route import Route
from connmon.wire.stacks import decode_found

CONNECT_SECONDS = 5.0

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

    def shown(
        self, frames: tuple[Frame, ...], number: int, origin: str, at: float
    ) -> None:
        """Frames came, for that subscription, at a Unix time.

        ``origin`` is the address that they come from, or the name of a recording.
        """

    def refused(self, reason: str, number: int) -> None:
        """A subscription was not understood by the node; the one before goes on."""

    def warned(self, text: str) -> None:
        """Something to know of the frames, in a few words, that is no failure."""

    def noted(self, text: str) -> None:
        """What failed besides, in a few words; it changes nothing of the frames."""

    def lost(self, failed: Failed) -> None:
        """The node that frames came from is gone; another is being looked for."""

    def trying(self, address: AnyAddress, wait: float) -> None:
        """In ``wait`` seconds a node is tried."""

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """Every node was tried in vain; whether to go on trying."""


class ConsoleLink(Link):
    """One link to a node."""

    def __init__(self, uplink: Uplink) -> None:
        """Speak for ``uplink``."""
        super().__init__()
        self._uplink = uplink
        #: Why it ends, and why what was asked last has no answer, once that is known.
        self.reason: str | None = None
        self.refusal = ""
        self.subscribed = False
        #: Whether the node knows how to ask where holders are.
        self.tells_stacks = False

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
    def feed(self, payload: bytes, number: int) -> dict[str, Any]:
        """Take what is shown."""
        self._uplink.fed(self, decode_feed(payload), number)
        return {}


class Uplink:
    """The way to the nodes of a service, one at a time."""

    def __init__(
        self, reactor: Any, viewer: Viewer, target: Target, random: Random
    ) -> None:
        """Begin with nothing to ask for: ``watch`` before ``start``."""
        self._queries = b""
        self._views: list[str] = []
        self._interval = 1.0
        #: The newest subscription, and the first whose frames are an answer to it.
        self._number = self._awaited = 0
        self._reactor = reactor
        self._viewer = viewer
        self._service = target.service
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

    def watch(self, queries: Sequence[Query], interval: float) -> int:
        """Ask for this from now on, from whichever node; the subscription's number.

        There are ``interval`` seconds between two frames.
        """
        self._queries = encode_queries(queries)
        self._views = [each.view for each in queries]
        self._interval = interval
        self._number += 1
        self._awaited = self._number
        link = self._link
        if link is not None and link.subscribed and not self._stopped:
            self._expect_word(commands.ANSWER_SECONDS)
            self._subscribe(link)
        return self._number

    def stacks(self, whose: Whose) -> Deferred[tuple[Found, ...]]:
        """Ask the node where the holders of connections are; once, and only now.

        Fails with ``NoStacks``.
        """
        link = self._link
        if link is None or not link.subscribed or self._stopped:
            return fail(NoStacks("no node is linked just now"))
        if not link.tells_stacks:
            text = f"{self._address} is of an older version, which tells no stacks"
            return fail(NoStacks(text))
        asked: Deferred[Any] = link.callRemote(commands.Stack, **whose._asdict())
        asked.addTimeout(commands.ANSWER_SECONDS, self._reactor)
        asked.addCallback(lambda answer: decode_found(answer["payload"]))
        return asked.addErrback(self._untold, link)

    def _untold(self, failure: Failure, link: ConsoleLink) -> Failure:
        """There was no answer, or none that we understand."""
        if failure.check(NoAnswer):
            why = f"no answer within {commands.ANSWER_SECONDS:g} seconds"
        else:
            why = in_words(failure)
        if type(failure.value) is ProtocolError:
            link.reason = link.reason or why
            link.hang_up()
        return Failure(NoStacks(f"{self._address} does not tell: {why}"))

    def fed(self, link: ConsoleLink, frames: tuple[Frame, ...], number: int) -> None:
        """Frames came. Raises ``ProtocolError`` if they are not what was asked for."""
        if self._stopped:
            return
        self._check(frames, number)
        link.refusal = ""
        self._viewer.shown(frames, number, str(self._address), time.time())
        # Not before: a frame that cannot be shown must not count as success, for the
        # next attempt would follow without a pause; and a viewer that had to wait for
        # its reader was not listening meanwhile.
        self._heard(number)

    def _heard(self, number: int) -> None:
        """The viewer has seen frames, unless it has stopped us because of them."""
        if self._stopped:
            return
        if number >= self._awaited:
            self._expect_word(self._interval + commands.ANSWER_SECONDS)
        if self._live:  # one frame is not enough: a node may show it, and leave
            self._route.arrived()
        self._live = True
        self._tried = []

    def closed(self, link: ConsoleLink, reason: str) -> None:
        """The link ended."""
        if link is self._link and not self._stopped:
            self._link = None
            self._failed(reason)

    def _check(self, frames: tuple[Frame, ...], number: int) -> None:
        """Refuse frames of views that nobody asked for, and none at all."""
        newest = number == self._number
        if not frames or (newest and [each.view for each in frames] != self._views):
            raise ProtocolError("a feed of other views than those asked for")

    def _hop(self) -> None:
        """Try the next node, after the pause the route asks for."""
        self._address, wait = self._route.next_hop()
        self._set_timer(wait, self._connect)
        self._viewer.trying(self._address, wait)

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
            oldest=commands.OLDEST[commands.CONSOLE],
            role=commands.CONSOLE,
            service=self._service,
            software=__version__,
        )
        greeted.addCallback(self._welcomed, link).addErrback(self._refused, link)

    def _welcomed(self, answer: dict[str, Any], link: ConsoleLink) -> Any:
        link.greeted()
        link.tells_stacks = bool(answer.get("stacks"))
        link.subscribed = True
        return self._subscribe(link)

    def _subscribe(self, link: ConsoleLink) -> Deferred[Any]:
        """Ask for what is wanted, the first frames at once."""
        number = self._number
        asked: Deferred[Any] = link.callRemote(
            commands.Subscribe,
            queries=self._queries,
            interval=self._interval,
            number=number,
        )
        asked.addErrback(self._not_understood, link, number)
        return asked.addErrback(self._refused, link)

    def _not_understood(self, failure: Failure, link: ConsoleLink, number: int) -> None:
        """The node is older, or newer, than what is asked of it."""
        failure.trap(QueryError)
        if self._stopped:
            return
        link.refusal = refusal(failure)
        if number == self._number:
            self._awaited = 0
            if self._live:  # what was asked before goes on, at its own pace
                self._expect_word(self._interval + commands.ANSWER_SECONDS)
        self._viewer.refused(link.refusal, number)

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
            silence = f"no word for {seconds:g} seconds"
            self._link.reason = self._link.refusal or silence
            self._link.hang_up()

    def _set_timer(self, wait: float | None, *call: Any) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None if wait is None else self._reactor.callLater(wait, *call)
