"""Tests of the viewer's link: one node after another, on a clock, in memory."""

from __future__ import annotations

import errno
import os
import time
from random import Random
from typing import Any

from twisted.internet import error
from twisted.internet.address import UNIXAddress
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address, AnyAddress, UnixAddress
from connmon.console.holders import Whose
from connmon.console.link import Failed, Uplink
from connmon.console.options import Target
from connmon.views.frame import Frame, Head
from connmon.views.query import Query
from connmon.views.schema import HOSTS, NODES, PROGRAMS
from connmon.wire import commands
from connmon.wire.fields import pack
from connmon.wire.frames import feed_fields
from connmon.wire.stacks import encode_found
from tests.console.frames import FRAMES, a_frame, a_program
from tests.console.nodes import Asked, Eye, Met, Resolver
from tests.console.test_holders import FOUND

QUERY = Query(PROGRAMS, limit=3)
OTHER = Query(NODES)
ADDRESSES = tuple(Address(f"10.0.0.{number}", 5800) for number in (1, 2, 3))
INTERVAL = 2.0


def a_feed(node: str = "node1") -> Frame:
    """A frame of the programs view, made by that node."""
    return a_frame(PROGRAMS, head=Head("default", node))


class UplinkTestCase(SynchronousTestCase):
    """An uplink over IP addresses on a reactor in memory."""

    def setUp(self) -> None:
        """A viewer, and no uplink yet."""
        self.reactor = MemoryReactorClock()
        self.reactor.installNameResolver(Resolver())
        self.eye = Eye()
        self.tried: list[str] = []

    def start(
        self,
        *addresses: AnyAddress,
        service: str = "default",
        interval: float = INTERVAL,
    ) -> Uplink:
        """An uplink that looks for a node."""
        uplink = Uplink(
            self.reactor,
            self.eye,
            Target(service, addresses or ADDRESSES),
            Random(1),
        )
        uplink.watch((QUERY,), interval)
        uplink.start()
        self.addCleanup(self.check_end, uplink)
        self.reactor.advance(0)
        return uplink

    def check_end(self, uplink: Uplink) -> None:
        """Whatever happened before, stopping leaves nothing behind."""
        told = list(self.eye.told)
        uplink.stop()
        uplink.stop()
        self.reactor.advance(0)
        self.assertEqual([], self.reactor.getDelayedCalls())
        self.assertEqual(told, self.eye.told)

    def attempt(self) -> Any:
        """What is being connected to; it is taken off the reactor's list."""
        (client,) = self.reactor.tcpClients
        del self.reactor.tcpClients[:]
        host, port, factory = client[:3]
        self.tried.append(f"{host}:{port}")
        return factory

    def unreachable(self, why: Exception | None = None) -> None:
        """The node being connected to cannot be reached."""
        factory = self.attempt()
        failure = Failure(why or error.ConnectionRefusedError(errno.ECONNREFUSED))
        factory.clientConnectionFailed(None, failure)
        # The endpoint waits for that long before it looks for another address.
        self.reactor.advance(0.3)
        self.reactor.advance(0)

    def meet(self, **how: Any) -> Met:
        """The node being connected to accepts."""
        return Met(self.reactor, self.attempt(), **how)


