"""Tests of the mesh: what nodes learn of each other's processes, and of each other."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from connmon import __version__
from connmon.daemon.mesh import SWEEP_SECONDS
from connmon.model.records import Counters
from connmon.views.query import Query
from connmon.views.roster import REFUSED, STALE, UNREACHABLE, UP
from connmon.views.schema import NODES
from connmon.wire import commands
from connmon.wire.reports import decode_report, encode_report
from tests.daemon.cluster import Network, service
from tests.daemon.fakes import Talk, a_report

ALL = ("a", "b", "c")


class MeshTestCase(SynchronousTestCase):
    """Three nodes that have met."""

    def setUp(self) -> None:
        """Start them."""
        self.events: list[Any] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.network = Network(self.clock)
        self.service = service(*ALL)
        self.begin()

    def begin(self) -> None:
        """All three nodes."""
        for name in ALL:
            self.network.start(name, self.service)
        self.network.pass_time(3.0)

    def logged(self, wanted: str) -> list[str]:
        """The log's lines in which these words are."""
        lines = [formatEvent(event) for event in self.events]
        return [line for line in lines if wanted in line]

    def shown(self, *places: str) -> list[tuple[int, int, int]]:
        """Of each node, the processes, those checked out, and the stale ones."""
        looks = [self.network.look(place) for place in places or ALL]
        return [(a.processes.current, a.checkouts.current, a.stale) for a in looks]


