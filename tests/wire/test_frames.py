"""Frames as payloads: what a console is shown, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import ProtocolError
from connmon.views.frame import Frame, Gauge, Head
from connmon.views.schema import (
    EVENTS,
    NODES,
    POOLS,
    PROGRAMS,
    TIMEOUTS,
    VIEWS,
    Kind,
    Taking,
    Tally,
)
from connmon.wire.commands import NAME_LIMIT, TEXT_LIMIT
from connmon.wire.frames import (
    FORMAT,
    MOST_RECORDS,
    MOST_STEPS,
    MOST_TALLIES,
    MOST_TEXTS,
    decode_feed,
    encode_feed,
    feed_fields,
    frames_of,
)
from tests.wire.test_payloads import ANYTHING, COUNTS, NAMES, TEXTS, TIMES, mutilated

AGES = st.floats(0, allow_nan=False, allow_infinity=False)
GAUGES = st.builds(Gauge, COUNTS, COUNTS)
HEADS = st.builds(
    Head,
    NAMES,
    NAMES,
    GAUGES,
    GAUGES,
    GAUGES,
    GAUGES,
    st.none() | TIMES,
    st.lists(TIMES, max_size=3).map(tuple),
    COUNTS,
    st.none() | COUNTS,
    st.none() | AGES,
    st.none() | COUNTS,
    st.none() | AGES,
    st.none() | AGES,
    COUNTS,
    COUNTS,
    TEXTS,
    COUNTS,
    COUNTS,
    st.lists(NAMES, max_size=3).map(tuple),
)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: TEXTS,
    Kind.TEXTS: st.lists(TEXTS, max_size=3).map(tuple),
    Kind.COUNT: COUNTS,
    Kind.SECONDS: AGES,
    Kind.RATE: TIMES,
    Kind.RATIO: TIMES,
    Kind.FLAG: st.booleans(),
    Kind.SERIES: st.lists(TIMES, max_size=3).map(tuple),
    Kind.RECORDS: st.lists(
        st.builds(Taking, TEXTS, TEXTS, AGES, st.none() | COUNTS), max_size=3
    ).map(tuple),
    Kind.TALLIES: st.lists(st.builds(Tally, TEXTS, COUNTS), max_size=3).map(tuple),
}


@st.composite
def feeds(draw: st.DrawFn) -> tuple[Frame, ...]:
    """Some frames of one moment, each with some of its view's fields."""
    head = draw(HEADS)
    return tuple(
        draw(frames(head, VIEWS[name]))
        for name in draw(
            st.lists(st.sampled_from(sorted(VIEWS)), min_size=1, max_size=3)
        )
    )


@st.composite
def frames(draw: st.DrawFn, head: Head, view: Any) -> Frame:
    """A frame of a view, with one or two rows of some fields."""
    fields = draw(
        st.lists(st.sampled_from(view.fields), max_size=5, unique_by=lambda f: f.name)
    )
    values = [st.none() | VALUES[field.kind] for field in fields]
    return Frame(
        head,
        view.name,
        tuple(field.name for field in fields),
        tuple(draw(st.lists(st.tuples(*values), max_size=2))),
        draw(COUNTS),
        draw(COUNTS),
        draw(COUNTS),
        draw(st.none() | COUNTS),
        draw(st.booleans()),
        draw(TEXTS),
    )


HEAD = Head("default", "node1")


def a_frame(view: str = PROGRAMS, **values: Any) -> Frame:
    """A frame of one row."""
    return Frame(HEAD, view, tuple(values), (tuple(values.values()),), 0, 1, 1)


def sent(frame: Frame) -> Frame:
    """A frame, as it is read by who got it."""
    (read,) = decode_feed(encode_feed([frame]))
    return read