class SeekingTests(UplinkTestCase):
    """Until a node shows a frame."""

    def test_the_conversation_and_the_first_frame(self) -> None:
        """Hello and Subscribe, then frames are passed on with their address."""
        self.start(ADDRESSES[0])
        met = self.meet()
        self.assertEqual(
            [
                (
                    "Hello",
                    commands.VERSION,
                    commands.OLDEST[commands.CONSOLE],
                    commands.CONSOLE,
                    "default",
                ),
                Asked((QUERY,), INTERVAL, 1),
            ],
            met.node.heard,
        )
        frames = [a_feed(name) for name in ("a", "b")]
        before = time.time()
        for frame in frames:
            self.assertEqual({}, met.feed(frame))
        self.assertEqual(
            [((frame,), 1, "10.0.0.1:5800") for frame in frames],
            [each[:3] for each in self.eye.seen],
        )
        for seen in self.eye.seen:
            self.assertTrue(before <= seen.at <= time.time())
        self.assertEqual([], self.eye.told)

    def test_what_is_tried_is_told_before(self) -> None:
        """With the pause before it, which is none at first."""
        self.start(*ADDRESSES[:2])
        self.unreachable()
        self.unreachable()
        first, second, again = self.eye.tries
        self.assertEqual([(each, 0.0) for each in self.tried], [first, second])
        self.assertIn(again[0], self.tried)
        self.assertTrue(0.0 < again[1] <= 0.25, again)

    def test_any_service(self) -> None:
        """Who was given an address only asks for no service."""
        self.start(ADDRESSES[0], service="")
        self.assertEqual("", self.meet().node.heard[0][4])

    def test_a_unix_socket(self) -> None:
        """It is connected to by its path, and then there is no difference."""
        address = UnixAddress("/run/c.sock")
        self.start(address, ADDRESSES[0])
        while not self.reactor.unixClients:
            self.unreachable()
        path, factory, timeout = self.reactor.unixClients[0][:3]
        self.assertEqual((address.path, 5.0), (path, timeout))
        met = Met(self.reactor, factory, address=UNIXAddress(path))
        met.feed(a_feed())
        (seen,) = self.eye.seen
        self.assertEqual("unix:/run/c.sock", seen.origin)

    def test_a_unix_socket_that_is_not_there(self) -> None:
        """The system's reason is told."""
        self.start(UnixAddress("/run/c.sock"))
        factory = self.reactor.unixClients.pop()[1]
        for why in (
            error.getConnectError((errno.ENOENT, os.strerror(errno.ENOENT))),
            error.getConnectError((errno.EACCES, os.strerror(errno.EACCES))),
            error.ConnectError(string=Failure(error.ConnectionDone())),
        ):
            factory.clientConnectionFailed(None, Failure(why))
            self.reactor.advance(4.0)
            factory = self.reactor.unixClients.pop()[1]
        self.assertEqual(
            [
                "tried unix:/run/c.sock (no such file or directory)",
                "tried unix:/run/c.sock (permission denied)",
                "tried unix:/run/c.sock (it accepts no more links)",
            ],
            self.eye.told,
        )
        factory.clientConnectionFailed(None, Failure(error.TimeoutError()))

    def test_every_node_is_tried_before_that_is_told(self) -> None:
        """Once each, at once after one another, with each one's reason."""
        self.start()
        self.unreachable()
        self.unreachable(error.NoRouteError(errno.EHOSTUNREACH))
        self.assertEqual([], self.eye.told)
        self.unreachable(error.TimeoutError())
        self.assertEqual({str(each) for each in ADDRESSES}, set(self.tried))
        self.assertEqual(
            [
                (
                    f"tried {self.tried[0]} (connection refused), "
                    f"{self.tried[1]} (no route to host), "
                    f"{self.tried[2]} (no connection in time)"
                )
            ],
            self.eye.told,
        )

    def test_the_viewer_may_say_to_go_on(self) -> None:
        """After a pause that grows, over all nodes anew."""
        self.start(*ADDRESSES[:2])
        for round_ in range(1, 6):
            for _ in range(2):
                self.reactor.advance(4.0)
                self.unreachable()
            self.assertEqual(round_, len(self.eye.told))
        self.assertEqual([], self.reactor.tcpClients)
        self.assertEqual(10, len(self.tried))
        self.assertTrue(all(line.count("(") == 2 for line in self.eye.told))

    def test_the_viewer_may_say_to_stop(self) -> None:
        """Nothing more is tried then."""
        self.eye.patience = 0
        self.start(*ADDRESSES[:2])
        self.unreachable()
        self.unreachable()
        self.reactor.advance(100.0)
        self.assertEqual([], self.reactor.tcpClients)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_reasons_in_plain_words(self) -> None:
        """As short as they can be said, and without a full stop."""
        for why, words in (
            (error.ConnectionRefusedError(errno.ECONNREFUSED), "connection refused"),
            (error.ConnectError(errno.ENETUNREACH, "x"), "network is unreachable"),
            (error.TimeoutError(), "no connection in time"),
            (error.DNSLookupError("x"), "unknown host name"),
            (ValueError("invalid hostname: x"), "invalid hostname: x"),
            (ValueError(), "ValueError"),
        ):
            self.setUp()
            self.start(ADDRESSES[0])
            self.unreachable(why)
            self.assertEqual([f"tried 10.0.0.1:5800 ({words})"], self.eye.told)

    def test_an_unknown_host_name(self) -> None:
        """A name that no resolver knows is a node that cannot be reached."""
        self.start(Address("nosuch.invalid", 5800))
        self.assertEqual(
            ["tried nosuch.invalid:5800 (unknown host name)"], self.eye.told
        )

    def test_a_connection_that_is_not_made_in_time(self) -> None:
        """A host that does not answer is given up after five seconds."""
        self.start(ADDRESSES[0])
        (client,) = self.reactor.tcpClients
        self.assertEqual(5.0, client[3])

    def test_a_refusal_is_told_in_the_nodes_words(self) -> None:
        """The next node is tried, as this one was of no use."""
        self.start(*ADDRESSES[:2])
        met = self.meet(refusal=commands.ServiceRefused("this node is of 'x'"))
        self.assertTrue(met.node.ended)
        self.reactor.advance(0)
        self.unreachable()
        self.assertEqual(
            [
                (
                    f"tried {self.tried[0]} (this node is of 'x'), "
                    f"{self.tried[1]} (connection refused)"
                )
            ],
            self.eye.told,
        )

    def test_a_node_that_says_nothing(self) -> None:
        """A few seconds are enough for an answer and a first frame."""
        for how in ({"silent": True}, {}):
            self.setUp()
            self.start(ADDRESSES[0])
            met = self.meet(**how)
            patience = commands.ANSWER_SECONDS
            self.reactor.advance(patience - 0.1)
            self.assertFalse(met.node.ended)
            self.reactor.advance(0.1)
            met.pump.flush()
            self.assertTrue(met.node.ended)
            self.assertEqual(
                [f"tried 10.0.0.1:5800 (no word for {patience:g} seconds)"],
                self.eye.told,
            )

    def test_a_node_that_hangs_up_before_it_answers(self) -> None:
        """Told like any other end, in plain words."""
        self.start(ADDRESSES[0])
        self.meet(silent=True).hang_up()
        self.assertEqual(["tried 10.0.0.1:5800 (it closed the link)"], self.eye.told)

    def test_what_is_no_node_is_told_as_that(self) -> None:
        """Someone else may listen on the port."""
        self.start(ADDRESSES[0])
        met = self.meet(silent=True)
        met.node.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        met.pump.flush()
        self.assertEqual(
            ["tried 10.0.0.1:5800 (it broke the protocol: bytes that are not AMP)"],
            self.eye.told,
        )

    def test_an_answer_that_cannot_be_read(self) -> None:
        """A malformed greeting is the node's mistake, and told as one."""
        self.start(ADDRESSES[0])
        met = self.meet(silent=True)
        met.node.transport.write(b"\x00\x07_answer\x00\x011\x00\x00")
        met.pump.flush()
        (told,) = self.eye.told
        self.assertIn("(it broke the protocol: Hello: no argument", told)


