"""Nodes of a service make one picture, and keep it, whatever happens to some of them.

Each test has a cluster of its own: three nodes, some clients and consoles, each on a
host of its own in a network that can be cut.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.whole import network
from tests.whole.cluster import (
    NODES,
    STALE_AFTER,
    Client,
    Cluster,
    View,
    flaw,
    remarks,
    running,
    section,
    state,
)
from tests.whole.fleet import WITHIN, row_of
from tests.whole.servers import eventually

KILLED_SECONDS = 5.0
"""Within which the clients of a killed node have another."""

SILENT_SECONDS = 6.0
"""The same for a node that falls silent, and a client at work."""

IDLE_SECONDS = 40.0
"""The same for a client that is not."""

ANOTHER_SECONDS = 5.0
"""How much longer it may take if the first node it turns to is silent as well."""

MARGIN_SECONDS = 10.0
"""How much later than it must a forgotten client may be seen to be gone."""


class ClusterCase(SynchronousTestCase):
    """A test that needs a cluster."""

    def setUp(self) -> None:
        """Skip where there can be none; what must be ended."""
        network.require()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def begin(self, **places: str) -> None:
        """A cluster, with a client of each name at its node, all seen by all nodes."""
        self.cluster = self.stack.enter_context(Cluster(*places))
        self.net = self.cluster.net
        self.programs = sorted(places)
        for name, node in places.items():
            self.cluster.client(name, node)
        self.views = self.cluster.programs_views()
        self.all_show_all()

    def all_show_all(self, *names: str, within: float = WITHIN) -> None:
        """Wait until the consoles of these nodes, or all, show each client once."""
        for name in names or self.views:
            self.views[name].shows_all(self.programs, within)

    def all_show(self, program: str, **figures: object) -> None:
        """Wait until all consoles show these figures of a program."""
        for view in self.views.values():
            view.shows(program, WITHIN, stale=0, **figures)

    def marks(self, *names: str) -> dict[View, int]:
        """How far these nodes' consoles are; whoever is not there is not missed."""
        return {self.views[name]: self.views[name].mark() for name in names}

    def nothing_amiss(self, marks: dict[View, int]) -> None:
        """All frames since then show each client, once, and never showed more."""
        for view, mark in marks.items():
            frames = view.since(mark)
            self.assertNotEqual([], frames)
            for number, frame in enumerate(frames):
                wrong = flaw(frame, self.programs)
                self.assertEqual("", wrong, f"frame {number} of {len(frames)}")

    def moves(self, names: Iterable[str], to: Iterable[str], within: float) -> None:
        """These clients all come to one of these nodes within these seconds."""
        until = time.monotonic() + within
        for name in names:
            moved = self.client(name).reports_to(to, until - time.monotonic())
            self.assertTrue(
                moved, f"{name} is at {self.client(name).node} after {within} seconds"
            )

    def client(self, name: str) -> Client:
        """The client of this name."""
        return self.cluster.clients[name]

    def sees(self, name: str, **states: str) -> dict[str, Any]:
        """Wait until a node sees others in these states; the frame of the nodes."""
        view = self.cluster.nodes_view(name)
        frame = view.until(
            lambda frame: all(state(frame, n) == s for n, s in states.items())
        )
        view.end()
        return frame


class PictureTests(ClusterCase):
    """What a healthy cluster shows."""

    def test_every_node_shows_every_client(self) -> None:
        """Whichever node a client reports to, all show the same figures of it."""
        self.begin(app1="node1", app2="node2", app3="node3")
        self.client("app1").hold(2)
        self.client("app2").hold(6)
        self.client("app2").release(5)
        self.all_show("app1", nproc=1, conn=3, ckout=3, maxckout=3, hostname="app1")
        self.all_show("app2", nproc=1, ckout=2, maxckout=7, hostname="app2")
        self.all_show("app3", nproc=1, conn=1, ckout=1, maxckout=1, hostname="app3")
        for view in self.views.values():
            frame = view.until(lambda frame: frame["cluster"]["up"] == 3)
            self.assertEqual({"nodes": 3, "up": 3, "down": []}, frame["cluster"])
            self.assertEqual({"current": 3, "max": 3, "stale": 0}, frame["processes"])

    def test_every_node_sees_the_others(self) -> None:
        """All are up, at their addresses, with their clients, and nothing to say."""
        self.begin(app1="node1", app2="node1", app3="node3")
        for name in NODES:
            view = self.cluster.nodes_view(name)
            frame = view.until(
                lambda frame: [row["clients"] for row in frame["nodes"]] == [2, 0, 1]
            )
            self.assertEqual([*NODES], [row["node"] for row in frame["nodes"]])
            self.assertEqual({"up"}, {row["state"] for row in frame["nodes"]})
            self.assertEqual({""}, {row["reason"] for row in frame["nodes"]})
            self.assertEqual("", remarks(frame))
            for row in frame["nodes"]:
                self.assertIn(self.net[row["node"]].address, row["address"])

    def test_ended_client_is_gone_everywhere(self) -> None:
        """Its row stays, without a process, on every node."""
        self.begin(app1="node1", app2="node2")
        self.assertEqual((0, []), self.client("app1").leave())
        self.all_show("app1", nproc=0, conn=0, ckout=0, maxnproc=1)
        self.all_show("app2", nproc=1)