class SharingTests(MeshTestCase):
    """One picture on every node."""

    def test_every_node_knows_every_process(self) -> None:
        """Whole records and deltas, from whichever node."""
        one, two = self.network.client("a", "p1"), self.network.client("b", "p2")
        one.report(a_report(0, out=2))
        two.report(a_report(0, out=1, idle=4))
        self.network.pass_time(0.5)
        self.assertEqual([(2, 3, 0)] * 3, self.shown())
        one.report(a_report(1, base=0, out=3))
        self.network.pass_time(0.5)
        self.assertEqual([(2, 4, 0)] * 3, self.shown())
        two.hang_up()
        self.network.pass_time(0.5)
        self.assertEqual([(1, 3, 0)] * 3, self.shown())

    def test_a_change_crosses_each_link_once(self) -> None:
        """Nothing is told again because it was heard."""
        client = self.network.client("a", "p1")
        client.report(a_report(0, out=2))
        self.network.pass_time(4.0)
        seen: list[tuple[str, str]] = []

        def noted(place: str, kind: str, heard: Any, teller: Any, told: Any) -> Any:
            seen.append((f"{teller.home.node}>{place}", kind))
            return heard(teller, told)

        for place in ALL:
            mesh = self.network.nodes[place].mesh
            for kind in ("deltas", "records", "versions"):
                heard = getattr(mesh, kind)

                self.patch(mesh, kind, partial(noted, place, kind, heard))
        for sequence in range(1, 11):
            client.report(a_report(sequence, base=sequence - 1, out=sequence))
            self.network.pass_time(1.0)
        self.assertEqual(10, seen.count(("a>b", "deltas")))
        self.assertEqual(10, seen.count(("a>c", "deltas")))
        self.assertEqual(20, len(seen), seen)

    def test_reports_of_one_moment_share_a_box(self) -> None:
        """What many processes report is gathered."""
        clients = [self.network.client("a", f"p{number}") for number in range(50)]
        for client in clients:
            client.report(a_report(0, out=1))
        self.network.pass_time(4.0)
        before = self.network.row("a", "b").messages_sent
        for client in clients:
            client.report(a_report(1, base=0, out=2))
        self.network.pass_time(1.0)
        self.assertEqual([(50, 100, 0)] * 3, self.shown())
        self.assertLess(self.network.row("a", "b").messages_sent - before, 8)

    def test_a_node_that_starts_anew_learns_everything(self) -> None:
        """The processes of the others, the maxima, and the journal."""
        client = self.network.client("b", "p1")
        client.report(a_report(0, out=7))
        client.report(a_report(1, base=0, idle=7))
        self.network.pass_time(2.5)
        self.network.kill("a")
        self.network.pass_time(2.0)
        self.network.start("a", self.service)
        self.network.pass_time(8.0)
        self.assertEqual([(1, 0, 0)] * 3, self.shown())
        (row,) = self.network.look("a").programs
        self.assertEqual((7, 7), (row.maxconn, row.maxckout))
        self.assertEqual(7, self.network.look("a").checkouts.maximum)
        heads = {
            place: self.network.nodes[place].mesh._journal.heads() for place in ALL
        }
        self.assertEqual(heads["a"], heads["b"])
        self.assertEqual(heads["a"], heads["c"])
        self.assertGreater(len(heads["a"]), 3)

    def test_ages_and_rates_are_right_whatever_the_clocks_say(self) -> None:
        """Each machine's clock is hours off the others', and so is the process's."""
        began = 50_000.0
        client = self.network.client("a", "p1")
        for second in range(12):
            report = decode_report(a_report(second, out=1))
            client.report(
                encode_report(
                    replace(
                        report,
                        base=None if second == 0 else second - 1,
                        clock=began + second,
                        counters=Counters(checkouts=40 * second),
                    )
                )
            )
            self.network.pass_time(1.0)
        for place in ALL:
            (row,) = self.network.look(place).programs
            self.assertAlmostEqual(40.0, row.ckoutpersec or 0.0, places=0, msg=place)
            node = self.network.nodes[place]
            record = node.board.record("p1", node.clock.seconds())
            assert record is not None
            self.assertTrue(0.0 < record.age < 1.5, record)
            (connection,) = record.report.connections
            self.assertEqual(began + 11, record.report.clock - connection.since)

    def test_a_stop_says_nothing_of_the_processes(self) -> None:
        """They go to another node, and are never shown as gone meanwhile."""
        client = self.network.client("a", "p1")
        client.report(a_report(0, out=2))
        self.network.pass_time(1.0)
        node = self.network.nodes["a"]
        for link in list(node.links):
            link.dismiss()
        # Its end may be noticed before the peers are left.
        client.pump.flush()
        self.network.flush()
        node.mesh.stop()
        self.network.flush()
        del self.network.nodes["a"]
        self.network.pass_time(1.0)
        self.assertEqual([(1, 2, 0)] * 2, self.shown("b", "c"))
        moved = self.network.client("b", "p1", 2)
        moved.report(a_report(0, out=3))
        self.network.pass_time(8.0)
        self.assertEqual([(1, 3, 0)] * 2, self.shown("b", "c"))


