"""Tests of the link: two real ends joined in memory, and one end fed with rubbish."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import error, main
from twisted.internet.testing import (
    StringTransport,
    StringTransportWithDisconnection,
)
from twisted.protocols.amp import AmpBox
from twisted.python.failure import Failure
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import ProtocolError, QueryError
from connmon.wire import commands
from connmon.wire.link import Link, refusal


class Ear(Link):
    """An end that answers ``Feed`` and remembers what befell it."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        super().__init__()
        self.heard: list[bytes] = []
        self.faults: list[str] = []
        self.ended = 0

    def violated(self, error: ProtocolError) -> None:
        """Remember a fault of the other side."""
        self.faults.append(str(error))

    def failed(self, failure: Failure) -> None:
        """Remember a fault of our own."""
        self.faults.append(f"ours: {failure.getErrorMessage()}")

    def closed(self, reason: Failure) -> None:
        """Remember the end."""
        self.ended += 1

    @commands.Feed.responder
    def feed(self, payload: bytes, number: int) -> dict[str, Any]:
        """Hear a payload; one of them breaks us, one breaks the protocol."""
        if payload == b"bug":
            raise ZeroDivisionError("oh")
        if payload == b"bad":
            raise ProtocolError("not like this")
        self.heard.append(payload)
        return {}

    @commands.Subscribe.responder
    def subscribe(self, queries: bytes, interval: float, number: int) -> dict[str, Any]:
        """Understand nothing that is asked, which is no fault."""
        raise QueryError(queries.decode())


def joined() -> tuple[Ear, Ear, Any]:
    """Two ears, greeted, and the pump between them."""
    client, server, pump = connectedServerAndClient(Ear, Ear)
    client.greeted()
    server.greeted()
    pump.flush()
    return client, server, pump


class LinkTests(SynchronousTestCase):
    """Two ends joined in memory."""

    @given(st.sampled_from([0, 1, 65534, 65535, 65536, 131070, 131071, 300_000]))
    def test_payloads_of_any_length_arrive(self, length: int) -> None:
        """AMP's 65,535 bytes are no limit for a payload."""
        client, server, pump = joined()
        payload = bytes(number % 251 for number in range(length))
        answer = client.callRemote(commands.Feed, payload=payload, number=1)
        pump.flush()
        self.assertEqual({}, self.successResultOf(answer))
        self.assertEqual([payload], server.heard)

    def test_a_box_over_the_limit_closes_the_link(self) -> None:
        """Before the greeting is over, a box may hold little."""
        client, server, pump = connectedServerAndClient(Ear, Ear)
        answer = client.callRemote(commands.Feed, payload=b"x" * 20_000, number=1)
        pump.flush()
        self.failureResultOf(answer)
        self.assertEqual(["a box of over 16384 bytes"], server.faults)
        self.assertEqual((1, 1), (client.ended, server.ended))

    def test_the_limit_is_for_each_box(self) -> None:
        """Many small boxes are no large one."""
        client, server, pump = connectedServerAndClient(Ear, Ear)
        for _ in range(5):
            client.callRemote(commands.Feed, payload=b"x" * 10_000, number=1)
            pump.flush()
        self.assertEqual(5, len(server.heard))

    def test_a_refused_question_is_told_and_closes_the_link(self) -> None:
        """The one who asked learns why, and the one who refused says so once."""
        client, server, pump = joined()
        told = client.callRemote(commands.Feed, payload=b"bad", number=1).addErrback(
            refusal
        )
        pump.flush()
        self.assertEqual("not like this", self.successResultOf(told))
        self.assertEqual(["not like this"], server.faults)
        self.assertEqual(1, server.ended)

    def test_a_question_that_is_not_understood_costs_no_link(self) -> None:
        """The one who asked learns what was wrong with it, and may ask another."""
        client, server, pump = joined()
        for words in ("no such view", "no such field", "zu spät"):
            told = client.callRemote(
                commands.Subscribe, queries=words.encode(), interval=1.0, number=1
            ).addErrback(lambda failure: (failure.type, refusal(failure)))
            pump.flush()
            self.assertEqual((QueryError, words), self.successResultOf(told))
        answer = client.callRemote(commands.Feed, payload=b"on", number=1)
        pump.flush()
        self.assertEqual({}, self.successResultOf(answer))
        self.assertEqual(([], [b"on"]), (server.faults, server.heard))
        self.assertEqual((0, 0), (client.ended, server.ended))

    def test_a_bug_of_ours_is_ours_and_closes_the_link(self) -> None:
        """Nothing of it but "internal error" leaves the process."""
        client, server, pump = joined()
        told = client.callRemote(commands.Feed, payload=b"bug", number=1).addErrback(
            refusal
        )
        pump.flush()
        self.assertEqual("internal error", self.successResultOf(told))
        self.assertEqual(["ours: oh"], server.faults)
        self.assertEqual(1, server.ended)