class LostNodeTests(ClusterCase):
    """A node is gone, or silent, and comes back."""

    def test_killed_node(self) -> None:
        """Its clients have another soon; meanwhile none is missing or there twice."""
        self.begin(app1="node1", app2="node1", app3="node2", app4="node3")
        marks = self.marks("node2", "node3")
        self.cluster.nodes["node1"].send(signal.SIGKILL)
        self.moves(["app1", "app2"], ["node2", "node3"], KILLED_SECONDS)
        self.all_show_all("node2", "node3")
        for view in marks:
            frame = view.until(lambda frame: frame["cluster"]["down"])
            self.assertEqual({"nodes": 3, "up": 2, "down": ["node1"]}, frame["cluster"])
        self.nothing_amiss(marks)

    def test_stopped_node(self) -> None:
        """Busy clients leave one that is only stopped; it catches up when it goes on.

        The others are undisturbed, by its silence and by its return.
        """
        self.begin(app1="node1", app2="node1", app3="node2")
        for name in self.programs:
            self.client(name).be_busy()
        marks = self.marks("node2", "node3")
        stopped = self.cluster.nodes["node1"]
        stopped.send(signal.SIGSTOP)
        self.moves(["app1", "app2"], ["node2", "node3"], SILENT_SECONDS)
        self.all_show_all("node2", "node3")
        self.client("app1").hold(4)
        for view in marks:
            view.shows("app1", conn=6)
        stopped.send(signal.SIGCONT)
        self.views["node1"] = self.cluster.view("-n", "node1")
        self.all_show_all()
        self.all_show("app1", conn=6)
        self.nothing_amiss(marks)

    def test_pulled_cable(self) -> None:
        """Busy clients leave a node that nobody reaches; it catches up when it can."""
        self.begin(app1="node1", app2="node1", app3="node2")
        for name in self.programs:
            self.client(name).be_busy()
        marks = self.marks("node2", "node3")
        self.net.isolate("node1")
        self.moves(["app1", "app2"], ["node2", "node3"], SILENT_SECONDS)
        self.all_show_all("node2", "node3")
        self.client("app2").hold(4)
        self.net.rejoin("node1")
        self.views["node1"] = self.cluster.view("-n", "node1")
        self.all_show_all()
        self.all_show("app2", conn=6)
        self.nothing_amiss(marks)

    def test_idle_clients_leave_silent_nodes(self) -> None:
        """Both from one that is stopped and one whose cable is pulled, in due time."""
        self.begin(app1="node1", app2="node2", app3="node3")
        marks = self.marks("node3")
        self.cluster.nodes["node1"].send(signal.SIGSTOP)
        self.net.isolate("node2")
        self.moves(["app1", "app2"], ["node3"], IDLE_SECONDS + ANOTHER_SECONDS)
        self.all_show_all("node3")
        self.nothing_amiss(marks)

    def test_client_that_died_with_its_node_does_not_linger(self) -> None:
        """It is stale, then gone, and the node's return does not bring it back."""
        self.begin(app1="node1", app2="node2")
        self.cluster.nodes["node1"].send(signal.SIGKILL)
        self.client("app1").process.kill()
        others = [self.views["node2"], self.views["node3"]]
        for view in others:
            view.until(lambda frame: running(frame).get("app1") == (1, 1))
        for view in others:
            row = view.shows("app1", STALE_AFTER + MARGIN_SECONDS, nproc=0)
            self.assertEqual((0, 0, 0), (row["conn"], row["ckout"], row["stale"]))
            rows = [row_of(frame, "app1") for frame in view.since(0)]
            oldest = max(row["stale_seconds"] or 0.0 for row in rows if row)
            self.assertGreater(oldest, STALE_AFTER - MARGIN_SECONDS)
        marks = {view: view.mark() for view in others}
        self.cluster.start("node1")
        self.programs = ["app2"]
        self.views["node1"] = self.cluster.view("-n", "node1")
        self.all_show_all()
        self.sees("node2", node1="up")
        for view, mark in marks.items():
            for frame in view.since(mark):
                self.assertEqual({"app2"}, set(running(frame)))