class FailureTests(MeshTestCase):
    """What is lost, and how that is seen."""

    def test_a_killed_nodes_processes_are_stale_and_then_lost(self) -> None:
        """They count until then, with the age of what is known."""
        self.network.client("a", "p1").report(a_report(0, out=2))
        self.network.pass_time(1.0)
        self.network.kill("a")
        self.assertEqual([(1, 2, 0)] * 2, self.shown("b", "c"))
        self.network.pass_time(6.0)
        self.assertEqual([(1, 2, 1)] * 2, self.shown("b", "c"))
        (row,) = self.network.look("b").programs
        self.assertEqual(1, row.stale)
        self.assertTrue(6.0 <= (row.stale_seconds or 0.0) < 7.1, row)
        look = self.network.look("b")
        self.assertEqual((2, 3, ("a",)), (look.nodes_up, look.nodes, look.down))
        self.assertEqual(UNREACHABLE, self.network.row("b", "a").state)
        self.network.pass_time(62.0)
        self.assertEqual([(0, 0, 0)] * 2, self.shown("b", "c"))
        self.assertTrue(self.logged("gave up 1 process of a, not heard"))

    def test_consoles_are_told_who_is_down(self) -> None:
        """In the head of each frame, and in the rows of the nodes."""
        console = Talk(self.network.nodes["b"], self.clock, "10.0.0.9", 5555)
        console.hello(commands.CONSOLE)
        console.subscribe(3600.0)
        self.network.kill("c")
        self.network.kill("a")
        self.network.pass_time(6.0)
        console.subscribe(3600.0, [Query(NODES, fields=("state",))], 2)
        heads = [frames[0].head for _, frames in console.caller.feeds]
        self.assertEqual(
            [(3, 3, ()), (1, 3, ("a", "c"))],
            [(head.nodes_up, head.nodes, head.down) for head in heads],
        )
        _, (frame,) = console.caller.feeds[-1]
        states = [(row[0], row[2]) for row in frame.rows]
        self.assertEqual(("node", "address", "state"), frame.fields)
        self.assertEqual([("a", UNREACHABLE), ("b", UP), ("c", UNREACHABLE)], states)
        console.hang_up()

    def test_two_far_apart_do_not_keep_a_dead_node_alive_between_them(self) -> None:
        """What each has of it from the other is as old as it was, and the way long."""
        self.network.latency[frozenset("ab")] = 0.75
        self.network.client("c", "p1").report(a_report(0, out=2))
        self.network.pass_time(8.0)
        self.assertEqual([(1, 2, 0)] * 3, self.shown())
        self.network.kill("c")
        self.network.pass_time(60.0 + SWEEP_SECONDS + 5.0)
        self.assertEqual([(0, 0, 0)] * 2, self.shown("a", "b"))

    def test_a_process_that_moved_is_shown_once(self) -> None:
        """Its node may still believe it is its own."""
        old = self.network.client("a", "p1")
        old.report(a_report(0, out=2))
        self.network.pass_time(1.0)
        moved = self.network.client("b", "p1", 2)
        moved.report(a_report(0, out=5))
        self.network.pass_time(1.0)
        self.assertEqual([(1, 5, 0)] * 3, self.shown())
        old.hang_up()
        self.network.pass_time(1.0)
        self.assertEqual([(1, 5, 0)] * 3, self.shown())

    def test_a_silent_node_is_noticed(self) -> None:
        """By its heartbeat; when it goes on, it catches up and disturbs nobody."""
        self.network.client("a", "p1").report(a_report(0, out=2))
        self.network.client("b", "p2").report(a_report(0, out=1))
        self.network.pass_time(1.0)
        self.network.stop("a")
        self.network.pass_time(5.0)
        self.assertEqual(1, self.network.row("b", "b").clients)
        self.assertEqual(STALE, self.network.row("b", "a").state)
        self.assertIsNone(self.network.row("b", "a").clients)
        self.assertEqual("it does not answer", self.network.row("b", "a").reason)
        moved = self.network.client("c", "p1", 2)
        moved.report(a_report(0, out=4))
        self.network.pass_time(5.0)
        self.assertEqual([(2, 5, 0)] * 2, self.shown("b", "c"))
        self.network.resume("a")
        self.network.pass_time(5.0)
        self.assertEqual([(2, 5, 0)] * 3, self.shown())
        self.assertEqual(UP, self.network.row("b", "a").state)
        self.assertTrue(self.logged("was stopped for"))

    def test_a_node_that_slept_believes_nothing_old(self) -> None:
        """Whose processes died meanwhile does not bring them back."""
        client = self.network.client("b", "p1")
        client.report(a_report(0, out=2))
        self.network.pass_time(1.0)
        self.network.stop("a")
        self.network.pass_time(1.0)
        client.hang_up()
        self.network.kill("b")
        self.network.pass_time(3600.0)
        self.assertEqual([(0, 0, 0)], self.shown("c"))
        self.network.resume("a")
        self.assertEqual([(0, 0, 0)], self.shown("a"))
        self.network.pass_time(5.0)
        self.assertEqual([(0, 0, 0)] * 2, self.shown("a", "c"))

    def test_two_that_do_not_hear_each_other_hear_it_from_the_third(self) -> None:
        """A partial partition: the whole picture everywhere, and nothing stale."""
        self.network.cut.add(frozenset("ab"))
        self.network.pass_time(10.0)
        one, two = self.network.client("a", "p1"), self.network.client("b", "p2")
        one.report(a_report(0, out=2))
        two.report(a_report(0, out=1))
        self.network.pass_time(10.0)
        self.assertEqual([(2, 3, 0)] * 3, self.shown())
        one.report(a_report(1, base=0, out=4))
        self.network.pass_time(5.0)
        self.assertEqual([(2, 5, 0)] * 3, self.shown())
        row = self.network.row("b", "a")
        self.assertNotEqual(UP, row.state)
        self.assertLess(row.heard_seconds or 99.0, 3.0)

    def test_what_happens_right_after_a_cut_comes_through_the_third(self) -> None:
        """As soon as the cut is noticed, and the next digest has come."""
        client = self.network.client("a", "p1")
        client.report(a_report(0, out=2))
        self.network.pass_time(3.0)
        self.network.cut.add(frozenset("ab"))
        client.report(a_report(1, base=0, out=3))
        self.network.pass_time(8.0)
        self.assertEqual([(1, 3, 0)] * 3, self.shown())

    def test_a_full_split_heals_by_itself(self) -> None:
        """Each side shows its own, and the others as stale."""
        self.network.client("a", "p1").report(a_report(0, out=2))
        self.network.client("b", "p2").report(a_report(0, out=1))
        self.network.pass_time(1.0)
        self.network.cut |= {frozenset("ab"), frozenset("ac")}
        self.network.pass_time(15.0)
        self.assertEqual([(2, 3, 1)] * 3, self.shown())
        self.network.pass_time(100.0)
        self.assertEqual([(1, 2, 0), (1, 1, 0), (1, 1, 0)], self.shown())
        self.network.cut.clear()
        self.network.pass_time(8.0)
        self.assertEqual([(2, 3, 0)] * 3, self.shown())


