"""Tests of ``connmon stack``: what is asked for, of whom, and how it ends."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.console import stack
from connmon.console.holders import Whose
from connmon.console.options import Target
from connmon.console.stack import parse
from connmon.console.text import UNICODE
from connmon.model.records import Identity
from connmon.model.stacks import Told
from connmon.views.schema import PROGRAMS
from connmon.wire.commands import ANSWER_SECONDS
from connmon.wire.stacks import encode_found
from tests.console.frames import a_frame
from tests.console.nodes import Met, Staged
from tests.console.test_holders import FOUND, SECOND, WHO

HERE = Address("10.0.0.1", 5800)
WHOSE = Whose(None, "ctl1", 11200)
ANSWER = encode_found([FOUND])


class OptionTests(SynchronousTestCase):
    """The command line."""

    def test_what_is_asked_for(self) -> None:
        """Whose connections, and in which form."""
        for argv, whose, form in (
            (["ctl1:42"], Whose(None, "ctl1", 42), "text"),
            (["ctl1:42:7", "--json"], Whose(None, "ctl1", 42, 7), "json"),
            (["--process", "3fa2", "h:1"], Whose("3fa2", "h", 1), "text"),
        ):
            nodes, *rest = parse(["-H", "10.0.0.1", *argv], "connmon stack")
            self.assertEqual([whose, form], rest)
            self.assertEqual((HERE,), nodes.addresses)

    def test_mistakes(self) -> None:
        """They end it with status 2, and are named."""
        for argv, said in (
            ([], "required: HOST:PID[:CONNECTION]"),
            (["ctl1"], "'ctl1': expected HOST:PID or HOST:PID:CONNECTION"),
            (["ctl1:42", "--last"], "unrecognized arguments"),
            (["ctl1:42", "ctl1:43"], "unrecognized arguments"),
        ):
            with (
                redirect_stderr(io.StringIO()) as err,
                self.assertRaises(SystemExit) as caught,
            ):
                parse(["-H", "10.0.0.1", *argv], "connmon stack")
            self.assertEqual(2, caught.exception.code)
            self.assertIn(said, err.getvalue())


class RunTests(SynchronousTestCase):
    """From the question to the end."""

    def ask(
        self, meanwhile: Callable[[Staged], object], form: str = "text"
    ) -> tuple[int, str]:
        """Ask for a process; the exit status, and what is said."""

        def staged(reactor: Staged) -> None:
            meanwhile(reactor)

        reactor = Staged(staged)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.addCleanup(
                signal.signal, number, signal.signal(number, signal.SIG_DFL)
            )
        found = stack.ask(reactor, Target("", (HERE,)), WHOSE, form, UNICODE)
        reactor.advance(0)
        self.assertEqual([], reactor.getDelayedCalls())
        return found

    def answered(self, payload: bytes, form: str = "text") -> tuple[int, str]:
        """What is said to an answer."""
        return self.ask(lambda reactor: self.met(reactor, stacks=payload), form)

    def met(self, reactor: Staged, **how: Any) -> Met:
        """A node that shows that it is there."""
        met = reactor.meet(**how)
        met.feed(a_frame(PROGRAMS))
        met.flush()
        return met

    def test_text(self) -> None:
        """Once the node is there it is asked, and its answer printed."""
        met: list[Met] = []
        status, said = self.ask(
            lambda reactor: met.append(self.met(reactor, stacks=ANSWER))
        )
        self.assertEqual(0, status)
        self.assertEqual("ctl1 nova-api[11200]", said.splitlines()[0])
        self.assertIn("\n      requests/sessions.py:589 Session.send\n", said)
        self.assertEqual(("Stack", None, "ctl1", 11200, None), met[0].node.heard[-1])

    def test_json(self) -> None:
        """An object for each connection, on a line of its own."""
        status, said = self.answered(ANSWER, "json")
        numbers = [json.loads(line)["connection"] for line in said.splitlines()]
        self.assertEqual((0, [12, 3]), (status, numbers))

    def test_nothing_to_be_shown(self) -> None:
        """Why is said, and the status is 1."""
        other = FOUND._replace(identity=Identity("77b0", "ctl1", "shop", 11200))
        ended = FOUND._replace(told=Told(why="it has ended"))
        several = (
            "2 processes are 11200 at ctl1: 3fa2 (nova-api), 77b0 (shop); "
            "choose one with --process"
        )
        for found, said in (
            ([], "no process 11200 at ctl1 is known"),
            ([FOUND, other], several),
            ([ended], "ctl1 nova-api[11200]: it has ended"),
        ):
            self.assertEqual((1, said), self.answered(encode_found(found)))

    def test_an_older_node(self) -> None:
        """It is not asked, for it would end the link."""
        met: list[Met] = []
        found = self.ask(lambda reactor: met.append(self.met(reactor)))
        said = "10.0.0.1:5800 is of an older version, which tells no stacks"
        self.assertEqual((1, said), found)
        self.assertNotIn("Stack", [each[0] for each in met[0].node.heard])

    def test_no_answer(self) -> None:
        """It is not waited for longer than that."""

        def meanwhile(reactor: Staged) -> None:
            met = self.met(reactor, stacks=b"")
            for _ in range(int(ANSWER_SECONDS)):
                met.feed(a_frame(PROGRAMS), number=1)
                reactor.advance(1)

        said = "10.0.0.1:5800 does not tell: no answer within 4 seconds"
        self.assertEqual((1, said), self.ask(meanwhile))

    def test_an_answer_that_is_none(self) -> None:
        """It is the node's mistake."""
        status, said = self.answered(b"\xc1")
        self.assertEqual(1, status)
        self.assertIn("10.0.0.1:5800 does not tell: it broke the protocol", said)

    def test_a_node_that_goes_meanwhile(self) -> None:
        """It is not asked for again elsewhere."""
        found = self.ask(lambda reactor: self.met(reactor, stacks=b"").hang_up())
        said = "10.0.0.1:5800 does not tell: it closed the link"
        self.assertEqual((1, said), found)

    def test_no_node(self) -> None:
        """What was tried is said."""

        def meanwhile(reactor: Staged) -> None:
            factory: Any = reactor.tcpClients.pop()[2]
            factory.clientConnectionFailed(None, Failure(Refused(111)))
            reactor.advance(1)

        said = "no daemon reached, tried 10.0.0.1:5800 (connection refused)"
        self.assertEqual((1, said), self.ask(meanwhile))

    def test_interrupted(self) -> None:
        """Nothing is said, and the status tells."""

        def meanwhile(reactor: Staged) -> None:
            met = self.met(reactor, stacks=b"")
            signal.raise_signal(signal.SIGINT)
            met.flush()

        self.assertEqual((130, ""), self.ask(meanwhile))

    def test_harmless_on_a_terminal(self) -> None:
        """What a process tells."""
        odd = FOUND._replace(
            identity=Identity("t", "h\x1b[2J", WHO.program, 1),
            told=Told(1, (SECOND._replace(frames=("\x1b[31ma.py:1 f",)),)),
        )
        _, said = self.answered(encode_found([odd]))
        self.assertNotIn("\x1b", said)
        self.assertIn("?[31ma.py:1 f", said)