class EndTests(SynchronousTestCase):
    """What is left of links that ended: nothing, or an outage would pile it up."""

    def ended(self, reason: BaseException) -> weakref.ref[Ear]:
        """A link that was lost with a question still unanswered, and dropped."""
        ear = Ear()
        ear.makeConnection(StringTransport())
        answer = ear.callRemote(commands.Feed, payload=b"x", number=1)
        ear.connectionLost(Failure(reason))
        self.failureResultOf(answer, type(reason))
        self.assertEqual(1, ear.ended)
        return weakref.ref(ear)

    def test_reasons_do_not_gather_traces(self) -> None:
        """Twisted ends all links by the same exception, and AMP raises it each time."""
        for reason in (main.CONNECTION_DONE, main.CONNECTION_LOST):
            before = reason.__traceback__
            self.ended(reason)
            self.assertIs(before, reason.__traceback__)

    def test_nothing_is_left_to_the_collector(self) -> None:
        """Some applications turn it off."""
        gc.collect()
        self.addCleanup(gc.enable)
        gc.disable()
        for reason in (main.CONNECTION_DONE, main.CONNECTION_LOST):
            self.assertIsNone(self.ended(reason)())

    def test_nor_is_an_answer_without_sense(self) -> None:
        """Which one question after the other may get."""
        gc.collect()
        self.addCleanup(gc.enable)
        gc.disable()
        ear = Ear()
        ear.makeConnection(StringTransport())
        told = ear.callRemote(commands.Hello, **_HELLO).addErrback(refusal)
        ear.dataReceived(AmpBox(_answer=b"1", version=b"-1").serialize())
        self.assertIn("Hello: ", self.successResultOf(told))
        ear.connectionLost(Failure(main.CONNECTION_DONE))
        gone = weakref.ref(ear)
        del ear, told
        self.assertIsNone(gone())

    def test_what_is_asked_after_the_end_fails(self) -> None:
        """With the reason of the end."""
        ear = Ear()
        ear.makeConnection(StringTransport())
        ear.connectionLost(Failure(main.CONNECTION_DONE))
        answer = ear.callRemote(commands.Feed, payload=b"x", number=1)
        self.failureResultOf(answer, error.ConnectionDone)


_HELLO = {"version": 1, "oldest": 1, "role": "client", "service": "", "software": ""}


class RefusalTests(SynchronousTestCase):
    """What a stranger says reaches logs and screens as one harmless line."""

    def told(self, text: bytes) -> str:
        """What is said of a question that was refused with this text."""
        ear = Ear()
        ear.makeConnection(StringTransport())
        told = ear.callRemote(commands.Feed, payload=b"x", number=1).addErrback(refusal)
        box = AmpBox(_error=b"1", _error_code=b"ODD", _error_description=text)
        ear.dataReceived(box.serialize())
        words: str = self.successResultOf(told)
        return words

    def test_words_are_told_as_they_are(self) -> None:
        """In any language."""
        self.assertEqual("zu spät, 太晚", self.told("zu spät, 太晚".encode()))

    def test_lines_and_controls_are_not(self) -> None:
        """No second line, nothing that a terminal would obey, nothing endless."""
        self.assertEqual(r"a\n b\r\x1b[2J", self.told(b"a\n b\r\x1b[2J"))
        self.assertEqual(commands.TEXT_LIMIT, len(self.told(b"x" * 5000)))


class RubbishTests(SynchronousTestCase):
    """One end, and bytes from someone who does not speak the protocol."""

    def hear(self, *pieces: bytes) -> Ear:
        """An ear that has heard ``pieces``."""
        ear = Ear()
        transport = StringTransportWithDisconnection()
        transport.protocol = ear
        ear.makeConnection(transport)
        for piece in pieces:
            ear.dataReceived(piece)
        return ear

    def test_an_unknown_command_closes_the_link(self) -> None:
        """Only what the specification names is spoken."""
        ear = self.hear(AmpBox(_command=b"Format", _ask=b"1", disk=b"c").serialize())
        self.assertEqual(["unknown command b'Format'"], ear.faults)
        self.assertEqual(1, ear.ended)

    def test_a_missing_argument_is_named(self) -> None:
        """The log line says which command lacked what."""
        for said, lacking in (({}, "payload"), ({"payload": b""}, "number")):
            ear = self.hear(AmpBox(_command=b"Feed", _ask=b"1", **said).serialize())
            self.assertEqual([f"Feed: no argument b'{lacking}'"], ear.faults)
            self.assertEqual(1, ear.ended)

    def test_an_answer_to_no_question_closes_the_link(self) -> None:
        """So does a box that is neither question nor answer."""
        for box in (AmpBox(_answer=b"7"), AmpBox(_error=b"7"), AmpBox(hello=b"x")):
            ear = self.hear(box.serialize())
            self.assertEqual((1, 1), (len(ear.faults), ear.ended))

    def test_other_protocols_are_noticed_at_once(self) -> None:
        """A browser or a TLS client gets no further than its first bytes."""
        for greeting in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):
            ear = self.hear(greeting)
            self.assertEqual((["bytes that are not AMP"], 1), (ear.faults, ear.ended))

    @given(st.lists(st.binary(max_size=60), max_size=8))
    def test_rubbish_raises_nothing_and_faults_at_most_once(
        self, pieces: list[bytes]
    ) -> None:
        """Whatever comes, the transport sees no exception."""
        ear = self.hear(*pieces)
        self.assertEqual(len(ear.faults), ear.ended)
        self.assertLessEqual(ear.ended, 1)

    @given(st.integers(0, 400), st.integers(0, 255))
    def test_a_damaged_conversation_raises_nothing(self, at: int, byte: int) -> None:
        """One changed byte in a valid box is answered, refused or waited on."""
        box = bytearray(
            AmpBox(
                _command=b"Feed", _ask=b"1", payload=b"p" * 60, number=b"1"
            ).serialize()
        )
        box[at % len(box)] = byte
        ear = self.hear(bytes(box))
        self.assertLessEqual(ear.ended, 1)
