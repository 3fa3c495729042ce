"""Several nodes in one process: a network in memory that can be cut, and one clock."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport

from connmon.config import Service, parse
from connmon.daemon.intake import Node, NodeFactory
from connmon.daemon.tap import join
from connmon.views.roster import NodeRow
from tests.daemon.fakes import Talk
from tests.looks import Look, look

STEP = 0.25


def service(*names: str, **keys: str) -> Service:
    """A service of nodes at paths by their names; ``a=b`` puts node a at b's path."""
    stale_after = keys.pop("stale_after", "60")
    called = keys.pop("called", "default")
    nodes = "\n".join(
        f"    {name} hostname=unix:/{keys.get(name, name)}" for name in names
    )
    text = (
        f"[connmon_service_x]\nname: {called}\nstale_after: {stale_after}\n"
        f"nodes:\n{nodes}\n"
    )
    return parse(text, "test").services[0]


class Timer:
    """A call that waits for its time, and for its machine to go on."""

    def __init__(self, machine: Machine, clock: Clock, delay: float, what: Any) -> None:
        """Call ``what`` after ``delay`` seconds."""
        self._machine = machine
        self._what = what
        self._call: Any = clock.callLater(delay, self.ring)

    def ring(self) -> None:
        """The time has come."""
        if self._machine.stopped:
            self._call = None
            self._machine.postponed.append(self)
        elif self.active():
            what, self._what = self._what, None
            what()

    def active(self) -> bool:
        """Whether it is still to be called."""
        return self._what is not None

    def cancel(self) -> None:
        """Do not call it."""
        assert self.active()
        self._what = None
        if self._call is not None:
            self._call.cancel()


class Wire:
    """A link's two ends, and what is on its way between them."""

    def __init__(self, server: Any, client: Any, address: Any) -> None:
        """Make the link."""
        self._ends = (
            FakeTransport(server, True, peerAddress=address),
            FakeTransport(client, False, peerAddress=address),
        )
        self._told: set[Any] = set()
        #: What is under way from each end, and when it arrives.
        self._under_way: dict[Any, list[tuple[float, bytes]]] = {
            end: [] for end in self._ends
        }
        server.makeConnection(self._ends[0])
        client.makeConnection(self._ends[1])

    def pump(self, blocked: bool, now: float, latency: float) -> bool:
        """Deliver, unless nothing passes now; whether anything happened."""
        happened = False
        for end, other in (self._ends, self._ends[::-1]):
            under_way = self._under_way[end]
            if not blocked and (sent := end.getOutBuffer()):
                under_way.append((now + latency, sent))
            data = b""
            while not blocked and under_way and under_way[0][0] <= now:
                data += under_way.pop(0)[1]
            if data and other not in self._told:
                other.bufferReceived(data)
                happened = True
            if end.disconnecting:
                happened = self._tell(end) or happened
            if end in self._told and not blocked and not data:
                happened = self._tell(other) or happened
        return happened

    def _tell(self, end: Any) -> bool:
        """Tell one end, once, that the link is no more."""
        if end in self._told:
            return False
        self._told.add(end)
        end.reportDisconnect()
        return True


class Machine:
    """One node's reactor: the network's clock, and the way to other machines."""

    def __init__(self, network: Network, name: str) -> None:
        """The machine called ``name``."""
        self._network = network
        self.name = name
        # No two machines' clocks agree, and nothing may depend on it.
        self._ahead = 3600.0 * (crc32(name.encode()) % 100)
        self.stopped = False
        self.postponed: list[Timer] = []

    def seconds(self) -> float:
        """The time."""
        return self._network.clock.seconds() + self._ahead

    def callLater(self, delay: float, what: Any, *args: Any) -> Any:
        """Call something later; a machine that is stopped calls when it goes on."""
        return Timer(self, self._network.clock, delay, lambda: what(*args))

    def connectUNIX(
        self, address: str, factory: Any, timeout: float, checkPID: bool = False
    ) -> Any:
        """Connect to the machine of that name."""
        self._network.connect(self, address.removeprefix("/"), factory)
        return self