class LiveTestCase(UplinkTestCase):
    """An uplink that frames come to."""

    def live(self, *addresses: Address, **how: Any) -> tuple[Uplink, Met]:
        """An uplink that has shown a frame."""
        uplink = self.start(*addresses, **how)
        met = self.meet()
        met.feed(a_feed())
        return uplink, met


class LiveTests(LiveTestCase):
    """While frames come, and after."""

    def test_the_end_of_the_link_is_told_and_another_node_found(self) -> None:
        """At once, without a word of exhaustion, since not all were tried."""
        _, met = self.live(*ADDRESSES[:2])
        met.hang_up()
        self.assertEqual([f"lost {self.tried[0]} (it closed the link)"], self.eye.told)
        self.reactor.advance(0)
        again = self.meet()
        again.feed(a_feed("other"))
        self.assertEqual(2, len(self.eye.seen))
        self.assertEqual(self.tried[1], self.eye.seen[1].origin)
        self.assertEqual(1, len(self.eye.told))

    def test_a_node_that_shows_one_frame_and_leaves(self) -> None:
        """It is linked to again after a pause, or both would do nothing else."""
        _, met = self.live(ADDRESSES[0])
        met.hang_up()
        self.reactor.advance(0)
        self.assertEqual([], self.reactor.tcpClients)
        self.reactor.advance(1.0)
        self.assertEqual(1, len(self.reactor.tcpClients))

    def test_all_nodes_are_tried_again_after_a_loss(self) -> None:
        """Also the one that was lost, before the viewer is asked whether to go on."""
        _, met = self.live()
        met.feed(a_feed())
        met.hang_up()
        del self.tried[:], self.eye.told[:]
        self.reactor.advance(0)
        for _ in range(3):
            self.assertEqual([], self.eye.told)
            self.unreachable()
        self.assertEqual({str(each) for each in ADDRESSES}, set(self.tried))
        self.assertEqual(1, len(self.eye.told))

    def test_what_failed_before_does_not_count_after_a_loss(self) -> None:
        """A node that could not be reached at first is tried like the others."""
        self.start()
        self.unreachable()
        met = self.meet()
        met.feed(a_feed())
        met.feed(a_feed())
        met.hang_up()
        self.reactor.advance(0)
        del self.eye.told[:]
        for _ in range(3):
            self.assertEqual([], self.eye.told)
            self.unreachable()
        self.assertEqual(1, len(self.eye.told))

    def test_a_large_frame_is_taken(self) -> None:
        """The greeting's tighter limit ends with it."""
        _, met = self.live()
        rows = [a_program(f"host-{number:0100}") for number in range(700)]
        self.assertEqual({}, met.feed(a_frame(PROGRAMS, rows)))
        (frame,) = self.eye.seen[-1].frames
        self.assertEqual(rows, list(frame.rows))

    def test_silence_is_a_loss(self) -> None:
        """A node owes a frame each interval; a few seconds more and it is left."""
        _, met = self.live(interval=10.0)
        patience = 10.0 + commands.ANSWER_SECONDS
        self.reactor.advance(patience - 0.1)
        self.assertEqual({}, met.feed(a_feed()))
        self.reactor.advance(patience - 0.1)
        self.assertFalse(met.node.ended)
        self.reactor.advance(0.1)
        met.pump.flush()
        self.assertTrue(met.node.ended)
        self.assertEqual(
            [f"lost {self.tried[0]} (no word for {patience:g} seconds)"],
            self.eye.told,
        )

    def test_a_frame_that_is_none_is_a_loss(self) -> None:
        """A node that breaks the protocol is left."""
        _, met = self.live()
        self.assertIn("expected", met.feed_bytes(b"\xff", 1) or "expected")
        self.assertTrue(met.node.ended)
        (told,) = self.eye.told
        self.assertIn("(it broke the protocol: ", told)

    def test_frames_of_what_nobody_asked_for_are_a_loss(self) -> None:
        """Another view, one too many, or none: whoever is shown them relies on it."""
        for frames in ((FRAMES[NODES],), (a_feed(), a_feed())):
            self.setUp()
            _, met = self.live(ADDRESSES[0])
            met.feed(*frames)
            self.assertTrue(met.node.ended)
            self.assertEqual(1, len(self.eye.seen))
            why = "a feed of other views than those asked for"
            self.assertEqual(
                [f"lost 10.0.0.1:5800 (it broke the protocol: {why})"], self.eye.told
            )

    def test_a_feed_without_frames(self) -> None:
        """It is a loss as well, whatever it is said to answer."""
        uplink, met = self.live(ADDRESSES[0])
        uplink.watch((OTHER,), INTERVAL)
        met.flush()
        met.feed_bytes(pack([*feed_fields((a_feed(),))[:2], []]), 1)
        self.assertTrue(met.node.ended)

    def test_a_viewer_that_has_to_wait_for_its_reader(self) -> None:
        """Time that passed while frames were shown is not held against the node."""
        _, met = self.live(ADDRESSES[0])

        def slowly(*seen: object) -> None:
            self.reactor.rightNow += 60.0

        self.patch(self.eye, "shown", slowly)
        met.feed(a_feed())
        self.reactor.advance(INTERVAL + commands.ANSWER_SECONDS - 0.1)
        met.flush()
        self.assertFalse(met.node.ended)
        self.reactor.advance(0.1)
        met.flush()
        self.assertTrue(met.node.ended)


