"""Tests of what a process answers when it is asked where its holders are."""

from __future__ import annotations

import os
import threading
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.test.iosim import FakeTransport, connect

import connmon
from connmon.client import native, stacks
from connmon.client.agent import HERE
from connmon.client.link import Destination, Uplink
from connmon.client.owner import frames_of
from connmon.client.stacks import APART_SECONDS, FORBIDDEN, NO_ROOM, TOO_OFTEN, Stacks
from connmon.config import Address
from connmon.model.ledger import Ledger
from connmon.model.records import OUT, Identity, PoolFacts
from connmon.model.stacks import MOST_FRAMES, MOST_STACKS, Told
from connmon.wire import commands
from connmon.wire.link import Link, refusal
from connmon.wire.stacks import decode_told
from tests.client.test_frames import Resting
from tests.client.test_plugin import NOWHERE, EnginesTestCase
from tests.client.test_uplink import UplinkTestCase

FACTS = PoolFacts("sqlite://", "QueuePool")


def ledger_of(program: str) -> Ledger:
    """The ledger of the engines that report under that name."""
    [agent] = [each for each in HERE.agents if each.destination.program == program]
    return agent.ledger


class TellingTests(EnginesTestCase):
    """``Stacks.told``."""

    def setUp(self) -> None:
        """A ledger with a pool, and its clock."""
        super().setUp()
        self.clock = Clock()
        self.ledger = Ledger(owner_name=str)
        self.pool = self.ledger.pool("key", FACTS)
        self.stacks = Stacks(self.ledger, lambda: True, self.clock.seconds)

    def out(self, count: int = 1, owner: Any = None) -> list[Any]:
        """Check so many connections out, for somebody, by default this thread."""
        owner = self.owner() if owner is None else owner
        made = []
        for _ in range(count):
            connection = self.ledger.opened(self.pool, self.clock.seconds())
            connection.taken(self.clock.seconds(), owner, "a.py:1 f")
            self.clock.advance(1)
            made.append(connection)
        self.ledger.fold()
        return made

    def owner(self) -> Any:
        """What stands for this thread, as a checkout by it is noted."""
        engine = self.watched_engine("an-owner")
        with engine.connect():
            ledger = ledger_of("an-owner")
            ledger.fold()
            held = [each for pool in ledger.pools() for each in pool.open]
            return next(each.owner for each in held if each.state == OUT)

    def test_what_is_told(self) -> None:
        """Of each that is out, the longest first; what is idle is not told of."""
        first, idle, last = self.out(3)
        idle.returned(self.clock.seconds())
        last.session, last.tag = 48197, "import"
        told = self.stacks.told(None)
        self.assertEqual((2, ""), (told.held, told.why))
        self.assertEqual([first.id, last.id], [e.connection for e in told.stacks])
        seen = told.stacks[1]
        self.assertEqual(
            (last.id, 1.0, str(last.owner), "a.py:1 f", 48197),
            seen[:5],
        )
        self.assertEqual(("sqlite://", "import", ""), (seen.pool, seen.tag, seen.note))
        names = [each.rpartition(" ")[2].rpartition(".")[2] for each in seen.frames]
        self.assertIn("test_what_is_told", names)
        # Although this very thread is asking, and so within us.
        self.assertEqual([], [e for e in seen.frames if "connmon/client/" in e])
        here = next(each for each in seen.frames if "test_what_is_told" in each)
        self.assertRegex(here, r"^tests/client/test_stacks\.py:\d+ ")

    def test_one_of_them(self) -> None:
        """By its number; how many are out is told all the same."""
        self.out()
        [wanted] = self.out()
        told = self.stacks.told(wanted.id)
        self.assertEqual((2, [wanted.id]), (told.held, _numbers(told)))
        self.clock.advance(2 * APART_SECONDS)
        self.assertEqual(Told(2), self.stacks.told(99))

    def test_forbidden(self) -> None:
        """Then nothing is looked at; it is asked each time."""
        allowed = False
        told = Stacks(self.ledger, lambda: allowed, self.clock.seconds)
        self.out()
        self.assertEqual(Told(why=FORBIDDEN), told.told(None))
        allowed = True
        self.assertEqual(1, told.told(None).held)

    def test_asked_too_often(self) -> None:
        """It is looked a few times a second at most."""
        self.out()
        looks = 0
        for _ in range(100):
            looks += not self.stacks.told(None).why
            self.clock.advance(0.05)
        self.assertLessEqual(looks, 5 / APART_SECONDS + 1)
        self.assertGreaterEqual(looks, 20)
        self.stacks.told(None)
        self.assertEqual(TOO_OFTEN, self.stacks.told(None).why)

    def test_very_many(self) -> None:
        """Those that are out for longest; the others count."""
        made = self.out(MOST_STACKS + 20)
        told = self.stacks.told(None)
        self.assertEqual(MOST_STACKS + 20, told.held)
        self.assertEqual([each.id for each in made[:MOST_STACKS]], _numbers(told))

    def test_no_room(self) -> None:
        """What is told has an end; the others are told without a stack."""
        self.patch(stacks, "ROOM", 1)
        self.out(2)
        first, second = self.stacks.told(None).stacks
        self.assertTrue(first.frames)
        self.assertEqual(((), NO_ROOM), (second.frames, second.note))

    def test_a_deep_stack(self) -> None:
        """The last calls are told, and that there are more."""

        def fall(depth: int) -> Told:
            return fall(depth - 1) if depth else self.stacks.told(None)

        self.out()
        [seen] = fall(MOST_FRAMES).stacks
        self.assertEqual(MOST_FRAMES, len(seen.frames))
        self.assertIn("fall", seen.frames[0])
        self.assertIn(f"last {MOST_FRAMES} calls", seen.note)

    def test_an_owner_that_is_gone(self) -> None:
        """The connection is told of, and why there is no stack."""
        gone: list[Any] = []
        thread = threading.Thread(target=lambda: gone.append(self.owner()))
        thread.start()
        thread.join()
        self.out(owner=gone[0])
        [seen] = self.stacks.told(None).stacks
        self.assertEqual(((), "its thread has ended"), (seen.frames, seen.note))

    def test_given_back_meanwhile(self) -> None:
        """What its holder does then is not told as if it had it still."""
        [given, kept] = self.out(2)

        def look(owner: Any) -> Any:
            found = frames_of(owner)
            given.returned(self.clock.seconds())
            given.taken(self.clock.seconds() + 1, owner)
            return found

        self.patch(stacks, "frames_of", look)
        self.assertEqual([kept.id], _numbers(self.stacks.told(None)))

    def test_it_never_raises(self) -> None:
        """What fails is said, and the next may work."""
        self.out()

        def look(owner: Any) -> Any:
            raise ZeroDivisionError("oh")

        self.patch(stacks, "frames_of", look)
        told = self.stacks.told(None)
        self.assertEqual("it cannot look: ZeroDivisionError: oh", told.why)
        self.patch(stacks, "frames_of", frames_of)
        self.clock.advance(2 * APART_SECONDS)
        self.assertEqual("", self.stacks.told(None).why)

    def test_a_thread_of_its_own(self) -> None:
        """With the function in which it holds the connection."""

        def hold_a_connection(resting: Resting) -> None:
            with engine.connect():
                resting.rest()

        engine = self.watched_engine("of-a-thread")
        resting = Resting(hold_a_connection)
        self.addCleanup(resting.end)
        ledger = ledger_of("of-a-thread")
        ledger.fold()
        [seen] = Stacks(ledger, lambda: True, self.clock.seconds).told(None).stacks
        self.assertIn("hold_a_connection", " ".join(seen.frames))
        self.assertIn("hold_a_connection", seen.site)
        self.assertEqual(resting.thread.name, seen.owner)

    def watched_engine(self, program: str) -> Any:
        """An engine that is watched."""
        anywhere = {"check_same_thread": False}
        engine = create_engine("sqlite://", poolclass=QueuePool, connect_args=anywhere)
        self.addCleanup(engine.dispose)
        attach: Any = connmon.attach
        attach(engine, addr=NOWHERE, program=program)
        return engine


