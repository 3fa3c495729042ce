"""Tests of the payloads: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import ProtocolError
from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.journal import INFO, SEVERITIES, Remark
from connmon.model.records import (
    LIVE,
    STATES,
    ConnectionRecord,
    Counters,
    Holder,
    Home,
    Identity,
    Incident,
    InLine,
    Maxima,
    Notice,
    PoolFacts,
    PoolRecord,
    Record,
    Report,
    Standing,
    WaiterRecord,
)
from connmon.wire.commands import BOX_LIMIT, NAME_LIMIT, TEXT_LIMIT
from connmon.wire.exchange import (
    decode_records,
    decode_remarks,
    encode_records,
    encode_remarks,
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
    st.none() | COUNTS,
)
MAXIMA = st.builds(Maxima, COUNTS, COUNTS)
TALLIES = st.lists(st.tuples(NAMES, COUNTS), max_size=3).map(tuple)
POOLS = st.builds(
    PoolRecord, COUNTS, FACTS, COUNTERS, MAXIMA, *[HISTOGRAMS] * 3, TALLIES
)
CONNECTIONS = st.builds(
    ConnectionRecord,
    COUNTS,
    COUNTS,
    st.sampled_from(STATES),
    TIMES,
    TIMES,
    COUNTS,
    NAMES,
    NAMES,
    st.none() | COUNTS,
    NAMES,
    NAMES,
    st.none() | TIMES,
    st.none() | TIMES,
    NAMES,
)
SPANS = st.floats(0, allow_infinity=False)
WAITERS = st.builds(WaiterRecord, COUNTS, TIMES, NAMES, NAMES, st.booleans(), NAMES)
HOLDERS = st.builds(
    Holder, COUNTS, TIMES, NAMES, NAMES, st.none() | COUNTS, NAMES, NAMES
)
IN_LINE = st.builds(InLine, TIMES, NAMES, NAMES, st.booleans(), NAMES)
INCIDENTS = st.builds(
    Incident,
    COUNTS,
    COUNTS,
    TIMES,
    COUNTS,
    FACTS,
    IN_LINE,
    COUNTS,
    st.lists(HOLDERS, max_size=3).map(tuple),
    COUNTS,
    st.lists(IN_LINE, max_size=3).map(tuple),
)
NOTICES = st.builds(
    Notice,
    COUNTS,
    COUNTS,
    TIMES,
    NAMES,
    COUNTS,
    SPANS,
    NAMES,
    NAMES,
    st.none() | COUNTS,
    NAMES,
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
    st.none() | TIMES,
    COUNTS,
    st.lists(WAITERS, max_size=3).map(tuple),
    st.lists(INCIDENTS, max_size=2).map(tuple),
    st.lists(NOTICES, max_size=3).map(tuple),
    TALLIES,
    st.booleans(),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=TEXT_LIMIT)
REMARKS = st.builds(
    Remark,
    NAMES,
    COUNTS,
    NAMES,
    st.floats(0, allow_infinity=False),
    TEXTS,
    st.sampled_from(SEVERITIES),
    NAMES,
    NAMES,
    st.none() | COUNTS,
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


class CodecTests(SynchronousTestCase):
    """Payloads of all kinds."""

    @given(REPORTS)
    def test_reports_round_trip(self, report: Report) -> None:
        """A report read is the report written."""
        self.assertEqual(report, decode_report(encode_report(report)))

    @given(st.lists(REMARKS, max_size=5).map(tuple))
    def test_remarks_round_trip(self, remarks: tuple[Remark, ...]) -> None:
        """Pages of the journal read are those written."""
        self.assertEqual(remarks, decode_remarks(encode_remarks(remarks)))

    def test_records_with_more_incidents_than_there_is_room_for(self) -> None:
        """The rest of each record goes all the same, and the box is not too large."""
        facts = PoolFacts("x" * 200, "QueuePool")
        held = tuple(
            Holder(number, 1.0, "o" * 255, "s" * 255, number, "a" * 40, "t" * 255)
            for number in range(100)
        )
        line = tuple(InLine(1.0, "o" * 255, "s" * 255) for _ in range(100))
        incidents = tuple(
            Incident(number, 1, 0.0, 1, facts, line[0], 100, held, 100, line)
            for number in range(1, 6)
        )
        report = Report(3, None, 0.0, 0.0, Counters(7), Maxima(), incidents=incidents)
        records = [
            Record(
                Identity(f"p{number}", "h", "api", 1),
                Standing(1, 3, LIVE),
                Home("n", "1"),
                0.0,
                0.0,
                report,
            )
            for number in range(200)
        ]
        payload = encode_records(records)
        self.assertLess(len(payload), BOX_LIMIT / 2)
        read = decode_records(payload)
        self.assertEqual([7] * 200, [each.report.counters.checkouts for each in read])
        self.assertEqual(incidents, read[0].report.incidents)
        self.assertEqual((), read[-1].report.incidents)
        self.assertEqual(
            tuple(records[:2]), decode_records(encode_records(records[:2]))
        )

    @given(REMARKS, st.integers(5, 8))
    def test_an_older_nodes_remarks(self, remark: Remark, said: int) -> None:
        """What it does not say is good to know, and about nobody."""
        fields = msgpack.unpackb(encode_remarks([remark]))
        del fields[1][0][said:]
        (read,) = decode_remarks(msgpack.packb(fields))
        unsaid = [INFO, "", "", None][said - 5 :]
        self.assertEqual([*astuple(remark)[:said], *unsaid], list(astuple(read)))

    def test_a_newer_nodes_remarks(self) -> None:
        """What it says beyond that is not heard; a severity of its own is no alarm."""
        remark = Remark("o", 1, "n", 0.0, "t", "crit", "h", "p", 7)
        fields = msgpack.unpackb(encode_remarks([remark]))
        fields[1][0] += ["more"]
        self.assertEqual((remark,), decode_remarks(msgpack.packb(fields)))
        fields[1][0][5] = "fatal"
        expected = replace(remark, severity=INFO)
        self.assertEqual((expected,), decode_remarks(msgpack.packb(fields)))

    def test_what_a_remark_may_not_be(self) -> None:
        """Fields of another kind or too long are refused, and so are too few."""
        for index, value in (
            (0, "o" * (NAME_LIMIT + 1)),
            (1, -1),
            (2, None),
            (3, -0.1),
            (4, "t" * (TEXT_LIMIT + 1)),
            (5, None),
            (5, 1),
            (5, "s" * (NAME_LIMIT + 1)),
            (6, None),
            (6, "h" * (NAME_LIMIT + 1)),
            (7, 7),
            (7, "p" * (NAME_LIMIT + 1)),
            (8, "7"),
            (8, -1),
            (8, True),
        ):
            fields = msgpack.unpackb(encode_remarks([Remark("o", 1, "n", 0.0, "t")]))
            fields[1][0][index] = value
            with self.assertRaises(ProtocolError):
                decode_remarks(msgpack.packb(fields))
        with self.assertRaises(ProtocolError):
            decode_remarks(msgpack.packb([1, [["o", 1, "n", 0.0]]]))

    def test_the_sender_cuts_what_a_remark_says(self) -> None:
        """It must not cost the link that a reason was long."""
        long = "x" * 5000
        remark = Remark("o", 1, "n", 0.0, long, "warn", long, long, 1)
        (read,) = decode_remarks(encode_remarks([remark]))
        self.assertEqual(TEXT_LIMIT, len(read.text))
        self.assertEqual(
            (NAME_LIMIT, NAME_LIMIT), (len(read.hostname), len(read.progname))
        )

    @given(st.binary(max_size=200))
    def test_garbage_is_a_protocol_error(self, payload: bytes) -> None:
        """Bytes that are no payload raise that, and nothing else."""
        for decode in (decode_report, decode_remarks):
            with self.assertRaises(ProtocolError):
                decode(payload)

    @given(ANYTHING)
    def test_well_formed_nonsense_is_a_protocol_error(self, value: Any) -> None:
        """So does msgpack that is not of our shape."""
        with self.assertRaises(ProtocolError):
            decode_report(msgpack.packb([1, value]))

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

    @given(REPORTS, st.integers(0, 7))
    def test_an_older_processs_report(self, report: Report, said: int) -> None:
        """What it does not say yet, of all seven, is as if there were none of it."""
        fields = msgpack.unpackb(encode_report(report))
        del fields[11 + said :]
        unsaid: dict[str, Any] = {
            "began": None,
            "waiting": 0,
            "waiters": (),
            "incidents": (),
            "notices": (),
            "engines": (),
            "last": False,
        }
        expected = replace(report, **dict(list(unsaid.items())[said:]))
        self.assertEqual(expected, decode_report(msgpack.packb(fields)))
        del fields[10:]
        with self.assertRaises(ProtocolError):
            decode_report(msgpack.packb(fields))

    @given(REPORTS)
    def test_an_older_processs_pools_and_connections(self, report: Report) -> None:
        """They have no limits, sites, sessions and waits, and are read without."""
        fields = msgpack.unpackb(encode_report(report))
        del fields[5][10:]
        for pool in fields[7]:
            del pool[1][7:], pool[2][10:], pool[6:]
        for connection in fields[8]:
            del connection[7:]
        none: dict[str, Any] = {"waits": 0, "timeouts": 0, "leaks": 0}
        expected = replace(
            report,
            counters=report.counters._replace(**none),
            pools=tuple(
                each._replace(
                    facts=each.facts._replace(limit=None),
                    counters=each.counters._replace(**none),
                    waits=Histogram(),
                    closings=(),
                )
                for each in report.pools
            ),
            connections=tuple(
                ConnectionRecord(*each[:7]) for each in report.connections
            ),
        )
        self.assertEqual(expected, decode_report(msgpack.packb(fields)))

    def test_when_a_process_may_have_begun(self) -> None:
        """At a moment of its clock, or it does not say; nothing else is taken."""
        none = Counters(), Maxima()
        fields = msgpack.unpackb(encode_report(Report(0, None, 0.0, 0.0, *none)))
        for began in (None, -1.5, 0.0, 7):
            fields[11] = began
            self.assertEqual(began, decode_report(msgpack.packb(fields)).began)
        wrongs: tuple[Any, ...] = (True, "1", [], float("nan"), float("inf"))
        for wrong in wrongs:
            fields[11] = wrong
            with self.assertRaises(ProtocolError):
                decode_report(msgpack.packb(fields))

    @given(REPORTS, ANYTHING)
    def test_later_fields_are_ignored(self, report: Report, more: Any) -> None:
        """A newer process may say more than this node understands."""
        fields = msgpack.unpackb(encode_report(report))
        fields[7] = [
            list(each) for each in msgpack.unpackb(msgpack.packb(report.pools))
        ]
        connections = msgpack.unpackb(msgpack.packb(report.connections))
        fields[8] = [list(each) for each in connections]
        arrays = [fields, *fields[5:7], *fields[7], *fields[8], *fields[13]]
        for incident in fields[14]:
            parts = (*incident[4:6], *incident[7], *incident[9])
            # A part that came before is a number.
            arrays += [incident, *(each for each in parts if type(each) is list)]
        arrays += [*fields[15], *fields[16]]
        for each in arrays:
            each.append(more)
        self.assertEqual(report, decode_report(msgpack.packb(fields)))

    def test_another_format_is_refused_by_number(self) -> None:
        """A payload of a format we do not know is named."""
        with self.assertRaises(ProtocolError) as caught:
            decode_report(msgpack.packb([2, *range(10)]))
        self.assertIn("format 2, expected 1", str(caught.exception))

    def test_text_that_cannot_be_said_is_replaced(self) -> None:
        """A lone surrogate in a name does not keep a report from being sent."""
        facts = PoolFacts("h\udcff", "QueuePool")
        none = Counters(), Maxima(), Histogram(), Histogram()
        report = Report(0, None, 0.0, 0.0, *none[:2], (PoolRecord(1, facts, *none),))
        (pool,) = decode_report(encode_report(report)).pools
        self.assertEqual("h?", pool.facts.name)

    def test_what_says_nothing_is_left_out(self) -> None:
        """A pool nobody waited for and a connection of no site are as they were."""
        none = Counters(), Maxima(), Histogram(), Histogram()
        pool = PoolRecord(1, PoolFacts("x", "QueuePool"), *none)
        idle = ConnectionRecord(1, 1, 0, 0.0, 0.0, 1, "")
        held = idle._replace(site="orders.py:88 get")
        report = Report(0, None, 0.0, 0.0, *none[:2], (pool,), (idle, held))
        fields = msgpack.unpackb(encode_report(report))
        self.assertEqual([6], [len(each) for each in fields[7]])
        self.assertEqual([7, 15], [len(each) for each in fields[8]])
        self.assertEqual(report, decode_report(encode_report(report)))

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