class CodecTests(SynchronousTestCase):
    """What goes in comes out."""

    @settings(deadline=None)
    @given(feeds())
    def test_a_feed_round_trips(self, feed: tuple[Frame, ...]) -> None:
        """Frames read are the frames written; what is not known stays so."""
        self.assertEqual(feed, decode_feed(encode_feed(feed)))

    @settings(deadline=None)
    @given(feeds(), ANYTHING)
    def test_later_fields_are_ignored(self, feed: tuple[Frame, ...], more: Any) -> None:
        """A newer node may say more than this console understands, anywhere."""
        fields = msgpack.unpackb(encode_feed(feed))
        rows = [row for frame in fields[2] for row in frame[2]]
        gauges = fields[1][2:6]
        for array in (fields, fields[1], *gauges, *fields[2], *rows):
            array.append(more)
        self.assertEqual(feed, decode_feed(msgpack.packb(fields)))

    def test_fields_that_are_not_known_are_dropped(self) -> None:
        """Their names and their values, whatever these are; the others stay."""
        fields = msgpack.unpackb(encode_feed([a_frame(hostname="h", conn=3)]))
        fields[2][0][1] = ["new", "hostname", "newer", "conn"]
        fields[2][0][2] = [[{"a": -1}, "h", None, 3]]
        self.assertEqual(
            (a_frame(hostname="h", conn=3),), decode_feed(msgpack.packb(fields))
        )

    def test_fields_of_another_view_are_not_known(self) -> None:
        """A name means something only in its view."""
        read = sent(a_frame(NODES, node="n", conn=3))
        self.assertEqual((("node",), (("n",),)), (read.fields, read.rows))

    def test_all_frames_have_the_same_head(self) -> None:
        """It is sent once."""
        one, other = decode_feed(encode_feed([a_frame(), a_frame(NODES)]))
        self.assertIs(one.head, other.head)

    def test_numbers_are_of_their_kind(self) -> None:
        """A whole number where a duration is wanted becomes one."""
        read = sent(
            a_frame(oldest_seconds=3, ckoutpersec=2, pool_worst=1, history=(1, 0.5))
        )
        self.assertEqual(((3.0, 2.0, 1.0, (1.0, 0.5)),), read.rows)
        (oldest, rate, worst, history) = read.rows[0]
        for each in (oldest, rate, worst, *history):
            self.assertIs(float, type(each))

    def test_as_much_as_may_be(self) -> None:
        """The longest texts, the most of them, and the longest history."""
        text = "x" * TEXT_LIMIT
        for frame in (
            replace(a_frame(history=(0.5,) * MOST_STEPS, hostname=text), about=text),
            a_frame(NODES, remarks=(text,) * MOST_TEXTS),
        ):
            self.assertEqual(frame, sent(frame))

    def test_text_that_cannot_be_said_is_replaced(self) -> None:
        """A lone surrogate in a name does not keep a frame from being sent."""
        self.assertEqual((("h?",),), sent(a_frame(hostname="h\udcff")).rows)

    def test_fields_and_frames(self) -> None:
        """What a payload holds can be kept in another way than as a payload."""
        feed = (a_frame(hostname="h"), a_frame(EVENTS, text="t"))
        fields = msgpack.unpackb(msgpack.packb(feed_fields(feed)), use_list=False)
        self.assertEqual(feed, frames_of(fields))


