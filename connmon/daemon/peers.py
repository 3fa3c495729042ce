"""One other node: the link to it, kept up, and what this node tells it over that.

What is told, and when, is the rule in ``connmon.daemon.peering``; here are the link,
the timer and the words for what went wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.defer import TimeoutError as NoAnswer
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from connmon import __version__
from connmon.config import Node
from connmon.daemon import peering
from connmon.daemon.stacks import Unreached
from connmon.errors import ProtocolError
from connmon.model.board import Board
from connmon.model.exchange import Alive, Digest, SumsTold, Versions
from connmon.model.journal import Journal
from connmon.model.records import Home
from connmon.model.stacks import Found
from connmon.views.roster import REFUSED, STALE, UNREACHABLE, UP
from connmon.wire import commands, exchange
from connmon.wire.dialing import endpoint
from connmon.wire.failing import in_words
from connmon.wire.link import refusal
from connmon.wire.stacks import decode_found
from connmon.wire.traffic import CountedLink, Traffic
from connmon.wire.without_tls import amp

CONNECT_SECONDS = 3.0
"""How long a peer may take to accept."""

PAUSE_SECONDS = 1.0
"""Between two attempts to reach a peer."""

REFUSED_SECONDS = 10.0
"""Between two attempts to be heard by a peer that refuses."""


SILENT = "it does not answer"


@dataclass(frozen=True, slots=True)
class Self:
    """What this node is, and what it knows."""

    service: str
    settings: str
    board: Board
    journal: Journal


class Told(Protocol):
    """Who hears of what becomes of peers."""

    def welcomed(self, peer: Peer, answer: dict[str, Any]) -> str:
        """A peer answered the greeting; why it is not to be used, or nothing."""

    def changed(self, peer: Peer) -> None:
        """A peer's state is another than before."""

    def census(self) -> tuple[int, int]:
        """How many clients and consoles are linked to this node."""


class PeerLink(CountedLink):
    """A link that this node opened to another one."""

    def __init__(self, peer: Peer) -> None:
        """Speak for ``peer``."""
        super().__init__()
        self._peer = peer
        self.reason = ""

    def opened(self) -> None:
        """Nothing is said before the peer says it."""
        self.hurry()

    def violated(self, error: ProtocolError) -> None:
        """What answers is no connmon node, or a broken one."""
        self.reason = str(error)

    def closed(self, reason: Failure) -> None:
        """Tell the peer, with the best reason there is."""
        self._peer.closed(self, self.reason or "the link was closed")