class ForbiddingTests(EnginesTestCase):
    """``connmon_stacks=off``, wherever it is said."""

    def setUp(self) -> None:
        """A process that tells, and does so again after the test."""
        super().setUp()
        self.patch(HERE, "tells_stacks", True)

    def engine(self, url: str, **arguments: Any) -> None:
        """Make an engine."""
        self.addCleanup(create_engine(url, **arguments).dispose)

    def test_by_default(self) -> None:
        """They are told."""
        self.engine(f"sqlite+connmon://?connmon_addr={NOWHERE}")
        self.assertTrue(HERE.tells_stacks)

    def test_in_a_url(self) -> None:
        """One engine that forbids it does so for the process, whatever others say."""
        self.engine(f"sqlite+connmon://?connmon_addr={NOWHERE}&connmon_stacks=off")
        self.assertFalse(HERE.tells_stacks)
        self.engine(f"sqlite+connmon://?connmon_addr={NOWHERE}&connmon_stacks=on")
        self.assertFalse(HERE.tells_stacks)

    def test_in_an_argument(self) -> None:
        """Of ``create_engine``."""
        url = f"sqlite://?connmon_addr={NOWHERE}"
        self.engine(url, plugins=["connmon"], connmon_stacks=False)
        self.assertFalse(HERE.tells_stacks)

    def test_by_a_call(self) -> None:
        """Of ``attach``."""
        engine = create_engine("sqlite://")
        attach: Any = connmon.attach
        attach(engine, addr=NOWHERE, stacks="off")
        self.assertFalse(HERE.tells_stacks)

    def test_in_the_environment(self) -> None:
        """For every engine."""
        os.environ["CONNMON_STACKS"] = "off"
        self.engine(f"sqlite+connmon://?connmon_addr={NOWHERE}")
        self.assertFalse(HERE.tells_stacks)

    def test_in_the_configuration(self) -> None:
        """Of the service; what the program says goes before it."""
        path = self.file(
            "[connmon_service_x]\nname: default\nconnmon_stacks=off\n"
            f"nodes:\n  n hostname={NOWHERE}\n"
        )
        self.engine(f"sqlite+connmon://?connmon_config={path}&connmon_stacks=on")
        self.assertTrue(HERE.tells_stacks)
        self.engine(f"sqlite+connmon://?connmon_config={path}")
        self.assertFalse(HERE.tells_stacks)