class CutTests(SynchronousTestCase):
    """The sender keeps to the limits, so that a long text does not cost the link."""

    def test_texts(self) -> None:
        """They are cut to so many characters, and no others are."""
        long, kept = "é" * (TEXT_LIMIT + 1), "é" * TEXT_LIMIT
        read = sent(
            replace(a_frame(hostname=long, progname=kept, reason=None), about=long)
        )
        self.assertEqual(((kept, kept, None),), read.rows)
        self.assertEqual(kept, read.about)

    def test_several_texts_in_one_value(self) -> None:
        """Each is cut, and there are so many at most."""
        long = "x" * (TEXT_LIMIT + 1)
        read = sent(a_frame(NODES, remarks=(long,) * (MOST_TEXTS + 1)))
        self.assertEqual((((long[:-1],) * MOST_TEXTS,),), read.rows)
        many = (Taking(long, long, 1.0, 7, long, long),) * (MOST_RECORDS + 1)
        (row,) = sent(a_frame(TIMEOUTS, holders=many)).rows
        kept = long[:-1]
        self.assertEqual(
            ((Taking(kept, kept, 1.0, 7, kept, kept),) * MOST_RECORDS,), row
        )
        (row,) = sent(a_frame(POOLS, closings=(Tally(long, 7),) * 1000)).rows
        self.assertEqual(((Tally(long[:-1], 7),) * MOST_TALLIES,), row)

    def test_records_of_an_earlier_version(self) -> None:
        """They have four parts: address and tag are not known; more are left out."""
        for parts, expected in (
            (("s", "o", 1.0, 7), Taking("s", "o", 1.0, 7)),
            (("s", "o", 1.0, None, "a:1"), Taking("s", "o", 1.0, None, "a:1")),
            (("s", "o", 1.0, 7, "a:1", "t", 9), Taking("s", "o", 1.0, 7, "a:1", "t")),
        ):
            (row,) = sent(a_frame(TIMEOUTS, holders=(parts,))).rows
            self.assertEqual(((expected,),), row)

    def test_the_head(self) -> None:
        """Its words, and the names in it."""
        long = "x" * 5000
        head = replace(HEAD, service=long, node=long, worst=long, down=(long, "n"))
        read = sent(replace(a_frame(), head=head)).head
        self.assertEqual(
            (
                NAME_LIMIT,
                NAME_LIMIT,
                TEXT_LIMIT,
                [NAME_LIMIT, 1],
            ),
            (
                len(read.service),
                len(read.node),
                len(read.worst),
                list(map(len, read.down)),
            ),
        )

    def test_the_rows_that_are_sent_are_left_alone(self) -> None:
        """Cutting makes other rows."""
        frame = a_frame(hostname="x" * 5000)
        sent(frame)
        self.assertEqual(5000, len(frame.rows[0][0]))


#: Of each kind a field that has it, and values that it must not have.
WRONG: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    (PROGRAMS, "hostname", (1, True, b"h", ["h"], "x" * (TEXT_LIMIT + 1))),
    (PROGRAMS, "conn", (-1, 2**63, 1.0, True, "1", [])),
    (PROGRAMS, "oldest_seconds", (-0.1, float("inf"), float("nan"), True, "1", [])),
    (PROGRAMS, "ckoutpersec", (float("inf"), float("nan"), False, "1", [])),
    (PROGRAMS, "pool_worst", (float("-inf"), float("nan"), "1", {})),
    (PROGRAMS, "connected", (0, 1, "yes", [])),
    (
        PROGRAMS,
        "history",
        (1.0, "1", [None], ["1"], [True], [float("nan")], [0.0] * (MOST_STEPS + 1)),
    ),
    (
        NODES,
        "remarks",
        ("r", 1, [1], [None], ["x" * (TEXT_LIMIT + 1)], ["r"] * (MOST_TEXTS + 1)),
    ),
    (
        TIMEOUTS,
        "holders",
        (
            "s",
            ["s"],
            [None],
            [["s", "o", 1.0]],
            [[None, "o", 1.0, 1]],
            [["s", 1, 1.0, 1]],
            [["s", "o", -1.0, 1]],
            [["s", "o", None, 1]],
            [["s", "o", 1.0, -1]],
            [["s", "o", 1.0, "1"]],
            [["s", "o", 1.0, 1, 5]],
            [["s", "o", 1.0, 1, "a", None]],
            [["s", "o", 1.0, 1, "a", "x" * (TEXT_LIMIT + 1)]],
            [["x" * (TEXT_LIMIT + 1), "o", 1.0, None]],
            [["s", "o", 1.0, None]] * (MOST_RECORDS + 1),
        ),
    ),
    (
        POOLS,
        "closings",
        (
            "r",
            ["r"],
            [None],
            [["r"]],
            [[None, 1]],
            [["r", -1]],
            [["r", 1.0]],
            [["r", None]],
            [["x" * (TEXT_LIMIT + 1), 1]],
            [["r", 1]] * (MOST_TALLIES + 1),
        ),
    ),
)