class Peer:
    """What this node knows of another one, and the way to it."""

    def __init__(
        self,
        reactor: Any,
        node: Node,
        this: Self,
        told: Told,
    ) -> None:
        """Nothing was tried yet."""
        self.name = node.name
        self.address = node.hostname
        self.rule = peering.Peering()
        self.state = UNREACHABLE
        self.reason = "not reached yet"
        self.since = reactor.seconds()
        #: Seconds that the last heartbeat took, there and back.
        self.lag: float | None = None
        self.incarnation = ""
        self.version = ""
        #: What passed over links to it that have ended.
        self.passed = Traffic()
        self._reactor = reactor
        self._self = this
        self._board = this.board
        self._journal = this.journal
        self._told = told
        self._tells_stacks = False
        self._link: PeerLink | None = None
        self._connecting: Deferred[Any] | None = None
        self._timer: Any = None
        self._stopped = True

    # What the mesh asks for.

    def start(self) -> None:
        """Begin to reach it."""
        self._stopped = False
        self._set_timer(0.0, self._connect)

    def stop(self) -> None:
        """Hang up, and try no more."""
        self._stopped = True
        self._set_timer(None)
        if self._connecting is not None:
            self._connecting.cancel()
        self.hang_up("this node stops")

    def hang_up(self, reason: str) -> None:
        """End the link; unless stopped, there will be another."""
        if self._link is not None:
            self._link.reason = self._link.reason or reason
            self._link.hang_up()

    def changed(self, process: str, delta: peering.PassedOn | None) -> None:
        """A process linked to this node changed."""
        self.rule.changed(process, delta)
        if self.rule.up:
            self._look_again()

    def stacks(self, process: str, number: int | None) -> Deferred[tuple[Found, ...]]:
        """Ask where holders of connections of a process are that is linked to it.

        Fails with ``Unreached``.
        """
        link = self._link
        if link is None or not self.rule.up:
            return fail(Unreached(f"is not linked to {self._board.home.node}"))
        if not self._tells_stacks:
            return fail(Unreached("is of an older version, which tells no stacks"))
        asked: Deferred[Any] = link.callRemote(
            commands.Stack, process=process, connection=number
        )
        asked.addTimeout(commands.RELAY_SECONDS, self._reactor)
        asked.addCallback(lambda answer: decode_found(answer["payload"]))
        return asked.addErrback(self._untold, link)

    def _untold(self, failure: Failure, link: PeerLink) -> Failure:
        """It did not answer, or not by what we understand."""
        if failure.check(NoAnswer):
            seconds = f"{commands.RELAY_SECONDS:g} seconds"
            return Failure(Unreached(f"does not answer within {seconds}"))
        if type(failure.value) is ProtocolError:
            link.reason = link.reason or in_words(failure)
            link.hang_up()
        return Failure(Unreached(f"cannot be asked: {in_words(failure)}"))

    def traffic(self) -> Traffic:
        """All that passed over links to it."""
        whole = Traffic()
        whole.add(self.passed)
        if self._link is not None:
            whole.add(self._link.traffic)
        return whole

    # The link.

    def closed(self, link: PeerLink, reason: str) -> None:
        """The link ended."""
        self.passed.add(link.traffic)
        if link is not self._link:
            return
        self._link = None
        self.rule.lost()
        self.lag = None
        if self.state != REFUSED or reason != self.reason:
            self._become(STALE if reason == SILENT else UNREACHABLE, reason)
        self._again()

    def _connect(self) -> None:
        factory = Factory.forProtocol(lambda: PeerLink(self))
        factory.noisy = False
        way = endpoint(self._reactor, self.address, CONNECT_SECONDS)
        self._connecting = way.connect(factory)
        self._connecting.addCallbacks(self._connected, self._unreachable)

    def _unreachable(self, failure: Failure) -> None:
        self._connecting = None
        if not self._stopped:
            self._become(UNREACHABLE, in_words(failure))
            self._again()

    def _connected(self, link: PeerLink) -> None:
        self._connecting = None
        self._link = link
        if self._stopped:
            link.hang_up()
            return
        this = self._self
        greeted = link.callRemote(
            commands.Hello,
            version=commands.VERSION,
            oldest=commands.OLDEST[commands.PEER],
            role=commands.PEER,
            service=this.service,
            software=__version__,
            node=this.board.home.node,
            incarnation=this.board.home.incarnation,
            settings=this.settings,
        )
        self._set_timer(peering.LOST_SECONDS, self._overdue)
        greeted.addCallback(self._welcomed, link).addErrback(self._refused, link)

    def _welcomed(self, answer: dict[str, Any], link: PeerLink) -> None:
        if link is not self._link:
            return
        link.greeted()
        self.version = answer["software"]
        self.incarnation = answer["incarnation"]
        self._tells_stacks = bool(answer.get("stacks"))
        refusal = self._told.welcomed(self, answer)
        if refusal:
            self._refuse(refusal, link)
            return
        self.rule.linked(self._reactor.seconds())
        self._look_again()

    def _refused(self, failure: Failure, link: PeerLink) -> None:
        """The greeting was answered by an error, or by the end of the link."""
        if link is not self._link:
            return
        if failure.check(ProtocolError, amp.RemoteAmpError):
            self._refuse(refusal(failure), link)
        else:
            self.hang_up(in_words(failure))

    def _refuse(self, reason: str, link: PeerLink) -> None:
        self._become(REFUSED, reason)
        link.reason = reason
        link.hang_up()

    def _again(self) -> None:
        """Try it again, a little later."""
        if not self._stopped:
            pause = REFUSED_SECONDS if self.state == REFUSED else PAUSE_SECONDS
            self._set_timer(pause, self._connect)

    def _become(self, state: str, reason: str = "") -> None:
        """Have another state, or another reason for it."""
        if state != self.state:
            self.since = self._reactor.seconds()
        elif reason == self.reason:
            return
        self.state, self.reason = state, reason
        self._told.changed(self)

    def _overdue(self) -> None:
        self.hang_up(SILENT)

    # What is told.

    def _look_again(self) -> None:
        """Say what is due, and set the timer for what will be."""
        now = self._reactor.seconds()
        link = self._link
        if link is None or not self.rule.up:
            return
        if self.rule.overdue(now):
            self._overdue()
            return
        for say in self.rule.next(now):
            self._say(say, link, now)
        if link is self._link and self.rule.up:
            self._set_timer(max(self.rule.wait(now), 0.001), self._look_again)

    def _say(self, say: peering.Say, link: PeerLink, asked: float) -> None:
        """Ask one question of the peer."""
        command, payload = self._worded(say, asked)

        def answered(answer: dict[str, Any]) -> None:
            if link is self._link and self.rule.up:
                self._answered(say, answer, asked)
                self._look_again()

        def failed(failure: Failure) -> None:
            if link is self._link:
                link.reason = link.reason or in_words(failure)
                link.hang_up()

        answer = link.callRemote(command, payload=payload)
        answer.addCallback(answered).addErrback(failed)

    def _answered(self, say: peering.Say, answer: dict[str, Any], asked: float) -> None:
        now = self._reactor.seconds()
        if isinstance(say, peering.SayDigest):
            differences = exchange.decode_differences(answer["payload"])
            self.rule.compared(differences, now)
        elif isinstance(say, (peering.SayVersions, peering.SayDeltas)):
            self.rule.wanted(exchange.decode_wanted(answer["payload"]), now)
        else:
            self.rule.answered(now)
        if isinstance(say, peering.SayAlive):
            self.lag = now - asked
            self._board.homes.heard(Home(self.name, self.incarnation), now)
            self._become(UP)

    def _worded(  # noqa: PLR0911  one for each thing to say
        self, say: peering.Say, now: float
    ) -> tuple[type[amp.Command], bytes]:
        """The command and the payload that say this, as things are now."""
        board = self._board
        match say:
            case peering.SayAlive():
                alive = Alive(
                    board.homes.ages(now, self.lag or 0.0), *self._told.census()
                )
                return commands.Alive, exchange.encode_alive(alive)
            case peering.SayDigest():
                digest = Digest(
                    board.digests(), tuple(board.hashes()), self._journal.heads()
                )
                return commands.Digest, exchange.encode_digest(digest)
            case peering.SayVersions(home):
                versions = Versions(home, board.versions(home))
                return commands.Versions, exchange.encode_versions(versions)
            case peering.SayRecords(processes):
                found = (board.record(each, now) for each in processes)
                records = [each for each in found if each is not None]
                return commands.Records, exchange.encode_records(records)
            case peering.SayDeltas(deltas):
                passed = ((d.process, d.registration, d.payload) for d in deltas)
                return commands.Deltas, exchange.encode_deltas(passed)
            case peering.SaySums(buckets):
                told = SumsTold(
                    board.service_sums(now), tuple(board.program_sums(buckets, now))
                )
                return commands.Sums, exchange.encode_sums(told)
            case peering.SayRemarks(heads):
                remarks = self._journal.beyond(heads, now)
                return commands.Remarks, exchange.encode_remarks(remarks)

    def _set_timer(
        self, seconds: float | None, what: Callable[[], None] | None = None
    ) -> None:
        """Call something in so many seconds, in place of whatever was to be called."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if seconds is not None:
            self._timer = self._reactor.callLater(seconds, what)
