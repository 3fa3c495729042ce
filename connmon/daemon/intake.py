"""A node's end of each link: check, translate, hand to board, mesh or feeds.

No decision about what is true is made here; see ``connmon.model.board``. What each
command means is specified in ``connmon.wire.commands``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from connmon import __version__
from connmon.config import Address
from connmon.daemon.chronicle import Chronicle
from connmon.daemon.credentials import Credentials, credentials
from connmon.daemon.feeds import Feeds, Subscription
from connmon.daemon.inquiry import Inquiry
from connmon.daemon.mesh import Mesh
from connmon.daemon.stacks import FORBIDDEN, TOO_OLD, Stacks
from connmon.daemon.tellers import Teller
from connmon.errors import ProtocolError
from connmon.model.board import Board, Verdict
from connmon.model.process import Process
from connmon.model.records import Home, Identity, Report
from connmon.model.stacks import Found, Told
from connmon.views.answer import checked
from connmon.wire import commands, exchange
from connmon.wire.queries import decode_queries
from connmon.wire.reports import decode_report
from connmon.wire.stacks import decode_told, encode_found
from connmon.wire.traffic import CountedLink
from connmon.wire.without_tls import amp
from connmon.wording import is_word, printable

_log = Logger(namespace="connmon.daemon")

_THEIR_END = "closed its link"

REPORT_INTERVAL = 1.0
"""Seconds a client leaves between two reports, unless a node is told otherwise."""

MOST_ASKING = 8
"""How many questions for stacks a console may have open at once."""


class Clock(Protocol):
    """What is needed of a reactor: its time and its timers."""

    def seconds(self) -> float:
        """Monotonic enough: the reactor's time, in seconds."""

    def callLater(self, delay: float, what: Any, /, *args: Any) -> Any:
        """Call something after ``delay`` seconds."""


class Witness(Protocol):
    """Someone who looks on, and is told all that processes say while they do."""

    def reported(self, process: Process, report: Report) -> None:
        """A report of a process linked here was applied."""

    def left(self, identity: Identity, now: float) -> None:
        """The board was told that a process linked here is gone."""


@dataclass(frozen=True, slots=True)
class Node:
    """What every link of a node shares.

    ``interval`` is how many seconds a process leaves between two reports.
    """

    service: str
    name: str
    incarnation: str
    board: Board
    feeds: Feeds
    mesh: Mesh
    chronicle: Chronicle
    stacks: Stacks
    settings: str
    clock: Clock
    interval: float = REPORT_INTERVAL
    witness: Witness | None = None
    links: set[NodeLink] = field(default_factory=set)
    #: Processes that are linked by a UNIX socket and said a pid that is not theirs:
    #: who the kernel says they are, by process token.
    mismatched: dict[str, Credentials] = field(default_factory=dict)