class LimitTests(SynchronousTestCase):
    """A feed has to fit into a box."""

    def test_the_last_rows_of_what_is_too_long_are_left_out(self) -> None:
        """How many there are is told all the same, and short tables are whole."""
        rows = tuple((f"host{number:05}", number) for number in range(2000))
        fields = ("hostname", "nproc")
        long = Frame(HEAD, PROGRAMS, fields, rows, count=2000, total=2000)
        short = replace(long, rows=rows[:3], count=3, total=3)
        payload = encode_feed([long, short], 9000)
        self.assertLessEqual(len(payload), 9000)
        got, whole = decode_feed(payload)
        self.assertEqual(rows[: len(got.rows)], got.rows)
        self.assertTrue(300 < len(got.rows) < 800, len(got.rows))
        self.assertEqual((2000, 2000), (got.count, got.total))
        self.assertEqual(short, whole)

    def test_a_limit_that_nothing_keeps_ends(self) -> None:
        """There is nothing left to leave out."""
        (frame,) = decode_feed(encode_feed([Frame(HEAD, PROGRAMS, (), ((),) * 9)], 1))
        self.assertEqual((), frame.rows)


class RefusedTests(SynchronousTestCase):
    """Nothing else gets in."""

    def refused(self, fields: Any) -> str:
        """Why fields are refused, as a payload and otherwise."""
        with self.assertRaises(ProtocolError):
            decode_feed(msgpack.packb(fields))
        tuples = msgpack.unpackb(
            msgpack.packb(fields), use_list=False, strict_map_key=False
        )
        with self.assertRaises(ProtocolError) as caught:
            frames_of(tuples)
        return str(caught.exception)

    def fields(self, frame: Frame | None = None) -> Any:
        """What a payload holds."""
        return msgpack.unpackb(encode_feed([frame or a_frame(hostname="h", conn=3)]))

    def test_values_of_another_kind(self) -> None:
        """Each kind has its own check; not known may be any."""
        for view, name, values in WRONG:
            good = self.fields(a_frame(view, **{name: None}))
            decode_feed(msgpack.packb(good))
            for value in values:
                good[2][0][2] = [[value]]
                self.refused(good)

    def test_rows_that_are_too_short(self) -> None:
        """A row has a value for each field that is named, known or not."""
        for names, row in (
            (["hostname", "conn"], ["h"]),
            (["hostname", "new"], ["h"]),
            (["hostname"], []),
        ):
            fields = self.fields()
            fields[2][0][1:3] = [names, [row]]
            self.refused(fields)

    def test_arrays_that_are_too_short(self) -> None:
        """The feed itself, its head, a gauge, a frame."""
        for path in ((), (1,), (1, 2), (2, 0)):
            fields = self.fields()
            place = fields
            for step in path:
                place = place[step]
            place.pop()
            self.refused(fields)

    def test_what_a_frame_may_not_be(self) -> None:
        """Of a view nobody knows, without fields or rows, of numbers that are none."""
        cases: tuple[tuple[int, tuple[Any, ...]], ...] = (
            (0, ("progs", "", None, 1, ["programs"], "x" * 5000)),
            (1, (None, "hostname", [1], [None], {}, ["x" * (NAME_LIMIT + 1)])),
            (2, (None, "rows", [None], ["ab"], [{}], {})),
            (3, (-1, None, 1.0, 2**63)),
            (4, (-1, None, True)),
            (5, (-1, None, "1")),
            (6, (-1, 0.0, False)),
            (7, (None, 0, "no")),
            (8, (None, 1, "x" * (TEXT_LIMIT + 1))),
        )
        for index, values in cases:
            for value in values:
                fields = self.fields()
                fields[2][0][index] = value
                self.refused(fields)

    def test_what_a_head_may_not_be(self) -> None:
        """Names too long, gauges that are none, durations below zero."""
        long = "x" * (NAME_LIMIT + 1)
        cases: tuple[tuple[int, tuple[Any, ...]], ...] = (
            *((index, (None, 1, long)) for index in (0, 1)),
            *((index, (None, 1, [], [1], [1, None], [-1, 1])) for index in range(2, 6)),
            (6, ("1", float("nan"))),
            (7, (None, [None], [0.0] * (MOST_STEPS + 1))),
            *((index, (-1, 1.0, "1")) for index in (8, 9, 11, 14, 15, 17, 18)),
            *((index, (-1.0, float("inf"), "1")) for index in (10, 12, 13)),
            *((index, (None,)) for index in (8, 14, 15, 16, 17, 18)),
            (16, (1, "x" * (TEXT_LIMIT + 1))),
            (19, (None, "n", [1], [long])),
        )
        for index, values in cases:
            for value in values:
                fields = self.fields()
                fields[1][index] = value
                self.refused(fields)

    def test_another_format_is_refused_by_number(self) -> None:
        """So are frames as they were before there were queries."""
        for known in (1, FORMAT + 1, None, "2"):
            fields = self.fields()
            fields[0] = known
            with self.assertRaises(ProtocolError) as caught:
                decode_feed(msgpack.packb(fields))
            self.assertIn(f"format {known!r}, expected {FORMAT}", str(caught.exception))
            self.assertIn(f"format {known!r}, expected {FORMAT}", self.refused(fields))

    def test_numbers_that_only_json_can_say(self) -> None:
        """They are too large for any kind of value."""
        for frame in (
            a_frame(oldest_seconds=10**400),
            a_frame(history=(10**400,)),
            replace(a_frame(), head=replace(HEAD, per_second=10**400)),
            replace(a_frame(), first=10**400),
        ):
            told, head, (parts,) = feed_fields([frame])
            parts[2] = tuple(parts[2])
            head[7], head[19] = tuple(head[7]), tuple(head[19])
            head[2:6] = [tuple(each) for each in head[2:6]]
            with self.assertRaises(ProtocolError):
                frames_of((told, tuple(head), (tuple(parts),)))

    @given(st.binary(max_size=200))
    def test_garbage_is_a_protocol_error(self, payload: bytes) -> None:
        """Bytes that are no payload raise that, and nothing else."""
        with self.assertRaises(ProtocolError):
            decode_feed(payload)

    @given(ANYTHING)
    def test_well_formed_nonsense_is_a_protocol_error(self, value: Any) -> None:
        """So does msgpack that is not of our shape."""
        for fields in (value, [FORMAT, value], [FORMAT, value, value]):
            with self.assertRaises(ProtocolError):
                decode_feed(msgpack.packb(fields))

    @settings(deadline=None)
    @given(feeds(), st.lists(st.integers(0, 20), min_size=1, max_size=6), ANYTHING)
    def test_a_mutilated_feed_is_read_or_refused(
        self, feed: tuple[Frame, ...], path: list[int], value: Any
    ) -> None:
        """A field of the wrong kind never gets past the codec as something else."""
        try:
            read = decode_feed(mutilated(encode_feed(feed), path, value))
        except ProtocolError:
            return
        if read:
            self.assertEqual(read, decode_feed(encode_feed(read)))
        for frame in read:
            for row in frame.rows:
                self.assertEqual(len(frame.fields), len(row))
                for name, each in zip(frame.fields, row, strict=True):
                    field = VIEWS[frame.view].field(name)
                    assert field is not None
                    self.assertTrue(
                        each is None or fits(field.kind, each), (name, each)
                    )


def fits(kind: Kind, value: Any) -> bool:
    """Whether a value is of a kind, as the schema says it."""
    parts: dict[Kind, type] = {
        Kind.TEXTS: str,
        Kind.RECORDS: Taking,
        Kind.TALLIES: Tally,
        Kind.SERIES: float,
    }
    if kind in parts:
        of = parts[kind]
        return isinstance(value, tuple) and all(isinstance(v, of) for v in value)
    if kind is Kind.TEXT:
        return isinstance(value, str)
    if kind is Kind.FLAG:
        return isinstance(value, bool)
    if kind is Kind.COUNT:
        return type(value) is int and value >= 0
    return isinstance(value, float)
