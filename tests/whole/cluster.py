"""A cluster in a network of its own: nodes, clients and consoles, each on its host.

Consoles sit on a host that no test cuts off, so that what a node thinks can be seen
whatever is between it and the others.
"""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tests.whole.fleet import BIN, WITHIN, Console, NotSeen, Running
from tests.whole.network import Host, Inside, Network
from tests.whole.servers import eventually
from tests.whole.switch import ip

if TYPE_CHECKING:
    from typing_extensions import Self

NODES = ("node1", "node2", "node3")
DESK = "desk"
PORT = 5800
STALE_AFTER = 60
"""Seconds for which an unheard client counts: the fewest that a config may say."""

TICK = "0.2"

#: A client that does what it is told, and can be at work meanwhile.
CLIENT = """
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
import connmon
anywhere = {{"check_same_thread": False}}
options = {{"pool_size": 20, "connect_args": anywhere}}
engine = create_engine({url!r}, poolclass=QueuePool, **options)
held = []

def node():
    return connmon.status()["destinations"][0]["node"]

def work():
    while True:
        engine.connect().close()
        time.sleep(0.01)
"""


class ClusterNode(Running):
    """A node of a config, on a host."""

    def __init__(self, host: Host, config: Path, name: str, *options: str) -> None:
        """Start it; ``listens`` waits for it."""
        self.name = name
        super().__init__(
            host.command([BIN / "connmond", "-c", config, "--node", name, *options])
        )

    def listens(self) -> Self:
        """Wait until others can reach it."""
        self.err.until(lambda line: "listens on" in line)
        return self

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def says(self, *words: str) -> str:
        """Wait for a line of its log that has all these words; the line."""
        return self.err.until(lambda line: all(word in line for word in words))


class Client(Inside):
    """A watched program, named for its host, that holds a connection of its own."""

    def __init__(self, host: Host, directory: Path, config: Path) -> None:
        """Start it, and have it use its database."""
        self.name = host.name
        url = (
            f"sqlite+connmon:///{directory}/{host.name}.db?connmon_config={config}"
            f"&connmon_service=default&connmon_program={host.name}"
        )
        super().__init__(host, CLIENT.format(url=url))
        self.hold(1)

    @property
    def node(self) -> str | None:
        """The node it reports to, if it does."""
        return self.do("node()")  # type: ignore[no-any-return]

    def hold(self, number: int) -> None:
        """Check so many more connections out."""
        self.do(f"held += [engine.connect() for _ in range({number})]")

    def release(self, number: int) -> None:
        """Give so many of them back."""
        self.do(f"[held.pop().close() for _ in range({number})]")

    def be_busy(self) -> None:
        """Check a connection out many times a second, from now on."""
        self.do("threading.Thread(target=work, daemon=True).start()")

    def reports_to(self, nodes: Iterable[str], within: float) -> bool:
        """Whether one of these has it ``within`` these seconds."""
        wanted = set(nodes)
        return eventually(lambda: self.node in wanted, within)


class View(Console):
    """A console anywhere, whose frames are all kept."""

    def __init__(self, host: Host, options: Iterable[str | Path]) -> None:
        """Start it on this host with these options."""
        Running.__init__(
            self,
            host.command([BIN / "connmon", *options, "--json", "-d", TICK]),
        )

    def until(
        self, wanted: Callable[[dict[str, Any]], object], within: float = WITHIN
    ) -> dict[str, Any]:
        """The next frame that is wanted."""
        try:
            return super().until(wanted, within)
        except NotSeen as error:
            said = "\n".join(self.err.rest_so_far()[-5:])
            raise NotSeen(f"{error}\nand on standard error:\n{said}") from None

    def mark(self) -> int:
        """How many frames have come until now."""
        return len(self.out.rest_so_far())

    def since(self, mark: int) -> list[dict[str, Any]]:
        """The frames that have come since the mark was made."""
        return [json.loads(line) for line in self.out.rest_so_far()[mark:]]

    def shows_all(
        self, programs: Iterable[str], within: float = WITHIN
    ) -> dict[str, Any]:
        """Wait until exactly these run, each once, and none is stale; that frame."""
        wanted = dict.fromkeys(programs, (1, 0))
        return self.until(lambda frame: running(frame) == wanted, within)


