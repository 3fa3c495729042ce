"""The shell around the reporting rule: sockets, timers, and a walk over the nodes.

Everything here runs in the reporting thread, except where it says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from connmon import __version__
from connmon.client import log, reporting
from connmon.client.history import History
from connmon.client.lookout import Lookout
from connmon.client.lookup import Lookup, Places
from connmon.client.native import Native
from connmon.client.reactor import PrivateReactor
from connmon.client.stacks import Stacks
from connmon.config import AnyAddress, UnixAddress
from connmon.errors import ProtocolError
from connmon.model.ledger import Ledger
from connmon.model.records import Identity
from connmon.wire import commands
from connmon.wire.link import Link, refusal
from connmon.wire.reports import encode_report
from connmon.wire.route import LONGEST_PAUSE, Route
from connmon.wire.stacks import encode_told

CONNECT_SECONDS = 5.0
"""How long one address may take to accept, in seconds."""

SPREAD_SECONDS = 0.5
"""Over which time clients that lost a node together come upon the others."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom an engine reports to, and under which program name.

    ``service`` is empty for whichever service is found at the addresses.
    """

    service: str
    addresses: tuple[AnyAddress, ...]
    program: str


class _ClientLink(Link):
    """One link to a node; passes on what happens to it.

    All that a client is sent is short answers, and one short question: it never has
    room for more than a greeting may hold, whatever a node, or what is taken for one,
    would have it keep.
    """

    def __init__(self, uplink: Uplink) -> None:
        super().__init__()
        self._uplink = uplink

    def opened(self) -> None:
        self.hurry()
        self._uplink.linked(self)

    def violated(self, error: ProtocolError) -> None:
        self._uplink.warn(f"not a connmon node, or a broken one: {error}")

    def closed(self, reason: Failure) -> None:
        self._uplink.closed(self, reason.getErrorMessage())

    @commands.Stack.responder
    def stack(self, connection: int | None, **_: object) -> dict[str, Any]:
        """Tell where the holders of connections are now."""
        return {"payload": encode_told(self._uplink.stacks.told(connection))}


class _Attempt(ClientFactory):
    """One attempt to reach one numeric address, or one UNIX socket."""

    noisy = False

    def __init__(self, uplink: Uplink) -> None:
        self._uplink = uplink

    def buildProtocol(self, addr: Any) -> _ClientLink:
        return _ClientLink(self._uplink)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._uplink.unreachable(reason.getErrorMessage())


class Uplink:
    """One ledger's way to the nodes of one service, as long as the process lives."""

    def __init__(
        self,
        reactor: PrivateReactor,
        native: Native,
        ledger: Ledger,
        identity: Identity,
        destination: Destination,
        *,
        last_word: bool = False,
        tells_stacks: Callable[[], bool] = lambda: True,
    ) -> None:
        """Made in an application's thread; ``begin`` starts it in the reporting one.

        With ``last_word`` a node is told of the process's end even if it is all.
        ``tells_stacks`` is asked whether nodes may hear where the application is.
        """
        self._reactor = reactor
        self._lookup = Lookup(reactor, native)
        self._ledger = ledger
        self._lookout = Lookout(reactor, ledger, self.warn)
        #: What nodes are told that ask where the application is.
        self.stacks = Stacks(ledger, tells_stacks, time.monotonic)
        self._identity = identity
        self._service = destination.service
        self._rule = reporting.Reporting(last_word)
        self._route = Route(destination.addresses, Random(), SPREAD_SECONDS)
        self._address = destination.addresses[0]
        self._out_of_reach = False
        self._places: Places = []
        self._link: _ClientLink | None = None
        self._alarm: Any = None
        self._seeking = False
        self._leaving = False
        self._over = False
        self._finished: Callable[[], None] = lambda: None
        self._warned: set[str] = set()
        #: What was done so far; any thread may read it.
        self.history = History(identity.process, time.monotonic())

    # What the process asks for.

    def begin(self) -> None:
        """Start to look for a node."""
        self._input(self._rule.stirred)
        self._walk(self._hop)

    def stirred(self) -> None:
        """The ledger has something new."""
        self._input(self._rule.stirred)

    def finish(self, finished: Callable[[], None]) -> None:
        """Tell what is left, then call ``finished``; the process is about to end.

        If a first link is just being made, it is waited for: short programs count too.
        """
        self._finished = finished
        self._leaving = True
        if not self._seeking:
            self._input(self._rule.finishing)

    def settle(self, timeout: float) -> bool:
        """Before a fork: wait until no thread is in the resolver; whether that is so.

        A negative ``timeout`` waits as long as it takes. Any thread, while the
        reporting one is stopped.
        """
        return self._lookup.settle(timeout)

    # What happens to links.

    def linked(self, link: _ClientLink) -> None:
        """An address accepted."""
        self._link = link
        self.history.met()
        self._seeking = False
        self._input(self._rule.linked)
        if self._leaving:
            self._input(self._rule.finishing)

    def unreachable(self, why: str) -> None:
        """An address did not accept."""
        self.history.failed(f"{self._address}: {why}")
        self._walk(self._connect_next)

    def closed(self, link: _ClientLink, why: str) -> None:
        """A link is gone."""
        if link is self._link:
            self._link = None
            why = "" if self._over else f"{self._address}: {why}"
            self.history.lost(why, time.monotonic())
            self._input(self._rule.lost)
            if not self._over:
                self._walk(self._hop)

    def warn(self, text: str) -> None:
        """Say something to the application's log, once for each text and few at all."""
        text = f"{self._address}: {text}"
        self.history.failed(text)
        if text not in self._warned and len(self._warned) < 10:
            self._warned.add(text)
            log.warning("connmon: %s", text)

    # Inputs and effects of the rule.

    def _input(
        self, happened: Callable[..., list[reporting.Effect]], *args: Any
    ) -> None:
        """Tell the rule what happened, and do what follows."""
        self._guarded(self._perform_all, happened, *args)

    def _perform_all(
        self, happened: Callable[..., list[reporting.Effect]], *args: Any
    ) -> None:
        for effect in happened(*args, time.monotonic()):
            self._perform(effect)

    def _perform(self, effect: reporting.Effect) -> None:
        match effect:
            case reporting.Alarm(at):
                self._set_alarm(at)
            case reporting.Settled():
                self._route.arrived()
                self._out_of_reach = False
            case reporting.Fold():
                self._ledger.fold()
                self._lookout.attend()
            case reporting.HangUp():
                self.history.failed(f"{self._address}: no answer in time")
                self._hang_up()
            case reporting.Finish():
                self._over = True
                self._hang_up(orderly=True)
                self._finished()
            case _:
                self._ask(effect)

    def _set_alarm(self, at: float | None) -> None:
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm = None
        if at is not None:
            wait = max(at - time.monotonic(), 0.0)
            self._alarm = self._reactor.callLater(wait, self._input, self._rule.alarm)

    # Questions to the node.

    def _greet(self) -> Any:
        return self._call(
            commands.Hello,
            version=commands.VERSION,
            oldest=commands.OLDEST[commands.CLIENT],
            role=commands.CLIENT,
            service=self._service,
            software=__version__,
        )

    def _register(self, registration: int) -> Any:
        who = self._identity
        return self._call(
            commands.Register,
            process=who.process,
            hostname=who.hostname,
            program=who.program,
            pid=who.pid,
            registration=registration,
            stacks=self.stacks.allowed,
        )

    def _send(self, send: reporting.Send) -> Any:
        collect = self._ledger.whole if send.whole else self._ledger.collect
        report = collect(send.sequence, time.monotonic(), send.span)
        if send.last:
            report = replace(report, last=True)
        self._lookout.attend()
        self.history.reported()
        return self._call(commands.Report, payload=encode_report(report))

    def _call(self, command: Any, **arguments: Any) -> Any:
        if self._link is None:
            raise ProtocolError("no link to ask on")
        return self._link.callRemote(command, **arguments)

    def _ask(self, question: reporting.Question) -> None:
        """Put one of the three questions to the node."""
        match question:
            case reporting.Greet():
                self._await(self._greet(), self._welcomed)
            case reporting.Register(registration):
                self._await(self._register(registration), self._registered)
            case reporting.Send():
                self._await(self._send(question), self._acknowledged)

    def _await(self, answer: Any, answered: Callable[[dict[str, Any]], None]) -> None:
        """Take an answer, or hang up on a refusal: losing the link does the rest."""
        link = self._link

        def take(response: dict[str, Any]) -> None:
            if link is self._link:
                self._guarded(answered, response)

        def refused(failure: Failure) -> None:
            if link is self._link and link is not None and link.transport is not None:
                self.warn(f"refused: {refusal(failure)}")
                self._hang_up()

        answer.addCallbacks(take, refused)

    def _welcomed(self, response: dict[str, Any]) -> None:
        self.history.welcomed(response["node"])
        self._input(self._rule.welcomed)

    def _registered(self, response: dict[str, Any]) -> None:
        self.history.registered(str(self._address), time.monotonic())
        self._input(self._rule.registered, response["interval"])

    def _acknowledged(self, response: dict[str, Any]) -> None:
        self.history.answered(time.monotonic())
        self._input(self._rule.acknowledged, response["whole"], response["interval"])

    def _hang_up(self, orderly: bool = False) -> None:
        link = self._link
        if link is not None and link.transport is not None:
            if orderly:
                link.transport.loseConnection()
            else:
                link.hang_up()

    # The walk over the nodes.

    def _hop(self) -> None:
        """Go on to the next node, after the pause the route asks for."""
        address, wait = self._route.next_hop()
        self._seeking = wait == 0.0
        if self._route.vain and not self._out_of_reach:
            # Not a warning: nodes are restarted, and the application works on.
            self._out_of_reach = True
            log.info("connmon: no node reached, last tried %s", self._address)
        if self._leaving and not self._seeking:
            self._input(self._rule.finishing)
            return
        self._reactor.callLater(wait, self._walk, self._try, address)

    def _try(self, address: AnyAddress) -> None:
        self._address, self._places = address, []
        if isinstance(address, UnixAddress):
            self._reactor.connectUNIX(address.path, _Attempt(self), CONNECT_SECONDS)
        else:
            self._lookup.find(address, lambda places: self._walk(self._found, places))

    def _found(self, places: Places) -> None:
        """The name of the node being tried has these addresses."""
        self._places = list(places)
        if not places:
            self.history.failed(f"{self._address}: the name has no address")
        self._connect_next()

    def _connect_next(self) -> None:
        """Connect to the next numeric address of the node, or go to the next node."""
        if not self._places:
            self._hop()
            return
        host, port = self._places.pop(0)
        self._reactor.connectTCP(host, port, _Attempt(self), timeout=CONNECT_SECONDS)

    def _walk(self, step: Callable[..., None], *args: Any) -> None:
        """Take a step of the walk; if it fails, the walk goes on a little later."""
        try:
            step(*args)
        except Exception as error:
            self.warn(f"{type(error).__name__}: {error}")
            self._reactor.callLater(LONGEST_PAUSE, self._walk, self._hop)

    def _guarded(self, function: Callable[..., None], *args: Any) -> None:
        """Run something of ours; if it fails, the link is given up and nothing else."""
        try:
            function(*args)
        except Exception as error:
            self.warn(f"{type(error).__name__}: {error}")
            self._hang_up()