class RemarkTests(MeshTestCase):
    """What is odd about a node is said, in the log and in the nodes view."""

    def begin(self) -> None:
        """Each test starts its own."""

    def test_nodes_that_are_well(self) -> None:
        """Up, agreed a moment ago, with what passed between them."""
        for name in ALL:
            self.network.start(name, self.service)
        self.network.pass_time(5.0)
        self.network.client("b", "p1")
        self.network.pass_time(1.0)
        row = self.network.row("a", "b")
        self.assertEqual((UP, "", ()), (row.state, row.reason, row.remarks))
        self.assertEqual((1, 0), (row.clients, row.consoles))
        self.assertLess(row.agreed_seconds or 99.0, 3.0)
        self.assertGreater(min(row.bytes_sent, row.messages_received), 10)
        own = self.network.row("a", "a")
        self.assertEqual((UP, 0, None), (own.state, own.clients, own.agreed_seconds))

    def test_another_service_is_refused_in_one_line(self) -> None:
        """And each serves its own clients."""
        self.network.start("a", service("a", "b"))
        self.network.start("b", service("a", "b", called="other"))
        self.network.pass_time(60.0)
        row = self.network.row("a", "b")
        self.assertEqual(REFUSED, row.state)
        self.assertEqual("this node is of service 'other', not 'default'", row.reason)
        self.assertEqual(1, len(self.logged("node b is refused")))
        tried = [pair for pair, _ in self.network.wires if pair == frozenset("ab")]
        self.assertTrue(10 <= len(tried) <= 14, len(tried))
        self.network.client("a", "p1").report(a_report(0, out=2))
        self.assertEqual([(1, 2, 0)], self.shown("a"))

    def test_no_protocol_version_in_common_is_refused_in_one_line(self) -> None:
        """On both sides, with what each of them speaks."""
        self.patch(commands, "OLDEST", {commands.PEER: commands.VERSION + 1})
        for name in ("a", "b"):
            self.network.start(name, service("a", "b"))
        self.network.pass_time(60.0)
        for one, other in ("ab", "ba"):
            row = self.network.row(one, other)
            self.assertEqual(REFUSED, row.state)
            self.assertIn("protocol versions 3 to 2 offered", row.reason)
            self.assertEqual(1, len(self.logged(f"node {other} is refused: protocol")))
        # And each says once whom it refused.
        self.assertEqual(2, len(self.logged("closed: refused, protocol versions")))

    def test_a_configuration_that_differs(self) -> None:
        """They work together, and say what differs."""
        self.network.start("a", service("a", "b"))
        self.network.start("b", service("a", "b", "c", stale_after="90"))
        self.network.pass_time(5.0)
        (remark,) = self.network.row("a", "b").remarks
        self.assertEqual(
            "its configuration differs: it lacks 'stale_after 60', "
            "it has 'c unix:/c', it has 'stale_after 90'",
            remark,
        )
        self.assertEqual(1, len(self.logged("node b: its configuration differs")))
        self.assertEqual(1, len(self.logged("node a: its configuration differs")))
        self.network.client("b", "p1").report(a_report(0, out=2))
        self.network.pass_time(1.0)
        self.assertEqual([(1, 2, 0)] * 2, self.shown("a", "b"))

    def test_a_node_that_is_not_in_the_configuration(self) -> None:
        """It is heard, and shown with the remark that it is told nothing."""
        self.network.start("a", service("a"))
        self.network.start("b", service("a", "b"))
        self.network.client("b", "p1").report(a_report(0, out=2))
        self.network.pass_time(5.0)
        self.assertEqual([(1, 2, 0)], self.shown("a"))
        row = self.network.row("a", "b")
        self.assertIn("is told nothing", row.remarks[0])
        self.assertEqual(__version__, row.version)
        self.assertTrue(3.0 < row.since_seconds < 5.1, row)

    def test_a_node_under_two_names(self) -> None:
        """It finds itself at another's address, and says so."""
        self.network.start("a", service("a", "b", b="a"))
        self.network.pass_time(30.0)
        self.assertEqual(REFUSED, self.network.row("a", "b").state)
        said = "b is listed at unix:/a, which is this node"
        self.assertEqual((said,), self.network.row("a", "a").remarks)
        self.assertEqual(1, len(self.logged(said)))

    def test_two_daemons_of_one_name(self) -> None:
        """The others say so, and so do these when they meet."""
        both = service("a", "b")
        self.network.start("a", both)
        self.network.start("b", both)
        self.network.pass_time(3.0)
        self.network.start("b", both, at="elsewhere")
        self.network.pass_time(5.0)
        (remark,) = self.network.row("a", "b").remarks
        self.assertIn("two daemons of that name", remark)
        self.assertEqual(1, len(self.logged("node b: two daemons of that name")))

    def test_two_that_meet_under_one_name(self) -> None:
        """Each refuses the other."""
        self.network.start("a", service("a", "b"))
        self.network.start("a", service("a", "b", a="elsewhere", b="a"), at="other")
        self.network.pass_time(5.0)
        self.assertTrue(self.logged("node a: another daemon of that name"))
        (remark,) = self.network.row("a", "a").remarks
        self.assertIn("another daemon of that name", remark)
        self.network.pass_time(60.0)
        self.assertEqual((remark,), self.network.row("a", "a").remarks)
        self.network.kill("other")
        self.network.pass_time(60.0)
        self.assertEqual((), self.network.row("a", "a").remarks)
        self.assertEqual(1, len(self.logged("node a: another daemon of that name")))

    def test_another_node_answers(self) -> None:
        """An address in the configuration that leads to the wrong node."""
        self.network.start("a", service("a", "b", b="c"))
        self.network.start("c", service("c"))
        self.network.pass_time(5.0)
        row = self.network.row("a", "b")
        self.assertEqual(REFUSED, row.state)
        self.assertEqual("its address is answered by node c", row.reason)