class AskingTests(LiveTestCase):
    """What is asked for changes, with a link and without one."""

    def test_something_else(self) -> None:
        """It is asked for on the same link, under the next number."""
        uplink, met = self.live(ADDRESSES[0])
        self.assertEqual(2, uplink.watch((OTHER, QUERY), 0.5))
        met.flush()
        self.assertEqual(Asked((OTHER, QUERY), 0.5, 2), met.asked)
        frames = (a_frame(NODES, head=a_feed().head), a_feed())
        self.assertEqual({}, met.feed(*frames))
        self.assertEqual((frames, 2, "10.0.0.1:5800"), self.eye.seen[-1][:3])
        self.assertEqual([], self.eye.told)

    def test_what_is_still_under_way(self) -> None:
        """It comes with its own number, by which the viewer knows it."""
        uplink, met = self.live(ADDRESSES[0])
        uplink.watch((OTHER,), INTERVAL)
        self.assertEqual({}, met.feed(a_feed("old"), number=1))
        self.assertEqual(({}, 1), (met.feed(FRAMES[NODES]), self.eye.seen[1].number))
        self.assertEqual([1, 1, 2], [each.number for each in self.eye.seen])

    def test_an_answer_that_does_not_come_is_a_loss(self) -> None:
        """It is due at once, whatever the interval, and what still comes is none."""
        uplink, met = self.live(ADDRESSES[0], interval=100.0)
        uplink.watch((OTHER,), 100.0)
        self.reactor.advance(commands.ANSWER_SECONDS - 0.1)
        met.feed(a_feed(), number=1)
        self.reactor.advance(0.1)
        met.flush()
        self.assertTrue(met.node.ended)

    def test_asked_while_a_frame_is_shown(self) -> None:
        """The answer is still due at once."""
        uplink, met = self.live(ADDRESSES[0], interval=100.0)

        def curious(*seen: object) -> None:
            uplink.watch((OTHER,), 100.0)

        self.patch(self.eye, "shown", curious)
        met.feed(a_feed())
        self.assertEqual(2, met.asked.number)
        self.reactor.advance(commands.ANSWER_SECONDS)
        met.flush()
        self.assertTrue(met.node.ended)

    def test_while_there_is_no_link(self) -> None:
        """The next node is asked for the newest, and for nothing else."""
        uplink, met = self.live(*ADDRESSES[:2])
        met.hang_up()
        uplink.watch((Query(HOSTS),), INTERVAL)
        uplink.watch((OTHER,), 7.0)
        self.reactor.advance(0)
        met = self.meet()
        self.assertEqual([Asked((OTHER,), 7.0, 3)], met.node.heard[1:])
        met.feed(FRAMES[NODES])
        self.assertEqual(3, self.eye.seen[-1].number)

    def test_before_the_greeting_is_over(self) -> None:
        """It is asked for once the node has answered."""
        uplink = self.start(ADDRESSES[0])
        met = self.meet(silent=True)
        uplink.watch((OTHER,), INTERVAL)
        met.flush()
        self.assertEqual(1, len(met.node.heard))

    def test_refused(self) -> None:
        """The link goes on, and so does what was asked before."""
        uplink, met = self.live(ADDRESSES[0])
        met.node.puzzled = "no field 'x' of nodes\n"
        uplink.watch((OTHER,), INTERVAL)
        met.flush()
        self.assertEqual(["refused 2: no field 'x' of nodes\\n"], self.eye.told)
        for _ in range(3):
            # More than it would have had for an answer.
            self.reactor.advance(INTERVAL + commands.ANSWER_SECONDS - 0.1)
            self.assertEqual({}, met.feed(a_feed(), number=1))
        self.assertEqual(4, len(self.eye.seen))
        self.assertFalse(met.node.ended)
        met.node.puzzled = ""
        self.assertEqual(3, uplink.watch((QUERY,), INTERVAL))
        met.flush()
        self.assertEqual({}, met.feed(a_feed()))
        self.assertEqual(3, self.eye.seen[-1].number)

    def test_silence_after_a_refusal_that_was_mended(self) -> None:
        """What was refused earlier is not the reason."""
        uplink, met = self.live(ADDRESSES[0])
        met.node.puzzled, met.node.puzzle = "no", 2
        uplink.watch((OTHER,), INTERVAL)
        met.flush()
        uplink.watch((QUERY,), INTERVAL)
        met.flush()
        met.feed(a_feed())
        self.reactor.advance(INTERVAL + commands.ANSWER_SECONDS)
        met.flush()
        self.assertEqual(
            "lost 10.0.0.1:5800 (no word for 6 seconds)", self.eye.told[-1]
        )

    def test_refused_but_no_longer_wanted(self) -> None:
        """It does not matter: what was asked since is awaited all the same."""
        uplink, met = self.live(ADDRESSES[0], interval=100.0)
        met.node.puzzled, met.node.puzzle = "no", 2
        uplink.watch((OTHER,), 100.0)
        uplink.watch((QUERY,), 100.0)
        met.flush()
        self.assertEqual(["refused 2: no"], self.eye.told)
        self.reactor.advance(commands.ANSWER_SECONDS)
        met.flush()
        self.assertTrue(met.node.ended)

    def test_refused_from_the_beginning(self) -> None:
        """Nothing comes then, and the reason is the node's."""
        self.start(ADDRESSES[0])
        met = self.meet(puzzled="no view 'x'")
        self.assertFalse(met.node.ended)
        self.reactor.advance(commands.ANSWER_SECONDS)
        met.flush()
        self.assertTrue(met.node.ended)
        self.assertEqual(
            ["refused 1: no view 'x'", "tried 10.0.0.1:5800 (no view 'x')"],
            self.eye.told,
        )

    def test_refused_after_the_end(self) -> None:
        """Nobody is told any more."""
        uplink, met = self.live(ADDRESSES[0])
        met.node.puzzled = "no"
        uplink.watch((OTHER,), INTERVAL)
        uplink.stop()
        met.flush()
        self.assertEqual([], self.eye.told)