class NodeLink(CountedLink):
    """One link, from a client, a console or another node."""

    def __init__(self, node: Node) -> None:
        """Wait for the greeting."""
        super().__init__()
        self._node = node
        self._peer_name = "?"
        #: Where they are, whichever of their links this is.
        self._place = "?"
        self._credentials: Credentials | None = None
        self._role: str | None = None
        self._identity: Identity | None = None
        self._registration = 0
        self._subscription: Subscription | None = None
        self._teller: Teller | None = None
        #: How the process is asked where it is, or why that cannot be.
        self._inquiry: Inquiry | str = TOO_OLD
        #: How many questions of theirs are not answered yet.
        self._asking = 0
        self._dismissed = False
        self._quiet = False
        self._deadline: Any = None
        #: Why we are closing the link, once we are.
        self._reason: str | None = None

    # The link's life.

    def opened(self) -> None:
        """Someone connected; they have a few seconds to say who they are."""
        self._node.links.add(self)
        self.hurry()
        peer = self.transport.getPeer()
        if isinstance(peer, UNIXAddress):
            self._credentials = credentials(self.transport.getHandle())
            self._peer_name = self._place = _by_unix(self._credentials)
        else:
            self._place = peer.host
            self.transport.setTcpKeepAlive(True)
            self._peer_name = str(Address(peer.host, peer.port))
        self._expect_word(commands.GREETING_SECONDS)

    def closed(self, reason: Failure) -> None:
        """They are gone, and with them what they stood for."""
        self._node.links.discard(self)
        self._cancel_deadline()
        if self._subscription is not None:
            self._subscription.stop()
        if self._role is not None:
            self._node.mesh.present[self._role] -= 1
        if self._identity is not None:
            self._client_left(self._identity)
        elif self._teller is not None:
            self._node.mesh.left(self._teller)
            _log.info(
                "node {node} left: {reason}",
                node=printable(self._teller.home.node),
                reason=self._reason or _THEIR_END,
            )
        elif self._role == commands.CONSOLE:
            _log.info(
                "console {peer} left: {reason}",
                peer=self._peer_name,
                reason=self._reason or _THEIR_END,
            )
        elif self._reason is not None and not self._quiet:
            _log.warn(
                "link from {peer} closed: {reason}",
                peer=self._peer_name,
                reason=self._reason,
            )

    def _client_left(self, identity: Identity) -> None:
        """A process's link ended, and unless this node does, so did the process."""
        self._forget(identity)
        self._node.stacks.left(identity.process, self._inquiry)
        token, last = identity.process, True
        if not self._dismissed:
            now = self._node.clock.seconds()
            last = self._node.board.departed(token, self._registration, now)
            if last:
                self._node.chronicle.left(identity, now)
                if self._node.witness is not None:
                    self._node.witness.left(identity, now)
                self._node.mesh.reported(token, self._registration, None)
        _log.info(
            "client {who} left{older}: {reason}",
            who=_who(identity),
            older="" if last else " an older link",
            reason=self._reason or _THEIR_END,
        )

    def violated(self, error: ProtocolError) -> None:
        """They broke the protocol."""
        self._ending(str(error))

    def failed(self, failure: Failure) -> None:
        """Something here is wrong, and it is not theirs."""
        _log.failure("while answering {peer}", failure, peer=self._peer_name)
        self._ending("internal error")

    def dismiss(self) -> None:
        """The node stops: hang up, once what was said is sent."""
        self._dismissed = True
        self._ending("the node stops")
        self.transport.loseConnection()

    def dispatchCommand(self, box: amp.AmpBox) -> Deferred[Any]:
        """Answer a question; what came along with a mistake is not heard any more."""
        return Deferred() if self._reason is not None else super().dispatchCommand(box)

    # Commands.

    @commands.Hello.responder
    def hello(  # noqa: PLR0917  AMP passes them by name
        self,
        version: int,
        oldest: int,
        role: str,
        service: str,
        software: str,
        node: str | None = None,
        incarnation: str | None = None,
        settings: str | None = None,
    ) -> dict[str, Any]:
        """Settle the version, and whether we are who they look for."""
        if self._role is not None:
            raise ProtocolError("a second Hello")
        try:
            spoken = self._agreed(version, oldest, role, service)
            if role == commands.PEER:
                self._meet(
                    Home(node or "", incarnation or ""), software, settings or ""
                )
        except ProtocolError as error:
            # A peer comes again and again: one line is enough.
            self._quiet = role == commands.PEER and not self._node.mesh.refused(
                node or "", str(error)
            )
            raise
        self._role = role
        self._node.mesh.present[role] += 1
        self.greeted()
        self._expect_word(
            commands.PEER_SILENCE_SECONDS
            if role == commands.PEER
            else commands.SILENCE_SECONDS
        )
        if role == commands.CONSOLE:
            self._cancel_deadline()
            _log.info("console {peer} joined", peer=self._peer_name)
        return {
            "version": spoken,
            "service": self._node.service,
            "node": self._node.name,
            "incarnation": self._node.incarnation,
            "software": __version__,
            # To whom it matters; a fleet of clients would only pay for it.
            "settings": self._node.settings if role == commands.PEER else None,
            "stacks": None if role == commands.CLIENT else True,
        }

    def _agreed(self, version: int, oldest: int, role: str, service: str) -> int:
        """The version that is spoken from now on, or why there is none."""
        spoken = min(version, commands.VERSION)
        known = commands.OLDEST.get(role, commands.OLDEST_VERSION)
        if spoken < max(oldest, known):
            raise self._refusal(
                commands.VersionRefused(
                    f"protocol versions {oldest} to {version} offered, "
                    f"{known} to {commands.VERSION} spoken here"
                )
            )
        if role not in (commands.CLIENT, commands.CONSOLE, commands.PEER):
            raise self._refusal(
                commands.RoleRefused(f"links of role {role!r} are not served here")
            )
        if service and service != self._node.service:
            raise self._refusal(
                commands.ServiceRefused(
                    f"this node is of service {self._node.service!r}, not {service!r}"
                )
            )
        return spoken

    def _meet(self, home: Home, version: str, settings: str) -> None:
        """Another node greets."""
        if not all(each and is_word(each) for each in home):
            raise ProtocolError("a peer without a plain name and incarnation")
        try:
            self._teller = self._node.mesh.met(
                home, self._place, version, settings, self
            )
        except commands.NodeRefused as error:
            raise self._refusal(error) from None
        if self._teller is not None:
            _log.info(
                "node {node} joined from {peer}",
                node=printable(home.node),
                peer=self._peer_name,
            )

    @commands.Register.responder
    def register(  # noqa: PLR0917  AMP passes them by name
        self,
        process: str,
        hostname: str,
        program: str,
        pid: int,
        registration: int,
        stacks: bool | None = None,
    ) -> dict[str, Any]:
        """Take a process's word for who it is."""
        self._require(commands.CLIENT)
        if self._identity is not None:
            raise ProtocolError("a second Register")
        identity = Identity(process, hostname, program, pid)
        if not self._node.board.registered(identity, registration):
            raise self._refusal(
                commands.Superseded(f"registration {registration} comes too late")
            )
        self._identity = identity
        self._registration = registration
        self._inquiry = self._way_to_ask(stacks)
        self._node.stacks.linked(process, self._inquiry)
        self._expect_word(commands.SILENCE_SECONDS)
        _log.info(
            "client {who} joined from {peer}", who=_who(identity), peer=self._peer_name
        )
        self._compare(identity)
        return {"interval": self._node.interval}

    @commands.Report.responder
    def report(self, payload: bytes) -> dict[str, Any]:
        """Hand a process's own word to the board."""
        if self._identity is None:
            raise ProtocolError("a Report before Register")
        self._expect_word(commands.SILENCE_SECONDS)
        node, now = self._node, self._node.clock.seconds()
        token = self._identity.process
        report = decode_report(payload)
        before = node.chronicle.before(self._identity, now)
        verdict = node.board.reported(token, self._registration, report, now)
        if verdict is Verdict.STALE:
            raise ProtocolError("a report that is older than what is known")
        if verdict is Verdict.APPLIED:
            process = node.board.processes[token]
            node.chronicle.reported(process, before, now)
            if node.witness is not None:
                node.witness.reported(process, report)
            passed_on = None if report.base is None else payload
            node.mesh.reported(token, self._registration, passed_on)
        return {
            "whole": verdict is Verdict.WHOLE_WANTED,
            "interval": node.interval,
        }

    @commands.Subscribe.responder
    def subscribe(self, queries: bytes, interval: float, number: int) -> dict[str, Any]:
        """Begin, or change, what a console is shown."""
        self._require(commands.CONSOLE)
        wanted = decode_queries(queries)
        for each in wanted:
            checked(each)
        if self._subscription is None:
            self._subscription = self._node.feeds.subscribe(
                self._show, wanted, interval, number
            )
        else:
            self._subscription.change(wanted, interval, number)
        return {}

    @commands.Alive.responder
    def alive(self, payload: bytes) -> dict[str, Any]:
        """A peer's heartbeat."""
        teller = self._peer()
        self._node.mesh.alive(teller, exchange.decode_alive(payload))
        return {}

    @commands.Digest.responder
    def digest(self, payload: bytes) -> dict[str, Any]:
        """What a peer has; what differs here is the answer."""
        teller = self._peer()
        told = exchange.decode_digest(payload)
        differences = self._node.mesh.digest(teller, told)
        return {"payload": exchange.encode_differences(differences)}

    @commands.Versions.responder
    def versions(self, payload: bytes) -> dict[str, Any]:
        """A peer's list of a home; the records wanted of it are the answer."""
        teller = self._peer()
        told = exchange.decode_versions(payload)
        wanted = self._node.mesh.versions(teller, told)
        return {"payload": exchange.encode_wanted(wanted)}

    @commands.Records.responder
    def records(self, payload: bytes) -> dict[str, Any]:
        """A peer's whole records."""
        teller = self._peer()
        self._node.mesh.records(teller, exchange.decode_records(payload))
        return {}

    @commands.Deltas.responder
    def deltas(self, payload: bytes) -> dict[str, Any]:
        """Reports a peer passes on; records wanted whole are the answer."""
        teller = self._peer()
        told = exchange.decode_deltas(payload)
        wanted = self._node.mesh.deltas(teller, told)
        return {"payload": exchange.encode_wanted(wanted)}

    @commands.Sums.responder
    def sums(self, payload: bytes) -> dict[str, Any]:
        """A peer's maxima."""
        teller = self._peer()
        self._node.mesh.sums(teller, exchange.decode_sums(payload))
        return {}

    @commands.Remarks.responder
    def remarks(self, payload: bytes) -> dict[str, Any]:
        """A peer's pages of the journal."""
        teller = self._peer()
        self._node.mesh.remarks(teller, exchange.decode_remarks(payload))
        return {}

    @commands.Stack.responder
    def stack(
        self,
        process: str | None,
        hostname: str | None,
        pid: int | None,
        connection: int | None,
    ) -> Deferred[dict[str, Any]]:
        """Tell where the holders of a process's connections are."""
        asked = self._stacks(process, hostname, pid, connection)
        self._asking += 1
        return asked.addCallback(self._found)

    def _stacks(
        self,
        process: str | None,
        hostname: str | None,
        pid: int | None,
        connection: int | None,
    ) -> Deferred[tuple[Found, ...]]:
        """Ask whoever knows."""
        if self._role == commands.PEER:
            self._peer()
        else:
            self._require(commands.CONSOLE)
            if self._asking >= MOST_ASKING:
                raise ProtocolError("too many questions at once")
        if process is not None:
            own = self._role == commands.PEER
            return self._node.stacks.of_process(process, connection, own=own)
        if hostname is None or pid is None:
            raise ProtocolError("Stack: no argument that says of which process")
        return self._node.stacks.of_pid(hostname, pid, connection)

    def _found(self, found: tuple[Found, ...]) -> dict[str, Any]:
        self._asking -= 1
        return {"payload": encode_found(found)}

    # What they share.

    def _way_to_ask(self, tells: bool | None) -> Inquiry | str:
        """How a process is asked where it is that says whether it tells, or why not."""
        if tells is None:
            return TOO_OLD
        return Inquiry(self._node.clock, self._ask) if tells else FORBIDDEN

    def _ask(self, number: int | None) -> Deferred[Told]:
        """Ask the process where it is; what is no answer ends the link."""
        asked: Deferred[Any] = self.callRemote(commands.Stack, connection=number)
        asked.addCallback(lambda answer: decode_told(answer["payload"]))
        return asked.addErrback(self._unclear)

    def _unclear(self, failure: Failure) -> Failure:
        if isinstance(failure.value, ProtocolError):
            self._drop(failure.value)
        return failure

    def _compare(self, identity: Identity) -> None:
        """Note it if the pid that a process said is not its own; that is no refusal.

        A program may be reached through another, and it is the node's users who judge.
        """
        found = self._credentials
        own = None if found is None else found.own_pid()
        if found is None or own is None or own == identity.pid:
            return
        self._node.mismatched[identity.process] = found
        _log.warn(
            "client {who} is process {own}, by the credentials of its link",
            who=_who(identity),
            own=own,
        )

    def _forget(self, identity: Identity) -> None:
        """Forget what was noted of this link; a newer one's note is not ours."""
        if self._node.mismatched.get(identity.process) is self._credentials:
            self._node.mismatched.pop(identity.process, None)

    def _show(self, number: int, feed: bytes) -> Deferred[Any]:
        """Send one feed; the answer says that there is room for the next."""
        shown: Deferred[Any] = self.callRemote(
            commands.Feed, payload=feed, number=number
        )
        return shown

    def _peer(self) -> Teller:
        """The other node, which was just heard."""
        self._require(commands.PEER)
        if self._teller is None:
            raise ProtocolError("this node speaks to itself")
        self._expect_word(commands.PEER_SILENCE_SECONDS)
        return self._teller

    def _require(self, role: str) -> None:
        if self._role != role:
            raise ProtocolError(f"a command for the role of a {role}, out of turn")

    def _refusal(self, error: ProtocolError) -> ProtocolError:
        """A refusal that the other side is told of."""
        self._ending(f"refused, {error}")
        return error

    def _ending(self, reason: str) -> None:
        """The link is being closed, for the first reason given: logged when it is.

        An answer may still be on its way to them, but it is not waited for forever.
        """
        if self._reason is None:
            self._reason = reason
            self._expect_word(commands.ANSWER_SECONDS)

    def _expect_word(self, seconds: float) -> None:
        """Hang up unless something is heard within so many seconds."""
        self._cancel_deadline()
        self._deadline = self._node.clock.callLater(seconds, self._silent, seconds)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _silent(self, seconds: float) -> None:
        self._deadline = None
        if self._reason is None:
            self._reason = f"silent for {seconds:.0f} seconds"
        self.hang_up()


class NodeFactory(Factory):
    """Makes the node's end of each link that is accepted."""

    noisy = False

    def __init__(self, node: Node) -> None:
        """All links share ``node``."""
        self.node = node

    def buildProtocol(self, addr: Any) -> NodeLink:
        """A link was accepted."""
        return NodeLink(self.node)


def _who(identity: Identity) -> str:
    """A process, for the log, whatever it calls itself."""
    name = f"{identity.hostname} {identity.program}[{identity.pid}]"
    return name if name.isprintable() else repr(name)[1:-1]


def _by_unix(found: Credentials | None) -> str:
    """Who is at the other end of a UNIX socket, for the log."""
    if found is None:
        return "a UNIX socket"
    return f"a UNIX socket, pid {found.pid or 'unknown'}, uid {found.uid}"