class NodeEnd(Link):
    """A node, as a client sees it: it takes what it is told, and may ask."""

    def __init__(self) -> None:
        """Nobody has registered."""
        super().__init__()
        self.registered: list[bool | None] = []

    @commands.Hello.responder
    def hello(self, version: int, **more: object) -> Any:
        """Answer, as a node does."""
        self.greeted()
        return {
            "version": version,
            "service": "default",
            "node": "node1",
            "incarnation": "inc",
            "software": "test",
        }

    @commands.Register.responder
    def register(self, stacks: bool | None, **more: object) -> Any:
        """Remember whether it may be asked."""
        self.registered.append(stacks)
        return {"interval": 1.0}

    @commands.Report.responder
    def report(self, payload: bytes) -> Any:
        """Take it."""
        return {"whole": False, "interval": 1.0}


class AskedTests(UplinkTestCase):
    """A client that is asked over its link."""

    def linked(self, allowed: bool = True) -> tuple[NodeEnd, Any, Ledger]:
        """A node that a client is linked to, what moves their bytes, and the ledger."""
        ledger = Ledger(owner_name=str)
        uplink = Uplink(
            self.network,
            native.find(),
            ledger,
            Identity("t", "h", "p", 1),
            Destination("", (Address("127.0.0.1", 1),), "p"),
            tells_stacks=lambda: allowed,
        )
        uplink.begin()
        self.network.advance(0)
        client, node = self.network.attempts[0].buildProtocol(None), NodeEnd()
        there = IPv4Address("TCP", "127.0.0.1", 1)
        pump = connect(
            node,
            FakeTransport(node, True),
            client,
            FakeTransport(client, False, peerAddress=there),
        )
        pump.flush()
        return node, pump, ledger

    def ask(self, node: NodeEnd, pump: Any, **arguments: Any) -> Any:
        """What the client answers."""
        heard: list[Any] = []
        asked = node.callRemote(commands.Stack, **arguments)
        asked.addCallback(lambda answer: decode_told(answer["payload"]))
        asked.addErrback(refusal).addCallback(heard.append)
        pump.flush()
        return heard[0]

    def test_it_says_whether_it_may_be_asked(self) -> None:
        """When it registers."""
        for allowed in (True, False):
            self.setUp()
            node, _, _ = self.linked(allowed)
            self.assertEqual([allowed], node.registered)

    def test_it_answers(self) -> None:
        """For one connection or all, on the link that it opened."""
        node, pump, ledger = self.linked()
        pool = ledger.pool("key", FACTS)
        for _ in range(2):
            ledger.opened(pool, 0.0).taken(0.0, 0)
        ledger.fold()
        self.assertEqual([2], _numbers(self.ask(node, pump, connection=2)))
        self.assertEqual(TOO_OFTEN, self.ask(node, pump).why)

    def test_it_is_asked_nevertheless(self) -> None:
        """By a node that did not heed it: it tells nothing, and stays."""
        node, pump, _ = self.linked(False)
        self.assertEqual(Told(why=FORBIDDEN), self.ask(node, pump))
        self.assertEqual(Told(why=FORBIDDEN), self.ask(node, pump))


def _numbers(told: Told) -> list[int]:
    return [each.connection for each in told.stacks]