class StackTests(LiveTestCase):
    """What is asked once, besides."""

    WHOSE = Whose("3fa2", connection=7)

    def ask(self, uplink: Uplink) -> list[Any]:
        """What is heard."""
        heard: list[Any] = []
        asked = uplink.stacks(self.WHOSE)
        asked.addErrback(Failure.getErrorMessage).addCallback(heard.append)
        return heard

    def linked(self, stacks: bytes | None) -> tuple[Uplink, Met]:
        """An uplink to a node that answers so."""
        uplink = self.start(ADDRESSES[0])
        met = self.meet(stacks=stacks)
        met.feed(a_feed())
        return uplink, met

    def test_answered(self) -> None:
        """The node is asked for what is wanted, and frames go on."""
        uplink, met = self.linked(encode_found([FOUND]))
        heard = self.ask(uplink)
        met.flush()
        self.assertEqual([(FOUND,)], heard)
        self.assertEqual(("Stack", "3fa2", None, None, 7), met.node.heard[-1])
        met.feed(a_feed(), number=1)
        self.assertEqual(2, len(self.eye.seen))

    def test_nobody_there(self) -> None:
        """That is said at once."""
        uplink = self.start(ADDRESSES[0])
        self.assertEqual(["no node is linked just now"], self.ask(uplink))
        self.unreachable()

    def test_an_older_node(self) -> None:
        """It is not asked, for it would end the link."""
        uplink, met = self.linked(None)
        [why] = self.ask(uplink)
        self.assertIn("older version", why)
        met.flush()
        self.assertFalse(met.node.ended)

    def test_no_answer(self) -> None:
        """It is given up, and the link goes on; a late answer is of no use."""
        uplink, met = self.linked(b"")
        heard = self.ask(uplink)
        met.flush()
        for _ in range(4):
            met.feed(a_feed(), number=1)
            self.reactor.advance(1)
        self.assertEqual(
            ["10.0.0.1:5800 does not tell: no answer within 4 seconds"], heard
        )
        met.node.late[0].callback({"payload": encode_found([])})
        met.flush()
        self.assertFalse(met.node.ended)

    def test_rubbish(self) -> None:
        """It is a loss."""
        uplink, met = self.linked(b"\xc1")
        heard = self.ask(uplink)
        met.flush()
        self.assertIn("it broke the protocol: a payload", heard[0])
        self.assertIn("it broke the protocol: a payload", self.eye.told[0])

    def test_a_link_that_is_lost(self) -> None:
        """So is the question."""
        uplink, met = self.linked(b"")
        heard = self.ask(uplink)
        met.hang_up()
        self.assertEqual(["10.0.0.1:5800 does not tell: it closed the link"], heard)

    def test_stopped(self) -> None:
        """Nobody is asked any more."""
        uplink, _ = self.linked(b"")
        uplink.stop()
        self.assertEqual(["no node is linked just now"], self.ask(uplink))


