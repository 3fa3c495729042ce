"""Tests of the payloads: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import ProtocolError
from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.records import (
    STATES,
    ConnectionRecord,
    Counters,
    Maxima,
    PoolFacts,
    PoolRecord,
    Report,
)
from connmon.model.summary import (
    NODE_STATES,
    UP,
    Frame,
    Gauge,
    NodeRow,
    NodesFrame,
    ProgramRow,
)
from connmon.wire.commands import TEXT_LIMIT
from connmon.wire.frames import (
    MOST_REMARKS,
    decode_frame,
    decode_nodes,
    encode_frame,
    encode_nodes,
)
from connmon.wire.reports import decode_report, encode_report

COUNTS = st.integers(0, 2**63 - 1)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(codec="utf-8"), max_size=255)
COUNTERS = st.builds(Counters, *[COUNTS] * len(Counters._fields))
HISTOGRAMS = st.builds(Histogram, st.tuples(*[COUNTS] * BUCKETS), TIMES)
FACTS = st.builds(
    PoolFacts,
    NAMES,
    NAMES,
    st.none() | COUNTS,
    st.none() | COUNTS,
    st.none() | TIMES,
    st.none() | TIMES,
    st.booleans(),
)
MAXIMA = st.builds(Maxima, COUNTS, COUNTS)
POOLS = st.builds(PoolRecord, COUNTS, FACTS, COUNTERS, MAXIMA, HISTOGRAMS, HISTOGRAMS)
CONNECTIONS = st.builds(
    ConnectionRecord,
    COUNTS,
    COUNTS,
    st.sampled_from(STATES),
    TIMES,
    TIMES,
    COUNTS,
    NAMES,
)
REPORTS = st.builds(
    Report,
    COUNTS,
    st.none() | COUNTS,
    TIMES,
    TIMES,
    COUNTERS,
    MAXIMA,
    st.lists(POOLS, max_size=4).map(tuple),
    st.lists(CONNECTIONS, max_size=8).map(tuple),
    st.lists(COUNTS, max_size=8).map(tuple),
    st.lists(COUNTS, max_size=8).map(tuple),
)
GAUGES = st.builds(Gauge, COUNTS, COUNTS)
RATES = st.none() | TIMES
AGES = st.none() | st.floats(0, allow_infinity=False)
ROWS = st.builds(
    ProgramRow,
    NAMES,
    NAMES,
    st.booleans(),
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    RATES,
    COUNTS,
    AGES,
)
FRAMES = st.builds(
    Frame,
    NAMES,
    NAMES,
    GAUGES,
    GAUGES,
    GAUGES,
    GAUGES,
    RATES,
    st.lists(ROWS, max_size=5).map(tuple),
    COUNTS,
    COUNTS,
    COUNTS,
    st.lists(NAMES, max_size=3).map(tuple),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=TEXT_LIMIT)
NODES = st.builds(
    NodeRow,
    NAMES,
    TEXTS,
    st.sampled_from(NODE_STATES),
    TEXTS,
    st.floats(0, allow_infinity=False),
    AGES,
    st.none() | COUNTS,
    st.none() | COUNTS,
    AGES,
    AGES,
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    TEXTS,
    st.lists(TEXTS, max_size=3).map(tuple),
)
NODES_FRAMES = st.builds(
    NodesFrame, NAMES, NAMES, st.lists(NODES, max_size=4).map(tuple)
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=12),
    max_leaves=40,
)


def mutilated(payload: bytes, path: list[int], value: Any) -> bytes:
    """The payload with one field, found by walking ``path``, replaced."""
    whole = msgpack.unpackb(payload)
    place, index = whole, path[0] % len(whole)
    for step in path[1:]:
        if not isinstance(place[index], list) or not place[index]:
            break
        place = place[index]
        index = step % len(place)
    place[index] = value
    packed: bytes = msgpack.packb(whole)
    return packed


def a_node(reason: str, remarks: tuple[str, ...]) -> NodeRow:
    """A node with little to say."""
    return NodeRow(
        "n", "h:1", UP, reason, 0.0, None, 0, 0, None, None, 0, 0, 0, 0, "1", remarks
    )


class CodecTests(SynchronousTestCase):
    """Payloads of all kinds."""

    @given(REPORTS)
    def test_reports_round_trip(self, report: Report) -> None:
        """A report read is the report written."""
        self.assertEqual(report, decode_report(encode_report(report)))

    @given(FRAMES)
    def test_frames_round_trip(self, frame: Frame) -> None:
        """A frame read is the frame written."""
        self.assertEqual(frame, decode_frame(encode_frame(frame)))

    @given(NODES_FRAMES)
    def test_nodes_round_trip(self, frame: NodesFrame) -> None:
        """So is a frame of the nodes view."""
        self.assertEqual(frame, decode_nodes(encode_nodes(frame)))

    @given(FRAMES)
    def test_an_older_nodes_frame(self, frame: Frame) -> None:
        """What it does not say is as it was then: one node, and nothing stale."""
        fields = msgpack.unpackb(encode_frame(frame))
        del fields[9:]
        for row in fields[8]:
            del row[10:]
        rows = tuple(
            replace(row, stale=0, stale_seconds=None) for row in frame.programs
        )
        self.assertEqual(
            replace(frame, programs=rows, stale=0, nodes_up=1, nodes=1, down=()),
            decode_frame(msgpack.packb(fields)),
        )

    @given(NODES_FRAMES, st.lists(st.integers(0, 20), min_size=1, max_size=4), ANYTHING)
    def test_a_mutilated_frame_of_nodes_is_read_or_refused(
        self, frame: NodesFrame, path: list[int], value: Any
    ) -> None:
        """A field of the wrong kind never gets past the codec as something else."""
        payload = mutilated(encode_nodes(frame), path, value)
        try:
            read = decode_nodes(payload)
        except ProtocolError:
            return
        self.assertEqual(read, decode_nodes(encode_nodes(read)))

    @given(FRAMES, st.lists(st.integers(0, 20), min_size=1, max_size=4), ANYTHING)
    def test_a_mutilated_frame_is_read_or_refused(
        self, frame: Frame, path: list[int], value: Any
    ) -> None:
        """So it is with the programs view."""
        payload = mutilated(encode_frame(frame), path, value)
        try:
            read = decode_frame(payload)
        except ProtocolError:
            return
        self.assertEqual(read, decode_frame(encode_frame(read)))

    @given(FRAMES, NODES_FRAMES, ANYTHING)
    def test_later_fields_of_frames_are_ignored(
        self, frame: Frame, nodes: NodesFrame, more: Any
    ) -> None:
        """A newer node may say more than this console understands."""
        fields = msgpack.unpackb(encode_frame(frame))
        for counted in (fields, fields[3], *fields[8]):
            counted.append(more)
        self.assertEqual(frame, decode_frame(msgpack.packb(fields)))
        fields = msgpack.unpackb(encode_nodes(nodes))
        for counted in (fields, *fields[3]):
            counted.append(more)
        self.assertEqual(nodes, decode_nodes(msgpack.packb(fields)))

    def test_the_sender_keeps_to_the_limits(self) -> None:
        """Long reasons and many remarks are cut, and so do not cost the link."""
        row = a_node("r" * 2000, tuple("s" * 2000 for _ in range(99)))
        (read,) = decode_nodes(encode_nodes(NodesFrame("s", "n", (row,)))).nodes
        self.assertEqual(TEXT_LIMIT, len(read.reason))
        self.assertEqual(("s" * TEXT_LIMIT,) * MOST_REMARKS, read.remarks)

    def test_what_a_node_may_not_be(self) -> None:
        """Unknown states, too many remarks and negative ages are refused."""
        good = NodesFrame("s", "n", (a_node("", ()),))
        for index, value in (
            (2, "well"),
            (2, None),
            (2, ["up"]),
            (4, -1.0),
            (4, None),
            (9, -0.1),
            (10, -1),
            (14, "v" * (TEXT_LIMIT + 1)),
            (15, ["r"] * (MOST_REMARKS + 1)),
            (15, [1]),
            (15, None),
        ):
            fields = msgpack.unpackb(encode_nodes(good))
            fields[3][0][index] = value
            with self.assertRaises(ProtocolError):
                decode_nodes(msgpack.packb(fields))

    @given(st.binary(max_size=200))
    def test_garbage_is_a_protocol_error(self, payload: bytes) -> None:
        """Bytes that are no payload raise that, and nothing else."""
        for decode in (decode_report, decode_frame, decode_nodes):
            with self.assertRaises(ProtocolError):
                decode(payload)

    @given(ANYTHING)
    def test_well_formed_nonsense_is_a_protocol_error(self, value: Any) -> None:
        """So does msgpack that is not of our shape."""
        for decode in (decode_report, decode_frame, decode_nodes):
            with self.assertRaises(ProtocolError):
                decode(msgpack.packb([1, value]))

    @given(REPORTS, st.lists(st.integers(0, 20), min_size=1, max_size=4), ANYTHING)
    def test_a_mutilated_report_is_read_or_refused(
        self, report: Report, path: list[int], value: Any
    ) -> None:
        """A field of the wrong kind never gets past the codec as something else."""
        payload = mutilated(encode_report(report), path, value)
        try:
            read = decode_report(payload)
        except ProtocolError:
            return
        self.assertEqual(read, decode_report(encode_report(read)))

    @given(REPORTS, ANYTHING)
    def test_later_fields_are_ignored(self, report: Report, more: Any) -> None:
        """A newer process may say more than this node understands."""
        fields = msgpack.unpackb(encode_report(report))
        for counted in (fields, fields[5], fields[6], *fields[7], *fields[8]):
            counted.append(more)
        self.assertEqual(report, decode_report(msgpack.packb(fields)))

    def test_another_format_is_refused_by_number(self) -> None:
        """A payload of a format we do not know is named."""
        with self.assertRaises(ProtocolError) as caught:
            decode_report(msgpack.packb([2, *range(10)]))
        self.assertIn("format 2, expected 1", str(caught.exception))

    def test_text_that_cannot_be_said_is_replaced(self) -> None:
        """A lone surrogate in a name does not keep a report from being sent."""
        row = ProgramRow("h\udcff", "p", True, 1, 1, 1, 1, 1, 1, None)
        gauge = Gauge(0, 0)
        frame = Frame("s", "n", gauge, gauge, gauge, gauge, None, (row,))
        self.assertEqual("h?", decode_frame(encode_frame(frame)).programs[0].hostname)

    def test_a_report_of_twenty_connections_is_small(self) -> None:
        """Twenty connections changing is the usual report: well under a kilobyte."""
        report = Report(
            900,
            899,
            12345.678,
            1.0,
            Counters(100_000, 99_980, 20),
            Maxima(20, 20),
            (
                PoolRecord(
                    1,
                    PoolFacts("x" * 40, "QueuePool", 5, 15, 30.0, 3600.0),
                    Counters(100_000, 99_980, 20),
                    Maxima(20, 20),
                    Histogram((99_000, 500, 300, *[100] * (BUCKETS - 3)), 800.0),
                    Histogram(),
                ),
            ),
            tuple(
                ConnectionRecord(number, 1, 1, 12345.678, 12000.1, 5000, "MainThread")
                for number in range(20)
            ),
        )
        self.assertLess(len(encode_report(report)), 1000)
