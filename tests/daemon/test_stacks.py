"""Tests of whom a node asks where holders are: its clients, other nodes, nobody."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import BUILTIN, parse
from connmon.daemon import intake
from connmon.daemon.inquiry import APART_SECONDS, GONE, SILENT, UNCLEAR
from connmon.daemon.intake import MOST_ASKING
from connmon.daemon.stacks import ENDED, FORBIDDEN, TOO_OLD
from connmon.daemon.tap import join
from connmon.model.records import Identity
from connmon.model.stacks import Found, Stack, Told
from connmon.wire import commands
from connmon.wire.commands import RELAY_SECONDS, STACK_SECONDS
from connmon.wire.link import refusal
from connmon.wire.stacks import decode_found, encode_found, encode_told
from tests.daemon.cluster import Network, service
from tests.daemon.fakes import Caller, NodeTestCase, Talk, a_report

TOLD = Told(3, (Stack(7, 2.5, "worker", "a.py:1 f", frames=("a.py:2 g",)),))


class Teller(Caller):
    """A client that knows the question."""

    def __init__(self) -> None:
        """It tells the same each time."""
        super().__init__()
        self.payload = encode_told(TOLD)
        self.asked: list[int | None] = []
        self.waits = False
        self.late: list[Deferred[Any]] = []

    @commands.Stack.responder
    def stack(self, connection: int | None, **other: object) -> Any:
        """Answer, or wait for the test to do so."""
        assert set(other.values()) == {None}, other
        self.asked.append(connection)
        if not self.waits:
            return {"payload": self.payload}
        self.late.append(Deferred())
        return self.late[-1]

    def answer(self) -> None:
        """Answer what waits the longest."""
        self.late.pop(0).callback({"payload": self.payload})


def teller(node: Any, clock: Clock, process: str = "p1", **identity: Any) -> Any:
    """A client that knows the question, and has three connections out."""
    talk = Talk(node, clock, "10.0.0.1", 5555, caller=Teller())
    talk.hello(service="")
    talk.register(process=process, stacks=True, **identity)
    talk.report(a_report(out=3))
    return talk


def ask(talk: Talk, *others: Talk, **whose: Any) -> list[Any]:
    """What a console is told, or why it is not; empty as long as that is nothing."""
    heard: list[Any] = []
    asked = talk.caller.callRemote(commands.Stack, **whose)
    asked.addCallback(lambda answer: decode_found(answer["payload"]))
    asked.addErrback(refusal).addCallback(heard.append)
    for each in (talk, *others, talk):
        each.pump.flush()
    return heard


class OwnTests(NodeTestCase):
    """Processes that are linked to the node that is asked."""

    def teller(self, process: str = "p1", **identity: Any) -> Any:
        """A client that knows the question."""
        self.talks.append(teller(self.node, self.clock, process, **identity))
        return self.talks[-1]

    def why(self, *others: Talk, **whose: Any) -> str:
        """Why there is no stack."""
        [[found]] = ask(self.asker, *others, **whose)
        self.assertEqual((), found.told.stacks)
        return str(found.told.why)

    def setUp(self) -> None:
        """A console."""
        super().setUp()
        self.asker = self.console()

    def test_by_its_token(self) -> None:
        """The process is asked for that connection, and its words are passed on."""
        client = self.teller()
        [[found]] = ask(self.asker, client, process="p1", connection=7)
        self.assertEqual([7], client.caller.asked)
        self.assertEqual((TOLD, "node1"), (found.told, found.node))
        who = found.identity
        self.assertEqual(
            ("p1", "ctl1", "nova-api", 42),
            (who.process, who.hostname, who.program, who.pid),
        )

    def test_by_its_host_and_pid(self) -> None:
        """All of its connections, if none is named."""
        client = self.teller()
        [[found]] = ask(self.asker, client, hostname="ctl1", pid=42)
        self.assertEqual([None], client.caller.asked)
        self.assertEqual(TOLD, found.told)

    def test_nobody(self) -> None:
        """Nothing is found of what is not known."""
        self.teller()
        for whose in (
            {"process": "p2"},
            {"hostname": "ctl1", "pid": 43},
            {"hostname": "ctl2", "pid": 42},
        ):
            self.assertEqual([()], ask(self.asker, **whose))

    def test_several_of_one_host_and_pid(self) -> None:
        """None is asked, and all are named."""
        clients = [self.teller("p1"), self.teller("p2", program="shop")]
        [found] = ask(self.asker, *clients, hostname="ctl1", pid=42)
        self.assertEqual(
            {("p1", "nova-api"), ("p2", "shop")},
            {(each.identity.process, each.identity.program) for each in found},
        )
        self.assertEqual({Told(3)}, {each.told for each in found})
        self.assertEqual([[], []], [each.caller.asked for each in clients])

    def test_one_that_has_ended(self) -> None:
        """It is known, and that it has; another of its pid is who is meant."""
        self.teller().hang_up()
        self.assertEqual(ENDED, self.why(process="p1"))
        self.assertEqual(ENDED, self.why(hostname="ctl1", pid=42))
        client = self.teller("p2")
        [[found]] = ask(self.asker, client, hostname="ctl1", pid=42)
        self.assertEqual("p2", found.identity.process)

    def test_an_older_client(self) -> None:
        """It is not asked, for it would end its link."""
        client = self.client()
        client.report(a_report(out=1))
        self.assertEqual(TOO_OLD, self.why(client, process="p1"))
        self.assertTrue(client.is_open)

    def test_a_client_that_forbids_it(self) -> None:
        """It is not even asked."""
        client = self.talk()
        client.hello()
        client.register(stacks=False)
        client.report(a_report(out=1))
        self.assertEqual(FORBIDDEN, self.why(client, process="p1"))
        self.assertTrue(client.is_open)

    def test_a_client_that_forbids_it_later(self) -> None:
        """Its own words are passed on."""
        client = self.teller()
        client.caller.payload = encode_told(Told(why=FORBIDDEN))
        self.assertEqual(FORBIDDEN, self.why(client, process="p1"))

    def test_a_client_that_does_not_answer(self) -> None:
        """One waits for two seconds, and its link goes on."""
        client = self.teller()
        client.caller.waits = True
        heard = ask(self.asker, client, process="p1")
        self.pass_time(STACK_SECONDS - 0.1)
        self.assertEqual([], heard)
        self.pass_time(0.1)
        [[found]] = heard
        self.assertEqual(Told(why=SILENT), found.told)
        again = ask(self.asker, client, process="p1", connection=7)
        self.assertEqual([None], client.caller.asked)
        client.caller.answer()
        self.pass_time(0)
        self.pass_time(APART_SECONDS)
        client.caller.answer()
        self.pass_time(0)
        self.pass_time(0)
        [[found]] = again
        self.assertEqual((TOLD, [None, 7]), (found.told, client.caller.asked))
        self.assertTrue(client.is_open)

    def test_a_client_that_goes_meanwhile(self) -> None:
        """That is said."""
        client = self.teller()
        client.caller.waits = True
        heard = ask(self.asker, client, process="p1")
        client.hang_up()
        self.asker.pump.flush()
        [[found]] = heard
        self.assertEqual(Told(why=GONE), found.told)

    def test_a_client_that_answers_rubbish(self) -> None:
        """It loses its link, with one line, and the console is told why."""
        client = self.teller()
        self.logged()
        client.caller.payload = b"\xc1"
        self.assertEqual(UNCLEAR, self.why(client, process="p1"))
        self.assertFalse(client.is_open)
        [line] = [each for each in self.logged() if "left" in each]
        self.assertIn("a payload that is not msgpack", line)

    def test_hostile_words(self) -> None:
        """They go on as they are: whoever shows them makes them harmless."""
        client = self.teller()
        odd = TOLD.stacks[0]._replace(frames=("\x1b[2J\n",), note="\u202e")
        client.caller.payload = encode_told(Told(1, (odd,)))
        [[found]] = ask(self.asker, client, process="p1")
        self.assertEqual((odd,), found.told.stacks)

    def test_a_client_that_is_linked_anew(self) -> None:
        """It is asked over its new link, before and after the old one is noticed."""
        old = self.teller()
        new = Talk(self.node, self.clock, "10.0.0.1", 5556, caller=Teller())
        self.talks.append(new)
        new.hello()
        new.register(registration=2, process="p1", stacks=True)
        new.report(a_report(out=3))
        for _ in range(2):
            [[found]] = ask(self.asker, old, new, process="p1")
            self.assertEqual(TOLD, found.told)
            self.pass_time(APART_SECONDS)
            old.hang_up()
        caller: Any = new.caller
        self.assertEqual([None, None], caller.asked)

    def test_many_who_ask(self) -> None:
        """A process is asked a few times a second, and all are answered."""
        client = self.teller()
        consoles = [self.console() for _ in range(20)]
        heard = [ask(each, client, process="p1") for each in consoles for _ in "abc"]
        self.pass_time(0)
        self.assertEqual([None], client.caller.asked)
        self.assertEqual({1}, {len(each) for each in heard})

    def test_a_console_that_asks_without_end(self) -> None:
        """It has so many questions open, and loses its link with more."""
        client = self.teller()
        client.caller.waits = True
        heard = [ask(self.asker, client, process="p1") for _ in range(MOST_ASKING + 1)]
        self.assertIn("too many questions", heard[-1][0])
        self.assertFalse(self.asker.is_open)

    def test_who_may_ask(self) -> None:
        """Not a client, and nobody before the greeting; and for somebody."""
        for role, whose, said in (
            (commands.CLIENT, {"process": "p1"}, "out of turn"),
            (None, {"process": "p1"}, "out of turn"),
            (commands.CONSOLE, {}, "no argument that says of which process"),
            (commands.CONSOLE, {"hostname": "h"}, "no argument that says"),
            (commands.CONSOLE, {"pid": 7}, "no argument that says"),
        ):
            talk = self.talk()
            if role is not None:
                talk.hello(role)
            [why] = ask(talk, **whose)
            self.assertIn(said, why)
            self.assertFalse(talk.is_open)

    def test_the_node_says_that_it_knows_the_question(self) -> None:
        """To consoles and peers; clients are not asked to pay for it."""
        for role, told in ((commands.CONSOLE, True), (commands.CLIENT, None)):
            self.assertEqual(told, self.talk().hello(role)["stacks"])


class ForbiddenTests(SynchronousTestCase):
    """``connmon_stacks`` in a node's configuration."""

    def test_a_node_that_forbids_it(self) -> None:
        """No process is asked."""
        text = BUILTIN.replace("nodes:", "connmon_stacks: off\nnodes:")
        clock = Clock()
        node = join(clock, parse(text, "").services[0], "node1", "inc")
        client = teller(node, clock)
        console = Talk(node, clock, "10.0.0.9", 1)
        console.hello(commands.CONSOLE)
        for whose in ({"process": "p1"}, {"hostname": "ctl1", "pid": 42}):
            [[found]] = ask(console, client, **whose)
            self.assertEqual(
                "node node1 tells no stacks (connmon_stacks=off)", found.told.why
            )
        self.assertEqual([], client.caller.asked)