def running(frame: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """By program: its processes, and how many of them are stale.

    A program with two rows has all their processes.
    """
    found: dict[str, tuple[int, int]] = {}
    for row in frame["programs"]:
        if row["nproc"]:
            processes, stale = found.get(row["progname"], (0, 0))
            found[row["progname"]] = (
                processes + row["nproc"],
                stale + row["stale"],
            )
    return found


def flaw(frame: Mapping[str, Any], programs: Iterable[str]) -> str:
    """What is wrong in a frame that has to have each program once; empty if nothing.

    They may be stale. The totals have to be theirs.
    """
    processes = {name: count for name, (count, _) in running(frame).items()}
    wanted = dict.fromkeys(programs, 1)
    if processes != wanted:
        return f"shows {processes}"
    most = {row["progname"]: row["maxnproc"] for row in frame["programs"]}
    if most != wanted:
        return f"has maxima {most}"
    total = frame["processes"]
    if total["current"] != len(wanted) or total["max"] > len(wanted):
        return f"has the total {total}"
    return ""


def state(frame: Mapping[str, Any], node: str) -> str:
    """A node's state in a frame of the nodes view."""
    [found] = [row["state"] for row in frame["nodes"] if row["node"] == node]
    return str(found)


def remarks(frame: Mapping[str, Any]) -> str:
    """All that such a frame remarks upon, each with the node's name before it."""
    return "; ".join(
        f"{row['node']}: {each}" for row in frame["nodes"] for each in row["remarks"]
    )


def section(service: str, places: Mapping[str, str]) -> str:
    """The config's section of a service, with nodes of these names and addresses."""
    nodes = "".join(
        f"    {name} hostname={address}:{PORT}\n" for name, address in places.items()
    )
    return (
        f"[connmon_service_{service}]\nname: {service}\n"
        f"stale_after: {STALE_AFTER}\n\nnodes:\n{nodes}"
    )


class Cluster:
    """A service of three nodes, that are up, and hosts for its clients.

    A context object; all that is made by it ends with it.
    """

    def __init__(self, *clients: str) -> None:
        """``clients`` are the hosts where clients will run."""
        self.net = Network(*NODES, *clients, DESK)
        self.nodes: dict[str, ClusterNode] = {}
        self.clients: dict[str, Client] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Make the network and start the nodes."""
        with ExitStack() as stack:
            self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(self.net)
            places = {name: self.net[name].address for name in NODES}
            self.config = self.write("connmon.cfg", section("default", places))
            self._stack = stack
            self.start(*NODES)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all."""
        self._stack.close()

    def write(self, name: str, text: str) -> Path:
        """Write a config; its path."""
        path = self.directory / name
        path.write_text(text)
        return path

    def start(self, *names: str) -> None:
        """Start these nodes, each on the host of its name, and wait for them."""
        for name in names:
            self.nodes[name] = self.daemon(name, self.config, name)
        for name in names:
            self.nodes[name].listens()

    def daemon(self, host: str, config: Path, name: str, *options: str) -> ClusterNode:
        """A daemon on any host, of any config."""
        return self._stack.enter_context(
            ClusterNode(self.net[host], config, name, *options)
        )

    def stop(self, name: str) -> int:
        """End a node in good order; its exit status."""
        self.nodes[name].send(signal.SIGTERM)
        return self.nodes[name].wait()

    def client(self, name: str, at: str) -> Client:
        """A client on the host of its name, that reports to this node to begin with."""
        others = [self.net[node].address for node in NODES if node != at]
        here = self.net[name].namespace
        for address in others:
            ip("-n", here, "route", "add", "prohibit", address)
        client = self._stack.enter_context(
            Client(self.net[name], self.directory, self.config)
        )
        assert client.reports_to([at], WITHIN), f"{name} does not report to {at}"
        for address in others:
            ip("-n", here, "route", "delete", "prohibit", address)
        self.clients[name] = client
        return client

    def view(self, *options: str) -> View:
        """A console with these options, of this service."""
        return self._stack.enter_context(
            View(self.net[DESK], ["-c", self.config, *options])
        )

    def programs_views(self, *names: str) -> dict[str, View]:
        """By node, a console that looks at that one; of these, or all."""
        return {name: self.view("-n", name) for name in names or NODES}

    def nodes_view(self, name: str) -> View:
        """A console that shows how a node sees the others."""
        return self.view("-n", name, "--view", "nodes")