class BadNetworkTests(ClusterCase):
    """Nodes that do not hear one another, or hardly."""

    def test_cut_between_two(self) -> None:
        """While a third hears both, all three show all, and what changes."""
        self.begin(app1="node1", app2="node2", app3="node3")
        marks = self.marks(*NODES)
        self.net.cut("node1", "node2")
        self.sees("node1", node2="stale", node3="up")
        self.sees("node2", node1="stale", node3="up")
        self.client("app1").hold(3)
        self.client("app2").hold(5)
        self.all_show("app1", conn=4)
        self.all_show("app2", conn=6)
        self.all_show_all()
        self.nothing_amiss(marks)
        for view, mark in marks.items():
            stale = [frame["processes"]["stale"] for frame in view.since(mark)]
            self.assertEqual({0}, set(stale), "what a third hears is not stale")

    def test_full_split_and_its_end(self) -> None:
        """Each has its own clients, and the others' as they were; then all is well."""
        self.begin(app1="node1", app2="node2", app3="node3")
        marks = self.marks(*NODES)
        own = dict(zip(NODES, self.programs, strict=True))
        for a, b in zip(NODES, (*NODES[1:], NODES[0]), strict=True):
            self.net.cut(a, b)
        for node, view in self.views.items():
            wanted = {name: (1, int(name != own[node])) for name in self.programs}
            frame = view.until(lambda frame, w=wanted: running(frame) == w)  # type: ignore[misc]
            self.assertEqual(2, frame["processes"]["stale"])
            for name in set(self.programs) - {own[node]}:
                row = row_of(frame, name)
                assert row is not None
                self.assertGreater(row["stale_seconds"], 0)
            others = [name for name in NODES if name != node]
            view.until(lambda frame, o=others: frame["cluster"]["down"] == o)  # type: ignore[misc]
        self.client("app1").hold(3)
        self.views["node1"].shows("app1", conn=4)
        self.net.heal_all()
        self.all_show_all()
        self.all_show("app1", conn=4)
        self.nothing_amiss(marks)

    def test_slow_lossy_network(self) -> None:
        """All show all, where packets are late, lost and doubled."""
        self.begin(app1="node1", app2="node2", app3="node3")
        marks = self.marks(*NODES)
        for a, b in zip(NODES, (*NODES[1:], NODES[0]), strict=True):
            self.net.delay(a, b, 0.05)
            self.net.drop(a, b, 0.05)
            self.net.duplicate(a, b, 0.2)
        for number, name in enumerate(self.programs, 2):
            self.client(name).hold(number)
        for number, name in enumerate(self.programs, 2):
            self.all_show(name, nproc=1, conn=number + 1)
        self.all_show_all()
        self.nothing_amiss(marks)


class RestartTests(ClusterCase):
    """Nodes are restarted in good order, one after the other."""

    def test_rolling_restart_under_load(self) -> None:
        """A console of the service goes on, nothing is lost, nor any maximum."""
        self.begin(app1="node1", app2="node2", app3="node3")
        for name in self.programs:
            self.client(name).hold(6)
        for view in self.views.values():
            view.until(lambda frame: frame["checkouts"]["max"] == 21)
        for name in self.programs:
            self.client(name).release(6)
            self.all_show(name, ckout=1, maxckout=7, maxconn=7)
            self.client(name).be_busy()
        anywhere = self.cluster.view()
        anywhere.shows_all(self.programs)
        mark = anywhere.mark()
        for name in NODES:
            self.assertEqual(0, self.cluster.stop(name))
            self.views.pop(name).end()
            self.cluster.start(name)
            self.views[name] = self.cluster.view("-n", name)
            self.all_show_all()
            anywhere.shows_all(self.programs)
        self.nothing_amiss({anywhere: mark})
        for view in self.views.values():
            row = view.shows("app1", nproc=1, maxnproc=1)
            self.assertGreaterEqual(row["maxckout"], 7)
            self.assertGreaterEqual(row["maxconn"], 7)
            self.assertLessEqual(row["maxckout"], 8)
            # No process knows what all had at once: the nodes have it of one another.
            self.assertEqual(21, view.frame()["checkouts"]["max"])


class MistakeTests(ClusterCase):
    """What an operator got wrong is said, in the log and in the nodes view."""

    def remarked(self, name: str, *words: str) -> None:
        """Wait until a node's view of the nodes remarks on something in these words."""
        view = self.cluster.nodes_view(name)
        view.until(lambda frame: all(word in remarks(frame) for word in words))

    def test_two_daemons_of_one_name(self) -> None:
        """A second daemon that is node2, on another host."""
        self.begin(app1="node1")
        self.cluster.daemon("app1", self.cluster.config, "node2").listens()
        self.remarked("node1", "node2")
        self.cluster.nodes["node1"].says("node2", "two")

    def test_node_under_two_names(self) -> None:
        """A config that lists the address of node3 as node4 too."""
        self.begin(app1="node1")
        places = {name: self.net[name].address for name in NODES}
        config = self.cluster.write(
            "twice.cfg", section("default", {**places, "node4": places["node3"]})
        )
        self.cluster.stop("node1")
        node = self.cluster.daemon("node1", config, "node1").listens()
        self.remarked("node1", "node3", "node4")
        node.says("node3", "node4")

    def test_node_of_another_service(self) -> None:
        """At a peer's address there is a node that is none of the service's."""
        self.begin(app1="node1")
        self.cluster.stop("node3")
        places = {"node3": self.net["node3"].address}
        config = self.cluster.write("other.cfg", section("other", places))
        self.cluster.daemon("node3", config, "node3", "--service", "other").listens()
        frame = self.sees("node1", node2="up", node3="refused")
        [reason] = [r["reason"] for r in frame["nodes"] if r["node"] == "node3"]
        self.assertIn("other", reason)
        self.assertTrue(eventually(lambda: self.client("app1").node, WITHIN))