class RelayTests(SynchronousTestCase):
    """Processes that are linked to another node."""

    def setUp(self) -> None:
        """Two nodes that know each other, and a process at the first."""
        self.clock = Clock()
        self.network = Network(self.clock)
        self.begin()

    def begin(self) -> None:
        """Start them."""
        for name in ("a", "b"):
            self.network.start(name, service("a", "b"))
        self.network.pass_time(3)
        self.client = teller(self.network.nodes["a"], self.clock)
        self.network.pass_time(3)
        self.console = Talk(self.network.nodes["b"], self.clock, "10.0.0.9", 1)
        self.console.hello(commands.CONSOLE, service="")

    def ask(self, **whose: Any) -> list[Any]:
        """Ask the second node."""
        heard = ask(self.console, **whose)
        self.settle()
        return heard

    def settle(self) -> None:
        """Let all arrive that is under way."""
        for _ in range(3):
            self.network.flush()
            self.client.pump.flush()
            self.console.pump.flush()

    def why(self, **whose: Any) -> str:
        """Why there is no stack."""
        [[found]] = self.ask(**whose)
        self.assertEqual((), found.told.stacks)
        return str(found.told.why)

    def test_through_its_node(self) -> None:
        """By token or by host and pid; the process hears nothing of who asks."""
        for whose in ({"process": "p1"}, {"hostname": "ctl1", "pid": 42}):
            [[found]] = self.ask(connection=7, **whose)
            self.assertEqual((TOLD, "a"), (found.told, found.node))
            self.network.pass_time(1)
        self.assertEqual([7, 7], self.client.caller.asked)

    def test_a_process_that_does_not_answer(self) -> None:
        """Its node's word for that is passed on, in time."""
        self.client.caller.waits = True
        heard = self.ask(process="p1")
        self.network.pass_time(STACK_SECONDS)
        self.settle()
        [[found]] = heard
        self.assertEqual(SILENT, found.told.why)

    def test_a_node_that_is_cut_off(self) -> None:
        """It is named; when it is silent for long there is no link to ask on."""
        self.network.cut.add(frozenset("ab"))
        heard = self.ask(process="p1")
        self.network.pass_time(RELAY_SECONDS)
        self.settle()
        [[found]] = heard
        self.assertIn("its node a ", found.told.why)
        self.network.pass_time(5)
        self.assertEqual("its node a is not linked to b", self.why(process="p1"))

    def test_a_node_that_answers_late(self) -> None:
        """It is not waited for longer than that, and its link goes on."""
        late: Deferred[Any] = Deferred()
        self.patch(self.network.nodes["a"].stacks, "of_process", lambda *_, **__: late)
        heard = self.ask(process="p1")
        self.network.pass_time(RELAY_SECONDS)
        self.settle()
        [[found]] = heard
        self.assertEqual("its node a does not answer within 3 seconds", found.told.why)
        late.callback(())
        self.settle()
        self.assertEqual("up", self.network.row("b", "a").state)

    def test_an_older_node(self) -> None:
        """It is not asked, for it would end the link."""
        for peer in self.network.nodes["b"].mesh._peers:
            peer._tells_stacks = False
        self.assertEqual(
            "its node a is of an older version, which tells no stacks",
            self.why(process="p1"),
        )
        self.assertEqual("up", self.network.row("b", "a").state)

    def test_a_node_asks_for_its_peer_only_what_is_its_own(self) -> None:
        """Nothing goes round in circles."""
        node = self.network.nodes["b"]
        heard: list[Any] = []
        node.stacks.of_process("p1", None, own=True).addCallback(heard.append)
        self.assertEqual([()], heard)

    def test_a_node_that_answers_rubbish(self) -> None:
        """Its link is ended, with a reason, and made anew."""
        payloads = iter([b"\xc1"])
        self.patch(
            intake, "encode_found", lambda found: next(payloads, encode_found(found))
        )
        self.assertIn("its node a cannot be asked", self.why(process="p1"))
        row = self.network.row("b", "a")
        self.assertEqual("unreachable", row.state)
        self.assertIn("a payload that is not msgpack", row.reason)
        self.network.pass_time(3)
        [[found]] = self.ask(process="p1")
        self.assertEqual(TOLD, found.told)

    def test_an_answer_for_another(self) -> None:
        """Is none for who was asked for."""
        stranger = Found(Identity("p2", "h", "n", 1), "a", TOLD)
        self.patch(
            self.network.nodes["a"].stacks,
            "of_process",
            lambda *_, **__: succeed((stranger,)),
        )
        self.assertEqual(ENDED, self.why(process="p1"))