class EndTests(LiveTestCase):
    """What ends a link from our side."""

    def test_nothing_is_shown_after_stop(self) -> None:
        """The link is closed at once."""
        uplink, met = self.live()
        uplink.stop()
        met.pump.flush()
        self.assertTrue(met.node.ended)
        self.assertEqual([], self.reactor.getDelayedCalls())
        self.assertEqual([], self.eye.told)

    def test_our_own_bug_is_logged_and_no_reason_to_hurry(self) -> None:
        """It neither passes for the node's nor makes us ask again without a pause."""
        _, met = self.live(ADDRESSES[0])
        self.eye.breaks = True
        self.assertEqual("internal error", met.feed(a_feed()))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.assertEqual(["lost 10.0.0.1:5800 (internal error)"], self.eye.told)
        for _ in range(3):
            self.reactor.advance(4.0)
            self.meet().feed(a_feed())
            self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
            self.assertEqual("tried 10.0.0.1:5800 (internal error)", self.eye.told[-1])
        self.reactor.advance(0)
        self.assertEqual([], self.reactor.tcpClients)


class StopTests(UplinkTestCase):
    """Stopping, wherever it finds the uplink; see ``check_end`` too."""

    def test_while_connecting(self) -> None:
        """The attempt is given up, and what comes of it later is not wanted."""
        uplink = self.start(ADDRESSES[0])
        factory = self.attempt()
        uplink.stop()
        self.assertEqual([], self.reactor.getDelayedCalls())
        factory.clientConnectionFailed(None, Failure(error.ConnectionRefusedError()))
        self.assertEqual([], self.eye.told)

    def test_while_pausing(self) -> None:
        """The next round does not begin."""
        uplink = self.start(ADDRESSES[0])
        self.unreachable()
        self.assertEqual(1, len(self.reactor.getDelayedCalls()))
        uplink.stop()
        self.reactor.advance(10.0)
        self.assertEqual([], self.reactor.tcpClients)

    def test_while_greeting(self) -> None:
        """The link is closed, and nobody is told of it."""
        uplink = self.start(ADDRESSES[0])
        met = self.meet(silent=True)
        uplink.stop()
        met.pump.flush()
        self.assertTrue(met.node.ended)
        self.assertEqual([], self.eye.told)

    def test_by_the_viewer_within_its_own_turn(self) -> None:
        """A viewer that has had enough of a frame, or of trying, may say so itself."""
        uplink = self.start(ADDRESSES[0])
        self.patch(self.eye, "shown", lambda *seen: uplink.stop())
        met = self.meet()
        met.feed(a_feed())
        self.assertTrue(met.node.ended)
        self.assertEqual([], self.reactor.getDelayedCalls())
        self.assertEqual([], self.eye.told)

    def test_by_the_viewer_when_exhausted(self) -> None:
        """What it answers does not matter then."""
        uplink = self.start(ADDRESSES[0])

        def exhausted(tried: tuple[Failed, ...]) -> bool:
            uplink.stop()
            return True

        self.patch(self.eye, "exhausted", exhausted)
        self.unreachable()
        self.assertEqual([], self.reactor.getDelayedCalls())


class FailedTests(SynchronousTestCase):
    """A node that could not be used, in a message."""

    def test_address_and_reason(self) -> None:
        """IPv6 in brackets, the reason in parentheses."""
        self.assertEqual("[::1]:5800 (why)", str(Failed(Address("::1", 5800), "why")))