class Network:
    """Machines by name, the links between them, and what is wrong with them."""

    def __init__(self, clock: Clock) -> None:
        """No machine yet."""
        self.clock = clock
        self.nodes: dict[str, Node] = {}
        self.machines: dict[str, Machine] = {}
        self.wires: list[tuple[frozenset[str], Wire]] = []
        self.cut: set[frozenset[str]] = set()
        #: Between two machines, in seconds one way.
        self.latency: dict[frozenset[str], float] = {}

    def start(
        self, name: str, of: Service, at: str = "", incarnation: str = ""
    ) -> Node:
        """Start node ``name``, on the machine ``at`` or of that name."""
        place = at or name
        machine = self.machines[place] = Machine(self, place)
        number = incarnation or f"{name}-{self.clock.seconds():g}-{place}"
        node = self.nodes[place] = join(machine, of, name, number)
        node.mesh.start()
        return node

    def kill(self, place: str) -> None:
        """End a node the hard way: its links end, and nothing else is said."""
        node = self.nodes.pop(place)
        machine = self.machines.pop(place)
        machine.stopped = True
        for link in list(node.links):
            link.hang_up()
        for peer in node.mesh._peers:
            peer.hang_up("killed")
        self.flush()

    def connect(self, machine: Machine, place: str, factory: Any) -> None:
        """Make a link, or tell that there can be none."""
        pair = frozenset((machine.name, place))
        if place not in self.nodes or pair in self.cut:
            reason = Failure(ConnectError(string="no route"))
            factory.clientConnectionFailed(machine, reason)
            return
        address = IPv4Address("TCP", machine.name, 40_000 + len(self.wires))
        server = NodeFactory(self.nodes[place]).buildProtocol(None)
        client = factory.buildProtocol(address)
        self.wires.append((pair, Wire(server, client, address)))

    def stop(self, place: str) -> None:
        """SIGSTOP."""
        self.machines[place].stopped = True

    def resume(self, place: str) -> None:
        """SIGCONT: what lay in its sockets is read before its timers ring."""
        machine = self.machines[place]
        machine.stopped = False
        self.flush()
        postponed, machine.postponed = machine.postponed, []
        for timer in postponed:
            timer.ring()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and everything that can arrive do so."""
        for _ in range(round(seconds / STEP)):
            self.clock.advance(STEP)
            self.flush()

    def flush(self) -> None:
        """Deliver what is on its way, but over cut links and to stopped machines."""
        for _ in range(20):
            moved = False
            for pair, wire in list(self.wires):
                stopped = any(
                    self.machines[each].stopped
                    for each in pair
                    if each in self.machines
                )
                blocked = pair in self.cut or stopped
                latency = self.latency.get(pair, 0.0)
                moved = wire.pump(blocked, self.clock.seconds(), latency) or moved
            if not moved:
                return

    def client(self, place: str, process: str, registration: int = 1) -> Talk:
        """A process linked to a node, registered as program ``api`` of ``ctl1``."""
        talk = Talk(self.nodes[place], self.clock, "10.0.0.1", 5555)
        talk.hello(service="")
        talk.register(registration, process=process)
        return talk

    def look(self, place: str) -> Look:
        """What a node shows."""
        node = self.nodes[place]
        return look(node.board, node.clock.seconds(), node.mesh.cluster)

    def row(self, place: str, name: str) -> NodeRow:
        """What a node shows of another."""
        rows = [row for row in self.nodes[place].mesh.nodes() if row.node == name]
        return rows[0]

    def versions(self, place: str) -> dict[str, Any]:
        """Every record of a node, with its standing."""
        board = self.nodes[place].board
        return {
            token: standing
            for home in board.digests()
            for token, standing in board.versions(home).items()
        }
